//! Reads the small values: workers, schedules with their timers, durations, limits of providers,
//! and dead letters.

use bus::topology::bucket_stream;
use bus::{Bus, BusError, StoredMessage};
use schemas::codec::{self, Message};
use schemas::errors::chain;
use schemas::messages::DeadLetter;
use schemas::pacing::PacingRecord;
use schemas::schedules::Schedule;
use schemas::subjects;
use schemas::timings::Timings;
use schemas::worker::WorkerInfo;
use serde_json::Value;

use super::facts::{Facts, ScheduleFacts};
use super::reading::{exists, read_bucket, read_newest};
use super::rules::Rule;

/// Keys of the limits of accounts begin so; every other value beside them is something learnt.
const ACCOUNT: &str = "account.";

/// Reads schedules, durations, limits and dead letters.
pub(super) async fn read(bus: &Bus, facts: &mut Facts) -> Result<(), BusError> {
    read_bucket(bus, subjects::TIMINGS, facts, |facts, key, message| {
        note_value::<Timings>(facts, subjects::TIMINGS, key, message);
    })
    .await?;
    read_newest(bus, &bucket_stream(subjects::PACING), facts, note_memo).await?;
    read_bucket(bus, subjects::SCHEDULES, facts, note_schedule).await?;
    read_newest(bus, subjects::SCHEDULE_TIMERS, facts, note_timer).await?;

    if exists(bus, subjects::DEAD).await? {
        let visit = |message: StoredMessage| note_letter(facts, &message);
        let connection = bus.connection();
        connection
            .read_stream(subjects::DEAD, subjects::ALL_DEAD, visit)
            .await?;
    }
    Ok(())
}

/// Notes a worker that shows life.
pub(super) fn note_worker(facts: &mut Facts, key: &str, message: &StoredMessage) {
    if note_value::<WorkerInfo>(facts, subjects::WORKERS, key, message).is_some()
        && let Ok(worker) = key.parse()
    {
        facts.workers.insert(worker);
    }
}

/// Decodes a value, or notes why it cannot be.
fn note_value<M: Message>(
    facts: &mut Facts,
    bucket: &str,
    key: &str,
    message: &StoredMessage,
) -> Option<M> {
    facts.count.others += 1;

    match codec::decode::<M>(&message.payload) {
        Ok(value) => Some(value),
        Err(error) => {
            let subject = format!("{bucket} {key}");
            let fault = (Rule::ValueUnreadable, subject, chain(&error));
            facts.faults.push(fault);
            None
        }
    }
}

/// Something that processes remember together: the limit of an account, or what was learnt of a
/// provider and when.
fn note_memo(facts: &mut Facts, subject: &str, message: &StoredMessage) {
    let prefix = format!("$KV.{}.", subjects::PACING);
    let key = subject.strip_prefix(&prefix).unwrap_or(subject);
    if key.starts_with(ACCOUNT) {
        note_value::<PacingRecord>(facts, subjects::PACING, key, message);
        return;
    }

    facts.count.others += 1;
    let memo = serde_json::from_slice::<Value>(&message.payload);
    let reason = match memo {
        Ok(memo) if is_memo(&memo) => return,
        Ok(_) => "it has no time, or no value".to_owned(),
        Err(error) => error.to_string(),
    };
    let subject = format!("{} {key}", subjects::PACING);
    facts.faults.push((Rule::ValueUnreadable, subject, reason));
}

/// Whether it says what was learnt and when.
fn is_memo(memo: &Value) -> bool {
    memo.get("at").is_some_and(Value::is_i64) && memo.get("value").is_some()
}

fn note_schedule(facts: &mut Facts, key: &str, message: &StoredMessage) {
    let schedule = note_value::<Schedule>(facts, subjects::SCHEDULES, key, message);
    if let Some(schedule) = schedule {
        let schedule = ScheduleFacts {
            next: schedule.next,
            last: schedule.last.map(|last| last.op),
            has_timer: false,
        };
        facts.schedules.insert(key.to_owned(), schedule);
    }
}

/// A timer, or the message that says that its schedule is due.
fn note_timer(facts: &mut Facts, subject: &str, _: &StoredMessage) {
    facts.count.others += 1;
    let name = subject.rsplit('.').next().unwrap_or_default();
    if let Some(schedule) = facts.schedules.get_mut(name) {
        schedule.has_timer = true;
    }
}

fn note_letter(facts: &mut Facts, message: &StoredMessage) {
    facts.count.others += 1;
    let number = message.sequence.to_string();
    let (rule, what) = match codec::decode::<DeadLetter>(&message.payload) {
        Ok(letter) => (Rule::DeadLetter, letter.error.to_string()),
        Err(error) => (Rule::DeadLetterUnreadable, chain(&error)),
    };
    facts.faults.push((rule, number, what));
}
