//! Market regimes by the efficiency of the path ahead: UP, DOWN, RANGING or VOLATILE.
//!
//! Efficiency: (close\[t+h\] − close\[t\]) over the sum of |close\[i+1\] − close\[i\]| on the way,
//! 0 where nothing moves. VOLATILE comes first, then UP above the threshold, DOWN below its
//! negative, else RANGING.
//!
//! Source: the efficiency ratio of Kaufman (1995), *Smarter Trading*, with its sign, over bars
//! ahead instead of bars before.

use super::volatility::{log_returns, volatility_ratio};
use super::{BarLabels, DOWN, EfficiencyRegime, RANGING, UP, VOLATILE};
use crate::ties::is_above;

/// Labels every row with enough bars before and ahead whose returns are there.
pub(super) fn label_efficiency(labels: &mut BarLabels, close: &[f64], regime: &EfficiencyRegime) {
    let horizon = regime.horizon as usize;
    let back = regime.vol_lookback as usize;
    let returns = log_returns(close);

    for (row, path) in close.windows(horizon + 1).enumerate().skip(back) {
        let Some(ratio) = volatility_ratio(&returns, row, horizon, back) else {
            continue;
        };

        let Efficiency { share, scale } = efficiency_of(path);
        // High volatility outranks a direction, however straight the path is.
        let class = if ratio > regime.vol_crisis_threshold {
            VOLATILE
        } else if is_above(share, regime.trending_threshold, scale) {
            UP
        } else if is_above(-regime.trending_threshold, share, scale) {
            DOWN
        } else {
            RANGING
        };
        labels.set(row, class, horizon);
    }
}

/// How straight a path of prices is.
struct Efficiency {
    /// The signed share of the path that leads from its first price to its last, −1 to 1.
    share: f64,
    /// The prices in lengths of the path: each step has the rounding of a price.
    scale: f64,
}

fn efficiency_of(path: &[f64]) -> Efficiency {
    let flat = Efficiency {
        share: 0.0,
        scale: 1.0,
    };
    let (Some(first), Some(last)) = (path.first(), path.last()) else {
        return flat;
    };
    let length: f64 = path
        .iter()
        .zip(path.iter().skip(1))
        .map(|(one, next)| (next - one).abs())
        .sum();

    // A flat path has no length to divide by.
    if length == 0.0 {
        return flat;
    }
    let steps = path.len() as f64;
    Efficiency {
        share: (last - first) / length,
        scale: steps * (first.abs() + length) / length,
    }
}
