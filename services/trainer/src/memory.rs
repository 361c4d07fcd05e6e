//! A training that does not fit the memory of its device: batches are halved, twice at most, and
//! it goes on after the last whole epoch.
//!
//! Plain Rust needs memory for one block of rows, whatever the batch, so this concerns libtorch.

use schemas::errors::chain;
use schemas::training::BatchHalving;

use crate::engine::EngineError;
use crate::state::TrainState;

/// Most halvings of one training: what needs more than that is no matter of the batch.
const HALVINGS_MAX: usize = 2;

/// What libtorch and the libraries below it say when memory runs out, on a GPU or on the host.
const OUT_OF_MEMORY: [&str; 5] = [
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
];

/// Whether an engine has failed for lack of memory.
pub(crate) fn is_out_of_memory(error: &EngineError) -> bool {
    let text = chain(error.as_ref());
    OUT_OF_MEMORY.iter().any(|phrase| text.contains(phrase))
}

impl TrainState {
    /// Rows of a batch from this state on.
    pub fn batch_size(&self) -> u32 {
        let progress = &self.progress;
        let halved = progress.halvings.last().map(|halving| halving.batch_size);
        halved.unwrap_or(progress.settings.batch_size)
    }

    /// Halves the batches of the epochs that follow; none where that was done twice, or a batch has
    /// one row.
    pub(crate) fn halve_batches(&mut self) -> Option<BatchHalving> {
        let batch_size = self.batch_size() / 2;
        if batch_size == 0 || self.progress.halvings.len() >= HALVINGS_MAX {
            return None;
        }

        let halving = BatchHalving {
            epoch: self.progress.epoch + 1,
            batch_size,
        };
        self.progress.halvings.push(halving);
        Some(halving)
    }
}

/// What a reader must know about a training whose batches of `batch_size` rows were halved.
pub(crate) fn halving_warnings(batch_size: u32, halvings: &[BatchHalving]) -> Vec<String> {
    let before =
        std::iter::once(batch_size).chain(halvings.iter().map(|halving| halving.batch_size));
    let warnings = halvings.iter().zip(before).map(|pair| {
        let BatchHalving { epoch, batch_size } = pair.0;
        let before = pair.1;
        format!(
            "out of memory: from epoch {epoch} on batches had {batch_size} rows in place of \
             {before}; set training.batch_size to {batch_size} to train so from the beginning"
        )
    });
    warnings.collect()
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
