//! How the value of an argument is read: one function each, whose error is a sentence for the
//! person who typed it.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use market::{Instrument, Moment, Timeframe};
use schemas::ids::{InvalidId, OperationId};
use schemas::operation::OperationState;

/// The whole id of an operation, which need not have a record any more.
pub(crate) fn parse_operation(text: &str) -> Result<OperationId, String> {
    text.parse().map_err(|error: InvalidId| error.to_string())
}

/// The state of an operation, in upper or lower case.
pub(crate) fn parse_state(text: &str) -> Result<OperationState, String> {
    serde_json::from_value(text.to_ascii_lowercase().into()).map_err(|_| {
        "expected pending, running, retrying, resuming, cancelling, completed, failed or cancelled"
            .to_owned()
    })
}

/// A symbol as people write it: `EURUSD`, `AAPL`, `crypto:BTC/USD`.
pub(crate) fn parse_instrument(text: &str) -> Result<Instrument, String> {
    Instrument::parse(text).map_err(|error| format!("{error}; {}", error.hint()))
}

/// A timeframe: `1m`, `90m`, `4h`, `1d`, `2w`, `1mo`, or another way to write it.
pub(crate) fn parse_timeframe(text: &str) -> Result<Timeframe, String> {
    text.parse()
        .map_err(|error: market::UnknownTimeframe| error.to_string())
}

/// `KEY=VALUE`; the value may be empty and may hold further `=`.
pub(crate) fn parse_key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// A time span, as in `30s`, `5m` or `1h 30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text
        .parse()
        .map_err(|_| "expected a time span such as 30s, 5m or 1h 30m".to_owned())?;
    Duration::try_from(span).map_err(|_| "a time span cannot be negative".to_owned())
}

/// How long ago something was: `2h`, `3d`.
pub(crate) fn parse_age(text: &str) -> Result<SignedDuration, String> {
    parse_hours_or_days(text)
        .filter(|age| !age.is_negative())
        .ok_or_else(|| "expected how long ago, as in 12h or 7d".to_owned())
}

/// A state in which an operation has ended.
pub(crate) fn parse_ended_state(text: &str) -> Result<OperationState, String> {
    parse_state(text)
        .ok()
        .filter(|state| state.is_terminal())
        .ok_or_else(|| "expected completed, failed or cancelled".to_owned())
}

/// A number of seconds, or a time span.
pub(crate) fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => parse_duration(text)
            .map(|span| span.as_secs_f64())
            .map_err(|_| "expected seconds, as in 20 or 1.5".to_owned()),
    }
}

/// A date of any calendar year: `2024-01-31`.
pub(crate) fn parse_date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "expected a date such as 2024-01-31".to_owned())
}

/// A date (its midnight UTC) or an instant, in UTC where it names no zone.
pub(crate) fn parse_instant(text: &str) -> Result<Timestamp, String> {
    parse_moment(text).map(|moment| moment.start().timestamp())
}

/// An exclusive end: the midnight after a date, because people mean a last date to be included, or
/// an instant as it is.
pub(crate) fn parse_end(text: &str) -> Result<Timestamp, String> {
    parse_moment(text).map(|moment| moment.end().timestamp())
}

fn parse_moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text).ok_or_else(|| format!("expected {}", Moment::FORM))
}

/// A date (its midnight UTC), an instant, or how long ago: `2h`, `3d`.
pub(crate) fn parse_since(text: &str) -> Result<Timestamp, String> {
    let time_ago = || {
        Timestamp::now()
            .checked_sub(parse_hours_or_days(text)?)
            .ok()
    };

    parse_instant(text)
        .ok()
        .or_else(time_ago)
        .ok_or_else(|| "expected 2026-03-01, an instant, or a time ago as in 2h or 3d".to_owned())
}

/// `2h`, `3d`; a day has 24 hours, because a time ago is meant and no calendar.
fn parse_hours_or_days(text: &str) -> Option<SignedDuration> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.trim().parse::<i64>().ok());

    match days {
        Some(days) => SignedDuration::try_from_hours(days.checked_mul(24)?),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_people_write_them() {
        assert_eq!(
            parse_duration("1h 30m").unwrap(),
            Duration::from_secs(5_400)
        );
        assert!(parse_duration("-5s").is_err());
    }

    #[test]
    fn since_is_a_date_or_a_time_ago() {
        let date = parse_since("2026-03-01").unwrap();
        assert_eq!(date, "2026-03-01T00:00:00Z".parse().unwrap());

        let age = Timestamp::now() - parse_since("1d").unwrap();
        assert!((age.total(jiff::Unit::Hour).unwrap() - 24.0).abs() < 0.1);

        assert!(parse_since("soon").is_err());
    }

    #[test]
    fn a_date_begins_and_ends_at_midnight_in_utc() {
        let start = parse_instant("2024-01-31").unwrap();
        assert_eq!(start, "2024-01-31T00:00:00Z".parse().unwrap());

        let end = parse_end("2024-01-31").unwrap();
        assert_eq!(end, "2024-02-01T00:00:00Z".parse().unwrap());

        let instant = parse_end("2024-01-31T12:00:00Z").unwrap();
        assert_eq!(instant, "2024-01-31T12:00:00Z".parse().unwrap());

        // A time of day without a zone is one in UTC, not a whole day.
        let instant = parse_end("2024-01-31 02:00").unwrap();
        assert_eq!(instant, "2024-01-31T02:00:00Z".parse().unwrap());

        assert!(parse_instant("31.1.2024").is_err());
    }
}
