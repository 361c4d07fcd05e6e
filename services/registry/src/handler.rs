//! The register command: check, try, assign; and which command is carried out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runtime::{StepContext, StepError, StepHandler};
use schemas::{
    codes::{self, Advice},
    commands::{
        BundleVersion, RegisterModel, RegisterOutcome, RegistryOutcome, RegistryWork, TrainModel,
        TrainOutcome, TrainRequest,
    },
    edge::{EdgeReport, PartEdge},
    errors::ErrorRecord,
    manifests::ModelManifest,
    metrics::PartMetrics,
    names::{METRICS_FILE, MODEL_FILE, VALIDATION_PART},
    progress::Progress,
};
use serde::Deserialize;
use store::Artifact;
use strategies::Resolved;

use crate::confirm::confirm;
use crate::{RegistryError, trial::try_model};

/// Share of the step at which the last model has been tried, and versions are assigned.
const TRYING_ENDS: f64 = 0.8;

/// Handles `register` and `confirm`; it has no state.
pub struct Registry;

/// The part of `metrics.json` that the registry reads.
#[derive(Deserialize)]
struct ArtifactMetrics {
    headline: BTreeMap<String, f64>,
    #[serde(default)]
    parts: BTreeMap<String, PartMetrics>,
    edge: Option<EdgeReport>,
}

impl ArtifactMetrics {
    /// Headline figures of the validation part; none if it was not measured.
    fn validation(&self) -> BTreeMap<String, f64> {
        let validation = self.parts.get(VALIDATION_PART);
        let mut figures = validation.map(PartMetrics::headline).unwrap_or_default();
        let edge = self.edge.as_ref();
        let edge = edge.and_then(|edge| edge.parts.get(VALIDATION_PART));
        figures.extend(edge.map(PartEdge::headline).unwrap_or_default());
        figures
    }
}

impl StepHandler for Registry {
    type Command = RegistryWork;

    async fn handle(
        &self,
        command: RegistryWork,
        step: &StepContext,
    ) -> Result<RegistryOutcome, StepError> {
        match command {
            RegistryWork::Register(command) => {
                Ok(RegistryOutcome::Register(register(command, step).await?))
            }
            RegistryWork::Confirm(command) => {
                Ok(RegistryOutcome::Confirm(confirm(command, step).await?))
            }
        }
    }
}

/// Gives what was trained a name and a version.
async fn register(
    command: RegisterModel,
    step: &StepContext,
) -> Result<RegisterOutcome, StepError> {
    let trained = match &command.artifact {
        Some(artifact) => one_artifact(artifact.clone()),
        None => artifacts_of(step.outcome_of::<TrainModel>().await?),
    };

    // Every model is tried before the first gets a version: a bundle that cannot be registered
    // as a whole leaves nothing behind.
    let mut tried = Vec::with_capacity(trained.len());
    for (done, artifact) in trained.iter().enumerate() {
        let share = done as f64 / trained.len() as f64;
        show(step, TRYING_ENDS * share, "Trying the model");
        tried.push(read_and_try(&artifact.key, step).await?);
        step.check_stop()?;
    }
    let first = tried.first().ok_or_else(nothing_trained)?;
    let name = name_of(command, step, &first.artifact)?;

    let versions = assign_versions(&name, &trained, &tried, step).await?;
    outcome_of(&trained, versions)
}

/// An artifact that becomes a version.
struct TrainedArtifact {
    key: String,
    /// Its number in the sweep, where the step before has trained several.
    training: Option<u32>,
}

fn one_artifact(key: String) -> Vec<TrainedArtifact> {
    vec![TrainedArtifact {
        key,
        training: None,
    }]
}

/// What the train step has made: every training of a bundle that has not failed.
fn artifacts_of(trained: TrainOutcome) -> Vec<TrainedArtifact> {
    if trained.bundle.is_empty() {
        return one_artifact(trained.artifact);
    }

    let of_bundle = trained.bundle.into_iter();
    let of_bundle = of_bundle.filter_map(|result| {
        let training = Some(result.training);
        result.artifact.map(|key| TrainedArtifact { key, training })
    });
    of_bundle.collect()
}

fn nothing_trained() -> StepError {
    let hint = "look at the errors of the train step, and submit the operation again";
    StepError::permanent(
        codes::OPS_INVALID_OUTCOME,
        "the train step names no artifact",
        hint,
    )
}

/// Reads an artifact and tries its model.
async fn read_and_try(key: &str, step: &StepContext) -> Result<Tried, StepError> {
    let artifact = step.store().artifacts().read(key).await?;

    // A forward pass of a large network takes too long for a thread of the runtime.
    step.blocking(move || Ok(try_artifact(artifact)?)).await
}

