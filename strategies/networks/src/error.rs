//! What can be wrong with a file of weights or with a row of features.

use std::borrow::Cow;

use schemas::codes::{self, Advice, Code};

/// Why a model could not be made or did not predict.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The bytes are not a safetensors file.
    #[error("the weights cannot be read as safetensors")]
    Unreadable(#[source] safetensors::SafeTensorError),
    /// A tensor that the network asks for is not in the file.
    #[error("tensor {name} is missing from the weights")]
    MissingTensor {
        /// Name of the tensor, as in [`schemas::manifests::TensorSpec`].
        name: String,
    },
    /// The file has a tensor that the network does not ask for.
    #[error("tensor {name} does not belong to the network")]
    UnknownTensor {
        /// Name of the tensor in the file.
        name: String,
    },
    /// A tensor has another shape.
    #[error("tensor {name} has shape {found:?}; the network asks for {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape that the network implies.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor is not float32.
    #[error("tensor {name} holds {found} values, not F32")]
    Type {
        /// Name of the tensor.
        name: String,
        /// Type in the file.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {name} holds {value} at position {position}")]
    Weight {
        /// Name of the tensor.
        name: String,
        /// Position in row-major order, from 0.
        position: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// A row has too many or too few features.
    #[error("the row has {found} features; the model takes {expected}")]
    RowWidth {
        /// Features of the network.
        expected: usize,
        /// Features of the row.
        found: usize,
    },
    /// A feature is NaN or infinite, as in a row before the end of the warm-up.
    #[error("feature {name} is {value}")]
    Feature {
        /// Name of the column.
        name: String,
        /// NaN or an infinity.
        value: f32,
    },
    /// The network's scores leave the range of f32.
    #[error("the model's output {position} is {value}")]
    Output {
        /// Index of the output, from 0.
        position: usize,
        /// NaN or an infinity.
        value: f32,
    },
}

impl Advice for NetworkError {
    fn code(&self) -> Code {
        codes::MODEL_PREDICTION
    }

    fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            // The file itself.
            Self::Unreadable(_) => {
                "the object is damaged or not a model: compare its SHA-256 with its manifest"
            }
            Self::MissingTensor { .. }
            | Self::UnknownTensor { .. }
            | Self::Shape { .. }
            | Self::Type { .. } => {
                "the weights belong to another network: take both from one artifact manifest"
            }
            Self::Weight { .. } | Self::Output { .. } => {
                "the training diverged: train again with a smaller learning_rate"
            }

            // The row to predict for.
            Self::RowWidth { .. } => {
                "build the features with the strategy that the model was trained from"
            }
            Self::Feature { .. } => {
                "predict from the first row after the warm-up of every indicator"
            }
        };
        hint.into()
    }
}
