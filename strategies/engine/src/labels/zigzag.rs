//! Zigzag segments: BUY inside a rising segment, SELL inside a falling one, HOLD on its pivots.
//!
//! Row 0 is a pivot. The first close that differs from it by the threshold sets the direction and
//! becomes the moving pivot, which follows the extreme until the close reverses by the threshold:
//! that bar *confirms* the pivot and is the next moving one. A label is known when the pivot that
//! ends its segment is confirmed, and its look-ahead says so. Rows after the last confirmed pivot
//! have no label: the segment that they lie in is not known yet.
//!
//! Source: Merrill (1977), *Filtered Waves*, on closes.

use super::volatility::is_price;
use super::{BUY, BarLabels, HOLD, SELL};
use crate::ties::reaches;

/// Labels every row up to the last confirmed pivot. `threshold` is a fraction of the price.
pub(super) fn label_segments(labels: &mut BarLabels, close: &[f64], threshold: f64) {
    for segment in segments_of(close, threshold) {
        let inner_class = if segment.is_rising { BUY } else { SELL };
        for row in segment.start + 1..segment.end {
            labels.set(row, inner_class, segment.confirmed - row);
        }

        // The pivot at the start of a later segment has the label of the segment that it ends.
        if segment.is_first {
            labels.set(segment.start, HOLD, segment.confirmed - segment.start);
        }
        labels.set(segment.end, HOLD, segment.confirmed - segment.end);
    }

    labels.clear_rows_without_price(close);
}

/// The segments between confirmed pivots, in order. Rows without a price are passed over.
pub(super) fn segments_of(close: &[f64], threshold: f64) -> impl Iterator<Item = ZigzagSegment> {
    let mut scan = ZigzagScan::new(threshold);

    close
        .iter()
        .enumerate()
        .filter(|(_, price)| is_price(**price))
        .filter_map(move |(row, &price)| scan.push(row, price))
}

/// True if a move is as large as a threshold; it has the rounding of a ratio near 1.
pub(super) fn reaches_threshold(change: f64, threshold: f64) -> bool {
    reaches(change, threshold, 1.0 + change.abs())
}

/// Two neighbouring confirmed pivots.
pub(super) struct ZigzagSegment {
    /// Row of the earlier pivot.
    pub(super) start: usize,
    /// Row of the later pivot.
    pub(super) end: usize,
    pub(super) is_rising: bool,
    /// Row of the reversal that confirmed the pivot at `end`.
    pub(super) confirmed: usize,
    is_first: bool,
}

struct ZigzagScan {
    threshold: f64,
    /// Row of the last confirmed pivot.
    confirmed_pivot: usize,
    /// Row of the moving pivot.
    moving_pivot: usize,
    /// Price at the moving pivot; NaN before the first price.
    extreme: f64,
    /// `None` until a price differs from the first one by the threshold.
    is_rising: Option<bool>,
    /// True until a segment has been confirmed.
    is_first: bool,
}

impl ZigzagScan {
    fn new(threshold: f64) -> Self {
        Self {
            threshold,
            confirmed_pivot: 0,
            moving_pivot: 0,
            extreme: f64::NAN,
            is_rising: None,
            is_first: true,
        }
    }

    /// Takes the next close; returns the segment that it confirms, if any.
    fn push(&mut self, row: usize, price: f64) -> Option<ZigzagSegment> {
        let change = price / self.extreme - 1.0;
        let Some(is_rising) = self.is_rising else {
            self.push_without_direction(row, price, change);
            return None;
        };

        let moves_further = if is_rising {
            price > self.extreme
        } else {
            price < self.extreme
        };
        if moves_further {
            self.move_pivot(row, price);
            return None;
        }

        let reverses = if is_rising {
            reaches_threshold(-change, self.threshold)
        } else {
            reaches_threshold(change, self.threshold)
        };
        if !reverses {
            return None;
        }

        // Only this bar confirms the pivot, so the segment is known from here on.
        let segment = ZigzagSegment {
            start: self.confirmed_pivot,
            end: self.moving_pivot,
            is_rising,
            confirmed: row,
            is_first: self.is_first,
        };
        self.confirmed_pivot = self.moving_pivot;
        self.is_first = false;
        self.is_rising = Some(!is_rising);
        self.move_pivot(row, price);

        Some(segment)
    }

    fn push_without_direction(&mut self, row: usize, price: f64, change: f64) {
        if self.extreme.is_nan() {
            self.move_pivot(row, price);
        } else if reaches_threshold(change.abs(), self.threshold) {
            self.confirmed_pivot = self.moving_pivot;
            self.is_rising = Some(change > 0.0);
            self.move_pivot(row, price);
        }
    }

    fn move_pivot(&mut self, row: usize, price: f64) {
        self.moving_pivot = row;
        self.extreme = price;
    }
}