/// Gives each artifact a version, in their order.
async fn assign_versions(
    name: &str,
    trained: &[TrainedArtifact],
    tried: &[Tried],
    step: &StepContext,
) -> Result<Vec<ModelManifest>, StepError> {
    let operation = step.op().to_string();
    let mut numbering = step.store().models().begin_numbering(name).await?;

    let mut versions = Vec::with_capacity(tried.len());
    for (Tried { artifact, metrics }, trained) in tried.iter().zip(trained) {
        let share = versions.len() as f64 / tried.len() as f64;
        let fraction = TRYING_ENDS + (1.0 - TRYING_ENDS) * share;
        show(step, fraction, "Assigning a version");

        // The numbering fills in the name, the version, and whose it is.
        let draft = ModelManifest {
            labels: step.record().labels.clone(),
            ..draft_of(artifact, metrics)
        };
        let make = |_| draft.clone();
        let assigned = numbering.assign(&operation, trained.training, make).await?;
        versions.push(assigned);
    }
    Ok(versions)
}

/// The manifest of a version, but for its name, its number and whose it is.
fn draft_of(artifact: &Artifact, metrics: &ArtifactMetrics) -> ModelManifest {
    ModelManifest {
        v: ModelManifest::VERSION,
        name: String::new(),
        version: 0,
        artifact: artifact.sha256.clone(),
        operation: String::new(),
        training: None,
        metrics: metrics.headline.clone(),
        validation: metrics.validation(),
        lineage: artifact.manifest.lineage.clone(),
        labels: BTreeMap::new(),
        former_names: Vec::new(),
        created_at: Timestamp::now().as_microsecond(),
    }
}

/// The first version stands for all: one training has no other.
fn outcome_of(
    trained: &[TrainedArtifact],
    versions: Vec<ModelManifest>,
) -> Result<RegisterOutcome, StepError> {
    let of_bundle = versions.iter().zip(trained).filter_map(|(model, trained)| {
        let version = model.version;
        trained
            .training
            .map(|training| BundleVersion { training, version })
    });
    let bundle = of_bundle.collect();

    let first = versions.into_iter().next().ok_or_else(nothing_trained)?;
    Ok(RegisterOutcome {
        name: first.name,
        version: first.version,
        artifact: first.artifact,
        bundle,
    })
}

/// The name of the model: that of the command, else of the request, else of the strategy.
fn name_of(
    command: RegisterModel,
    step: &StepContext,
    artifact: &Artifact,
) -> Result<String, StepError> {
    // A plan of a register step alone has no train request; then the strategy's name is used.
    let requested_name = || step.params::<TrainRequest>().ok()?.model;

    match command.name.or_else(requested_name) {
        Some(name) if strategies::is_name(&name) => Ok(name),
        Some(name) => Err(StepError::permanent(
            codes::MODEL_INVALID_NAME,
            format!("`{name}` cannot name a model"),
            "use 1 to 64 of a-z, 0-9, _ and -, a letter or digit first",
        )),
        None => Ok(strategy_name(artifact)?),
    }
}

/// The name of the strategy that the artifact was trained from.
fn strategy_name(artifact: &Artifact) -> Result<String, ErrorRecord> {
    let manifest = &artifact.manifest;
    match Resolved::from_lineage(&manifest.lineage, &manifest.network.features) {
        Ok(resolved) => Ok(resolved.name),
        Err(error) => {
            let hint = "name the model in the command";
            Err(ErrorRecord::from_error(error.code(), &error, hint))
        }
    }
}

/// An artifact that has passed its trial.
struct Tried {
    artifact: Artifact,
    metrics: ArtifactMetrics,
}

fn try_artifact(artifact: Artifact) -> Result<Tried, ErrorRecord> {
    match check_artifact(&artifact) {
        Ok(metrics) => Ok(Tried { artifact, metrics }),
        Err(error) => Err(ErrorRecord::from_advice(&error)),
    }
}

/// Tries the model and returns its metrics.
fn check_artifact(artifact: &Artifact) -> Result<ArtifactMetrics, RegistryError> {
    let manifest = &artifact.manifest;
    let weights = file_of(artifact, MODEL_FILE)?;
    try_model(&manifest.network, manifest.temperature, weights)?;

    let metrics = file_of(artifact, METRICS_FILE)?;
    serde_json::from_slice(metrics).map_err(RegistryError::Metrics)
}

fn file_of<'a>(artifact: &'a Artifact, file: &'static str) -> Result<&'a [u8], RegistryError> {
    match artifact.files.get(file) {
        Some(bytes) => Ok(bytes),
        None => Err(RegistryError::FileMissing { file }),
    }
}

pub(crate) fn show(step: &StepContext, fraction: f64, message: &str) {
    step.report(Progress {
        fraction,
        message: message.to_owned(),
        ..Progress::default()
    });
}
