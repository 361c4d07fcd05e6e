//! Follows one operation: its record, its events and its progress as they change, until the record
//! is terminal.
//!
//! Subscribe first, then read what is stored, then drop what is older than what was read: nothing
//! falls between. A slow reader holds up no one, because of progress and records only the
//! newest is kept for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Subscriber;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use jiff::Timestamp;
use schemas::codec;
use schemas::events::Event;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::OperationRecord;
use schemas::progress::ProgressRecord;
use schemas::subjects;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::connect::Bus;
use crate::error::BusError;
use crate::handles::Operations;

/// After this much silence the record is read again.
const SILENCE: Duration = Duration::from_secs(2);
/// Events kept for a slow reader; older ones are dropped.
const EVENTS_MAX: usize = 256;

/// What a follower sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// The record has changed.
    Record(Box<OperationRecord>),
    /// The newest progress of a step.
    Progress(Box<ProgressRecord>),
    /// Something happened to a step.
    Event(Box<Event>),
}

/// How to follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowOptions {
    /// First everything that is still stored about the operation, then what comes.
    pub from_start: bool,
}

impl Operations<'_> {
    /// Follows an operation. Ends after the record has been terminal; an operation without a record
    /// is waited for.
    pub async fn follow(
        self,
        op: &OperationId,
        options: FollowOptions,
    ) -> Result<impl Stream<Item = Update> + Unpin + Send + use<>, BusError> {
        let mut watcher = Watcher {
            events: self.subscribe(subjects::events_of(op)).await?,
            progress: self.subscribe(subjects::progress_of(op)).await?,
            reconnects: self.bus.connection().reconnects(),
            bus: self.bus.clone(),
            op: op.clone(),
            mailbox: Arc::default(),
            seen: BTreeMap::new(),
            replayed: BTreeSet::new(),
            revision: 0,
        };

        // Once the subscriptions have reached the server, nothing new can be missed.
        self.bus.flush().await?;
        let history = if options.from_start {
            watcher.history().await?
        } else {
            Vec::new()
        };

        let mailbox = Arc::clone(&watcher.mailbox);
        let task = tokio::spawn(watcher.run());
        let reader = Reader { mailbox, task };
        let live = stream::unfold(reader, |reader| async move {
            Some((reader.mailbox.take().await?, reader))
        });
        Ok(Box::pin(stream::iter(history).chain(live)))
    }

    pub(crate) async fn subscribe(self, subject: String) -> Result<Subscriber, BusError> {
        let failed = BusError::request(format!("subscribe to {subject}"));
        self.bus.client.subscribe(subject).await.map_err(failed)
    }
}

/// Ends the watcher when the follower goes away.
struct Reader {
    mailbox: Arc<Mailbox>,
    task: JoinHandle<()>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watcher {
    bus: Bus,
    op: OperationId,
    events: Subscriber,
    progress: Subscriber,
    reconnects: watch::Receiver<u64>,
    mailbox: Arc<Mailbox>,
    /// Newest (attempt, sequence) of each step.
    seen: BTreeMap<StepNumber, (u32, u64)>,
    /// Ids of the events that the history has shown.
    replayed: BTreeSet<String>,
    revision: u64,
}

impl Watcher {
    async fn run(mut self) {
        let mut ended = self.read_all().await;
        while !ended {
            ended = tokio::select! {
                biased;
                message = self.events.next() => match message {
                    Some(message) => {
                        self.take_event(&message.payload);
                        self.read_record().await
                    }
                    None => true,
                },
                message = self.progress.next() => match message {
                    Some(message) => {
                        self.take_progress(&message.payload);
                        false
                    }
                    None => true,
                },
                _ = self.reconnects.changed() => self.read_all().await,
                () = tokio::time::sleep(SILENCE) => self.read_record().await,
            };
        }

        // What has arrived by now belongs to the story, too.
        while let Some(Some(message)) = self.progress.next().now_or_never() {
            self.take_progress(&message.payload);
        }
        while let Some(Some(message)) = self.events.next().now_or_never() {
            self.take_event(&message.payload);
        }
        self.mailbox.close();
    }

    /// Everything stored about the operation, in the order of its times.
    async fn history(&mut self) -> Result<Vec<Update>, BusError> {
        let bus = self.bus.clone();
        let subject = subjects::progress_of(&self.op);
        let progress = bus
            .replay(subjects::PROGRESS, &subject, 1, u64::MAX)
            .await?;
        let subject = subjects::events_of(&self.op);
        let events = bus.replay(subjects::EVENTS, &subject, 1, u64::MAX).await?;

        let mut history: Vec<(Timestamp, Update)> = Vec::new();
        for message in &progress {
            match codec::decode::<ProgressRecord>(&message.payload) {
                Ok(record) if self.is_news(&record) => {
                    history.push((record.at, Update::Progress(Box::new(record))));
                }
                Ok(_) | Err(_) => {}
            }
        }
        for message in &events {
            if let Ok(event) = codec::decode::<Event>(&message.payload) {
                self.replayed.insert(event.message_id());
                history.push((event.at, Update::Event(Box::new(event))));
            }
        }

        history.sort_by_key(|(at, _)| *at);
        Ok(history.into_iter().map(|(_, update)| update).collect())
    }

