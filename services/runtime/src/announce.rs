//! Events and dead letters of a step, built from the record alone, so that whoever announces an
//! ending again announces the same.

use bus::{Bus, BusError, Delivered};
use jiff::Timestamp;
use schemas::codec;
use schemas::codes;
use schemas::errors::{ErrorRecord, HINT_BYTES_MAX, shortened};
use schemas::events::{Event, What};
use schemas::ids::{Lane, OperationId, Service, StepNumber, WorkerId};
use schemas::messages::{CommandMessage, DeadLetter};
use schemas::operation::{OperationRecord, OperationState, Said, StepRecord, StepState};
use schemas::subjects::{self, CommandAddress};
use schemas::work_done::WorkDone;
use serde_json::Value;

use crate::meters;

/// Largest readable command that a dead letter repeats, in packed bytes; the letter with its error
/// must fit one message.
const REPEATED_COMMAND_BYTES_MAX: usize = 48 * 1024;
/// Bytes of an unreadable payload that a dead letter shows in hexadecimal.
const PAYLOAD_BYTES_SHOWN: usize = 256;

/// The event of a step; `None` when the plan has no such step.
pub(crate) fn event(
    record: &OperationRecord,
    number: StepNumber,
    what: What,
    worker: Option<&WorkerId>,
    at: Timestamp,
) -> Option<Event> {
    let step = record.step(number)?;
    let spec = record.plan.step(number)?;
    let result = match what {
        What::Completed => step.result.clone(),
        _ => Value::Null,
    };
    let error = match what {
        What::Failed => failure_of(record, number),
        What::Cancelled => forced_stop(step),
        _ => None,
    };
    let said = said_of(record, what);

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
        result,
        error,
        by: said.by,
        reason: said.reason,
        done: step.done.clone(),
        due: None,
    })
}

/// Who is behind an event, and why: whoever asked for the cancel, or had the step started.
fn said_of(record: &OperationRecord, what: What) -> Said {
    match (what, &record.cancel, &record.resumed) {
        (What::Cancelling | What::Cancelled, Some(cancel), _) => Said {
            by: cancel.by.clone(),
            reason: Some(cancel.reason.clone()).filter(|reason| !reason.is_empty()),
        },
        (What::Started, _, Some(resumed)) => Said {
            by: resumed.by.clone(),
            reason: resumed.reason.clone(),
        },
        (What::Started, _, None) => Said {
            by: record.by.clone(),
            reason: None,
        },
        _ => Said::default(),
    }
}

/// Says of a step that did not stop by itself that it was ended by force.
fn forced_stop(step: &StepRecord) -> Option<ErrorRecord> {
    let message = "it did not stop within its grace period and was ended by force";
    let hint = "its worker may still be busy with it: the log of the worker says until when";

    step.forced
        .then(|| ErrorRecord::new(codes::OPS_FORCE_CANCELLED, message, hint))
}

/// The event of a step that will be tried again because of `error`, at the time that the record
/// names.
pub(crate) fn retrying(
    record: &OperationRecord,
    number: StepNumber,
    worker: &WorkerId,
    error: &ErrorRecord,
    at: Timestamp,
) -> Option<Event> {
    let event = event(record, number, What::Retrying, Some(worker), at)?;

    Some(Event {
        error: Some(error.clone()),
        due: record.step(number)?.retry_at,
        ..event
    })
}

/// The event of a step that goes on in spite of `warning`.
pub(crate) fn warned(
    record: &OperationRecord,
    number: StepNumber,
    worker: &WorkerId,
    warning: &ErrorRecord,
    at: Timestamp,
) -> Option<Event> {
    let event = event(record, number, What::Warned, Some(worker), at)?;

    Some(Event {
        error: Some(warning.clone()),
        ..event
    })
}

/// Why a step failed: the record keeps the whole error of the first that did, and a note of each
/// that followed.
fn failure_of(record: &OperationRecord, number: StepNumber) -> Option<ErrorRecord> {
    let first_failure = record
        .failure
        .as_ref()
        .filter(|failure| failure.step == number);

    match first_failure {
        Some(failure) => Some(failure.error.clone()),
        None => {
            let note = record.step(number)?.note.clone()?;
            Some(ErrorRecord::new(codes::OPS_STEP_FAILED, note, ""))
        }
    }
}

/// The terminal event of a step that has ended; `None` before.
fn terminal_event(record: &OperationRecord, number: StepNumber) -> Option<Event> {
    let step = record.step(number)?;
    let what = match step.state {
        StepState::Completed => What::Completed,
        StepState::Failed => What::Failed,
        StepState::Cancelled => What::Cancelled,
        StepState::Pending | StepState::Running | StepState::Retrying => return None,
    };
    let at = step.finished_at.unwrap_or(record.updated_at);

    event(record, number, what, None, at)
}

/// Publishes an event whose loss does no harm: the record has the truth.
pub(crate) async fn emit_lossy(bus: &Bus, event: Option<Event>) {
    let Some(event) = event else { return };

    if let Err(error) = bus.events().publish(&event).await {
        tracing::warn!(what = event.what.as_str(), error = %error, "event not published");
    }
}

