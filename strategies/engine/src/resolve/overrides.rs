//! What a request changes in a strategy.

use market::{Instrument, Timeframe, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::grammar::{ChangedSettings, change_settings};
use crate::json_nodes::node_of_map;
use crate::strategy::{Split, TrainingSection};

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
    /// Keys of the section `training` that set the trainer (`optimizer`, `lr_scheduler`, …), with
    /// values as a file has them. They win over the fields above.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub training: Map<String, Json>,
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

    /// The settings of the strategy with those of the request, and what is wrong with these.
    pub(super) fn apply_to_settings(&self, strategy: &TrainingSection) -> ChangedSettings {
        let fields = [
            ("epochs", self.epochs.map(|epochs| json!(epochs))),
            ("learning_rate", self.learning_rate.map(|rate| json!(rate))),
            ("batch_size", self.batch_size.map(|rows| json!(rows))),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));

        // One mapping, as a file has it: the later of two equal keys wins.
        let mut changes: Map<String, Json> = fields.collect();
        changes.extend(self.training.clone());
        change_settings(strategy, &node_of_map(&changes))
    }
}
