//! The threads of a bundle: each takes the next training until none is left.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use runtime::{StepContext, StepError};
use schemas::commands::{BundleMember, TrainRequest};
use schemas::errors::ErrorRecord;
use schemas::ids::OperationId;
use store::Checkpoint;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::board::{Board, MemberControl};
use crate::checkpoints::state_of;
use crate::measured::{ReadyModel, train_and_measure};
use crate::prepared::{PreparedData, PreparedTraining, resolve};
use crate::{ComputeDevice, Control, TrainError, TrainState};

/// A training that has not ended.
pub(super) struct OpenTraining {
    pub(super) member: BundleMember,
    /// Where an earlier attempt has left it.
    pub(super) checkpoint: Option<Checkpoint>,
}

/// A training that a thread is done with.
pub(super) struct EndedTraining {
    pub(super) training: u32,
    /// How long the thread has trained and measured it.
    pub(super) seconds: f64,
    pub(super) how: HowEnded,
}

/// What became of a training.
pub(super) enum HowEnded {
    /// It has a model, not published yet.
    Ready(Box<ReadyModel>),
    /// It was stopped; its last state is on the board.
    Stopped,
    /// It cannot be trained.
    Failed(Box<ErrorRecord>),
}

/// What all threads of a bundle work from.
pub(super) struct Crew {
    pub(super) request: TrainRequest,
    pub(super) shared: Arc<PreparedData>,
    pub(super) device: ComputeDevice,
    pub(super) op: OperationId,
    pub(super) queue: Mutex<VecDeque<OpenTraining>>,
    pub(super) board: Arc<Board>,
}

impl Crew {
    /// Works on that number of threads until nothing is left or the bundle is stopped.
    pub(super) async fn work_on_threads(
        self,
        threads: usize,
        sender: mpsc::Sender<EndedTraining>,
        step: &StepContext,
    ) -> Result<(), StepError> {
        let crew = Arc::new(self);
        let mut running = JoinSet::new();
        for _ in 0..threads {
            let crew = crew.clone();
            let sender = sender.clone();
            let step = step.clone();
            running.spawn(async move { step.blocking(move || crew.work(&sender)).await });
        }
        drop(sender);

        // The first panic counts; the other threads go on to their end.
        let mut ended = Ok(());
        while let Some(thread) = running.join_next().await {
            let thread = thread.unwrap_or(Ok(()));
            ended = ended.and(thread);
        }
        ended
    }

    /// Takes one training after another.
    fn work(&self, sender: &mpsc::Sender<EndedTraining>) -> Result<(), StepError> {
        while let Some(open) = self.next() {
            let ended = self.train(open);
            // The manager goes on for as long as there are senders.
            if sender.blocking_send(ended).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<OpenTraining> {
        if self.board.is_stopped() {
            return None;
        }
        let queue = self.queue.lock();
        // Nothing that is done under the lock can leave the queue half-changed.
        queue.unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn train(&self, open: OpenTraining) -> EndedTraining {
        let training = open.member.training;
        let began = Instant::now();
        let how = match self.train_member(open) {
            Ok(how) => how,
            Err(error) => HowEnded::Failed(Box::new(error)),
        };
        EndedTraining {
            training,
            seconds: began.elapsed().as_secs_f64(),
            how,
        }
    }

    fn train_member(&self, open: OpenTraining) -> Result<HowEnded, ErrorRecord> {
        let request = open.member.request_alone(&self.request);
        let resolved = resolve(&request)?;
        let prepared = PreparedTraining::new(request, resolved, self.shared.clone(), self.device);
        let state = open.checkpoint.and_then(|it| read_state(it, &prepared));
        let resumed_at = state.as_ref().map_or(0, |state| state.progress.epoch);

        let training = open.member.training;
        let control = MemberControl::new(&self.board, training, prepared.network.clone());
        let ready = match train_and_measure(&prepared, &control, state) {
            Ok(measured) => measured.encode(&prepared, &self.op, resumed_at),
            Err(TrainError::Cancelled { last }) => {
                // Without a whole epoch there is nothing worth saving.
                if let Some(last) = last {
                    control.checkpoint(*last);
                }
                return Ok(HowEnded::Stopped);
            }
            Err(error) => Err(error),
        };
        match ready {
            Ok(ready) => Ok(HowEnded::Ready(Box::new(ready))),
            Err(error) => Err(ErrorRecord::from_advice(&error)),
        }
    }
}

/// The state in a checkpoint; none where it cannot be used, and the training begins again.
fn read_state(checkpoint: Checkpoint, prepared: &PreparedTraining) -> Option<TrainState> {
    match state_of(prepared, checkpoint) {
        Ok(state) => Some(state),
        Err(error) => {
            tracing::warn!(error = %error, "checkpoint of a training not used");
            None
        }
    }
}
