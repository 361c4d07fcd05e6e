//! Resampling: golden bars, sessions worked by hand, and a slow implementation, bar by bar.

use std::collections::BTreeMap;
use std::io::Read;

use market::{
    Bars, Calendar, DayBoundary, HourAnchor, Instrument, Resampled, Resampling, SeriesKey,
    Timeframe, Utc, can_resample, close_times, expected,
};
use proptest::prelude::*;

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(
        text.parse()
            .unwrap_or_else(|_| format!("{text}T00:00Z").parse().unwrap()),
    )
}

fn timeframe(text: &str) -> Timeframe {
    text.parse().unwrap()
}

fn key(symbol: &str, length: &str) -> SeriesKey {
    let instrument = Instrument::parse(symbol).unwrap();
    SeriesKey::standard("file", instrument, timeframe(length)).unwrap()
}

/// Bars with these labels, known as the calendar says; prices and volumes count up from 1.
fn bars_at(key: &SeriesKey, labels: &[Utc]) -> Bars {
    let prices: Vec<f64> = (1..=labels.len()).map(|number| number as f64).collect();
    Bars {
        open_time: labels.to_vec(),
        close_time: close_times(Calendar::for_key(key), key, labels).unwrap(),
        high: prices.iter().map(|price| price + 0.75).collect(),
        low: prices.iter().map(|price| price - 0.5).collect(),
        close: prices.iter().map(|price| price + 0.25).collect(),
        volume: prices.clone(),
        open: prices,
    }
}

/// Every bar that the calendar expects between two instants.
fn expected_bars(key: &SeriesKey, from: &str, to: &str) -> Bars {
    let anchor = HourAnchor::of_boundary(key.day_boundary);
    let slots = expected(
        Calendar::for_key(key),
        key.timeframe,
        key.day_boundary,
        anchor,
        utc(from)..utc(to),
    );
    let labels: Vec<Utc> = slots.iter().map(|slot| slot.open).collect();
    bars_at(key, &labels)
}

fn resampling<'a>(source: &'a SeriesKey, target: &str) -> Resampling<'a> {
    Resampling {
        source,
        calendar: Calendar::for_key(source),
        timeframe: timeframe(target),
        anchor: HourAnchor::of_boundary(source.day_boundary),
        keeps_partial: false,
    }
}

fn resample(source: &SeriesKey, bars: &Bars, target: &str) -> Resampled {
    resampling(source, target).run(bars.as_slice()).unwrap()
}

/// `2024-07-03T13:30 17:00 1/4.75/0.5/4.25 10`: label, known from, prices, volume.
fn describe(bars: &Bars) -> Vec<String> {
    let minutes = |instant: Utc| format!("{:.16}", instant.to_string());

    (0..bars.len())
        .map(|row| {
            format!(
                "{} {} {}/{}/{}/{} {}",
                minutes(bars.open_time[row]),
                minutes(bars.close_time[row]),
                bars.open[row],
                bars.high[row],
                bars.low[row],
                bars.close[row],
                bars.volume[row]
            )
        })
        .collect()
}

