//! Dates of a strategy file: an instant, in UTC where it names no zone, or a plain date, which
//! means a midnight UTC.

use market::{Moment, Utc};

use crate::fields::Fields;

/// An instant; a plain date means the midnight UTC at which it begins.
pub(super) fn read_instant(fields: &Fields<'_>, key: &'static str) -> Option<Utc> {
    read_moment(fields, key).map(Moment::start)
}

/// An exclusive end; a plain date is included, so it means the midnight UTC after it.
pub(super) fn read_end(fields: &Fields<'_>, key: &'static str) -> Option<Utc> {
    read_moment(fields, key).map(Moment::end)
}

fn read_moment(fields: &Fields<'_>, key: &'static str) -> Option<Moment> {
    let text = fields.text(key)?;
    let moment = Moment::parse(text);

    if moment.is_none() {
        let message = format!(
            "`{text}` is neither a date (2020-01-31) nor an instant (2020-01-31T00:00:00Z)"
        );
        fields.add_error(key, "date.form", message);
    }
    moment
}
