//! How many bars ago the largest of the last n values was taken.

use serde::{Deserialize, Serialize};

use super::ring::replace_at;

/// How many steps ago the largest of the last n values was taken, the newest one among equals. By
/// the method of `RollingRange`, on values with the number of their step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SinceMaximum {
    ring: Box<[Numbered]>,
    next: usize,
    is_full: bool,
    step: u64,
    turn_maximum: Numbered,
}

/// A value and the step at which it was taken.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Numbered {
    value: f64,
    step: u64,
}

const LOWEST: Numbered = Numbered {
    value: f64::NEG_INFINITY,
    step: 0,
};

#[inline(always)]
fn larger_or_newer(newer: Numbered, older: Numbered) -> Numbered {
    if newer.value >= older.value {
        newer
    } else {
        older
    }
}

impl SinceMaximum {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            ring: vec![LOWEST; length.max(1)].into(),
            next: 0,
            is_full: false,
            step: 0,
            turn_maximum: LOWEST,
        }
    }

    /// Takes a value; returns the steps since the largest of the last n, NaN until there are n.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        self.step = self.step.wrapping_add(1);
        let newest = Numbered {
            value,
            step: self.step,
        };
        self.turn_maximum = larger_or_newer(newest, self.turn_maximum);
        replace_at(&mut self.ring, self.next, newest);
        self.next += 1;

        // The window is this turn so far and what remains of the turn before.
        let largest = match self.ring.get(self.next) {
            Some(&turn_end_maximum) => larger_or_newer(self.turn_maximum, turn_end_maximum),
            None => self.finish_turn(),
        };

        if self.is_full {
            self.step.wrapping_sub(largest.step) as f64
        } else {
            f64::NAN
        }
    }

    /// Makes of each slot the maximum from it to the end of the turn. Returns that of the turn.
    #[inline(always)]
    fn finish_turn(&mut self) -> Numbered {
        let mut suffix = LOWEST;
        for slot in self.ring.iter_mut().rev() {
            suffix = larger_or_newer(suffix, *slot);
            *slot = suffix;
        }

        self.next = 0;
        self.is_full = true;
        std::mem::replace(&mut self.turn_maximum, LOWEST)
    }
}
