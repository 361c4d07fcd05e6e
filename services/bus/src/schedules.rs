//! Schedules: their records by name, and the timers by which the server says that one is due.
//!
//! The record is the truth. A timer is a message that the server keeps until the instant in its
//! header and then moves to a subject that housekeepers read; one that is lost costs time only.

use async_nats::header::{NATS_SCHEDULE, NATS_SCHEDULE_TARGET};
use async_nats::jetstream::kv::{CreateErrorKind, Operation, UpdateErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::DirectGetErrorKind;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use schemas::codec;
use schemas::schedules::{Schedule, ScheduleName};
use schemas::subjects::{self, SCHEDULE_TIMERS};

use crate::buckets::Bucket;
use crate::error::BusError;
use crate::handles::Schedules;
use crate::queue::{Delivered, Queues, open_queue};
use crate::topology::REMOVED_MARK_MARKER_TTL;

/// The header that says for which instant a timer is.
const DUE: &str = "Ktrdr-Due";
/// Records that are read at once.
const CONCURRENCY: usize = 16;

/// A schedule with the revision that a compare-and-set must name.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSchedule {
    /// The schedule as it is stored.
    pub schedule: Schedule,
    /// Its revision in the bucket.
    pub revision: u64,
}

impl Schedules<'_> {
    /// Stores a new schedule and its timer; false if there is one of its name.
    pub async fn add(self, schedule: &Schedule) -> Result<bool, BusError> {
        let name = &schedule.name;
        let payload = codec::encode(schedule)?;
        let bucket = self.bus.bucket(Bucket::Schedules).await?;
        let created = bucket.create(name.as_str(), payload.into()).await;
        match created {
            Ok(_) => {}
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => return Ok(false),
            Err(error) => {
                let request = format!("store the schedule {name}");
                return Err(BusError::request(request)(error));
            }
        }

        self.set_timer(schedule).await?;
        Ok(true)
    }

    /// The schedule of this name; `None` when there is none.
    pub async fn get(self, name: &ScheduleName) -> Result<Option<StoredSchedule>, BusError> {
        let bucket = self.bus.bucket(Bucket::Schedules).await?;
        let entry = bucket.entry(name.as_str()).await;
        let entry = entry.map_err(BusError::request(format!("read the schedule {name}")))?;

        match entry.filter(|entry| entry.operation == Operation::Put) {
            None => Ok(None),
            Some(entry) => Ok(Some(StoredSchedule {
                schedule: codec::decode(&entry.value)?,
                revision: entry.revision,
            })),
        }
    }

    /// The names of all schedules, in alphabetical order.
    pub async fn names(self) -> Result<Vec<ScheduleName>, BusError> {
        let keys = self.bus.keys_of(Bucket::Schedules).await?;
        let mut names: Vec<ScheduleName> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// All schedules by name. One that this program cannot read is only logged.
    pub async fn list(self) -> Result<Vec<Schedule>, BusError> {
        let names = self.names().await?;
        let reads = names.iter().map(|name| self.get_readable(name));
        let reads: Vec<_> = reads.collect();

        let stored = stream::iter(reads).buffered(CONCURRENCY);
        stored
            .try_filter_map(|stored| std::future::ready(Ok(stored)))
            .try_collect()
            .await
    }

    async fn get_readable(self, name: &ScheduleName) -> Result<Option<Schedule>, BusError> {
        match self.get(name).await {
            Ok(stored) => Ok(stored.map(|stored| stored.schedule)),
            Err(error) if error.is_permanent() => {
                tracing::warn!(%name, %error, "a schedule cannot be read");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the schedule over the revision; false if it was removed or written meanwhile.
    pub async fn write_over(self, schedule: &Schedule, revision: u64) -> Result<bool, BusError> {
        let name = &schedule.name;
        let payload = codec::encode(schedule)?;
        let bucket = self.bus.bucket(Bucket::Schedules).await?;

        match bucket.update(name.as_str(), payload.into(), revision).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
            Err(error) => {
                let request = format!("write the schedule {name}");
                Err(BusError::request(request)(error))
            }
        }
    }

    /// Removes a schedule with its timer; false if there is none of this name.
    pub async fn remove(self, name: &ScheduleName) -> Result<bool, BusError> {
        let exists = self.is_stored(name).await?;
        let bucket = self.bus.bucket(Bucket::Schedules).await?;
        let purged = bucket
            .purge_with_ttl(name.as_str(), REMOVED_MARK_MARKER_TTL)
            .await;
        purged.map_err(BusError::request(format!("remove the schedule {name}")))?;

        // Only now: a timer without a schedule is due in vain.
        self.delete_timer(name).await?;
        Ok(exists)
    }

    /// True if something is stored under the name, be it readable or not.
    async fn is_stored(self, name: &ScheduleName) -> Result<bool, BusError> {
        match self.get(name).await {
            Ok(stored) => Ok(stored.is_some()),
            Err(error) if error.is_permanent() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Has the server say when the schedule is due next, in place of what it was to say before.
    pub async fn set_timer(self, schedule: &Schedule) -> Result<(), BusError> {
        let name = &schedule.name;
        let Some(due) = schedule.next else {
            return Ok(());
        };

        let timer = PublishMessage::build()
            .header(NATS_SCHEDULE, format!("@at {due}"))
            .header(NATS_SCHEDULE_TARGET, subjects::schedule_due(name))
            .header(DUE, due.to_string());
        let stored = self
            .bus
            .publish_stored(subjects::schedule_timer(name), timer);
        stored.await.map(|_| ()).map_err(BusError::request(format!(
            "set the timer of the schedule {name}"
        )))
    }

    async fn delete_timer(self, name: &ScheduleName) -> Result<(), BusError> {
        let request = format!("delete the timer of the schedule {name}");
        let stream = self.bus.js.get_stream_no_info(SCHEDULE_TIMERS).await;
        let stream = stream.map_err(BusError::request(request.clone()))?;

        let subject = subjects::schedule_timer(name);
        let timer = match stream.direct_get_last_for_subject(subject).await {
            Ok(timer) => timer,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(BusError::request(request)(error)),
        };
        let Err(error) = stream.delete_message(timer.sequence).await else {
            return Ok(());
        };

        // It may have been due meanwhile, and be gone.
        let look = stream.direct_get(timer.sequence).await;
        match look {
            Err(look) if look.kind() == DirectGetErrorKind::NotFound => Ok(()),
            _ => Err(BusError::request(request)(error)),
        }
    }

    /// Opens the queue of the schedules that are due, which housekeepers share.
    pub async fn open_due(self) -> Result<Queues, BusError> {
        open_queue(self.bus, subjects::DUE_CONSUMER, SCHEDULE_TIMERS).await
    }
}

impl Delivered {
    /// The schedule that this message says is due, with the instant for which its timer was.
    pub fn due_schedule(&self) -> Option<(ScheduleName, Option<Timestamp>)> {
        let name = self.subject().rsplit('.').next()?.parse().ok()?;
        let due = self.header(DUE).and_then(|due| due.parse().ok());
        Some((name, due))
    }
}
