//! How long steps have taken: written by workers at the end of a step, read by whoever estimates.

use async_nats::jetstream::kv::{CreateErrorKind, Operation, UpdateErrorKind};
use schemas::codec;
use schemas::ids::Service;
use schemas::subjects;
use schemas::timings::{TimedStep, Timings};

use crate::buckets::Bucket;
use crate::error::BusError;
use crate::handles::TimingHistory;
use crate::topology::bucket_stream;

/// Writers of one key at the same moment are few, and losing a duration is harmless.
const ROUNDS_MAX: usize = 3;

/// Which steps a history is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimingKey {
    /// The service that handles them.
    pub service: Service,
    /// What the service does.
    pub verb: String,
    /// Their size, as [`schemas::timings::size_class`] says.
    pub size: String,
    /// Kind of the device that worked on them; `none` where that does not matter.
    pub device: String,
}

impl TimingKey {
    fn parse(key: &str) -> Option<Self> {
        let [service, verb, size, device] = key.split('.').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            service: service.parse().ok()?,
            verb: verb.to_owned(),
            size: size.to_owned(),
            device: device.to_owned(),
        })
    }
}

impl TimingHistory<'_> {
    /// Adds a duration to the history of `key`. One that meets others is dropped after three tries.
    pub async fn add(self, key: &TimingKey, step: TimedStep) -> Result<(), BusError> {
        let key = subjects::timing_key(key.service, &key.verb, &key.size, &key.device);
        for _ in 0..ROUNDS_MAX {
            if self.add_once(&key, step).await? {
                break;
            }
        }
        Ok(())
    }

    /// One round; false after a conflict.
    async fn add_once(self, key: &str, step: TimedStep) -> Result<bool, BusError> {
        let writing = format!("write the timings {key}");
        let bucket = self.bus.bucket(Bucket::Timings).await?;
        let entry = bucket.entry(key).await;
        let entry = entry.map_err(BusError::request(format!("read the timings {key}")))?;
        let entry = entry.filter(|entry| entry.operation == Operation::Put);

        // A history that cannot be read is worth less than a new one.
        let mut timings: Timings = entry
            .as_ref()
            .and_then(|entry| codec::decode(&entry.value).ok())
            .unwrap_or_default();
        timings.add(step);
        let payload = codec::encode(&timings)?.into();

        match entry {
            Some(entry) => match bucket.update(key, payload, entry.revision).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
                Err(error) => Err(BusError::request(writing)(error)),
            },
            None => match bucket.create(key, payload).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(BusError::request(writing)(error)),
            },
        }
    }

    /// Every history that is stored.
    pub async fn list(self) -> Result<Vec<(TimingKey, Timings)>, BusError> {
        let name = bucket_stream(subjects::TIMINGS);
        let prefix = format!("$KV.{}.", subjects::TIMINGS);
        let stored = self
            .bus
            .replay(&name, &format!("{prefix}>"), 1, u64::MAX)
            .await?;

        let mut histories = Vec::new();
        for message in stored.iter().filter(|message| message.is_value) {
            let key = message.subject.strip_prefix(&prefix);
            let key = key.and_then(TimingKey::parse);
            let timings = codec::decode::<Timings>(&message.payload).ok();
            histories.extend(key.zip(timings));
        }
        Ok(histories)
    }
}
