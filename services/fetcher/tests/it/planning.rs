//! What the plan of a fetch promises for every hole, timeframe and limit.

use std::collections::BTreeSet;

use fetcher::plan::{FetchWish, SeriesFacts, plan};
use market::{Calendar, HourAnchor, Instrument, SeriesKey, Timeframe, Utc, expected};
use proptest::prelude::*;
use schemas::commands::FetchMode;

const DAY: i64 = 86_400_000_000;

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn requests_are_legal_disjoint_and_cover_every_missing_bar(
        symbol in prop::sample::select(vec!["AAPL", "EURUSD", "crypto:BTC/USD"]),
        timeframe in prop::sample::select(vec![Timeframe::MINUTE_15, Timeframe::HOUR_1, Timeframe::HOUR_4, Timeframe::DAY_1]),
        span_days in prop::option::of(1_i64..40),
        holes in prop::collection::vec((0.0_f64..1.0, 3_usize..200), 0..6),
    ) {
        let key = SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap();
        let calendar = Calendar::for_key(&key);
        let (start, now) = (utc("2019-10-01T00:00:00Z"), utc("2020-04-01T00:00:00Z"));
        let slots = expected(calendar, timeframe, key.day_boundary, HourAnchor::ClockHour, start..now);
        let gone: BTreeSet<usize> = holes
            .iter()
            .flat_map(|(place, length)| {
                let from = (place * slots.len() as f64) as usize;
                from..(from + length).min(slots.len())
            })
            .collect();
        let stored: Vec<Utc> =
            (0..slots.len()).filter(|index| !gone.contains(index)).map(|index| slots[index].open).collect();
        let span_max = span_days.map(|days| days * DAY);
        let facts = SeriesFacts {
            key: &key,
            calendar,
            anchor: HourAnchor::ClockHour,
            stored: &stored,
            empty: &[],
            coverage: Some(start..now),
            span_max,
            now,
        };
        let wish = FetchWish { mode: FetchMode::Full, start: None, end: None, refetch: false };
        let made = plan(&wish, &facts).unwrap();
        let segments = &made.segments;
        prop_assert!(segments.iter().all(|segment| segment.range.start < segment.range.end && segment.bars > 0));
        prop_assert!(segments.is_sorted_by(|later, earlier| earlier.range.end <= later.range.start));
        if let Some(span) = span_max {
            prop_assert!(segments.iter().all(|segment| segment.range.end.0 - segment.range.start.0 <= span));
        }
        let completed = |index: &usize| {
            let may_change_for = if timeframe.is_intraday() { 0 } else { 1_800_000_000 };
            slots[*index].close.plus_micros(may_change_for) <= now
        };
        for index in gone.iter().filter(|index| completed(index)) {
            let open = slots[*index].open;
            prop_assert!(segments.iter().any(|segment| segment.range.contains(&open)), "{open} is not asked for");
        }
        prop_assert_eq!(made.segments.iter().map(|segment| segment.bars).sum::<u64>(), made.missing);
        prop_assert_eq!(plan(&wish, &facts).unwrap(), made);
    }
}

#[test]
fn nights_weekends_holidays_and_changes_of_clocks_are_no_gaps() {
    let key = SeriesKey::standard(
        "file",
        Instrument::parse("AAPL").unwrap(),
        Timeframe::MINUTE_5,
    )
    .unwrap();
    let calendar = Calendar::for_key(&key);
    let year = utc("2019-01-01T00:00:00Z")..utc("2020-01-01T00:00:00Z");
    let slots = expected(
        calendar,
        Timeframe::MINUTE_5,
        key.day_boundary,
        HourAnchor::ClockHour,
        year.clone(),
    );
    let stored: Vec<Utc> = slots.iter().map(|slot| slot.open).collect();

    // 252 sessions of 78 bars less 3 early closes (3 July, 29 November, 24 December) of 36 bars
    // each.
    assert_eq!(stored.len(), 252 * 78 - 3 * 36);
    let facts = SeriesFacts {
        key: &key,
        calendar,
        anchor: HourAnchor::ClockHour,
        stored: &stored,
        empty: &[],
        coverage: None,
        span_max: None,
        now: utc("2020-01-01T00:00:00Z"),
    };
    let wish = FetchWish {
        mode: FetchMode::Full,
        start: Some(year.start),
        end: Some(year.end),
        refetch: false,
    };
    assert!(plan(&wish, &facts).unwrap().segments.is_empty());
}
