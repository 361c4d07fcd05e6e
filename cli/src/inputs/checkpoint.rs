//! The checkpoint that a resume would go on from, read and checked beforehand.

use std::time::Duration;

use schemas::errors::chain;
use schemas::names::CHECKPOINT_STATE_FILE;
use schemas::operation::{OperationRecord, StepState};
use store::{CheckpointKey, Store, StoreError};

use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

/// A resume waits no longer for a look that its worker takes once more.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// What a look at the stored checkpoints of a step has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckedCheckpoint {
    /// What is wrong with the one that the record names; none where it is intact, where the record
    /// names none, and where the store does not answer, or not in time.
    pub(crate) fault: Option<CheckpointFault>,
    /// The intact one before it.
    pub(crate) older: Option<CheckpointKey>,
}

/// Why a step cannot go on from the checkpoint that its record names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointFault {
    /// It is not in the store: somebody has deleted it.
    Missing,
    /// It is in the store and cannot be used, for this reason.
    Damaged(String),
}

/// Looks at the checkpoint of the step that a resume would begin with.
pub(crate) async fn check_checkpoint(
    record: &OperationRecord,
    context: &Context,
) -> CheckedCheckpoint {
    let mut steps = record.steps.iter();
    let recorded = steps
        .find(|step| step.state != StepState::Completed)
        .and_then(|step| step.checkpoint.as_str()?.parse::<CheckpointKey>().ok());
    match recorded {
        Some(key) => check_within(LOOK_MAX, check_key(&key, context)).await,
        None => CheckedCheckpoint::default(),
    }
}

/// The result of a look, or that nothing is known where it takes too long.
async fn check_within(
    time: Duration,
    look: impl Future<Output = CheckedCheckpoint>,
) -> CheckedCheckpoint {
    let looked = tokio::time::timeout(time, look).await;
    looked.unwrap_or_default()
}

async fn check_key(key: &CheckpointKey, context: &Context) -> CheckedCheckpoint {
    // Whoever cannot read the store can still resume: the worker looks for itself.
    match open_existing_store(context).await {
        Ok(store) => check_stored(key, &store).await,
        Err(_) => CheckedCheckpoint::default(),
    }
}

async fn check_stored(key: &CheckpointKey, store: &Store) -> CheckedCheckpoint {
    let checkpoints = store.checkpoints();
    let fault = match checkpoints.get(key).await {
        Ok(_) => return CheckedCheckpoint::default(),
        Err(error) if error.is_transient() || error.is_unreachable() => {
            return CheckedCheckpoint::default();
        }
        Err(StoreError::Missing { key }) if key.ends_with(CHECKPOINT_STATE_FILE) => {
            CheckpointFault::Missing
        }
        Err(error) => CheckpointFault::Damaged(chain(&error)),
    };

    let mut older = None;
    let mut keys = checkpoints
        .list(&key.operation, key.step)
        .await
        .unwrap_or_default();
    keys.retain(|other| other < key);
    for candidate in keys {
        if checkpoints.get(&candidate).await.is_ok() {
            older = Some(candidate);
            break;
        }
    }
    CheckedCheckpoint {
        fault: Some(fault),
        older,
    }
}

#[cfg(test)]
mod tests {
    use schemas::ids::StepNumber;
    use store::Checkpoint;

    use super::*;

    fn key(seq: u32) -> CheckpointKey {
        CheckpointKey {
            operation: "op_train_20260301_142233_9f3a01bc".parse().unwrap(),
            step: StepNumber::FIRST,
            attempt: 1,
            seq,
        }
    }

    /// A store with two checkpoints of one step.
    async fn store_in(folder: &tempfile::TempDir) -> Store {
        let store = Store::open(&format!("file://{}", folder.path().display())).await;
        let store = store.unwrap();

        for seq in [1, 2] {
            let checkpoint = Checkpoint {
                state: seq.into(),
                files: [("weights".to_owned(), "x".into())].into(),
            };
            store
                .checkpoints()
                .put(&key(seq), checkpoint)
                .await
                .unwrap();
        }
        store
    }

    #[tokio::test]
    async fn a_missing_checkpoint_is_not_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(&folder).await;
        assert_eq!(check_stored(&key(2), &store).await, Default::default());

        store.checkpoints().delete(&key(2)).await.unwrap();

        let checked = check_stored(&key(2), &store).await;
        assert_eq!(checked.fault, Some(CheckpointFault::Missing));
        assert_eq!(checked.older, Some(key(1)));
    }

    #[tokio::test]
    async fn a_checkpoint_with_another_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(&folder).await;
        let file = folder.path().join(key(2).to_string()).join("weights");
        std::fs::write(&file, "y").unwrap();

        let checked = check_stored(&key(2), &store).await;

        let Some(CheckpointFault::Damaged(reason)) = checked.fault else {
            panic!("{checked:?}");
        };
        assert!(reason.contains("is damaged"), "{reason}");
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_holds_up_no_resume() {
        let checked = check_within(Duration::ZERO, std::future::pending()).await;
        assert_eq!(checked, CheckedCheckpoint::default());
    }
}
