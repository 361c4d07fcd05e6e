//! `ktrdr schedule show`: one schedule, who added it, its runs, and when it is due next.

use clap::Args;
use jiff::Timestamp;
use market::Calendar;
use schemas::codes;
use schemas::schedules::{Schedule, ScheduleName};

use super::state::{describe_when, last_text, next_text, no_schedule, whole_json};
use crate::console::durations::instant;
use crate::console::{Exit, Failure, print_pairs};
use crate::context::Context;
use crate::inputs::schedules::{ScheduleNow, with_last_state};
use crate::inputs::stored_series::require_calendar;

/// Instants that are shown after the next one.
const FURTHER_SHOWN: usize = 3;

/// `ktrdr schedule show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name of the schedule
    #[arg(value_name = "NAME")]
    name: ScheduleName,
}

/// Shows the schedule.
///
/// # Errors
/// There is none of this name, or the server cannot be asked.
pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;
    let Some(stored) = bus.schedules().get(&args.name).await? else {
        return Err(no_schedule(&args.name, &bus).await);
    };

    let each = with_last_state(stored.schedule, &bus).await?;
    output.json(&whole_json(&each));
    let calendar = match &each.schedule.calendar {
        Some(name) => Some(require_calendar(name, context).await?),
        None => None,
    };
    let further = further_instants(&each.schedule, calendar)?;
    print_pairs(output, &facts_of(&each, &further));
    Ok(Exit::Done)
}

/// The instants after the next one.
fn further_instants(
    schedule: &Schedule,
    calendar: Option<&Calendar>,
) -> Result<Vec<String>, Failure> {
    let trades = |instant| calendar.is_none_or(|calendar| calendar.trades_at(instant));
    let mut instants = Vec::with_capacity(FURTHER_SHOWN);
    let mut last = schedule.next;

    while let Some(after) = last.filter(|_| instants.len() < FURTHER_SHOWN) {
        last = schedule.next_after(after, &trades).map_err(|fault| {
            Failure::of(Exit::Failed, codes::OPS_SCHEDULE_INVALID, &fault)
                .with_hint("install the time zones of this system (Debian: apt install tzdata)")
        })?;
        instants.extend(last.map(instant));
    }
    Ok(instants)
}

fn facts_of(each: &ScheduleNow, further: &[String]) -> Vec<(String, String)> {
    let schedule = &each.schedule;
    let missing = || "-".to_owned();
    let by = schedule.operation.by.clone();
    let mut facts = vec![
        ("name", schedule.name.to_string()),
        ("times", schedule.when.to_string()),
        ("in words", describe_when(schedule)),
        ("command", schedule.command.clone()),
        ("added", instant(schedule.created)),
        ("by", by.unwrap_or_else(missing)),
        ("next", next_text(each, Timestamp::now())),
        ("then", further.join(", ")),
        ("on overlap", schedule.on_overlap.as_str().to_owned()),
        ("last run", last_text(each)),
    ];

    if let Some(skipped) = &schedule.skipped {
        facts.push(("skipped", skipped.reason.clone()));
    }
    if let Some(last) = &schedule.last {
        facts.push(("operation", last.op.to_string()));
        facts.push(("started", instant(last.at)));
    }
    let facts = facts.into_iter();
    facts.map(|(name, text)| (name.to_owned(), text)).collect()
}
