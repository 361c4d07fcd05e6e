//! One fixture per check: a clean series with one thing wrong gives that finding and no other.

use market::{
    Bars, Calendar, DayBoundary, HourAnchor, Instrument, SeriesKey, Session, Timeframe, Utc,
    close_times, expected,
};
use quality::{Check, Options, Report, Sample, Severity, check};

use Check::{
    Columns, DuplicateDiffering, DuplicateIdentical, Empty, HighBelowLow, HighTooLow, LowTooHigh,
    Missing, OffGrid, OffSession, Order, Outlier, PriceMove, PriceNotFinite, PriceNotPositive,
    Spike, Stale, Timestamp, Visibility, VolumeNegative, VolumeSpike, VolumeUnavailable,
    VolumeZero,
};
use Severity::{Critical, High, Info, Low, Medium};

const HOUR: i64 = 3_600_000_000;

pub(crate) fn key(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap()
}

pub(crate) fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

/// The first `length` expected bars from 2019-01-07 on: a walk of at most 0.1 % a bar, volume 1 000
/// to 2 000.
pub(crate) fn clean(key: &SeriesKey, length: usize) -> Bars {
    let calendar = Calendar::for_key(key);
    let range = utc("2019-01-07T00:00Z")..utc("2030-01-01T00:00Z");
    let slots = expected(
        calendar,
        key.timeframe,
        key.day_boundary,
        HourAnchor::ClockHour,
        range,
    );
    let mut bars = Bars::default();
    let mut state = 7_u64;
    let mut price = 100.0_f64;

    for slot in &slots[..length] {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 11) as f64 / (1_u64 << 53) as f64;
        let open = price;
        price *= 1.0 + 0.002 * (random - 0.5);
        bars.open_time.push(slot.open);
        bars.open.push(open);
        bars.high.push(open.max(price) * 1.0005);
        bars.low.push(open.min(price) * 0.9995);
        bars.close.push(price);
        bars.volume.push((1_000.0 + 1_000.0 * random).round());
    }
    bars.close_time = close_times(calendar, key, &bars.open_time).unwrap();
    bars
}

pub(crate) fn hours() -> (SeriesKey, Bars) {
    let key = key("AAPL", Timeframe::HOUR_1);
    let bars = clean(&key, 1_000);
    (key, bars)
}

pub(crate) fn report(key: &SeriesKey, bars: &Bars) -> Report {
    check(bars, key, Calendar::for_key(key), &Options::default())
}

/// Check, severity and number of bars of every finding.
pub(crate) fn findings_of(report: &Report) -> Vec<(Check, Severity, usize)> {
    report
        .findings
        .iter()
        .map(|finding| (finding.check, finding.severity, finding.count))
        .collect()
}

/// What is found when `change` has been done to 1 000 clean hours.
fn after(change: impl FnOnce(&mut Bars)) -> Vec<(Check, Severity, usize)> {
    let (key, mut bars) = hours();
    change(&mut bars);
    findings_of(&report(&key, &bars))
}

pub(crate) fn remove(bars: &mut Bars, range: std::ops::Range<usize>) {
    let rest = bars.slice(range.end..bars.len());
    *bars = bars.slice(0..range.start);
    bars.extend(&rest);
}

/// Sets all four prices of a row.
pub(crate) fn flatten(bars: &mut Bars, row: usize, price: f64) {
    (
        bars.open[row],
        bars.high[row],
        bars.low[row],
        bars.close[row],
    ) = (price, price, price, price);
}

#[test]
fn clean_bars_have_no_finding_and_score_100() {
    for symbol in ["AAPL", "EURUSD", "crypto:BTC/USD"] {
        for timeframe in [
            Timeframe::MINUTE_5,
            Timeframe::HOUR_1,
            Timeframe::HOUR_4,
            Timeframe::DAY_1,
        ] {
            let key = key(symbol, timeframe);
            let report = report(&key, &clean(&key, 1_000));
            assert_eq!(findings_of(&report), [], "{key}");
            assert_eq!(
                (report.score.total, report.healthy, report.expected),
                (100.0, true, 1_000),
                "{key}"
            );
        }
    }
}

#[test]
fn no_bars_are_critical() {
    let report = report(&key("AAPL", Timeframe::HOUR_1), &Bars::default());
    assert_eq!(findings_of(&report), [(Empty, Critical, 0)]);
    assert_eq!(
        (
            report.score.total,
            report.healthy,
            report.critical().count()
        ),
        (0.0, false, 1)
    );
}

