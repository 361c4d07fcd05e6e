//! A handler at work: cancel is armed first, then the work runs while heartbeats, control messages
//! and the record are watched.

use std::time::Duration;

use bus::{CancelRequest, ControlWatch, Delivered};
use jiff::Timestamp;
use schemas::command::Command;
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::StepNumber;
use tokio::sync::OnceCell;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::announce;
use crate::attempt::Shared;
use crate::handler::{StepContext, StepError, StepHandler, panicked};
use crate::progress_slot::{ProgressOf, publish};
use crate::stop::{StopReason, StopToken};

/// How often record and control subject are read again, for what a broken connection may have
/// swallowed.
const REREAD: Duration = Duration::from_secs(5);

/// The outcome type of a handler.
type Outcome<H> = <<H as StepHandler>::Command as Command>::Outcome;

/// Runs the handler of a claimed step to its end; `started` is announced as soon as cancel is
/// armed.
pub(crate) async fn run<H: StepHandler>(
    shared: &Shared<H>,
    delivered: &Delivered,
    context: &StepContext,
    started: Option<Event>,
) -> Result<Outcome<H>, StepError> {
    let noted = OnceCell::new();
    let armed = arm(context, &noted).await;
    // The work need not wait until the world knows of it: this is a synced write that would hold up
    // what comes after it.
    let bus = context.bus.clone();
    tokio::spawn(async move { announce::emit_lossy(&bus, started).await });
    let control = armed?;
    context.check_stop()?;
    let command = decode::<H>(context)?;
    let publisher = AbortOnDropHandle::new(tokio::spawn(publish(
        context.bus.clone(),
        context.progress.clone(),
        progress_of(context),
    )));
    let (handler, own) = (shared.handler.clone(), context.clone());
    let span = tracing::Span::current();
    let work = async move { handler.handle(command, &own).await };
    let mut work =
        AbortOnDropHandle::new(tokio::spawn(tracing::Instrument::instrument(work, span)));
    let watching = watch(shared, delivered, context, control, &noted);
    let result = tokio::select! {
        result = &mut work => result,
        never = watching => match never {},
    };
    drop(publisher);
    if context.stop.reason() == Some(StopReason::Cancelled) {
        // The work may have been left before the request was noted.
        reread_now(context, obey_cancel(context, &noted).await);
    }
    match result {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(panicked(&error.to_string())),
        Err(_) => Err(StepError::Stopped),
    }
}

/// Subscribes to the control subject, then reads its last stored message: nothing falls between.
async fn arm(context: &StepContext, noted: &OnceCell<()>) -> Result<ControlWatch, StepError> {
    let unreachable = |error: bus::BusError| {
        StepError::retry(
            Duration::from_secs(1),
            ErrorRecord::from_error("BUS-Unreachable", &error, error.hint()),
        )
    };
    let (control, request) = context
        .bus
        .arm_cancel(context.op())
        .await
        .map_err(unreachable)?;
    obey_if_it_counts(context, noted, request)
        .await
        .map_err(unreachable)?;
    Ok(control)
}

/// Obeys the newest stored control message if it counts.
async fn look_for_cancel(context: &StepContext, noted: &OnceCell<()>) -> Result<(), bus::BusError> {
    let request = context.bus.cancel_request(context.op()).await?;
    obey_if_it_counts(context, noted, request).await
}

async fn obey_if_it_counts(
    context: &StepContext,
    noted: &OnceCell<()>,
    request: Option<CancelRequest>,
) -> Result<(), bus::BusError> {
    if request.is_some_and(|request| request.sequence > context.record.cancel_floor) {
        obey_cancel(context, noted).await?;
    }
    Ok(())
}

/// Leaves the work at once, then notes the request in the record. A message that arrives on the
/// control subject was sent after our claim, so it counts before the stream shows it.
async fn obey_cancel(context: &StepContext, noted: &OnceCell<()>) -> Result<(), bus::BusError> {
    context.stop.request(StopReason::Cancelled);
    noted.get_or_try_init(|| note_cancel(context)).await?;
    Ok(())
}

