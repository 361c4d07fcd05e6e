//! How much one request asks for.

use fetcher::ib::request_size::{DurationUnit, HistoryWindow, RequestSpan, pieces, timeframes};
use market::{Timeframe, Utc};
use proptest::prelude::*;

use crate::scripted::{DAY, HOUR, utc};

fn timeframe(text: &str) -> Timeframe {
    text.parse().unwrap()
}

/// A time after everything that is asked for here.
const LATE: Utc = Utc(4_000_000_000_000_000);

/// The earliest instant of an answer on the market for which a duration reaches back the least: it
/// never closes, so that each day counts, and the day that holds the end counts as well.
fn effective_start(window: &HistoryWindow) -> Utc {
    let count = i64::from(window.duration.count);
    let end_day = window.end.0.div_euclid(DAY) * DAY;
    match window.duration.unit {
        DurationUnit::Seconds => window.end.plus_micros(-count * 1_000_000),
        DurationUnit::Days => Utc(end_day - (count - 1) * DAY),
        DurationUnit::Years => window.end.plus_micros(-count * 365 * DAY),
    }
}

#[test]
fn spans_are_those_of_the_table() {
    let days = |text| RequestSpan::of(timeframe(text)).map(|span| (span.days, span.fallback_days));
    let table = [
        ("1m", (1, 1)),
        ("2m", (2, 2)),
        ("3m", (3, 3)),
        ("5m", (7, 6)),
        ("10m", (7, 7)),
        ("15m", (14, 7)),
        ("20m", (14, 7)),
        ("30m", (30, 30)),
        ("1h", (30, 30)),
        ("2h", (60, 30)),
        ("3h", (90, 30)),
        ("4h", (120, 30)),
        ("8h", (240, 30)),
        ("1d", (365, 365)),
        ("1w", (730, 365)),
        ("1mo", (3650, 365)),
    ];

    for (text, expected) in table {
        assert_eq!(days(text), Some(expected), "{text}");
    }
    assert_eq!(timeframes().len(), table.len());
    assert!(timeframes().is_sorted());
    for unknown in ["4m", "6h", "2d", "90m"] {
        assert_eq!(days(unknown), None, "{unknown}");
    }
}

#[test]
fn a_duration_is_written_in_units_that_are_taken() {
    let start = utc("2024-01-02T00:00:00Z");
    let written = |micros, text| {
        let range = start..start.plus_micros(micros);
        let window = HistoryWindow::covering(&range, timeframe(text), LATE);
        window.duration.to_string()
    };

    // A day is 86 400 seconds; above it a day more than the span, which may begin within a day.
    assert_eq!(written(HOUR, "1m"), "3600 S");
    assert_eq!(written(DAY, "1m"), "86400 S");
    assert_eq!(written(DAY + 1, "1m"), "3 D");
    assert_eq!(written(7 * DAY, "5m"), "8 D");
    assert_eq!(written(30 * DAY, "1h"), "31 D");

    // The bar of a day that is labelled at its midnight ends a day later.
    assert_eq!(written(DAY, "1d"), "3 D");
    assert_eq!(written(364 * DAY, "1d"), "1 Y");
    assert_eq!(written(365 * DAY, "1d"), "2 Y");
}

#[test]
fn no_request_reaches_into_the_future() {
    let now = utc("2024-03-05T15:00:00Z");
    let range = utc("2024-03-01T00:00:00Z")..utc("2024-03-05T00:00:00Z");

    let window = HistoryWindow::covering(&range, timeframe("1d"), now);

    assert_eq!(window.end, now);
}

proptest! {
    /// For spans of an hour to 800 days, in every timeframe.
    #[test]
    fn a_duration_covers_its_range(
        start_hours in 0_i64..400_000,
        micros in HOUR..800 * DAY,
        index in 0_usize..16,
    ) {
        let timeframe = timeframes()[index];
        let start = Utc(start_hours * HOUR);
        let range = start..start.plus_micros(micros);

        let window = HistoryWindow::covering(&range, timeframe, LATE);

        prop_assert!(window.end >= range.end);
        prop_assert!(effective_start(&window) <= range.start);
        let count = window.duration.count;
        match window.duration.unit {
            DurationUnit::Seconds => prop_assert!((1..=86_400).contains(&count)),
            DurationUnit::Days => prop_assert!((1..=365).contains(&count)),
            DurationUnit::Years => prop_assert!((1..=10).contains(&count)),
        }
    }

    #[test]
    fn pieces_cover_a_range_without_overlap(length in 1_i64..1_000, piece in 1_i64..300) {
        let range = Utc(7)..Utc(7 + length);
        let cut = pieces(&range, piece);

        prop_assert_eq!(cut.first().map(|first| first.start), Some(range.start));
        prop_assert_eq!(cut.last().map(|last| last.end), Some(range.end));
        prop_assert!(cut.windows(2).all(|two| two[0].end == two[1].start));
        prop_assert!(cut.iter().all(|each| each.end.0 - each.start.0 <= piece));
    }
}
