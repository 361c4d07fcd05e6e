//! Gaps and their classes, on dates worked out by hand.

use std::ops::Range;

use market::{
    Calendar, GapAnalysis, GapClass, GapFacts, GapPlace, HourAnchor, Instrument, SeriesKey, Slot,
    Stretch, Timeframe, Utc, analyse_gaps, expected, explain_gap, gaps, missing, missing_slots,
};
use proptest::prelude::*;

use GapClass::{
    BeforeHistory, ExpectedHoliday, ExpectedTradingHours, ExpectedWeekend, MissingData,
    ProviderEmpty, UnlistedClosure,
};

fn utc(text: &str) -> Utc {
    let text = if text.len() == 10 {
        format!("{text}T00:00Z")
    } else {
        text.to_owned()
    };
    Utc::from_timestamp(text.parse().unwrap())
}

/// A series whose expected bars of a range are all stored.
struct Case {
    key: SeriesKey,
    range: Range<Utc>,
    slots: Vec<Slot>,
    stored: Vec<Utc>,
    known_empty: Vec<Range<Utc>>,
    head: Option<Utc>,
}

impl Case {
    fn new(symbol: &str, timeframe: &str, range: [&str; 2]) -> Self {
        let instrument = Instrument::parse(symbol).unwrap();
        let timeframe: Timeframe = timeframe.parse().unwrap();
        let key = SeriesKey::standard("file", instrument, timeframe).unwrap();
        let range = utc(range[0])..utc(range[1]);
        let slots = expected(
            Calendar::for_key(&key),
            timeframe,
            key.day_boundary,
            HourAnchor::ClockHour,
            range.clone(),
        );

        Self {
            stored: slots.iter().map(|slot| slot.open).collect(),
            key,
            range,
            slots,
            known_empty: Vec::new(),
            head: None,
        }
    }

    /// Takes the bars with labels in a range out of the store.
    fn without(mut self, hole: [&str; 2]) -> Self {
        let hole = utc(hole[0])..utc(hole[1]);
        self.stored.retain(|open| !hole.contains(open));
        self
    }

    fn analysis(&self) -> GapAnalysis {
        analyse_gaps(&GapFacts {
            key: &self.key,
            calendar: Calendar::for_key(&self.key),
            range: self.range.clone(),
            slots: &self.slots,
            stored: &self.stored,
            known_empty: &self.known_empty,
            head: self.head,
        })
    }

    /// Class, start, end and bars of each stretch; minutes only.
    fn stretches(&self) -> Vec<String> {
        self.analysis().stretches.iter().map(describe).collect()
    }

    /// The same of the stretches that are not closed time.
    fn holes(&self) -> Vec<String> {
        let analysis = self.analysis();
        let holes = analysis.stretches.iter().filter(|stretch| stretch.bars > 0);
        holes.map(describe).collect()
    }

    fn reasons(&self) -> Vec<String> {
        let calendar = Calendar::for_key(&self.key);
        let analysis = self.analysis();
        let reasons = analysis.stretches.iter().map(|stretch| {
            let place = GapPlace::of(stretch, &self.stored);
            explain_gap(stretch, &self.key, calendar, place)
        });
        reasons.collect()
    }
}

fn describe(stretch: &Stretch) -> String {
    let minutes = |instant: Utc| format!("{:.16}", instant.to_string());
    format!(
        "{} {} {} {}",
        stretch.class,
        minutes(stretch.start),
        minutes(stretch.end),
        stretch.bars
    )
}

#[test]
fn closed_time_is_a_weekend_a_holiday_or_a_night() {
    // Wednesday to Tuesday: Thanksgiving, an early close on the Friday, a weekend, a night.
    let case = Case::new("AAPL", "1h", ["2019-11-27T14:30Z", "2019-12-03T15:00Z"]);

    assert_eq!(
        case.stretches(),
        [
            "expected_holiday 2019-11-27T21:00 2019-11-29T14:30 0",
            "expected_weekend 2019-11-29T18:00 2019-12-02T14:30 0",
            "expected_trading_hours 2019-12-02T21:00 2019-12-03T14:30 0",
        ]
    );
}

#[test]
fn a_weekend_with_a_holiday_is_a_holiday() {
    // Martin Luther King Day is Monday 2019-01-21.
    let case = Case::new("AAPL", "1d", ["2019-01-18", "2019-01-23"]);
    assert_eq!(
        case.stretches(),
        ["expected_holiday 2019-01-18T21:00 2019-01-22T14:30 0"]
    );

    let reason =
        "holiday on Mon 2019-01-21 (Martin Luther King Jr. Day) in the calendar us_equities";
    assert_eq!(case.reasons(), [reason]);
}

#[test]
fn a_hole_over_a_weekend_is_found_whole() {
    // Wednesday to Monday: four sessions of seven hours. The weekend in it excuses nothing.
    let case = Case::new("AAPL", "1h", ["2019-01-07", "2019-01-19"]);
    let case = case.without(["2019-01-09", "2019-01-15"]);

    assert_eq!(
        case.holes(),
        ["unlisted_closure 2019-01-09T14:00 2019-01-14T21:00 28"]
    );
    assert_eq!(case.analysis().counts()[&ExpectedWeekend].stretches, 2);
}

