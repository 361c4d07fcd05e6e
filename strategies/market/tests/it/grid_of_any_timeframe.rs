//! The grid of any timeframe: slots are disjoint and cover what trades, and no bar is known before
//! it ends.

use market::{
    Calendar, DayBoundary, HourAnchor, Instrument, SeriesKey, Slot, Timeframe, TimeframeUnit,
    TradingSession, Utc, close_times, expected,
};
use proptest::prelude::*;

use crate::timeframes::any_timeframe;

const DAY: i64 = 86_400_000_000;

/// Symbols whose calendars differ: a lunch break, sessions over midnight, a break each day, none.
const SYMBOLS: [&str; 8] = [
    "AAPL",
    "VOD.L",
    "7203.T",
    "0700.HK",
    "EURUSD",
    "XAUUSD",
    "fut:ES.continuous",
    "crypto:BTC/USD",
];

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(
        text.parse()
            .unwrap_or_else(|_| format!("{text}T00:00Z").parse().unwrap()),
    )
}

fn key_of(symbol: &str, timeframe: Timeframe, boundary: DayBoundary) -> SeriesKey {
    let instrument = Instrument::parse(symbol).unwrap();
    let mut key = SeriesKey::standard("file", instrument, timeframe).unwrap();
    key.day_boundary = boundary;
    key
}

fn slots_of(key: &SeriesKey, anchor: HourAnchor, from: Utc, to: Utc) -> Vec<Slot> {
    let calendar = Calendar::for_key(key);
    expected(calendar, key.timeframe, key.day_boundary, anchor, from..to)
}

/// The last instant at which anything trades in a bar with this label, from the sessions alone.
fn true_end(key: &SeriesKey, label: Utc) -> Option<Utc> {
    let calendar = Calendar::for_key(key);
    let end = key.timeframe.nominal_end(label);
    let by_date = !key.timeframe.is_intraday() && key.day_boundary == DayBoundary::SessionClose;

    let sessions: Vec<TradingSession> = if by_date {
        calendar.sessions(label.date()..end.date())
    } else {
        calendar.sessions_between(label..end)
    };
    let ends = sessions.iter().map(|session| session.close);
    let last_end = ends.max()?;
    Some(if by_date { last_end } else { last_end.min(end) })
}

fn any_anchor() -> impl Strategy<Value = HourAnchor> {
    prop_oneof![Just(HourAnchor::ClockHour), Just(HourAnchor::SessionOpen)]
}

