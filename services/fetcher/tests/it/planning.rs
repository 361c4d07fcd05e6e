//! What the plan of a fetch promises for every hole, timeframe and limit.

use std::collections::BTreeSet;
use std::ops::Range;

use fetcher::plan::{FetchPlan, FetchWish, SeriesFacts, plan};
use fetcher::{ClassMinimums, GapSettings};
use market::{Calendar, HourAnchor, Instrument, SeriesKey, Slot, Timeframe, Utc, expected};
use proptest::prelude::*;
use schemas::commands::FetchMode;
use schemas::manifests::EmptyInterval;

use crate::scripted::{DAY, HOUR, utc};

/// A series whose expected bars of a range are all stored.
struct Stored {
    key: SeriesKey,
    range: Range<Utc>,
    slots: Vec<Slot>,
    opens: Vec<Utc>,
    empty: Vec<EmptyInterval>,
    span_max: Option<i64>,
    tells_coverage: bool,
    settings: GapSettings,
    now: Utc,
}

impl Stored {
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
            opens: slots.iter().map(|slot| slot.open).collect(),
            now: range.end,
            key,
            range,
            slots,
            empty: Vec::new(),
            span_max: None,
            tells_coverage: true,
            settings: GapSettings::default(),
        }
    }

    fn facts(&self) -> SeriesFacts<'_> {
        SeriesFacts {
            key: &self.key,
            calendar: Calendar::for_key(&self.key),
            anchor: HourAnchor::ClockHour,
            stored: &self.opens,
            empty: &self.empty,
            coverage: self.tells_coverage.then(|| self.range.clone()),
            span_max: self.span_max,
            settings: &self.settings,
            now: self.now,
        }
    }

    fn plan(&self, wish: &FetchWish) -> FetchPlan {
        plan(wish, &self.facts()).unwrap()
    }

    fn punch(&mut self, hole: [&str; 2]) {
        let hole = utc(hole[0])..utc(hole[1]);
        self.opens.retain(|open| !hole.contains(open));
    }

    /// Labels of expected bars that are not stored.
    fn absent_opens(&self) -> Vec<Utc> {
        let stored: BTreeSet<Utc> = self.opens.iter().copied().collect();
        let opens = self.slots.iter().map(|slot| slot.open);
        opens.filter(|open| !stored.contains(open)).collect()
    }
}

fn wish(mode: FetchMode) -> FetchWish {
    FetchWish {
        mode,
        start: None,
        end: None,
        refetch: false,
    }
}

