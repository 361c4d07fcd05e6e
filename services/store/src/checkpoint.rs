//! Checkpoints: the files that let an interrupted step go on, visible only once their `state.json`
//! exists.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use market::Utc;
use schemas::ids::{OperationId, StepNumber};
use schemas::manifests::ObjectRef;
use schemas::names::CHECKPOINT_STATE_FILE;
use serde::{Deserialize, Serialize};

use crate::object::{Created, checked_segment, reference_to};
use crate::{Store, StoreError};

/// Where a checkpoint is: `checkpoints/<op>/<n>/<attempt>-<seq>`. Later ones of a step compare
/// greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointKey {
    /// The operation that the step belongs to.
    pub operation: OperationId,
    /// The step within its plan.
    pub step: StepNumber,
    /// The claim under which it was written.
    pub attempt: u32,
    /// Counts up within an attempt.
    pub seq: u32,
}

impl fmt::Display for CheckpointKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            step,
            attempt,
            seq,
        } = self;
        write!(formatter, "checkpoints/{operation}/{step}/{attempt}-{seq}")
    }
}

impl FromStr for CheckpointKey {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_key(text).ok_or_else(|| StoreError::Name {
            what: "the key of a checkpoint",
            text: text.to_owned(),
        })
    }
}

fn parse_key(text: &str) -> Option<CheckpointKey> {
    let path = text.strip_prefix("checkpoints/")?;
    let (operation, rest) = path.split_once('/')?;
    let (step, place) = rest.split_once('/')?;
    let (attempt, seq) = place.split_once('-')?;

    Some(CheckpointKey {
        operation: operation.parse().ok()?,
        step: step.parse().ok()?,
        attempt: attempt.parse().ok()?,
        seq: seq.parse().ok()?,
    })
}

/// A checkpoint that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the step needs to go on besides its files.
    pub state: serde_json::Value,
    /// Files by name: `model.safetensors`, `optimizer.safetensors`.
    pub files: BTreeMap<String, Bytes>,
}

/// A checkpoint as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Where it is.
    pub key: CheckpointKey,
    /// Size of all its files, in bytes.
    pub size_bytes: u64,
    /// When the last of its files was written, by the clock of the store.
    pub written_at: Utc,
    /// False while it lacks its `state.json`: it is being written, or never was finished.
    pub is_complete: bool,
}

/// `state.json`, written after the files it names.
#[derive(PartialEq, Serialize, Deserialize)]
struct StateDocument {
    v: u16,
    files: BTreeMap<String, ObjectRef>,
    state: serde_json::Value,
}

/// Checkpoints by step: the handle that [`Store::checkpoints`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredCheckpoints<'a> {
    pub(crate) store: &'a Store,
}

