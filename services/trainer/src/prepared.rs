//! A train command with everything that it names: the resolved strategy, the data set, the network.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use networks::tsk::build_rules;
use runtime::{StepContext, StepError};
use schemas::codes;
use schemas::commands::{ProcessBars, TrainModel, TrainRequest, WindowOutcome};
use schemas::decision_report::DecisionReport;
use schemas::errors::ErrorRecord;
use schemas::ids::OperationId;
use schemas::manifests::{ArtifactManifest, DataSetManifest, Lineage, Network};
use schemas::training::{BatchHalving, TrainingSettings};
use store::sha256_hex;
use strategies::splits::Part;
use strategies::{Decisions, Resolved};

use crate::TrainingData;
use crate::data_set::{held_out_outcomes, test_origins, training_data};
use crate::device::ComputeDevice;
use crate::engine::EngineKind;
use crate::evaluation::Measurement;
use crate::job::TrainJob;
use crate::metrics::{HeldOutOutcomes, RowOrigins, Trading, TripCosts};
use crate::report::TrainFacts;
use crate::train::Trained;

/// The rows that one training learns from, or every training of a bundle.
pub(crate) struct PreparedData {
    manifest: DataSetManifest,
    data: TrainingData,
    /// Where the rows of the test part come from.
    origins: RowOrigins,
    /// What came of the rows; absent for a data set of an older program.
    outcomes: Option<HeldOutOutcomes>,
}

/// A training that can begin.
pub(crate) struct PreparedTraining {
    request: TrainRequest,
    resolved: Resolved,
    shared: Arc<PreparedData>,
    /// Costs of a trade by instrument; none where the strategy does not say.
    costs: Option<Vec<TripCosts>>,
    /// The network to fit, its columns scaled as the data set says, its rules built.
    pub(crate) network: Network,
    device: ComputeDevice,
    engine: EngineKind,
}

impl PreparedData {
    /// Reads the data set that `dataset` names, or the one that the step before has made.
    ///
    /// # Errors
    /// It is absent or damaged, or its columns are not those of the strategy.
    pub(crate) async fn read(
        dataset: Option<String>,
        resolved: &Resolved,
        step: &StepContext,
    ) -> Result<Arc<Self>, StepError> {
        let dataset = match dataset {
            Some(dataset) => dataset,
            None => step.outcome_of::<ProcessBars>().await?.dataset,
        };
        let data_sets = step.store().data_sets();
        let manifest = data_sets.find(&dataset).await?.ok_or_else(|| {
            StepError::permanent(
                codes::DATA_DATASET_MISSING,
                format!("the data set {dataset} is not in the store"),
                "submit the operation again: processing makes it",
            )
        })?;
        let table = data_sets.read(&manifest).await?;
        let network = resolved.network(manifest.features.clone());
        let weighted = resolved.weighted;

        // Turning columns into rows takes seconds for a large data set.
        step.blocking(move || {
            let data = training_data(&table, &network, weighted)
                .map_err(|error| ErrorRecord::from_advice(&error))?;
            let origins = test_origins(&table, &data.test);
            let horizon = manifest.forward_bars;
            let outcomes = horizon.and_then(|horizon| held_out_outcomes(&table, &data, horizon));
            Ok(Arc::new(Self {
                manifest,
                data,
                origins,
                outcomes,
            }))
        })
        .await
    }
}

/// The strategy of a request, with its changes.
///
/// # Errors
/// The request cannot be resolved.
pub(crate) fn resolve(request: &TrainRequest) -> Result<Resolved, ErrorRecord> {
    let resolved = Resolved::from_request(request);
    let resolved = resolved.map_err(|error| ErrorRecord::from_advice(&error))?;
    Ok(resolved.resolved)
}

impl PreparedTraining {
    /// Reads what `command` and the request of its operation name.
    ///
    /// # Errors
    /// The request cannot be resolved, the data set is absent or damaged, or its columns are not
    /// those of the strategy.
    pub(crate) async fn read(
        command: TrainModel,
        step: &StepContext,
        device: ComputeDevice,
    ) -> Result<Self, StepError> {
        let request: TrainRequest = step.params()?;
        let resolved = resolve(&request)?;
        let reading = "Reading the data set".to_owned();
        step.report(TrainFacts::new(&resolved, device).between_epochs(0.0, reading, 0));
        let shared = PreparedData::read(command.dataset, &resolved, step).await?;

        // Grouping the rows of a large data set into rules takes long, too.
        step.blocking(move || Ok(Self::new(request, resolved, shared, device)))
            .await
    }

    /// A training on data that was read, in a trainer that has `device`.
    pub(crate) fn new(
        request: TrainRequest,
        resolved: Resolved,
        shared: Arc<PreparedData>,
        device: ComputeDevice,
    ) -> Self {
        let engine = EngineKind::choose(resolved.settings.engine, &resolved.model, device);
        let network = resolved.network(shared.manifest.features.clone());

        // A rule base follows from the training part, so that every attempt has the same one.
        let network = build_rules(&network, &shared.data.train.features, resolved.seed);
        Self {
            request,
            costs: costs_of(&resolved),
            resolved,
            shared,
            network,
            device: engine.device_of(device),
            engine,
        }
    }

