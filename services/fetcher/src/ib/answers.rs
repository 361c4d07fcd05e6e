//! From what the gateway sends to bars and labels of ours.

use ibapi::market_data::historical::{Bar, BarSize, BarTimestamp, Duration};
use market::{Timeframe, TimeframeUnit, Utc};
use store::RawBar;

use super::contracts::volume_of;
use super::request_size::{DurationUnit, HistoryDuration};

/// A difference of clocks that people should know of.
const CLOCK_AHEAD_MS_MAX: i64 = 120_000;

const DAY: i64 = 86_400_000_000;

/// The library's word for a timeframe; absent where the gateway has no such bars.
pub(super) const fn bar_size_of(timeframe: Timeframe) -> Option<BarSize> {
    use TimeframeUnit::{Day, Minute, Month, Week};

    Some(match (timeframe.unit(), timeframe.count()) {
        (Minute, 1) => BarSize::Min,
        (Minute, 2) => BarSize::Min2,
        (Minute, 3) => BarSize::Min3,
        (Minute, 5) => BarSize::Min5,
        (Minute, 10) => BarSize::Min10,
        (Minute, 15) => BarSize::Min15,
        (Minute, 20) => BarSize::Min20,
        (Minute, 30) => BarSize::Min30,
        (Minute, 60) => BarSize::Hour,
        (Minute, 120) => BarSize::Hour2,
        (Minute, 180) => BarSize::Hour3,
        (Minute, 240) => BarSize::Hour4,
        (Minute, 480) => BarSize::Hour8,
        (Day, 1) => BarSize::Day,
        (Week, 1) => BarSize::Week,
        (Month, 1) => BarSize::Month,
        _ => return None,
    })
}

/// The library's form of a duration.
pub(super) const fn duration_of(duration: HistoryDuration) -> Duration {
    match duration.unit {
        DurationUnit::Seconds => Duration::seconds(duration.count),
        DurationUnit::Days => Duration::days(duration.count),
        DurationUnit::Years => Duration::years(duration.count),
    }
}

/// A bar of ours; absent if it has a time that no bar can have.
pub(super) fn bar_of(bar: &Bar, timeframe: Timeframe) -> Option<RawBar> {
    let open_time = match &bar.date {
        BarTimestamp::DateTime(instant) => Utc(micros_of(*instant)?),
        BarTimestamp::Date(date) => {
            let midnight = date.midnight().assume_utc();
            label_of(Utc(micros_of(midnight)?), timeframe)
        }
    };

    Some(RawBar {
        open_time,
        prices: [bar.open, bar.high, bar.low, bar.close],
        volume: volume_of(bar.volume),
    })
}

/// Microseconds of an instant of the library.
pub(super) fn micros_of(instant: time::OffsetDateTime) -> Option<i64> {
    let micros = instant.unix_timestamp_nanos().div_euclid(1000);
    i64::try_from(micros).ok()
}

/// The label of the bar of this timeframe that a date or an instant lies in. A week is named by any
/// of its days, and a Sunday belongs to the week that begins with it.
pub(super) fn label_of(instant: Utc, timeframe: Timeframe) -> Utc {
    if timeframe.is_intraday() {
        let micros = timeframe.micros();
        return Utc(instant.0.div_euclid(micros) * micros);
    }

    let midnight = Utc(instant.0.div_euclid(DAY) * DAY);
    let is_sunday = midnight.date().weekday() == jiff::civil::Weekday::Sunday;
    let day = match timeframe.unit() {
        TimeframeUnit::Week if is_sunday => midnight.plus_micros(DAY),
        _ => midnight,
    };
    timeframe.label_of_last_day(day)
}

/// Says that the clock of the gateway is another one; nothing if it is about ours.
pub fn clock_note(ahead_ms: Option<i64>) -> Option<String> {
    let ahead_ms = ahead_ms?;
    if ahead_ms.abs() <= CLOCK_AHEAD_MS_MAX {
        return None;
    }

    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let minutes = (ahead_ms.abs() + 30_000) / 60_000;
    Some(format!(
        "the clock of ib is {minutes} min {side} ours: a bar is stored when it is over by both; \
         look at the clock of this machine"
    ))
}
