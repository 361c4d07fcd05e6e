//! When the next bar of a series is due, by its calendar: values in, values out.

use market::{Calendar, HourAnchor, SeriesKey, Slot, Utc, expected};
use schemas::names::MICROS_PER_DAY;

use crate::plan::final_at;

/// How far back the last close is looked for: over a long weekend.
const LOOK_BACK: i64 = 5 * MICROS_PER_DAY;
/// How far ahead the next close is looked for, further each time: no market rests for longer.
const LOOK_AHEAD: [i64; 3] = [2 * MICROS_PER_DAY, 10 * MICROS_PER_DAY, 40 * MICROS_PER_DAY];

/// The bars that the calendar lets us expect of a series.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) key: SeriesKey,
    pub(super) anchor: HourAnchor,
}

impl Schedule {
    /// The instant from which a bar can be had: its close, and for days and weeks the time in which
    /// they may still change.
    pub(super) fn due(&self, slot: Slot) -> Utc {
        final_at(self.key.timeframe, slot.close)
    }

    /// Label of the newest bar that was due at `instant`; the beginning of what is looked at where
    /// none was.
    pub(super) fn newest_due(&self, instant: Utc) -> Utc {
        let beginning = self.beginning(instant);
        let slots = self.slots(beginning, instant.plus_micros(1));
        let due = slots.iter().rfind(|slot| self.due(**slot) <= instant);
        due.map_or(beginning, |slot| slot.open)
    }

    /// The bars after the label `handled` that are due at `now`, oldest first.
    pub(super) fn due_after(&self, handled: Utc, now: Utc) -> Vec<Slot> {
        let mut slots = self.slots(handled.plus_micros(1), now.plus_micros(1));
        slots.retain(|slot| slot.open > handled && self.due(*slot) <= now);
        slots
    }

    /// The first bar after the label `handled`: it may be due already. None where the market does
    /// not open again.
    pub(super) fn next_after(&self, handled: Utc, now: Utc) -> Option<Slot> {
        LOOK_AHEAD.iter().find_map(|ahead| {
            let end = now.plus_micros(*ahead + self.key.timeframe.micros_max());
            let slots = self.slots(handled.plus_micros(1), end);
            slots.into_iter().find(|slot| slot.open > handled)
        })
    }

    fn beginning(&self, instant: Utc) -> Utc {
        instant.plus_micros(-LOOK_BACK - 2 * self.key.timeframe.micros_max())
    }

    fn slots(&self, start: Utc, end: Utc) -> Vec<Slot> {
        let key = &self.key;
        let calendar = Calendar::for_key(key);
        expected(
            calendar,
            key.timeframe,
            key.day_boundary,
            self.anchor,
            start..end,
        )
    }
}

#[cfg(test)]
mod tests {
    use market::{Instrument, Timeframe};

    use super::*;

    fn utc(text: &str) -> Utc {
        Utc::from_timestamp(text.parse().unwrap())
    }

    fn schedule(symbol: &str, timeframe: Timeframe) -> Schedule {
        let instrument = Instrument::parse(symbol).unwrap();
        Schedule {
            key: SeriesKey::standard("scripted", instrument, timeframe).unwrap(),
            anchor: HourAnchor::ClockHour,
        }
    }

    /// When the next bar is due, seen from an instant.
    fn next_due(schedule: &Schedule, now: &str) -> String {
        let now = utc(now);
        let slot = schedule.next_after(schedule.newest_due(now), now).unwrap();
        schedule.due(slot).to_string()
    }

    #[test]
    fn an_hour_of_a_currency_is_due_at_its_close() {
        let hours = schedule("EURUSD", Timeframe::HOUR_1);

        assert_eq!(
            next_due(&hours, "2020-03-03T14:20:00Z"),
            "2020-03-03T15:00:00Z"
        );
        assert_eq!(
            next_due(&hours, "2020-03-03T15:00:00Z"),
            "2020-03-03T16:00:00Z"
        );
    }

    #[test]
    fn over_a_weekend_the_first_close_of_the_next_session_is_next() {
        let hours = schedule("EURUSD", Timeframe::HOUR_1);

        // The week of currencies ends on Friday at 17:00 in New York, and begins there on Sunday.
        assert_eq!(
            next_due(&hours, "2020-03-06T22:00:00Z"),
            "2020-03-08T22:00:00Z"
        );
    }

    #[test]
    fn a_day_is_due_half_an_hour_after_its_close_not_on_a_holiday() {
        let days = schedule("AAPL", Timeframe::DAY_1);

        // 16:00 in New York is 21:00 in winter.
        assert_eq!(
            next_due(&days, "2020-01-17T12:00:00Z"),
            "2020-01-17T21:30:00Z"
        );
        // Monday the 20th was Martin Luther King's day.
        assert_eq!(
            next_due(&days, "2020-01-17T21:30:00Z"),
            "2020-01-21T21:30:00Z"
        );
    }

    #[test]
    fn bars_that_closed_meanwhile_are_due_at_once() {
        let hours = schedule("EURUSD", Timeframe::HOUR_1);
        let now = utc("2020-03-03T15:30:00Z");

        let due = hours.due_after(utc("2020-03-03T12:00:00Z"), now);

        let opens: Vec<String> = due.iter().map(|slot| slot.open.to_string()).collect();
        assert_eq!(opens, ["2020-03-03T13:00:00Z", "2020-03-03T14:00:00Z"]);
    }
}
