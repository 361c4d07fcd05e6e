//! What a training learns from: three parts of rows with labels, checked before the first step.

use schemas::manifests::{Network, OutputKind};
use schemas::names::TRAIN_PART;
use strategies::splits::Part;

use crate::TrainError;

/// The labels of a part, one per row.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Index into the network's class names.
    Classes(Vec<i64>),
    /// Forward return as a fraction (0.01 = 1 %).
    Returns(Vec<f32>),
}

impl Labels {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Returns(labels) => labels.len(),
        }
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of `rows`, in their order.
    pub(crate) fn of_rows(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes(labels) => Self::Classes(values_at(labels, rows)),
            Self::Returns(labels) => Self::Returns(values_at(labels, rows)),
        }
    }

    /// How many of `rows` count for an accuracy: every classified row, and every return other than
    /// 0, which has a direction.
    pub fn countable(&self, rows: &[i64]) -> u64 {
        match self {
            Self::Classes(_) => rows.len() as u64,
            Self::Returns(labels) => {
                let labels = rows.iter().filter_map(|row| labels.get(*row as usize));
                labels.filter(|label| **label != 0.0).count() as u64
            }
        }
    }

    /// Rows of each class `0..classes`; all zero for returns.
    pub fn counts(&self, classes: usize) -> Vec<u64> {
        let mut counts = vec![0; classes];
        let Self::Classes(labels) = self else {
            return counts;
        };

        // Labels that are no class are reported by the check of the part.
        for &label in labels {
            let class = usize::try_from(label).ok();
            if let Some(count) = class.and_then(|class| counts.get_mut(class)) {
                *count += 1;
            }
        }
        counts
    }
}

fn values_at<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    let values = rows.iter().filter_map(|row| values.get(*row));
    values.copied().collect()
}

/// The rows of one part of a data set.
#[derive(Clone, Debug)]
pub struct PartData {
    /// `[rows, features]`, row-major, scaled as the data set says, in the network's column order.
    pub features: Vec<f32>,
    /// One label per row, `[rows]`.
    pub labels: Labels,
}

/// The parts in time order. Validation and test are never weighted.
#[derive(Clone, Debug)]
pub struct TrainingData {
    /// The weights are fitted to it.
    pub train: PartData,
    /// It chooses the best epoch.
    pub validation: PartData,
    /// It is measured once, at the end.
    pub test: PartData,
    /// How often each training row is drawn, relative to the others; absent = an epoch sees every
    /// row once.
    pub weights: Option<Vec<f32>>,
}

impl TrainingData {
    /// The rows of `part`.
    pub const fn part(&self, part: Part) -> &PartData {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        }
    }

    /// Checks that `network` can be trained on these rows.
    ///
    /// # Errors
    /// For an empty part, features of another width, values that are not finite, unknown classes,
    /// labels of the wrong kind, weights that cannot be drawn by, and a class that the training
    /// part lacks.
    pub fn check(&self, network: &Network) -> Result<(), TrainError> {
        for part in Part::ALL {
            self.part(part).check(part.name(), network)?;
        }
        if let Some(weights) = &self.weights {
            check_weights(weights, self.train.labels.len())?;
        }

        match &network.output {
            OutputKind::Classes { names } => self.check_classes(names),
            OutputKind::Regression => Ok(()),
        }
    }

    /// Nothing can be learnt about a class without a training row.
    fn check_classes(&self, names: &[String]) -> Result<(), TrainError> {
        let counts = self.train.labels.counts(names.len());
        let absent: Vec<String> = names
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count == 0)
            .map(|(name, _)| name.clone())
            .collect();

        if absent.is_empty() {
            Ok(())
        } else {
            Err(TrainError::ClassAbsent { names: absent })
        }
    }
}

/// One weight per row, each above 0: a row that can never be drawn is not part of the training.
fn check_weights(weights: &[f32], rows: usize) -> Result<(), TrainError> {
    if weights.len() != rows {
        return Err(TrainError::Weights {
            weights: weights.len(),
            rows,
        });
    }

    let unusable = |weight: &f32| !(weight.is_finite() && *weight > 0.0);
    match weights.iter().position(unusable) {
        Some(row) => Err(TrainError::Value {
            part: TRAIN_PART,
            row,
            column: "weight".to_owned(),
            value: weights.get(row).copied().unwrap_or(f32::NAN),
        }),
        None => Ok(()),
    }
}

impl PartData {
    fn check(&self, part: &'static str, network: &Network) -> Result<(), TrainError> {
        let rows = self.labels.len();
        if rows == 0 {
            return Err(TrainError::EmptyPart { part });
        }

        let width = network.features.len();
        if rows * width != self.features.len() {
            return Err(TrainError::Shape {
                part,
                rows,
                values: self.features.len(),
                width,
            });
        }

        // Values after shapes: a position is only meaningful in a table of the right width.
        self.check_features(part, network)?;
        self.check_labels(part, network)
    }

    fn check_features(&self, part: &'static str, network: &Network) -> Result<(), TrainError> {
        let Some(position) = position_of_infinite(&self.features) else {
            return Ok(());
        };

        // Features are row by row, so the position says both row and column.
        let width = network.features.len().max(1);
        let column = network.features.get(position % width);
        Err(TrainError::Value {
            part,
            row: position / width,
            column: column.map(|column| column.name.clone()).unwrap_or_default(),
            value: self.features.get(position).copied().unwrap_or(f32::NAN),
        })
    }

    fn check_labels(&self, part: &'static str, network: &Network) -> Result<(), TrainError> {
        match (&self.labels, &network.output) {
            (Labels::Classes(labels), OutputKind::Classes { names }) => {
                check_class_labels(part, labels, names.len())
            }
            (Labels::Returns(labels), OutputKind::Regression) => check_returns(part, labels),
            _ => Err(TrainError::Kinds),
        }
    }
}

fn check_class_labels(
    part: &'static str,
    labels: &[i64],
    classes: usize,
) -> Result<(), TrainError> {
    // Class names are in label order, so a label is an index into them.
    for (row, &label) in labels.iter().enumerate() {
        let is_class = usize::try_from(label).is_ok_and(|class| class < classes);
        if !is_class {
            return Err(TrainError::Label {
                part,
                row,
                label,
                classes,
            });
        }
    }

    Ok(())
}

fn check_returns(part: &'static str, labels: &[f32]) -> Result<(), TrainError> {
    match position_of_infinite(labels) {
        Some(row) => Err(TrainError::Value {
            part,
            row,
            column: "label".to_owned(),
            value: labels.get(row).copied().unwrap_or(f32::NAN),
        }),
        None => Ok(()),
    }
}

/// Position of the first value that is infinite or NaN.
fn position_of_infinite(values: &[f32]) -> Option<usize> {
    values.iter().position(|value| !value.is_finite())
}
