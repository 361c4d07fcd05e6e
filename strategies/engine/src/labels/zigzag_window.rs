//! Zigzag, window form: the stronger of the best rise and the deepest fall within the bars that
//! follow.
//!
//! gain = highest of the next L closes / close − 1, loss = 1 − lowest / close. BUY if gain ≥
//! threshold, gain > loss and the highest close lies at least `min_swing_length` bars ahead (the
//! first one among equals); SELL mirrored; else HOLD. The last L rows have no label, nor has a row
//! whose window lacks a price.
//!
//! Source: our own simplification of the zigzag, whose look-ahead is the same on every row.

use super::volatility::is_price;
use super::zigzag::reaches_threshold;
use super::{BUY, BarLabels, HOLD, SELL, ZigzagWindow};
use crate::ties::is_above;

/// Labels every row whose whole window has prices.
pub(super) fn label_windows(labels: &mut BarLabels, close: &[f64], window: &ZigzagWindow) {
    let look_ahead = window.lookahead as usize;

    for (row, prices) in close.windows(look_ahead + 1).enumerate() {
        if let Some((&now, later)) = prices.split_first()
            && prices.iter().all(|price| is_price(*price))
        {
            labels.set(row, classify_window(now, later, window), look_ahead);
        }
    }
}

/// An extreme close of a window, and its distance in bars.
#[derive(Clone, Copy)]
struct Extreme {
    price: f64,
    bars_ahead: u32,
}

impl Extreme {
    /// Whether a move of this size to the extreme is large enough and does not come too soon.
    fn is_swing(self, size: f64, window: &ZigzagWindow) -> bool {
        reaches_threshold(size, window.threshold) && self.bars_ahead >= window.min_swing_length
    }
}

fn classify_window(now: f64, later: &[f64], window: &ZigzagWindow) -> f32 {
    let mut highest = Extreme {
        price: f64::NEG_INFINITY,
        bars_ahead: 1,
    };
    let mut lowest = Extreme {
        price: f64::INFINITY,
        bars_ahead: 1,
    };
    // Strictly beyond, so that the nearest of equal extremes counts.
    for (bars_ahead, &price) in (1..).zip(later) {
        if price > highest.price {
            highest = Extreme { price, bars_ahead };
        }
        if price < lowest.price {
            lowest = Extreme { price, bars_ahead };
        }
    }

    let gain = highest.price / now - 1.0;
    let loss = 1.0 - lowest.price / now;

    // Two moves of the same prices differ by the rounding of ratios near 1.
    let scale = 1.0 + gain.abs() + loss.abs();
    if is_above(gain, loss, scale) && highest.is_swing(gain, window) {
        BUY
    } else if is_above(loss, gain, scale) && lowest.is_swing(loss, window) {
        SELL
    } else {
        HOLD
    }
}
