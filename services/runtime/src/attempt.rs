//! One attempt at a step: cancel is armed first, then the handler runs while heartbeats, control
//! messages, the record and the shutdown of the process are watched.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::{BusError, ControlWatch};
use schemas::codes::{self, Advice as _};
use schemas::command::Work;
use schemas::errors::ErrorRecord;
use schemas::events::Event;
use schemas::ids::{Service, StepNumber};
use schemas::operation::OperationRecord;
use schemas::retries::RetryClass;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::announce;
use crate::cancel::CancelWatch;
use crate::handler::StepHandler;
use crate::progress_slot::{ProgressOf, publish};
use crate::step_context::StepContext;
use crate::step_error::{StepError, retry_panicked};
use crate::stop::{StopReason, shutdown_requested};
use crate::ticks::unhurried_ticks;
use crate::traces;
use crate::worker_context::WorkerContext;

/// How often record and control subject are read again, for what a broken connection may have
/// swallowed.
const RECHECK: Duration = Duration::from_secs(5);

/// The outcome type of a handler.
type Outcome<H> = <<H as StepHandler>::Command as Work>::Outcome;

/// A claimed step that is about to run.
pub(crate) struct Attempt<'a> {
    pub(crate) worker: &'a WorkerContext,
    pub(crate) context: &'a StepContext,
}

impl Attempt<'_> {
    /// Runs the handler to its end. `started` is announced as soon as cancel is armed.
    pub(crate) async fn run<H: StepHandler>(
        &self,
        handler: &Arc<H>,
        started: Option<Event>,
    ) -> Result<Outcome<H>, StepError> {
        // 4. Arm cancel: subscribed first and read afterwards, so that no request falls between.
        let cancel = CancelWatch::new(self.context);
        let armed = cancel.arm().await;

        // The work need not wait until the world knows of it: publishing is a synced write that
        // would hold up what comes after it.
        let bus = self.context.bus.clone();
        tokio::spawn(async move { announce::emit_lossy(&bus, started).await });

        let control = armed.map_err(|error| retry_unarmed(&error))?;
        self.context.check_stop()?;
        let command = decode_command::<H>(self.context)?;

        // 5. Run the handler. The worker renews its message for as long as its counter moves.
        let work = spawn_handler(handler.clone(), command, self.context.clone());
        self.await_work(work, control, &cancel).await
    }

    /// Shows the progress of the work until it has ended, and stops it when it must be left.
    async fn await_work<T>(
        &self,
        mut work: AbortOnDropHandle<Result<T, StepError>>,
        control: ControlWatch,
        cancel: &CancelWatch<'_>,
    ) -> Result<T, StepError> {
        let publisher = spawn_publisher(self.context);
        let result = tokio::select! {
            result = &mut work => Some(result),
            () = cancel.until_forced() => None,
            never = self.watch(control, cancel) => match never {},
        };
        drop(publisher);

        // The request may not be noted yet. One by force counts, whatever stopped the work first.
        let is_cancelled = self.context.stop.reason() == Some(StopReason::Cancelled);
        if is_cancelled || result.is_none() {
            cancel.warn_control_unread(cancel.apply_cancel().await);
        }

        match result {
            Some(Ok(result)) => result,
            Some(Err(error)) if error.is_panic() => Err(retry_panicked(&error.to_string())),
            Some(Err(_)) => Err(StepError::Stopped),
            None => {
                // The record ends without it. What it still does on a thread counts no more, and
                // holds its slot.
                work.abort();
                self.context.stop.force();
                Err(StepError::Stopped)
            }
        }
    }

    /// Turns control messages, shutdown and a lost claim into a stop. Side by side: on a slow link
    /// an answer takes a second, and a cancel must not wait for it.
    async fn watch(&self, control: ControlWatch, cancel: &CancelWatch<'_>) -> Infallible {
        tokio::select! {
            never = self.obey_control(control, cancel) => never,
            never = self.recheck(cancel) => never,
            never = self.obey_shutdown() => never,
        }
    }

    async fn obey_control(
        &self,
        mut control: ControlWatch,
        cancel: &CancelWatch<'_>,
    ) -> Infallible {
        while let Some(message) = control.next().await {
            cancel.limit(message.grace);
            cancel.warn_control_unread(cancel.apply_cancel().await);
        }
        // The connection is closed for good: the recheck finds out what that means.
        std::future::pending().await
    }

    async fn recheck(&self, cancel: &CancelWatch<'_>) -> Infallible {
        let mut rechecks = unhurried_ticks(RECHECK.min(self.context.bus.timing().ack_wait * 2));
        // The first one waits a period: record and control subject were read a moment ago.
        rechecks.reset();

        loop {
            rechecks.tick().await;
            let stored_request = cancel.check_stored_request();
            let checked = tokio::join!(self.check_claim(), stored_request);
            cancel.warn_control_unread(checked.1);
        }
    }

    async fn obey_shutdown(&self) -> Infallible {
        let mut shutdown = self.worker.shutdown.clone();
        shutdown_requested(&mut shutdown).await;

        // Work that stops already stops for the first reason.
        self.context.stop.request(StopReason::ShuttingDown);
        std::future::pending().await
    }

    /// Stops the attempt once its claim does not hold any more.
    async fn check_claim(&self) {
        let stored = match self.context.bus.operations().get(self.context.op()).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::debug!(error = %error, "record not read, trying again soon");
                return;
            }
        };

        // A step that ended was cancelled by the housekeeping, or taken over and finished.
        let is_ours = stored.is_some_and(|stored| {
            is_held_by_attempt(&stored.record, self.context.number, self.context.attempt)
        });
        if !is_ours {
            self.context.stop.request(StopReason::Fenced);
        }
    }
}

