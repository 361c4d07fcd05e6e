//! The system as a test sees it: records, events, dead letters and queues, read as any other
//! process reads them.

use std::time::Duration;

use bus::{FollowOptions, Update};
use futures::{Stream, StreamExt};
use schemas::codec::{self, Message};
use schemas::events::{Event, What};
use schemas::ids::{Lane, OperationId, Service};
use schemas::messages::DeadLetter;
use schemas::operation::NewOperation;
use schemas::operation::OperationRecord;
use schemas::progress::ProgressRecord;
use schemas::subjects;
use schemas::worker::WorkerInfo;
use tokio::time::interval;

use crate::Sandbox;
use crate::waiting::{patiently, until};

/// One message of a stream.
pub struct StoredMessage {
    /// The subject on which it was published.
    pub subject: String,
    /// The bytes that were published.
    pub payload: Vec<u8>,
}

impl Sandbox {
    /// The record as it is now.
    pub async fn record(&self, op: &OperationId) -> OperationRecord {
        self.bus()
            .operations()
            .get(op)
            .await
            .unwrap()
            .expect("there is a record")
            .record
    }

    async fn follow(
        &self,
        op: &OperationId,
        from_start: bool,
    ) -> impl Stream<Item = Update> + Unpin + use<> {
        self.bus()
            .operations()
            .follow(op, FollowOptions { from_start })
            .await
            .unwrap()
    }

    /// Waits until the record satisfies `is_reached`; `what` names that state.
    pub async fn until_record(
        &self,
        op: &OperationId,
        what: &str,
        is_reached: impl Fn(&OperationRecord) -> bool,
    ) -> OperationRecord {
        let mut updates = self.follow(op, false).await;
        let reached = async {
            let mut last = None;
            while let Some(update) = updates.next().await {
                match update {
                    Update::Record(record) if is_reached(&record) => return *record,
                    Update::Record(record) => last = Some(record),
                    _ => {}
                }
            }
            panic!("{op} ended and was never {what}: {last:#?}");
        };

        patiently(format!("{op} to be {what}"), reached).await
    }

    /// Waits for the end of the operation.
    pub async fn until_ended(&self, op: &OperationId) -> OperationRecord {
        self.until_record(op, "ended", |record| record.state.is_terminal())
            .await
    }

    /// Waits for the end, and until nothing of the operation is left to do: no active mark, no
    /// command.
    pub async fn until_concluded(&self, op: &OperationId) -> OperationRecord {
        self.until_ended(op).await;

        until(format!("{op} to be concluded"), || async {
            let is_marked = self.bus().active().list().await.ok()?.contains(op);
            let has_commands = !self.commands_of(op).await.is_empty();
            (!is_marked && !has_commands).then_some(())
        })
        .await;
        self.record(op).await
    }

    /// Waits for an event that satisfies `is_meant`, stored ones included; `what` names it.
    pub async fn until_event(
        &self,
        op: &OperationId,
        what: &str,
        is_meant: impl Fn(&Event) -> bool,
    ) -> Event {
        let event = async {
            // An operation that has ended ends the follower, maybe just before its last event is
            // stored.
            let mut follows = interval(Duration::from_millis(100));
            loop {
                follows.tick().await;
                let mut updates = self.follow(op, true).await;
                while let Some(update) = updates.next().await {
                    match update {
                        Update::Event(event) if is_meant(&event) => return *event,
                        _ => {}
                    }
                }
            }
        };

        patiently(format!("event {what} of {op}"), event).await
    }

    /// Waits until a worker has claimed a step and its handler may run.
    pub async fn until_started(&self, op: &OperationId) -> Event {
        self.until_event(op, "started", |event| event.what == What::Started)
            .await
    }

    /// Waits for progress of the first step, in attempt `attempt` or a later one: the handler is at
    /// work.
    pub async fn until_working(&self, op: &OperationId, attempt: u32) -> ProgressRecord {
        self.until_working_on(op, 1, attempt).await
    }

