//! Indicators worked by hand where no published values reach: trends without a reference, flat
//! markets, missing volume.

use crate::golden_data::{self, indicator};
use market::{Bars, Utc};

/// Bars from rows of high, low, close and volume; the open equals the close.
fn bars(rows: &[[f64; 4]]) -> Bars {
    let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<f64>>();
    let time = |offset: i64| {
        (0..)
            .take(rows.len())
            .map(|row| Utc(row + offset))
            .collect()
    };

    Bars {
        open_time: time(0),
        close_time: time(1),
        open: column(2),
        high: column(0),
        low: column(1),
        close: column(2),
        volume: column(3),
    }
}

fn closes(values: &[f64]) -> Bars {
    bars(
        &values
            .iter()
            .map(|&value| [value, value, value, 1.0])
            .collect::<Vec<_>>(),
    )
}

/// Two columns are equal, undefined rows included.
fn assert_column(line: &str, actual: &[f64], expected: &[f64]) {
    let same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12 || (a.is_nan() && b.is_nan());
    assert!(
        actual.len() == expected.len() && actual.iter().zip(expected).all(same),
        "{line}: {actual:?}"
    );
}

const NONE: f64 = f64::NAN;

/// Mean true ranges of two bars: 2, 2.5, 4, 6. Row 2 lifts the lower band to 13 − 2.5. Row 3 closes
/// below it: down, at the upper band, which has stayed at 11 + 2 since row 1. Row 4 closes above
/// that: up again, at 14 − 6.
#[test]
fn a_supertrend_trails_the_price_and_flips_when_crossed() {
    let rows = [
        [11.0, 9.0, 10.0],
        [12.0, 10.0, 11.0],
        [14.0, 12.0, 13.0],
        [10.0, 8.0, 8.0],
        [15.0, 13.0, 14.0],
    ];
    let bars = bars(&rows.map(|[high, low, close]| [high, low, close, 1.0]));
    let columns = indicator("supertrend period=2 multiplier=1.0")
        .compute(&bars)
        .unwrap();

    assert_column("trend", &columns[0], &[NONE, 9.0, 10.5, 13.0, 8.0]);
    assert_column("direction", &columns[1], &[NONE, 1.0, 1.0, -1.0, 1.0]);
}

/// The true range of a row; that of row 0 is its high less its low.
fn textbook_range(bars: &Bars, row: usize) -> f64 {
    let high = bars.high[row];
    let low = bars.low[row];
    let close = if row == 0 { low } else { bars.close[row - 1] };

    let distances = [high - low, (high - close).abs(), (low - close).abs()];
    distances.into_iter().fold(0.0, f64::max)
}

/// The supertrend as a textbook has it: whole columns one after another, plain sums, nothing
/// rolling. Trend and direction.
fn textbook_supertrend(bars: &Bars, period: usize, multiplier: f64) -> [Vec<f64>; 2] {
    let rows = bars.len();
    let first = period - 1;
    let ranges: Vec<f64> = (0..rows).map(|row| textbook_range(bars, row)).collect();

    let mut upper = vec![NONE; rows];
    let mut lower = vec![NONE; rows];
    for row in first..rows {
        let mean = ranges[row - first..=row].iter().sum::<f64>() / period as f64;
        let middle = (bars.high[row] + bars.low[row]) / 2.0;
        upper[row] = middle + multiplier * mean;
        lower[row] = middle - multiplier * mean;
    }

    // A band keeps its place while the new one is farther away and the close has not crossed it.
    for row in first + 1..rows {
        let before = bars.close[row - 1];
        if !(upper[row] < upper[row - 1] || before > upper[row - 1]) {
            upper[row] = upper[row - 1];
        }
        if !(lower[row] > lower[row - 1] || before < lower[row - 1]) {
            lower[row] = lower[row - 1];
        }
    }

    let mut direction = vec![NONE; rows];
    let mut now = 1.0;
    for row in first..rows {
        if now > 0.0 && bars.close[row] <= lower[row] {
            now = -1.0;
        } else if now < 0.0 && bars.close[row] >= upper[row] {
            now = 1.0;
        }
        direction[row] = now;
    }

    let trend = (0..rows).map(|row| {
        if direction[row] > 0.0 {
            lower[row]
        } else {
            upper[row]
        }
    });
    [trend.collect(), direction]
}

