//! What the trainings of a sweep came to, by combination.

use schemas::commands::{Bundle, TrainModel, TrainOutcome};
use schemas::errors::ErrorRecord;
use schemas::ids::{OperationId, Service};
use schemas::operation::OperationRecord;
use schemas::queries::ModelSummary;
use schemas::sweep::{COMBINATION, FOLD};
use statistics::{Moments, Overfitting, backtest_overfitting, moments};

use super::edge::SweepEdge;
use crate::console::{Failure, count_of};
use crate::watch::outcome_of;

/// Figure of a regression, and of a classification: the lower the better.
pub(super) const MEAN_ERROR: &str = "mae";
const LOSS: &str = "loss";

/// One training, with the version that it made.
pub(super) struct SweptTraining {
    /// Empty where nothing is swept.
    combination: String,
    /// 1 without folds.
    fold: usize,
    model: Option<ModelSummary>,
    /// Why it made none; absent while it may make one.
    error: Option<ErrorRecord>,
}

impl SweptTraining {
    /// The trainings of a child of the sweep, and the versions among `models` that they made.
    pub(super) fn all_of(child: &OperationRecord, models: &[ModelSummary]) -> Vec<Self> {
        let of_child = |model: &&ModelSummary| model.operation == child.op.as_str();
        let models: Vec<&ModelSummary> = models.iter().filter(of_child).collect();
        let fold = child.labels.get(FOLD);
        let fold = fold.and_then(|fold| fold.parse().ok()).unwrap_or(1);
        let failure = child.failure.as_ref();
        let failure = failure.map(|failure| failure.error.clone());

        let Some(bundle) = bundle_of(child) else {
            return vec![Self {
                combination: child.labels.get(COMBINATION).cloned().unwrap_or_default(),
                fold,
                model: models.first().copied().cloned(),
                error: failure,
            }];
        };
        let results = outcome_of::<TrainOutcome>(child, Service::Trainer);
        let results = results.map(|outcome| outcome.bundle).unwrap_or_default();

        let mut trainings = Vec::with_capacity(bundle.members.len());
        for member in bundle.members {
            let training = member.training;
            let result = results.iter().find(|result| result.training == training);
            let error = result.and_then(|result| result.error.clone());
            let made = |model: &&&ModelSummary| model.training == Some(training);
            trainings.push(Self {
                combination: member.combination,
                fold,
                model: models.iter().find(made).map(|model| (*model).clone()),
                error: error.or_else(|| failure.clone()),
            });
        }
        trainings
    }

    fn has_failed(&self) -> bool {
        self.error.is_some() && self.model.is_none()
    }

    fn figure(&self, part: Part) -> Option<f64> {
        figure_of(self.model.as_ref()?, part)
    }
}

/// The trainings that the train step of an operation was asked for; none where it is one.
fn bundle_of(child: &OperationRecord) -> Option<Bundle> {
    let mut steps = child.plan.steps();
    let step = steps.find(|spec| spec.service == Service::Trainer)?;
    let command: TrainModel = serde_json::from_value(step.command.clone()).ok()?;
    command.bundle
}

/// A part of a data set that was measured.
#[derive(Clone, Copy)]
enum Part {
    Validation,
    Test,
}

/// The loss of a version on a part, or its mean error.
fn figure_of(model: &ModelSummary, part: Part) -> Option<f64> {
    let figures = match part {
        Part::Validation => &model.validation,
        Part::Test => &model.metrics,
    };
    let figure = figures.get(MEAN_ERROR).or_else(|| figures.get(LOSS));
    figure.copied()
}

/// What the simplest rival of a version reaches on the test part.
fn rival_of(model: &ModelSummary) -> Option<f64> {
    let rival = model.metrics.get("baseline_mae");
    rival.or_else(|| model.metrics.get("prior_loss")).copied()
}

/// What the trainings of one combination came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CombinationResult {
    /// Empty where nothing is swept.
    pub(super) combination: String,
    /// Trainings that were asked for, and those that made a version.
    pub(super) trainings: usize,
    pub(super) trained: usize,
    /// Over all that made a version.
    pub(super) validation: Option<Moments>,
    pub(super) test: Option<Moments>,
    /// What the simplest rival reaches on the test parts.
    pub(super) test_rival: Option<Moments>,
    /// The version with the lowest loss on validation.
    pub(super) best: Option<u32>,
}

/// What a sweep came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SweepResults {
    /// The best on validation first; those without a version last.
    pub(super) combinations: Vec<CombinationResult>,
    pub(super) trainings: usize,
    pub(super) trained: usize,
    pub(super) failed: usize,
    /// Why the first of those has failed.
    first_error: Option<ErrorRecord>,
    pub(super) folds: usize,
    /// `loss` or `mae`.
    pub(super) figure: &'static str,
    /// Of choosing among the combinations; absent unless all of 4, 6, … 16 folds are there.
    pub(super) overfitting: Option<Overfitting>,
    /// Of the version that is chosen; absent where none was measured.
    pub(super) edge: Option<SweepEdge>,
}

