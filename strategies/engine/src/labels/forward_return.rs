//! Forward return: the relative change of the close over a fixed number of bars, as a number or as
//! a context class.

use super::{BarLabels, Context};

/// (close\[i+h\] − close\[i\])/close\[i\]; no label in the last h rows nor where the quotient is
/// not finite.
pub(super) fn label(labels: &mut BarLabels, close: &[f64], horizon: usize) {
    for (row, (now, later)) in close.iter().zip(close.iter().skip(horizon)).enumerate() {
        let value = ((later - now) / now) as f32;
        if value.is_finite() {
            labels.set(row, value, horizon);
        }
    }
}

/// The class of the forward return: BULLISH above one threshold, BEARISH below another, else
/// NEUTRAL.
pub(super) fn label_context(labels: &mut BarLabels, close: &[f64], context: &Context) {
    let horizon = context.horizon as usize;
    for (row, (now, later)) in close.iter().zip(close.iter().skip(horizon)).enumerate() {
        let change = (later - now) / now;
        let class = match change {
            change if change > context.bullish => 0.0,
            change if change < context.bearish => 1.0,
            _ => 2.0,
        };
        if change.is_finite() {
            labels.set(row, class, horizon);
        }
    }
}
