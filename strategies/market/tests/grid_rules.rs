//! The grid: labels, close times and holes, on golden dates and on the labels of real series.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)] // a test may stop

use std::collections::BTreeSet;
use std::io::Read;

use market::{
    AssetClass, Calendar, CloseTimeError, DayBoundary, Gap, HourAnchor, Instrument, SeriesKey,
    Slot, Timeframe, Utc, close_times, expected, gaps, missing, slot_index,
};
use proptest::prelude::*;

use DayBoundary::{SessionClose, UtcMidnight};
use HourAnchor::{ClockHour, SessionOpen};
use Timeframe::{Day1, Hour1, Hour4, Minute15, Week1};

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
    let slots = expected(
        Calendar::for_class(class),
        timeframe,
        boundary,
        anchor,
        utc(range[0])..utc(range[1]),
    );
    slots
        .iter()
        .map(|slot| {
            format!(
                "{:.16} {:.16}",
                slot.open.to_string(),
                slot.close.to_string()
            )
        })
        .collect()
}

fn key(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap()
}

/// Labels of a series of `tests/data`: hours since the epoch of the first bar, then the hours from
/// bar to bar.
fn labels(file: &str) -> Vec<Utc> {
    let packed = std::fs::read(format!(
        "{}/tests/data/{file}.hours.gz",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();
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

#[test]
fn the_first_hour_of_new_york_is_labelled_0900_and_known_at_1000() {
    let day = grid(
        AssetClass::Stock,
        Hour1,
        SessionClose,
        ClockHour,
        ["2021-03-12", "2021-03-13"],
    );
    assert_eq!(
        (day.len(), day[0].as_str()),
        (7, "2021-03-12T14:00 2021-03-12T15:00")
    );
    assert_eq!(day[6], "2021-03-12T20:00 2021-03-12T21:00");
    let open = grid(
        AssetClass::Stock,
        Hour1,
        SessionClose,
        SessionOpen,
        ["2021-03-15", "2021-03-16"],
    );
    assert_eq!(
        (open.len(), open[0].as_str()),
        (7, "2021-03-15T13:30 2021-03-15T14:30")
    );
    assert_eq!(open[6], "2021-03-15T19:30 2021-03-15T20:00");
}

#[test]
fn an_early_close_shortens_the_grid() {
    let hours = grid(
        AssetClass::Stock,
        Hour1,
        SessionClose,
        ClockHour,
        ["2019-11-28", "2019-11-30"],
    );
    assert_eq!(
        (hours.len(), hours[3].as_str()),
        (4, "2019-11-29T17:00 2019-11-29T18:00")
    );
    let day = grid(
        AssetClass::Stock,
        Day1,
        SessionClose,
        ClockHour,
        ["2019-11-28", "2019-11-30"],
    );
    assert_eq!(day, ["2019-11-29T00:00 2019-11-29T18:00"]);
}

#[test]
fn quarter_hours_and_four_hours_follow_the_session() {
    let quarters = grid(
        AssetClass::Stock,
        Minute15,
        SessionClose,
        ClockHour,
        ["2021-03-12", "2021-03-13"],
    );
    assert_eq!(
        (quarters.len(), quarters[0].as_str()),
        (26, "2021-03-12T14:30 2021-03-12T14:45")
    );
    // 08:00 local holds 09:30–12:00, 12:00 local holds 12:00–16:00.
    let fours = grid(
        AssetClass::Stock,
        Hour4,
        SessionClose,
        ClockHour,
        ["2021-03-12", "2021-03-13"],
    );
    assert_eq!(
        fours,
        [
            "2021-03-12T13:00 2021-03-12T17:00",
            "2021-03-12T17:00 2021-03-12T21:00"
        ]
    );
    let fours = grid(
        AssetClass::Stock,
        Hour4,
        SessionClose,
        SessionOpen,
        ["2021-03-12", "2021-03-13"],
    );
    assert_eq!(
        fours,
        [
            "2021-03-12T14:30 2021-03-12T18:30",
            "2021-03-12T18:30 2021-03-12T21:00"
        ]
    );
}

#[test]
fn currency_hours_run_from_sunday_evening_to_friday_evening() {
    let week = grid(
        AssetClass::Fx,
        Hour1,
        UtcMidnight,
        ClockHour,
        ["2021-03-06", "2021-03-13"],
    );
    assert_eq!(
        (week.len(), week[0].as_str()),
        (120, "2021-03-07T22:00 2021-03-07T23:00")
    );
    assert_eq!(week[119], "2021-03-12T21:00 2021-03-12T22:00");
    // Clocks go forward on Sunday the 14th: the next week starts an hour earlier, and has 120 hours
    // too.
    let week = grid(
        AssetClass::Fx,
        Hour1,
        UtcMidnight,
        ClockHour,
        ["2021-03-13", "2021-03-20"],
    );
    assert_eq!(
        (week.len(), week[0].as_str()),
        (120, "2021-03-14T21:00 2021-03-14T22:00")
    );
}

#[test]
fn four_currency_hours_are_utc_buckets_or_counted_from_1700_new_york() {
    let utc = grid(
        AssetClass::Fx,
        Hour4,
        UtcMidnight,
        ClockHour,
        ["2021-03-07", "2021-03-13"],
    );
    // Mon–Thu 6 each, Sunday 20:00, Friday 00:00–20:00. The bucket over the daily roll at 22:00 is
    // one bar.
    assert_eq!(
        (utc.len(), utc[0].as_str()),
        (31, "2021-03-07T20:00 2021-03-08T00:00")
    );
    assert_eq!(utc[6], "2021-03-08T20:00 2021-03-09T00:00");
    assert_eq!(utc[30], "2021-03-12T20:00 2021-03-12T22:00");
    let local = grid(
        AssetClass::Fx,
        Hour4,
        SessionClose,
        SessionOpen,
        ["2021-03-07", "2021-03-13"],
    );
    assert_eq!(
        (local.len(), local[0].as_str()),
        (30, "2021-03-07T22:00 2021-03-08T02:00")
    );
}

#[test]
fn currency_days_are_utc_dates_with_sundays_or_trading_dates_without() {
    let utc = grid(
        AssetClass::Fx,
        Day1,
        UtcMidnight,
        ClockHour,
        ["2021-03-06", "2021-03-13"],
    );
    assert_eq!(
        (utc.len(), utc[0].as_str()),
        (6, "2021-03-07T00:00 2021-03-08T00:00")
    );
    let dates = grid(
        AssetClass::Fx,
        Day1,
        SessionClose,
        ClockHour,
        ["2021-03-06", "2021-03-13"],
    );
    assert_eq!(
        (dates.len(), dates[0].as_str()),
        (5, "2021-03-08T00:00 2021-03-08T22:00")
    );
}

#[test]
fn weeks_are_labelled_by_their_monday_even_when_it_is_a_holiday() {
    let weeks = grid(
        AssetClass::Stock,
        Week1,
        SessionClose,
        ClockHour,
        ["2021-05-24", "2021-06-07"],
    );
    assert_eq!(
        weeks,
        [
            "2021-05-24T00:00 2021-05-28T20:00",
            "2021-05-31T00:00 2021-06-04T20:00"
        ]
    );
    let weeks = grid(
        AssetClass::Fx,
        Week1,
        UtcMidnight,
        ClockHour,
        ["2021-03-08", "2021-03-15"],
    );
    assert_eq!(weeks, ["2021-03-08T00:00 2021-03-15T00:00"]);
}

#[test]
fn the_range_is_half_open_in_labels_and_bounded() {
    let day = |range| grid(AssetClass::Stock, Hour1, SessionClose, ClockHour, range);
    assert_eq!(
        day(["2021-03-12T14:00Z", "2021-03-12T15:00Z"]),
        ["2021-03-12T14:00 2021-03-12T15:00"]
    );
    assert_eq!(day(["2021-03-12T15:00Z", "2021-03-12T14:00Z"]), [""; 0]);
    let all = expected(
        Calendar::for_class(AssetClass::Crypto),
        Week1,
        UtcMidnight,
        ClockHour,
        Utc(i64::MIN)..Utc(i64::MAX),
    );
    assert_eq!(
        (all[0].open, all[all.len() - 1].open),
        (utc("1970-01-05"), utc("2099-12-28"))
    );
}

#[test]
fn a_bar_is_known_at_its_end_and_no_later_than_the_close_of_its_session() {
    let stock = |timeframe, label: &str| {
        close_times(
            Calendar::for_class(AssetClass::Stock),
            &key("AAPL", timeframe),
            &[utc(label)],
        )
    };
    assert_eq!(
        stock(Hour1, "2021-03-12T14:00Z"),
        Ok(vec![utc("2021-03-12T15:00Z")])
    );
    assert_eq!(
        stock(Hour1, "2021-03-12T20:30Z"),
        Ok(vec![utc("2021-03-12T21:00Z")])
    );
    assert_eq!(
        stock(Day1, "2021-03-12"),
        Ok(vec![utc("2021-03-12T21:00Z")])
    );
    assert_eq!(
        stock(Day1, "2021-03-15"),
        Ok(vec![utc("2021-03-15T20:00Z")])
    );
    assert_eq!(
        stock(Day1, "2019-11-29"),
        Ok(vec![utc("2019-11-29T18:00Z")])
    );
    assert_eq!(
        stock(Week1, "2021-03-29"),
        Ok(vec![utc("2021-04-01T20:00Z")])
    ); // Good Friday is closed
    let pair = |timeframe, label: &str| {
        close_times(
            Calendar::for_class(AssetClass::Fx),
            &key("EURUSD", timeframe),
            &[utc(label)],
        )
    };
    assert_eq!(
        pair(Hour1, "2021-03-12T21:00Z"),
        Ok(vec![utc("2021-03-12T22:00Z")])
    );
    assert_eq!(
        pair(Hour4, "2021-03-11T20:00Z"),
        Ok(vec![utc("2021-03-12T00:00Z")])
    );
    assert_eq!(
        pair(Hour4, "2021-03-12T20:00Z"),
        Ok(vec![utc("2021-03-12T22:00Z")])
    );
    assert_eq!(pair(Day1, "2021-03-12"), Ok(vec![utc("2021-03-13")]));
    assert_eq!(pair(Day1, "2021-03-14"), Ok(vec![utc("2021-03-15")]));
    let mut by_date = key("EURUSD", Day1);
    by_date.day_boundary = SessionClose;
    let known = close_times(
        Calendar::for_class(AssetClass::Fx),
        &by_date,
        &[utc("2021-03-15")],
    );
    assert_eq!(known, Ok(vec![utc("2021-03-15T21:00Z")]));
}

#[test]
fn a_bar_outside_of_every_session_is_known_only_when_it_must_be() {
    let stock = |timeframe, label: &str| {
        close_times(
            Calendar::for_class(AssetClass::Stock),
            &key("AAPL", timeframe),
            &[utc(label)],
        )
    };
    // A print at 15:00 local on the day of an early close; Saturday 2021-03-13 ends at 05:00 UTC in
    // New York.
    assert_eq!(
        stock(Hour1, "2019-11-29T20:00Z"),
        Ok(vec![utc("2019-11-29T21:00Z")])
    );
    assert_eq!(
        stock(Day1, "2021-03-13"),
        Ok(vec![utc("2021-03-14T05:00Z")])
    );
}

#[test]
fn a_daily_label_that_names_no_date_is_refused() {
    let key = key("AAPL", Day1);
    let error = close_times(
        Calendar::for_class(AssetClass::Stock),
        &key,
        &[utc("2021-03-12"), utc("2021-03-15T04:00Z")],
    );
    assert_eq!(
        error,
        Err(CloseTimeError::Label {
            row: 1,
            open: utc("2021-03-15T04:00Z"),
            timeframe: Day1
        })
    );
    let error = close_times(
        Calendar::for_class(AssetClass::Stock),
        &key.with_timeframe(Week1),
        &[utc("2021-03-12")],
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "row 0: a 1w bar cannot be labelled 2021-03-12T00:00:00Z"
    );
}

#[test]
fn bars_at_half_past_fill_the_slots_of_the_clock_hour() {
    let slots = expected(
        Calendar::for_class(AssetClass::Stock),
        Hour1,
        SessionClose,
        ClockHour,
        utc("2021-03-12")..utc("2021-03-13"),
    );
    let half_past: Vec<Utc> = slots
        .iter()
        .map(|slot| slot.open.plus_micros(1_800_000_000))
        .collect();
    assert_eq!(missing(&slots, &half_past), []);
    assert_eq!(slot_index(&slots, utc("2021-03-12T21:00Z")), None);
}

/// Labels outside of every slot, and number of empty slots between the first and the last label.
fn misfits(
    file: &str,
    class: AssetClass,
    timeframe: Timeframe,
    boundary: DayBoundary,
) -> (Vec<Utc>, usize) {
    let stored = labels(file);
    let range = stored[0]..stored[stored.len() - 1].plus_micros(1);
    let slots = expected(
        Calendar::for_class(class),
        timeframe,
        boundary,
        ClockHour,
        range,
    );
    let outside = stored
        .iter()
        .copied()
        .filter(|&bar| slot_index(&slots, bar).is_none())
        .collect();
    (outside, missing(&slots, &stored).len())
}

#[test]
fn real_daily_and_currency_bars_all_fall_into_slots() {
    assert_eq!(
        misfits("aapl_1d", AssetClass::Stock, Day1, SessionClose),
        (vec![], 0)
    );
    // Holes: 2007-01-08/09, Christmas and New Year hours of 2007–2018, most of a week in December
    // 2016, …
    assert_eq!(
        misfits("eurusd_1h", AssetClass::Fx, Hour1, UtcMidnight),
        (vec![], 481)
    );
    assert_eq!(
        misfits("eurusd_1d", AssetClass::Fx, Day1, UtcMidnight),
        (vec![], 14)
    );
}

#[test]
fn real_stock_hours_outside_of_slots_are_prints_after_early_closes() {
    for (file, outside) in [("aapl_1h", 43), ("ibm_1h", 25), ("spy_1h", 44)] {
        let (misfits, empty) = misfits(file, AssetClass::Stock, Hour1, SessionClose);
        assert_eq!((misfits.len(), empty), (outside, 8), "{file}");
        for bar in misfits {
            // 13:00 local or later on a date whose session ends at 13:00.
            let day = Calendar::for_class(AssetClass::Stock)
                .sessions(bar.date()..bar.date().tomorrow().unwrap());
            let ended = day[0].close <= bar && day[0].close.0 - day[0].open.0 == 12_600_000_000;
            assert!(ended, "{file} {bar}");
        }
    }
}

#[test]
fn every_real_bar_is_known_after_its_label_and_before_the_next_one_is_known() {
    for (file, symbol, timeframe) in [
        ("aapl_1h", "AAPL", Hour1),
        ("aapl_1d", "AAPL", Day1),
        ("eurusd_1h", "EURUSD", Hour1),
        ("eurusd_1d", "EURUSD", Day1),
    ] {
        let (key, stored) = (key(symbol, timeframe), labels(file));
        let known = close_times(Calendar::for_key(&key), &key, &stored).unwrap();
        assert!(
            stored.iter().zip(&known).all(|(open, close)| open < close),
            "{file}"
        );
        assert!(known.is_sorted_by(|a, b| a < b), "{file}");
    }
}

proptest! {
    #[test]
    fn holes_punched_into_real_bars_are_found_exactly(
        file in prop::sample::select(vec!["eurusd_1h", "aapl_1d"]),
        start in 0_usize..5_000, length in 50_usize..700, holes in prop::collection::btree_set(1_usize..49, 0..20), shuffle: bool,
    ) {
        let (class, timeframe, boundary) = match file {
            "aapl_1d" => (AssetClass::Stock, Day1, SessionClose),
            _ => (AssetClass::Fx, Hour1, UtcMidnight),
        };
        let all = labels(file);
        let window = &all[start..start + length];
        let range = window[0]..window[length - 1].plus_micros(1);
        let slots = expected(Calendar::for_class(class), timeframe, boundary, ClockHour, range);
        let before: BTreeSet<i64> = missing(&slots, window).iter().map(|slot| slot.open.0).collect();
        let mut kept: Vec<Utc> = window.iter().enumerate().filter(|(i, _)| !holes.contains(i)).map(|(_, bar)| *bar).collect();
        if shuffle {
            kept.reverse();
        }
        let found: Vec<Slot> = missing(&slots, &kept);
        let new: BTreeSet<i64> = found.iter().map(|slot| slot.open.0).filter(|open| !before.contains(open)).collect();
        prop_assert_eq!(new, holes.iter().map(|&i| window[i].0).collect::<BTreeSet<_>>());

        // Gaps are the same slots in runs: disjoint, complete, with a stored bar between any two of
        // them.
        let runs: Vec<Gap> = gaps(&slots, &kept);
        prop_assert_eq!(runs.iter().map(|gap| gap.bars).sum::<usize>(), found.len());
        for pair in runs.windows(2) {
            prop_assert!(kept.iter().any(|bar| pair[0].end <= *bar && *bar < pair[1].start));
        }
        for slot in &found {
            prop_assert_eq!(runs.iter().filter(|gap| gap.start <= slot.open && slot.close <= gap.end).count(), 1);
        }
    }
}
