//! `ktrdr schedule add`: a command line and when it is to be run, as a schedule on the server.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use market::Calendar;
use schemas::codec::Message as _;
use schemas::codes;
use schemas::errors::shortened;
use schemas::ids::InvalidId;
use schemas::operation::NewOperation;
use schemas::schedules::{
    Cron, CronError, DEFAULT_ZONE, Overlap, SCHEDULE_LABEL, Schedule, ScheduleFault, ScheduleName,
    When,
};
use schemas::spelling::nearest_name;

use super::state::{describe_when, whole_json};
use crate::arguments::values::parse_duration;
use crate::console::durations::instant;
use crate::console::{Exit, Failure, print_pairs};
use crate::context::Context;
use crate::inputs::schedules::ScheduleNow;
use crate::inputs::stored_series::require_calendar;

/// Shortest interval: what is to happen more often is a service.
const INTERVAL_MIN: Duration = Duration::from_secs(60);
/// Longest command line that an error repeats.
const LINE_BYTES_MAX: usize = 80;

/// `ktrdr schedule add`.
#[derive(Debug, Args)]
#[command(after_long_help = ABOUT)]
#[command(group = clap::ArgGroup::new("times").required(true))]
pub(super) struct AddArgs {
    /// Times of day on days, in the five fields of cron: minute, hour, day of the month, month,
    /// weekday
    #[arg(value_name = "TIMES", group = "times", value_parser = parse_cron)]
    cron: Option<Cron>,
    /// Interval from now on instead, as in 1h or 30m; at least 1m
    #[arg(long, value_name = "INTERVAL", group = "times", value_parser = parse_interval)]
    every: Option<NonZeroU64>,
    /// Name of the schedule, which no other one has; without it one is made
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<ScheduleName>,
    /// Time zone of the times of day, as in America/New_York
    #[arg(
        long,
        value_name = "ZONE",
        default_value = DEFAULT_ZONE,
        value_parser = parse_zone,
        conflicts_with = "every"
    )]
    time_zone: String,
    /// Calendar on whose trading days alone it is due, as in us_equities; see `ktrdr calendars
    /// list`
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// What becomes of a run that is due while the one before works
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    on_overlap: OverlapArg,
    /// Command to run: `data load`, `train`, `run` or `dummy start`, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const ABOUT: &str = "\
The fields of TIMES are numbers, ranges (1-5), lists (8,20) and steps (*/15), months and weekdays
also by name (jan, mon); Sunday is 0 or 7. Where a day of the month and a weekday are both named,
either is enough. A time that the clock skips in spring is due as much later, one that it repeats
in autumn is due once.

The request is made and checked now: strategies and files are read now, and a date such as --end
2024-12-31 is the same in each run. Without --end a load ends at the instant at which it runs.

A run that is due while the one before still works is skipped; with --on-overlap queue it is started
once that one has ended. Of several runs that wait so, or that nobody could start because the server
or all workers were away, only one is started. With a calendar the day counts by the clock of its
exchange.";

/// What becomes of a run that is due while the one before works, as people write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum OverlapArg {
    /// It is skipped
    #[default]
    Skip,
    /// It is started once the one before has ended
    Queue,
}

impl From<OverlapArg> for Overlap {
    fn from(arg: OverlapArg) -> Self {
        match arg {
            OverlapArg::Skip => Self::Skip,
            OverlapArg::Queue => Self::Queue,
        }
    }
}

fn parse_cron(text: &str) -> Result<Cron, String> {
    text.parse().map_err(|error: CronError| error.to_string())
}

fn parse_name(text: &str) -> Result<ScheduleName, String> {
    text.parse().map_err(|error: InvalidId| error.to_string())
}

/// An interval in milliseconds.
fn parse_interval(text: &str) -> Result<NonZeroU64, String> {
    let interval = parse_duration(text)?;
    if interval < INTERVAL_MIN {
        return Err("the shortest interval is 1m".to_owned());
    }

    let milliseconds = u64::try_from(interval.as_millis()).ok();
    milliseconds
        .and_then(NonZeroU64::new)
        .ok_or_else(|| "the interval is too long".to_owned())
}

/// A time zone that this host knows.
fn parse_zone(text: &str) -> Result<String, String> {
    if TimeZone::get(text).is_ok() {
        return Ok(text.to_owned());
    }

    let zones: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    let nearest = nearest_name(text, zones.iter().map(String::as_str));
    Err(match nearest {
        Some(name) => format!("there is no time zone of this name (did you mean `{name}`?)"),
        None => "expected the name of a time zone such as Europe/London".to_owned(),
    })
}

/// Adds the schedule.
///
/// # Errors
/// The command cannot be scheduled, is never due, its name is taken, or the server cannot be asked.
pub(super) async fn run(
    args: &AddArgs,
    context: &Context,
    make_request: impl AsyncFn(&[String], &Context) -> Result<NewOperation, Failure>,
) -> Result<Exit, Failure> {
    let calendar = match &args.calendar {
        Some(name) => Some(require_calendar(name, context).await?),
        None => None,
    };
    let words = scheduled_words(&args.command);
    let operation = make_request(words, context).await.map_err(|failure| {
        let line = shortened(&words.join(" "), LINE_BYTES_MAX);
        let message = format!("`{line}`: {}", failure.message);
        Failure { message, ..failure }
    })?;
    let schedule = make_schedule(args, words, operation, context)?;
    let schedule = with_next_instant(schedule, calendar)?;

    let bus = context.bus().await?;
    if !bus.schedules().add(&schedule).await? {
        return Err(name_taken(&schedule.name));
    }
    show_added(schedule, context);
    Ok(Exit::Done)
}

