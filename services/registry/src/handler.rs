//! The register command: check, try, assign.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runtime::{StepContext, StepError, StepHandler};
use schemas::{
    codes::{self, Advice},
    commands::{RegisterModel, RegisterOutcome, TrainModel, TrainRequest},
    errors::ErrorRecord,
    manifests::ModelManifest,
    metrics::PartMetrics,
    names::{METRICS_FILE, MODEL_FILE, VALIDATION_PART},
    progress::Progress,
};
use serde::Deserialize;
use store::Artifact;
use strategies::Resolved;

use crate::{RegistryError, trial::try_model};

/// Share of the step at which the trial begins.
const TRYING: f64 = 0.5;
/// Share of the step at which a version is assigned.
const ASSIGNING: f64 = 0.8;

/// Handles `register`; it has no state.
pub struct Registry;

/// The part of `metrics.json` that the registry reads.
#[derive(Deserialize)]
struct ArtifactMetrics {
    headline: BTreeMap<String, f64>,
    #[serde(default)]
    parts: BTreeMap<String, PartMetrics>,
}

impl ArtifactMetrics {
    /// Headline figures of the validation part; none if it was not measured.
    fn validation(&self) -> BTreeMap<String, f64> {
        let validation = self.parts.get(VALIDATION_PART);
        validation.map(PartMetrics::headline).unwrap_or_default()
    }
}

impl StepHandler for Registry {
    type Command = RegisterModel;

    async fn handle(
        &self,
        command: RegisterModel,
        step: &StepContext,
    ) -> Result<RegisterOutcome, StepError> {
        show(step, 0.0, "Checking the artifact");
        let key = match &command.artifact {
            Some(artifact) => artifact.clone(),
            None => step.outcome_of::<TrainModel>().await?.artifact,
        };
        let artifact = step.store().artifacts().read(&key).await?;
        let name = name_of(command, step, &artifact)?;
        step.check_stop()?;

        // A forward pass of a large network takes too long for a thread of the runtime.
        show(step, TRYING, "Trying the model");
        let Tried { artifact, metrics } =
            step.blocking(move || Ok(try_artifact(artifact)?)).await?;
        step.check_stop()?;

        show(step, ASSIGNING, "Assigning a version");
        let operation = step.op().to_string();
        let created_at = Timestamp::now().as_microsecond();
        let models = step.store().models();
        let model = models
            .assign_version(&name, &operation, |version| ModelManifest {
                v: ModelManifest::VERSION,
                name: name.clone(),
                version,
                artifact: artifact.sha256.clone(),
                operation: operation.clone(),
                metrics: metrics.headline.clone(),
                validation: metrics.validation(),
                lineage: artifact.manifest.lineage.clone(),
                created_at,
            })
            .await?;

        Ok(RegisterOutcome {
            name: model.name,
            version: model.version,
            artifact: model.artifact,
        })
    }
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
    try_model(&artifact.manifest.network, file_of(artifact, MODEL_FILE)?)?;

    let metrics = file_of(artifact, METRICS_FILE)?;
    serde_json::from_slice(metrics).map_err(RegistryError::Metrics)
}

fn file_of<'a>(artifact: &'a Artifact, file: &'static str) -> Result<&'a [u8], RegistryError> {
    match artifact.files.get(file) {
        Some(bytes) => Ok(bytes),
        None => Err(RegistryError::FileMissing { file }),
    }
}

fn show(step: &StepContext, fraction: f64, message: &str) {
    step.report(Progress {
        fraction,
        message: message.to_owned(),
        ..Progress::default()
    });
}
