//! Threads: the same work on every item, results in the order of the items whatever the number of
//! threads.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
        let failed = |error: rayon::ThreadPoolBuildError| DataSetError::Threads {
            threads,
            reason: error.to_string(),
        };
        Ok(Self(Some(pool.map_err(failed)?)))
    }

    /// The results in the order of the items.
    pub(super) fn map<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> R + Sync + Send,
    ) -> Vec<R> {
        match &self.0 {
            // One item at a time: symbols are few and long.
            Some(pool) => pool.install(|| items.par_iter().with_max_len(1).map(work).collect()),
            None => items.iter().map(work).collect(),
        }
    }

    /// Hands each result to `take`, on the caller's thread and in the order of the items; gives the
    /// error that comes first in that order, after which nothing is taken. At most `ahead` items
    /// are at work or wait, so that a slow one holds up the others only when they are that far
    /// ahead of it.
    pub(super) fn in_order<T: Sync, R: Send, E: Send>(
        &self,
        items: &[T],
        ahead: usize,
        work: impl Fn(&T) -> Result<R, E> + Sync,
        mut take: impl FnMut(R),
    ) -> Result<(), E> {
        let Some(pool) = &self.0 else {
            return items.iter().try_for_each(|item| work(item).map(&mut take));
        };
        let queue = Queue {
            ahead: ahead.max(1),
            items: items.len(),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        pool.in_place_scope(|scope| {
            let (sender, receiver) = channel();
            for _ in 0..pool.current_num_threads() {
                let (sender, queue, work) = (sender.clone(), &queue, &work);
                scope.spawn(move |_| {
                    let _guard = StopOnPanic(queue);
                    while let Some((at, item)) =
                        queue.next().and_then(|at| Some((at, items.get(at)?)))
                    {
                        // Nobody listens any more after an error.
                        let _ = sender.send((at, work(item)));
                    }
                });
            }
            drop(sender);
            let (mut waiting, mut taken) = (BTreeMap::new(), 0);
            for (at, result) in receiver {
                waiting.insert(at, result);
                while let Some(result) = waiting.remove(&taken) {
                    take(result.inspect_err(|_| queue.stop())?);
                    taken += 1;
                    queue.taken(taken);
                }
            }
            Ok(())
        })
    }

    /// Changes every item.
    pub(super) fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
        match &self.0 {
            // One item at a time, as some take much longer than others.
            Some(pool) => pool.install(|| items.par_iter_mut().with_max_len(1).for_each(work)),
            None => items.iter_mut().for_each(work),
        }
    }
}

/// Which item is next, and how far ahead of those that are done with.
struct Queue {
    ahead: usize,
    items: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: usize,
    taken: usize,
    stopped: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position of the next item once it may begin; none when there is none or all is stopped.
    fn next(&self) -> Option<usize> {
        let full = |state: &mut State| {
            !state.stopped && state.next < self.items && state.next >= state.taken + self.ahead
        };
        let mut state = self
            .changed
            .wait_while(self.state(), full)
            .unwrap_or_else(PoisonError::into_inner);
        let next = state.next;
        state.next += 1;
        (!state.stopped && next < self.items).then_some(next)
    }

    fn taken(&self, taken: usize) {
        self.state().taken = taken;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }
}

/// A thread that panics leaves a result that never comes; nobody shall wait for it.
struct StopOnPanic<'a>(&'a Queue);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}