#[test]
fn columns_of_different_lengths_are_critical_and_end_the_checks() {
    assert_eq!(
        after(|bars| bars.low.truncate(999)),
        [(Columns, Critical, 1_000)]
    );
}

#[test]
fn labels_before_1900_and_in_the_future_are_critical() {
    let (key, mut bars) = hours();
    bars.open_time[0] = utc("1899-12-31T23:59:59Z");
    let now = bars.open_time[998].plus_micros(-2 * HOUR);
    let report = check(
        &bars,
        &key,
        Calendar::for_key(&key),
        &Options {
            now: Some(now),
            ..Options::default()
        },
    );

    assert_eq!(findings_of(&report), [(Timestamp, Critical, 3)]); // 998 is two hours after now, one more than a bar
    assert_eq!(
        report.findings[0].rows[0],
        Sample {
            row: Some(0),
            time: utc("1899-12-31T23:59:59Z")
        }
    );
}

#[test]
fn a_stray_label_does_not_ask_for_a_century_of_minutes() {
    let key = key("crypto:BTC/USD", Timeframe::MINUTE_1);
    let mut bars = clean(&key, 100);
    bars.open_time[0] = Utc(0);
    let report = report(&key, &bars);
    assert_eq!(
        (findings_of(&report), report.score.total, report.healthy),
        (vec![(Timestamp, Critical, 100)], 0.0, false)
    );
    let text =
        "from 1970-01-01T00:00:00Z to 2019-01-07T01:39:00Z are more 1m bars than can be checked";
    assert_eq!(report.findings[0].message, text);
}

#[test]
fn rows_out_of_order_are_reported_and_sorted() {
    let swapped = after(|bars| {
        let first_half = bars.slice(0..500);
        *bars = bars.slice(500..1_000);
        bars.extend(&first_half);
    });
    assert_eq!(swapped, [(Order, Medium, 500)]);
}

#[test]
fn identical_duplicates_are_low_and_differing_ones_medium() {
    let duplicates = after(|bars| {
        let mut again = bars.slice(998..1_000);
        again.volume[1] += 1.0;
        bars.extend(&again);
    });

    // Row 1 000 is also older than row 999 above it.
    assert_eq!(
        duplicates,
        [
            (Order, Medium, 1),
            (DuplicateIdentical, Low, 1),
            (DuplicateDiffering, Medium, 1)
        ]
    );
}

#[test]
fn of_differing_duplicates_the_last_is_checked() {
    let duplicates = after(|bars| {
        let good = bars.slice(999..1_000);
        bars.high[999] = f64::NAN;
        bars.extend(&good);
    });
    assert_eq!(duplicates, [(DuplicateDiffering, Medium, 1)]);
}

#[test]
fn a_bar_while_the_market_is_closed_is_low() {
    let saturday = after(|bars| {
        let mut bar = bars.slice(999..1_000);
        (bar.open_time[0], bar.close_time[0]) =
            (utc("2019-01-12T15:00Z"), utc("2019-01-12T16:00Z"));
        bars.extend(&bar);
    });
    assert_eq!(saturday, [(Order, Medium, 1), (OffSession, Low, 1)]);
}

#[test]
fn labels_that_the_timeframe_does_not_have_are_high() {
    assert_eq!(
        after(|bars| bars.open_time[10].0 += 17 * 60_000_000),
        [(OffGrid, High, 1)]
    );
    // Half-hours stored as hours: each second bar is one too many in its slot, on both anchors.
    let key = key("AAPL", Timeframe::HOUR_1);
    let mut half_hours = key.clone();
    half_hours.timeframe = Timeframe::MINUTE_30;
    let mut bars = clean(&half_hours, 1_300);
    bars.close_time = close_times(Calendar::for_key(&key), &key, &bars.open_time).unwrap();

    assert_eq!(findings_of(&report(&key, &bars)), [(OffGrid, High, 600)]);
    // A daily bar labelled with midnight in New York.
    let mut key = key;
    key.timeframe = Timeframe::DAY_1;
    let mut bars = clean(&key, 100);
    bars.open_time[50].0 += 5 * HOUR;
    assert_eq!(findings_of(&report(&key, &bars)), [(OffGrid, High, 1)]);
}

