//! Handles of buckets, looked up once a connection.

use std::sync::Arc;

use async_nats::jetstream::kv::Store;
use schemas::subjects;
use tokio::sync::OnceCell;

use crate::connect::Bus;
use crate::error::BusError;

/// One lazily opened handle a bucket that services write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handles(Arc<[OnceCell<Store>; 4]>);

/// The buckets that have a cached handle.
#[derive(Clone, Copy)]
pub(crate) enum Bucket {
    Operations,
    Active,
    Workers,
    Leases,
}

impl Bucket {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Operations => subjects::OPERATIONS,
            Self::Active => subjects::ACTIVE,
            Self::Workers => subjects::WORKERS,
            Self::Leases => subjects::LEASES,
        }
    }
}

impl Bus {
    pub(crate) async fn bucket(&self, bucket: Bucket) -> Result<&Store, BusError> {
        let [operations, active, workers, leases] = &*self.handles.0;
        let cell = match bucket {
            Bucket::Operations => operations,
            Bucket::Active => active,
            Bucket::Workers => workers,
            Bucket::Leases => leases,
        };
        cell.get_or_try_init(|| async {
            let what = || format!("open the bucket {}", bucket.name());
            self.js
                .get_key_value(bucket.name())
                .await
                .map_err(|error| BusError::request(what())(error))
        })
        .await
    }
}