/// The slots that the segments of a plan cover, ascending.
fn requested_opens(plan: &FetchPlan, slots: &[Slot]) -> Vec<Utc> {
    let is_requested = |open: &Utc| {
        let mut segments = plan.segments.iter();
        segments.any(|segment| segment.range.contains(open))
    };
    let opens = slots.iter().map(|slot| slot.open);
    opens.filter(is_requested).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn requests_are_legal_disjoint_and_cover_every_missing_bar(
        symbol in prop::sample::select(vec!["AAPL", "EURUSD", "crypto:BTC/USD"]),
        timeframe in prop::sample::select(vec!["15m", "1h", "4h", "1d"]),
        span_days in prop::option::of(1_i64..40),
        holes in prop::collection::vec((0.0_f64..1.0, 3_usize..200), 0..6),
        mode in prop::sample::select(vec![FetchMode::Full, FetchMode::Tail, FetchMode::Backfill]),
    ) {
        let range = ["2019-10-01T00:00:00Z", "2020-04-01T00:00:00Z"];
        let mut stored = Stored::new(symbol, timeframe, range);
        stored.span_max = span_days.map(|days| days * DAY);
        for (place, length) in holes {
            let from = ((place * stored.opens.len() as f64) as usize).min(stored.opens.len());
            let until = (from + length).min(stored.opens.len());
            stored.opens.drain(from..until);
        }
        let made = stored.plan(&wish(mode));

        // Legal and disjoint, in whatever order.
        let mut ranges: Vec<Range<Utc>> =
            made.segments.iter().map(|segment| segment.range.clone()).collect();
        ranges.sort_by_key(|range| range.start);
        prop_assert!(ranges.iter().all(|range| range.start < range.end));
        prop_assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
        if let Some(span) = stored.span_max {
            prop_assert!(ranges.iter().all(|range| range.end.0 - range.start.0 <= span));
        }

        // Every missing bar that is complete is asked for.
        let may_change_for = if stored.key.timeframe.is_intraday() { 0 } else { HOUR / 2 };
        let looked_at = made.range.clone().unwrap_or(Utc(0)..Utc(0));
        let absent: BTreeSet<Utc> = stored.absent_opens().into_iter().collect();
        let completed = stored.slots.iter().filter(|slot| {
            looked_at.contains(&slot.open)
                && absent.contains(&slot.open)
                && slot.close.plus_micros(may_change_for) <= stored.now
        });
        let mut bars = 0;
        for slot in completed {
            bars += 1;
            let is_requested = ranges.iter().any(|range| range.contains(&slot.open));
            prop_assert!(is_requested, "{} is not asked for", slot.open);
        }
        prop_assert_eq!(made.missing, bars);
        prop_assert_eq!(made.segments.iter().map(|segment| segment.bars).sum::<u64>(), bars);

        // The same plan on a second run.
        prop_assert_eq!(stored.plan(&wish(mode)), made);
    }
}

#[test]
fn requests_for_prices_less_dividends_hold_a_stored_bar() {
    let year = ["2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z"];
    let before_first = ["2019-01-01T00:00:00Z", "2019-03-01T00:00:00Z"];
    let after_last = ["2019-11-01T00:00:00Z", "2020-01-01T00:00:00Z"];
    let holds_stored = |series: &Stored| -> Vec<bool> {
        let plan = series.plan(&wish(FetchMode::Full));
        let segments = plan.segments.iter();
        let held = segments.map(|each| series.opens.iter().any(|open| each.range.contains(open)));
        held.collect()
    };

    for hole in [before_first, after_last] {
        let mut series = Stored::new("AAPL", "1d", year);
        series.punch(hole);
        assert_eq!(holds_stored(&series), [false], "{hole:?}");

        let instrument = series.key.instrument.clone();
        series.key = SeriesKey::standard("yahoo_adjusted", instrument, Timeframe::DAY_1).unwrap();
        assert_eq!(holds_stored(&series), [true], "{hole:?}");
    }
}

#[test]
fn a_year_of_shares_with_nights_and_holidays_asks_for_nothing() {
    let year = ["2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z"];
    let mut stored = Stored::new("AAPL", "5m", year);

    // 252 sessions of 78 bars less 3 early closes (3 July, 29 November, 24 December) of 36 bars
    // each.
    assert_eq!(stored.opens.len(), 252 * 78 - 3 * 36);
    for tells_coverage in [true, false] {
        stored.tells_coverage = tells_coverage;
        for mode in [FetchMode::Full, FetchMode::Tail, FetchMode::Backfill] {
            let whole_year = FetchWish {
                start: Some(stored.range.start),
                end: Some(stored.range.end),
                ..wish(mode)
            };
            assert_eq!(stored.plan(&whole_year).segments, []);
        }
    }
}

#[test]
fn a_year_of_currencies_over_clock_changes_asks_for_nothing() {
    let year = ["2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z"];
    let mut stored = Stored::new("EURUSD", "5m", year);

    // 261 weekdays less New Year's Day and Christmas Day, 24 hours of 12 bars each.
    assert_eq!(stored.opens.len(), 259 * 24 * 12);
    for mode in [FetchMode::Full, FetchMode::Tail, FetchMode::Backfill] {
        assert_eq!(stored.plan(&wish(mode)).segments, []);
    }

    stored.tells_coverage = false;
    let whole_year = FetchWish {
        start: Some(stored.range.start),
        ..wish(FetchMode::Full)
    };
    assert_eq!(stored.plan(&whole_year).segments, []);
}

