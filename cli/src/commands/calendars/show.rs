//! `ktrdr calendars show`: the sessions of a range of dates at the exchange and in UTC, with what
//! is closed, shortened or special, and why.

use std::path::PathBuf;

use clap::Args;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use market::{Calendar, CalendarException, ExceptionKind, TradingSession, Utc};
use schemas::codes;
use serde_json::{Value, json};

use super::add::{read_calendar_file, wrong_file};
use super::list::calendar_json;
use crate::arguments::values::parse_date;
use crate::console::{Exit, Failure, now, print_pairs};
use crate::context::Context;
use crate::inputs::stored_series::require_calendar;

const HEADS: [&str; 5] = ["DATE", "DAY", "AT THE EXCHANGE", "UTC", "REMARK"];
/// Dates that are shown where no end is given: a week.
const DATES_SHOWN: i64 = 7;

/// `ktrdr calendars show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// Name of a calendar, or a calendar file that ends in .json
    calendar: String,
    /// First trading date; without it today
    #[arg(long, alias = "from", value_name = "DATE", value_parser = parse_date)]
    start: Option<Date>,
    /// Last trading date, included; without it a week is shown
    #[arg(long, alias = "to", value_name = "DATE", value_parser = parse_date)]
    end: Option<Date>,
}

/// Shows the calendar.
///
/// # Errors
/// There is no such calendar, the file is not a calendar, or the range is empty.
pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let calendar = find_calendar(&args.calendar, context).await?;
    let from = args.start.unwrap_or_else(|| now().date());
    let to = args
        .end
        .unwrap_or_else(|| from.saturating_add((DATES_SHOWN - 1).days()));
    if to < from {
        let message = format!("there is no date from {from} to {to}");
        return Err(
            Failure::new(Exit::Usage, codes::DATA_INVALID_DATE_RANGE, message)
                .with_hint("give the first date with --start and the last one with --end"),
        );
    }

    let output = &context.output;
    output.json(&calendar_json(&calendar));
    print_pairs(output, &describe(&calendar));

    // A closed date has a line, too: a date that is left out would hide a holiday.
    let mut rows = Vec::new();
    let mut date = from;
    while date <= to {
        let trading_date = ShownDate::new(&calendar, date);
        output.json(&trading_date.json(&calendar));
        rows.push(trading_date.row(&calendar));
        date = date.saturating_add(1.day());
    }
    output.table(&HEADS, &rows);
    note_limits(&calendar, from, to, context);
    Ok(Exit::Done)
}

/// The calendar of a name, or of a file.
async fn find_calendar(text: &str, context: &Context) -> Result<Calendar, Failure> {
    if text.ends_with(".json") {
        let file = PathBuf::from(text);
        let content = read_calendar_file(&file, context)?;
        return Calendar::from_json(&content).map_err(|error| wrong_file(&file, &error));
    }

    require_calendar(text, context).await.cloned()
}

/// What the calendar says about itself, for people.
fn describe(calendar: &Calendar) -> Vec<(String, String)> {
    let mut pairs = vec![("calendar".to_owned(), calendar.name().to_owned())];
    let mut add = |name: &str, text: &str| pairs.push((name.to_owned(), text.to_owned()));

    if !calendar.description().is_empty() {
        add("what", calendar.description());
    }
    add("zone", calendar.zone_name());
    if let Some((first, last)) = calendar.coverage() {
        add("holidays", &format!("from {first} to {last}"));
    }
    for source in calendar.sources() {
        add("source", source);
    }
    pairs
}

/// Says where the holidays of the range are not known, or not published yet.
fn note_limits(calendar: &Calendar, from: Date, to: Date, context: &Context) {
    if !calendar.covers(from) || !calendar.covers(to) {
        context
            .output
            .note("note: outside of the covered years only the weekly hours are known");
    }
    if let Some(projected) = calendar.projected_from()
        && projected <= to
    {
        context.output.note(&format!(
            "note: holidays from {projected} on follow from rules; they were not published yet"
        ));
    }
}

