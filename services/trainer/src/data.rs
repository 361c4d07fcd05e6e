//! What a training learns from: three parts of rows with labels, checked before the first step.
//!
//! A sample is what the network sees at once, with its label: a row, or for a recurrent network a
//! window of rows, which has the label of the last. The rows of a window lie next to each other in
//! the features, so that a window is a slice of them.

use std::ops::Range;

use schemas::manifests::{Network, OutputKind};
use schemas::names::TRAIN_PART;
use strategies::splits::Part;
use strategies::windows::Windows;

pub use metrics::Labels;

use crate::TrainError;

/// The rows of one part of a data set.
#[derive(Clone, Debug)]
pub struct PartData {
    /// `[rows, features]`, row-major, scaled as the data set says, in the network's column order.
    pub features: Vec<f32>,
    /// One label per sample, `[samples]`.
    pub labels: Labels,
    /// The rows of each sample; absent where each row is a sample.
    pub windows: Option<Windows>,
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
    /// How often each training sample is drawn, relative to the others; absent = an epoch sees
    /// every sample once.
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
    /// labels of the wrong kind, weights that cannot be drawn by, and a training part without a
    /// feature that changes or without a row of some class.
    pub fn check(&self, network: &Network) -> Result<(), TrainError> {
        for part in Part::ALL {
            self.part(part).check(part.name(), network)?;
        }
        if let Some(weights) = &self.weights {
            self.train.check_weights(weights)?;
        }
        let width = network.features.len();
        if self.train.constant_columns(width).len() == width {
            let rows = self.train.features.len() / width.max(1);
            return Err(TrainError::Constant { rows });
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

impl PartData {
    /// Positions of the columns, of `width`, that have one value in every row.
    pub(crate) fn constant_columns(&self, width: usize) -> Vec<usize> {
        let mut rows = self.features.chunks_exact(width.max(1));
        let first = rows.next().unwrap_or_default();
        let mut constant: Vec<usize> = (0..first.len()).collect();

        // Most columns change soon, and then nothing is left to look at.
        for row in rows {
            constant.retain(|column| row.get(*column) == first.get(*column));
            if constant.is_empty() {
                break;
            }
        }
        constant
    }

    /// The values that a network of `inputs` inputs reads for a sample: `[features]`, or
    /// `[length, features]`, oldest row first.
    pub(crate) fn input_of(&self, sample: usize, inputs: usize) -> &[f32] {
        let end = match &self.windows {
            None => (sample + 1) * inputs,
            Some(windows) => (self.row_of(sample) + 1) * (inputs / windows.length),
        };
        let start = end.saturating_sub(inputs);
        self.features.get(start..end).unwrap_or_default()
    }

    /// The values of several samples, one after the other. Rows are not copied, windows are
    /// gathered in `gathered`.
    pub(crate) fn inputs_of<'a>(
        &'a self,
        samples: Range<usize>,
        inputs: usize,
        gathered: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        if self.windows.is_none() {
            let values = samples.start * inputs..samples.end * inputs;
            return self.features.get(values).unwrap_or_default();
        }

        gathered.clear();
        for sample in samples {
            gathered.extend_from_slice(self.input_of(sample, inputs));
        }
        gathered
    }

    /// The row of a sample: the last one of its window.
    fn row_of(&self, sample: usize) -> usize {
        match &self.windows {
            None => sample,
            Some(windows) => windows.last_rows.get(sample).copied().unwrap_or(usize::MAX),
        }
    }

    /// Rows of the part in which no window ends.
    pub(crate) fn rows_without_window(&self, network: &Network) -> u64 {
        match &self.windows {
            None => 0,
            Some(_) => {
                let rows = self.features.len() / network.features.len().max(1);
                rows.saturating_sub(self.labels.len()) as u64
            }
        }
    }

    fn check(&self, part: &'static str, network: &Network) -> Result<(), TrainError> {
        if self.features.is_empty() && self.labels.is_empty() {
            return Err(TrainError::EmptyPart { part });
        }
        self.check_shape(part, network)?;

        // Values after shapes: a position is only meaningful in a table of the right width.
        self.check_features(part, network)?;
        self.check_labels(part, network)
    }

    /// Every sample has a label and all its values.
    fn check_shape(&self, part: &'static str, network: &Network) -> Result<(), TrainError> {
        let width = network.features.len();
        let samples = self.labels.len();
        let rows = self.features.len() / width.max(1);

        let fits = match &self.windows {
            None => samples * network.input_count() == self.features.len(),
            Some(windows) if windows.last_rows.is_empty() => {
                return Err(TrainError::NoWindow {
                    part,
                    length: windows.length,
                    rows,
                    longest: windows.longest_stretch,
                });
            }
            Some(windows) => {
                // They ascend, so the first and the last one bound them all.
                let first = windows.last_rows.first().copied().unwrap_or_default();
                let last = windows.last_rows.last().copied().unwrap_or_default();
                windows.length == network.architecture.sequence_length()
                    && windows.last_rows.len() == samples
                    && rows * width == self.features.len()
                    && (windows.length..=rows).contains(&(first + 1))
                    && last < rows
            }
        };

        if fits {
            Ok(())
        } else {
            Err(TrainError::Shape {
                part,
                rows: samples,
                values: self.features.len(),
                width: network.input_count(),
            })
        }
    }

    /// One weight per sample, each above 0: one that can never be drawn is not part of the
    /// training.
    fn check_weights(&self, weights: &[f32]) -> Result<(), TrainError> {
        let samples = self.labels.len();
        if weights.len() != samples {
            return Err(TrainError::Weights {
                weights: weights.len(),
                rows: samples,
            });
        }

        let unusable = |weight: &f32| !(weight.is_finite() && *weight > 0.0);
        match weights.iter().position(unusable) {
            Some(sample) => Err(TrainError::Value {
                part: TRAIN_PART,
                row: self.row_of(sample),
                column: "weight".to_owned(),
                value: weights.get(sample).copied().unwrap_or(f32::NAN),
            }),
            None => Ok(()),
        }
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
                self.check_class_labels(part, labels, names.len())
            }
            (Labels::Returns(labels), OutputKind::Regression) => self.check_returns(part, labels),
            _ => Err(TrainError::Kinds),
        }
    }

    fn check_class_labels(
        &self,
        part: &'static str,
        labels: &[i64],
        classes: usize,
    ) -> Result<(), TrainError> {
        // Class names are in label order, so a label is an index into them.
        for (sample, &label) in labels.iter().enumerate() {
            let is_class = usize::try_from(label).is_ok_and(|class| class < classes);
            if !is_class {
                return Err(TrainError::Label {
                    part,
                    row: self.row_of(sample),
                    label,
                    classes,
                });
            }
        }

        Ok(())
    }

    fn check_returns(&self, part: &'static str, labels: &[f32]) -> Result<(), TrainError> {
        match position_of_infinite(labels) {
            Some(sample) => Err(TrainError::Value {
                part,
                row: self.row_of(sample),
                column: "label".to_owned(),
                value: labels.get(sample).copied().unwrap_or(f32::NAN),
            }),
            None => Ok(()),
        }
    }
}

/// Position of the first value that is infinite or NaN.
fn position_of_infinite(values: &[f32]) -> Option<usize> {
    values.iter().position(|value| !value.is_finite())
}
