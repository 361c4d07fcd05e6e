//! Market regimes: UP, DOWN, RANGING or VOLATILE, by zigzags on two scales or by the efficiency of
//! the path ahead.
//!
//! Two scales: macro pivots cut the series into segments. A segment is progressive if it holds at
//! least four micro pivots and a large enough share of its consecutive lows rise (in a rising
//! segment) or of its consecutive highs fall. Its rows are then UP or DOWN, else RANGING. A row is
//! VOLATILE instead when log returns deviate more ahead than `limit` times what they did before.
//! The pivot that two segments share belongs to the later one. A label is known when the pivot that
//! ends its segment is confirmed and the returns ahead are in; rows after the last confirmed pivot
//! have none.
//!
//! Efficiency: (close\[t+h\] − close\[t\]) over the sum of |close\[i+1\] − close\[i\]| on the way,
//! 0 without a way; VOLATILE comes first, then UP above the threshold, DOWN below its negative,
//! else RANGING.

use market::Bars;

use super::volatility::{log_returns, volatility_ratio};
use super::zigzag::{Segment, segments};
use super::{BarLabels, EfficiencyRegime, LabelError, Regime};

const UP: f32 = 0.0;
const DOWN: f32 = 1.0;
const RANGING: f32 = 2.0;
const VOLATILE: f32 = 3.0;

const NAME: &str = "regime";

impl Regime {
    /// With the typical true range of `training` frozen, unless it is set already.
    ///
    /// # Errors
    /// The bars are too few, or their typical range would make a threshold outside of 0..1
    /// (exclusive).
    pub fn fitted(&self, training: &Bars) -> Result<Self, LabelError> {
        if self.typical_range.is_some() {
            return Ok(*self);
        }
        let (rows, needed) = (training.len(), self.atr_period as usize + 2);
        if rows < needed {
            return Err(LabelError::TooFewBars {
                source_name: NAME,
                rows,
                needed,
            });
        }
        let usable = |values: &[f64]| {
            values
                .iter()
                .copied()
                .filter(|value| value.is_finite())
                .collect::<Vec<f64>>()
        };
        let ranges = true_ranges(training);
        let means = ranges
            .windows(self.atr_period as usize)
            .map(|window| window.iter().sum::<f64>());
        let means: Vec<f64> = means.map(|sum| sum / f64::from(self.atr_period)).collect();
        let range = median(usable(&means)) / median(usable(&training.close));
        let threshold = range * self.macro_atr_mult;
        if threshold > 0.0 && threshold < 1.0 && range * self.micro_atr_mult > 0.0 {
            Ok(Self {
                typical_range: Some(range),
                ..*self
            })
        } else {
            Err(LabelError::Unfittable {
                source_name: NAME,
                rows,
                threshold,
            })
        }
    }
}

fn true_ranges(bars: &Bars) -> Vec<f64> {
    let previous = std::iter::once(&f64::NAN).chain(&bars.close);
    let prices = bars.high.iter().zip(&bars.low).zip(previous);
    // The first bar has no close before it: its range is high − low, as `max` ignores NaN.
    prices
        .map(|((high, low), close)| {
            (high - low)
                .max((high - close).abs())
                .max((low - close).abs())
        })
        .collect()
}

/// NaN for no values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    }
}

pub(super) fn label(
    labels: &mut BarLabels,
    close: &[f64],
    regime: &Regime,
) -> Result<(), LabelError> {
    let Some(range) = regime.typical_range else {
        return Err(LabelError::NotFitted { source_name: NAME });
    };
    let (large, small) = (range * regime.macro_atr_mult, range * regime.micro_atr_mult);
    if !(large < 1.0 && small > 0.0) {
        return Err(LabelError::Unfittable {
            source_name: NAME,
            rows: close.len(),
            threshold: large,
        });
    }
    let returns = log_returns(close);
    let micro: Vec<usize> = segments(close, small)
        .flat_map(|segment| [segment.start, segment.end])
        .collect();
    let (ahead, back) = (regime.atr_period as usize, regime.vol_lookback as usize);
    for segment in segments(close, large) {
        let trend = match (
            is_progressive(&segment, &micro, close, regime.progression_tolerance),
            segment.rising,
        ) {
            (false, _) => RANGING,
            (true, true) => UP,
            (true, false) => DOWN,
        };
        for row in segment.start..segment.end {
            let known = segment.confirmed - row;
            if row < back {
                labels.set(row, trend, known);
            } else if let Some(ratio) = volatility_ratio(&returns, row, ahead, back) {
                let class = if ratio > regime.vol_crisis_threshold {
                    VOLATILE
                } else {
                    trend
                };
                labels.set(row, class, known.max(ahead));
            }
        }
    }
    for (row, _) in close
        .iter()
        .enumerate()
        .filter(|(_, price)| !(**price > 0.0 && price.is_finite()))
    {
        labels.set(row, f32::NAN, 0);
    }
    Ok(())
}

/// Whether the micro pivots inside the segment, its ends included, go the segment's way.
fn is_progressive(segment: &Segment, micro: &[usize], close: &[f64], tolerance: f64) -> bool {
    let first = micro.partition_point(|pivot| *pivot < segment.start);
    let last = micro.partition_point(|pivot| *pivot <= segment.end);
    let mut prices: Vec<f64> = Vec::new();
    let mut before = None;
    for &pivot in micro.get(first..last).unwrap_or_default() {
        // Each micro segment gives both of its ends, so that inner pivots come twice.
        if before.replace(pivot) != Some(pivot) {
            prices.extend(close.get(pivot));
        }
    }
    if prices.len() < 4 {
        return false;
    }
    let beyond = |price: f64, other: Option<&f64>| {
        other.is_none_or(|other| {
            if segment.rising {
                price < *other
            } else {
                price > *other
            }
        })
    };
    let turns: Vec<f64> = prices
        .iter()
        .enumerate()
        .filter(|(index, price)| {
            let earlier = index.checked_sub(1).and_then(|index| prices.get(index));
            beyond(**price, earlier) && beyond(**price, prices.get(index + 1))
        })
        .map(|(_, price)| *price)
        .collect();
    let steps = turns.len().saturating_sub(1);
    let progress = turns
        .iter()
        .zip(turns.iter().skip(1))
        .filter(|(one, next)| {
            if segment.rising {
                next > one
            } else {
                next < one
            }
        })
        .count();
    steps > 0 && progress as f64 / steps as f64 >= tolerance
}

pub(super) fn label_by_efficiency(
    labels: &mut BarLabels,
    close: &[f64],
    regime: &EfficiencyRegime,
) {
    let returns = log_returns(close);
    let (horizon, back) = (regime.horizon as usize, regime.vol_lookback as usize);
    for (row, path) in close.windows(horizon + 1).enumerate().skip(back) {
        let Some(ratio) = volatility_ratio(&returns, row, horizon, back) else {
            continue;
        };
        let (Some(first), Some(last)) = (path.first(), path.last()) else {
            continue;
        };
        let length: f64 = path
            .iter()
            .zip(path.iter().skip(1))
            .map(|(one, next)| (next - one).abs())
            .sum();
        let efficiency = if length == 0.0 {
            0.0
        } else {
            (last - first) / length
        };
        let class = if ratio > regime.vol_crisis_threshold {
            VOLATILE
        } else if efficiency > regime.trending_threshold {
            UP
        } else if efficiency < -regime.trending_threshold {
            DOWN
        } else {
            RANGING
        };
        labels.set(row, class, horizon);
    }
}
