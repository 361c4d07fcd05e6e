//! Leases: one holder at a time, renewed by compare-and-set, expiring with the bucket's age.

use async_nats::jetstream::kv::{Operation, UpdateErrorKind};

use crate::buckets::Bucket;
use crate::error::BusError;
use crate::handles::Leases;

/// A lease that we hold until it is renewed too late.
#[derive(Debug)]
pub struct Lease {
    key: String,
    owner: String,
    revision: u64,
}

impl Leases<'_> {
    /// Takes the lease `key` if nobody holds it.
    pub async fn acquire(self, key: &str, owner: &str) -> Result<Option<Lease>, BusError> {
        let bucket = self.bus.bucket(Bucket::Leases).await?;
        let error = match bucket.create(key, owner.to_owned().into()).await {
            Ok(revision) => {
                let key = key.to_owned();
                return Ok(Some(Lease {
                    key,
                    owner: owner.to_owned(),
                    revision,
                }));
            }
            Err(error) => error,
        };

        // Refused because somebody holds it, or because the server did not answer: look.
        let holder = bucket.get(key).await;
        match holder.map_err(BusError::request(format!("read the lease {key}")))? {
            Some(_) => Ok(None),
            None => Err(BusError::request(format!("take the lease {key}"))(error)),
        }
    }

    /// Renews a lease; `false` means that it is lost and its work must stop.
    pub async fn renew(self, lease: &mut Lease) -> Result<bool, BusError> {
        let bucket = self.bus.bucket(Bucket::Leases).await?;
        let owner = lease.owner.clone().into();

        match bucket.update(&lease.key, owner, lease.revision).await {
            Ok(revision) => {
                lease.revision = revision;
                Ok(true)
            }
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                self.find_own_renewal(lease).await
            }
            Err(error) => {
                let request = format!("renew the lease {}", lease.key);
                Err(BusError::request(request)(error))
            }
        }
    }

    /// The reply to our last renewal may have come too late: a value that names us shows it.
    async fn find_own_renewal(self, lease: &mut Lease) -> Result<bool, BusError> {
        let bucket = self.bus.bucket(Bucket::Leases).await?;
        let entry = bucket.entry(lease.key.as_str()).await;
        let entry = entry.map_err(BusError::request(format!("read the lease {}", lease.key)))?;

        let own_entry = entry
            .filter(|entry| entry.operation == Operation::Put)
            .filter(|entry| entry.value == lease.owner.as_bytes());
        if let Some(entry) = &own_entry {
            lease.revision = entry.revision;
        }
        Ok(own_entry.is_some())
    }

    /// Gives a lease up at once.
    pub async fn release(self, lease: Lease) -> Result<(), BusError> {
        let bucket = self.bus.bucket(Bucket::Leases).await?;
        let purged = bucket
            .purge_expect_revision(&lease.key, Some(lease.revision))
            .await;
        purged.map_err(BusError::request(format!(
            "release the lease {}",
            lease.key
        )))
    }
}
