//! What is measured once the weights stand: how sure one can be of the figures of the test part,
//! where they hold, what each feature is worth, and how far the probabilities can be trusted.
//!
//! The network is run on the CPU in plain Rust, whatever trained it, so that equal weights give
//! equal figures on every machine.

use networks::{Learner, learner_of, math};
use schemas::decision_report::DecisionReport;
use schemas::edge::EdgeReport;
use schemas::manifests::{FeatureColumn, OutputKind};
use schemas::metrics::{Evaluation, Importance, Temperature};
use strategies::Decisions;

use crate::control::Control;
use crate::data::{Labels, PartData, TrainingData};
use crate::job::TrainJob;
use crate::metrics::{Baseline, RowOrigins, Scored, ScoredParts, Shuffled, Trading, importance_of};
use crate::objective::Objective;
use crate::{TrainError, Trained};

/// Multiply-adds between two looks at the cancel flag: some milliseconds.
const CHUNK_OPERATIONS: usize = 4_000_000;
/// Fewest samples at a time: recurrent networks compute eight together.
const CHUNK_SAMPLES_MIN: usize = 8;

/// A trained network with all that its figures depend on.
#[derive(Clone, Copy, Debug)]
pub struct Evaluated<'a> {
    /// Its data set.
    pub data: &'a TrainingData,
    /// Where the rows of the test part come from.
    pub origins: &'a RowOrigins,
    /// Its features in order.
    pub features: &'a [FeatureColumn],
    /// Number of classes; 0 for a regression.
    pub classes: usize,
    /// What the strategy makes of a prediction; absent = decisions are not counted.
    pub decisions: Option<Decisions>,
    /// What its predictions are traded on; absent = no edge is measured, nor is one without
    /// `decisions`.
    pub trading: Option<Trading<'a>>,
    /// Its parameters, flat, in file order.
    pub weights: &'a [f32],
    /// What training minimised.
    pub objective: &'a Objective,
    /// What the model divides scores by; absent = nothing.
    pub temperature: Option<f64>,
    /// Seed of the training, and of the draws here.
    pub seed: u64,
}

/// What is measured beside the figures of a part, and what it is measured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement<'a> {
    /// Where the rows of the test part come from.
    pub(crate) origins: &'a RowOrigins,
    /// What its predictions are traded on; absent = no edge is measured.
    pub(crate) trading: Option<Trading<'a>>,
    /// What the strategy makes of a prediction.
    pub(crate) decisions: Decisions,
}

/// Measures the stored weights of a finished training.
///
/// # Errors
/// When `control` cancels.
pub(crate) fn evaluate_trained(
    job: &TrainJob<'_>,
    trained: &Trained,
    measurement: Measurement<'_>,
    control: &dyn Control,
) -> Result<Evaluation, TrainError> {
    let network = Evaluated {
        data: job.data,
        origins: measurement.origins,
        features: &trained.network.features,
        classes: match &trained.network.output {
            OutputKind::Classes { names } => names.len(),
            OutputKind::Regression => 0,
        },
        decisions: Some(measurement.decisions),
        trading: measurement.trading,
        weights: &trained.weights,
        objective: &trained.objective,
        temperature: trained.temperature,
        seed: job.seed,
    };

    let mut learner = learner_of(&trained.network);
    // The last state of the training is stored already.
    evaluate(network, learner.as_mut(), &|| control.cancelled())
        .ok_or(TrainError::Cancelled { last: None })
}

/// Measures the network that `learner` runs. None when `stopped` says so, which is asked every few
/// milliseconds.
pub fn evaluate(
    network: Evaluated<'_>,
    learner: &mut dyn Learner,
    stopped: &dyn Fn() -> bool,
) -> Option<Evaluation> {
    let baseline = Baseline::of(&network.data.train.labels, network.classes);
    let mut runner = Runner {
        network,
        learner,
        stopped,
    };

    let mut test_scores = runner.scores_of(&network.data.test)?;
    let mut validation_scores = runner.scores_of(&network.data.validation)?;
    let temperature = network.temperature_of(&validation_scores, &test_scores);

    // From here on the model is measured as it is used.
    network.calibrate(&mut test_scores);
    network.calibrate(&mut validation_scores);
    let test = network.scored(&test_scores, &network.data.test.labels);
    let validation = network.scored(&validation_scores, &network.data.validation.labels);
    let uncertainty = test.uncertainty(&baseline, network.seed, stopped);
    let groups = test.groups(&baseline, network.origins);
    let importance = runner.importance()?;

    // The scores of the training part serve nothing else.
    let decisions = match network.decisions {
        None => None,
        Some(rules) => {
            let mut train_scores = runner.scores_of(&network.data.train)?;
            network.calibrate(&mut train_scores);
            let train = network.scored(&train_scores, &network.data.train.labels);
            let parts = ScoredParts {
                train,
                validation,
                test,
            };
            Some(parts.decide(rules))
        }
    };
    let edge = network.edge_of(&validation, &test, decisions.as_ref());
    Some(Evaluation {
        uncertainty,
        groups,
        importance: Some(importance),
        temperature,
        decisions,
        edge,
    })
}