/// A golden file of the engine.
fn golden(name: &str, key: &SeriesKey) -> Bars {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/data");
    let packed = std::fs::read(format!("{folder}/{name}.csv.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();

    let mut bars = Bars::default();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |column: usize| cells[column].parse::<f64>().unwrap();
        bars.open_time.push(utc(cells[0]));
        bars.open.push(number(1));
        bars.high.push(number(2));
        bars.low.push(number(3));
        bars.close.push(number(4));
        bars.volume.push(f64::NAN);
    }
    bars.close_time = close_times(Calendar::for_key(key), key, &bars.open_time).unwrap();
    bars
}

#[test]
fn real_hours_become_the_golden_four_hours_and_days() {
    let hours = key("EURUSD", "1h");
    let source = golden("eurusd_1h", &hours);

    for target in ["4h", "1d"] {
        let golden_bars = golden(&format!("eurusd_{target}"), &key("EURUSD", target));
        let mut whole = resampling(&hours, target);
        whole.keeps_partial = true;
        let made = whole.run(source.as_slice()).unwrap();

        assert_eq!(made.outside, 0);
        assert_eq!(made.bars.open_time, golden_bars.open_time, "{target}");
        assert_eq!(made.bars.open, golden_bars.open, "{target}");
        assert_eq!(made.bars.high, golden_bars.high, "{target}");
        assert_eq!(made.bars.low, golden_bars.low, "{target}");
        assert_eq!(made.bars.close, golden_bars.close, "{target}");
        assert_eq!(made.bars.close_time, golden_bars.close_time, "{target}");

        // The last two hours are the beginning of a bar: it is left out.
        let closed = resample(&hours, &source, target);
        assert_eq!(closed.bars.len(), golden_bars.len() - 1);
        assert_eq!(closed.partial, 2);
    }
}

#[test]
fn four_hours_of_new_york_follow_early_closes_and_clocks() {
    let halves = key("AAPL", "30m");

    // 13 half hours from 09:30 to 16:00, and 7 on the day before Independence Day.
    let july = expected_bars(&halves, "2024-07-02", "2024-07-04");
    let made = resample(&halves, &july, "4h");
    assert_eq!(
        describe(&made.bars),
        [
            // Half hours 1 to 8: 1+2+…+8 = 36.
            "2024-07-02T13:30 2024-07-02T17:30 1/8.75/0.5/8.25 36",
            // 9 to 13: 55.
            "2024-07-02T17:30 2024-07-02T20:00 9/13.75/8.5/13.25 55",
            // 14 to 20, known at the early close: 119.
            "2024-07-03T13:30 2024-07-03T17:00 14/20.75/13.5/20.25 119",
        ]
    );
    assert_eq!(made.sources, [8, 5, 7]);

    // Clocks go forward on Sunday 2024-03-10: Friday opens at 14:30 UTC, Monday at 13:30.
    let march = expected_bars(&halves, "2024-03-08", "2024-03-12");
    let made = resample(&halves, &march, "1d");
    assert_eq!(
        describe(&made.bars),
        [
            // 1 to 13: 91; 14 to 26: 260.
            "2024-03-08T00:00 2024-03-08T21:00 1/13.75/0.5/13.25 91",
            "2024-03-11T00:00 2024-03-11T20:00 14/26.75/13.5/26.25 260",
        ]
    );
}

#[test]
fn currency_hours_become_bars_from_1700_new_york() {
    let mut hours = key("EURUSD", "1h");
    hours.day_boundary = DayBoundary::SessionClose;

    // From Sunday 17:00 New York, 21:00 UTC in summer, to Tuesday 17:00.
    let bars = expected_bars(&hours, "2024-07-07T21:00Z", "2024-07-09T21:00Z");
    let four_hours = resample(&hours, &bars, "4h").bars;
    assert_eq!(four_hours.len(), 12);
    assert_eq!(four_hours.open_time[0], utc("2024-07-07T21:00Z"));
    assert_eq!(four_hours.open_time[1], utc("2024-07-08T01:00Z"));

    // Sunday evening belongs to Monday: 24 hours each, 1+…+24 = 300, 25+…+48 = 876.
    let days = resample(&hours, &bars, "1d");
    assert_eq!(
        describe(&days.bars),
        [
            "2024-07-08T00:00 2024-07-08T21:00 1/24.75/0.5/24.25 300",
            "2024-07-09T00:00 2024-07-09T21:00 25/48.75/24.5/48.25 876",
        ]
    );
}

#[test]
fn weeks_and_months_hold_their_trading_dates() {
    let days = key("AAPL", "1d");

    // May 2024 ends on a Friday; the 27th is a holiday: 22 trading dates.
    let bars = expected_bars(&days, "2024-05-01", "2024-06-01");
    let weeks = resample(&days, &bars, "1w");
    let mondays = [
        "2024-04-29",
        "2024-05-06",
        "2024-05-13",
        "2024-05-20",
        "2024-05-27",
    ];
    assert_eq!(weeks.bars.open_time, mondays.map(utc));
    assert_eq!(weeks.sources, [3, 5, 5, 5, 4]);
    // The first week lacks Monday and Tuesday.
    assert_eq!(weeks.complete, [false, true, true, true, true]);

    let months = resample(&days, &bars, "1mo");
    assert_eq!(
        describe(&months.bars),
        ["2024-05-01T00:00 2024-05-31T20:00 1/22.75/0.5/22.25 253"]
    );
}

#[test]
fn unknown_volumes_stay_unknown_and_known_ones_add_up() {
    let hours = key("crypto:BTC/USD", "1h");
    let mut bars = expected_bars(&hours, "2024-01-01", "2024-01-01T08:00Z");
    bars.volume = [1.0, f64::NAN, 2.0, 3.0].to_vec();
    bars.volume.extend([f64::NAN; 4]);

    let made = resample(&hours, &bars, "4h").bars;

    assert_eq!(made.volume[0], 6.0);
    assert!(made.volume[1].is_nan());
}

#[test]
fn a_bucket_without_bars_is_absent() {
    let hours = key("crypto:BTC/USD", "1h");
    let labels = [
        "2024-01-01T01:00Z",
        "2024-01-01T09:00Z",
        "2024-01-01T11:00Z",
    ]
    .map(utc);

    let made = resample(&hours, &bars_at(&hours, &labels), "2h");

    // 00:00 has its second hour, 08:00 its second, 10:00 its second: nothing between.
    let begun = ["2024-01-01T00:00Z", "2024-01-01T08:00Z"].map(utc);
    assert_eq!(made.bars.open_time, begun);
    assert_eq!(made.complete, [false, false]);
    assert_eq!(made.partial, 1);
}

#[test]
fn bars_after_an_early_close_belong_to_no_bucket() {
    let hours = key("AAPL", "1h");
    let labels = [
        "2024-07-03T16:30Z",
        "2024-07-03T18:30Z",
        "2024-07-05T13:30Z",
    ]
    .map(utc);

    let made = resample(&hours, &bars_at(&hours, &labels), "1d");

    assert_eq!(made.outside, 1);
    assert_eq!(made.bars.open_time, [utc("2024-07-03")]);
}

#[test]
fn what_cannot_be_put_together_is_refused() {
    let refusal = |source: &str, target: &str| {
        let key = key("EURUSD", source);
        let bars = bars_at(&key, &[utc("2024-01-01")]);
        let error = resampling(&key, target).run(bars.as_slice()).unwrap_err();
        format!("{error}\n  hint: {}", error.hint())
    };

    let refusals = [
        refusal("4h", "1h"),
        refusal("1h", "60m"),
        refusal("7m", "1h"),
        refusal("1w", "1mo"),
        refusal("2d", "1w"),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn a_bar_in_two_days_is_refused() {
    // Four hours from 17:00 New York reach over midnight UTC.
    let key = key("EURUSD", "4h");
    let labels = [
        "2024-07-02T17:00Z",
        "2024-07-02T21:00Z",
        "2024-07-03T01:00Z",
    ]
    .map(utc);

    let refused = resampling(&key, "1d").run(bars_at(&key, &labels).as_slice());

    assert_eq!(
        refused.unwrap_err().to_string(),
        "the 4h bar of 2024-07-02T21:00:00Z lies in two 1d bars"
    );
}

#[test]
fn only_whole_numbers_of_bars_are_put_together() {
    let can = |source, target| can_resample(timeframe(source), timeframe(target));

    assert!(can("1m", "7m") && can("1h", "1d") && can("4h", "1mo") && can("1d", "2w"));
    assert!(!can("1d", "24h") && !can("1w", "1mo") && !can("2h", "3h") && !can("1h", "1h"));
}

/// The label of the bucket of a bar that is known at `close`, found by looking at every session.
fn slow_label(key: &SeriesKey, target: Timeframe, close: Utc) -> Option<Utc> {
    let calendar = Calendar::for_key(key);
    let inside = close.plus_micros(-1);
    let day = 86_400_000_000;
    let sessions = calendar.sessions_between(inside..close);
    let session = sessions.first();

    if target.is_intraday() {
        let session = session?;
        let start = match key.day_boundary {
            DayBoundary::SessionClose => session.open,
            DayBoundary::UtcMidnight => Utc(inside.0 - inside.0.rem_euclid(day)),
        };
        let steps = (inside.0 - start.0) / target.micros();
        return Some(start.plus_micros(steps * target.micros()));
    }
    let date = match key.day_boundary {
        DayBoundary::SessionClose => session?.date,
        DayBoundary::UtcMidnight => inside.date(),
    };
    Some(target.label_of_last_day(Utc::midnight(date)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn resampling_equals_going_bar_by_bar(
        symbol in prop::sample::select(vec!["AAPL", "EURUSD", "crypto:BTC/USD"]),
        by_session: bool,
        lengths in prop::sample::select(vec![
            ("15m", "30m"), ("15m", "1h"), ("15m", "90m"), ("15m", "5h"), ("20m", "4h"), ("1h", "7h"),
            ("30m", "1d"), ("1h", "1w"), ("1h", "1mo"), ("1d", "1w"), ("1d", "1mo"),
        ]),
        start_day in 19_000_i64..20_500,
        days in 1_i64..40,
        thinning in 0_usize..5,
    ) {
        let (source, target) = lengths;
        let mut key = key(symbol, source);
        if by_session {
            key.day_boundary = DayBoundary::SessionClose;
        }
        let from = Utc(start_day * 86_400_000_000);
        let to = from.plus_micros(days * 86_400_000_000);
        let whole = expected_bars(&key, &from.to_string(), &to.to_string());
        let mut labels = whole.open_time;
        let mut number = 0;
        labels.retain(|_| { number += 1; thinning == 0 || number * number % 5 != thinning });
        let bars = bars_at(&key, &labels);
        let target = timeframe(target);

        let made = resample(&key, &bars, &target.to_string());

        // First, highest, lowest, last and sum by the label of each bar.
        let mut slow: BTreeMap<Utc, Vec<usize>> = BTreeMap::new();
        for row in 0..bars.len() {
            if let Some(label) = slow_label(&key, target, bars.close_time[row]) {
                slow.entry(label).or_default().push(row);
            }
        }
        if made.partial > 0 {
            prop_assert_eq!(slow.pop_last().unwrap().1.len(), made.partial);
        }
        prop_assert_eq!(&made.bars.open_time, &slow.keys().copied().collect::<Vec<_>>());
        for (row, rows) in slow.values().enumerate() {
            let last = rows[rows.len() - 1];
            prop_assert_eq!(made.sources[row], rows.len());
            prop_assert_eq!(made.bars.open[row], bars.open[rows[0]]);
            prop_assert_eq!(made.bars.close[row], bars.close[last]);
            prop_assert_eq!(made.bars.high[row], bars.high[last]);
            prop_assert_eq!(made.bars.low[row], bars.low[rows[0]]);
            let volume: f64 = rows.iter().map(|row| bars.volume[*row]).sum();
            prop_assert_eq!(made.bars.volume[row], volume);

            // Never known before the last bar in it is over.
            prop_assert!(made.bars.close_time[row] >= bars.close_time[last]);
        }
        prop_assert!(made.bars.close_time.is_sorted_by(|one, next| one < next));
    }
}