/// Runs the handler in a task of its own, so that a panic in it ends nothing else.
fn spawn_handler<H: StepHandler>(
    handler: Arc<H>,
    command: H::Command,
    context: StepContext,
) -> AbortOnDropHandle<Result<Outcome<H>, StepError>> {
    let tracker = context.work.clone();
    let trace = context.trace.clone();
    let work = async move { handler.handle(command, &context).await };
    let work = traces::within(trace, work);

    AbortOnDropHandle::new(tracker.spawn(work.in_current_span()))
}

/// Publishes the newest report of the work until the handle is dropped.
fn spawn_publisher(context: &StepContext) -> AbortOnDropHandle<()> {
    let slot = context.progress.clone();
    let publisher = publish(context.bus.clone(), slot, progress_of(context));

    AbortOnDropHandle::new(tokio::spawn(publisher))
}

fn retry_unarmed(error: &BusError) -> StepError {
    StepError::retry(
        RetryClass::System,
        ErrorRecord::from_error(codes::BUS_UNREACHABLE, error, error.hint()),
    )
}

/// The handler's command, as the plan in the record has it.
fn decode_command<H: StepHandler>(context: &StepContext) -> Result<H::Command, StepError> {
    let spec = context
        .record
        .plan
        .step(context.number)
        .filter(|spec| H::Command::VERBS.contains(&spec.verb.as_str()));
    let Some(spec) = spec else {
        let verbs = H::Command::VERBS.join("`, `");
        let message = format!("this {} only knows the verb `{verbs}`", H::Command::SERVICE);
        let hint = "upgrade the worker, or correct the plan";
        return Err(StepError::permanent(codes::OPS_UNKNOWN_VERB, message, hint));
    };

    // A command without parameters may leave them out altogether.
    let command = if spec.command.is_null() {
        serde_json::json!({})
    } else {
        spec.command.clone()
    };
    H::Command::read(&spec.verb, command).map_err(|error| {
        StepError::permanent(
            codes::OPS_INVALID_COMMAND,
            format!(
                "the command of step {} cannot be read: {error}",
                context.number
            ),
            "correct the command and submit a new operation",
        )
    })
}

fn progress_of(context: &StepContext) -> ProgressOf {
    let record = &context.record;
    let service = record
        .plan
        .step(context.number)
        .map_or(Service::Dummy, |spec| spec.service);

    ProgressOf {
        op: record.op.clone(),
        step: context.number,
        steps: u16::try_from(record.steps.len()).unwrap_or(u16::MAX),
        service,
        worker: context.worker.clone(),
        attempt: context.attempt,
        range: record.plan.percent_range(context.number),
    }
}

fn is_held_by_attempt(record: &OperationRecord, number: StepNumber, attempt: u32) -> bool {
    record
        .step(number)
        .is_some_and(|step| step.attempt == attempt && !step.state.is_terminal())
}
