//! Reads what the server holds, message by message: with the types of `schemas` to decode it, and
//! with nothing that services use to keep their own books.

use bus::topology::{Topology, TopologyOptions, bucket_stream};
use bus::{Bus, BusError, StoredMessage};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use schemas::codec;
use schemas::errors::chain;
use schemas::events::Event;
use schemas::ids::OperationId;
use schemas::messages::CommandMessage;
use schemas::operation::{OperationRecord, OperationState, StepState};
use schemas::progress::ProgressRecord;
use schemas::subjects::{self, CommandAddress};

use super::facts::{CommandFacts, Facts, OperationFacts, RecordFacts};
use super::rules::Rule;
use super::values;

/// Messages of progress that are asked for at once.
const CONCURRENCY: usize = 32;

/// How long progress is stored.
const PROGRESS_KEPT_HOURS: i64 = 24;

/// Reads everything once.
pub(super) async fn read(bus: &Bus) -> Result<Facts, BusError> {
    let mut facts = Facts {
        read_at: Timestamp::now(),
        ..Facts::default()
    };
    read_topology(bus, &mut facts).await?;

    // What is written first is read last, so that little of what is under way looks wrong.
    read_bucket(bus, subjects::ACTIVE, &mut facts, note_mark).await?;
    read_bucket(bus, subjects::OPERATIONS, &mut facts, note_record).await?;
    read_newest(bus, subjects::COMMANDS, &mut facts, note_command).await?;
    read_newest(bus, subjects::CONTROL, &mut facts, note_cancel).await?;
    read_events(bus, &mut facts).await?;
    read_bucket(bus, subjects::WORKERS, &mut facts, values::note_worker).await?;
    read_progress(bus, &mut facts).await?;

    values::read(bus, &mut facts).await?;
    Ok(facts)
}

/// Whether there is a stream of this name: a lost one is a finding of its own.
pub(super) async fn exists(bus: &Bus, stream: &str) -> Result<bool, BusError> {
    Ok(bus.connection().stream_state(stream).await?.is_some())
}

async fn read_topology(bus: &Bus, facts: &mut Facts) -> Result<(), BusError> {
    let declared = Topology::declare(bus.profile(), TopologyOptions::default());

    for difference in bus.infra().differences(&declared).await? {
        let fault = (
            Rule::TopologyDiffers,
            difference.what.clone(),
            difference.to_string(),
        );
        facts.faults.push(fault);
    }
    Ok(())
}

/// Reads the values of a bucket; each is given its key.
pub(super) async fn read_bucket(
    bus: &Bus,
    bucket: &str,
    facts: &mut Facts,
    note: impl Fn(&mut Facts, &str, &StoredMessage),
) -> Result<(), BusError> {
    let stream = bucket_stream(bucket);
    if !exists(bus, &stream).await? {
        return Ok(());
    }
    let prefix = format!("$KV.{bucket}.");
    let filter = format!("{prefix}>");

    let visit = |message: StoredMessage| {
        if let Some(key) = key_of(&message, &prefix) {
            note(facts, key, &message);
        }
    };
    bus.connection().read_stream(&stream, &filter, visit).await
}

fn key_of<'a>(message: &'a StoredMessage, prefix: &str) -> Option<&'a str> {
    let key = message.subject.strip_prefix(prefix);
    key.filter(|_| message.is_value)
}

/// Reads the newest message on each subject of a stream, which is also the key.
pub(super) async fn read_newest(
    bus: &Bus,
    stream: &str,
    facts: &mut Facts,
    note: impl Fn(&mut Facts, &str, &StoredMessage),
) -> Result<(), BusError> {
    if !exists(bus, stream).await? {
        return Ok(());
    }

    let visit = |message: StoredMessage| {
        if message.is_value {
            note(facts, &message.subject, &message);
        }
    };
    bus.connection().read_newest(stream, ">", visit).await
}

fn note_mark(facts: &mut Facts, key: &str, message: &StoredMessage) {
    facts.count.others += 1;
    match key.parse::<OperationId>() {
        Ok(op) => facts.operations.entry(op).or_default().marked_at = Some(message.at),
        Err(error) => {
            let fault = (Rule::MarkWithoutReason, key.to_owned(), error.to_string());
            facts.faults.push(fault);
        }
    }
}

