//! From the scores of a part to its metrics.

use schemas::metrics::{
    ClassMetrics, ClassSkill, GroupMetrics, KindMetrics, PartMetrics, RegressionMetrics,
    Temperature, Uncalibrated, Uncertainty,
};
use schemas::training::Loss;

use super::answers::{Answer, AnswerTally, answers_of};
use super::bootstrap::{block_length, uncertainty_of};
use super::calibration::{calibration_of, fit_temperature};
use super::groups::{RowOrigins, groups_of};
use super::probabilities::{index_of_max, log_probabilities};
use super::returns::{Forecast, ForecastTally, forecasts_of};
use super::{Baseline, mean_of, tally_of};
use crate::labels::Labels;
use crate::objective::Objective;

/// Scores as they are.
const NO_TEMPERATURE: f64 = 1.0;

/// Scores of a part, `[rows, outputs]`, row-major, and what they are measured against.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// Raw scores, before any softmax.
    pub scores: &'a [f32],
    /// True labels, one per row.
    pub labels: &'a Labels,
    /// What training minimised.
    pub objective: &'a Objective,
}

impl Scored<'_> {
    /// The value of the training criterion.
    pub fn criterion_value(&self) -> f64 {
        match self.labels {
            Labels::Classes(labels) => self.class_criterion(labels),
            Labels::Returns(labels) => {
                let loss = self.objective.scaled_loss();
                let forecasts = forecasts_of(self.scores, labels);
                let errors = forecasts.iter().map(Forecast::error);
                let scaled = errors.map(|error| error / self.objective.target_scale);
                mean_of(scaled.map(|error| regression_loss(loss, error)))
            }
        }
    }

    /// Share of right classes, or of right signs among labels other than 0; absent when no row
    /// counts.
    pub fn accuracy(&self) -> Option<f64> {
        match self.labels {
            Labels::Classes(labels) => {
                let rows = self.rows().zip(labels);
                let right = rows.filter(|(row, label)| index_of_max(row) as i64 == **label);
                let right = right.count() as f64;
                (!labels.is_empty()).then(|| right / labels.len() as f64)
            }
            Labels::Returns(labels) => {
                tally_of(&ForecastTally::new(0.0), &forecasts_of(self.scores, labels))
                    .directional_accuracy()
            }
        }
    }

    /// The metrics of one pass over the rows, beside those of `baseline`; `names` are the class
    /// names.
    pub fn metrics(&self, names: &[String], baseline: &Baseline) -> PartMetrics {
        let rows = self.labels.len() as u64;
        let criterion = self.criterion_value();

        // Weights of classes differ between data sets; without them losses can be compared.
        match self.labels {
            Labels::Classes(labels) => {
                let answers = answers_of(self.scores, labels, NO_TEMPERATURE);
                let tally = tally_of(&AnswerTally::new(&baseline.class_shares), &answers);
                PartMetrics {
                    rows,
                    criterion,
                    loss: tally.loss(),
                    kind: KindMetrics::Classes(class_metrics(&tally, &answers, names)),
                }
            }
            Labels::Returns(labels) => {
                let forecasts = forecasts_of(self.scores, labels);
                let tally = tally_of(&ForecastTally::new(baseline.mean), &forecasts);
                PartMetrics {
                    rows,
                    criterion,
                    loss: tally.mse(),
                    kind: KindMetrics::Regression(regression_metrics(&tally, &forecasts)),
                }
            }
        }
    }

    /// How far the figures would differ on other rows of the same kind; none for too few rows, or
    /// when `stopped` says so.
    pub fn uncertainty(
        &self,
        baseline: &Baseline,
        seed: u64,
        stopped: &dyn Fn() -> bool,
    ) -> Option<Uncertainty> {
        let block = block_length(self.labels);

        match self.labels {
            Labels::Classes(labels) => {
                let answers = answers_of(self.scores, labels, NO_TEMPERATURE);
                let empty = AnswerTally::new(&baseline.class_shares);
                uncertainty_of(&empty, &answers, block, seed, stopped)
            }
            Labels::Returns(labels) => {
                let forecasts = forecasts_of(self.scores, labels);
                let empty = ForecastTally::new(baseline.mean);
                uncertainty_of(&empty, &forecasts, block, seed, stopped)
            }
        }
    }

    /// The figures by symbol, then by month; `origins` has one entry a row.
    pub fn groups(&self, baseline: &Baseline, origins: &RowOrigins) -> Vec<GroupMetrics> {
        match self.labels {
            Labels::Classes(labels) => {
                let answers = answers_of(self.scores, labels, NO_TEMPERATURE);
                let empty = AnswerTally::new(&baseline.class_shares);
                groups_of(&empty, &answers, origins)
            }
            Labels::Returns(labels) => {
                let forecasts = forecasts_of(self.scores, labels);
                groups_of(&ForecastTally::new(baseline.mean), &forecasts, origins)
            }
        }
    }

    /// The temperature that fits these scores best; none for a regression.
    pub fn fit_temperature(&self) -> Option<f64> {
        let labels = classes_of(self.labels)?;
        Some(fit_temperature(self.scores, labels))
    }

    /// The figures of these scores, those of a test part, divided by `value`; none for a
    /// regression.
    pub fn at_temperature(&self, value: f64) -> Option<Temperature> {
        let labels = classes_of(self.labels)?;

        let answers = answers_of(self.scores, labels, value);
        Some(Temperature {
            value,
            loss: mean_of(answers.iter().map(|answer| answer.loss)),
            brier: mean_of(answers.iter().map(|answer| answer.brier)),
            calibration: calibration_of(&answers),
            uncalibrated: None,
        })
    }

    /// The same of a temperature that is stored with the model, beside the figures without it.
    pub fn at_stored_temperature(&self, value: f64) -> Option<Temperature> {
        let without = self.at_temperature(NO_TEMPERATURE)?;

        Some(Temperature {
            uncalibrated: Some(Uncalibrated {
                loss: without.loss,
                brier: without.brier,
                ece: without.calibration.ece,
            }),
            ..self.at_temperature(value)?
        })
    }

    /// The scores of each row, `[outputs]` at a time.
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        let outputs = self.scores.len() / self.labels.len().max(1);
        self.scores.chunks_exact(outputs.max(1))
    }

    /// The mean of the criterion over rows, or over weights, as [`networks::losses`] defines it.
    fn class_criterion(&self, labels: &[i64]) -> f64 {
        let weights = &self.objective.class_weights;
        let smoothing = self.objective.label_smoothing;
        let mut logarithms = Vec::new();
        let mut loss_sum = 0.0;
        let mut weight_sum = 0.0;
        for (row, &label) in self.rows().zip(labels) {
            // The data were checked: a label that is not a class is a defect, and gives NaN.
            let class = usize::try_from(label).unwrap_or(usize::MAX);
            let weight = weights.get(class).copied().unwrap_or(f64::NAN);
            log_probabilities(row, NO_TEMPERATURE, &mut logarithms);
            let logarithm = logarithms.get(class).copied().unwrap_or(f64::NAN);
            let focus = match self.objective.loss {
                Loss::Focal { gamma } => libm::pow(1.0 - libm::exp(logarithm), gamma),
                _ => 1.0 - smoothing,
            };
            loss_sum -= weight * focus * logarithm;
            weight_sum += weight;

            // The share of the label that is spread over all classes.
            if smoothing > 0.0 {
                let each = weights.iter().zip(&logarithms);
                let sum: f64 = each.map(|pair| pair.0 * pair.1).sum();
                loss_sum -= smoothing / weights.len() as f64 * sum;
            }
        }

        match self.objective.loss {
            Loss::Focal { .. } => loss_sum / labels.len() as f64,
            _ => loss_sum / weight_sum,
        }
    }
}