impl StoredCheckpoints<'_> {
    /// Writes a checkpoint: its files, then `state.json`. Writing the same one twice is harmless.
    ///
    /// # Errors
    /// An invalid file name, a failed write, or another checkpoint of that key.
    pub async fn put(self, key: &CheckpointKey, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let mut files = BTreeMap::new();
        for (name, bytes) in checkpoint.files {
            let file = format!("{key}/{}", checked_segment("a file name", &name)?);
            let written = reference_to(&bytes);
            self.store.put_verified(&file, &written, bytes).await?;
            files.insert(name, written);
        }

        let document = StateDocument {
            v: 1,
            files,
            state: checkpoint.state,
        };
        let object = state_key(key);
        if self.store.create_document(&object, &document).await? == Created::New {
            return Ok(());
        }

        // The same attempt may write it again after an answer that was lost.
        let existing: Option<StateDocument> = self.store.document(&object).await?;
        if existing.as_ref() == Some(&document) {
            Ok(())
        } else {
            Err(StoreError::Conflict { key: object })
        }
    }

    /// Complete checkpoints of a step, newest first.
    ///
    /// # Errors
    /// Listing fails.
    pub async fn list(
        self,
        operation: &OperationId,
        step: StepNumber,
    ) -> Result<Vec<CheckpointKey>, StoreError> {
        let folder = format!("checkpoints/{operation}/{step}");
        let objects = self.store.keys(&folder).await?;

        // Files of a checkpoint that was never finished stay invisible.
        let mut keys: Vec<CheckpointKey> = objects
            .iter()
            .filter_map(|object| {
                let (folder, name) = object.rsplit_once('/')?;
                if name == CHECKPOINT_STATE_FILE {
                    parse_key(folder)
                } else {
                    None
                }
            })
            .collect();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        Ok(keys)
    }

    /// Checkpoints of all operations, unfinished ones included; those of a step newest first.
    ///
    /// # Errors
    /// Listing fails.
    pub async fn list_all(self) -> Result<Vec<StoredCheckpoint>, StoreError> {
        self.list_below("checkpoints").await
    }

    /// Checkpoints of an operation, unfinished ones included; those of a step newest first.
    ///
    /// # Errors
    /// Listing fails.
    pub async fn list_of(
        self,
        operation: &OperationId,
    ) -> Result<Vec<StoredCheckpoint>, StoreError> {
        self.list_below(&format!("checkpoints/{operation}")).await
    }

    async fn list_below(self, folder: &str) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let mut checkpoints: BTreeMap<CheckpointKey, StoredCheckpoint> = BTreeMap::new();
        for object in self.store.objects_below(folder).await? {
            let Some((folder, name)) = object.key.rsplit_once('/') else {
                continue;
            };
            // Somebody else's files are none of ours to list or to delete.
            let Some(key) = parse_key(folder) else {
                continue;
            };

            let checkpoint = checkpoints.entry(key.clone()).or_insert(StoredCheckpoint {
                key,
                size_bytes: 0,
                written_at: object.modified,
                is_complete: false,
            });
            checkpoint.size_bytes += object.size_bytes;
            checkpoint.written_at = checkpoint.written_at.max(object.modified);
            checkpoint.is_complete |= name == CHECKPOINT_STATE_FILE;
        }
        Ok(checkpoints.into_values().rev().collect())
    }

    /// Deletes every checkpoint of an operation.
    ///
    /// # Errors
    /// Listing or deleting fails; what is left is deleted by the next call.
    pub async fn delete_of(self, operation: &OperationId) -> Result<(), StoreError> {
        let mut objects = self.store.keys(&format!("checkpoints/{operation}")).await?;

        // Without its `state.json` a checkpoint does not count, whatever else is left of it.
        objects.sort_by_key(|object| !object.ends_with(CHECKPOINT_STATE_FILE));
        for object in objects {
            self.store.delete(&object).await?;
        }
        Ok(())
    }

    /// Reads a checkpoint and checks every file.
    ///
    /// # Errors
    /// It is incomplete, absent or damaged.
    pub async fn get(self, key: &CheckpointKey) -> Result<Checkpoint, StoreError> {
        let object = state_key(key);
        let document: Option<StateDocument> = self.store.document(&object).await?;
        let document = document.ok_or(StoreError::Missing { key: object })?;

        // A file may have been deleted or damaged since; half a checkpoint is an error.
        let mut files = BTreeMap::new();
        for (name, written) in document.files {
            let file = format!("{key}/{name}");
            let bytes = self.store.get_checked(&file, &written.sha256).await?;
            files.insert(name, bytes);
        }

        Ok(Checkpoint {
            state: document.state,
            files,
        })
    }

    /// Deletes a checkpoint, `state.json` first, so that no half of it ever passes for a whole.
    ///
    /// # Errors
    /// Listing or deleting fails.
    pub async fn delete(self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store.delete(&state_key(key)).await?;

        for object in self.store.keys(&key.to_string()).await? {
            self.store.delete(&object).await?;
        }
        Ok(())
    }
}

fn state_key(key: &CheckpointKey) -> String {
    format!("{key}/{CHECKPOINT_STATE_FILE}")
}