#[test]
fn hours_counted_from_the_open_are_as_good_as_clock_hours() {
    let (key, mut bars) = hours();
    let calendar = Calendar::for_key(&key);
    let range = utc("2019-01-07T00:00Z")..utc("2030-01-01T00:00Z");
    let slots = expected(
        calendar,
        key.timeframe,
        DayBoundary::SessionClose,
        HourAnchor::SessionOpen,
        range,
    );
    bars.open_time = slots[..1_000].iter().map(|slot| slot.open).collect();
    bars.close_time = slots[..1_000].iter().map(|slot| slot.close).collect();

    assert_eq!(findings_of(&report(&key, &bars)), []);
}

#[test]
fn a_short_first_bar_labelled_by_the_open_is_right() {
    let first = |bars: &mut Bars| {
        bars.open_time
            .iter_mut()
            .step_by(7)
            .for_each(|open| open.0 += HOUR / 2)
    };
    let (key, mut bars) = hours();
    bars = bars.slice(0..70); // ten days of seven bars
    first(&mut bars);
    assert_eq!(findings_of(&report(&key, &bars)), []);
}

#[test]
fn a_close_time_before_the_bar_was_known_is_critical() {
    assert_eq!(
        after(|bars| bars.close_time[10] = bars.open_time[10]),
        [(Visibility, Critical, 1)]
    );
}

#[test]
fn prices_that_are_no_numbers_are_high() {
    let none = after(|bars| (bars.open[10], bars.close[20]) = (f64::NAN, f64::INFINITY));
    assert_eq!(none, [(PriceNotFinite, High, 2)]);
}

#[test]
fn prices_of_zero_or_less_are_critical() {
    assert_eq!(
        after(|bars| bars.low[10] = 0.0),
        [(PriceNotPositive, Critical, 1)]
    );
}

#[test]
fn a_high_or_low_inside_of_open_and_close_is_high() {
    assert_eq!(
        after(|bars| bars.high[10] = bars.open[10].max(bars.close[10]) * 0.9999),
        [(HighTooLow, High, 1)]
    );

    assert_eq!(
        after(|bars| bars.low[10] = bars.open[10].min(bars.close[10]) * 1.0001),
        [(LowTooHigh, High, 1)]
    );
    // Rounding is not an error.
    assert_eq!(
        after(|bars| bars.high[10] = bars.open[10].max(bars.close[10]) * (1.0 - 1e-10)),
        []
    );
}

#[test]
fn a_high_below_the_low_is_critical_and_said_once() {
    let crossed = after(|bars| (bars.high[10], bars.low[10]) = (bars.low[10], bars.high[10]));
    assert_eq!(crossed, [(HighBelowLow, Critical, 1)]);
}

#[test]
fn a_volume_of_minus_one_is_info_and_other_negative_ones_medium() {
    let volumes =
        after(|bars| (bars.volume[10], bars.volume[20], bars.volume[30]) = (-1.0, -2.0, f64::NAN));
    assert_eq!(
        volumes,
        [(VolumeUnavailable, Info, 1), (VolumeNegative, Medium, 1)]
    );
}

#[test]
fn bars_without_volume_are_low_medium_or_high_by_their_share() {
    let zeros = |count: usize| after(|bars| bars.volume[..count].fill(0.0));
    assert_eq!(zeros(200), [(VolumeZero, Low, 200)]);
    assert_eq!(zeros(201), [(VolumeZero, Medium, 201)]);
    assert_eq!(zeros(501), [(VolumeZero, High, 501)]);
    // Quotes have none.
    let key = key("EURUSD", Timeframe::HOUR_1);
    let mut bars = clean(&key, 100);
    bars.volume.fill(0.0);
    assert_eq!(findings_of(&report(&key, &bars)), []);
}

#[test]
fn over_a_hundred_times_the_median_volume_is_a_spike() {
    // The median of the fixture is about 1 500.
    assert_eq!(
        after(|bars| (bars.volume[700], bars.volume[800]) = (200_000.0, 100_000.0)),
        [(VolumeSpike, Medium, 1)]
    );
}

/// Multiplies every price from `row` on.
fn shift(bars: &mut Bars, row: usize, factor: f64) {
    for column in [
        &mut bars.open,
        &mut bars.high,
        &mut bars.low,
        &mut bars.close,
    ] {
        column[row..].iter_mut().for_each(|price| *price *= factor);
    }
}

