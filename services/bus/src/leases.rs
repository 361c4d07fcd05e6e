//! Leases: one holder at a time, renewed by compare-and-set, expiring with the bucket's age.

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
        match bucket.create(key, owner.to_owned().into()).await {
            Ok(revision) => Ok(Some(Lease {
                key: key.to_owned(),
                owner: owner.to_owned(),
                revision,
            })),
            Err(error) => match bucket
                .get(key)
                .await
                .map_err(BusError::request(format!("read the lease {key}")))?
            {
                Some(_) => Ok(None),
                None => Err(BusError::request(format!("take the lease {key}"))(error)),
            },
        }
    }

    /// Renews a lease; `false` means that it is lost and its work must stop.
    pub async fn renew(self, lease: &mut Lease) -> Result<bool, BusError> {
        let bucket = self.bus.bucket(Bucket::Leases).await?;
        match bucket
            .update(&lease.key, lease.owner.clone().into(), lease.revision)
            .await
        {
            Ok(revision) => {
                lease.revision = revision;
                Ok(true)
            }
            Err(error)
                if error.kind()
                    == async_nats::jetstream::kv::UpdateErrorKind::WrongLastRevision =>
            {
                Ok(false)
            }
            Err(error) => Err(BusError::request(format!("renew the lease {}", lease.key))(
                error,
            )),
        }
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
