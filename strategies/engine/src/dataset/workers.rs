//! Threads: the same work on every item, with results in the order of the items whatever the number
//! of threads.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use rayon::prelude::*;
use rayon::{Scope, ThreadPool, ThreadPoolBuilder};

use super::DataSetError;

/// Items per thread that are at work or wait for those before them, so that a slow one holds up the
/// others only when they are that far ahead of it.
const ITEMS_AHEAD_PER_THREAD: usize = 4;

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

    /// Works on every item and hands each result to `take`, on the caller's thread and in the order
    /// of the items. At most 4 items per thread are at work or wait to be taken.
    ///
    /// # Errors
    /// The first one in the order of the items; nothing is taken after it.
    pub(super) fn map_in_order<T: Sync, R: Send, E: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R, E> + Sync,
        mut take: impl FnMut(R),
    ) -> Result<(), E> {
        let Some(pool) = &self.pool else {
            for item in items {
                take(work(item)?);
            }
            return Ok(());
        };

        let items_ahead = pool.current_num_threads() * ITEMS_AHEAD_PER_THREAD;
        pool.in_place_scope(|scope| {
            let mut waiting_items = items.iter().enumerate();
            let mut queue = OrderedQueue::new();
            for (position, item) in waiting_items.by_ref().take(items_ahead) {
                queue.start(scope, position, item, &work);
            }

            // One item begins whenever one is taken, which bounds what is in memory.
            for position in 0..items.len() {
                take(queue.wait_for(position)?);
                if let Some((next, item)) = waiting_items.next() {
                    queue.start(scope, next, item, &work);
                }
            }
            Ok(())
        })
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

/// Results that arrive in any order and are taken in that of their items.
struct OrderedQueue<R> {
    sender: Sender<(usize, thread::Result<R>)>,
    receiver: Receiver<(usize, thread::Result<R>)>,
    early: BTreeMap<usize, thread::Result<R>>,
}

impl<R: Send> OrderedQueue<R> {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel();

        Self {
            sender,
            receiver,
            early: BTreeMap::new(),
        }
    }

    /// Begins the work on one item, on any thread of the scope.
    fn start<'scope, T: Sync>(
        &self,
        scope: &Scope<'scope>,
        position: usize,
        item: &'scope T,
        work: &'scope (impl Fn(&T) -> R + Sync),
    ) where
        R: 'scope,
    {
        let sender = self.sender.clone();

        scope.spawn(move |_| {
            // A panic is handed over like a result, or its item would be waited for for ever.
            let result = catch_unwind(AssertUnwindSafe(|| work(item)));
            // Nobody listens any more after an error.
            let _ = sender.send((position, result));
        });
    }

    /// The result of the item at `position`; later ones that arrive before it are put aside.
    fn wait_for(&mut self, position: usize) -> R {
        loop {
            if let Some(result) = self.early.remove(&position) {
                return result.unwrap_or_else(|panic| resume_unwind(panic));
            }

            // The queue holds a sender itself, so the channel stays open.
            if let Ok((arrived, result)) = self.receiver.recv() {
                self.early.insert(arrived, result);
            }
        }
    }
}
