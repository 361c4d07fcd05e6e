//! What the threads of a bundle share: how far each training is, the newest state of each, and
//! whether to go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runtime::{StepContext, meters};
use schemas::manifests::Network;
use schemas::progress::{Count, Progress};
use tokio::sync::Notify;

use crate::report::{RECORD_PACE, TrainFacts, share_of_step};
use crate::{BatchProgress, Control, EpochRow, TrainState};

/// The newest state of a training at work.
#[derive(Clone)]
pub(super) struct RunningTraining {
    pub(super) network: Arc<Network>,
    pub(super) state: Arc<TrainState>,
}

/// Shared by all threads of a bundle.
pub(super) struct Board {
    step: StepContext,
    facts: TrainFacts,
    total: usize,
    began: Instant,
    /// Set when a training has failed and the others are to end with it.
    is_over: AtomicBool,
    counts: Mutex<Counts>,
    running: Mutex<BTreeMap<u32, RunningTraining>>,
    /// Wakes whoever saves states.
    pub(super) changed: Notify,
}

/// How far a bundle is.
#[derive(Default)]
struct Counts {
    ended: u64,
    failed: u64,
    /// Lowest figure on validation.
    best: Option<f64>,
    /// Shares of the trainings at work, by number.
    shares: BTreeMap<u32, f64>,
    /// When the last record was put into the slot, from the beginning.
    recorded_at: Option<Duration>,
}

impl Board {
    /// For `total` trainings, each of which has the facts of the first.
    pub(super) fn new(step: StepContext, facts: TrainFacts, total: usize) -> Self {
        Self {
            step,
            facts,
            total,
            began: Instant::now(),
            is_over: AtomicBool::new(false),
            counts: Mutex::default(),
            running: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Ends all trainings that are at work.
    pub(super) fn end_all(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// True once nothing more is to be trained.
    pub(super) fn is_stopped(&self) -> bool {
        self.step.stop().is_requested() || self.is_over.load(Ordering::Relaxed)
    }

    /// The newest states of the trainings at work.
    pub(super) fn running(&self) -> BTreeMap<u32, RunningTraining> {
        lock(&self.running).clone()
    }

    fn put_state(&self, training: u32, running: RunningTraining) {
        lock(&self.running).insert(training, running);
        self.changed.notify_one();
    }

    /// Takes in the end of a training: its state is needed no more.
    pub(super) fn end_training(&self, training: u32, best: Option<f64>, has_failed: bool) {
        lock(&self.running).remove(&training);

        let mut counts = lock(&self.counts);
        counts.shares.remove(&training);
        counts.ended += 1;
        counts.failed += u64::from(has_failed);
        counts.best = best;
        self.report(&mut counts);
    }

    /// Takes in how far a training is. What comes sooner than a record can be seen is left out.
    fn put_share(&self, training: u32, share: f64) {
        let mut counts = lock(&self.counts);
        counts.shares.insert(training, share);
        let now = self.began.elapsed();
        if counts
            .recorded_at
            .is_none_or(|then| now - then >= RECORD_PACE)
        {
            self.report(&mut counts);
        }
    }

    fn report(&self, counts: &mut Counts) {
        counts.recorded_at = Some(self.began.elapsed());
        let at_work: f64 = counts.shares.values().sum();
        let trainings = Count {
            done: counts.ended,
            total: self.total as u64,
        };

        let share = (counts.ended as f64 + at_work) / self.total as f64;
        self.step.report(Progress {
            fraction: share_of_step(share),
            message: self.facts.sentence_of_bundle(trainings, counts.best),
            items: Some(trainings),
            context: self
                .facts
                .context_of_bundle(trainings, counts.failed, counts.best),
            waiting: None,
        });
    }
}

/// Nothing that is done under the locks can leave what they guard half-changed.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The control of one training of a bundle.
pub(super) struct MemberControl<'a> {
    board: &'a Board,
    training: u32,
    network: Arc<Network>,
    began: Instant,
}

impl<'a> MemberControl<'a> {
    /// For a training of `network`.
    pub(super) fn new(board: &'a Board, training: u32, network: Network) -> Self {
        Self {
            board,
            training,
            network: Arc::new(network),
            began: Instant::now(),
        }
    }
}

impl Control for MemberControl<'_> {
    fn cancelled(&self) -> bool {
        self.board.is_stopped()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn batch(&self, progress: &BatchProgress) {
        self.board
            .put_share(self.training, progress.fraction_done());
    }

    fn epoch(&self, _: &EpochRow) {
        meters::epoch_trained();
    }

    fn checkpoint(&self, state: TrainState) {
        let running = RunningTraining {
            network: self.network.clone(),
            state: Arc::new(state),
        };
        self.board.put_state(self.training, running);
    }
}