#[test]
fn each_punched_hole_is_asked_for_and_nothing_else() {
    let range = ["2019-01-02T00:00:00Z", "2019-03-01T00:00:00Z"];
    let holes = [
        // Monday 10:00 to 14:00, Friday afternoon, Wednesday to Monday, the day after a holiday.
        ("AAPL", ["2019-01-14T15:00:00Z", "2019-01-14T19:00:00Z"]),
        ("AAPL", ["2019-01-11T18:00:00Z", "2019-01-11T21:00:00Z"]),
        ("AAPL", ["2019-01-09T00:00:00Z", "2019-01-15T00:00:00Z"]),
        ("AAPL", ["2019-01-22T00:00:00Z", "2019-01-23T00:00:00Z"]),
        // Sunday evening.
        ("EURUSD", ["2019-01-13T22:00:00Z", "2019-01-14T00:00:00Z"]),
    ];

    for (symbol, hole) in holes {
        for timeframe in ["5m", "1h"] {
            let mut stored = Stored::new(symbol, timeframe, range);
            stored.punch(hole);
            let made = stored.plan(&wish(FetchMode::Full));

            let requested = requested_opens(&made, &stored.slots);
            assert_eq!(
                requested,
                stored.absent_opens(),
                "{symbol} {timeframe} {hole:?}"
            );
            assert!(!requested.is_empty());
        }
    }
}

#[test]
fn each_mode_looks_at_its_part() {
    let range = ["2019-01-02T00:00:00Z", "2019-03-01T00:00:00Z"];
    let mut stored = Stored::new("EURUSD", "1h", range);
    stored.span_max = Some(7 * DAY);
    let head = ["2019-01-02T00:00:00Z", "2019-01-05T00:00:00Z"];
    let hole = ["2019-01-16T00:00:00Z", "2019-01-17T00:00:00Z"];
    let tail = ["2019-02-26T00:00:00Z", "2019-03-01T00:00:00Z"];
    for part in [head, hole, tail] {
        stored.punch(part);
    }

    let inside = |parts: &[[&str; 2]]| -> Vec<Utc> {
        let mut opens = stored.absent_opens();
        let ranges: Vec<Range<Utc>> = parts
            .iter()
            .map(|part| utc(part[0])..utc(part[1]))
            .collect();
        opens.retain(|open| ranges.iter().any(|range| range.contains(open)));
        opens
    };
    let requested = |mode| requested_opens(&stored.plan(&wish(mode)), &stored.slots);
    assert_eq!(requested(FetchMode::Local), []);
    assert_eq!(requested(FetchMode::Backfill), inside(&[head]));
    assert_eq!(requested(FetchMode::Full), inside(&[head, hole, tail]));

    // The tail fetches the last stored bar again, so that the seam can be compared.
    let last = *stored.opens.last().unwrap();
    let mut with_overlap = inside(&[tail]);
    with_overlap.insert(0, last);
    assert_eq!(requested(FetchMode::Tail), with_overlap);
}

#[test]
fn an_old_tail_is_asked_for_up_to_the_present_without_a_hole() {
    let range = ["2019-01-02T00:00:00Z", "2019-06-01T00:00:00Z"];
    let mut stored = Stored::new("AAPL", "1h", range);
    stored.span_max = Some(30 * DAY);
    stored.punch(["2019-03-02T00:00:00Z", "2019-06-01T00:00:00Z"]);
    let made = stored.plan(&wish(FetchMode::Tail));

    let ranges: Vec<Range<Utc>> = made
        .segments
        .iter()
        .map(|segment| segment.range.clone())
        .collect();
    assert_eq!(ranges[0].start, *stored.opens.last().unwrap());
    assert!(
        ranges.windows(2).all(|pair| pair[0].end == pair[1].start),
        "{ranges:?}"
    );
    assert!(ranges.last().unwrap().end >= stored.slots.last().unwrap().close);
}

