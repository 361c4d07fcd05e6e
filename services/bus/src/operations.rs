//! Operation records: read, create once, change by compare-and-set.

use std::borrow::Cow;
use std::time::Duration;

use async_nats::jetstream::kv::{Operation, UpdateErrorKind};
use rand::RngExt;
use schemas::codec;
use schemas::codes::{self, Advice, Code};
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, Refusal};
use schemas::subjects::operation_key;
use tokio::time::Instant;

use crate::buckets::Bucket;
use crate::error::BusError;
use crate::handles::Operations;
use crate::topology::REMOVED_MARK_MARKER_TTL;

/// How long a change is tried against conflicts and a server that is away.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A record with the revision that a compare-and-set must name.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record of the operation.
    pub record: OperationRecord,
    /// Its revision in the bucket.
    pub revision: u64,
}

/// A change that was written.
#[derive(Clone, Debug)]
pub struct Changed<T> {
    /// What the transition returned.
    pub value: T,
    /// The record after the change.
    pub record: OperationRecord,
}

/// Why a record was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The transition does not apply; the record that refused is attached.
    #[error("operation {} was not changed", record.op)]
    Refused {
        /// Why the transition does not apply.
        #[source]
        refusal: Refusal,
        /// The record that refused.
        record: Box<OperationRecord>,
    },
    /// There is no such record.
    #[error("there is no record of operation {0}")]
    NotFound(OperationId),
    /// Conflicts or failures for longer than 30 s.
    #[error("the record of operation {op} could not be changed for {} s", CHANGE_TIMEOUT.as_secs())]
    GaveUp {
        /// The operation of the record.
        op: OperationId,
        /// The last failure.
        #[source]
        last: Box<BusError>,
    },
}

impl Advice for ChangeError {
    fn code(&self) -> Code {
        match self {
            Self::Refused { .. } => codes::OPS_NOT_RESUMABLE,
            Self::NotFound(_) => codes::OPS_NOT_FOUND,
            Self::GaveUp { .. } => codes::BUS_REQUEST_FAILED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::NotFound(_) => "`ktrdr ops list` lists what there is".into(),
            Self::Refused { record, .. } => {
                format!("`ktrdr status {}` shows the state it is in", record.op).into()
            }
            Self::GaveUp { op, .. } => {
                format!("`ktrdr status {op}` shows the state it is in").into()
            }
        }
    }
}