/// Publishes the event of an ended step, and its dead letter when it failed. Safe to repeat; does
/// nothing for a step that has not ended.
pub(crate) async fn announce_step(
    bus: &Bus,
    record: &OperationRecord,
    number: StepNumber,
    deliveries: u64,
) -> Result<(), BusError> {
    let Some(event) = terminal_event(record, number) else {
        return Ok(());
    };

    // The letter first: with the event out, nobody may come back for it.
    if event.what == What::Failed
        && let Some(error) = event.error.clone()
    {
        let letter = letter_of_failure(record, &event, error, deliveries);
        let subject = subjects::dead(event.service, &record.op, number);
        bus.events()
            .publish_dead_letter(subject, &letter, &format!("{}.dead", event.message_id()))
            .await?;
        meters::dead_letter_written(event.service);
    }

    bus.events().publish(&event).await
}

fn letter_of_failure(
    record: &OperationRecord,
    event: &Event,
    error: ErrorRecord,
    deliveries: u64,
) -> DeadLetter {
    let lane = record
        .plan
        .step(event.step)
        .map_or(Lane::Default, |spec| spec.lane);
    // Without the operation: the record has it, and a requeue goes on from there.
    let command = CommandMessage::new(&record.op, event.step, event.submission, None);

    DeadLetter {
        v: 1,
        subject: subjects::command(event.service, lane, &record.op, event.step),
        error: with_requeue_hint(error, &record.op),
        deliveries,
        command: serde_json::to_value(&command).unwrap_or_default(),
        payload_hex: String::new(),
        at: event.at,
    }
}

fn with_requeue_hint(error: ErrorRecord, op: &OperationId) -> ErrorRecord {
    let requeue = format!("requeue with `ktrdr resume {op}`");
    let hint = if error.hint.is_empty() {
        requeue
    } else {
        format!("{}; then {requeue}", error.hint)
    };

    ErrorRecord {
        hint: shortened(&hint, HINT_BYTES_MAX),
        ..error
    }
}

/// Publishes the dead letter and the event of a message that can never be carried out. Safe to
/// repeat.
pub(crate) async fn reject(
    bus: &Bus,
    service: Service,
    delivered: &Delivered,
    error: ErrorRecord,
) -> Result<(), BusError> {
    let address = CommandAddress::parse(delivered.subject()).ok();
    let letter = letter_of_message(delivered, error.clone());
    let subject = match &address {
        Some(address) => subjects::dead(address.service, &address.op, address.step),
        None => subjects::dead_unreadable(service),
    };
    bus.events()
        .publish_dead_letter(
            subject,
            &letter,
            &format!("rejected.{}", delivered.sequence()),
        )
        .await?;
    meters::dead_letter_written(service);

    // Without an operation there is nobody to tell.
    let Some(address) = address else {
        return Ok(());
    };
    let record = match bus.operations().get(&address.op).await {
        // A record that cannot be read may be the very reason.
        Err(BusError::UnreadableRecord { .. }) => None,
        stored => stored?.map(|stored| stored.record),
    };
    let event = rejected_event(address, record.as_ref(), error, letter.at);
    bus.events().publish(&event).await
}

/// Repeats the command of a message, or shows the beginning of a payload that cannot be repeated.
fn letter_of_message(delivered: &Delivered, error: ErrorRecord) -> DeadLetter {
    let payload = delivered.payload();
    let command = codec::to_json(payload).unwrap_or_default();
    let is_repeatable =
        command.is_object() && codec::packed_bytes(&command) <= REPEATED_COMMAND_BYTES_MAX;
    let (command, payload_hex) = if is_repeatable {
        (command, String::new())
    } else {
        (Value::Null, hex_of_beginning(payload))
    };

    DeadLetter {
        v: 1,
        subject: delivered.subject().to_owned(),
        error,
        deliveries: delivered.deliveries(),
        payload_hex,
        command,
        at: Timestamp::now(),
    }
}

fn hex_of_beginning(payload: &[u8]) -> String {
    payload
        .iter()
        .take(PAYLOAD_BYTES_SHOWN)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The event of a command that no attempt was made at.
fn rejected_event(
    address: CommandAddress,
    record: Option<&OperationRecord>,
    error: ErrorRecord,
    at: Timestamp,
) -> Event {
    // Without a record nobody knows the number of steps, and nothing will run.
    let steps = record.map_or(0, |record| record.steps.len());
    let state = record.map_or(OperationState::Failed, |record| record.state);

    Event {
        v: 1,
        op: address.op,
        step: address.step,
        steps: u16::try_from(steps).unwrap_or(u16::MAX),
        service: address.service,
        what: What::Rejected,
        submission: 0,
        attempt: 0,
        state,
        at,
        worker: None,
        result: Value::Null,
        error: Some(error),
        by: None,
        reason: None,
        done: WorkDone::new(),
        due: None,
    }
}
