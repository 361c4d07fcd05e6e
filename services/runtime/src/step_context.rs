//! The context that an attempt gives to its handler: its record, its store, progress, stop and
//! checkpoints.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, ChangeError};
use jiff::Timestamp;
use schemas::codes::{self, Advice as _};
use schemas::command::Command;
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, Refusal, Stopped};
use schemas::progress::Progress;
use schemas::retries::RetryClass;
use schemas::work_done::{WorkDone, work_done};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Store;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::announce;
use crate::progress_slot::ProgressSlot;
use crate::step_error::{StepError, retry_panicked};
use crate::stop::{StopReason, StopToken};
use crate::traces::{AttemptTrace, Value};
use crate::worker_context::WorkerContext;

/// How long an aborted task may take to be gone until that is worth a line in the log.
const LEAVING_MAX: Duration = Duration::from_millis(500);

/// The record of an attempt's operation, and everything that a handler may do with it. Cheap to
/// clone into a blocking thread.
#[derive(Clone)]
pub struct StepContext {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) record: Arc<OperationRecord>,
    pub(crate) number: StepNumber,
    pub(crate) attempt: u32,
    pub(crate) worker: WorkerId,
    pub(crate) stop: StopToken,
    pub(crate) progress: Arc<ProgressSlot>,
    /// The span of the attempt, where spans are sent.
    pub(crate) trace: Option<Arc<AttemptTrace>>,
    /// The handler and its blocking work: what still runs after it was ended by force.
    pub(crate) work: TaskTracker,
}

impl StepContext {
    /// The context of an attempt that was just claimed; `record` has the claim in it.
    pub(crate) fn new(
        worker: &WorkerContext,
        number: StepNumber,
        attempt: u32,
        record: Arc<OperationRecord>,
    ) -> Self {
        // Of this attempt alone: a request to stop must not outlive it.
        let stop = StopToken::default();
        let progress = Arc::new(ProgressSlot::default());

        Self {
            bus: worker.bus.clone(),
            store: worker.store.clone(),
            trace: AttemptTrace::begin(&record, number, attempt),
            record,
            number,
            attempt,
            worker: worker.id.clone(),
            stop,
            progress,
            work: TaskTracker::new(),
        }
    }

    /// Id of the operation.
    pub fn op(&self) -> &OperationId {
        &self.record.op
    }

    /// Number of the step in the plan.
    pub fn step(&self) -> StepNumber {
        self.number
    }

    /// The fencing token of this attempt.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The record as it was at the claim.
    pub fn record(&self) -> &OperationRecord {
        &self.record
    }

    /// The object store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Says when the work must be left.
    pub fn stop(&self) -> &StopToken {
        &self.stop
    }

    /// `Err(StepError::Stopped)` once the work must be left: put it at every check point.
    pub fn check_stop(&self) -> Result<(), StepError> {
        if self.stop.is_requested() {
            Err(StepError::Stopped)
        } else {
            Ok(())
        }
    }

    /// Shows progress: a store into the latest-value slot, which a task drains at its own pace.
    pub fn report(&self, progress: Progress) {
        self.progress.put(progress);
    }

    /// Notes in the trace of the operation what happened at this instant, where traces are sent.
    pub fn note_in_trace(&self, name: &str, attributes: Vec<(&'static str, Value)>) {
        if let Some(trace) = &self.trace {
            trace.note(name, attributes);
        }
    }

    /// The operation's request.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, StepError> {
        serde_json::from_value(self.record.params.clone()).map_err(|error| {
            let message = format!(
                "the request of operation {} cannot be read: {error}",
                self.record.op
            );
            StepError::permanent(
                codes::OPS_INVALID_REQUEST,
                message,
                "submit it again with this version of `ktrdr`",
            )
        })
    }

    /// The outcome of the nearest earlier step that handled `C`. One too large for the record is
    /// read from the store.
    pub async fn outcome_of<C: Command>(&self) -> Result<C::Outcome, StepError> {
        let result = self
            .record
            .result_of::<C>(self.number)
            .cloned()
            .ok_or_else(|| {
                let message = format!(
                    "no completed step `{} {}` comes before step {}",
                    C::SERVICE,
                    C::VERB,
                    self.number
                );
                StepError::permanent(
                    codes::OPS_INVALID_PLAN,
                    message,
                    "put it into the plan before this step",
                )
            })?;

        // A result that had no room in the record is an object that the record names.
        let result = match serde_json::from_value::<StoredResult>(result.clone()) {
            Ok(StoredResult { result_object }) => self.store.reports().get(&result_object).await?,
            Err(_) => result,
        };

        serde_json::from_value(result).map_err(|error| {
            let message = format!(
                "the outcome of step `{} {}` cannot be read: {error}",
                C::SERVICE,
                C::VERB
            );
            StepError::permanent(
                codes::OPS_INVALID_OUTCOME,
                message,
                "upgrade the workers to one version",
            )
        })
    }

    /// The last checkpoint of an earlier attempt; `None` without one, or when it has another form.
    pub fn resume_point<T: DeserializeOwned>(&self) -> Option<T> {
        let checkpoint = &self.record.step(self.number)?.checkpoint;
        serde_json::from_value(checkpoint.clone()).ok()
    }

