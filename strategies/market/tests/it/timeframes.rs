//! Timeframes: every way to write one, their order, and where a bar ends on a plain clock.

use market::{Timeframe, TimeframeUnit, Utc, timeframe_pattern};
use proptest::prelude::*;
use regex::Regex;

fn canonical(text: &str) -> String {
    text.parse::<Timeframe>()
        .map_or_else(|error| error.to_string(), |timeframe| timeframe.to_string())
}

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(format!("{text}T00:00Z").parse().unwrap())
}

#[test]
fn every_way_to_write_a_timeframe_is_read() {
    let cases = [
        ("1m", ["1min", "1Min", "M1", "1 min", "minute"]),
        ("5m", ["5Min", "M5", "m5", "5 mins", "05m"]),
        ("1h", ["60m", "H1", "1H", "1Hour", "hourly"]),
        ("4h", ["240m", "H4", "4H", "4 hours", "240min"]),
        ("90m", ["90min", "M90", "90Min", "90 minutes", "090m"]),
        ("1d", ["1D", "D", "1Day", "daily", "D1"]),
        ("1w", ["1wk", "W1", "W", "weekly", "1Week"]),
        ("1mo", ["1M", "MN1", "monthly", "M", "1Month"]),
        ("24h", ["1440m", "H24", "24H", "24 hours", "24hr"]),
    ];

    for (timeframe, spellings) in cases {
        for spelling in spellings {
            assert_eq!(canonical(spelling), timeframe, "{spelling}");
        }
        assert_eq!(canonical(timeframe), timeframe);
    }
}

#[test]
fn what_names_no_timeframe_is_answered_with_the_forms() {
    let texts = [
        "", "m", "h", "1", "60", "1x", "-1h", "+1h", "1.5h", "1h30m", " 1h", "1  h", "x1", "1mn",
        "0m", "25h", "1441m", "366d", "53w", "2mo", "15M", "9999999m", "４h",
    ];
    let answers: Vec<String> = texts
        .iter()
        .map(|text| format!("{text:?}: {}", text.parse::<Timeframe>().unwrap_err()))
        .collect();
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn timeframes_are_ordered_by_their_length() {
    let words = "1m 2m 5m 59m 1h 90m 24h 1d 2d 7d 1w 2w 30d 1mo 31d 5w 365d";
    let listed: Vec<Timeframe> = words.split(' ').map(|word| word.parse().unwrap()).collect();

    let mut sorted = listed.clone();
    sorted.reverse();
    sorted.sort();
    assert_eq!(sorted, listed);
    assert!(Timeframe::COMMON.is_sorted());
}

#[test]
fn a_day_of_the_clock_is_not_a_trading_date() {
    let day: Timeframe = "24h".parse().unwrap();

    assert_eq!(day.micros(), Timeframe::DAY_1.micros());
    assert_ne!(day, Timeframe::DAY_1);
    assert!(day.is_intraday());
}

#[test]
fn a_timeframe_is_serialised_in_its_canonical_form() {
    let hour: Timeframe = serde_json::from_str("\"H1\"").unwrap();

    assert_eq!(serde_json::to_string(&hour).unwrap(), "\"1h\"");
    assert!(serde_json::from_str::<Timeframe>("\"1x\"").is_err());
}

#[test]
fn a_month_ends_where_the_next_one_begins() {
    let month = Timeframe::MONTH_1;

    assert_eq!(month.nominal_end(utc("2024-02-01")), utc("2024-03-01"));
    assert_eq!(month.nominal_end(utc("2023-12-01")), utc("2024-01-01"));
    assert_eq!(month.micros_max(), 31 * 86_400_000_000);
}

#[test]
fn a_spacing_is_named_by_its_timeframe() {
    let day = 86_400_000_000;
    let name = |micros| Timeframe::of_spacing(micros).map(|timeframe| timeframe.to_string());

    assert_eq!(name(7_200_000_000).as_deref(), Some("2h"));
    assert_eq!(name(day).as_deref(), Some("1d"));
    assert_eq!(name(14 * day).as_deref(), Some("2w"));
    assert_eq!(name(28 * day).as_deref(), Some("1mo"));
    assert_eq!(name(31 * day).as_deref(), Some("1mo"));
    assert_eq!(name(30_000_000), None);
    assert_eq!(name(0), None);
}

/// Any timeframe within its bounds.
pub(crate) fn any_timeframe() -> impl Strategy<Value = Timeframe> {
    let units = prop_oneof![
        (Just(TimeframeUnit::Minute), 1_u16..=1_440),
        (Just(TimeframeUnit::Day), 1_u16..=365),
        (Just(TimeframeUnit::Week), 1_u16..=52),
        (Just(TimeframeUnit::Month), 1_u16..=1),
    ];
    units.prop_map(|of| Timeframe::new(of.0, of.1).unwrap())
}

proptest! {
    #[test]
    fn a_timeframe_is_read_as_it_is_written(timeframe in any_timeframe()) {
        prop_assert_eq!(timeframe.to_string().parse::<Timeframe>().unwrap(), timeframe);
    }

    #[test]
    fn the_pattern_knows_the_forms_that_the_parser_knows(text in "[0-9]{0,3} ?[a-zA-Z]{0,3}[0-9]{0,2}") {
        let pattern = Regex::new(&timeframe_pattern()).unwrap();
        let is_form = !matches!(text.parse::<Timeframe>(), Err(market::UnknownTimeframe::Form(_)));
        prop_assert_eq!(pattern.is_match(&text), is_form, "{}", text);
    }
}
