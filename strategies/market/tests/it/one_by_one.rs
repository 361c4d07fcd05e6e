//! The grid and the counts of resampling beside a slow implementation that makes every expected bar
//! of every session, one after the other.

use std::collections::BTreeMap;
use std::ops::Range;

use market::{
    Bars, Calendar, DayBoundary, HourAnchor, Instrument, Resampling, SeriesKey, Session, Slot,
    Timeframe, TimeframeUnit, TradingSession, Utc, can_resample, close_times, expected,
};
use proptest::prelude::*;

use crate::timeframes::any_timeframe;

const DAY: i64 = 86_400_000_000;
const MINUTE: i64 = 60_000_000;

/// Symbols whose calendars differ: early closes, lunch breaks, sessions over midnight with and
/// without a break each day, and no end at all; daylight saving in two hemispheres and in none.
const SYMBOLS: [&str; 9] = [
    "AAPL",
    "VOD.L",
    "7203.T",
    "0700.HK",
    "BHP.AX",
    "EURUSD",
    "XAUUSD",
    "fut:ES.continuous",
    "crypto:BTC/USD",
];

/// A market that never closes, in a zone whose clocks went back from 00:01 to 23:01.
const ST_JOHNS: &str = r#"{
    "name": "st_johns",
    "exchange_time_zone": "America/St_Johns",
    "sessions": {
        "monday": [{"open": "00:00", "close": "1.00:00", "phase": "regular"}],
        "tuesday": [{"open": "00:00", "close": "1.00:00", "phase": "regular"}],
        "wednesday": [{"open": "00:00", "close": "1.00:00", "phase": "regular"}],
        "thursday": [{"open": "00:00", "close": "1.00:00", "phase": "regular"}],
        "friday": [{"open": "00:00", "close": "1.00:00", "phase": "regular"}],
        "saturday": [{"open": "00:00", "close": "1.00:00", "phase": "regular"}],
        "sunday": [{"open": "00:00", "close": "1.00:00", "phase": "regular"}]
    }
}"#;

/// What a grid follows from.
#[derive(Clone, Copy, Debug)]
struct Rules<'a> {
    calendar: &'a Calendar,
    boundary: DayBoundary,
    anchor: HourAnchor,
}

