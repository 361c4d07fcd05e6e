//! Workers in their bucket, and requests to leave.

use async_nats::jetstream::kv::Operation;
use schemas::codec;
use schemas::ids::WorkerId;
use schemas::subjects;
use schemas::worker::WorkerInfo;

use crate::buckets::Bucket;
use crate::cancels::ControlWatch;
use crate::error::BusError;
use crate::handles::Workers;

impl Workers<'_> {
    /// Writes or renews a worker's key; it expires with the bucket's age.
    pub async fn announce(self, info: &WorkerInfo) -> Result<(), BusError> {
        let payload = codec::encode(info)?;
        let put = self
            .bus
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
    pub async fn sign_off(self, worker: &WorkerId) -> Result<(), BusError> {
        let purged = self
            .bus
            .bucket(Bucket::Workers)
            .await?
            .purge(worker.as_str())
            .await;
        purged.map_err(BusError::request(format!("sign off worker {worker}")))
    }

    /// True while the worker's key exists.
    pub async fn is_alive(self, worker: &WorkerId) -> Result<bool, BusError> {
        let entry = self
            .bus
            .bucket(Bucket::Workers)
            .await?
            .entry(worker.as_str())
            .await;
        let entry = entry.map_err(BusError::request(format!("look up worker {worker}")))?;
        Ok(entry.is_some_and(|entry| entry.operation == Operation::Put))
    }

    /// Every worker whose key exists, by id.
    pub async fn list(self) -> Result<Vec<WorkerInfo>, BusError> {
        let bucket = self.bus.bucket(Bucket::Workers).await?;
        let mut workers = Vec::new();

        for key in self.bus.keys_of(Bucket::Workers).await? {
            let value = bucket.get(key.as_str()).await;
            let value = value.map_err(BusError::request(format!("look up worker {key}")))?;

            // A key may expire between the list and the look-up; a value of another version is
            // skipped.
            workers.extend(value.and_then(|value| codec::decode::<WorkerInfo>(&value).ok()));
        }

        workers.sort_by(|a, b| a.worker.cmp(&b.worker));
        Ok(workers)
    }

    /// Subscribes to the drain requests of a worker; flushed, so that nothing published later is
    /// missed.
    pub async fn watch_drain(self, worker: &WorkerId) -> Result<ControlWatch, BusError> {
        let watch = self
            .bus
            .subscribe_control(vec![subjects::drain(worker)])
            .await?;
        self.bus.flush().await?;
        Ok(watch)
    }

    /// Asks a worker to take nothing new.
    pub async fn request_drain(self, worker: &WorkerId) -> Result<(), BusError> {
        let published = self
            .bus
            .client
            .publish(subjects::drain(worker), bytes::Bytes::new())
            .await;
        published.map_err(BusError::request(format!(
            "publish the drain request of {worker}"
        )))
    }
}