#[test]
fn a_backfill_begins_at_the_head_or_at_the_limit() {
    let range = ["2019-01-02T00:00:00Z", "2019-06-01T00:00:00Z"];
    let mut stored = Stored::new("EURUSD", "1h", range);
    stored.punch(["2019-01-02T00:00:00Z", "2019-05-28T00:00:00Z"]);

    let oldest = |plan: &FetchPlan| plan.segments.last().unwrap().range.start;
    let made = stored.plan(&wish(FetchMode::Backfill));
    assert_eq!(oldest(&made), stored.range.start);

    // A provider that does not say where it begins is asked for 30 days of hours.
    stored.tells_coverage = false;
    let made = stored.plan(&wish(FetchMode::Backfill));
    assert_eq!(oldest(&made), stored.now.plus_micros(-30 * DAY));
}

#[test]
fn an_end_in_the_future_is_cut_and_a_reversed_range_refused() {
    let range = ["2019-01-02T00:00:00Z", "2019-03-01T00:00:00Z"];
    let mut stored = Stored::new("EURUSD", "1h", range);
    stored.tells_coverage = false;
    stored.punch(["2019-02-20T00:00:00Z", "2019-03-01T00:00:00Z"]);

    let future = FetchWish {
        start: Some(utc("2019-02-01T00:00:00Z")),
        end: Some(utc("2030-01-01T00:00:00Z")),
        ..wish(FetchMode::Full)
    };
    let made = stored.plan(&future);
    assert!(
        made.warnings[0].contains("lies in the future"),
        "{:?}",
        made.warnings
    );
    let requested_end = |plan: &FetchPlan| plan.segments.iter().map(|each| each.range.end).max();
    assert!(requested_end(&made) <= Some(stored.now));

    let reversed = FetchWish {
        start: future.end,
        end: future.start,
        ..wish(FetchMode::Full)
    };
    assert!(plan(&reversed, &stored.facts()).is_err());
}

#[test]
fn bars_before_the_history_are_counted_and_not_asked_for() {
    let mut stored = Stored::new(
        "AAPL",
        "1h",
        ["2019-01-02T00:00:00Z", "2019-02-01T00:00:00Z"],
    );
    stored.range.start = utc("2019-01-10T00:00:00Z");
    stored.punch(["2019-01-02T00:00:00Z", "2019-01-10T00:00:00Z"]);

    let from_new_year = FetchWish {
        start: Some(utc("2019-01-02T00:00:00Z")),
        ..wish(FetchMode::Full)
    };
    let made = stored.plan(&from_new_year);
    assert_eq!(made.segments, []);
    assert_eq!(made.missing, 0);

    // 2, 3, 4, 7, 8 and 9 January, seven hours each.
    let counts = serde_json::to_value(made.gaps.counts()).unwrap();
    assert_eq!(counts["before_history"]["bars"], 42);
}

