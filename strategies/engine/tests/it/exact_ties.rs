//! Ties are ties: what is equal as decimals decides nothing by its rounding. Prices are whole
//! numbers of ticks, so that the right answer is known exactly.

use std::collections::{BTreeMap, BTreeSet};

use market::{Bars, Utc};
use proptest::prelude::*;
use strategies::indicators::{Indicator, IndicatorSpec, Value, specs};
use strategies::labels::{
    ContextLabels, EfficiencyRegime, LabelSource, TripleBarrier, ZigzagWindow, compute_labels,
};

use crate::golden_data::indicator;

/// Open, high, low, close and volume, the prices in ticks.
type TickBar = [i64; 5];

/// A walk in which neighbours are often equal: in a price, in a mean of prices, in a movement.
fn walks() -> impl Strategy<Value = Vec<TickBar>> {
    let moves = (-3_i64..=3, 0_i64..=2, 0_i64..=2, 1_i64..=9);
    let base = prop_oneof![100_i64..2_000, 10_000_i64..200_000];

    (base, prop::collection::vec(moves, 60..160)).prop_map(|(base, moves)| {
        let mut close = base;
        let mut bars = Vec::with_capacity(moves.len());
        for (change, above, below, volume) in moves {
            let open = close;
            close = (close + change).max(50);
            let high = open.max(close) + above;
            let low = open.min(close) - below;
            bars.push([open, high, low, close, volume]);
        }
        bars
    })
}

/// The double nearest to a number of ticks of 10^-`places`.
fn price(ticks: i64, places: u32) -> f64 {
    format!("{ticks}e-{places}").parse().unwrap()
}

fn bars_of(walk: &[TickBar], places: u32) -> Bars {
    let column = |index: usize| walk.iter().map(|bar| price(bar[index], places)).collect();
    let times = |offset: i64| {
        (0..)
            .take(walk.len())
            .map(|row| Utc(row + offset))
            .collect()
    };

    Bars {
        open_time: times(0),
        close_time: times(1),
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: walk.iter().map(|bar| bar[4] as f64).collect(),
    }
}

/// Every type with its defaults, and over each mean of prices where it takes a source.
fn indicators_of(spec: &'static IndicatorSpec) -> Vec<Indicator> {
    let has_source = spec.parameters.iter().any(|each| each.name == "source");
    let mut parameters = vec![BTreeMap::new()];
    if has_source {
        for source in ["hl2", "hlc3", "ohlc4"] {
            let value = Value::Text(source.to_owned());
            parameters.push([("source".to_owned(), value)].into());
        }
    }

    parameters
        .iter()
        .filter_map(|parameters| Indicator::new(spec, parameters).ok())
        .collect()
}

/// Whether two columns are the same, one unit of the second one being `unit` of the first.
fn are_same(whole: &[f64], decimal: &[f64], unit: f64) -> bool {
    whole.iter().zip(decimal).all(|(whole, decimal)| {
        let expected = whole * unit;
        let is_near = (expected - decimal).abs() <= 1e-6 * (expected.abs() + unit);
        is_near || (whole.is_nan() && decimal.is_nan())
    })
}

