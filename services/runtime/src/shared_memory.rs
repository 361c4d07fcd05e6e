//! What processes of one service remember together: a few small values under keys, changed by
//! compare-and-set, and one clock for all of them.
//!
//! On the bus it is a bucket ([`on_bus`]); in tests and in programs without a bus it is the memory
//! of the process ([`OwnMemory`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bus::{Bus, BusError};
use jiff::{SignedDuration, Timestamp};
use schemas::errors::chain;
use tokio::time::Instant;

/// A value with what the next write of it must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    /// As it was written.
    pub value: Vec<u8>,
    /// Grows with each write.
    pub revision: u64,
}

/// What is remembered together cannot be reached now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shared memory is away: {reason}")]
pub struct MemoryAway {
    /// Why it is.
    pub reason: String,
}

/// Values that processes share. What it holds may be forgotten at any time.
#[async_trait]
pub trait SharedMemory: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// The memory is away.
    async fn read(&self, key: &str) -> Result<Option<Memo>, MemoryAway>;

    /// Writes a value in place of that of a revision, or the first one of its key; the new
    /// revision, or none if somebody else has written meanwhile.
    ///
    /// # Errors
    /// The memory is away.
    async fn replace(
        &self,
        key: &str,
        value: Vec<u8>,
        revision: Option<u64>,
    ) -> Result<Option<u64>, MemoryAway>;

    /// Writes a value, whatever was there.
    ///
    /// # Errors
    /// The memory is away.
    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), MemoryAway>;

    /// The clock that all who share the memory go by.
    ///
    /// # Errors
    /// The memory is away.
    async fn time(&self) -> Result<Timestamp, MemoryAway>;
}

/// The memory of all processes on a bus.
pub fn on_bus(bus: &Bus) -> Arc<dyn SharedMemory> {
    Arc::new(BusMemory(bus.clone()))
}

struct BusMemory(Bus);

fn away(error: BusError) -> MemoryAway {
    MemoryAway {
        reason: chain(&error),
    }
}

#[async_trait]
impl SharedMemory for BusMemory {
    async fn read(&self, key: &str) -> Result<Option<Memo>, MemoryAway> {
        let stored = self.0.memos().get(key).await.map_err(away)?;
        Ok(stored.map(|stored| Memo {
            value: stored.value.to_vec(),
            revision: stored.revision,
        }))
    }

    async fn replace(
        &self,
        key: &str,
        value: Vec<u8>,
        revision: Option<u64>,
    ) -> Result<Option<u64>, MemoryAway> {
        let memos = self.0.memos();
        memos
            .replace(key, value.into(), revision)
            .await
            .map_err(away)
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), MemoryAway> {
        self.0.memos().put(key, value.into()).await.map_err(away)
    }

    async fn time(&self) -> Result<Timestamp, MemoryAway> {
        self.0.memos().time().await.map_err(away)
    }
}

/// The memory of one process. Its clock is the one that the process waits by.
#[derive(Debug)]
pub struct OwnMemory {
    memos: Mutex<BTreeMap<String, Memo>>,
    began: (Instant, Timestamp),
}

impl Default for OwnMemory {
    /// With nothing in it.
    fn default() -> Self {
        Self {
            memos: Mutex::default(),
            began: (Instant::now(), Timestamp::now()),
        }
    }
}

impl OwnMemory {
    fn write(&self, key: &str, value: Vec<u8>, expected: impl Fn(u64) -> bool) -> Option<u64> {
        // Nothing that is done under the lock can leave the table half-changed.
        let mut memos = self.memos.lock().unwrap_or_else(PoisonError::into_inner);
        let before = memos.get(key).map_or(0, |memo| memo.revision);
        if !expected(before) {
            return None;
        }

        let revision = before + 1;
        memos.insert(key.to_owned(), Memo { value, revision });
        Some(revision)
    }
}

#[async_trait]
impl SharedMemory for OwnMemory {
    async fn read(&self, key: &str) -> Result<Option<Memo>, MemoryAway> {
        let memos = self.memos.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(memos.get(key).cloned())
    }

    async fn replace(
        &self,
        key: &str,
        value: Vec<u8>,
        revision: Option<u64>,
    ) -> Result<Option<u64>, MemoryAway> {
        Ok(self.write(key, value, |before| before == revision.unwrap_or(0)))
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), MemoryAway> {
        self.write(key, value, |_| true);
        Ok(())
    }

    async fn time(&self) -> Result<Timestamp, MemoryAway> {
        let elapsed = SignedDuration::try_from(self.began.0.elapsed()).unwrap_or_default();
        Ok(self.began.1.checked_add(elapsed).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_in_place_of_an_old_revision_is_refused() {
        let memory = OwnMemory::default();

        let first = memory.replace("key", b"one".to_vec(), None).await.unwrap();
        assert_eq!(memory.replace("key", b"two".to_vec(), None).await, Ok(None));
        let second = memory.replace("key", b"two".to_vec(), first).await.unwrap();
        assert!(second > first);
        assert_eq!(memory.replace("key", Vec::new(), first).await, Ok(None));
        assert_eq!(memory.read("key").await.unwrap().unwrap().value, b"two");
        assert_eq!(memory.read("other").await, Ok(None));
    }
}