/// One trading date with its sessions and exceptions.
struct ShownDate<'a> {
    date: Date,
    sessions: Vec<TradingSession>,
    exceptions: &'a [CalendarException],
}

impl<'a> ShownDate<'a> {
    fn new(calendar: &'a Calendar, date: Date) -> Self {
        let dates = date..date.saturating_add(1.day());
        Self {
            date,
            sessions: calendar.sessions(dates.clone()),
            exceptions: calendar.exceptions(dates),
        }
    }

    fn row(&self, calendar: &Calendar) -> Vec<String> {
        let local = |instant: Utc| calendar.local(instant);
        let remarks: Vec<String> = self.exceptions.iter().map(remark_of).collect();
        vec![
            self.date.to_string(),
            self.date.strftime("%a").to_string(),
            self.sessions_as(local),
            self.sessions_as(utc_time),
            remarks.join(", "),
        ]
    }

    /// `09:30-16:00`, several separated by spaces; a time of another date has its weekday.
    fn sessions_as(&self, read: impl Fn(Utc) -> DateTime) -> String {
        let sessions = self.sessions.iter().map(|session| {
            let open = self.time_text(read(session.open));
            let close = self.time_text(read(session.close));
            format!("{open}-{close}")
        });
        let text = sessions.collect::<Vec<_>>().join("  ");
        if text.is_empty() {
            "closed".to_owned()
        } else {
            text
        }
    }

    /// The time of day, after the weekday where that is another one.
    fn time_text(&self, time: DateTime) -> String {
        let is_same_date = time.date() == self.date;
        let form = if is_same_date { "%H:%M" } else { "%a %H:%M" };
        time.strftime(form).to_string()
    }

    fn json(&self, calendar: &Calendar) -> Value {
        let sessions = self.sessions.iter().map(|session| {
            json!({
                "open": session.open.to_string(),
                "close": session.close.to_string(),
                "open_local": calendar.local(session.open),
                "close_local": calendar.local(session.close),
            })
        });
        let exceptions = self.exceptions.iter().map(exception_json);
        let is_projected = calendar
            .projected_from()
            .is_some_and(|from| from <= self.date);

        // Outside of the covered years an empty list of exceptions proves nothing.
        json!({
            "type": "trading_date",
            "calendar": calendar.name(),
            "date": self.date,
            "sessions": sessions.collect::<Vec<_>>(),
            "exceptions": exceptions.collect::<Vec<_>>(),
            "covered": calendar.covers(self.date),
            "projected": is_projected,
        })
    }
}

fn utc_time(instant: Utc) -> DateTime {
    jiff::tz::TimeZone::UTC.to_datetime(instant.timestamp())
}

/// `closed: Christmas`, `closes at 13:00: Christmas Eve`.
fn remark_of(exception: &CalendarException) -> String {
    let what = match exception.kind {
        ExceptionKind::Closed => "closed".to_owned(),
        ExceptionKind::ClosesAt(time) => format!("closes at {}", time.strftime("%H:%M")),
        ExceptionKind::OpensAt(time) => format!("opens at {}", time.strftime("%H:%M")),
        ExceptionKind::Hours => "special hours".to_owned(),
    };
    if exception.name.is_empty() {
        what
    } else {
        format!("{what}: {}", exception.name)
    }
}

fn exception_json(exception: &CalendarException) -> Value {
    let (kind, time) = match exception.kind {
        ExceptionKind::Closed => ("closed", None),
        ExceptionKind::ClosesAt(time) => ("closes_at", Some(time)),
        ExceptionKind::OpensAt(time) => ("opens_at", Some(time)),
        ExceptionKind::Hours => ("hours", None),
    };
    let time = time.map(|time| time.strftime("%H:%M").to_string());
    json!({"kind": kind, "time": time, "name": exception.name})
}
