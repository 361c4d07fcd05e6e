//! Confirmations of candidates on sealed rows: a chain of openings over the whole store, and the
//! outcome of each.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use schemas::manifests::{Confirmation, Opening};

use crate::object::Created;
use crate::{ChangeOutcome, Store, StoreError};

/// Records read at once.
const READS_MAX: usize = 16;

/// Confirmations by their numbers: the handle that [`Store::confirmations`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredConfirmations<'a> {
    pub(crate) store: &'a Store,
}

impl StoredConfirmations<'_> {
    /// Every opening, oldest first.
    ///
    /// # Errors
    /// A failed read.
    pub async fn openings(self) -> Result<Vec<Opening>, StoreError> {
        let keys = self.store.keys("confirmations").await?;
        let numbers: BTreeSet<u32> = keys.iter().filter_map(|key| number_of(key)).collect();

        let reads = stream::iter(numbers)
            .map(|number| async move { self.store.document(&opening_key(number)).await });
        let openings: Vec<Option<Opening>> = reads.buffered(READS_MAX).try_collect().await?;
        Ok(openings.into_iter().flatten().collect())
    }

    /// Records `opening`, whose number is one higher than that of the newest one that its maker has
    /// seen. Of several with one number only one is made, and no record is ever replaced.
    ///
    /// # Errors
    /// A failed read or write.
    pub async fn open(self, opening: Opening) -> Result<ChangeOutcome<Opening>, StoreError> {
        let key = opening_key(opening.number);
        loop {
            if self.store.create_document(&key, &opening).await? == Created::New {
                return Ok(ChangeOutcome::Made(opening));
            }

            match self.store.document::<Opening>(&key).await? {
                // Created by an earlier request of ours, whose answer was lost.
                Some(stored) if stored == opening => return Ok(ChangeOutcome::Made(opening)),
                Some(stored) => return Ok(ChangeOutcome::Overtaken(stored)),
                // Refused for another create that then failed: the number is still free.
                None => {}
            }
        }
    }

    /// What came out after the opening of this number; none while nobody has stored it.
    ///
    /// # Errors
    /// A failed read.
    pub async fn outcome(self, number: u32) -> Result<Option<Confirmation>, StoreError> {
        self.store.document(&outcome_key(number)).await
    }

    /// Stores what came out. If there is an outcome of this number already, that one is returned
    /// and counts.
    ///
    /// # Errors
    /// A failed read or write.
    pub async fn conclude(self, outcome: Confirmation) -> Result<Confirmation, StoreError> {
        let key = outcome_key(outcome.number);
        match self.store.create_document(&key, &outcome).await? {
            Created::New => Ok(outcome),
            Created::Existed => {
                let existing = self.store.document(&key).await?;
                existing.ok_or(StoreError::Missing { key })
            }
        }
    }
}

fn opening_key(number: u32) -> String {
    format!("confirmations/{number}.opened.json")
}

fn outcome_key(number: u32) -> String {
    format!("confirmations/{number}.outcome.json")
}

/// The number of an opening; none for other objects.
fn number_of(key: &str) -> Option<u32> {
    let name = key.strip_prefix("confirmations/")?;
    name.strip_suffix(".opened.json")?.parse().ok()
}