#[test]
fn a_friday_afternoon_and_a_monday_morning_are_no_weekend() {
    let case = Case::new("AAPL", "1h", ["2019-01-07", "2019-01-19"]);
    let case = case
        .without(["2019-01-11T18:00Z", "2019-01-12"])
        .without(["2019-01-14T15:00Z", "2019-01-14T19:00Z"]);

    assert_eq!(
        case.holes(),
        [
            "missing_data 2019-01-11T18:00 2019-01-11T21:00 3",
            "missing_data 2019-01-14T15:00 2019-01-14T19:00 4",
        ]
    );
}

#[test]
fn the_day_after_a_holiday_is_not_excused_by_it() {
    let case = Case::new("AAPL", "1h", ["2019-01-18", "2019-01-25"]);
    let case = case.without(["2019-01-22", "2019-01-23"]);

    assert_eq!(
        case.holes(),
        ["unlisted_closure 2019-01-22T14:00 2019-01-22T21:00 7"]
    );
    assert_eq!(case.analysis().counts()[&ExpectedHoliday].stretches, 1);
}

#[test]
fn a_sunday_evening_of_currencies_can_be_missing() {
    let case = Case::new("EURUSD", "1h", ["2019-01-11", "2019-01-15"]);
    let case = case.without(["2019-01-13T22:00Z", "2019-01-14T00:00Z"]);

    assert_eq!(
        case.stretches(),
        [
            "expected_weekend 2019-01-11T22:00 2019-01-13T22:00 0",
            "missing_data 2019-01-13T22:00 2019-01-14T00:00 2",
        ]
    );
}

#[test]
fn a_change_of_clocks_makes_no_gap() {
    for (symbol, range) in [
        ("EURUSD", ["2019-03-08", "2019-03-12"]),
        ("EURUSD", ["2019-11-01", "2019-11-05"]),
        ("AAPL", ["2019-03-07", "2019-03-13"]),
        ("AAPL", ["2019-10-31", "2019-11-06"]),
    ] {
        let case = Case::new(symbol, "15m", range);
        assert!(
            case.stored.len() > 75 && case.holes().is_empty(),
            "{symbol} {range:?}"
        );
    }

    // On Friday the week of currencies ends at 22:00 UTC in winter, on Sunday it begins at 21:00.
    let spring = Case::new("EURUSD", "1h", ["2019-03-08", "2019-03-12"]);
    assert_eq!(
        spring.stretches(),
        ["expected_weekend 2019-03-08T22:00 2019-03-10T21:00 0"]
    );
}

#[test]
fn a_leap_day_is_a_day_like_others() {
    let case = Case::new("crypto:BTC/USD", "1d", ["2020-02-27", "2020-03-02"]);
    assert_eq!(case.slots.len(), 4);

    let case = case.without(["2020-02-29", "2020-03-01"]);
    assert_eq!(
        case.holes(),
        ["unlisted_closure 2020-02-29T00:00 2020-03-01T00:00 1"]
    );
}

#[test]
fn an_empty_store_and_a_single_bar_have_gaps_around_them() {
    let mut case = Case::new("AAPL", "1h", ["2019-01-08", "2019-01-09"]);
    let middle = case.stored[3];
    case.stored.clear();
    assert_eq!(
        case.holes(),
        ["unlisted_closure 2019-01-08T14:00 2019-01-08T21:00 7"]
    );

    case.stored.push(middle);
    assert_eq!(
        case.holes(),
        [
            "missing_data 2019-01-08T14:00 2019-01-08T17:00 3",
            "missing_data 2019-01-08T18:00 2019-01-08T21:00 3",
        ]
    );
}

