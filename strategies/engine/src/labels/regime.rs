//! Market regimes by zigzags on two scales: UP, DOWN, RANGING or VOLATILE.
//!
//! Macro pivots cut the series into segments. A segment is progressive if it holds at least four
//! micro pivots and a large enough share of its consecutive lows rise (in a rising segment) or of
//! its consecutive highs fall. Its rows are then UP or DOWN, else RANGING. A row is VOLATILE
//! instead when log returns deviate more ahead than `vol_crisis_threshold` times their deviation
//! before. The pivot that two segments share belongs to the later one. A label is known when the
//! pivot that ends its segment is confirmed and the returns ahead are in; rows after the last
//! confirmed pivot have none.
//!
//! Source: our own. Segments are zigzags (Merrill 1977, *Filtered Waves*) with thresholds in
//! average true ranges (Wilder 1978, *New Concepts in Technical Trading Systems*); that a trend has
//! rising lows or falling highs is Dow theory.

use market::Bars;

use super::volatility::{log_returns, volatility_ratio};
use super::zigzag::{ZigzagSegment, segments_of};
use super::{BarLabels, DOWN, LabelError, RANGING, Regime, UP, VOLATILE};

/// The name in errors.
const NAME: &str = "regime";

/// Fewest micro pivots of a progressive segment.
const MICRO_PIVOTS_MIN: usize = 4;

impl Regime {
    /// These parameters with the typical true range of `training` frozen, unless it is set already:
    /// the median of the mean true range over `atr_period` bars, over the median close.
    ///
    /// # Errors
    /// The bars are too few, or their typical range would make a threshold outside of 0..1
    /// (exclusive).
    pub fn fitted(&self, training: &Bars) -> Result<Self, LabelError> {
        if self.typical_range.is_some() {
            return Ok(*self);
        }

        let rows = training.len();
        let needed = self.atr_period as usize + 2;
        if rows < needed {
            return Err(LabelError::TooFewBars {
                source_name: NAME,
                rows,
                needed,
            });
        }

        // Medians, so that a few wild bars do not set the scale of the whole part.
        let mean_ranges: Vec<f64> = true_ranges_of(training)
            .windows(self.atr_period as usize)
            .map(|ranges| ranges.iter().sum::<f64>() / f64::from(self.atr_period))
            .collect();
        let range = median_of_finite(&mean_ranges) / median_of_finite(&training.close);

        // A fall of 100 % cannot happen, so such a threshold would never confirm a turn.
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

fn true_ranges_of(bars: &Bars) -> Vec<f64> {
    let previous_close = std::iter::once(&f64::NAN).chain(&bars.close);

    bars.high
        .iter()
        .zip(&bars.low)
        .zip(previous_close)
        .map(|((high, low), close)| {
            // The first bar has no close before it: its range is high − low, as `max` ignores NaN.
            (high - low)
                .max((high - close).abs())
                .max((low - close).abs())
        })
        .collect()
}

/// The median of the values that are finite; NaN where there are none.
fn median_of_finite(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);

    let middle = sorted.len() / 2;
    let value_at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        value_at(middle)
    } else {
        // An empty list has no middle: the index wraps and the median is NaN.
        f64::midpoint(value_at(middle.wrapping_sub(1)), value_at(middle))
    }
}