impl Operations<'_> {
    /// Opens the bucket of the records. Whoever has done so ahead waits for one round trip less
    /// when the first record is read, which counts on a slow link.
    pub async fn open(self) -> Result<(), BusError> {
        self.bus.bucket(Bucket::Operations).await?;
        Ok(())
    }

    /// The record of an operation; `None` when there is none.
    pub async fn get(self, op: &OperationId) -> Result<Option<Stored>, BusError> {
        let bucket = self.bus.bucket(Bucket::Operations).await?;
        let entry = bucket.entry(operation_key(op)).await;
        let entry = entry.map_err(BusError::request(format!("read the record of {op}")))?;

        match entry.filter(|entry| entry.operation == Operation::Put) {
            None => Ok(None),
            Some(entry) => Ok(Some(Stored {
                record: read_record(op, &entry.value)?,
                revision: entry.revision,
            })),
        }
    }

    /// Creates the record unless the operation has one already. Returns the record that is stored,
    /// and whether it is this one.
    pub async fn create(self, mut record: OperationRecord) -> Result<(Stored, bool), BusError> {
        record.nonce = nonce();
        let payload = codec::encode(&record)?;
        let bucket = self.bus.bucket(Bucket::Operations).await?;

        let error = match bucket
            .create(operation_key(&record.op), payload.into())
            .await
        {
            Ok(revision) => return Ok((Stored { record, revision }, true)),
            Err(error) => error,
        };

        // The reply may have been lost although our write won: the nonce shows it.
        match self.get(&record.op).await? {
            Some(stored) => {
                let is_ours = stored.record.nonce == record.nonce;
                Ok((stored, is_ours))
            }
            None => {
                let request = format!("create the record of {}", record.op);
                Err(BusError::request(request)(error))
            }
        }
    }

    /// Applies `transition` to the record until the result is stored, the transition refuses, or 30
    /// s have passed.
    ///
    /// A reply may be lost although the write won: our own nonce in the stored record shows it.
    pub async fn change<T: Clone>(
        self,
        op: &OperationId,
        transition: impl FnMut(&mut OperationRecord) -> Result<T, Refusal>,
    ) -> Result<Changed<T>, ChangeError> {
        self.change_until_stored(op, None, Mark::AsItIs, transition)
            .await
    }

    /// The same for a change that begins an operation again. Its mark is put between the read and
    /// the write: whoever takes that mark away writes the record first, so that this change
    /// conflicts and puts another mark, and whoever dies in between leaves one.
    pub(crate) async fn change_marked<T: Clone>(
        self,
        op: &OperationId,
        transition: impl FnMut(&mut OperationRecord) -> Result<T, Refusal>,
    ) -> Result<Changed<T>, ChangeError> {
        self.change_until_stored(op, None, Mark::Put, transition)
            .await
    }

    /// The same for a record that was just read: a round trip less, unless it has changed since.
    pub async fn change_from<T: Clone>(
        self,
        stored: Stored,
        transition: impl FnMut(&mut OperationRecord) -> Result<T, Refusal>,
    ) -> Result<Changed<T>, ChangeError> {
        let op = stored.record.op.clone();
        self.change_until_stored(&op, Some(stored), Mark::AsItIs, transition)
            .await
    }

    async fn change_until_stored<T: Clone>(
        self,
        op: &OperationId,
        mut read_before: Option<Stored>,
        mark: Mark,
        mut transition: impl FnMut(&mut OperationRecord) -> Result<T, Refusal>,
    ) -> Result<Changed<T>, ChangeError> {
        let nonce = nonce();
        let deadline = Instant::now() + CHANGE_TIMEOUT;
        let mut attempted: Option<T> = None;

        loop {
            // A refusal by a record that is out of date says nothing.
            let stored = read_before.take();
            let is_fresh = stored.is_none();
            let round = Round {
                nonce: &nonce,
                mark,
                attempted: &mut attempted,
            };
            match self.change_once(op, stored, round, &mut transition).await {
                Err(ChangeError::Refused { .. }) if !is_fresh => continue,
                Ok(Some(changed)) => return Ok(changed),
                Ok(None) => {}
                Err(ChangeError::GaveUp { op, last })
                    if last.is_permanent() || Instant::now() >= deadline =>
                {
                    return Err(ChangeError::GaveUp { op, last });
                }
                Err(ChangeError::GaveUp { last, .. }) => {
                    tracing::warn!(%op, error = %last, "record not reachable, trying again")
                }
                Err(refused) => return Err(refused),
            }

            if Instant::now() >= deadline {
                return Err(outrun(op));
            }

            // Jitter keeps two writers from meeting again; a reconnect ends the wait. Which of the
            // two ended it does not matter.
            let pause = Duration::from_micros(rand::rng().random_range(200..5_000));
            let mut reconnects = self.bus.connection().reconnects();
            let _ = tokio::time::timeout(pause, reconnects.changed()).await;
        }
    }

    /// Removes the record of an operation that has ended, unless it was written meanwhile. Its
    /// events stay until they are too old. True if it was removed.
    pub async fn remove_ended(self, stored: &Stored) -> Result<bool, BusError> {
        if !stored.record.state.is_terminal() {
            return Ok(false);
        }
        let op = &stored.record.op;
        let bucket = self.bus.bucket(Bucket::Operations).await?;
        let purged = bucket
            .purge_expect_revision_with_ttl(
                operation_key(op),
                stored.revision,
                REMOVED_MARK_MARKER_TTL,
            )
            .await;

        match purged {
            Ok(()) => Ok(true),
            // Resumed, or removed by somebody else.
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
            Err(error) => {
                let request = format!("remove the record of {op}");
                Err(BusError::request(request)(error))
            }
        }
    }

    /// One round: `Ok(None)` after a conflict.
    async fn change_once<T: Clone>(
        self,
        op: &OperationId,
        read_before: Option<Stored>,
        round: Round<'_, T>,
        transition: &mut impl FnMut(&mut OperationRecord) -> Result<T, Refusal>,
    ) -> Result<Option<Changed<T>>, ChangeError> {
        let stored = match read_before {
            Some(stored) => Some(stored),
            None => self.get(op).await.map_err(|error| gave_up(op, error))?,
        };
        let Some(Stored {
            mut record,
            revision,
        }) = stored
        else {
            return Err(ChangeError::NotFound(op.clone()));
        };

        // An earlier round won although its reply was lost.
        let is_ours = record.nonce == round.nonce;
        if let Some(value) = round.attempted.as_ref().filter(|_| is_ours) {
            return Ok(Some(Changed {
                value: value.clone(),
                record,
            }));
        }

        let value = match transition(&mut record) {
            Ok(value) => value,
            Err(refusal) => {
                let record = Box::new(record);
                return Err(ChangeError::Refused { refusal, record });
            }
        };
        record.nonce = round.nonce.to_owned();
        *round.attempted = Some(value.clone());

        if round.mark == Mark::Put {
            let marked = self.bus.active().mark(op).await;
            marked.map_err(|error| gave_up(op, error))?;
        }
        match self.write_over(&record, revision).await {
            Ok(true) => Ok(Some(Changed { value, record })),
            Ok(false) => Ok(None),
            Err(error) => Err(gave_up(op, error)),
        }
    }

    /// Writes the record over the revision; false if another one has been written meanwhile.
    async fn write_over(self, record: &OperationRecord, revision: u64) -> Result<bool, BusError> {
        let payload = codec::encode(record)?;
        let bucket = self.bus.bucket(Bucket::Operations).await?;

        match bucket
            .update(operation_key(&record.op), payload.into(), revision)
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
            Err(error) => {
                let request = format!("write the record of {}", record.op);
                Err(BusError::request(request)(error))
            }
        }
    }
}

/// What a change does about the mark of its operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    AsItIs,
    /// Put after the record was read and before it is written.
    Put,
}

/// What the rounds of one change share.
struct Round<'c, T> {
    /// Shows which write is ours.
    nonce: &'c str,
    mark: Mark,
    /// What the transition returned when it was last tried.
    attempted: &'c mut Option<T>,
}

/// Reads what is stored as the record of `op`.
fn read_record(op: &OperationId, payload: &[u8]) -> Result<OperationRecord, BusError> {
    codec::decode(payload).map_err(|source| BusError::UnreadableRecord {
        op: op.clone(),
        source,
    })
}

/// The end of a change that others were always faster than.
fn outrun(op: &OperationId) -> ChangeError {
    let what = format!("change the record of {op} against conflicts");
    gave_up(op, BusError::Timeout { what })
}

fn gave_up(op: &OperationId, last: BusError) -> ChangeError {
    ChangeError::GaveUp {
        op: op.clone(),
        last: Box::new(last),
    }
}

/// Distinguishes our own write from another's.
pub(crate) fn nonce() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}