impl Evaluated<'_> {
    fn scored<'a>(&'a self, scores: &'a [f32], labels: &'a Labels) -> Scored<'a> {
        Scored {
            scores,
            labels,
            objective: self.objective,
        }
    }

    /// The edge by the decisions that were reported.
    fn edge_of(
        &self,
        validation: &Scored<'_>,
        test: &Scored<'_>,
        report: Option<&DecisionReport>,
    ) -> Option<EdgeReport> {
        // A threshold that the training has chosen is the one that is used from now on.
        let report = report?;
        let chosen = report.is_chosen.then(|| report.threshold.value());
        let rules = self.decisions?.with_chosen(chosen);
        Some(self.trading?.edge(validation, test, rules))
    }

    /// Divides scores as the model does before they become probabilities.
    fn calibrate(&self, scores: &mut [f32]) {
        if let Some(temperature) = self.temperature {
            math::divide_scores(scores, temperature);
        }
    }

    /// The temperature that the model stores, or the one that it might have; both are fitted to the
    /// validation part and tried on the test part. None for a regression.
    fn temperature_of(&self, validation: &[f32], test: &[f32]) -> Option<Temperature> {
        let test = self.scored(test, &self.data.test.labels);
        if let Some(stored) = self.temperature {
            return test.at_stored_temperature(stored);
        }

        let validation = self.scored(validation, &self.data.validation.labels);
        test.at_temperature(validation.fit_temperature()?)
    }
}

/// Runs the network chunk by chunk.
struct Runner<'a> {
    network: Evaluated<'a>,
    learner: &'a mut dyn Learner,
    stopped: &'a dyn Fn() -> bool,
}

impl Runner<'_> {
    /// Scores of a part, `[rows, outputs]`; none when stopped.
    fn scores_of(&mut self, part: &PartData) -> Option<Vec<f32>> {
        let width = self.learner.input_count();
        let chunk = self.chunk_samples();
        let samples = part.labels.len();
        let mut gathered = Vec::new();
        let mut all = Vec::new();
        let mut scores = Vec::new();

        for start in (0..samples).step_by(chunk) {
            if (self.stopped)() {
                return None;
            }
            let end = samples.min(start + chunk);
            let inputs = part.inputs_of(start..end, width, &mut gathered);
            self.learner
                .score(self.network.weights, inputs, &mut scores);
            all.extend_from_slice(&scores);
        }
        Some(all)
    }

    fn chunk_samples(&self) -> usize {
        (CHUNK_OPERATIONS / self.operations_per_sample()).max(CHUNK_SAMPLES_MIN)
    }

    /// Multiply-adds of a sample: every parameter works once at each row of a window.
    fn operations_per_sample(&self) -> usize {
        let steps = self.learner.input_count() / self.network.features.len().max(1);
        (self.learner.parameter_count() * steps).max(1)
    }

    /// What each feature is worth on the validation part; none when stopped.
    fn importance(&mut self) -> Option<Importance> {
        let operations = self.operations_per_sample();
        let seed = self.network.seed;
        let mut part = ShuffledPart {
            part: &self.network.data.validation,
            inputs: Vec::new(),
            runner: self,
        };
        importance_of(&mut part, operations, seed).ok()
    }
}

/// The measurement was stopped.
struct Stopped;

/// The validation part with one feature at a time in disorder.
struct ShuffledPart<'a, 'b> {
    part: &'a PartData,
    runner: &'a mut Runner<'b>,
    /// Gathered rows, `[chunk, inputs]`.
    inputs: Vec<f32>,
}

impl ShuffledPart<'_, '_> {
    /// Gathers `rows`, each with the feature `column` of its donor, at every step of a window.
    fn gather(&mut self, rows: &[usize], column: Option<usize>, donors: &[usize]) {
        let inputs = self.runner.learner.input_count();
        let width = self.runner.network.features.len().max(1);

        self.inputs.clear();
        for (row, donor) in rows.iter().zip(donors) {
            let begin = self.inputs.len();
            self.inputs
                .extend_from_slice(self.part.input_of(*row, inputs));
            let Some(column) = column else { continue };
            let donated = self.part.input_of(*donor, inputs);
            let gathered = self.inputs.get_mut(begin..).unwrap_or_default();
            let pairs = gathered.iter_mut().zip(donated);
            for (value, other) in pairs.skip(column).step_by(width) {
                *value = *other;
            }
        }
    }
}

impl Shuffled for ShuffledPart<'_, '_> {
    type Error = Stopped;

    fn names(&self) -> Vec<String> {
        let columns = self.runner.network.features.iter();
        columns.map(|column| column.name.clone()).collect()
    }

    fn rows(&self) -> usize {
        self.part.labels.len()
    }

    fn criterion(
        &mut self,
        rows: &[usize],
        column: Option<usize>,
        donors: &[usize],
    ) -> Result<f64, Stopped> {
        let chunk = self.runner.chunk_samples();
        let mut all = Vec::new();
        let mut scores = Vec::new();
        for (some_rows, some_donors) in rows.chunks(chunk).zip(donors.chunks(chunk)) {
            if (self.runner.stopped)() {
                return Err(Stopped);
            }
            self.gather(some_rows, column, some_donors);
            let weights = self.runner.network.weights;
            self.runner
                .learner
                .score(weights, &self.inputs, &mut scores);
            all.extend_from_slice(&scores);
        }

        self.runner.network.calibrate(&mut all);
        let labels = self.part.labels.of_rows(rows);
        Ok(self.runner.network.scored(&all, &labels).criterion_value())
    }
}
