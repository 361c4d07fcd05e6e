//! Zigzag, window form: the stronger of the best rise and the deepest fall within the bars that
//! follow.
//!
//! gain = highest of the next L closes / close − 1, loss = 1 − lowest / close. BUY if gain ≥
//! threshold, gain > loss and the highest close lies at least `min_swing_length` bars ahead (the
//! first one among equals); SELL mirrored; else HOLD. The last L rows have no label, nor has a row
//! whose window lacks a price.

use super::{BUY, BarLabels, HOLD, SELL, ZigzagWindow};

pub(super) fn label(labels: &mut BarLabels, close: &[f64], window: &ZigzagWindow) {
    let lookahead = window.lookahead as usize;
    for (row, ahead) in close.windows(lookahead + 1).enumerate() {
        if let Some((&now, later)) = ahead.split_first()
            && ahead.iter().all(|price| *price > 0.0 && price.is_finite())
        {
            labels.set(row, class(now, later, window), lookahead);
        }
    }
}

fn class(now: f64, later: &[f64], window: &ZigzagWindow) -> f32 {
    let (mut highest, mut lowest) = ((1, f64::NEG_INFINITY), (1, f64::INFINITY));
    for (steps, &price) in (1u32..).zip(later) {
        if price > highest.1 {
            highest = (steps, price);
        }
        if price < lowest.1 {
            lowest = (steps, price);
        }
    }
    let (gain, loss) = (highest.1 / now - 1.0, 1.0 - lowest.1 / now);
    if gain >= window.threshold && gain > loss && highest.0 >= window.min_swing_length {
        BUY
    } else if loss >= window.threshold && loss > gain && lowest.0 >= window.min_swing_length {
        SELL
    } else {
        HOLD
    }
}