    /// Waits for progress of a step, counted from 1, in attempt `attempt` or a later one.
    pub async fn until_working_on(
        &self,
        op: &OperationId,
        step: u16,
        attempt: u32,
    ) -> ProgressRecord {
        let mut updates = self.follow(op, false).await;
        let progress = async {
            while let Some(update) = updates.next().await {
                match update {
                    Update::Progress(progress)
                        if progress.step.get() == step && progress.attempt >= attempt =>
                    {
                        return *progress;
                    }
                    _ => {}
                }
            }
            panic!(
                "{op} ended without progress of step {step}, attempt {attempt}: {:#?}",
                self.record(op).await
            );
        };

        let what = format!("progress of {op}, step {step}, attempt {attempt}");
        patiently(what, progress).await
    }

    /// All messages of a stream on `filter`, oldest first.
    pub async fn stored(&self, stream: &str, filter: &str) -> Vec<StoredMessage> {
        let stream = self.jetstream().get_stream_no_info(stream).await.unwrap();

        let mut messages = Vec::new();
        let mut next = 1;
        while let Ok(message) = stream
            .direct_get_next_for_subject(filter.to_owned(), Some(next))
            .await
        {
            next = message.sequence + 1;
            messages.push(StoredMessage {
                subject: message.subject.to_string(),
                payload: message.payload.to_vec(),
            });
        }
        messages
    }

    async fn decoded<M: Message>(&self, stream: &str, filter: &str) -> Vec<M> {
        self.stored(stream, filter)
            .await
            .iter()
            .map(|message| codec::decode(&message.payload).unwrap())
            .collect()
    }

    /// All events of an operation in the order in which they were stored.
    pub async fn events(&self, op: &OperationId) -> Vec<Event> {
        self.decoded(subjects::EVENTS, &subjects::events_of(op))
            .await
    }

    /// The events as words `step.what`, as in `1.started 1.completed`.
    pub async fn story(&self, op: &OperationId) -> String {
        let events = self.events(op).await;
        let words: Vec<String> = events
            .iter()
            .map(|event| format!("{}.{}", event.step, event.what.as_str()))
            .collect();

        words.join(" ")
    }

    /// The one `completed` event of the operation's last step; fails when there is none or more
    /// than one of any step.
    pub async fn only_completion_of(&self, op: &OperationId) -> Event {
        let record = self.until_concluded(op).await;

        let mut completions = self.events(op).await;
        completions.retain(|event| event.what == What::Completed);
        completions.sort_by_key(|event| event.step);

        let steps: Vec<_> = completions.iter().map(|event| event.step).collect();
        assert_eq!(
            steps,
            record.numbers().collect::<Vec<_>>(),
            "completions of {op}, which is {}",
            record.state
        );
        completions.pop().unwrap()
    }

    /// Submits `new` under a new id and waits for its completion.
    pub async fn complete(&self, new: &NewOperation) -> Event {
        let op = self.submit(new).await;
        self.only_completion_of(&op).await
    }

    /// Dead letters of an operation.
    pub async fn dead_letters(&self, op: &OperationId) -> Vec<DeadLetter> {
        self.decoded(subjects::DEAD, &format!("ktrdr.dead.*.{op}.*"))
            .await
    }

    /// Commands of an operation that are on a queue or claimed.
    pub async fn commands_of(&self, op: &OperationId) -> Vec<StoredMessage> {
        self.stored(subjects::COMMANDS, &format!("ktrdr.cmd.*.*.{op}.*"))
            .await
    }

    /// Every progress record that is stored of an operation.
    pub async fn progress_of(&self, op: &OperationId) -> Vec<ProgressRecord> {
        self.decoded(subjects::PROGRESS, &subjects::progress_of(op))
            .await
    }

    /// Waits until `count` workers have announced themselves and wait for work.
    pub async fn until_workers(&self, service: Service, count: usize) -> Vec<WorkerInfo> {
        until(format!("{count} workers of {service}"), || async {
            let mut workers = self.bus().workers().list().await.ok()?;
            workers.retain(|worker| worker.service == service);
            let busy = workers
                .iter()
                .filter(|worker| !worker.current.is_empty())
                .count();

            // A worker without work asks its queue for some.
            let queue = self
                .bus()
                .commands()
                .queue_depth(service, Lane::Default)
                .await
                .ok()?;
            let ready = queue.waiting_pulls + busy as u64;
            (workers.len() == count && ready >= count as u64).then_some(workers)
        })
        .await
    }
}
