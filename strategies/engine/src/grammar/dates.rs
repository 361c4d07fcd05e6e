//! Dates of a strategy file: an instant (RFC 3339), or a plain date, which means a midnight UTC.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use market::Utc;

use crate::fields::Fields;

/// An instant; a plain date means the midnight UTC at which it begins.
pub(super) fn read_instant(fields: &Fields<'_>, key: &'static str) -> Option<Utc> {
    read_with(fields, key, Some)
}

/// An exclusive end; a plain date is included, so it means the midnight UTC after it.
pub(super) fn read_end(fields: &Fields<'_>, key: &'static str) -> Option<Utc> {
    read_with(fields, key, |date| date.checked_add(1.day()).ok())
}

fn read_with(
    fields: &Fields<'_>,
    key: &'static str,
    date_of_midnight: impl Fn(Date) -> Option<Date>,
) -> Option<Utc> {
    let text = fields.text(key)?;

    // An instant is tried first: it begins like a date.
    let instant = match text.parse::<Timestamp>() {
        Ok(instant) => Some(instant),
        Err(_) => text
            .parse::<Date>()
            .ok()
            .and_then(date_of_midnight)
            .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
            .map(|midnight| midnight.timestamp()),
    };

    if instant.is_none() {
        let message = format!(
            "`{text}` is neither a date (2020-01-31) nor an instant (2020-01-31T00:00:00Z)"
        );
        fields.add_error(key, "date.form", message);
    }
    instant.map(Utc::from_timestamp)
}