impl SweepResults {
    /// Refuses a sweep of which trainings have failed: its operations have not.
    ///
    /// # Errors
    /// A training has failed.
    pub(super) fn refuse_failed(&self, op: &OperationId) -> Result<(), Failure> {
        match &self.first_error {
            Some(error) if self.failed > 0 => Err(Failure {
                message: format!(
                    "{} of {} failed",
                    self.failed,
                    count_of(self.trainings, "training")
                ),
                ..Failure::of_operation(op, "", error)
            }),
            _ => Ok(()),
        }
    }
}

/// Gathers the trainings by combination, in the order of their first.
pub(super) fn summarise(trainings: &[SweptTraining]) -> SweepResults {
    let mut names: Vec<&str> = Vec::new();
    for training in trainings {
        if !names.contains(&training.combination.as_str()) {
            names.push(&training.combination);
        }
    }
    let folds = trainings
        .iter()
        .map(|training| training.fold)
        .max()
        .unwrap_or(0);

    let mut losses = Vec::with_capacity(names.len());
    let mut combinations = Vec::with_capacity(names.len());
    for name in names {
        let of_name = trainings
            .iter()
            .filter(|training| training.combination == name);
        let of_name: Vec<&SweptTraining> = of_name.collect();
        losses.push(losses_by_fold(&of_name, folds));
        combinations.push(combination_result(name, &of_name));
    }

    // Stable, so that equal ones stay in the order of the flags.
    let key = |result: &CombinationResult| result.validation.map_or(f64::INFINITY, |it| it.mean);
    combinations.sort_by(|one, other| key(one).total_cmp(&key(other)));
    let failed = trainings.iter().filter(|training| training.has_failed());
    let chosen = combinations.first().and_then(|first| first.best);
    SweepResults {
        edge: chosen.and_then(|version| edge_of(trainings, version)),
        trainings: trainings.len(),
        trained: trainings
            .iter()
            .filter(|training| training.model.is_some())
            .count(),
        first_error: failed.clone().find_map(|training| training.error.clone()),
        failed: failed.count(),
        folds,
        figure: figure_name(trainings),
        overfitting: backtest_overfitting(&losses),
        combinations,
    }
}

/// The edge of a version that was chosen among all trainings.
fn edge_of(trainings: &[SweptTraining], chosen: u32) -> Option<SweepEdge> {
    let models = trainings
        .iter()
        .filter_map(|training| training.model.as_ref());
    let models: Vec<&ModelSummary> = models.collect();
    SweepEdge::of(&models, chosen)
}

fn combination_result(name: &str, trainings: &[&SweptTraining]) -> CombinationResult {
    let models = trainings
        .iter()
        .filter_map(|training| training.model.as_ref());
    let models: Vec<&ModelSummary> = models.collect();
    let rivals = models.iter().filter_map(|model| rival_of(model));
    let measured = models
        .iter()
        .filter(|model| figure_of(model, Part::Validation).is_some());
    let key = |model: &ModelSummary| figure_of(model, Part::Validation).unwrap_or(f64::INFINITY);
    let best = measured.min_by(|one, other| key(one).total_cmp(&key(other)));

    CombinationResult {
        combination: name.to_owned(),
        trainings: trainings.len(),
        trained: models.len(),
        validation: moments(&figures_of(trainings, Part::Validation)),
        test: moments(&figures_of(trainings, Part::Test)),
        test_rival: moments(&rivals.collect::<Vec<f64>>()),
        best: best.map(|model| model.version),
    }
}

fn figures_of(trainings: &[&SweptTraining], part: Part) -> Vec<f64> {
    let figures = trainings
        .iter()
        .filter_map(|training| training.figure(part));
    figures.collect()
}

/// The mean loss on the test part of each fold, over the seeds; not a number where none is there.
fn losses_by_fold(trainings: &[&SweptTraining], folds: usize) -> Vec<f64> {
    let mut losses = Vec::with_capacity(folds);
    for fold in 1..=folds {
        let trainings = trainings.iter().filter(|training| training.fold == fold);
        let of_fold = trainings.filter_map(|training| training.figure(Part::Test));
        let of_fold = moments(&of_fold.collect::<Vec<f64>>());
        losses.push(of_fold.map_or(f64::NAN, |moments| moments.mean));
    }
    losses
}

fn figure_name(trainings: &[SweptTraining]) -> &'static str {
    let mut models = trainings
        .iter()
        .filter_map(|training| training.model.as_ref());
    match models.any(|model| model.metrics.contains_key(MEAN_ERROR)) {
        true => MEAN_ERROR,
        false => LOSS,
    }
}
