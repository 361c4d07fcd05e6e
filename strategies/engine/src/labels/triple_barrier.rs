//! Triple barrier: BUY when the profit barrier is met first, SELL when the loss barrier is, by the
//! sign of the return or HOLD when time runs out first.
//!
//! Barriers stand at close·(1 + pt·v) and close·(1 − sl·v), v being the volatility known at the
//! row. The walk covers the next `max_holding_period` bars by their highs and lows; a bar that
//! meets both counts for the side of its close. When none is met, the return R over the whole walk
//! decides: HOLD if |R| < ½·v·√max_holding_period, else its sign.
//!
//! Rows without a positive volatility have no label, nor have the last `max_holding_period` rows:
//! among those only the ones that meet a barrier early would be known, which would favour quick
//! outcomes.

use market::Bars;

use super::volatility::Weighted;
use super::{BUY, BarLabels, HOLD, SELL, TripleBarrier, VolatilityMethod};

pub(super) fn label(labels: &mut BarLabels, bars: &Bars, barrier: &TripleBarrier) {
    let volatility = volatility(bars, barrier);
    let labelled = bars
        .len()
        .saturating_sub(barrier.max_holding_period as usize);
    for (row, (&entry, v)) in bars.close.iter().zip(volatility).take(labelled).enumerate() {
        if v > 0.0
            && v.is_finite()
            && entry > 0.0
            && entry.is_finite()
            && let Some((value, bars_held)) = outcome(bars, row, entry, v, barrier)
        {
            labels.set(row, value, bars_held);
        }
    }
}

/// Class and number of bars until it was known; `None` when time runs out on a bar without a close.
fn outcome(
    bars: &Bars,
    row: usize,
    entry: f64,
    v: f64,
    barrier: &TripleBarrier,
) -> Option<(f32, usize)> {
    let upper = entry * (1.0 + barrier.pt_multiplier * v);
    let lower = entry * (1.0 - barrier.sl_multiplier * v);
    let hold = barrier.max_holding_period as usize;
    let later = bars
        .high
        .iter()
        .zip(&bars.low)
        .zip(&bars.close)
        .skip(row + 1)
        .take(hold);
    let mut last = f64::NAN;
    for (held, ((&high, &low), &close)) in (1..).zip(later) {
        match (high >= upper, low <= lower) {
            (true, true) => return Some((if close >= entry { BUY } else { SELL }, held)),
            (true, false) => return Some((BUY, held)),
            (false, true) => return Some((SELL, held)),
            (false, false) => last = close,
        }
    }
    let change = (last - entry) / entry;
    if !change.is_finite() {
        None
    } else if change.abs() < 0.5 * v * f64::from(barrier.max_holding_period).sqrt() {
        Some((HOLD, hold))
    } else {
        Some((if change > 0.0 { BUY } else { SELL }, hold))
    }
}

/// Volatility per row as a fraction of the price, NaN where it is not defined. Missing inputs leave
/// the average as it was.
fn volatility(bars: &Bars, barrier: &TripleBarrier) -> Vec<f64> {
    let mut average = Weighted::new(barrier.vol_span);
    match barrier.vol_method {
        VolatilityMethod::Atr => {
            let prices = bars.high.iter().zip(&bars.low).zip(&bars.close);
            prices
                .map(|((high, low), close)| average.push((high - low) / close).mean())
                .collect()
        }
        VolatilityMethod::Std => {
            let previous = std::iter::once(&f64::NAN).chain(&bars.close);
            bars.close
                .iter()
                .zip(previous)
                .map(|(close, before)| average.push((close / before).ln()).deviation())
                .collect()
        }
    }
}