    /// What is measured of it, and with what.
    pub(crate) fn measurement(&self) -> Measurement<'_> {
        let outcomes = self.shared.outcomes.as_ref();
        let trading = outcomes.map(|outcomes| Trading {
            outcomes,
            costs: self.costs.as_deref(),
        });
        Measurement {
            origins: &self.shared.origins,
            trading,
            decisions: self.resolved.decisions,
        }
    }

    /// The input of [`crate::train`].
    pub(crate) fn job(&self) -> TrainJob<'_> {
        TrainJob {
            data: &self.shared.data,
            network: &self.network,
            settings: &self.resolved.settings,
            seed: self.resolved.seed,
            device: self.device,
            engine: self.engine,
            decisions: Some(self.resolved.decisions),
        }
    }

    /// What its windows cost; absent where each row is a sample.
    pub(crate) fn window_outcome(&self) -> Option<WindowOutcome> {
        let windows = self.shared.data.train.windows.as_ref()?;
        let rows_lost = Part::ALL.map(|part| {
            let rows = self
                .shared
                .data
                .part(part)
                .rows_without_window(&self.network);
            (part.name().to_owned(), rows)
        });

        Some(WindowOutcome {
            length: windows.length as u64,
            rows_lost: rows_lost.into(),
        })
    }

    /// Seed of initialisation, shuffling and dropout.
    pub(crate) fn seed(&self) -> u64 {
        self.resolved.seed
    }

    /// The facts that its progress records repeat.
    pub(crate) fn facts(&self) -> TrainFacts {
        TrainFacts::new(&self.resolved, self.device)
    }

    /// The manifest of the artifact of `trained`, whose network may have fewer rules than the one
    /// that was fitted, and of the threshold that its decisions have chosen, but for its files.
    pub(crate) fn artifact_manifest(
        &self,
        op: &OperationId,
        trained: Trained,
        decisions: Option<&DecisionReport>,
    ) -> ArtifactManifest {
        // A threshold of the strategy's own is in its text.
        let chosen = decisions.filter(|report| report.is_chosen);

        ArtifactManifest {
            v: ArtifactManifest::VERSION,
            files: BTreeMap::new(),
            lineage: self.lineage(op),
            confidence_threshold: chosen.map(|report| report.threshold.value()),
            temperature: trained.temperature,
            training: serde_json::to_value(self.settings_used(&trained.halvings))
                .unwrap_or_default(),
            network: trained.network,
            created_at: Timestamp::now().as_microsecond(),
        }
    }

    /// The settings by which the last epoch was trained: its batches may have been halved.
    fn settings_used(&self, halvings: &[BatchHalving]) -> TrainingSettings {
        let mut settings = self.resolved.settings.clone();
        if let Some(halving) = halvings.last() {
            settings.batch_size = halving.batch_size;
        }
        settings
    }

    fn lineage(&self, op: &OperationId) -> Lineage {
        let manifest = &self.shared.manifest;
        let series = manifest
            .series
            .iter()
            .map(|input| (input.label(), input.content_sha256.clone()));
        let symbols = self.resolved.symbols.iter();
        // These decide whether the same request gives the same bits again.
        let versions = [
            ("trainer", env!("CARGO_PKG_VERSION").to_owned()),
            ("features", strategies::ENGINE_VERSION.to_string()),
            ("engine", self.engine.version()),
        ];

        Lineage {
            operation: op.to_string(),
            dataset: manifest.inputs_sha256.clone(),
            series: series.collect(),
            strategy: self.request.strategy.clone(),
            strategy_sha256: sha256_hex(self.request.strategy.as_bytes()),
            overrides: Some(overrides_of(&self.request)),
            seed: self.resolved.seed,
            symbols: symbols.map(ToString::to_string).collect(),
            timeframes: self.timeframes(),
            versions: versions
                .map(|(name, version)| (name.to_owned(), version))
                .into(),
        }
    }

    fn timeframes(&self) -> Vec<String> {
        let timeframes = self.resolved.timeframes.iter();
        timeframes.map(ToString::to_string).collect()
    }
}

/// What a trade costs, by instrument: by the section `costs`, or else by the round trip that a
/// regression is compared with. None where the strategy says neither.
fn costs_of(resolved: &Resolved) -> Option<Vec<TripCosts>> {
    let symbols = resolved.symbols.iter();

    match (&resolved.costs, resolved.decisions) {
        (Some(costs), _) => Some(symbols.map(|symbol| costs.of(symbol).into()).collect()),
        (
            None,
            Decisions::Regression {
                round_trip_cost, ..
            },
        ) => Some(
            symbols
                .map(|_| TripCosts::undivided(round_trip_cost))
                .collect(),
        ),
        (None, Decisions::Classification { .. }) => None,
    }
}

/// The overrides as lineages keep them: an object even when the request changes nothing, so that
/// they differ from those of a manifest that does not have the field.
fn overrides_of(request: &TrainRequest) -> serde_json::Value {
    if request.overrides.is_null() {
        serde_json::json!({})
    } else {
        request.overrides.clone()
    }
}
