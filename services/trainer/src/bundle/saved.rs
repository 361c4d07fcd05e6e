//! What a bundle has done so far, and its checkpoint: what has ended, and where the trainings at
//! work are.

use std::collections::BTreeMap;

use schemas::commands::{BundleResult, TrainOutcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Checkpoint;

use super::board::RunningTraining;
use crate::TrainError;

/// What errors call the document of a checkpoint.
const BUNDLE_DOCUMENT: &str = "the state of the bundle";

/// The trainings of a bundle that have ended, and those that an earlier attempt has begun.
#[derive(Debug, Default)]
pub(super) struct SavedBundle {
    /// In the order in which they ended.
    pub(super) ended: Vec<BundleResult>,
    pub(super) best: Option<BestTraining>,
    /// Checkpoints of the trainings at work, by number.
    pub(super) running: BTreeMap<u32, Checkpoint>,
}

/// The training with the lowest figure on validation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BestTraining {
    /// Absent where it was not measured.
    pub(super) figure: Option<f64>,
    pub(super) outcome: TrainOutcome,
}

/// The document of a checkpoint, as JSON.
#[derive(Serialize, Deserialize)]
struct BundleDocument {
    v: u16,
    ended: Vec<BundleResult>,
    best: Option<BestTraining>,
    /// The documents of the trainings at work, by number.
    running: BTreeMap<u32, Value>,
}

impl SavedBundle {
    /// Takes in a training that was published.
    pub(super) fn add(
        &mut self,
        training: u32,
        seconds: f64,
        figure: Option<f64>,
        outcome: TrainOutcome,
    ) {
        self.ended.push(BundleResult {
            training,
            seconds,
            artifact: Some(outcome.artifact.clone()),
            epochs: outcome.epochs,
            resumed_at: outcome.resumed_at,
            error: None,
        });

        let key = |figure: Option<f64>| figure.unwrap_or(f64::INFINITY);
        let is_better = match &self.best {
            Some(best) => key(figure) < key(best.figure),
            None => true,
        };
        if is_better {
            self.best = Some(BestTraining { figure, outcome });
        }
    }

    /// The figure of the best training.
    pub(super) fn best_figure(&self) -> Option<f64> {
        self.best.as_ref().and_then(|best| best.figure)
    }

    /// The checkpoint of what has ended and of the trainings at work: their files begin with their
    /// number.
    pub(super) fn to_checkpoint(
        &self,
        running: &BTreeMap<u32, RunningTraining>,
    ) -> Result<Checkpoint, TrainError> {
        let mut files = BTreeMap::new();
        let mut states = BTreeMap::new();
        for (training, running) in running {
            let checkpoint = running.state.to_checkpoint(&running.network)?;
            states.insert(*training, checkpoint.state);
            let of_training = checkpoint.files.into_iter();
            files.extend(of_training.map(|(name, bytes)| (format!("{training}-{name}"), bytes)));
        }

        let document = BundleDocument {
            v: 1,
            ended: self.ended.clone(),
            best: self.best.clone(),
            running: states,
        };
        let state = serde_json::to_value(document).map_err(|source| TrainError::File {
            file: BUNDLE_DOCUMENT,
            doing: "written",
            source: source.into(),
        })?;
        Ok(Checkpoint { state, files })
    }

    /// Reads a checkpoint. The states of trainings are read when they go on.
    ///
    /// # Errors
    /// When its document is not that of a bundle.
    pub(super) fn from_checkpoint(checkpoint: Checkpoint) -> Result<Self, TrainError> {
        let document: BundleDocument =
            serde_json::from_value(checkpoint.state).map_err(|source| TrainError::File {
                file: BUNDLE_DOCUMENT,
                doing: "read",
                source: source.into(),
            })?;

        let mut running = BTreeMap::new();
        for (training, state) in document.running {
            let prefix = format!("{training}-");
            let files = checkpoint.files.iter().filter_map(|(name, bytes)| {
                let name = name.strip_prefix(&prefix)?;
                Some((name.to_owned(), bytes.clone()))
            });
            let files = files.collect();
            running.insert(training, Checkpoint { state, files });
        }
        Ok(Self {
            ended: document.ended,
            best: document.best,
            running,
        })
    }
}
