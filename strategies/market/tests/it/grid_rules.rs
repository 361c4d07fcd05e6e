//! The grid: labels, close times and holes, on golden dates and on the labels of real series.

use std::collections::BTreeSet;
use std::io::Read;

use market::{
    AssetClass, Calendar, CloseTimeError, DayBoundary, Gap, HourAnchor, Instrument, SeriesKey,
    Slot, Timeframe, Utc, close_times, expected, gaps, missing, slot_index,
};
use proptest::prelude::*;

use DayBoundary::{SessionClose, UtcMidnight};
use HourAnchor::{ClockHour, SessionOpen};

const MINUTE_15: Timeframe = Timeframe::MINUTE_15;
const HOUR_1: Timeframe = Timeframe::HOUR_1;
const HOUR_4: Timeframe = Timeframe::HOUR_4;
const DAY_1: Timeframe = Timeframe::DAY_1;
const WEEK_1: Timeframe = Timeframe::WEEK_1;

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(
        text.parse()
            .unwrap_or_else(|_| format!("{text}T00:00Z").parse().unwrap()),
    )
}

/// Expected slots as `label known`, minutes only.
fn grid(
    class: AssetClass,
    timeframe: Timeframe,
    boundary: DayBoundary,
    anchor: HourAnchor,
    range: [&str; 2],
) -> Vec<String> {
    let range = utc(range[0])..utc(range[1]);
    let slots = expected(
        Calendar::for_class(class),
        timeframe,
        boundary,
        anchor,
        range,
    );

    let minutes = |instant: Utc| format!("{:.16}", instant.to_string());
    let texts = slots
        .iter()
        .map(|slot| format!("{} {}", minutes(slot.open), minutes(slot.close)));
    texts.collect()
}

fn key(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap()
}

