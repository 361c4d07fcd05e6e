//! Forward return: the relative change of the close over a fixed number of bars.

use super::Labels;

/// (close\[i+h\] − close\[i\])/close\[i\]; no label in the last h rows nor where the quotient is not finite.
pub(super) fn label(labels: &mut Labels, close: &[f64], horizon: usize) {
    for (row, (now, later)) in close.iter().zip(close.iter().skip(horizon)).enumerate() {
        let value = ((later - now) / now) as f32;
        if value.is_finite() {
            labels.set(row, value, horizon);
        }
    }
}