fn note_record(facts: &mut Facts, key: &str, message: &StoredMessage) {
    facts.count.records += 1;
    let name = key.rsplit('.').next().unwrap_or(key);
    let op = name.parse::<OperationId>();
    let op = op.ok().filter(|op| subjects::operation_key(op) == key);
    let record = codec::decode::<OperationRecord>(&message.payload);

    match (op, record) {
        (Some(op), Ok(record)) => {
            let operation = facts.operations.entry(op).or_default();
            operation.record = Some(RecordFacts::of(&record));
        }
        (op, record) => {
            let reason = match record {
                Ok(_) => format!("the key {key} is that of no operation"),
                Err(error) => chain(&error),
            };
            let subject = op.as_ref().map_or(key, OperationId::as_str).to_owned();
            facts.faults.push((Rule::RecordUnreadable, subject, reason));
            if let Some(op) = op {
                facts.operations.entry(op).or_default().is_unreadable = true;
            }
        }
    }
}

fn note_command(facts: &mut Facts, subject: &str, message: &StoredMessage) {
    facts.count.commands += 1;
    let address = CommandAddress::parse(subject);
    let command = codec::decode::<CommandMessage>(&message.payload);

    let reason = match (address, command) {
        (Ok(address), Ok(command)) => {
            let operation = facts.operations.entry(address.op).or_default();
            return operation.commands.push(CommandFacts {
                step: address.step,
                submission: command.submission,
                carries_operation: command.submission == 1 && command.operation.is_some(),
                at: message.at,
            });
        }
        (Err(error), _) => error.to_string(),
        (_, Err(error)) => chain(&error),
    };
    let fault = (Rule::CommandUnreadable, subject.to_owned(), reason);
    facts.faults.push(fault);
}

fn note_cancel(facts: &mut Facts, subject: &str, message: &StoredMessage) {
    facts.count.others += 1;
    let op = subject.rsplit('.').next();

    // One of what does not exist is dropped by the housekeeping.
    if let Some(op) = op.and_then(|op| op.parse::<OperationId>().ok())
        && let Some(operation) = facts.operations.get_mut(&op)
    {
        operation.cancel_request = Some((message.sequence, message.at));
    }
}

async fn read_events(bus: &Bus, facts: &mut Facts) -> Result<(), BusError> {
    let connection = bus.connection();
    let Some(state) = connection.stream_state(subjects::EVENTS).await? else {
        return Ok(());
    };
    facts.events_from = state.oldest_at;

    let visit = |message: StoredMessage| note_event(facts, &message);
    connection
        .read_stream(subjects::EVENTS, subjects::ALL_EVENTS, visit)
        .await
}

fn note_event(facts: &mut Facts, message: &StoredMessage) {
    facts.count.events += 1;
    match codec::decode::<Event>(&message.payload) {
        Ok(event) => {
            let operation = facts.operations.entry(event.op.clone()).or_default();
            operation.note_event(&event, message.at);
        }
        Err(error) => {
            let subject = message.subject.clone();
            let fault = (Rule::EventUnreadable, subject, chain(&error));
            facts.faults.push(fault);
        }
    }
}

/// Reads the newest progress of the cancelled steps: that of others says nothing about promises.
async fn read_progress(bus: &Bus, facts: &mut Facts) -> Result<(), BusError> {
    if !exists(bus, subjects::PROGRESS).await? {
        return Ok(());
    }
    let cancelled = facts.operations.iter();
    let cancelled = cancelled.flat_map(|entry| cancelled_steps(entry.0, entry.1));
    let reads: Vec<_> = cancelled.map(|step| newest_progress(bus, step)).collect();

    let mut reads = stream::iter(reads).buffer_unordered(CONCURRENCY);
    let mut seen = Vec::new();
    while let Some(progress) = reads.try_next().await? {
        seen.extend(progress);
    }
    drop(reads);
    for progress in seen {
        facts.count.others += 1;
        let operation = facts.operations.entry(progress.op).or_default();
        let newest = (progress.attempt, progress.at);
        operation.progress.insert(progress.step, newest);
    }
    Ok(())
}

async fn newest_progress(bus: &Bus, subject: String) -> Result<Option<ProgressRecord>, BusError> {
    let connection = bus.connection();
    let message = connection.newest_on(subjects::PROGRESS, subject).await?;
    Ok(message.and_then(|message| codec::decode(&message.payload).ok()))
}

/// The subjects of the progress of cancelled steps, for an operation that ended so late that it may
/// be stored.
fn cancelled_steps(op: &OperationId, operation: &OperationFacts) -> Vec<String> {
    let kept_from = Timestamp::now() - SignedDuration::from_hours(PROGRESS_KEPT_HOURS);
    let is_recent = |record: &&RecordFacts| {
        record.state == OperationState::Cancelled
            && record.finished_at.is_some_and(|at| at > kept_from)
    };
    let Some(record) = operation.record.as_ref().filter(is_recent) else {
        return Vec::new();
    };

    let steps = record.numbered();
    let steps = steps.filter(|step| step.1.state == StepState::Cancelled && step.1.attempt > 0);
    steps
        .map(|step| subjects::progress(step.1.service, op, step.0))
        .collect()
}