/// Labels of a series of `tests/data`: hours since the epoch of the first bar, then the hours from
/// bar to bar.
fn labels(file: &str) -> Vec<Utc> {
    let path = format!("{}/tests/data/{file}.hours.gz", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();

    let steps = text.lines().map(|line| line.parse::<i64>().unwrap());
    steps
        .scan(0, |hours, step| {
            *hours += step;
            Some(Utc(*hours * 3_600_000_000))
        })
        .collect()
}

/// The grid of one row per case: how many slots, and some of them by their index.
fn assert_slots(slots: &[String], count: usize, named: &[(usize, &str)]) {
    assert_eq!(slots.len(), count);
    for (index, slot) in named {
        assert_eq!(slots[*index], *slot);
    }
}

#[test]
fn the_first_hour_of_new_york_is_known_at_1000() {
    let range = ["2021-03-12", "2021-03-13"];
    let clock = grid(AssetClass::Stock, HOUR_1, SessionClose, ClockHour, range);
    let first = "2021-03-12T14:00 2021-03-12T15:00";
    let last = "2021-03-12T20:00 2021-03-12T21:00";
    assert_slots(&clock, 7, &[(0, first), (6, last)]);

    let range = ["2021-03-15", "2021-03-16"];
    let session = grid(AssetClass::Stock, HOUR_1, SessionClose, SessionOpen, range);
    let first = "2021-03-15T13:30 2021-03-15T14:30";
    let last = "2021-03-15T19:30 2021-03-15T20:00";
    assert_slots(&session, 7, &[(0, first), (6, last)]);
}

#[test]
fn an_early_close_shortens_the_grid() {
    let range = ["2019-11-28", "2019-11-30"];

    let hours = grid(AssetClass::Stock, HOUR_1, SessionClose, ClockHour, range);
    assert_slots(&hours, 4, &[(3, "2019-11-29T17:00 2019-11-29T18:00")]);

    let days = grid(AssetClass::Stock, DAY_1, SessionClose, ClockHour, range);
    assert_eq!(days, ["2019-11-29T00:00 2019-11-29T18:00"]);
}

#[test]
fn quarter_hours_and_four_hours_follow_the_session() {
    let range = ["2021-03-12", "2021-03-13"];

    let quarters = grid(AssetClass::Stock, MINUTE_15, SessionClose, ClockHour, range);
    assert_slots(&quarters, 26, &[(0, "2021-03-12T14:30 2021-03-12T14:45")]);

    // 08:00 local holds 09:30–12:00, 12:00 local holds 12:00–16:00.
    let by_clock = grid(AssetClass::Stock, HOUR_4, SessionClose, ClockHour, range);
    let morning = "2021-03-12T13:00 2021-03-12T17:00";
    let afternoon = "2021-03-12T17:00 2021-03-12T21:00";
    assert_eq!(by_clock, [morning, afternoon]);

    let by_session = grid(AssetClass::Stock, HOUR_4, SessionClose, SessionOpen, range);
    let morning = "2021-03-12T14:30 2021-03-12T18:30";
    let afternoon = "2021-03-12T18:30 2021-03-12T21:00";
    assert_eq!(by_session, [morning, afternoon]);
}

#[test]
fn currency_hours_run_from_sunday_evening_to_friday_evening() {
    let range = ["2021-03-06", "2021-03-13"];
    let week = grid(AssetClass::Fx, HOUR_1, UtcMidnight, ClockHour, range);
    let first = "2021-03-07T22:00 2021-03-07T23:00";
    let last = "2021-03-12T21:00 2021-03-12T22:00";
    assert_slots(&week, 120, &[(0, first), (119, last)]);

    // Clocks go forward on Sunday the 14th: the next week starts an hour earlier, and has 120 hours
    // too.
    let range = ["2021-03-13", "2021-03-20"];
    let week = grid(AssetClass::Fx, HOUR_1, UtcMidnight, ClockHour, range);
    assert_slots(&week, 120, &[(0, "2021-03-14T21:00 2021-03-14T22:00")]);
}

#[test]
fn four_currency_hours_follow_utc_or_1700_new_york() {
    let range = ["2021-03-07", "2021-03-13"];

    // Mon–Thu 6 each, Sunday 20:00, Friday 00:00–20:00. The bucket over the daily roll at 22:00 is
    // one bar.
    let utc = grid(AssetClass::Fx, HOUR_4, UtcMidnight, ClockHour, range);
    let first = "2021-03-07T20:00 2021-03-08T00:00";
    let over_the_roll = "2021-03-08T20:00 2021-03-09T00:00";
    let last = "2021-03-12T20:00 2021-03-12T22:00";
    assert_slots(&utc, 31, &[(0, first), (6, over_the_roll), (30, last)]);

    let local = grid(AssetClass::Fx, HOUR_4, SessionClose, SessionOpen, range);
    assert_slots(&local, 30, &[(0, "2021-03-07T22:00 2021-03-08T02:00")]);
}

#[test]
fn currency_days_are_utc_dates_or_trading_dates() {
    let range = ["2021-03-06", "2021-03-13"];

    // UTC dates include the Sunday evening; trading dates count it to Monday.
    let utc = grid(AssetClass::Fx, DAY_1, UtcMidnight, ClockHour, range);
    assert_slots(&utc, 6, &[(0, "2021-03-07T00:00 2021-03-08T00:00")]);

    let dates = grid(AssetClass::Fx, DAY_1, SessionClose, ClockHour, range);
    assert_slots(&dates, 5, &[(0, "2021-03-08T00:00 2021-03-08T22:00")]);
}

#[test]
fn weeks_are_labelled_by_their_monday_even_when_it_is_a_holiday() {
    let range = ["2021-05-24", "2021-06-07"];
    let weeks = grid(AssetClass::Stock, WEEK_1, SessionClose, ClockHour, range);
    let before = "2021-05-24T00:00 2021-05-28T20:00";
    let memorial_day = "2021-05-31T00:00 2021-06-04T20:00";
    assert_eq!(weeks, [before, memorial_day]);

    let range = ["2021-03-08", "2021-03-15"];
    let weeks = grid(AssetClass::Fx, WEEK_1, UtcMidnight, ClockHour, range);
    assert_eq!(weeks, ["2021-03-08T00:00 2021-03-15T00:00"]);
}

#[test]
fn the_range_is_half_open_in_labels_and_bounded() {
    let hours = |range| grid(AssetClass::Stock, HOUR_1, SessionClose, ClockHour, range);
    let one_hour = hours(["2021-03-12T14:00Z", "2021-03-12T15:00Z"]);
    assert_eq!(one_hour, ["2021-03-12T14:00 2021-03-12T15:00"]);
    let reversed = hours(["2021-03-12T15:00Z", "2021-03-12T14:00Z"]);
    assert!(reversed.is_empty());

    let always = Calendar::for_class(AssetClass::Crypto);
    let everything = Utc(i64::MIN)..Utc(i64::MAX);
    let weeks = expected(always, WEEK_1, UtcMidnight, ClockHour, everything);
    assert_eq!(weeks.first().unwrap().open, utc("1850-01-07"));
    assert_eq!(weeks.last().unwrap().open, utc("2099-12-28"));
}

/// When the bar of `key` with this label is known.
fn known_at(key: &SeriesKey, label: &str) -> Utc {
    close_times(Calendar::for_key(key), key, &[utc(label)]).unwrap()[0]
}

#[test]
fn bars_before_1970_are_known_at_the_close_of_their_session() {
    // A Tuesday: 16:00 in New York, which had winter time.
    let day = known_at(&key("IBM", DAY_1), "1962-01-02");
    assert_eq!(day, utc("1962-01-02T21:00Z"));

    // The bar of the day before the epoch ends at the epoch.
    let currency = known_at(&key("EURUSD", DAY_1), "1969-12-31");
    assert_eq!(currency, utc("1970-01-01"));
    let sessions = ["1929-10-28", "1929-10-30"];
    let days = grid(
        AssetClass::Stock,
        DAY_1,
        SessionClose,
        SessionOpen,
        sessions,
    );
    let monday = "1929-10-28T00:00 1929-10-28T21:00";
    assert_eq!(days, [monday, "1929-10-29T00:00 1929-10-29T21:00"]);
}

#[test]
fn a_bar_is_known_at_its_end_or_at_the_close_of_its_session() {
    let cases = [
        ("AAPL", HOUR_1, "2021-03-12T14:00Z", "2021-03-12T15:00Z"),
        ("AAPL", HOUR_1, "2021-03-12T20:30Z", "2021-03-12T21:00Z"),
        ("AAPL", DAY_1, "2021-03-12", "2021-03-12T21:00Z"),
        // Daylight saving has begun.
        ("AAPL", DAY_1, "2021-03-15", "2021-03-15T20:00Z"),
        // An early close.
        ("AAPL", DAY_1, "2019-11-29", "2019-11-29T18:00Z"),
        // Good Friday is closed.
        ("AAPL", WEEK_1, "2021-03-29", "2021-04-01T20:00Z"),
        ("EURUSD", HOUR_1, "2021-03-12T21:00Z", "2021-03-12T22:00Z"),
        ("EURUSD", HOUR_4, "2021-03-11T20:00Z", "2021-03-12T00:00Z"),
        ("EURUSD", HOUR_4, "2021-03-12T20:00Z", "2021-03-12T22:00Z"),
        ("EURUSD", DAY_1, "2021-03-12", "2021-03-13"),
        ("EURUSD", DAY_1, "2021-03-14", "2021-03-15"),
    ];

    for (symbol, timeframe, label, instant) in cases {
        let known_at = known_at(&key(symbol, timeframe), label);
        assert_eq!(known_at, utc(instant), "{symbol} {timeframe} {label}");
    }
}

#[test]
fn a_currency_day_per_trading_date_is_known_at_1700_new_york() {
    let mut by_date = key("EURUSD", DAY_1);
    by_date.day_boundary = SessionClose;

    assert_eq!(known_at(&by_date, "2021-03-15"), utc("2021-03-15T21:00Z"));
}

#[test]
fn a_bar_outside_of_every_session_is_known_only_when_it_must_be() {
    // A print at 15:00 local on the day of an early close.
    let print = known_at(&key("AAPL", HOUR_1), "2019-11-29T20:00Z");
    assert_eq!(print, utc("2019-11-29T21:00Z"));

    // Saturday 2021-03-13 ends at 05:00 UTC in New York.
    let saturday = known_at(&key("AAPL", DAY_1), "2021-03-13");
    assert_eq!(saturday, utc("2021-03-14T05:00Z"));
}

#[test]
fn a_daily_label_that_names_no_date_is_refused() {
    let stocks = Calendar::for_class(AssetClass::Stock);
    let daily = key("AAPL", DAY_1);
    let open = utc("2021-03-15T04:00Z");
    let error = close_times(stocks, &daily, &[utc("2021-03-12"), open]).unwrap_err();
    assert_eq!(
        error,
        CloseTimeError::Label {
            row: 1,
            open,
            timeframe: DAY_1
        }
    );

    let weekly = key("AAPL", WEEK_1);
    let error = close_times(stocks, &weekly, &[utc("2021-03-12")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 0: a 1w bar cannot be labelled 2021-03-12T00:00:00Z"
    );
}

#[test]
fn bars_at_half_past_fill_the_slots_of_the_clock_hour() {
    let stocks = Calendar::for_class(AssetClass::Stock);
    let day = utc("2021-03-12")..utc("2021-03-13");
    let slots = expected(stocks, HOUR_1, SessionClose, ClockHour, day);
    let half_past = slots
        .iter()
        .map(|slot| slot.open.plus_micros(1_800_000_000));
    let half_past: Vec<Utc> = half_past.collect();

    assert_eq!(missing(&slots, &half_past), []);
    assert_eq!(slot_index(&slots, utc("2021-03-12T21:00Z")), None);
}

/// How the labels of a real series fit the grid.
struct Fit {
    /// Labels outside of every slot.
    outside: Vec<Utc>,
    /// Empty slots between the first and the last label.
    empty_slots: usize,
}

fn fit(file: &str, class: AssetClass, timeframe: Timeframe, boundary: DayBoundary) -> Fit {
    let stored = labels(file);
    let range = stored[0]..stored[stored.len() - 1].plus_micros(1);
    let slots = expected(
        Calendar::for_class(class),
        timeframe,
        boundary,
        ClockHour,
        range,
    );

    let empty_slots = missing(&slots, &stored).len();
    let mut outside = stored;
    outside.retain(|bar| slot_index(&slots, *bar).is_none());
    Fit {
        outside,
        empty_slots,
    }
}

#[test]
fn real_daily_and_currency_bars_all_fall_into_slots() {
    let cases = [
        ("aapl_1d", AssetClass::Stock, DAY_1, SessionClose, 0),
        // Holes of the provider: 2007-01-08/09 (22 hours), 2015-08-20 (9), 2016-12-11 to 15 (103),
        // three Fridays (17 each), 2018-10-28 (3), 2018-12-25/26 (26), and six hours after the
        // market opened again from Christmas and New Year of 2016 and 2017.
        ("eurusd_1h", AssetClass::Fx, HOUR_1, UtcMidnight, 220),
        ("eurusd_1d", AssetClass::Fx, DAY_1, UtcMidnight, 10),
    ];

    for (file, class, timeframe, boundary, empty_slots) in cases {
        let mut fit = fit(file, class, timeframe, boundary);
        // Two hours with a print while the market was closed for New Year and Christmas.
        let prints = [utc("2008-01-01T09:00Z"), utc("2009-12-25T10:00Z")];
        fit.outside.retain(|bar| !prints.contains(bar));
        assert!(fit.outside.is_empty(), "{file}: {:?}", fit.outside);
        assert_eq!(fit.empty_slots, empty_slots, "{file}");
    }
}

#[test]
fn real_hours_outside_of_slots_follow_early_closes() {
    let stocks = Calendar::for_class(AssetClass::Stock);

    for (file, outside, empty_slots) in [("aapl_1h", 47, 3), ("ibm_1h", 28, 2), ("spy_1h", 47, 2)] {
        let fit = fit(file, AssetClass::Stock, HOUR_1, SessionClose);
        assert_eq!(fit.outside.len(), outside, "{file}");
        assert_eq!(fit.empty_slots, empty_slots, "{file}");

        // 13:00 local or later on a date whose session ends at 13:00, after 3.5 hours.
        for bar in fit.outside {
            let sessions = stocks.sessions(bar.date()..bar.date().tomorrow().unwrap());
            let length = sessions[0].close.0 - sessions[0].open.0;
            assert!(
                sessions[0].close <= bar && length == 12_600_000_000,
                "{file} {bar}"
            );
        }
    }
}

#[test]
fn every_real_bar_is_known_before_the_next_one() {
    let cases = [
        ("aapl_1h", "AAPL", HOUR_1),
        ("aapl_1d", "AAPL", DAY_1),
        ("eurusd_1h", "EURUSD", HOUR_1),
        ("eurusd_1d", "EURUSD", DAY_1),
    ];

    for (file, symbol, timeframe) in cases {
        let key = key(symbol, timeframe);
        let stored = labels(file);
        let close_times = close_times(Calendar::for_key(&key), &key, &stored).unwrap();

        assert!(
            stored
                .iter()
                .zip(&close_times)
                .all(|(open, close)| open < close),
            "{file}"
        );
        assert!(close_times.is_sorted_by(|a, b| a < b), "{file}");
    }
}

proptest! {
    #[test]
    fn holes_punched_into_real_bars_are_found_exactly(
        file in prop::sample::select(vec!["eurusd_1h", "aapl_1d"]),
        start in 0_usize..5_000,
        length in 50_usize..700,
        holes in prop::collection::btree_set(1_usize..49, 0..20),
        shuffle: bool,
    ) {
        let (class, timeframe, boundary) = match file {
            "aapl_1d" => (AssetClass::Stock, DAY_1, SessionClose),
            _ => (AssetClass::Fx, HOUR_1, UtcMidnight),
        };
        let all = labels(file);
        let window = &all[start..start + length];
        let range = window[0]..window[length - 1].plus_micros(1);
        let slots = expected(Calendar::for_class(class), timeframe, boundary, ClockHour, range);
        let missing_before = missing(&slots, window);

        let mut stored: Vec<Utc> = window.to_vec();
        let punched: BTreeSet<Utc> = holes.iter().map(|hole| window[*hole]).collect();
        stored.retain(|bar| !punched.contains(bar));
        if shuffle {
            stored.reverse();
        }

        // What is missing now and was not before are the holes.
        let missing_now: Vec<Slot> = missing(&slots, &stored);
        let new_holes = missing_now.iter().filter(|slot| !missing_before.contains(slot));
        let new_holes: BTreeSet<Utc> = new_holes.map(|slot| slot.open).collect();
        prop_assert_eq!(new_holes, punched);

        // Gaps are the same slots in runs: disjoint, complete, with a stored bar between any two of
        // them.
        let runs: Vec<Gap> = gaps(&slots, &stored);
        prop_assert_eq!(runs.iter().map(|gap| gap.bars).sum::<usize>(), missing_now.len());
        for pair in runs.windows(2) {
            let between = pair[0].end..pair[1].start;
            prop_assert!(stored.iter().any(|bar| between.contains(bar)));
        }
        for slot in &missing_now {
            let holds = |gap: &&Gap| gap.start <= slot.open && slot.close <= gap.end;
            prop_assert_eq!(runs.iter().filter(holds).count(), 1);
        }
    }
}
