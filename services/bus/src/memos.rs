//! What the processes that ask one provider remember together: values under keys, changed by
//! compare-and-set, and the clock of the server.

use async_nats::jetstream::kv::{CreateErrorKind, Operation, UpdateErrorKind};
use async_nats::jetstream::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use schemas::subjects;
use serde::Deserialize;

use crate::buckets::Bucket;
use crate::error::BusError;
use crate::handles::Memos;
use crate::topology::bucket_stream;

/// A value with what the next write of it must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMemo {
    /// As it was written.
    pub value: Bytes,
    /// Grows with each write.
    pub revision: u64,
}

/// The part of an answer about a stream that says when it was given.
#[derive(Deserialize)]
struct AnsweredAt {
    ts: Timestamp,
}

impl Memos<'_> {
    /// The value of a key; none if there is none, or if it was forgotten.
    pub async fn get(self, key: &str) -> Result<Option<StoredMemo>, BusError> {
        let bucket = self.bus.bucket(Bucket::Pacing).await?;
        let entry = bucket.entry(key).await;
        let entry = entry.map_err(BusError::request(format!("read the memo {key}")))?;

        let stored = entry.filter(|entry| entry.operation == Operation::Put);
        Ok(stored.map(|entry| StoredMemo {
            value: entry.value,
            revision: entry.revision,
        }))
    }

    /// Writes a value in place of that of a revision, or the first one of its key; the new
    /// revision, or none if somebody else has written meanwhile.
    pub async fn replace(
        self,
        key: &str,
        value: Bytes,
        revision: Option<u64>,
    ) -> Result<Option<u64>, BusError> {
        let bucket = self.bus.bucket(Bucket::Pacing).await?;
        let failed = BusError::request(format!("write the memo {key}"));

        match revision {
            Some(revision) => match bucket.update(key, value, revision).await {
                Ok(revision) => Ok(Some(revision)),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
                Err(error) => Err(failed(error)),
            },

            None => match bucket.create(key, value).await {
                Ok(revision) => Ok(Some(revision)),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
                Err(error) => Err(BusError::request(format!("write the memo {key}"))(error)),
            },
        }
    }

    /// Writes a value, whatever was there.
    pub async fn put(self, key: &str, value: Bytes) -> Result<(), BusError> {
        let bucket = self.bus.bucket(Bucket::Pacing).await?;
        let written = bucket.put(key, value).await;
        written.map_err(BusError::request(format!("write the memo {key}")))?;
        Ok(())
    }

    /// The server's clock.
    pub async fn time(self) -> Result<Timestamp, BusError> {
        let failed = || "ask the server for its time".to_owned();
        let subject = format!("STREAM.INFO.{}", bucket_stream(subjects::PACING));
        let answer = self.bus.js.request(subject, &()).await;

        match answer.map_err(BusError::request(failed()))? {
            Response::Ok(AnsweredAt { ts }) => Ok(ts),
            Response::Err { error } => Err(BusError::request(failed())(error)),
        }
    }
}
