//! Zigzag segments: BUY inside a rising segment, SELL inside a falling one, HOLD on its pivots.
//!
//! Row 0 is a pivot. The first close that differs from it by the threshold sets the direction and
//! becomes the moving pivot, which follows the extreme until the close reverses by the threshold:
//! that bar *confirms* the pivot and is the next moving one. A label is known when the pivot that
//! ends its segment is confirmed, which is what the look-ahead says. Rows after the last confirmed
//! pivot have no label: what segment they lie in is not known yet.

use super::{BUY, BarLabels, HOLD, SELL};

pub(super) fn label(labels: &mut BarLabels, close: &[f64], threshold: f64) {
    for segment in segments(close, threshold) {
        let inner = if segment.rising { BUY } else { SELL };
        for inside in segment.start + 1..segment.end {
            labels.set(inside, inner, segment.confirmed - inside);
        }
        // The first row of all is a pivot, and the label is known when a segment has left it.
        if segment.first {
            labels.set(segment.start, HOLD, segment.confirmed - segment.start);
        }
        labels.set(segment.end, HOLD, segment.confirmed - segment.end);
    }
    for (row, price) in close.iter().enumerate() {
        if !(*price > 0.0 && price.is_finite()) {
            labels.set(row, f32::NAN, 0);
        }
    }
}

/// The segments between confirmed pivots, in order. Rows without a price are passed over.
pub(super) fn segments(close: &[f64], threshold: f64) -> impl Iterator<Item = Segment> {
    let mut scan = Scan::new();
    let priced = close
        .iter()
        .enumerate()
        .filter(|(_, price)| **price > 0.0 && price.is_finite());
    priced.filter_map(move |(row, &price)| scan.push(row, price, threshold))
}

/// Two neighbouring confirmed pivots.
pub(super) struct Segment {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) rising: bool,
    /// True for the first segment of all.
    first: bool,
    /// Row of the reversal that confirmed the pivot at `end`.
    pub(super) confirmed: usize,
}

struct Scan {
    /// Last confirmed pivot.
    start: usize,
    /// Row of the moving pivot.
    pivot: usize,
    extreme: f64,
    rising: Option<bool>,
    /// True until a segment has been confirmed.
    first: bool,
}

impl Scan {
    fn new() -> Self {
        Self {
            start: 0,
            pivot: 0,
            extreme: f64::NAN,
            rising: None,
            first: true,
        }
    }

    /// Takes the next close; the segment that it confirms, if any.
    fn push(&mut self, row: usize, price: f64, threshold: f64) -> Option<Segment> {
        let change = price / self.extreme - 1.0;
        let Some(rising) = self.rising else {
            if self.extreme.is_nan() {
                (self.pivot, self.extreme) = (row, price);
            } else if change.abs() >= threshold {
                self.start = self.pivot;
                (self.pivot, self.extreme, self.rising) = (row, price, Some(change > 0.0));
            }
            return None;
        };
        let further = if rising {
            price > self.extreme
        } else {
            price < self.extreme
        };
        let reversed = if rising {
            change <= -threshold
        } else {
            change >= threshold
        };
        if further {
            (self.pivot, self.extreme) = (row, price);
            return None;
        }
        if !reversed {
            return None;
        }
        let segment = Segment {
            start: self.start,
            end: self.pivot,
            rising,
            first: self.first,
            confirmed: row,
        };
        (self.start, self.first) = (self.pivot, false);
        (self.pivot, self.extreme, self.rising) = (row, price, Some(!rising));
        Some(segment)
    }
}