    /// Record and last progress of every step that has begun. True when the record is terminal.
    async fn read_all(&mut self) -> bool {
        let stored = match self.bus.operations().get(&self.op).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return false,
            Err(error) => return log_unreadable(&error),
        };

        let record = &stored.record;
        let steps = record.numbers().zip(record.plan.steps()).zip(&record.steps);
        for ((number, spec), _) in steps.filter(|(_, step)| step.attempt > 0) {
            match self
                .bus
                .progress()
                .newest(spec.service, &self.op, number)
                .await
            {
                Ok(Some(record)) if self.is_news(&record) => {
                    self.mailbox.offer(Update::Progress(Box::new(record)));
                }
                Ok(_) => {}
                Err(error) => {
                    log_unreadable(&error);
                }
            }
        }

        self.take_record(stored.record, stored.revision)
    }

    async fn read_record(&mut self) -> bool {
        match self.bus.operations().get(&self.op).await {
            Ok(Some(stored)) => self.take_record(stored.record, stored.revision),
            Ok(None) => false,
            Err(error) => log_unreadable(&error),
        }
    }

    fn take_record(&mut self, record: OperationRecord, revision: u64) -> bool {
        let terminal = record.state.is_terminal();
        if revision > self.revision {
            self.revision = revision;
            self.mailbox.offer(Update::Record(Box::new(record)));
        }
        terminal
    }

    fn take_event(&mut self, payload: &[u8]) {
        match codec::decode::<Event>(payload) {
            Ok(event) if self.replayed.contains(&event.message_id()) => {}
            Ok(event) => self.mailbox.offer(Update::Event(Box::new(event))),
            Err(error) => tracing::debug!(%error, "an event that cannot be read"),
        }
    }

    fn take_progress(&mut self, payload: &[u8]) {
        match codec::decode::<ProgressRecord>(payload) {
            Ok(record) if self.is_news(&record) => {
                self.mailbox.offer(Update::Progress(Box::new(record)))
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a progress message that cannot be read"),
        }
    }

    /// True when the record is newer than everything seen of its step.
    fn is_news(&mut self, record: &ProgressRecord) -> bool {
        let newest = self.seen.entry(record.step).or_insert((0, 0));
        let mine = (record.attempt, record.seq);
        let is_news = mine > *newest;
        *newest = mine.max(*newest);
        is_news
    }
}

/// Returns false, as for a record that is not terminal: the follower tries again.
fn log_unreadable(error: &BusError) -> bool {
    tracing::debug!(%error, "the operation cannot be read now");
    false
}

/// Hands updates from the watcher to one reader: of progress (a step) and of records only the
/// newest waits.
#[derive(Default)]
struct Mailbox {
    inner: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    updates: VecDeque<Update>,
    closed: bool,
}

impl Mailbox {
    fn offer(&self, update: Update) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(update);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.changed.notify_one();
    }

    async fn take(&self) -> Option<Update> {
        loop {
            {
                let mut waiting = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(update) = waiting.updates.pop_front() {
                    return Some(update);
                }
                if waiting.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

impl Waiting {
    fn push(&mut self, update: Update) {
        let mut updates = self.updates.iter();
        let replaced = match &update {
            Update::Record(_) => updates.position(|other| matches!(other, Update::Record(_))),
            Update::Progress(new) => updates
                .position(|other| matches!(other, Update::Progress(old) if old.step == new.step)),
            // Of events all are kept, up to the limit; then the oldest goes.
            Update::Event(_) => {
                let count = self.updates.iter().filter(|other| is_event(other)).count();
                if count < EVENTS_MAX {
                    None
                } else {
                    updates.position(is_event)
                }
            }
        };

        if let Some(index) = replaced {
            self.updates.remove(index);
        }
        self.updates.push_back(update);
    }
}

fn is_event(update: &Update) -> bool {
    matches!(update, Update::Event(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::commands::RunDummy;

    fn record(note: &str) -> Update {
        let op: OperationId = "op_dummy_20260301_142233_9f3a01bc".parse().unwrap();
        let mut record =
            OperationRecord::create(op, RunDummy::default().operation(), Timestamp::UNIX_EPOCH);
        record.nonce = note.to_owned();
        Update::Record(Box::new(record))
    }

    #[tokio::test]
    async fn a_slow_reader_finds_only_the_newest_record_and_then_the_end() {
        let mailbox = Mailbox::default();
        for note in ["1", "2", "3"] {
            mailbox.offer(record(note));
        }
        mailbox.close();

        assert_eq!(mailbox.take().await, Some(record("3")));
        assert_eq!(mailbox.take().await, None);
    }
}
