//! Checkpoints: the files that let an interrupted step go on, visible only once their `state.json`
//! stands.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use schemas::ids::{OperationId, StepNumber};
use schemas::manifests::ObjectRef;
use schemas::names::CHECKPOINT_STATE_FILE;
use serde::{Deserialize, Serialize};

use crate::object::{Created, reference, segment};
use crate::{Store, StoreError};

/// Where a checkpoint stands: `checkpoints/<op>/<n>/<attempt>-<seq>`. Later ones of a step compare
/// greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointKey {
    /// The operation.
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
        let wrong = || StoreError::Name {
            what: "the key of a checkpoint",
            text: text.to_owned(),
        };
        let parts: Vec<&str> = text.split('/').collect();
        let ["checkpoints", operation, step, place] = parts.as_slice() else {
            return Err(wrong());
        };
        let (attempt, seq) = place.split_once('-').ok_or_else(wrong)?;
        Ok(Self {
            operation: operation.parse().map_err(|_| wrong())?,
            step: step.parse().map_err(|_| wrong())?,
            attempt: attempt.parse().map_err(|_| wrong())?,
            seq: seq.parse().map_err(|_| wrong())?,
        })
    }
}

/// A checkpoint that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the step needs to go on besides its files.
    pub state: serde_json::Value,
    /// Files by name: `model.safetensors`, `optimizer.safetensors`.
    pub files: BTreeMap<String, Bytes>,
}

/// `state.json`, written after the files it names.
#[derive(Serialize, Deserialize)]
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
    /// A file name that is none, a failed write, or another checkpoint of that key.
    pub async fn put(self, key: &CheckpointKey, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let Checkpoint { state, files } = checkpoint;
        let mut references = BTreeMap::new();
        for (name, bytes) in files {
            let file = format!("{key}/{}", segment("a file name", &name)?);
            let written = reference(&bytes);
            self.store.put_verified(&file, &written, bytes).await?;
            references.insert(name, written);
        }
        let document = StateDocument {
            v: 1,
            files: references,
            state,
        };
        let object = format!("{key}/{CHECKPOINT_STATE_FILE}");
        if self.store.create_document(&object, &document).await? == Created::Stood {
            let standing: Option<StateDocument> = self.store.document(&object).await?;
            if standing.is_none_or(|standing| {
                standing.files != document.files || standing.state != document.state
            }) {
                return Err(StoreError::Conflict { key: object });
            }
        }
        Ok(())
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
        let listed = self
            .store
            .keys(&format!("checkpoints/{operation}/{step}"))
            .await?;
        let complete = listed
            .iter()
            .filter_map(|object| object.strip_suffix("/state.json")?.parse().ok());
        let mut keys: Vec<CheckpointKey> = complete.collect();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        Ok(keys)
    }

    /// Reads a checkpoint and checks every file.
    ///
    /// # Errors
    /// It is incomplete, absent or damaged.
    pub async fn get(self, key: &CheckpointKey) -> Result<Checkpoint, StoreError> {
        let object = format!("{key}/{CHECKPOINT_STATE_FILE}");
        let document: Option<StateDocument> = self.store.document(&object).await?;
        let document = document.ok_or(StoreError::Missing { key: object })?;
        let mut files = BTreeMap::new();
        for (name, written) in document.files {
            let bytes = self
                .store
                .get_checked(&format!("{key}/{name}"), &written.sha256)
                .await?;
            files.insert(name, bytes);
        }
        Ok(Checkpoint {
            state: document.state,
            files,
        })
    }

    /// Deletes a checkpoint, `state.json` first, so that no half of it is ever taken for a whole.
    ///
    /// # Errors
    /// Listing or deleting fails.
    pub async fn delete(self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store
            .delete(&format!("{key}/{CHECKPOINT_STATE_FILE}"))
            .await?;
        for object in self.store.keys(&key.to_string()).await? {
            self.store.delete(&object).await?;
        }
        Ok(())
    }
}
