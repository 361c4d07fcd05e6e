//! For tests: an engine that runs out of memory as libtorch does.

use std::cell::Cell;
use std::ops::Range;

use strategies::splits::Part;

use super::{Engine, EngineError, EpochPlan, EpochSums};
use crate::analytics::GradientNorms;
use crate::state::TrainState;

/// What libtorch 2.13 says when an allocation on a GPU fails.
pub(crate) const GPU_MESSAGE: &str = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a \
    total capacity of 23.68 GiB of which 1.31 GiB is free.";

/// The memory of the engines that a thread opens.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Rows of the largest batch that fits.
    pub(crate) rows: usize,
    /// Batches after which that holds; before it, every batch fits.
    pub(crate) after_batches: u64,
}

/// Any batch fits.
const AMPLE: Memory = Memory {
    rows: usize::MAX,
    after_batches: 0,
};

thread_local! {
    static MEMORY: Cell<Memory> = const { Cell::new(AMPLE) };
    static BATCHES: Cell<u64> = const { Cell::new(0) };
}

/// Calls `body` while engines of this thread have no more than `memory`.
pub(crate) fn with_memory<T>(memory: Memory, body: impl FnOnce() -> T) -> T {
    MEMORY.set(memory);
    BATCHES.set(0);
    let result = body();
    MEMORY.set(AMPLE);
    result
}

/// An engine that computes what another one does while its memory lasts.
pub(crate) struct SmallMemory<'a> {
    engine: Box<dyn Engine + 'a>,
}

impl<'a> SmallMemory<'a> {
    pub(crate) fn around(engine: Box<dyn Engine + 'a>) -> Self {
        Self { engine }
    }
}

impl Engine for SmallMemory<'_> {
    fn begin_epoch(&mut self, plan: EpochPlan) -> Result<(), EngineError> {
        self.engine.begin_epoch(plan)
    }

    fn train_batch(
        &mut self,
        positions: Range<usize>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<bool, EngineError> {
        let memory = MEMORY.get();
        BATCHES.set(BATCHES.get() + 1);
        if BATCHES.get() > memory.after_batches && positions.len() > memory.rows {
            return Err(GPU_MESSAGE.into());
        }
        self.engine.train_batch(positions, is_cancelled)
    }

    fn read_sums(&mut self) -> Result<EpochSums, EngineError> {
        self.engine.read_sums()
    }

    fn gradient_norms(&self) -> Result<GradientNorms, EngineError> {
        self.engine.gradient_norms()
    }

    fn score_rows(
        &mut self,
        part: Part,
        rows: Range<usize>,
        scores: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.engine.score_rows(part, rows, scores)
    }

    fn load_weights(&mut self, weights: &[f32]) -> Result<(), EngineError> {
        self.engine.load_weights(weights)
    }

    fn copy_state_to(&self, state: &mut TrainState) -> Result<(), EngineError> {
        self.engine.copy_state_to(state)
    }
}