fn any_boundary() -> impl Strategy<Value = DayBoundary> {
    prop_oneof![
        Just(DayBoundary::SessionClose),
        Just(DayBoundary::UtcMidnight)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn slots_are_disjoint_and_no_bar_is_known_before_it_ends(
        symbol in prop::sample::select(&SYMBOLS[..]),
        timeframe in any_timeframe(),
        boundary in any_boundary(),
        anchor in any_anchor(),
        start_day in 14_700_i64..20_800,
    ) {
        // At most some hundred slots.
        let from = Utc(start_day * DAY);
        let span = (30 * timeframe.micros_max()).clamp(2 * DAY, 4_000 * DAY);
        let key = key_of(symbol, timeframe, boundary);
        let slots = slots_of(&key, anchor, from, from.plus_micros(span));

        let labels: Vec<Utc> = slots.iter().map(|slot| slot.open).collect();
        let known_at = close_times(Calendar::for_key(&key), &key, &labels).unwrap();
        for (slot, known_at) in slots.iter().zip(&known_at) {
            prop_assert!(slot.open < slot.close);
            prop_assert!(*known_at >= slot.close, "{:?} known at {}", slot, known_at);
            let end = true_end(&key, slot.open);
            prop_assert!(end.is_none_or(|end| *known_at >= end), "{:?} {:?}", slot, end);
        }
        prop_assert!(labels.is_sorted_by(|one, next| one < next));

        // A trading date may begin before its label; all other slots follow each other.
        if timeframe.is_intraday() || boundary == DayBoundary::UtcMidnight {
            prop_assert!(slots.is_sorted_by(|one, next| one.close <= next.open));
        }
    }

    #[test]
    fn intraday_slots_cover_every_instant_that_trades(
        symbol in prop::sample::select(&SYMBOLS[..]),
        minutes in 1_u16..=1_440,
        boundary in any_boundary(),
        anchor in any_anchor(),
        start_day in 14_700_i64..20_800,
        place in 0.0..1.0,
    ) {
        let timeframe = Timeframe::new(TimeframeUnit::Minute, minutes).unwrap();
        let key = key_of(symbol, timeframe, boundary);
        let from = Utc(start_day * DAY);
        let sessions = Calendar::for_key(&key).sessions_between(from..from.plus_micros(5 * DAY));
        prop_assume!(!sessions.is_empty());

        let session = sessions[(place * sessions.len() as f64) as usize % sessions.len()];
        let length = (session.close.0 - session.open.0) as f64;
        let instant = session.open.plus_micros((place * length) as i64);
        let slots = slots_of(&key, anchor, from.plus_micros(-2 * DAY), from.plus_micros(8 * DAY));

        let around = slots.iter().filter(|slot| slot.open <= instant && instant < slot.close);
        prop_assert_eq!(around.count(), 1);
    }
}

/// When a bar with this label is known.
fn known_at(symbol: &str, timeframe: &str, label: &str) -> Utc {
    let timeframe: Timeframe = timeframe.parse().unwrap();
    let instrument = Instrument::parse(symbol).unwrap();
    let key = SeriesKey::standard("file", instrument, timeframe).unwrap();
    close_times(Calendar::for_key(&key), &key, &[utc(label)]).unwrap()[0]
}

#[test]
fn weeks_and_months_are_known_with_their_last_session() {
    // Friday 2024-05-31; Good Friday 2024-03-29 is closed, so March ends on Thursday the 28th.
    assert_eq!(
        known_at("AAPL", "1mo", "2024-05-01"),
        utc("2024-05-31T20:00Z")
    );
    assert_eq!(
        known_at("AAPL", "1mo", "2024-03-01"),
        utc("2024-03-28T20:00Z")
    );
    assert_eq!(
        known_at("crypto:BTC/USD", "1mo", "2024-02-01"),
        utc("2024-03-01")
    );

    // Two weeks from Monday 2024-03-18 end on Thursday the 28th.
    assert_eq!(
        known_at("AAPL", "2w", "2024-03-18"),
        utc("2024-03-28T20:00Z")
    );
    assert_eq!(known_at("EURUSD", "2w", "2024-03-18"), utc("2024-04-01"));
}

#[test]
fn days_are_counted_the_way_that_ends_later() {
    // Friday and Saturday, or Friday and Monday: nobody says which.
    assert_eq!(
        known_at("AAPL", "2d", "2024-03-08"),
        utc("2024-03-11T20:00Z")
    );
    assert_eq!(known_at("EURUSD", "2d", "2024-03-08"), utc("2024-03-12"));
    assert_eq!(
        known_at("crypto:BTC/USD", "2d", "2024-03-08"),
        utc("2024-03-10")
    );
}

#[test]
fn a_length_that_does_not_divide_a_day_begins_again_at_midnight() {
    let key = key_of(
        "crypto:BTC/USD",
        "7h".parse().unwrap(),
        DayBoundary::UtcMidnight,
    );
    let slots = slots_of(
        &key,
        HourAnchor::ClockHour,
        utc("2024-01-01"),
        utc("2024-01-02T01:00Z"),
    );

    let opens: Vec<String> = slots.iter().map(|slot| slot.open.to_string()).collect();
    let hours: Vec<&str> = opens.iter().map(|open| &open[8..13]).collect();
    assert_eq!(hours, ["01T00", "01T07", "01T14", "01T21", "02T00"]);
    assert_eq!(slots[3].close, utc("2024-01-02"));
}
