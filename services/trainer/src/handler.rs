//! The service around the training: reads the data set, trains on a thread of its own, publishes
//! the artifact.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runtime::{StepContext, StepError, StepHandler};
use schemas::{
    codes,
    commands::{ProcessBars, TrainModel, TrainOutcome, TrainRequest},
    errors::ErrorRecord,
    manifests::{ArtifactManifest, DatasetManifest, Lineage, Network},
    progress::{Device, Progress},
};
use store::{CheckpointKey, sha256_hex};
use strategies::{Resolved, ResolvedRequest};
use tokio::sync::watch;

use crate::{
    TrainError, TrainState, Trained, TrainingData,
    artifact::{self, MetricsDocument},
    checkpoints::{self, Checkpoints},
    dataset::training_data,
    report::{Facts, Reporter},
    train::{train, uses_gpu},
};

/// Warnings that an outcome repeats.
const WARNINGS_MAX: usize = 5;

/// The handler; it has no state.
pub struct Trainer;

/// What one training is made of.
struct Job {
    request: TrainRequest,
    resolved: Resolved,
    manifest: DatasetManifest,
    network: Network,
    data: TrainingData,
}

impl StepHandler for Trainer {
    type Command = TrainModel;

    async fn handle(
        &self,
        command: TrainModel,
        step: &StepContext,
    ) -> Result<TrainOutcome, StepError> {
        show(step, 0.0, "Reading the data set".to_owned());
        let job = Job::read(command, step).await?;
        let (settings, seed) = (&job.resolved.settings, job.resolved.seed);
        let resumed = checkpoints::resume(step, &job.network, settings, seed).await?;
        let resumed_at = resumed
            .as_ref()
            .map_or(0, |(_, state)| state.progress.epoch);
        let (job, trained) = run(job, resumed, step).await?;
        show(
            step,
            0.97,
            format!("Publishing the model of epoch {}", trained.best_epoch),
        );
        step.check_stop()?;
        let document = MetricsDocument::new(&trained, &job.network, job.resolved.seed);
        let files = artifact::files(&trained, &job.network, &document)
            .map_err(|error| ErrorRecord::from_advice(&error))?;
        let artifact = step
            .store()
            .artifacts()
            .publish(files, job.draft(step))
            .await?;
        Ok(TrainOutcome {
            artifact,
            epochs: document.epochs,
            best_epoch: document.best_epoch,
            stopped_early: document.stopped_early,
            resumed_at,
            metrics: document.headline,
            warnings: document.warnings.into_iter().take(WARNINGS_MAX).collect(),
            device: document.device,
        })
    }
}

/// Trains on a blocking thread while checkpoints are written beside it. A training that was stopped
/// or diverged leaves its last good state behind as a checkpoint.
async fn run(
    job: Job,
    resumed: Option<(CheckpointKey, TrainState)>,
    step: &StepContext,
) -> Result<(Job, Trained), StepError> {
    let (sender, receiver) = watch::channel(None);
    let (key, state) = resumed.unzip();
    let saved = state.as_ref().map_or(0, |state| state.progress.epoch);
    let checkpoints = Checkpoints::new(step.clone(), job.network.clone(), key);
    let reporter_step = step.clone();
    let work = move || {
        let reporter = Reporter::new(reporter_step, job.facts(), sender);
        let settings = &job.resolved.settings;
        let result = train(
            &job.data,
            &job.network,
            settings,
            job.resolved.seed,
            &reporter,
            state,
        );
        Ok((job, result))
    };
    let (worked, mut checkpoints) = tokio::join!(step.blocking(work), checkpoints.follow(receiver));
    let (job, result) = worked?;
    let error = match result {
        Ok(trained) => return Ok((job, trained)),
        Err(error) => error,
    };
    if let Some(last) = error
        .last_state()
        .filter(|last| last.progress.epoch > saved)
    {
        checkpoints.save(last).await;
    }
    Err(match error {
        TrainError::Cancelled { .. } => StepError::Stopped,
        error => ErrorRecord::from_advice(&error).into(),
    })
}

impl Job {
    async fn read(command: TrainModel, step: &StepContext) -> Result<Self, StepError> {
        let request: TrainRequest = step.params()?;
        let ResolvedRequest { resolved, .. } =
            Resolved::from_request(&request).map_err(|error| ErrorRecord::from_advice(&error))?;
        let dataset = match command.dataset {
            Some(dataset) => dataset,
            None => step.outcome_of::<ProcessBars>().await?.dataset,
        };
        let manifest = step
            .store()
            .data_sets()
            .find(&dataset)
            .await?
            .ok_or_else(|| {
                let message = format!("the data set {dataset} is not in the store");
                StepError::permanent(
                    codes::DATA_DATASET_MISSING,
                    message,
                    "submit the operation again: processing makes it",
                )
            })?;
        let table = step.store().data_sets().read(&manifest).await?;
        let network = resolved.network(manifest.features.clone());
        step.blocking(move || {
            let data = training_data(&table, &network, resolved.weighted)
                .map_err(|error| ErrorRecord::from_advice(&error))?;
            Ok(Self {
                request,
                resolved,
                manifest,
                network,
                data,
            })
        })
        .await
    }

    fn facts(&self) -> Facts {
        let gpu = uses_gpu();
        Facts {
            model_type: "mlp".to_owned(),
            strategy: self.resolved.name.clone(),
            symbols: self
                .resolved
                .symbols
                .iter()
                .map(market::Instrument::symbol)
                .collect(),
            timeframes: self.timeframes(),
            learning_rate: self.resolved.settings.learning_rate,
            device: Device {
                kind: if gpu { "cuda" } else { "cpu" }.to_owned(),
                name: String::new(),
            },
        }
    }

    fn symbols(&self) -> Vec<String> {
        self.resolved
            .symbols
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn timeframes(&self) -> Vec<String> {
        self.resolved
            .timeframes
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// The manifest of the artifact, but for its files.
    fn draft(&self, step: &StepContext) -> ArtifactManifest {
        let series = self
            .manifest
            .series
            .iter()
            .map(|input| (input.series.clone(), input.content_sha256.clone()));
        let versions = [
            ("trainer", env!("CARGO_PKG_VERSION").to_owned()),
            ("features", strategies::ENGINE_VERSION.to_string()),
            ("libtorch", "2.13.0".to_owned()),
        ];
        ArtifactManifest {
            v: ArtifactManifest::VERSION,
            files: BTreeMap::new(),
            network: self.network.clone(),
            lineage: Lineage {
                operation: step.op().to_string(),
                dataset: self.manifest.inputs_sha256.clone(),
                series: series.collect(),
                strategy: self.request.strategy.clone(),
                strategy_sha256: sha256_hex(self.request.strategy.as_bytes()),
                overrides: Some(overrides_of(&self.request)),
                seed: self.resolved.seed,
                symbols: self.symbols(),
                timeframes: self.timeframes(),
                versions: versions
                    .map(|(name, version)| (name.to_owned(), version))
                    .into(),
            },
            training: serde_json::to_value(&self.resolved.settings).unwrap_or_default(),
            created_at: Timestamp::now().as_microsecond(),
        }
    }
}

/// The overrides as lineages keep them: an object even when the request changes nothing.
fn overrides_of(request: &TrainRequest) -> serde_json::Value {
    if request.overrides.is_null() {
        serde_json::json!({})
    } else {
        request.overrides.clone()
    }
}

fn show(step: &StepContext, fraction: f64, message: String) {
    step.report(Progress {
        fraction,
        message,
        ..Progress::default()
    });
}
