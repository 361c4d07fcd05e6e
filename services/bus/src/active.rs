//! Marks of the operations that are not finished: a superset of them, so that they are found
//! without reading all records.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::kv::Operation;
use async_nats::jetstream::message::PublishMessage;
use jiff::Timestamp;
use schemas::codec;
use schemas::ids::OperationId;
use schemas::subjects;

use crate::buckets::Bucket;
use crate::error::BusError;
use crate::handles::Active;
use crate::operations::Stored;
use crate::topology::{ENDED_RECORD_TTL, REMOVED_MARK_MARKER_TTL};

impl Active<'_> {
    /// Marks an operation as unfinished. Put before its command is published, and by a resume after
    /// it has read the record that it changes.
    pub async fn mark(self, op: &OperationId) -> Result<(), BusError> {
        let bucket = self.bus.bucket(Bucket::Active).await?;
        let put = bucket.put(op.as_str(), bytes::Bytes::new()).await;
        put.map(|_| ())
            .map_err(BusError::request(format!("mark {op} as active")))
    }

    /// Removes the mark if the record is terminal, and leaves it to the next sweep if the record is
    /// written meanwhile.
    ///
    /// The mark's revision is read before the record, so that a resume in between keeps its own
    /// mark; and the record is written before the mark is removed, so that a resume whose mark this
    /// is conflicts, and puts another.
    pub async fn unmark(self, op: &OperationId) -> Result<(), BusError> {
        let bucket = self.bus.bucket(Bucket::Active).await?;
        let mark = bucket.entry(op.as_str()).await;
        let mark = mark.map_err(BusError::request(format!("read the mark of {op}")))?;
        let Some(mark) = mark.filter(|mark| mark.operation == Operation::Put) else {
            return Ok(());
        };

        let stored = self.bus.operations().get(op).await?;
        let Some(stored) = stored.filter(|stored| stored.record.state.is_terminal()) else {
            return Ok(());
        };
        if !self.let_expire(&stored).await? {
            return Ok(());
        }

        let ttl = REMOVED_MARK_MARKER_TTL;
        let purged = bucket
            .purge_expect_revision_with_ttl(op.as_str(), mark.revision, ttl)
            .await;
        if let Err(error) = purged {
            // Another process removed it, or a resume set it again. Either state is valid.
            tracing::debug!(%op, error = %error, "the mark changed meanwhile");
        }
        Ok(())
    }

    /// Gives a terminal record its last term: the same value, expiring after
    /// [`ENDED_RECORD_TTL`]. A resume writes a revision without a term, which keeps it. False if
    /// the record was written meanwhile.
    async fn let_expire(self, stored: &Stored) -> Result<bool, BusError> {
        let op = &stored.record.op;
        let publish = PublishMessage::build()
            .payload(codec::encode(&stored.record)?.into())
            .expected_last_subject_sequence(stored.revision)
            .ttl(ENDED_RECORD_TTL);
        let key = subjects::operation_key(op);
        let subject = format!("$KV.{}.{key}", subjects::OPERATIONS);

        let ack = self.bus.publish_stored(subject, publish).await;
        match ack {
            Ok(_) => Ok(true),
            // Resumed, or given its term by another process: the newer revision is right.
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            Err(error) => {
                let request = format!("set the term of the record of {op}");
                Err(BusError::request(request)(error))
            }
        }
    }

    /// All operations marked as active: a superset of the unfinished ones.
    pub async fn list(self) -> Result<Vec<OperationId>, BusError> {
        let keys = self.bus.keys_of(Bucket::Active).await?;
        Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Removes the mark of an operation that has no record and whose mark is older than `age`: its
    /// submit died before anything was on a queue.
    pub async fn unmark_stale(
        self,
        op: &OperationId,
        age: std::time::Duration,
    ) -> Result<(), BusError> {
        let bucket = self.bus.bucket(Bucket::Active).await?;
        let mark = bucket.entry(op.as_str()).await;
        let mark = mark.map_err(BusError::request(format!("read the mark of {op}")))?;
        let Some(mark) = mark.filter(|mark| mark.operation == Operation::Put) else {
            return Ok(());
        };

        let written = Timestamp::from_nanosecond(mark.created.unix_timestamp_nanos());
        let written = written.unwrap_or(Timestamp::MAX);
        let mark_age = Timestamp::now().duration_since(written);

        // A time in the future, or one that cannot be read, is not old.
        if mark_age.is_negative() || mark_age.unsigned_abs() <= age {
            return Ok(());
        }

        let ttl = REMOVED_MARK_MARKER_TTL;
        let purged = bucket
            .purge_expect_revision_with_ttl(op.as_str(), mark.revision, ttl)
            .await;
        purged.map_err(BusError::request(format!("remove the mark of {op}")))
    }
}