    /// Records a checkpoint, such as the key of stored objects: the next attempt goes on from
    /// there, and attempts and retries are counted from zero again. Call it after the objects it
    /// names are stored.
    ///
    /// # Errors
    /// [`StepError::Stopped`] when another attempt has the step by now, a retry when the bus is
    /// away, and a permanent error for a checkpoint too large for the record.
    pub async fn checkpoint(&self, checkpoint: &impl Serialize) -> Result<(), StepError> {
        let value = serde_json::to_value(checkpoint).map_err(|error| {
            StepError::permanent(
                codes::SYS_SERIALISATION,
                format!("cannot write a checkpoint: {error}"),
                "report this as a bug",
            )
        })?;

        let at = Timestamp::now();
        let changed = self
            .bus
            .operations()
            .change(&self.record.op, |record| {
                record.record_checkpoint(self.number, self.attempt, value.clone(), at)
            })
            .await;

        match changed {
            Ok(changed) => {
                let what = What::Checkpointed;
                let worker = Some(&self.worker);
                let event = announce::event(&changed.record, self.number, what, worker, at);
                // The record has the checkpoint: the event only shows it.
                announce::emit_lossy(&self.bus, event).await;
                Ok(())
            }
            Err(error) => Err(self.checkpoint_failed(error)),
        }
    }

    /// Says that something is wrong which does not stop the step: in its note while it runs, in an
    /// event, and in the log.
    pub async fn warn(&self, warning: &ErrorRecord) {
        tracing::warn!(warning = %warning, "step goes on");

        let at = Timestamp::now();
        let changed = self
            .bus
            .operations()
            .change(&self.record.op, |record| {
                record.note_warning(self.number, self.attempt, &warning.message, at)
            })
            .await;
        let event = match changed {
            Ok(changed) => {
                announce::warned(&changed.record, self.number, &self.worker, warning, at)
            }
            // Nothing that this attempt says counts any more.
            Err(error) => {
                tracing::debug!(error = %error, "warning not recorded");
                return;
            }
        };
        announce::emit_lossy(&self.bus, event).await;
    }

    /// Says that something is in the store that others may use at once, in an event `stored`.
    ///
    /// # Errors
    /// A retry when the bus is away.
    pub async fn announce_stored<T: Serialize + Sync>(&self, stored: &T) -> Result<(), StepError> {
        let at = Timestamp::now();
        let worker = Some(&self.worker);
        let event = announce::event(&self.record, self.number, What::Stored, worker, at);
        let Some(event) = event else { return Ok(()) };

        // A value without a JSON form would be a bug, and is seen as an event that says nothing.
        let event = Event {
            result: serde_json::to_value(stored).unwrap_or_default(),
            ..event
        };
        let published = self.bus.events().publish(&event).await;
        published.map_err(|error| {
            let record = ErrorRecord::from_error(codes::BUS_UNREACHABLE, &error, error.hint());
            StepError::retry(RetryClass::System, record)
        })
    }

    fn checkpoint_failed(&self, error: ChangeError) -> StepError {
        match error {
            ChangeError::GaveUp { op, last } => {
                let message = format!("the checkpoint of {op} could not be recorded: {last}");
                StepError::retry(
                    RetryClass::System,
                    ErrorRecord::new(codes::BUS_UNREACHABLE, message, last.hint()),
                )
            }
            ChangeError::Refused {
                refusal: refusal @ Refusal::CheckpointTooLarge { .. },
                ..
            } => {
                let hint =
                    "report this as a bug: a checkpoint names an object, it does not hold it";
                ErrorRecord::from_error(codes::SYS_CHECKPOINT_TOO_LARGE, &refusal, hint).into()
            }

            // The step ended or has a higher attempt: nothing that we do counts any more.
            ChangeError::Refused { .. } | ChangeError::NotFound(_) => {
                self.stop.request(StopReason::Fenced);
                StepError::Stopped
            }
        }
    }

    /// How far the attempt has come, should it have stopped.
    pub(crate) fn stopped(&self) -> Stopped {
        Stopped {
            done: self.work_done(),
            forced: self.stop.is_forced(),
        }
    }

    /// What the attempt has done, as its last report shows.
    fn work_done(&self) -> WorkDone {
        let spec = self.record.plan.step(self.number);
        match (self.progress.last(), spec) {
            (Some(progress), Some(spec)) => work_done(&progress, spec.service),
            _ => WorkDone::new(),
        }
    }

    /// Waits until nothing of the handler runs any more: its threads may go on after it was ended
    /// by force, or after it has left them.
    pub(crate) async fn until_idle(&self) {
        self.work.close();
        if timeout(LEAVING_MAX, self.work.wait()).await.is_ok() {
            return;
        }

        tracing::warn!(
            operation = %self.op(),
            "a thread of the work goes on after its end: this slot takes nothing until it returns"
        );
        self.work.wait().await;
        tracing::info!(operation = %self.op(), "the work has returned: the slot is free again");
    }

    /// Runs `work` on a thread for blocking code; a panic in it becomes an error of the step.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StepError> {
        // Log lines of the work carry the operation, as those of the handler do.
        let span = tracing::Span::current();

        match self.work.spawn_blocking(move || span.in_scope(work)).await {
            Ok(result) => result,
            Err(error) => Err(retry_panicked(&error.to_string())),
        }
    }
}

/// Stands in a record for a result that has no room in it.
#[derive(Debug, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredResult {
    /// Key of the report object with the whole result.
    pub result_object: String,
}
