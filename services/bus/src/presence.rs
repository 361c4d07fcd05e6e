//! Who is there: active operations, workers and their signs of life.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::kv::Operation;
use async_nats::jetstream::message::PublishMessage;
use futures::{Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use schemas::codec;
use schemas::events::Event;
use schemas::ids::{OperationId, WorkerId};
use schemas::subjects;
use schemas::worker::WorkerInfo;
use std::time::Duration;

use crate::connect::Bus;
use crate::error::BusError;
use crate::handles::Bucket;
use crate::records::Stored;

/// How long a settled record is kept: longer than any command or control message lives.
const RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// How long the marker of a removed active key stays.
const MARKER_TTL: Duration = Duration::from_secs(1);

impl Bus {
    /// Marks an operation as not settled. Put before its command is published and before a resume.
    pub async fn put_active(&self, op: &OperationId) -> Result<(), BusError> {
        let bucket = self.bucket(Bucket::Active).await?;
        let put = bucket.put(op.as_str(), bytes::Bytes::new()).await;
        put.map(|_| ())
            .map_err(BusError::request(format!("mark {op} as active")))
    }

    /// Removes the mark if the record is terminal. The mark's revision is read before the record,
    /// so that a resume in between keeps its own mark.
    pub async fn settle_active(&self, op: &OperationId) -> Result<(), BusError> {
        let bucket = self.bucket(Bucket::Active).await?;
        let failed = || format!("settle the mark of {op}");
        let Some(mark) = bucket
            .entry(op.as_str())
            .await
            .map_err(BusError::request(failed()))?
        else {
            return Ok(());
        };
        if mark.operation != Operation::Put {
            return Ok(());
        }
        let Some(stored) = self
            .record(op)
            .await?
            .filter(|stored| stored.record.state.is_terminal())
        else {
            return Ok(());
        };
        self.let_expire(&stored).await?;
        match bucket
            .purge_expect_revision_with_ttl(op.as_str(), mark.revision, MARKER_TTL)
            .await
        {
            Ok(()) => Ok(()),
            // Another settled it, or a resume marked it anew: both are right, and neither is ours
            // to undo.
            Err(error) => {
                tracing::debug!(%op, error = %error, "the mark changed meanwhile");
                Ok(())
            }
        }
    }

    /// Gives a terminal record its last term: the same value, expiring after [`RETENTION`]. A
    /// resume writes a revision without a term, which keeps it.
    async fn let_expire(&self, stored: &Stored) -> Result<(), BusError> {
        let op = &stored.record.op;
        let publish = PublishMessage::build()
            .payload(codec::encode(&stored.record)?.into())
            .expected_last_subject_sequence(stored.revision)
            .ttl(RETENTION);
        let subject = format!(
            "$KV.{}.{}",
            subjects::OPERATIONS,
            subjects::operation_key(op)
        );
        let what = || format!("set the term of the record of {op}");
        let ack = self
            .js
            .send_publish(subject, publish)
            .await
            .map_err(BusError::request(what()))?;
        match ack.await {
            Ok(_) => Ok(()),
            // Resumed, or settled by another: both know better.
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(()),
            Err(error) => Err(BusError::request(what())(error)),
        }
    }

    /// All operations marked as active: a superset of what is not settled.
    pub async fn active(&self) -> Result<Vec<OperationId>, BusError> {
        let keys = self.keys_of(Bucket::Active).await?;
        Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    async fn keys_of(&self, bucket: Bucket) -> Result<Vec<String>, BusError> {
        let what = || format!("list the bucket {}", bucket.name());
        let keys = self
            .bucket(bucket)
            .await?
            .keys()
            .await
            .map_err(BusError::request(what()))?;
        keys.try_collect().await.map_err(BusError::request(what()))
    }

    /// Writes or renews a worker's key; it expires with the bucket's age.
    pub async fn put_worker(&self, info: &WorkerInfo) -> Result<(), BusError> {
        let payload = codec::encode(info)?;
        let put = self
            .bucket(Bucket::Workers)
            .await?
            .put(info.worker.as_str(), payload.into())
            .await;
        put.map(|_| ()).map_err(BusError::request(format!(
            "announce worker {}",
            info.worker
        )))
    }

    /// Removes a worker's key at an orderly end.
    pub async fn remove_worker(&self, worker: &WorkerId) -> Result<(), BusError> {
        let purged = self
            .bucket(Bucket::Workers)
            .await?
            .purge(worker.as_str())
            .await;
        purged.map_err(BusError::request(format!("sign off worker {worker}")))
    }

    /// True while the worker's key stands.
    pub async fn is_worker_alive(&self, worker: &WorkerId) -> Result<bool, BusError> {
        let entry = self
            .bucket(Bucket::Workers)
            .await?
            .entry(worker.as_str())
            .await;
        let entry = entry.map_err(BusError::request(format!("look up worker {worker}")))?;
        Ok(entry.is_some_and(|entry| entry.operation == Operation::Put))
    }

    /// Every worker whose key stands, by id.
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, BusError> {
        let mut workers = Vec::new();
        for key in self.keys_of(Bucket::Workers).await? {
            let value = self.bucket(Bucket::Workers).await?.get(key.as_str()).await;
            let value = value.map_err(BusError::request(format!("look up worker {key}")))?;
            // A key may expire between the list and the look-up; a value of another version is
            // skipped.
            workers.extend(value.and_then(|value| codec::decode::<WorkerInfo>(&value).ok()));
        }
        workers.sort_by(|a, b| a.worker.cmp(&b.worker));
        Ok(workers)
    }

    /// One sign of life; core publish, nobody acknowledges it.
    pub async fn publish_alive(&self, worker: &WorkerId) -> Result<(), BusError> {
        let publish = self
            .client
            .publish(subjects::alive(worker), bytes::Bytes::new())
            .await;
        publish.map_err(BusError::request(format!(
            "send a sign of life of {worker}"
        )))
    }

    /// Signs of life of all workers, as they arrive.
    pub async fn watch_alive(
        &self,
    ) -> Result<impl Stream<Item = WorkerId> + Unpin + use<>, BusError> {
        let subscriber = self.client.subscribe(subjects::ALL_ALIVE).await;
        let subscriber = subscriber.map_err(BusError::request("subscribe to signs of life"))?;
        Ok(subscriber.filter_map(|message| {
            std::future::ready(
                message
                    .subject
                    .rsplit('.')
                    .next()
                    .and_then(|token| token.parse().ok()),
            )
        }))
    }

    /// Claims as they are announced: the operation and its new holder.
    pub async fn watch_starts(
        &self,
    ) -> Result<impl Stream<Item = (OperationId, WorkerId)> + Unpin + use<>, BusError> {
        let subscriber = self.client.subscribe(subjects::ALL_STARTS).await;
        let subscriber = subscriber.map_err(BusError::request("subscribe to started steps"))?;
        Ok(subscriber.filter_map(|message| {
            let event = codec::decode::<Event>(&message.payload).ok();
            std::future::ready(event.and_then(|event| Some((event.op, event.worker?))))
        }))
    }

    /// Removes the mark of an operation that has no record and whose mark is older than `age`: its
    /// submit died before anything was on a queue.
    pub async fn drop_stale_mark(&self, op: &OperationId, age: Duration) -> Result<(), BusError> {
        let bucket = self.bucket(Bucket::Active).await?;
        let what = || format!("drop the mark of {op}");
        let Some(mark) = bucket
            .entry(op.as_str())
            .await
            .map_err(BusError::request(what()))?
        else {
            return Ok(());
        };
        let written = Timestamp::from_nanosecond(mark.created.unix_timestamp_nanos())
            .unwrap_or(Timestamp::MAX);
        if mark.operation == Operation::Put
            && Timestamp::now().duration_since(written).unsigned_abs() > age
        {
            let purged = bucket
                .purge_expect_revision_with_ttl(op.as_str(), mark.revision, MARKER_TTL)
                .await;
            purged.map_err(BusError::request(what()))?;
        }
        Ok(())
    }
}
