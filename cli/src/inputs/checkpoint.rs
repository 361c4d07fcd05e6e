//! The checkpoint that a resume would go on from, read and checked beforehand.

use schemas::errors::chain;
use schemas::operation::{OperationRecord, StepState};
use store::{CheckpointKey, Store};

use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

/// What a look at the stored checkpoints of a step has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckedCheckpoint {
    /// What is wrong with the one that the record names; absent where it is intact, where there is
    /// none in the store, and where the store cannot be asked.
    pub(crate) damage: Option<String>,
    /// The intact one before it.
    pub(crate) older: Option<CheckpointKey>,
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
    let Some(key) = recorded else {
        return CheckedCheckpoint::default();
    };

    // Whoever cannot read the store can still resume: the worker looks for itself.
    match open_existing_store(context).await {
        Ok(store) => check_stored(&key, &store).await,
        Err(_) => CheckedCheckpoint::default(),
    }
}

async fn check_stored(key: &CheckpointKey, store: &Store) -> CheckedCheckpoint {
    let checkpoints = store.checkpoints();
    let damage = match checkpoints.get(key).await {
        Ok(_) => return CheckedCheckpoint::default(),
        Err(error) if error.is_transient() || error.is_unreachable() => {
            return CheckedCheckpoint::default();
        }
        Err(error) => chain(&error),
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
        damage: Some(damage),
        older,
    }
}