#[test]
fn a_reversed_range_has_nothing_in_it() {
    let case = Case::new("AAPL", "1h", ["2019-01-09", "2019-01-08"]);

    assert_eq!(case.stretches(), [""; 0]);
    assert!((case.analysis().completeness() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn bars_that_cannot_be_there_do_not_lower_the_completeness() {
    // Five sessions of seven hours; the provider begins on Tuesday and has no Thursday.
    let mut case = Case::new("AAPL", "1h", ["2019-01-07T14:00Z", "2019-01-11T21:00Z"])
        .without(["2019-01-07", "2019-01-08"])
        .without(["2019-01-10", "2019-01-11"])
        .without(["2019-01-11T20:00Z", "2019-01-12"]);
    case.head = Some(utc("2019-01-08T14:00Z"));
    case.known_empty = vec![utc("2019-01-10")..utc("2019-01-11")];

    assert_eq!(
        case.holes(),
        [
            "before_history 2019-01-07T14:00 2019-01-07T21:00 7",
            "provider_empty 2019-01-10T14:00 2019-01-10T21:00 7",
            "missing_data 2019-01-11T20:00 2019-01-11T21:00 1",
        ]
    );
    // 20 of the 21 hours that can be there.
    let completeness = case.analysis().completeness();
    assert!((completeness - 20.0 / 21.0).abs() < 1e-12);
    let classes: Vec<GapClass> = case.analysis().counts().into_keys().collect();
    let closed = [ExpectedWeekend, ExpectedTradingHours];
    let expected_bars = [BeforeHistory, ProviderEmpty, MissingData];
    assert_eq!(classes, [&closed[..], &expected_bars].concat());
}

#[test]
fn a_bar_known_to_be_absent_does_not_cut_a_gap() {
    let mut case = Case::new("AAPL", "1h", ["2019-01-08", "2019-01-09"]);
    case.stored = vec![utc("2019-01-08T14:00Z"), utc("2019-01-08T20:00Z")];
    case.known_empty = vec![utc("2019-01-08T17:00Z")..utc("2019-01-08T18:00Z")];

    assert_eq!(
        case.holes(),
        [
            "missing_data 2019-01-08T15:00 2019-01-08T20:00 4",
            "provider_empty 2019-01-08T17:00 2019-01-08T18:00 1",
        ]
    );
}

#[test]
fn reasons_name_dates_and_hours_of_the_exchange() {
    let case = Case::new("AAPL", "1h", ["2019-12-20T14:00Z", "2020-01-03T22:00Z"])
        .without(["2019-12-20T14:00Z", "2019-12-20T16:00Z"])
        .without(["2019-12-27", "2019-12-28"])
        .without(["2020-01-03T15:00Z", "2020-01-03T18:00Z"]);

    insta::assert_snapshot!(case.reasons().join("\n"));
}

#[test]
fn nothing_is_guessed_where_the_holidays_are_not_known() {
    // Christmas of a year after the calendar's last one.
    let case = Case::new("AAPL", "1d", ["2040-12-25", "2040-12-27"]);
    let case = case.without(["2040-12-25", "2040-12-26"]);
    assert_eq!(
        case.holes(),
        ["unlisted_closure 2040-12-25T00:00 2040-12-25T21:00 1"]
    );

    let reasons = case.reasons();
    let ending = "; the calendar us_equities does not know the holidays of this time";
    assert!(
        reasons.iter().any(|reason| reason.ends_with(ending)),
        "{reasons:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_walk_agrees_with_a_search_for_every_slot(
        symbol in prop::sample::select(vec!["AAPL", "EURUSD", "crypto:BTC/USD"]),
        timeframe in prop::sample::select(vec!["15m", "1h", "4h", "1d"]),
        holes in prop::collection::vec((0.0_f64..1.0, 1_usize..40), 0..12),
        empty in prop::collection::vec((0.0_f64..1.0, 1_usize..20), 0..3),
        shift in 0_i64..2,
    ) {
        let mut case = Case::new(symbol, timeframe, ["2019-10-01", "2019-12-31"]);
        for (place, length) in holes {
            let from = ((place * case.stored.len() as f64) as usize).min(case.stored.len());
            let until = (from + length).min(case.stored.len());
            case.stored.drain(from..until);
        }
        // Half past the hour lies in the slot, too.
        let half_bar = case.key.timeframe.micros() / 2;
        for open in &mut case.stored {
            *open = open.plus_micros(shift * half_bar.min(1_800_000_000) / 2);
        }

        // Labels that do not ascend are searched for one by one.
        let mut descending = case.stored.clone();
        descending.reverse();
        let by_search = missing(&case.slots, &descending);
        prop_assert_eq!(&missing_slots(&case.slots, &case.stored, &[]), &by_search);
        prop_assert_eq!(&missing(&case.slots, &case.stored), &by_search);
        let runs: Vec<(Utc, Utc, u64)> = gaps(&case.slots, &descending)
            .iter()
            .map(|gap| (gap.start, gap.end, gap.bars as u64))
            .collect();
        let fetched: Vec<(Utc, Utc, u64)> =
            case.analysis().fetched().map(|gap| (gap.start, gap.end, gap.bars)).collect();
        prop_assert_eq!(fetched, runs);

        // With a ledger, every missing slot has exactly one class.
        for (place, length) in empty {
            let from = ((place * case.slots.len() as f64) as usize).min(case.slots.len() - 1);
            let until = (from + length).min(case.slots.len() - 1);
            if case.known_empty.last().is_none_or(|last| last.end <= case.slots[from].open) {
                case.known_empty.push(case.slots[from].open..case.slots[until].open);
            }
        }
        let analysis = case.analysis();
        let classed: u64 = analysis.stretches.iter().map(|stretch| stretch.bars).sum();
        prop_assert_eq!(classed, by_search.len() as u64);
        prop_assert_eq!(analysis.missing(), by_search.len() as u64);
        prop_assert!(analysis.stretches.is_sorted_by_key(|stretch| stretch.start));
    }
}

#[test]
fn every_class_has_its_name_in_json() {
    for class in GapClass::ALL {
        let json = serde_json::to_string(&class).unwrap();
        assert_eq!(json, format!("\"{class}\""));
    }
    let fetched: Vec<GapClass> = GapClass::ALL
        .into_iter()
        .filter(|class| class.is_fetched())
        .collect();
    assert_eq!(fetched, [UnlistedClosure, MissingData]);
}
