//! What a training learns from: three parts of rows with labels, checked before the first step.

use schemas::manifests::{Network, OutputKind};

use crate::TrainError;

/// The labels of a part, one a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Index into the network's class names.
    Classes(Vec<i64>),
    /// Forward return as a fraction (0.01 = 1 %).
    Returns(Vec<f32>),
}

impl Labels {
    /// Rows.
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

    /// How many of `rows` count for an accuracy: every classified row, and every return other than
    /// 0.
    pub fn countable(&self, rows: &[i64]) -> u64 {
        let moved = |labels: &[f32], row: &i64| {
            labels.get(*row as usize).is_some_and(|label| *label != 0.0)
        };
        match self {
            Self::Classes(_) => rows.len() as u64,
            Self::Returns(labels) => rows.iter().filter(|row| moved(labels, row)).count() as u64,
        }
    }

    /// Rows of each class `0..classes`; all zero for returns.
    pub fn counts(&self, classes: usize) -> Vec<u64> {
        let mut counts = vec![0; classes];
        if let Self::Classes(labels) = self {
            for &label in labels {
                if let Some(count) = usize::try_from(label)
                    .ok()
                    .and_then(|class| counts.get_mut(class))
                {
                    *count += 1;
                }
            }
        }
        counts
    }
}

/// One part of a data set.
#[derive(Clone, Debug)]
pub struct Part {
    /// `[rows, features]`, row-major, scaled as the data set says, in the network's column order.
    pub features: Vec<f32>,
    /// `[rows]`.
    pub labels: Labels,
}

/// The parts in time order. Validation and test are never weighed.
#[derive(Clone, Debug)]
pub struct TrainingData {
    /// What the weights are fitted to.
    pub train: Part,
    /// What chooses the best epoch.
    pub validation: Part,
    /// What is measured once, at the end.
    pub test: Part,
    /// How often each training row is drawn, beside the others; absent = an epoch sees every row
    /// once.
    pub weights: Option<Vec<f32>>,
}

impl TrainingData {
    /// The parts with their names.
    pub fn parts(&self) -> [(&'static str, &Part); 3] {
        [
            ("train", &self.train),
            ("validation", &self.validation),
            ("test", &self.test),
        ]
    }

    /// Checks that `network` can be trained on these rows.
    ///
    /// # Errors
    /// For an empty part, features of another width, values that are not finite, unknown classes,
    /// labels of the wrong kind, weights that cannot be drawn by, and a class that the training
    /// part lacks.
    pub fn check(&self, network: &Network) -> Result<(), TrainError> {
        for (name, part) in self.parts() {
            part.check(name, network)?;
        }
        if let Some(weights) = &self.weights {
            check_weights(weights, self.train.labels.len())?;
        }
        let OutputKind::Classes { names } = &network.output else {
            return Ok(());
        };
        let counts = self.train.labels.counts(names.len());
        let absent: Vec<String> = names
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count == 0)
            .map(|(n, _)| n.clone())
            .collect();
        if absent.is_empty() {
            Ok(())
        } else {
            Err(TrainError::ClassAbsent { names: absent })
        }
    }
}

/// One weight a row, each above 0: a row that can never be drawn would be no row of the part.
fn check_weights(weights: &[f32], rows: usize) -> Result<(), TrainError> {
    if weights.len() != rows {
        return Err(TrainError::Weights {
            weights: weights.len(),
            rows,
        });
    }
    match weights
        .iter()
        .enumerate()
        .find(|(_, weight)| !(weight.is_finite() && **weight > 0.0))
    {
        Some((row, &value)) => Err(TrainError::Value {
            part: "train",
            row,
            column: "weight".to_owned(),
            value,
        }),
        None => Ok(()),
    }
}

impl Part {
    fn check(&self, part: &'static str, network: &Network) -> Result<(), TrainError> {
        let (rows, width, values) = (
            self.labels.len(),
            network.features.len(),
            self.features.len(),
        );
        if rows == 0 {
            return Err(TrainError::EmptyPart { part });
        }
        if rows * width != values {
            return Err(TrainError::Shape {
                part,
                rows,
                values,
                width,
            });
        }
        if let Some((position, &value)) = self
            .features
            .iter()
            .enumerate()
            .find(|(_, value)| !value.is_finite())
        {
            let column = network
                .features
                .get(position % width)
                .map(|column| column.name.clone())
                .unwrap_or_default();
            return Err(TrainError::Value {
                part,
                row: position / width,
                column,
                value,
            });
        }
        match (&self.labels, &network.output) {
            (Labels::Classes(labels), OutputKind::Classes { names }) => {
                let classes = names.len();
                let known = |label: i64| usize::try_from(label).is_ok_and(|class| class < classes);
                match labels.iter().enumerate().find(|(_, label)| !known(**label)) {
                    Some((row, &label)) => Err(TrainError::Label {
                        part,
                        row,
                        label,
                        classes,
                    }),
                    None => Ok(()),
                }
            }
            (Labels::Returns(labels), OutputKind::Regression) => {
                match labels
                    .iter()
                    .enumerate()
                    .find(|(_, value)| !value.is_finite())
                {
                    Some((row, &value)) => Err(TrainError::Value {
                        part,
                        row,
                        column: "label".to_owned(),
                        value,
                    }),
                    None => Ok(()),
                }
            }
            _ => Err(TrainError::Kinds),
        }
    }
}