/// Labels every row up to the last confirmed macro pivot whose returns are there.
pub(super) fn label_regimes(
    labels: &mut BarLabels,
    close: &[f64],
    regime: &Regime,
) -> Result<(), LabelError> {
    let Some(range) = regime.typical_range else {
        return Err(LabelError::NotFitted { source_name: NAME });
    };
    let macro_threshold = range * regime.macro_atr_mult;
    let micro_threshold = range * regime.micro_atr_mult;
    if !(macro_threshold < 1.0 && micro_threshold > 0.0) {
        return Err(LabelError::Unfittable {
            source_name: NAME,
            rows: close.len(),
            threshold: macro_threshold,
        });
    }

    // The small turns inside a large segment show whether it moves steadily.
    let micro_pivots: Vec<usize> = segments_of(close, micro_threshold)
        .flat_map(|segment| [segment.start, segment.end])
        .collect();
    let returns = log_returns(close);
    for segment in segments_of(close, macro_threshold) {
        let micro_prices = prices_at_pivots(&segment, &micro_pivots, close);
        let is_progressive = progresses(
            &micro_prices,
            segment.is_rising,
            regime.progression_tolerance,
        );
        let trend = match (is_progressive, segment.is_rising) {
            (false, _) => RANGING,
            (true, true) => UP,
            (true, false) => DOWN,
        };
        label_segment(labels, &segment, trend, &returns, regime);
    }
    // A segment may span bars without a price, which get no label.
    labels.clear_rows_without_price(close);

    Ok(())
}

/// Labels the rows of a segment with its trend, or as VOLATILE.
fn label_segment(
    labels: &mut BarLabels,
    segment: &ZigzagSegment,
    trend: f32,
    returns: &[f64],
    regime: &Regime,
) {
    let ahead = regime.atr_period as usize;
    let back = regime.vol_lookback as usize;

    for row in segment.start..segment.end {
        let look_ahead = segment.confirmed - row;

        // Too early for a volatility to compare with: the trend alone decides.
        if row < back {
            labels.set(row, trend, look_ahead);
            continue;
        }

        if let Some(ratio) = volatility_ratio(returns, row, ahead, back) {
            let class = if ratio > regime.vol_crisis_threshold {
                VOLATILE
            } else {
                trend
            };
            labels.set(row, class, look_ahead.max(ahead));
        }
    }
}

/// The prices at the micro pivots inside a segment, its ends included.
fn prices_at_pivots(segment: &ZigzagSegment, micro_pivots: &[usize], close: &[f64]) -> Vec<f64> {
    let first = micro_pivots.partition_point(|pivot| *pivot < segment.start);
    let end = micro_pivots.partition_point(|pivot| *pivot <= segment.end);
    let mut pivots = micro_pivots.get(first..end).unwrap_or_default().to_vec();

    // Each micro segment gives both of its ends, so that inner pivots come twice.
    pivots.dedup();

    pivots
        .iter()
        .filter_map(|pivot| close.get(*pivot).copied())
        .collect()
}

/// Whether at least a share of `tolerance` of the consecutive turns goes the segment's way: lows
/// rise in a rising segment, highs fall in a falling one.
fn progresses(micro_prices: &[f64], is_rising: bool, tolerance: f64) -> bool {
    // Too few turns cannot show progress.
    if micro_prices.len() < MICRO_PIVOTS_MIN {
        return false;
    }

    let turns = turns_of(micro_prices, is_rising);
    let steps = turns.len().saturating_sub(1);
    let steps_forward = turns
        .iter()
        .zip(turns.iter().skip(1))
        .filter(|(one, next)| if is_rising { next > one } else { next < one })
        .count();

    steps > 0 && steps_forward as f64 / steps as f64 >= tolerance
}

/// The lows among pivot prices, or the highs; an end has one neighbour only.
fn turns_of(prices: &[f64], lows: bool) -> Vec<f64> {
    prices
        .iter()
        .enumerate()
        .filter(|(index, price)| {
            let before = index.checked_sub(1).and_then(|index| prices.get(index));
            let after = prices.get(index + 1);
            is_beyond(**price, before, lows) && is_beyond(**price, after, lows)
        })
        .map(|(_, price)| *price)
        .collect()
}

/// Whether a price is below its neighbour, or above it in the search for highs.
fn is_beyond(price: f64, neighbour: Option<&f64>, lows: bool) -> bool {
    match neighbour {
        Some(neighbour) if lows => price < *neighbour,
        Some(neighbour) => price > *neighbour,
        None => true,
    }
}