impl Rules<'_> {
    /// Every bar with a label in `range`.
    fn list(self, timeframe: Timeframe, range: Range<Utc>) -> Vec<Slot> {
        let reach = timeframe.micros_max() + 2 * DAY;
        let around = range.start.plus_micros(-reach)..range.end.plus_micros(reach);
        let mut slots: Vec<Slot> = Vec::new();

        // A bar that two sessions share is known when the later one ends.
        for session in self.calendar.sessions_between(around) {
            for slot in self.list_session(timeframe, &session) {
                match slots.last_mut() {
                    Some(last) if last.open == slot.open => last.close = last.close.max(slot.close),
                    _ => slots.push(slot),
                }
            }
        }
        slots.retain(|slot| range.contains(&slot.open));
        slots
    }

    fn list_session(self, timeframe: Timeframe, session: &TradingSession) -> Vec<Slot> {
        let mut slots = Vec::new();
        if timeframe.is_intraday() {
            let mut open = session
                .open
                .plus_micros(-self.since_label(timeframe, session.open));
            while open < session.close {
                let end = open.plus_micros(timeframe.micros());
                let end = end.min(self.restart(timeframe, open));
                let close = end.min(session.close);
                slots.push(Slot { open, close });
                open = end;
            }
            return slots;
        }

        if self.boundary == DayBoundary::SessionClose {
            let open = date_label(timeframe, Utc::midnight(session.date));
            let close = session.close;
            return vec![Slot { open, close }];
        }
        let first_day = Utc(session.open.0 - session.open.0.rem_euclid(DAY));
        let mut open = date_label(timeframe, first_day);
        while open < session.close {
            let close = timeframe.nominal_end(open);
            slots.push(Slot { open, close });
            open = close;
        }
        slots
    }

    /// Microseconds from the label of the first bar of a session to the open of the session.
    fn since_label(self, timeframe: Timeframe, open: Utc) -> i64 {
        let minutes = match (self.anchor, self.boundary) {
            (HourAnchor::SessionOpen, _) => 0,
            (HourAnchor::ClockHour, DayBoundary::UtcMidnight) => open.0.rem_euclid(DAY) / MINUTE,
            (HourAnchor::ClockHour, DayBoundary::SessionClose) => {
                let local = self.calendar.local(open).time();
                i64::from(local.hour()) * 60 + i64::from(local.minute())
            }
        };
        minutes % timeframe.minutes() * MINUTE
    }

    /// The midnight at which bars begin again that do not divide a day.
    fn restart(self, timeframe: Timeframe, open: Utc) -> Utc {
        if 1_440 % timeframe.minutes() == 0 {
            return Utc(i64::MAX);
        }
        match (self.anchor, self.boundary) {
            (HourAnchor::SessionOpen, _) => Utc(i64::MAX),
            (HourAnchor::ClockHour, DayBoundary::UtcMidnight) => {
                Utc(open.0 - open.0.rem_euclid(DAY) + DAY)
            }
            (HourAnchor::ClockHour, DayBoundary::SessionClose) => {
                self.calendar.day_end(self.calendar.local(open).date())
            }
        }
    }

    /// Label, start and end of the stretches of time whose bars belong to one bucket.
    fn stretches(self, target: Timeframe, range: Range<Utc>) -> Vec<(Utc, Utc, Utc)> {
        if target.is_intraday() || self.boundary == DayBoundary::UtcMidnight {
            let slots = self.list(target, range);
            return slots
                .iter()
                .map(|slot| (slot.open, slot.open, slot.close))
                .collect();
        }

        // A trading date may have several sessions, which are one bucket.
        let sessions = self.calendar.sessions_between(range);
        let stretches = sessions.iter().map(|session| {
            let label = date_label(target, Utc::midnight(session.date));
            (label, session.open, session.close)
        });
        stretches.collect()
    }

    /// The bars of `source` that are expected in each bucket of `target`.
    fn count(
        self,
        source: Timeframe,
        target: Timeframe,
        range: Range<Utc>,
    ) -> BTreeMap<Utc, usize> {
        let reach = target.micros_max() + DAY;
        let finer = range.start.plus_micros(-reach)..range.end.plus_micros(reach);
        let ends: Vec<Utc> = self
            .list(source, finer)
            .iter()
            .map(|slot| slot.close)
            .collect();

        let around = range.start.plus_micros(-reach - DAY)..range.end.plus_micros(reach + DAY);
        let mut counts = BTreeMap::new();
        for (label, start, end) in self.stretches(target, around) {
            let until = |limit: Utc| ends.partition_point(|each| *each <= limit);
            *counts.entry(label).or_default() += until(end) - until(start);
        }
        counts
    }
}

/// The label of the bar of days, weeks or a month that the day at this midnight falls into.
fn date_label(timeframe: Timeframe, day: Utc) -> Utc {
    // Days are counted from 1970-01-01, weeks from the Monday before it.
    let origin = match timeframe.unit() {
        TimeframeUnit::Month => return Utc::midnight(day.date().first_of_month()),
        TimeframeUnit::Week => -3 * DAY,
        TimeframeUnit::Day | TimeframeUnit::Minute => 0,
    };
    Utc(day.0 - (day.0 - origin).rem_euclid(timeframe.micros()))
}

fn calendar_of(symbol: &str, hours: Session) -> Calendar {
    let instrument = Instrument::parse(symbol).unwrap();
    let key = SeriesKey::standard("file", instrument, Timeframe::HOUR_1).unwrap();
    Calendar::for_key(&key).with_hours(hours)
}

fn any_hours() -> impl Strategy<Value = Session> {
    prop_oneof![Just(Session::Regular), Just(Session::Extended)]
}

fn any_boundary() -> impl Strategy<Value = DayBoundary> {
    prop_oneof![
        Just(DayBoundary::SessionClose),
        Just(DayBoundary::UtcMidnight)
    ]
}

fn any_anchor() -> impl Strategy<Value = HourAnchor> {
    prop_oneof![Just(HourAnchor::ClockHour), Just(HourAnchor::SessionOpen)]
}

/// A timeframe, and one that whole bars of it may fill; minutes are short, so that days hold many.
fn any_pair() -> impl Strategy<Value = (Timeframe, Timeframe)> {
    let minutes = |count: u16| Timeframe::new(TimeframeUnit::Minute, count).unwrap();
    let to_minutes = (1_u16..=90, 2_u16..=12);
    let to_minutes =
        to_minutes.prop_map(move |(count, times)| (minutes(count), minutes(count * times)));

    let longer = ["1d", "3d", "1w", "2w", "1mo"].map(|text| text.parse::<Timeframe>().unwrap());
    let to_longer = (15_u16..=400, prop::sample::select(longer.to_vec()));
    let to_longer = to_longer.prop_map(move |(count, target)| (minutes(count), target));

    let days = [("1d", "1w"), ("1d", "1mo"), ("1d", "3d"), ("1w", "2w")];
    let days = days.map(|(source, target)| (source.parse().unwrap(), target.parse().unwrap()));
    prop_oneof![4 => to_minutes, 2 => to_longer, 1 => prop::sample::select(days.to_vec())]
}

