//! Triple barrier: BUY when the profit barrier is met first, SELL when the loss barrier is, by the
//! sign of the return or HOLD when time runs out first.
//!
//! The barriers are close·(1 + pt·v) and close·(1 − sl·v), v being the volatility known at the row.
//! The walk covers the next `max_holding_period` bars by their highs and lows; a bar that meets
//! both barriers counts for the side of its close. When none is met, the return R over the whole
//! walk decides: HOLD if |R| < ½·v·√`max_holding_period`, else its sign.
//!
//! Rows without a positive volatility have no label, nor have the last `max_holding_period` rows:
//! among those only the ones that meet a barrier early would be known, which would favour quick
//! outcomes.
//!
//! Source: López de Prado, *Advances in Financial Machine Learning*, sections 3.3 to 3.5. The HOLD
//! band at the time barrier is ours; the book takes the sign of the return, or 0.

use market::Bars;

use super::volatility::WeightedStatistics;
use super::{BUY, BarLabels, HOLD, SELL, TripleBarrier, VolatilityMethod};
use crate::ties::{is_above, reaches};

/// Labels every row whose whole walk lies within the bars.
pub(super) fn label_barriers(labels: &mut BarLabels, bars: &Bars, barrier: &TripleBarrier) {
    let volatilities = volatilities_of(bars, barrier);
    // The last bars lack a full holding period: labelling only those that hit a barrier early
    // would favour quick outcomes.
    let rows = bars
        .len()
        .saturating_sub(barrier.max_holding_period as usize);

    for (row, (&entry, volatility)) in bars.close.iter().zip(volatilities).take(rows).enumerate() {
        if !is_positive(entry) || !is_positive(volatility) {
            continue;
        }

        let walk = BarrierWalk {
            entry,
            volatility,
            barrier,
        };
        if let Some(outcome) = walk.run(bars, row) {
            labels.set(row, outcome.class, outcome.bars_held);
        }
    }
}

fn is_positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

/// The walk from one row until a barrier is met.
struct BarrierWalk<'a> {
    /// Close of the row.
    entry: f64,
    /// As a fraction of the price.
    volatility: f64,
    barrier: &'a TripleBarrier,
}

struct Outcome {
    class: f32,
    /// Bars until the outcome was known.
    bars_held: usize,
}

impl BarrierWalk<'_> {
    /// `None` when time runs out on a bar without a close.
    fn run(&self, bars: &Bars, row: usize) -> Option<Outcome> {
        let pt = self.barrier.pt_multiplier;
        let sl = self.barrier.sl_multiplier;
        let upper = self.entry * (1.0 + pt * self.volatility);
        let lower = self.entry * (1.0 - sl * self.volatility);
        // The volatility has the rounding of the prices, as often as a multiplier says.
        let upper_scale = self.entry * (1.0 + pt);
        let lower_scale = self.entry * (1.0 + sl);
        let holding_period = self.barrier.max_holding_period as usize;
        let later_bars = bars
            .high
            .iter()
            .zip(&bars.low)
            .zip(&bars.close)
            .skip(row + 1)
            .take(holding_period);

        let mut last_close = f64::NAN;
        for (bars_held, ((&high, &low), &close)) in (1..).zip(later_bars) {
            let meets_upper = reaches(high, upper, upper_scale);
            let meets_lower = reaches(lower, low, lower_scale);
            let class = match (meets_upper, meets_lower) {
                // Which barrier came first is not in the bar; its close is the best guess.
                (true, true) if close >= self.entry => BUY,
                (true, true) => SELL,
                (true, false) => BUY,
                (false, true) => SELL,
                (false, false) => {
                    last_close = close;
                    continue;
                }
            };
            return Some(Outcome { class, bars_held });
        }

        Some(Outcome {
            class: self.class_at_time_barrier(last_close)?,
            bars_held: holding_period,
        })
    }

    fn class_at_time_barrier(&self, last_close: f64) -> Option<f32> {
        let change = (last_close - self.entry) / self.entry;
        let holding_period = f64::from(self.barrier.max_holding_period);
        let band = 0.5 * self.volatility * holding_period.sqrt();

        if !change.is_finite() {
            None
        } else if is_above(band, change.abs(), 1.0 + band) {
            Some(HOLD)
        } else if change > 0.0 {
            Some(BUY)
        } else {
            Some(SELL)
        }
    }
}

/// Volatility per row as a fraction of the price, NaN where it is not defined. A missing input
/// leaves the statistics as they were.
fn volatilities_of(bars: &Bars, barrier: &TripleBarrier) -> Vec<f64> {
    let mut statistics = WeightedStatistics::new(barrier.vol_span);

    match barrier.vol_method {
        VolatilityMethod::Atr => {
            let prices = bars.high.iter().zip(&bars.low).zip(&bars.close);
            prices
                .map(|((high, low), close)| statistics.push((high - low) / close).mean())
                .collect()
        }
        VolatilityMethod::Std => {
            // Nothing comes before the first bar, so its change is NaN.
            let previous = std::iter::once(&f64::NAN).chain(&bars.close);
            bars.close
                .iter()
                .zip(previous)
                .map(|(close, before)| statistics.push(libm::log(close / before)).deviation())
                .collect()
        }
    }
}
