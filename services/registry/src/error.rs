//! Why an artifact got no version, and what to do about it.

use std::borrow::Cow;

use networks::NetworkError;
use schemas::codes::{self, Advice, Code};

/// Why a model was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The artifact lacks a file.
    #[error("the artifact has no file {file}")]
    FileMissing {
        /// Name of the file.
        file: &'static str,
    },
    /// The weights cannot be loaded.
    #[error("the model cannot be loaded")]
    Load(#[source] NetworkError),
    /// It loads, but does not predict.
    #[error("the model does not predict for a row of {features}")]
    Predict {
        /// Value of all features of the row, in words: `zeros` or `ones`.
        features: &'static str,
        /// Why it does not.
        #[source]
        source: NetworkError,
    },
    /// The outputs are not probabilities.
    #[error("the model's probabilities for a row of {features} sum to {sum}, not 1")]
    Probabilities {
        /// Value of all features of the row, in words.
        features: &'static str,
        /// Sum of the outputs.
        sum: f32,
    },
    /// The stored temperature would turn probabilities around or make them undefined.
    #[error("the model divides scores by the temperature {value}; it must be above 0")]
    Temperature {
        /// The temperature as stored.
        value: f64,
    },
    /// The strategy of the model cannot be resolved.
    #[error("the strategy of the model cannot be used")]
    Strategy(#[source] strategies::RequestError),
    /// Rows that a model is to be measured on.
    #[error("the rows do not fit the model: {reason}")]
    Rows {
        /// What is wrong with them.
        reason: String,
    },
    /// `metrics.json` has no headline.
    #[error("metrics.json of the artifact cannot be read")]
    Metrics(#[source] serde_json::Error),
}

impl Advice for RegistryError {
    fn code(&self) -> Code {
        codes::MODEL_UNFIT
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::FileMissing { .. } | Self::Temperature { .. } | Self::Metrics(_) => {
                "the artifact was not written by a trainer of this version: train again".into()
            }
            Self::Strategy(source) => source.hint(),
            Self::Rows { .. } => {
                "the data set was not made by a processor of this version: train again".into()
            }
            Self::Load(source) | Self::Predict { source, .. } => source.hint(),
            Self::Probabilities { .. } => {
                "the weights are out of range: train again with a smaller learning_rate".into()
            }
        }
    }
}
