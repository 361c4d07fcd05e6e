//! Whether a store can be used: what a service asks before it says that it is ready, and what
//! `ktrdr doctor` tries.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::object::Created;
use crate::{Store, StoreError};

/// How long a check may take. Shorter than the limits of single requests, because a person or a
/// supervisor waits for it.
const CHECK_TIME_MAX: Duration = Duration::from_secs(15);

/// Folder of the objects that a probe writes and deletes.
const SCRATCH: &str = "scratch";

impl Store {
    /// Asks for an object that does not exist: fails unless the store answers, the bucket exists
    /// and this user may read.
    ///
    /// # Errors
    /// The store cannot be used, with the reason; or it does not answer within 15 s.
    pub async fn check_access(&self) -> Result<(), StoreError> {
        let key = scratch_key();
        let answer = self
            .within_check_time(async { self.get(&key).await.map(|_| ()) })
            .await;

        // The key means nothing to anybody; the store is what cannot be used.
        match answer {
            Err(StoreError::Read { source, .. }) => Err(StoreError::Unusable {
                url: self.url().to_owned(),
                source,
            }),
            answer => answer,
        }
    }

    /// Writes a scratch object, reads it, tries to create it again, lists it and deletes it: every
    /// operation that this crate needs. It is gone afterwards, also after a failure where possible.
    ///
    /// # Errors
    /// The first operation that fails, [`StoreError::Overwrites`] if the second create succeeds, or
    /// no answer within 15 s.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.check_access().await?;

        let key = scratch_key();
        let tried = self.within_check_time(self.try_operations(&key)).await;

        // What failed first is what the caller needs to know.
        let deleted = self.within_check_time(self.delete(&key)).await;
        tried.and(deleted)
    }

    async fn try_operations(&self, key: &str) -> Result<(), StoreError> {
        let content = Bytes::from_static(b"written by a check of the store; may be deleted");
        self.create(key, content.clone()).await?;

        let stored = self.get(key).await?;
        if stored.as_ref() != Some(&content) {
            return Err(StoreError::Missing {
                key: key.to_owned(),
            });
        }

        // Commits and versions rest on this one: only the first writer may succeed.
        if self.create(key, content).await? == Created::New {
            return Err(StoreError::Overwrites {
                url: self.url().to_owned(),
            });
        }

        // Without the right to list, series and models could not be found.
        let listed = self.keys(SCRATCH).await?;
        if !listed.iter().any(|listed_key| listed_key == key) {
            return Err(StoreError::Missing {
                key: key.to_owned(),
            });
        }
        Ok(())
    }

    async fn within_check_time(
        &self,
        check: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        match tokio::time::timeout(CHECK_TIME_MAX, check).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Silent {
                url: self.url().to_owned(),
                seconds: CHECK_TIME_MAX.as_secs(),
            }),
        }
    }
}

/// A key that nobody else uses.
fn scratch_key() -> String {
    format!("{SCRATCH}/{:032x}", rand::random::<u128>())
}