#[test]
fn small_holes_are_asked_for_from_the_threshold_on() {
    let range = ["2019-01-07T00:00:00Z", "2019-01-12T00:00:00Z"];
    let holes = [
        ("5m", ["2019-01-08T15:00:00Z", "2019-01-08T15:10:00Z"]),
        ("5m", ["2019-01-08T15:00:00Z", "2019-01-08T15:15:00Z"]),
        ("1m", ["2019-01-08T15:00:00Z", "2019-01-08T15:04:00Z"]),
        ("1m", ["2019-01-08T15:00:00Z", "2019-01-08T15:05:00Z"]),
        ("1h", ["2019-01-08T15:00:00Z", "2019-01-08T16:00:00Z"]),
    ];
    let requests = |settings: &GapSettings| -> Vec<usize> {
        let counts = holes.iter().map(|(timeframe, hole)| {
            let mut stored = Stored::new("AAPL", timeframe, range);
            stored.settings = settings.clone();
            stored.punch(*hole);
            stored.plan(&wish(FetchMode::Full)).segments.len()
        });
        counts.collect()
    };

    assert_eq!(requests(&GapSettings::default()), [0, 1, 0, 1, 1]);
    let other = GapSettings {
        min_bars_below_5m: 1,
        min_bars_below_1h: 4,
        min_bars_from_1h: 2,
        ..GapSettings::default()
    };
    assert_eq!(requests(&other), [0, 0, 1, 1, 0]);

    // What a class has instead counts in every timeframe, and for no other class.
    let of_class = |min_bars_of: ClassMinimums| GapSettings {
        min_bars_of,
        ..GapSettings::default()
    };
    let shares = of_class(ClassMinimums {
        stk: Some(4),
        ..ClassMinimums::default()
    });
    assert_eq!(requests(&shares), [0, 0, 1, 1, 0]);
    let crypto = of_class(ClassMinimums {
        crypto: Some(4),
        ..ClassMinimums::default()
    });
    assert_eq!(requests(&crypto), [0, 1, 0, 1, 1]);
}

#[test]
fn too_many_gaps_share_requests_and_none_is_dropped() {
    let range = ["2019-01-01T00:00:00Z", "2019-04-11T00:00:00Z"];
    let mut stored = Stored::new("crypto:BTC/USD", "15m", range);
    stored.span_max = Some(DAY);

    // On each of 100 days 05:00 and 18:00 are lost, 49 bars apart: more than half a day.
    stored.opens.retain(|open| {
        let hour = open.0.rem_euclid(DAY) / HOUR;
        hour != 5 && hour != 18
    });
    let requests = |stored: &Stored| {
        let made = stored.plan(&wish(FetchMode::Full));
        let requested = requested_opens(&made, &stored.slots);
        assert!(
            stored
                .absent_opens()
                .iter()
                .all(|open| requested.contains(open))
        );
        made.segments.len()
    };
    assert_eq!(requests(&stored), 200);

    stored.settings.ranges_max = 10;
    assert_eq!(requests(&stored), 100);
}

#[test]
fn the_ledger_holds_for_a_day_and_for_old_bars_for_ever() {
    let range = ["2019-01-02T00:00:00Z", "2019-03-01T00:00:00Z"];
    let mut stored = Stored::new("EURUSD", "1h", range);
    stored.punch(["2019-01-16T00:00:00Z", "2019-01-17T00:00:00Z"]);
    stored.punch(["2019-02-26T00:00:00Z", "2019-02-27T00:00:00Z"]);
    let asked_at = stored.now.plus_micros(-23 * HOUR);
    stored.empty = [("2019-01-16T00:00:00Z", 24), ("2019-02-26T00:00:00Z", 24)]
        .map(|(start, hours)| EmptyInterval {
            start: utc(start).0,
            end: utc(start).0 + hours * HOUR,
            asked_at: asked_at.0,
        })
        .to_vec();

    assert_eq!(stored.plan(&wish(FetchMode::Full)).segments, []);

    // Two hours later the answer about the younger bars has expired.
    stored.now = stored.now.plus_micros(2 * HOUR);
    let made = stored.plan(&wish(FetchMode::Full));
    let requested = requested_opens(&made, &stored.slots);
    assert_eq!(requested.len(), 24);
    assert!(requested[0] >= utc("2019-02-26T00:00:00Z"));

    // A refetch asks for everything, whatever the ledger says.
    let refetch = FetchWish {
        refetch: true,
        ..wish(FetchMode::Full)
    };
    let made = stored.plan(&refetch);
    assert_eq!(
        requested_opens(&made, &stored.slots).len(),
        stored.slots.len()
    );
}
