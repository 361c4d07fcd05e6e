//! What a request changes in a strategy.

use market::{Instrument, Timeframe, Utc};
use schemas::training::TrainingSettings;
use serde::{Deserialize, Serialize};

use crate::strategy::Split;

/// What a request changes in a strategy; absent = as the strategy says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// Instruments to train on, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<Instrument>>,
    /// Timeframes; the base stays if it is among them, else it is the finest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeframes: Option<Vec<Timeframe>>,
    /// First instant, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Utc>,
    /// Last instant, exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Utc>,
    /// Where validation begins; goes with `test_start`, and the two replace the strategy's split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_start: Option<Utc>,
    /// Where the test begins; goes with `validation_start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_start: Option<Utc>,
    /// Share of the rows that validate; the training part gives or takes the difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_split: Option<f64>,
    /// Passes over the training part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Seed of initialisation, shuffling and dropout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Step size of the optimiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Rows per optimiser step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
}

impl Overrides {
    /// The split by dates when the request has both of them, by its share of validation when it
    /// has one, else that of the strategy. The shares may be out of bounds.
    pub(super) fn apply_to_split(&self, strategy: Split) -> Split {
        if let (Some(validation_start), Some(test_start)) = (self.validation_start, self.test_start)
        {
            return Split::Dates {
                validation_start,
                test_start,
            };
        }

        // The test part stays as it is, so that its figures can be compared.
        match (self.validation_split, strategy) {
            (Some(validation), Split::Fractions { test, .. }) => Split::Fractions {
                train: 1.0 - test - validation,
                validation,
                test,
            },
            _ => strategy,
        }
    }

    /// The settings of the strategy with those of the request applied; they may be out of bounds.
    pub(super) fn apply_to_settings(&self, strategy: &TrainingSettings) -> TrainingSettings {
        TrainingSettings {
            epochs: self.epochs.unwrap_or(strategy.epochs),
            learning_rate: self.learning_rate.unwrap_or(strategy.learning_rate),
            batch_size: self.batch_size.unwrap_or(strategy.batch_size),
            ..strategy.clone()
        }
    }
}
