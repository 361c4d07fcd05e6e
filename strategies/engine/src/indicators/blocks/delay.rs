//! The value n steps ago.

use serde::{Deserialize, Serialize};

use super::ring::{next_slot, replace_at};
use crate::indicators::engine::{gap_bits, slice_of};

/// The value n steps ago.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Delay {
    /// NaN where no value has been yet.
    ring: Box<[f64]>,
    /// Slot of the oldest value, which the next one replaces.
    next: usize,
}

impl Delay {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            ring: vec![f64::NAN; length.max(1)].into(),
            next: 0,
        }
    }

    /// Takes a value; returns the one taken n steps before, NaN until there is one.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        let oldest = replace_at(&mut self.ring, self.next, value).unwrap_or(f64::NAN);
        self.next = next_slot(self.next, self.ring.len());
        oldest
    }

    /// True when n values are in, none of which may have been NaN.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.ring
            .get(self.next)
            .is_some_and(|oldest| !oldest.is_nan())
    }

    /// n, the steps of the delay.
    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        self.ring.len()
    }

    /// `combine` of each value of a run from `from` on, which is n or more, and of the value n
    /// steps before it. Leaves the ring alone. True if every cell is finite.
    #[inline(always)]
    pub(crate) fn fill(
        &self,
        run: &[f64],
        from: usize,
        cells: &mut [f64],
        combine: impl Fn(f64, f64) -> f64,
    ) -> bool {
        let values = slice_of(run, from..run.len());
        let earlier = slice_of(run, from - self.ring.len()..run.len());

        let mut bits = 0;
        for (cell, (value, before)) in cells.iter_mut().zip(values.iter().zip(earlier)) {
            *cell = combine(*value, *before);
            bits |= gap_bits(*cell);
        }
        bits == 0
    }
}
