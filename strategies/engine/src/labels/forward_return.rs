//! Forward return: the relative change of the close over a fixed number of bars, as a number or as
//! a context class.
//!
//! (close\[i+h\] − close\[i\])/close\[i\], the simple return over a horizon of h bars. The last h
//! rows have no label, nor has a row where the quotient is not finite.

use super::{BarLabels, ContextLabels};
use crate::ties::is_above;

const BULLISH: f32 = 0.0;
const BEARISH: f32 = 1.0;
const NEUTRAL: f32 = 2.0;

/// Labels every row with its forward return.
pub(super) fn label_returns(labels: &mut BarLabels, close: &[f64], horizon: usize) {
    for (row, change) in forward_returns(close, horizon).enumerate() {
        // A return of f64 may be too large for a label of f32.
        let value = change as f32;
        if value.is_finite() {
            labels.set(row, value, horizon);
        }
    }
}

/// Labels every row with the class of its forward return: BULLISH above one threshold, BEARISH
/// below another, else NEUTRAL.
pub(super) fn label_context(labels: &mut BarLabels, close: &[f64], context: &ContextLabels) {
    let horizon = context.horizon as usize;

    for (row, change) in forward_returns(close, horizon).enumerate() {
        if !change.is_finite() {
            continue;
        }

        // A return has the rounding of a ratio near 1.
        let scale = 1.0 + change.abs();
        let class = if is_above(change, context.bullish, scale) {
            BULLISH
        } else if is_above(context.bearish, change, scale) {
            BEARISH
        } else {
            NEUTRAL
        };
        labels.set(row, class, horizon);
    }
}

fn forward_returns(close: &[f64], horizon: usize) -> impl Iterator<Item = f64> {
    close
        .iter()
        .zip(close.iter().skip(horizon))
        .map(|(now, later)| (later - now) / now)
}
