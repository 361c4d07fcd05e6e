//! What a training does when its batches do not fit the memory.

use serde::{Deserialize, Serialize};

/// A training that ran out of memory goes on with half the rows in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHalving {
    /// The first epoch, from 1, whose batches are smaller.
    pub epoch: u32,
    /// Rows of a batch from there on.
    pub batch_size: u32,
}