/// Bars of price 1 with these labels.
fn bars_at(calendar: &Calendar, key: &SeriesKey, labels: Vec<Utc>) -> Bars {
    let ones = vec![1.0; labels.len()];
    Bars {
        close_time: close_times(calendar, key, &labels).unwrap(),
        open_time: labels,
        open: ones.clone(),
        high: ones.clone(),
        low: ones.clone(),
        close: ones.clone(),
        volume: ones,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_grid_is_that_of_every_session_one_by_one(
        symbol in prop::sample::select(&SYMBOLS[..]),
        hours in any_hours(),
        timeframe in any_timeframe(),
        boundary in any_boundary(),
        anchor in any_anchor(),
        start_minute in 14_700_i64 * 1_440..20_800 * 1_440,
        span_minutes in 1_i64..20 * 1_440,
    ) {
        let calendar = calendar_of(symbol, hours);
        let rules = Rules { calendar: &calendar, boundary, anchor };
        let from = Utc(start_minute * MINUTE);
        let range = from..from.plus_micros(span_minutes * MINUTE);

        let slots = expected(&calendar, timeframe, boundary, anchor, range.clone());

        prop_assert_eq!(slots, rules.list(timeframe, range));
    }

    #[test]
    fn complete_buckets_are_those_counted_one_by_one(
        symbol in prop::sample::select(&SYMBOLS[..]),
        hours in any_hours(),
        (source, target) in any_pair(),
        boundary in any_boundary(),
        anchor in any_anchor(),
        start_minute in 14_700_i64 * 1_440..20_800 * 1_440,
        span_days in 1_i64..40,
        lost_one_in in prop::sample::select(vec![2_usize, 17, 101, usize::MAX]),
    ) {
        prop_assume!(can_resample(source, target));
        let calendar = calendar_of(symbol, hours);
        let instrument = Instrument::parse(symbol).unwrap();
        let mut key = SeriesKey::standard("file", instrument, source).unwrap();
        key.day_boundary = boundary;
        let rules = Rules { calendar: &calendar, boundary, anchor };
        let from = Utc(start_minute * MINUTE);
        let span = span_days * DAY.max(source.micros_max());
        let whole = rules.list(source, from..from.plus_micros(span));
        let kept_slots = whole.iter().enumerate().filter(|(index, _)| index % lost_one_in != 1);
        let bars = bars_at(&calendar, &key, kept_slots.map(|(_, slot)| slot.open).collect());
        prop_assume!(!bars.is_empty());

        let resampling = Resampling {
            source: &key, calendar: &calendar, timeframe: target, anchor, keeps_partial: true,
        };
        // A bar in two buckets is refused before anything is counted.
        let made = resampling.run(bars.as_slice());
        prop_assume!(made.is_ok());
        let made = made.unwrap();

        let range = bars.open_time[0]..bars.close_time[bars.len() - 1];
        let counts = rules.count(source, target, range);
        for (row, label) in made.bars.open_time.iter().enumerate() {
            let is_complete = made.sources[row] >= counts[label];
            prop_assert_eq!(made.complete[row], is_complete, "{} of {}", label, counts[label]);
        }
    }
}

#[test]
fn clocks_that_go_back_over_midnight_end_a_day_once() {
    let calendar = Calendar::from_json(ST_JOHNS).unwrap();
    let range = ["02:20", "02:50"].map(|time| format!("2006-10-29T{time}Z").parse().unwrap());
    let [from, to] = range.map(Utc::from_timestamp);
    let seven_minutes = "7m".parse().unwrap();

    let slots = expected(
        &calendar,
        seven_minutes,
        DayBoundary::SessionClose,
        HourAnchor::ClockHour,
        from..to,
    );

    // Sunday begins at 02:30 UTC; at 02:31 clocks show Saturday again. 1440 minutes are 205 bars
    // and a short one of 5 minutes.
    let opens = slots.iter().map(|slot| slot.open.to_string());
    let minutes: Vec<String> = opens.map(|open| open[11..16].to_owned()).collect();
    assert_eq!(minutes, ["02:25", "02:30", "02:37", "02:44"]);
}
