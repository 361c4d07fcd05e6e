//! The key-value buckets that services write, each opened once per connection.

use std::sync::Arc;

use async_nats::jetstream;
use async_nats::jetstream::kv::Store;
use futures::TryStreamExt as _;
use schemas::subjects;
use tokio::sync::OnceCell;

use crate::error::BusError;

/// The buckets that have a cached handle.
#[derive(Clone, Copy)]
pub(crate) enum Bucket {
    Operations,
    Active,
    Workers,
    Leases,
    Timings,
    Schedules,
    Pacing,
}

impl Bucket {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Operations => subjects::OPERATIONS,
            Self::Active => subjects::ACTIVE,
            Self::Workers => subjects::WORKERS,
            Self::Leases => subjects::LEASES,
            Self::Timings => subjects::TIMINGS,
            Self::Schedules => subjects::SCHEDULES,
            Self::Pacing => subjects::PACING,
        }
    }
}

/// One lazily opened handle per bucket; all clones of a connection share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets(Arc<[OnceCell<Store>; 7]>);

impl Buckets {
    pub(crate) async fn open(
        &self,
        js: &jetstream::Context,
        bucket: Bucket,
    ) -> Result<&Store, BusError> {
        let [
            operations,
            active,
            workers,
            leases,
            timings,
            schedules,
            pacing,
        ] = &*self.0;
        let cell = match bucket {
            Bucket::Operations => operations,
            Bucket::Active => active,
            Bucket::Workers => workers,
            Bucket::Leases => leases,
            Bucket::Timings => timings,
            Bucket::Schedules => schedules,
            Bucket::Pacing => pacing,
        };

        cell.get_or_try_init(|| async {
            js.get_key_value(bucket.name()).await.map_err(|error| {
                BusError::request(format!("open the bucket {}", bucket.name()))(error)
            })
        })
        .await
    }

    /// Every key that has a value now.
    pub(crate) async fn list_keys(
        &self,
        js: &jetstream::Context,
        bucket: Bucket,
    ) -> Result<Vec<String>, BusError> {
        let failed = format!("list the bucket {}", bucket.name());

        let keys = self.open(js, bucket).await?.keys().await;
        let keys = keys.map_err(BusError::request(failed.clone()))?;
        keys.try_collect().await.map_err(BusError::request(failed))
    }
}
