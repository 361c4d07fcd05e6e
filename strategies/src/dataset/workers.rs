//! Threads: the same work on every item, results in the order of the items whatever the number of threads.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::DataSetError;

/// One thread is the caller's own; more are a pool that lives as long as this.
pub(super) struct Workers(Option<ThreadPool>);

impl Workers {
    pub(super) fn new(threads: usize) -> Result<Self, DataSetError> {
        if threads <= 1 {
            return Ok(Self(None));
        }
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let failed = |error: rayon::ThreadPoolBuildError| DataSetError::Threads { threads, reason: error.to_string() };
        Ok(Self(Some(pool.map_err(failed)?)))
    }

    /// The results in the order of the items.
    pub(super) fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
        match &self.0 {
            // One item at a time: symbols are few and long.
            Some(pool) => pool.install(|| items.par_iter().with_max_len(1).map(work).collect()),
            None => items.iter().map(work).collect(),
        }
    }

    /// Changes every item, told its position.
    pub(super) fn each<T: Send>(&self, items: &mut [T], work: impl Fn(usize, &mut T) + Sync + Send) {
        match &self.0 {
            Some(pool) => pool.install(|| items.par_iter_mut().enumerate().for_each(|(at, item)| work(at, item))),
            None => items.iter_mut().enumerate().for_each(|(at, item)| work(at, item)),
        }
    }
}