#[test]
fn large_moves_depend_on_the_timeframe() {
    // Row 700 is the first of its day, so that the return over the night is compared with no other.
    assert_eq!(
        after(|bars| shift(bars, 700, 1.15)),
        [(PriceMove, Medium, 1)]
    );

    assert_eq!(after(|bars| shift(bars, 700, 0.75)), [(PriceMove, High, 1)]);
    let key = key("AAPL", Timeframe::DAY_1);
    for (factor, severity) in [(1.3, Medium), (1.55, High)] {
        let mut bars = clean(&key, 1_000);
        shift(&mut bars, 700, factor);
        assert_eq!(
            findings_of(&report(&key, &bars)),
            [(PriceMove, severity, 1), (Outlier, Medium, 1)]
        );
    }
}

#[test]
fn a_move_over_missing_bars_is_none() {
    let moved = after(|bars| {
        shift(bars, 702, 0.75);
        remove(bars, 701..702);
    });
    assert_eq!(moved, [(Missing, Low, 1)]);
}

#[test]
fn an_extreme_return_is_a_spike_if_the_next_bar_undoes_it() {
    // Returns are uniform in ±0.1 %: median 0, MAD 0.05 %, scale 0.074 %. 1 % is z 13, 3 % is z 40.
    assert_eq!(after(|bars| shift(bars, 703, 1.01)), [(Outlier, Medium, 1)]);
    assert_eq!(after(|bars| shift(bars, 703, 1.03)), [(Outlier, Medium, 1)]);
    let spike = after(|bars| {
        shift(bars, 703, 1.03);
        shift(bars, 704, 1.0 / 1.03);
    });
    assert_eq!(spike, [(Outlier, Medium, 1), (Spike, High, 1)]); // there, and back
}

#[test]
fn one_price_for_many_bars_is_stale() {
    let run = |from: usize, length: usize| {
        let key = key("EURUSD", Timeframe::HOUR_1);
        let mut bars = clean(&key, 1_000);
        let price = bars.close[from - 1];
        (from..from + length).for_each(|row| flatten(&mut bars, row, price));
        let after = bars.open[from + length];
        shift(&mut bars, from + length, price / after);
        findings_of(&report(&key, &bars))
    };

    assert_eq!(run(600, 9), []);
    assert_eq!(run(600, 10), [(Stale, Medium, 10)]);
    assert_eq!(run(600, 50), [(Stale, High, 50)]);
    // Seven hours a day: the night ends every run.
    let (key, mut bars) = hours();
    let price = bars.close[600];
    (600..650).for_each(|row| flatten(&mut bars, row, price));
    assert!(
        !findings_of(&report(&key, &bars))
            .iter()
            .any(|finding| finding.0 == Stale)
    );
}

#[test]
fn missing_bars_are_weighed_by_their_share_and_listed_as_gaps() {
    assert_eq!(after(|bars| remove(bars, 100..150)), [(Missing, Low, 50)]);

    assert_eq!(
        after(|bars| remove(bars, 100..151)),
        [(Missing, Medium, 51)]
    );
    assert_eq!(after(|bars| remove(bars, 100..201)), [(Missing, High, 101)]);
    let (key, mut bars) = hours();
    let gone: Vec<Utc> = (1..7).map(|hole| bars.open_time[hole * 100]).collect();
    (1..7)
        .rev()
        .for_each(|hole| remove(&mut bars, hole * 100..hole * 100 + 2));
    let report = report(&key, &bars);
    assert_eq!(
        (report.missing, report.gap_count, report.gaps.len()),
        (12, 6, 5)
    );
    assert_eq!(
        report.findings[0].message,
        "12 of 1000 expected bars (1.20 %) are missing, in 6 gaps"
    );
    assert_eq!(
        report.gaps.iter().map(|gap| gap.start).collect::<Vec<_>>(),
        gone[..5]
    );
    assert!(report.gaps.iter().all(|gap| gap.bars == 2));
}

