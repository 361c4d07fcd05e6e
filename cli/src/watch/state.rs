//! Everything that a watcher has learnt about one operation so far, and the facts that its screen
//! shows at one moment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{Bus, Timing, Update};
use jiff::Timestamp;
use schemas::ids::{StepNumber, WorkerId};
use schemas::operation::{OperationRecord, OperationState, StepState};

use super::StepProgress;
use super::expectations::Expectations;
use super::queue_probe::WaitingStep;
use super::waiting_reason::{QueueFacts, WaitingFacts};

/// What has been learnt so far.
pub(super) struct WatchState {
    record: Option<OperationRecord>,
    progress: StepProgress,
    expectations: Expectations,
    /// When each worker that holds a step was last heard of.
    last_heard: BTreeMap<WorkerId, Instant>,
    /// How long each of them has been silent, as of the last call of `facts`.
    silent: BTreeMap<WorkerId, Duration>,
    offline_since: Option<Instant>,
    /// When Ctrl+C asked for a cancel; none once the request is known to have failed.
    pub(super) cancel_asked_at: Option<Instant>,
    timing: Timing,
}

impl WatchState {
    /// Nothing is known yet.
    pub(super) fn new(timing: Timing) -> Self {
        Self {
            record: None,
            progress: StepProgress::new(),
            expectations: Expectations::default(),
            last_heard: BTreeMap::new(),
            silent: BTreeMap::new(),
            offline_since: None,
            cancel_asked_at: None,
            timing,
        }
    }

    /// Takes over what an update says.
    pub(super) fn apply(&mut self, update: Update) {
        match update {
            Update::Record(record) => {
                self.last_heard = self.holders_of(&record);
                self.record = Some(*record);
            }
            Update::Progress(progress) => {
                self.note_sign_of_life(&progress.worker);
                self.progress.insert(progress.step, *progress);
            }
            Update::Event(_) => {}
        }
    }

    /// The workers that hold a step. A new one counts as heard of now: it has just claimed.
    fn holders_of(&self, record: &OperationRecord) -> BTreeMap<WorkerId, Instant> {
        let mut holders = BTreeMap::new();
        for holder in record.steps.iter().filter_map(|step| step.holder.as_ref()) {
            let last_heard = self.last_heard.get(&holder.worker).copied();
            holders.insert(
                holder.worker.clone(),
                last_heard.unwrap_or_else(Instant::now),
            );
        }
        holders
    }

    /// Notes that a worker lives, if it holds a step of this operation.
    pub(super) fn note_sign_of_life(&mut self, worker: &WorkerId) {
        if let Some(last_heard) = self.last_heard.get_mut(worker) {
            *last_heard = Instant::now();
        }
    }

    /// The first step that waits in a queue.
    pub(super) fn waiting_step(&self) -> Option<WaitingStep> {
        // An operation that has ended waits for nothing, whatever its steps say.
        let record = self
            .record
            .as_ref()
            .filter(|record| !record.state.is_terminal())?;

        let is_pending = |number| {
            record
                .step(number)
                .is_some_and(|step| step.state == StepState::Pending)
        };
        let waiting = record
            .outstanding_commands()
            .into_iter()
            .find(|step| is_pending(step.step))?;
        Some(WaitingStep {
            number: waiting.step,
            service: waiting.service,
            lane: waiting.lane,
        })
    }

    /// The record, if it is in the state `until`.
    pub(super) fn record_in(&self, until: Option<OperationState>) -> Option<&OperationRecord> {
        self.record
            .as_ref()
            .filter(|record| Some(record.state) == until)
    }

    /// The last record, which is gone then.
    pub(super) fn take_record(&mut self) -> Option<OperationRecord> {
        self.record.take()
    }

    /// The last progress of each step.
    pub(super) fn into_progress(self) -> StepProgress {
        self.progress
    }

    /// Notes how long steps have taken before.
    pub(super) fn expect(&mut self, expectations: Expectations) {
        self.expectations = expectations;
    }

    /// The facts of this moment.
    pub(super) fn facts(&mut self, bus: &Bus, queue: Option<QueueFacts>) -> WaitingFacts<'_> {
        let now = Instant::now();
        let connected_since = bus.connection().connected_since();
        self.offline_since = match connected_since {
            Some(_) => None,
            None => Some(self.offline_since.unwrap_or(now)),
        };

        // Nobody can be heard while the connection is down: that is not the worker's silence.
        let heard_from = connected_since.unwrap_or(now);
        self.silent = self
            .last_heard
            .iter()
            .map(|(worker, last)| (worker.clone(), now - (*last).max(heard_from)))
            .collect();

        WaitingFacts {
            record: self.record.as_ref(),
            progress: &self.progress,
            expectations: &self.expectations,
            queue,
            silent: &self.silent,
            offline: self.offline_since.map(|since| now - since),
            cancel_asked: self.cancel_asked_at.map(|instant| now - instant),
            timing: self.timing,
            now: Timestamp::now(),
        }
    }
}

/// The step that is worked on or waits: the first one that is not completed.
pub(crate) fn current_step(record: &OperationRecord) -> Option<StepNumber> {
    record
        .numbers()
        .zip(&record.steps)
        .find(|(_, step)| step.state != StepState::Completed)
        .map(|(number, _)| number)
}
