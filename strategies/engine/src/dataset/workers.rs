//! Threads: the same work on every item, with results in the order of the items whatever the number
//! of threads.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::DataSetError;

/// Items per thread in a wave. One wave is taken while the next is at work, so twice as many items
/// per thread may be in memory. Fewer would leave threads idle at the end of each wave.
const WAVE_ITEMS_PER_THREAD: usize = 2;

/// One thread is the caller's own; more are a pool that lives as long as this.
pub(super) struct Workers {
    pool: Option<ThreadPool>,
}

impl Workers {
    /// # Errors
    /// [`DataSetError::Threads`].
    pub(super) fn new(threads: usize) -> Result<Self, DataSetError> {
        // A single thread needs no pool: the work runs in the caller.
        if threads <= 1 {
            return Ok(Self { pool: None });
        }

        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| DataSetError::Threads {
                threads,
                reason: error.to_string(),
            })?;

        Ok(Self { pool: Some(pool) })
    }

    /// Works on every item and hands each result to `take` in the order of the items.
    ///
    /// Items are worked on in waves. The results of one wave are taken while the next wave is at
    /// work, so at most 4 items per thread are in memory.
    ///
    /// # Errors
    /// The first one in the order of the items.
    pub(super) fn map_in_order<T: Sync, R: Send, E: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R, E> + Sync,
        mut take: impl FnMut(R) + Send,
    ) -> Result<(), E> {
        let Some(pool) = &self.pool else {
            for item in items {
                take(work(item)?);
            }
            return Ok(());
        };

        let mut finished: Vec<R> = Vec::new();
        for wave in items.chunks(pool.current_num_threads() * WAVE_ITEMS_PER_THREAD) {
            let ((), results) = pool.join(
                || finished.into_iter().for_each(&mut take),
                || map_wave(wave, &work),
            );
            // Collected here and not by rayon, which may give another error than the first.
            finished = results.into_iter().collect::<Result<_, E>>()?;
        }
        finished.into_iter().for_each(take);

        Ok(())
    }

    /// Changes every item.
    pub(super) fn change_each<T: Send>(
        &self,
        items: &mut [T],
        work: impl Fn(&mut T) + Sync + Send,
    ) {
        match &self.pool {
            // One item at a time, as some take much longer than others.
            Some(pool) => pool.install(|| items.par_iter_mut().with_max_len(1).for_each(work)),
            None => items.iter_mut().for_each(work),
        }
    }
}

fn map_wave<T: Sync, R: Send, E: Send>(
    wave: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync + Send,
) -> Vec<Result<R, E>> {
    // One item at a time: symbols are few and long.
    wave.par_iter().with_max_len(1).map(work).collect()
}