#[test]
fn a_range_asks_for_more_bars_and_known_empty_slots_for_fewer() {
    let (key, bars) = hours();
    let first = bars.open_time[100];
    let last = bars.open_time[900];
    let range = bars.open_time[0]..bars.open_time[999].plus_micros(1);
    let empty = [bars.open_time[0]..first];
    let options = Options {
        range: Some(range),
        known_empty: &empty,
        ..Options::default()
    };
    let report = check(
        &bars.slice(100..900),
        &key,
        Calendar::for_key(&key),
        &options,
    );

    assert_eq!(
        (report.expected, report.known_empty, report.missing),
        (1_000, 100, 100)
    );
    assert_eq!((report.gap_count, report.gaps[0].start), (1, last));
    // 800 of 900.
    assert!((report.score.completeness - 8.0 / 9.0).abs() < 1e-12 && !report.healthy);
}

#[test]
fn dates_that_the_calendar_does_not_know_miss_nothing() {
    let key = key("AAPL", Timeframe::DAY_1);
    let mut old = clean(&key, 1);
    (old.open_time[0], old.close_time[0]) = (utc("1997-12-31T00:00Z"), utc("1997-12-31T21:00Z"));
    let options = Options {
        range: Some(utc("1997-01-01T00:00Z")..utc("1998-01-01T00:00Z")),
        ..Options::default()
    };
    let report = check(&old, &key, Calendar::for_key(&key), &options);
    assert_eq!(
        (findings_of(&report), report.expected),
        (vec![(Check::Calendar, Info, 1)], 0)
    );
}

#[test]
fn the_score_weighs_completeness_integrity_and_plausibility() {
    let (key, mut bars) = hours();
    remove(&mut bars, 100..120); // completeness 980 / 1000
    (0..7).for_each(|row| bars.high[row] = f64::NAN); // integrity 1 - 7 / 980
    bars.volume[700] = 1e6; // plausibility 1 - 10 / 980
    let report = report(&key, &bars);

    // 100 · (0.5 · 0.98 + 0.3 · 0.992857 + 0.2 · 0.989796) = 98.58
    assert_eq!(report.score.total, 98.6);
    assert!(
        !report.healthy,
        "seven high bars are more than max(5, 0.98)"
    );
    bars.high[0] = bars.open[0].max(bars.close[0]);
    bars.high[1] = bars.open[1].max(bars.close[1]);
    assert!(check(&bars, &key, Calendar::for_key(&key), &Options::default()).healthy);
}

#[test]
fn a_report_reads_as_json() {
    let (key, mut bars) = hours();
    bars = bars.slice(0..100);
    (bars.high[3], bars.low[5], bars.volume[7]) = (f64::NAN, 0.0, -1.0);
    remove(&mut bars, 50..53);
    insta::assert_json_snapshot!(report(&key, &bars));
}

proptest::proptest! {
    #[test]
    fn whatever_the_rows_hold_there_is_a_report_with_a_score(
        rows in proptest::collection::vec((0_usize..40, -3_i64..30, proptest::array::uniform5(-2_i8..8)), 0..60),
        timeframe in proptest::sample::select(&Timeframe::COMMON[..]), symbol in proptest::sample::select(vec!["AAPL", "EURUSD"]),
    ) {
        let key = key(symbol, timeframe);
        let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e300, 1e-300, 100.0, 101.0, 102.0];
        let mut bars = Bars::default();
        for (place, offset, values) in rows {
            let label = utc("2019-01-04T00:00Z").0 + place as i64 * timeframe.micros() + offset * 60_000_000;
            bars.open_time.push(if place == 0 && offset == -3 { Utc(i64::MAX) } else { Utc(label) });
            bars.close_time.push(Utc(label).plus_micros(timeframe.micros()));
            let value = |index: usize| strange[(values[index] + 2) as usize];
            let columns = [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close, &mut bars.volume];
            columns.into_iter().enumerate().for_each(|(index, column)| column.push(value(index)));
        }
        let report = report(&key, &bars);
        proptest::prop_assert!((0.0..=100.0).contains(&report.score.total), "{:?}", report.score);
        proptest::prop_assert!(report.findings.iter().all(|finding| finding.rows.len() <= 5));
        proptest::prop_assert_eq!(report.healthy && report.critical().next().is_some(), false);
    }
}

#[test]
fn extended_hours_have_their_own_grid() {
    let mut key = key("AAPL", Timeframe::HOUR_1);
    key.session = Session::Extended;
    let report = report(&key, &clean(&key, 160)); // 16 hours a day
    assert_eq!((findings_of(&report), report.expected), (vec![], 160));
}