fn classes_of(labels: &Labels) -> Option<&[i64]> {
    match labels {
        Labels::Classes(labels) => Some(labels),
        Labels::Returns(_) => None,
    }
}

fn class_metrics(tally: &AnswerTally, answers: &[Answer], names: &[String]) -> ClassMetrics {
    let names = names.iter().enumerate();
    let classes: Vec<_> = names
        .map(|(class, name)| tally.rates(class, name))
        .collect();

    ClassMetrics {
        accuracy: tally.accuracy(),
        majority_accuracy: tally.majority_accuracy(),
        macro_precision: mean_of(classes.iter().map(|class| class.precision)),
        macro_recall: mean_of(classes.iter().map(|class| class.recall)),
        macro_f1: mean_of(classes.iter().map(|class| class.f1)),
        classes,
        confusion: tally.confusion().to_vec(),
        skill: Some(ClassSkill {
            balanced_accuracy: tally.balanced_accuracy(),
            mcc: tally.mcc(),
            brier: tally.brier(),
            prior_loss: tally.prior_loss(),
            prior_brier: tally.prior_brier(),
            calibration: calibration_of(answers),
        }),
    }
}

fn regression_metrics(tally: &ForecastTally, forecasts: &[Forecast]) -> RegressionMetrics {
    let labels = || forecasts.iter().map(|forecast| forecast.label);
    let mean = mean_of(labels());
    let variance = mean_of(labels().map(|label| (label - mean) * (label - mean)));

    RegressionMetrics {
        mae: tally.mae(),
        mse: tally.mse(),
        r2: r2_of(tally.mse(), variance),
        directional_accuracy: tally.directional_accuracy(),
        zero_labels: tally.zero_labels(),
        baseline_mae: tally.baseline_mae(),
        baseline_mse: tally.baseline_mse(),
        always_up_accuracy: tally.always_up_accuracy(),
        zero_predictions: tally.zero_predictions(),
    }
}

/// 1 − mse / variance; labels that do not vary leave nothing to explain.
fn r2_of(mse: f64, variance: f64) -> f64 {
    if variance == 0.0 {
        0.0
    } else {
        1.0 - mse / variance
    }
}

/// The loss of one row of a regression.
fn regression_loss(loss: Loss, error: f64) -> f64 {
    match loss {
        Loss::Huber { delta } if error.abs() <= delta => 0.5 * error * error,
        Loss::Huber { delta } => delta * (error.abs() - 0.5 * delta),
        _ => error * error,
    }
}
