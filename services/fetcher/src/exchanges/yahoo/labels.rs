//! Times of rows as labels of bars: full minutes of a session, dates of the exchange, Mondays.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Weekday;
use market::{Calendar, HourAnchor, SeriesKey, Slot, Timeframe, TimeframeUnit, Utc, expected};

use super::DAY;
use super::chart::{Chart, Row};

/// `1h` and `60m` are one length; an answer that names none is believed.
pub(super) fn is_same_length(granularity: &str, interval: &str) -> bool {
    granularity.is_empty() || granularity == interval || (granularity, interval) == ("60m", "1h")
}

/// The bars that a calendar expects around a range; none for days and weeks.
pub(super) fn slots_around(key: &SeriesKey, range: &Range<Utc>) -> Vec<Slot> {
    if !key.timeframe.is_intraday() {
        return Vec::new();
    }

    let start = range.start.plus_micros(-key.timeframe.micros());
    expected(
        Calendar::for_key(key),
        key.timeframe,
        key.day_boundary,
        HourAnchor::SessionOpen,
        start..range.end,
    )
}

/// True for the time of a bar within the day: a full minute in a slot. The close of a session comes
/// as a row of its own, which lies in none.
pub(super) fn is_label(label: Utc, slots: &[Slot]) -> bool {
    let after = slots.partition_point(|slot| slot.open <= label);
    let slot = after.checked_sub(1).and_then(|index| slots.get(index));
    let is_full_minute = label.0.rem_euclid(60_000_000) == 0;
    is_full_minute && slot.is_some_and(|slot| label < slot.close)
}

/// The label of a row: its time, its date at the exchange, or the Monday of its week.
pub(super) fn label_of(timeframe: Timeframe, row: &Row, chart: &Chart) -> Result<Utc, String> {
    let unreadable = |_| format!("{} is no time", row.time);
    let instant = Timestamp::from_second(row.time).map_err(unreadable)?;
    if timeframe.is_intraday() {
        return Ok(Utc::from_timestamp(instant));
    }

    let date = instant.to_zoned(chart.zone.clone()).date();
    let midnight = Utc::midnight(date);
    if timeframe.unit() != TimeframeUnit::Week {
        return Ok(midnight);
    }
    match date.weekday() {
        Weekday::Monday => Ok(midnight),
        // Nothing trades on a Sunday: a week from Sunday on has the bars of the next one.
        Weekday::Sunday => Ok(midnight.plus_micros(DAY)),
        _ if chart.newest_trade == Some(row.time) => Ok(timeframe.label_of_last_day(midnight)),
        weekday => Err(format!("its week of {date} begins on {weekday:?}")),
    }
}