/// Columns that rounding may decide. The line of `adline` crosses zero, and a rate of change from
/// zero has no size. `adx` compares two movements as TA-Lib does, whose published columns it
/// repeats digit by digit, ties that rounding decided there included.
const EXCEPTIONS: [(&str, usize); 5] = [
    ("adline", 3),
    ("adline", 5),
    ("adx", 0),
    ("adx", 1),
    ("adx", 2),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The same walk in whole numbers and in decimals: sums of whole numbers are exact, so nothing
    /// there is decided by rounding. A column is either a price, and scales, or a ratio.
    #[test]
    fn no_indicator_is_decided_by_rounding(walk in walks(), places in 1_u32..=6) {
        let whole_bars = bars_of(&walk, 0);
        let decimal_bars = bars_of(&walk, places);

        let mut decided_by_rounding = BTreeSet::new();
        for spec in specs() {
            for indicator in indicators_of(spec) {
                let whole = indicator.compute(&whole_bars).unwrap();
                let decimal = indicator.compute(&decimal_bars).unwrap();
                for (column, (whole, decimal)) in whole.iter().zip(&decimal).enumerate() {
                    let is_same = are_same(whole, decimal, 1.0)
                        || are_same(whole, decimal, price(1, places));
                    if !is_same && !EXCEPTIONS.contains(&(spec.name, column)) {
                        decided_by_rounding.insert((spec.name, column));
                    }
                }
            }
        }
        prop_assert!(decided_by_rounding.is_empty(), "{decided_by_rounding:?} of {walk:?}");
    }

    #[test]
    fn equal_typical_prices_have_no_money_flow(
        walk in walks(),
        places in 1_u32..=6,
    ) {
        let actual = indicator("mfi period=5").compute(&bars_of(&walk, places)).unwrap();

        // Three times the typical price, in ticks.
        let sums: Vec<i64> = walk.iter().map(|[_, high, low, close, _]| high + low + close).collect();
        for (row, &value) in actual[0].iter().enumerate().skip(5) {
            let flows = (row - 4..=row).map(|bar| {
                let sign = (sums[bar] - sums[bar - 1]).signum();
                (sign, sums[bar] * walk[bar][4])
            });
            let up: i64 = flows.clone().filter(|(sign, _)| *sign > 0).map(|(_, flow)| flow).sum();
            let all: i64 = flows.filter(|(sign, _)| *sign != 0).map(|(_, flow)| flow).sum();

            let expected = 100.0 * up as f64 / all as f64;
            let is_right = (value - expected).abs() < 1e-7 || (value.is_nan() && all == 0);
            prop_assert!(is_right, "row {row}: {value}, not {expected}");
        }
    }

    #[test]
    fn a_return_at_the_threshold_of_a_context_is_neutral(walk in walks(), places in 0_u32..=6) {
        let source = LabelSource::Context(ContextLabels {
            horizon: 2,
            bullish: 0.01,
            bearish: -0.02,
        });
        let close = closes_of(&walk);
        let labels = compute_labels(&source, &bars_of(&walk, places)).unwrap();

        for row in 0..walk.len() - 2 {
            let change = 100 * (close[row + 2] - close[row]);
            let class = match change {
                _ if change > close[row] => 0.0,
                _ if change < -2 * close[row] => 1.0,
                _ => 2.0,
            };
            prop_assert_eq!(labels.values[row], class, "row {}", row);
        }
    }

    #[test]
    fn equal_swings_of_a_window_are_a_tie(walk in walks(), places in 0_u32..=6) {
        let window = ZigzagWindow { threshold: 0.01, lookahead: 6, min_swing_length: 1 };
        let close = closes_of(&walk);
        let bars = bars_of(&walk, places);
        let labels = compute_labels(&LabelSource::ZigzagWindow(window), &bars).unwrap();

        for row in 0..walk.len() - 6 {
            let later = &close[row + 1..=row + 6];
            let gain = later.iter().max().unwrap() - close[row];
            let loss = close[row] - later.iter().min().unwrap();
            let class = match gain.cmp(&loss) {
                std::cmp::Ordering::Greater if 100 * gain >= close[row] => 0.0,
                std::cmp::Ordering::Less if 100 * loss >= close[row] => 2.0,
                _ => 1.0,
            };
            prop_assert_eq!(labels.values[row], class, "row {}", row);
        }
    }

    #[test]
    fn an_efficiency_at_its_threshold_is_no_trend(walk in walks(), places in 0_u32..=6) {
        let regime = EfficiencyRegime {
            horizon: 5,
            trending_threshold: 0.5,
            vol_lookback: 10,
            // Volatility decides nothing here.
            vol_crisis_threshold: 1e9,
        };
        let close = closes_of(&walk);
        let bars = bars_of(&walk, places);
        let labels = compute_labels(&LabelSource::EfficiencyRegime(regime), &bars).unwrap();

        for (row, path) in close.windows(6).enumerate() {
            let length: i64 = path.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
            let net = path[5] - path[0];
            let class = match 2 * net {
                net if net > length => 0.0,
                net if net < -length => 1.0,
                _ => 2.0,
            };
            let label = labels.values[row];
            prop_assert!(label.is_nan() || label == class, "row {row}: {label}, not {class}");
        }
    }

    #[test]
    fn a_reversal_by_exactly_the_threshold_confirms_a_pivot(
        steps in prop::collection::vec(-12_i64..=12, 20..80),
        places in 0_u32..=6,
    ) {
        // Small numbers of ticks, of which a tenth is often a whole number.
        let mut close = 100;
        let walk: Vec<TickBar> = steps
            .iter()
            .map(|step| {
                close = (close + step).clamp(60, 160);
                [close, close, close, close, 1]
            })
            .collect();

        let source = LabelSource::Zigzag { threshold: 0.1 };
        let labels = compute_labels(&source, &bars_of(&walk, places)).unwrap();
        let actual: Vec<Option<u32>> = labels
            .values
            .iter()
            .zip(&labels.look_ahead)
            .map(|(value, ahead)| (!value.is_nan()).then_some(*ahead))
            .collect();

        prop_assert_eq!(actual, confirmations(&closes_of(&walk)));
    }
}

