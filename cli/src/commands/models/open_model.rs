//! A registered model that can predict: its network with weights, and the strategy that it was
//! trained with.

use std::collections::BTreeMap;

use networks::tsk::Contribution;
use schemas::codes;
use schemas::errors::messages;
use schemas::manifests::{ArtifactManifest, ModelManifest, Network};
use schemas::names::MODEL_FILE;
use store::{Artifact, Store};
use strategies::{FeatureMatrix, RequestError, Resolved, compute_features};

use super::bars::ModelBars;
use super::predictions::{Choice, FiredRules, Predictions, WindowOutputs};
use super::rules::rule_shape;
use crate::console::{Exit, Failure};
use crate::inputs::models::find_model;

/// A model with everything that a prediction needs.
pub(super) struct OpenModel {
    pub(super) manifest: ModelManifest,
    pub(super) network: Network,
    /// The strategy as the model was trained with it, deciding by the threshold that was chosen.
    pub(super) resolved: Resolved,
    forward: networks::Model,
}

impl OpenModel {
    /// Reads the version that `NAME` or `NAME@3` means.
    ///
    /// # Errors
    /// There is no such version, or it cannot be read.
    pub(super) async fn read(store: &Store, text: &str) -> Result<Self, Failure> {
        let manifest = find_model(store, text).await?;
        let artifact = store.artifacts().read(&manifest.artifact).await?;
        let forward = open_network(&manifest, &artifact)?;

        // The features are computed as in the training, from the strategy that the model was
        // trained with.
        let mut resolved = resolve_strategy(&manifest, &artifact.manifest)?;
        let chosen = artifact.manifest.confidence_threshold;
        resolved.decisions = resolved.decisions.with_chosen(chosen);
        Ok(Self {
            manifest,
            network: artifact.manifest.network,
            resolved,
            forward,
        })
    }

    /// The network with its weights.
    pub(super) const fn forward(&self) -> &networks::Model {
        &self.forward
    }

    /// The predictions on the bars of one symbol that `choice` names, with the rules behind them if
    /// `with_rules`.
    ///
    /// # Errors
    /// The features cannot be computed, or the model has no rules.
    pub(super) fn predict_symbol(
        &self,
        bars: ModelBars,
        choice: &Choice,
        with_rules: bool,
    ) -> Result<Predictions, Failure> {
        let matrix = compute_features(&self.resolved, &bars.series, &self.network.features)?;
        let outputs = predict_windows(&self.forward, &matrix)?;
        let events = self.events_of(&bars, choice);
        let rules = if with_rules {
            let shape = rule_shape(&self.manifest, &self.network)?;
            Some(FiredRules {
                count: shape.base.rules.len(),
                by_row: fired_rules(&self.forward, &matrix, &outputs)?,
            })
        } else {
            None
        };

        let decisions = self.resolved.decisions;
        let predictions = Predictions::new(bars.symbol, matrix, outputs, decisions, choice);
        Ok(predictions.with_events(events).with_rules(rules))
    }

    /// Whether each bar is an event, of a model that learnt from events only: no bar says so where
    /// nobody knows the threshold.
    fn events_of(&self, bars: &ModelBars, choice: &Choice) -> Option<Vec<bool>> {
        self.resolved.events?;
        let filter = choice.trained.event_filter(&self.resolved, &bars.symbol);
        let base = bars.series.get(&self.resolved.base);

        let events = filter.zip(base).map(|(filter, base)| filter.events(base));
        Some(events.and_then(Result::ok).unwrap_or_default())
    }
}

/// The outputs of each row that ends a window of consecutive bars; for a network that reads single
/// rows that is every row.
fn predict_windows(
    model: &networks::Model,
    matrix: &FeatureMatrix,
) -> Result<WindowOutputs, Failure> {
    let length = model.network().architecture.sequence_length();
    let windows = matrix.windows(length);
    let inputs = windows.last_rows.iter();
    let inputs: Vec<&[f32]> = inputs.map(|row| matrix.window(*row, length)).collect();

    let predictions = model.predict(&inputs)?;
    Ok(WindowOutputs {
        length,
        by_row: windows.last_rows.into_iter().zip(predictions).collect(),
    })
}

/// The rules that made each prediction, strongest first.
fn fired_rules(
    model: &networks::Model,
    matrix: &FeatureMatrix,
    outputs: &WindowOutputs,
) -> Result<BTreeMap<usize, Vec<Contribution>>, Failure> {
    let mut fired = BTreeMap::new();
    for row in outputs.by_row.keys() {
        fired.insert(*row, model.contributions(matrix.window(*row, 1))?);
    }
    Ok(fired)
}

/// The network of an artifact with its weights and its temperature.
///
/// # Errors
/// The artifact holds none, or others than its manifest says.
pub(super) fn open_network(
    model: &ModelManifest,
    artifact: &Artifact,
) -> Result<networks::Model, Failure> {
    let weights = weights_of(model, artifact)?;
    let network = networks::Model::from_safetensors(&artifact.manifest.network, weights)?;
    Ok(network.with_temperature(artifact.manifest.temperature))
}

fn weights_of<'a>(model: &ModelManifest, artifact: &'a Artifact) -> Result<&'a [u8], Failure> {
    match artifact.files.get(MODEL_FILE) {
        Some(weights) => Ok(weights),
        None => {
            let message = format!("the artifact {} holds no {MODEL_FILE}", model.artifact);
            Err(Failure::new(Exit::Failed, codes::MODEL_INCOMPLETE, message)
                .with_hint("train the model again"))
        }
    }
}

/// The strategy as the model was trained with it.
fn resolve_strategy(
    model: &ModelManifest,
    artifact: &ArtifactManifest,
) -> Result<Resolved, Failure> {
    Resolved::from_lineage(&model.lineage, &artifact.network.features).map_err(|error| {
        let message = format!(
            "the strategy in {}@{} does not give the inputs of its network",
            model.name, model.version
        );
        // The message says already that the columns differ.
        let causes = match &error {
            RequestError::Columns => Vec::new(),
            cause => messages(cause),
        };

        Failure {
            causes,
            ..Failure::new(Exit::Failed, codes::MODEL_FEATURES, message)
        }
        .with_hint("it was trained by another version of the program: train it again")
    })
}