async fn note_cancel(context: &StepContext) -> Result<(), bus::BusError> {
    let floor = context.record.cancel_floor;
    let Some(request) = context.bus.announced_cancel(context.op(), floor).await? else {
        return Ok(());
    };
    tracing::info!(reason = request.reason, "cancel requested");
    let at = Timestamp::now();
    match context
        .bus
        .change(context.op(), |record| {
            record.see_cancel(request.sequence, &request.reason, at)
        })
        .await
    {
        Ok(changed) => {
            let event = announce::event(
                &changed.record,
                context.number,
                What::Cancelling,
                Some(&context.worker),
                at,
            );
            announce::emit_lossy(&context.bus, event).await;
        }
        // The record need not show `cancelling`: how the step ends is what counts.
        Err(error) => tracing::debug!(error = %error, "cancelling was not recorded"),
    }
    Ok(())
}

fn decode<H: StepHandler>(context: &StepContext) -> Result<H::Command, StepError> {
    let spec = context
        .record
        .plan
        .step(context.number)
        .filter(|spec| spec.verb == H::Command::VERB);
    let Some(spec) = spec else {
        let message = format!(
            "this {} only knows the verb `{}`",
            H::Command::SERVICE,
            H::Command::VERB
        );
        return Err(StepError::permanent(
            "OPS-UnknownVerb",
            message,
            "upgrade the worker, or correct the plan",
        ));
    };
    let command = if spec.command.is_null() {
        serde_json::json!({})
    } else {
        spec.command.clone()
    };
    serde_json::from_value(command).map_err(|error| {
        let message = format!(
            "the command of step {} cannot be read: {error}",
            context.number
        );
        StepError::permanent(
            "OPS-InvalidCommand",
            message,
            "correct the command and submit a new operation",
        )
    })
}

fn progress_of(context: &StepContext) -> ProgressOf {
    let record = &context.record;
    let service = record
        .plan
        .step(context.number)
        .map_or(schemas::ids::Service::Dummy, |spec| spec.service);
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

/// Renews the message while the work moves, and turns control messages, shutdown and a lost claim
/// into a stop.
async fn watch<H: StepHandler>(
    shared: &Shared<H>,
    delivered: &Delivered,
    context: &StepContext,
    mut control: ControlWatch,
    noted: &OnceCell<()>,
) -> std::convert::Infallible {
    let mut heartbeat = interval(context.bus.timing().heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reread = interval(REREAD.min(context.bus.timing().ack_wait * 2));
    reread.set_missed_tick_behavior(MissedTickBehavior::Delay);
    reread.reset();
    let mut shutdown = shared.shutdown.clone();
    let mut moved = Movement {
        puts: 0,
        at: Instant::now(),
    };
    loop {
        tokio::select! {
            Some(()) = control.next() => reread_now(context, obey_cancel(context, noted).await),
            _ = heartbeat.tick() => {
                if moved.still_moves(context, shared.stall)
                    && let Err(error) = delivered.in_progress().await
                {
                    tracing::debug!(error = %error, "heartbeat not sent");
                }
            }
            _ = reread.tick() => {
                check_claim(context).await;
                reread_now(context, look_for_cancel(context, noted).await);
            }
            () = told(&mut shutdown), if !context.stop.is_requested() => {
                context.stop.request(StopReason::ShuttingDown);
            }
        }
    }
}

/// Waits until the process is told to shut down.
async fn told(shutdown: &mut tokio::sync::watch::Receiver<bool>) {
    drop(shutdown.wait_for(|shutdown| *shutdown).await);
}

fn reread_now(context: &StepContext, result: Result<(), bus::BusError>) {
    if let Err(error) = result {
        tracing::warn!(operation = %context.op(), error = %error, "control subject not read, trying again soon");
    }
}

/// The work of a step that stands still for too long is not renewed, so that another worker takes
/// it over.
struct Movement {
    puts: u64,
    at: Instant,
}

impl Movement {
    fn still_moves(&mut self, context: &StepContext, stall: Duration) -> bool {
        let puts = context.progress.puts();
        if puts != self.puts {
            *self = Self {
                puts,
                at: Instant::now(),
            };
        }
        self.at.elapsed() < stall
    }
}

/// Stops an attempt whose claim no longer stands.
async fn check_claim(context: &StepContext) {
    let stored = match context.bus.record(context.op()).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::debug!(error = %error, "record not read, trying again soon");
            return;
        }
    };
    let stands =
        stored.is_some_and(|stored| is_ours(&stored.record, context.number, context.attempt));
    if !stands {
        fence(&context.stop);
    }
}

fn is_ours(record: &schemas::operation::OperationRecord, number: StepNumber, attempt: u32) -> bool {
    record
        .step(number)
        .is_some_and(|step| step.attempt == attempt && !step.state.is_terminal())
}

fn fence(stop: &StopToken) {
    stop.request(StopReason::Fenced);
}