fn closes_of(walk: &[TickBar]) -> Vec<i64> {
    walk.iter().map(|bar| bar[3]).collect()
}

/// For each row the bars until its label is known, by a zigzag of a tenth in whole numbers; none
/// after the last confirmed pivot.
fn confirmations(close: &[i64]) -> Vec<Option<u32>> {
    let mut ahead = vec![None; close.len()];
    let mut direction = 0;
    let mut pivot = 0;
    let mut unlabelled = 0;

    for row in 1..close.len() {
        let change = close[row] - close[pivot];
        let is_large = 10 * change.abs() >= close[pivot];
        if direction == 0 {
            if is_large {
                direction = change.signum();
                pivot = row;
            }
        } else if change.signum() == direction {
            pivot = row;
        } else if is_large {
            // The rows up to the pivot are known from here on.
            for (labelled, cell) in ahead
                .iter_mut()
                .enumerate()
                .take(pivot + 1)
                .skip(unlabelled)
            {
                *cell = u32::try_from(row - labelled).ok();
            }
            unlabelled = pivot + 1;
            direction = -direction;
            pivot = row;
        }
    }
    ahead
}

/// Bars of 1 % of the close: with a multiplier of 3 the barrier of a close of 100 is at 103, which
/// the high of the next bar is.
#[test]
fn a_barrier_that_is_reached_exactly_is_met() {
    let source = LabelSource::TripleBarrier(TripleBarrier {
        pt_multiplier: 3.0,
        sl_multiplier: 3.0,
        max_holding_period: 2,
        ..TripleBarrier::default()
    });

    for places in 0..=8 {
        // High − low is 1 % of each close, so the weighted mean is 1 %, too.
        let quiet = [10_000, 10_050, 9_950, 10_000, 1];
        let mut walk = vec![quiet; 30];
        walk.push([10_200, 10_300, 10_200, 10_250, 1]);
        walk.extend([quiet; 3]);
        let labels = compute_labels(&source, &bars_of(&walk, places)).unwrap();

        assert_eq!(
            labels.values[29], 0.0,
            "{places} places: BUY at the exact barrier"
        );
        assert_eq!(labels.look_ahead[29], 1, "{places} places");
    }
}

/// Closes at three quarters and at one quarter of equal ranges, with equal volumes, cancel out.
#[test]
fn flows_that_cancel_out_are_neither_above_nor_below_zero() {
    for places in 0..=8 {
        let walk: Vec<TickBar> = (0..20_i64)
            .map(|row| {
                let low = 11_003 + 7 * (row / 2);
                let close = low + if row % 2 == 0 { 3 } else { 1 };
                [close, low + 4, low, close, 3]
            })
            .collect();
        let columns = indicator("cmf period=6")
            .compute(&bars_of(&walk, places))
            .unwrap();

        for column in &columns[6..8] {
            for (row, value) in column.iter().enumerate().skip(5) {
                assert_eq!(*value, 0.0, "{places} places, row {row}");
            }
        }
    }
}

/// Constant true ranges of 2 ticks: with a multiplier of 2 the lower band is 4 ticks below the
/// middle, and a close on it turns the trend down.
#[test]
fn a_close_exactly_on_the_band_flips_the_supertrend() {
    for places in 0..=8 {
        let mut walk = vec![[1_001, 1_002, 1_000, 1_001, 1]; 20];
        // The lower band of the bar before, 1001 − 4, is above its own and stays.
        walk.push([1_000, 1_000, 996, 997, 1]);
        let columns = indicator("supertrend period=4 multiplier=2.0")
            .compute(&bars_of(&walk, places))
            .unwrap();

        assert_eq!(columns[1][19], 1.0, "{places} places");
        assert_eq!(columns[1][20], -1.0, "{places} places");
    }
}