#[test]
fn a_supertrend_of_real_bars_is_the_textbooks() {
    for series in ["aapl_1d", "eurusd_1h", "edge_flat"] {
        let bars = golden_data::bars(series);
        for (line, period, multiplier) in [
            ("supertrend", 10, 3.0),
            ("supertrend period=7 multiplier=2.0", 7, 2.0),
            ("supertrend period=14 multiplier=0.5", 14, 0.5),
        ] {
            let what = format!("{line} of {series}");
            let [trend, direction] = textbook_supertrend(&bars, period, multiplier);

            let columns = indicator(line).compute(&bars).unwrap();

            golden_data::assert_meets(&format!("trend: {what}"), &columns[0], &trend, 0);
            assert_column(&format!("direction: {what}"), &columns[1], &direction);
            // A direction that hardly ever flips would test nothing.
            let down = direction.iter().filter(|value| **value < 0.0).count();
            assert!(down * 10 > bars.len(), "{what}: {down} rows down");
        }
    }
}

/// The supertrend of real bars is a band on the right side of the close, and moves against the
/// trend only when it flips.
#[test]
fn a_supertrend_never_retreats_within_a_trend() {
    for (series, from) in [("aapl_1d", 9), ("eurusd_1h", 9)] {
        let bars = golden_data::bars(series);
        let columns = indicator("supertrend").compute(&bars).unwrap();
        let mut flips = 0;

        for row in from..bars.len() {
            let trend = columns[0][row];
            let direction = columns[1][row];
            assert!(
                (bars.close[row] - trend) * direction > 0.0,
                "{series} row {row}"
            );
            if row > from && columns[1][row - 1] == direction {
                assert!(
                    (trend - columns[0][row - 1]) * direction >= 0.0,
                    "{series} row {row}"
                );
            } else {
                flips += 1;
            }
        }
        assert!(flips > 20, "{series}: {flips}");
    }
}

/// 1, 2, 4 with weights −1, 0, 1 over their squares' sum 2: 3/2.
#[test]
fn the_slope_of_a_line_is_its_step() {
    let of = |values: &[f64]| {
        indicator("linearregslope period=3")
            .compute(&closes(values))
            .unwrap()
            .remove(0)
    };
    assert_column("curve", &of(&[1.0, 2.0, 4.0]), &[NONE, NONE, 1.5]);
    assert_column(
        "line",
        &of(&[7.0, 5.0, 3.0, 1.0]),
        &[NONE, NONE, -2.0, -2.0],
    );
}

#[test]
fn a_share_of_no_movement_is_undefined() {
    let flat = bars(&[[7.0, 7.0, 7.0, 5.0]; 60]);
    for line in ["williamsr", "stochastic", "cci", "rvi", "ultosc", "mfi"] {
        let columns = indicator(line).compute(&flat).unwrap();
        assert!(
            columns.iter().flatten().all(|value| value.is_nan()),
            "{line}"
        );
    }

    let trix = indicator("trix").compute(&flat).unwrap().remove(0);
    assert!(
        trix[43..].iter().all(|value| value.abs() < 1e-12),
        "rounding only"
    );

    let zero = [
        "stddev",
        "momentum",
        "roc",
        "truerange",
        "natr",
        "bollingerbandwidth",
        "squeezeintensity",
    ];
    for line in zero
        .into_iter()
        .chain(["distancefromma", "fishertransform"])
    {
        let indicator = indicator(line);
        for column in indicator.compute(&flat).unwrap() {
            assert!(
                column[indicator.warm_up()..]
                    .iter()
                    .all(|value| *value == 0.0),
                "{line}"
            );
        }
    }
}

/// After a busy stretch without a short binary form, forty silent bars: no sum is left over from
/// rounding.
#[test]
fn a_window_without_volume_sums_to_exactly_zero() {
    let mut rows: Vec<[f64; 4]> = (0..50)
        .map(|row| f64::from(row) * 0.1)
        .map(|x| [x + 2.0, x + 1.0, x + 1.3, 0.1 + x])
        .collect();
    rows.extend([[8.0, 7.0, 7.5, 0.0]; 40]);
    let of = |line: &str| indicator(line).compute(&bars(&rows)).unwrap().remove(0);

    assert!(of("vwap")[89].is_nan() && of("mfi")[89].is_nan());
    assert_eq!((of("cmf")[89], of("volumeratio")[89]), (0.0, 1.0));
}

/// Some feeds mark bars without volume by −1: such a bar is missing, and the sums start again after
/// it.
#[test]
fn a_negative_volume_is_a_missing_one() {
    let rows = [
        [2.0, 1.0, 1.5, 10.0],
        [3.0, 1.0, 2.0, 20.0],
        [3.0, 1.0, 2.0, -1.0],
        [4.0, 1.0, 3.0, 5.0],
    ];

    let obv = indicator("obv").compute(&bars(&rows)).unwrap().remove(0);
    assert_column("obv", &obv, &[10.0, 30.0, NONE, 5.0]);

    let volume = indicator("ema period=1 source=volume")
        .compute(&bars(&rows))
        .unwrap()
        .remove(0);
    assert_column("volume", &volume, &[10.0, 20.0, NONE, 5.0]);
}
