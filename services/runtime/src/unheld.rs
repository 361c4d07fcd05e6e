//! Cancelling what nobody holds: a holder obeys the control subjects itself.

use bus::{Bus, BusError, CancelRequest, ChangeError};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use schemas::command::Command as _;
use schemas::commands::Spread;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::{OperationRecord, OperationState, Outstanding, StepState};

use crate::announce;
use crate::traces;

/// Children of one parent that are cancelled at a time: one after the other, a thousand of them
/// would take seconds.
const CHILDREN_AT_ONCE: usize = 64;

/// Why an operation was not cancelled; whoever tries again does no harm.
#[derive(Debug, thiserror::Error)]
pub enum UnheldError {
    /// The server could not be reached.
    #[error("the bus is not reachable")]
    Bus(#[from] BusError),
    /// The record could not be changed for long.
    #[error("the record is not reachable")]
    Record(#[from] ChangeError),
}

/// An operation that was cancelled while nobody held it. It has ended; the rest of the world does
/// not know it yet.
pub struct CancelledUnheld {
    record: OperationRecord,
    /// Its commands that may still be on their queues.
    queued: Vec<Outstanding>,
}

impl CancelledUnheld {
    /// The record with the cancel in it.
    pub fn record(&self) -> &OperationRecord {
        &self.record
    }

    /// Does what follows from the cancel: events, queued commands, children, active mark. Where a
    /// crash comes before it, the workers that get the commands and the sweep do it.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn conclude(&self, bus: &Bus) -> Result<(), UnheldError> {
        self.conclude_steps(bus).await?;
        cancel_children(bus, &self.record).await?;

        // Last: as long as the mark is there, a sweep does all of this again.
        Ok(bus.active().unmark(&self.record.op).await?)
    }

    async fn conclude_steps(&self, bus: &Bus) -> Result<(), BusError> {
        announce_steps(bus, &self.record).await?;

        // Where the operation was resumed meanwhile, the command of the resume stays.
        for step in &self.queued {
            bus.commands().withdraw(&self.record.op, *step).await?;
        }
        Ok(())
    }
}

/// Cancels the operation of `record`, as it was read a moment ago: one compare-and-set, after which
/// it has ended. `None` where a worker holds it, it has ended, or the request is void for it.
///
/// # Errors
/// The record cannot be changed.
pub async fn cancel_unheld(
    bus: &Bus,
    record: &OperationRecord,
    request: &CancelRequest,
) -> Result<Option<CancelledUnheld>, UnheldError> {
    let is_void = request.sequence <= record.cancel_floor;
    if record.state.is_terminal() || record.is_held() || is_void {
        return Ok(None);
    }

    // Listed before the change: afterwards every step has ended, and none seems queued.
    let queued = unfinished_steps(record);
    let at = Timestamp::now();
    let changed = bus
        .operations()
        .change(&record.op, |record| {
            record.cancel_unheld(request.sequence, &request.said(), at)
        })
        .await;

    match changed {
        Ok(changed) => {
            tracing::info!(operation = %record.op, "cancelled, no worker held it");
            let record = changed.record;
            Ok(Some(CancelledUnheld { record, queued }))
        }
        // A worker claimed it meanwhile and will see the request, or it has ended.
        Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Announces a terminal operation again, cancels its children if it was cancelled itself, and
/// removes its active mark.
pub(crate) async fn conclude(bus: &Bus, record: &OperationRecord) -> Result<(), UnheldError> {
    announce_steps(bus, record).await?;
    cancel_children(bus, record).await?;
    traces::operation_ended(record);
    Ok(bus.active().unmark(&record.op).await?)
}

async fn announce_steps(bus: &Bus, record: &OperationRecord) -> Result<(), BusError> {
    for number in record.numbers() {
        announce::announce_step(bus, record, number, 0).await?;
    }
    Ok(())
}

/// Cancels the children of a cancelled operation that nobody holds; those that are held have seen
/// the request of their parent. Does nothing for any other operation.
pub(crate) async fn cancel_children(
    bus: &Bus,
    parent: &OperationRecord,
) -> Result<(), UnheldError> {
    let children = children_of(parent);
    if parent.state != OperationState::Cancelled || children == 0 {
        return Ok(());
    }

    let marked = bus.active().list().await?;
    let cancels: Vec<_> = marked
        .into_iter()
        .filter(|op| op.may_be_child_of(&parent.op, children))
        .map(|op| cancel_child(bus.clone(), parent.op.clone(), op))
        .collect();
    stream::iter(cancels)
        .buffer_unordered(CHILDREN_AT_ONCE)
        .try_collect()
        .await
}

/// Cancels an operation that looks like a child of `parent`, if it is one and nobody holds it.
async fn cancel_child(bus: Bus, parent: OperationId, op: OperationId) -> Result<(), UnheldError> {
    let Some(stored) = bus.operations().get(&op).await? else {
        return Ok(());
    };
    let child = stored.record;
    if child.parent.as_ref().map(|parent| &parent.op) != Some(&parent) {
        return Ok(());
    }

    // A child has no children, which keeps this from calling itself.
    let Some(request) = bus.cancels().in_force(&child).await? else {
        return Ok(());
    };
    let Some(cancelled) = cancel_unheld(&bus, &child, &request).await? else {
        return Ok(());
    };
    cancelled.conclude_steps(&bus).await?;
    Ok(bus.active().unmark(&op).await?)
}

/// The number of children that the operation's steps may have made.
fn children_of(record: &OperationRecord) -> u32 {
    let spreads = record
        .plan
        .steps()
        .filter(|spec| spec.service == Spread::SERVICE);
    let spreads =
        spreads.filter_map(|spec| serde_json::from_value::<Spread>(spec.command.clone()).ok());

    spreads.fold(0, |children, spread| {
        children.saturating_add(spread.total())
    })
}

/// Every step that may have a message on its queue.
fn unfinished_steps(record: &OperationRecord) -> Vec<Outstanding> {
    let numbers: Vec<StepNumber> = record.numbers().collect();

    numbers
        .into_iter()
        .zip(record.plan.steps())
        .zip(&record.steps)
        .filter(|(_, step)| step.state != StepState::Completed)
        .map(|((number, spec), step)| Outstanding {
            step: number,
            service: spec.service,
            lane: spec.lane,
            submission: step.submission,
        })
        .collect()
}
