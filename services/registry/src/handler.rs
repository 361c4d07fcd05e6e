//! The register command: check, try, assign.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runtime::{StepContext, StepError, StepHandler};
use schemas::{
    codes::{self, Advice},
    commands::{RegisterModel, RegisterOutcome, TrainModel, TrainRequest},
    errors::ErrorRecord,
    manifests::{ArtifactManifest, ModelManifest},
    names::{METRICS_FILE, MODEL_FILE},
    progress::Progress,
};
use serde::Deserialize;
use store::Artifact;
use strategies::Resolved;

use crate::{RegistryError, trial::try_model};

/// The handler; it has no state.
pub struct Registry;

/// What the registry reads of `metrics.json`.
#[derive(Deserialize)]
struct Metrics {
    headline: BTreeMap<String, f64>,
}

impl StepHandler for Registry {
    type Command = RegisterModel;

    async fn handle(
        &self,
        command: RegisterModel,
        step: &StepContext,
    ) -> Result<RegisterOutcome, StepError> {
        show(step, 0.0, "Checking the artifact");
        let key = match command.artifact {
            Some(artifact) => artifact,
            None => step.outcome_of::<TrainModel>().await?.artifact,
        };
        let artifact = step.store().artifacts().read(&key).await?;
        step.check_stop()?;
        show(step, 0.5, "Trying the model");
        let name = match command
            .name
            .or_else(|| step.params::<TrainRequest>().ok()?.model)
        {
            Some(name) if strategies::is_name(&name) => name,
            Some(name) => {
                let message = format!("`{name}` cannot name a model");
                let hint = "use 1 to 64 of a-z, 0-9, _ and -, a letter or digit first";
                return Err(StepError::permanent(
                    codes::MODEL_INVALID_NAME,
                    message,
                    hint,
                ));
            }
            None => strategy_name(&artifact)?,
        };
        let (artifact, metrics) = step
            .blocking(move || {
                let metrics = trial(&artifact).map_err(|error| ErrorRecord::from_advice(&error))?;
                Ok((artifact, metrics))
            })
            .await?;
        step.check_stop()?;
        show(step, 0.8, "Assigning a version");
        let operation = step.op().to_string();
        let created_at = Timestamp::now().as_microsecond();
        let make = |version| ModelManifest {
            v: ModelManifest::VERSION,
            name: name.clone(),
            version,
            artifact: artifact.sha256.clone(),
            operation: operation.clone(),
            metrics: metrics.clone(),
            lineage: artifact.manifest.lineage.clone(),
            created_at,
        };
        let model = step
            .store()
            .models()
            .assign_version(&name, &operation, make)
            .await?;
        Ok(RegisterOutcome {
            name: model.name,
            version: model.version,
            artifact: model.artifact,
        })
    }
}

/// Tries the model and returns its headline metrics.
fn trial(artifact: &Artifact) -> Result<BTreeMap<String, f64>, RegistryError> {
    let file = |file| {
        artifact
            .files
            .get(file)
            .ok_or(RegistryError::FileMissing { file })
    };
    try_model(&artifact.manifest.network, file(MODEL_FILE)?)?;
    let metrics: Metrics =
        serde_json::from_slice(file(METRICS_FILE)?).map_err(RegistryError::Metrics)?;
    Ok(metrics.headline)
}

fn strategy_name(artifact: &Artifact) -> Result<String, StepError> {
    let ArtifactManifest {
        lineage, network, ..
    } = &artifact.manifest;
    let resolved = Resolved::from_lineage(lineage, &network.features).map_err(|error| {
        let hint = "name the model in the command";
        ErrorRecord::from_error(error.code(), &error, hint)
    })?;
    Ok(resolved.name)
}

fn show(step: &StepContext, fraction: f64, message: &str) {
    step.report(Progress {
        fraction,
        message: message.to_owned(),
        ..Progress::default()
    });
}
