//! Events and dead letters of a step, built from the record alone, so that whoever settles again
//! emits the same.

use bus::{Bus, BusError, Delivered};
use jiff::Timestamp;
use schemas::command::{CommandMessage, DeadLetter};
use schemas::errors::ErrorRecord;
use schemas::events::{Event, What};
use schemas::ids::{Service, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, OperationState, StepState};
use schemas::subjects;

/// The event of a step; `None` when the plan has no such step.
pub fn event(
    record: &OperationRecord,
    number: StepNumber,
    what: What,
    worker: Option<&WorkerId>,
    at: Timestamp,
) -> Option<Event> {
    let (step, spec) = (record.step(number)?, record.plan.step(number)?);
    let error = if what == What::Failed {
        error_of(record, number)
    } else {
        None
    };
    Some(Event {
        v: 1,
        op: record.op.clone(),
        step: number,
        steps: u16::try_from(record.steps.len()).unwrap_or(u16::MAX),
        service: spec.service,
        what,
        submission: step.submission,
        attempt: step.attempt,
        state: record.state,
        at,
        worker: worker.cloned(),
        result: if what == What::Completed {
            step.result.clone()
        } else {
            serde_json::Value::Null
        },
        error,
    })
}

/// Why a step failed: the record keeps the whole error of the first that did, and a note of each
/// that followed.
fn error_of(record: &OperationRecord, number: StepNumber) -> Option<ErrorRecord> {
    let first = record
        .failure
        .as_ref()
        .filter(|failure| failure.step == number);
    let first = first.map(|failure| failure.error.clone());
    first.or_else(|| {
        Some(ErrorRecord::new(
            "OPS-StepFailed",
            record.step(number)?.note.clone()?,
            "",
        ))
    })
}

/// The terminal event of a step that has ended.
pub fn terminal_event(record: &OperationRecord, number: StepNumber) -> Option<Event> {
    let step = record.step(number)?;
    let what = match step.state {
        StepState::Completed => What::Completed,
        StepState::Failed => What::Failed,
        StepState::Cancelled => What::Cancelled,
        StepState::Pending | StepState::Running | StepState::Retrying => return None,
    };
    event(
        record,
        number,
        what,
        None,
        step.finished_at.unwrap_or(record.updated_at),
    )
}

/// Publishes an event whose loss does no harm: the record has the truth.
pub async fn emit_lossy(bus: &Bus, event: Option<Event>) {
    let Some(event) = event else { return };
    if let Err(error) = bus.publish_event(&event).await {
        tracing::warn!(what = event.what.as_str(), error = %error, "event not published");
    }
}

/// Publishes what an ended step owes the world: its event and, when it failed, its dead letter.
/// Safe to repeat.
pub async fn settle_step(
    bus: &Bus,
    record: &OperationRecord,
    number: StepNumber,
    deliveries: u64,
) -> Result<(), BusError> {
    let Some(event) = terminal_event(record, number) else {
        return Ok(());
    };
    if let (What::Failed, Some(error)) = (event.what, event.error.clone()) {
        let lane = record
            .plan
            .step(number)
            .map_or(schemas::ids::Lane::Default, |spec| spec.lane);
        let command = CommandMessage::new(&record.op, number, event.submission, None);
        let letter = DeadLetter {
            v: 1,
            subject: subjects::command(event.service, lane, &record.op, number),
            error: with_requeue_hint(error, &record.op.to_string()),
            deliveries,
            command: serde_json::to_value(&command).unwrap_or_default(),
            payload_hex: String::new(),
            at: event.at,
        };
        let subject = subjects::dead(event.service, &record.op, number);
        bus.publish_dead(subject, &letter, &format!("{}.dead", event.message_id()))
            .await?;
    }
    bus.publish_event(&event).await
}

fn with_requeue_hint(mut error: ErrorRecord, op: &str) -> ErrorRecord {
    let requeue = format!("requeue with `ktrdr resume {op}`");
    error.hint = if error.hint.is_empty() {
        requeue
    } else {
        format!("{}; then {requeue}", error.hint)
    };
    ErrorRecord {
        hint: schemas::errors::shortened(&error.hint, schemas::errors::HINT_BYTES_MAX),
        ..error
    }
}

/// Publishes the dead letter and the event of a message that can never be carried out. Safe to
/// repeat.
pub async fn reject(
    bus: &Bus,
    service: Service,
    delivered: &Delivered,
    error: ErrorRecord,
) -> Result<(), BusError> {
    let (subject, payload, at) = (delivered.subject(), delivered.payload(), Timestamp::now());
    let address = subjects::CommandAddress::parse(subject).ok();
    let command = schemas::codec::to_json(payload).unwrap_or_default();
    let hex = || {
        payload
            .iter()
            .take(256)
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let unreadable = !command.is_object() || schemas::codec::packed_bytes(&command) > 48 * 1024;
    let letter = DeadLetter {
        v: 1,
        subject: subject.to_owned(),
        error: error.clone(),
        deliveries: delivered.deliveries(),
        payload_hex: if unreadable { hex() } else { String::new() },
        command: if unreadable {
            serde_json::Value::Null
        } else {
            command
        },
        at,
    };
    let dead = address.as_ref().map_or_else(
        || subjects::dead_unreadable(service),
        |address| subjects::dead(address.service, &address.op, address.step),
    );
    bus.publish_dead(dead, &letter, &format!("rejected.{}", delivered.sequence()))
        .await?;
    let Some(address) = address else {
        return Ok(());
    };
    let record = bus.record(&address.op).await?.map(|stored| stored.record);
    bus.publish_event(&Event {
        v: 1,
        op: address.op,
        step: address.step,
        steps: record.as_ref().map_or(0, |record| {
            u16::try_from(record.steps.len()).unwrap_or(u16::MAX)
        }),
        service: address.service,
        what: What::Rejected,
        submission: 0,
        attempt: 0,
        state: record.map_or(OperationState::Failed, |record| record.state),
        at,
        worker: None,
        result: serde_json::Value::Null,
        error: Some(error),
    })
    .await
}