/// The command line without the name of the program.
fn scheduled_words(command: &[String]) -> &[String] {
    match command {
        [program, words @ ..] if program == "ktrdr" => words,
        words => words,
    }
}

fn make_schedule(
    args: &AddArgs,
    words: &[String],
    mut operation: NewOperation,
    context: &Context,
) -> Result<Schedule, Failure> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => made_name(&operation.kind)?,
    };
    let when = match (&args.cron, args.every) {
        (_, Some(interval)) => When::Every(interval),
        (Some(cron), None) => When::Cron(cron.clone()),
        (None, None) => return Err(invalid_schedule("neither times nor an interval are named")),
    };

    let label = (SCHEDULE_LABEL.to_owned(), name.to_string());
    operation.labels.extend([label]);
    operation.by = Some(context.person()?);
    let now = Timestamp::now();
    Ok(Schedule {
        v: Schedule::VERSION,
        name,
        when,
        time_zone: args.time_zone.clone(),
        calendar: args.calendar.clone(),
        on_overlap: args.on_overlap.into(),
        command: shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default(),
        operation,
        // Intervals count from here: a whole second is easier to read.
        created: now.round(Unit::Second).unwrap_or(now),
        next: None,
        last: None,
        skipped: None,
    })
}

/// `data-3f2a91`: the kind of the operation and a number.
fn made_name(kind: &str) -> Result<ScheduleName, Failure> {
    let number = rand::random::<u32>() >> 8;
    let name = format!("{kind}-{number:06x}").parse();
    name.map_err(|error: InvalidId| invalid_schedule(&error.to_string()))
}

/// The schedule with its first instant, once its request is known to be valid.
fn with_next_instant(
    mut schedule: Schedule,
    calendar: Option<&Calendar>,
) -> Result<Schedule, Failure> {
    let trades = |instant| calendar.is_none_or(|calendar| calendar.trades_at(instant));
    let next = schedule.next_after(Timestamp::now(), &trades);
    schedule.next = next.map_err(|fault| unusable_schedule(&fault))?;
    let Some(next) = schedule.next else {
        return Err(invalid_schedule(
            "the schedule is never due on a day that its calendar trades",
        )
        .with_hint("name other weekdays, or another calendar: `ktrdr calendars show NAME`"));
    };

    let op = schedule.operation_id(next);
    let op = op.map_err(|error| invalid_schedule(&error.to_string()))?;
    let valid = schedule.operation.validate(&op);
    valid.map_err(|error| {
        Failure::of(Exit::Usage, codes::OPS_INVALID, &error)
            .with_hint("put the operations into several schedules; nothing was scheduled")
    })?;
    Ok(schedule)
}

fn unusable_schedule(fault: &ScheduleFault) -> Failure {
    Failure::of(Exit::Usage, codes::OPS_SCHEDULE_INVALID, fault)
        .with_hint("correct what the message names; nothing was scheduled")
}

fn invalid_schedule(message: &str) -> Failure {
    Failure::new(Exit::Usage, codes::OPS_SCHEDULE_INVALID, message)
        .with_hint("`ktrdr schedule add --help` shows examples; nothing was scheduled")
}

fn name_taken(name: &ScheduleName) -> Failure {
    let message = format!("there is a schedule `{name}` already");
    Failure::new(Exit::Refused, codes::OPS_SCHEDULE_EXISTS, message).with_hint(format!(
        "choose another name with --name, or remove it first: `ktrdr schedule remove {name}`"
    ))
}

fn show_added(schedule: Schedule, context: &Context) {
    let output = &context.output;
    let added = ScheduleNow {
        schedule,
        last_state: None,
    };
    output.json(&whole_json(&added));

    let schedule = &added.schedule;
    let name = &schedule.name;
    output.line(&format!("Scheduled {name}: {}", describe_when(schedule)));
    let next = schedule.next.map(instant).unwrap_or_default();
    let facts = [("command", schedule.command.clone()), ("next", next)];
    print_pairs(output, &facts.map(|(name, text)| (name.to_owned(), text)));
    output.note(&format!(
        "hint: `ktrdr schedule show {name}` shows its runs, `ktrdr schedule remove {name}` ends it"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_at_least_a_minute() {
        assert_eq!(parse_interval("1h").unwrap().get(), 3_600_000);
        assert_eq!(parse_interval("1m").unwrap().get(), 60_000);
        assert_eq!(
            parse_interval("59s").unwrap_err(),
            "the shortest interval is 1m"
        );
    }

    #[test]
    fn a_time_zone_is_one_that_exists() {
        assert_eq!(parse_zone("America/New_York").unwrap(), "America/New_York");
        assert_eq!(
            parse_zone("America/NewYork").unwrap_err(),
            "there is no time zone of this name (did you mean `America/New_York`?)"
        );
    }
}
