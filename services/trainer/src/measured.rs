//! A training that was measured, and what it publishes.

use std::collections::BTreeMap;

use schemas::commands::{ClassOutcome, TrainOutcome};
use schemas::ids::OperationId;
use schemas::manifests::ArtifactManifest;
use schemas::metrics::{ClassRates, Evaluation, KindMetrics, MetricsDocument};
use schemas::names::{TEST_PART, VALIDATION_PART};
use store::{Bytes, Store, StoreError};

use crate::artifact::{encode_files, metrics_document};
use crate::control::Control;
use crate::evaluation::evaluate_trained;
use crate::prepared::PreparedTraining;
use crate::train::{Trained, train};
use crate::{TrainError, TrainState};

/// Most classes of an outcome: it has to fit the operation's record.
const CLASSES_MAX: usize = 8;
/// The figure of a regression, and of a classification, by which versions are compared.
const FIGURES: [&str; 2] = ["mae", "loss"];

/// A training with what was measured of it.
pub(crate) struct Measured {
    pub(crate) trained: Trained,
    evaluation: Evaluation,
    /// Most memory of the GPU in use; absent on a CPU.
    gpu_memory_peak_bytes: Option<u64>,
}

/// A model as it is published.
pub(crate) struct ReadyModel {
    files: BTreeMap<String, Bytes>,
    manifest: ArtifactManifest,
    /// Without the name of the artifact.
    outcome: TrainOutcome,
    /// Lowest loss on validation, of a regression the mean error.
    pub(crate) validation: Option<f64>,
}

/// Trains, then measures what was trained.
pub(crate) fn train_and_measure(
    training: &PreparedTraining,
    control: &dyn Control,
    state: Option<TrainState>,
) -> Result<Measured, TrainError> {
    let job = training.job();
    let trained = train(&job, control, state)?;

    let evaluation = evaluate_trained(&job, &trained, training.measurement(), control)?;
    Ok(Measured {
        trained,
        evaluation,
        gpu_memory_peak_bytes: None,
    })
}

impl Measured {
    /// Epochs that were trained.
    pub(crate) fn epochs(&self) -> u32 {
        self.trained.history.last().map_or(0, |row| row.epoch)
    }

    /// The same with the memory of the GPU that was in use at most, in bytes.
    pub(crate) fn with_gpu_memory(self, gpu_memory_peak_bytes: Option<u64>) -> Self {
        Self {
            gpu_memory_peak_bytes,
            ..self
        }
    }

    /// The files of the model, its manifest, and what the record says of it. `resumed_at` epochs
    /// were found in a checkpoint.
    ///
    /// The artifact is named by its bytes, so an interrupted attempt that comes here again
    /// publishes the same one.
    pub(crate) fn encode(
        self,
        training: &PreparedTraining,
        op: &OperationId,
        resumed_at: u32,
    ) -> Result<ReadyModel, TrainError> {
        let Self {
            trained,
            evaluation,
            gpu_memory_peak_bytes,
        } = self;
        let train = &training.job().data.train;
        let document = metrics_document(&trained, train, evaluation, training.seed());

        let files = encode_files(&trained, train, &document)?;
        let decisions = document.evaluation.decisions.as_ref();
        let manifest = training.artifact_manifest(op, trained, decisions);
        Ok(ReadyModel {
            files,
            manifest,
            validation: validation_figure(&document),
            outcome: TrainOutcome {
                gpu_memory_peak_bytes,
                ..outcome_of(document, training, resumed_at)
            },
        })
    }
}

impl ReadyModel {
    /// Stores the model; returns what the record says of it.
    pub(crate) async fn publish(self, store: &Store) -> Result<TrainOutcome, StoreError> {
        let artifact = store.artifacts().publish(self.files, self.manifest).await?;
        Ok(TrainOutcome {
            artifact,
            ..self.outcome
        })
    }
}

fn outcome_of(
    document: MetricsDocument,
    training: &PreparedTraining,
    resumed_at: u32,
) -> TrainOutcome {
    TrainOutcome {
        artifact: String::new(),
        epochs: document.epochs,
        best_epoch: document.best_epoch,
        stopped_early: document.stopped_early,
        ending: document.ending,
        resumed_at,
        parameters: document.parameters,
        windows: training.window_outcome(),
        classes: class_outcomes(&document),
        decisions: document
            .evaluation
            .decisions
            .map(|it| it.parts)
            .unwrap_or_default(),
        metrics: document.headline,
        warnings: document.warnings,
        device: document.device,
        bundle: Vec::new(),
        gpu_memory_peak_bytes: None,
    }
}

fn validation_figure(document: &MetricsDocument) -> Option<f64> {
    let figures = document.parts.get(VALIDATION_PART)?;
    let figures = figures.headline();
    FIGURES.iter().find_map(|name| figures.get(*name)).copied()
}

/// The rates of the classes on the test part; none for a regression.
fn class_outcomes(document: &MetricsDocument) -> Vec<ClassOutcome> {
    let test = document.parts.get(TEST_PART).map(|part| &part.kind);
    let Some(KindMetrics::Classes(metrics)) = test else {
        return Vec::new();
    };

    let classes = metrics.classes.iter().take(CLASSES_MAX);
    classes.map(class_outcome).collect()
}

fn class_outcome(class: &ClassRates) -> ClassOutcome {
    ClassOutcome {
        name: class.name.clone(),
        precision: class.precision,
        recall: class.recall,
        f1: class.f1,
    }
}
