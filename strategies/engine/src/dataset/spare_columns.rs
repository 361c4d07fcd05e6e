//! Emptied columns of stacked symbols, whose memory serves symbols to come.
//!
//! Memory that is freed and allocated again has to be cleared by the operating system each time.

use std::sync::{Mutex, PoisonError};

use super::columns::Column;

/// Columns without values, one set per symbol that has been stacked and not yet been succeeded.
#[derive(Default)]
pub(super) struct SpareColumns {
    sets: Mutex<Vec<Vec<Column>>>,
}

impl SpareColumns {
    /// The columns of an earlier symbol; no columns where none are spare.
    pub(super) fn take(&self) -> Vec<Column> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.pop().unwrap_or_default()
    }

    pub(super) fn put_back(&self, columns: Vec<Column>) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.push(columns);
    }
}
