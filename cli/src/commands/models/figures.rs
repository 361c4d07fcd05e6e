//! A figure of a part of a registered model by its name, as in `validation.loss`.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use schemas::names::{TEST_PART, VALIDATION_PART};
use schemas::queries::ModelSummary;

/// Figures that are better when they are lower.
const LOWER_IS_BETTER: [&str; 7] = [
    "loss",
    "criterion",
    "brier",
    "ece",
    "mae",
    "prior_loss",
    "baseline_mae",
];
/// Another name of `loss`, which says what it is for a classifier.
const LOG_LOSS: &str = "log_loss";

/// A figure of the validation or the test part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FigureName {
    of_test: bool,
    figure: String,
}

impl FigureName {
    /// Reads `validation.loss` or `test.accuracy`; none for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (part, figure) = text.split_once('.')?;
        let figure = if figure == LOG_LOSS { "loss" } else { figure };
        let is_known = part == TEST_PART || part == VALIDATION_PART;
        is_known.then(|| Self {
            of_test: part == TEST_PART,
            figure: figure.to_owned(),
        })
    }

    /// True for one of the test part, by which no model should be chosen.
    pub(super) fn is_of_test(&self) -> bool {
        self.of_test
    }

    /// Its value for `model`, where it was measured.
    pub(super) fn of(&self, model: &ModelSummary) -> Option<f64> {
        let figures = if self.of_test {
            &model.metrics
        } else {
            &model.validation
        };
        figures.get(&self.figure).copied()
    }

    /// The better model first; one without the figure comes last.
    pub(super) fn compare(&self, one: &ModelSummary, other: &ModelSummary) -> Ordering {
        match (self.of(one), self.of(other)) {
            (Some(one), Some(other)) if self.is_lower_better() => one.total_cmp(&other),
            (Some(one), Some(other)) => other.total_cmp(&one),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }

    fn is_lower_better(&self) -> bool {
        LOWER_IS_BETTER.contains(&self.figure.as_str())
    }
}

/// All figures that some of `models` have, as they are written.
pub(super) fn figure_names(models: &[ModelSummary]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for model in models {
        for (part, figures) in [
            (VALIDATION_PART, &model.validation),
            (TEST_PART, &model.metrics),
        ] {
            names.extend(figures.keys().map(|figure| format!("{part}.{figure}")));
        }
    }
    names.into_iter().collect()
}
