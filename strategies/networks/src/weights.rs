//! The tensors of a file of weights, each taken once and checked when it is taken.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use schemas::manifests::TensorSpec;

use crate::NetworkError;

/// The tensors of a file that no layer has taken yet, by name.
pub(crate) struct NamedTensors<'a> {
    by_name: HashMap<String, TensorView<'a>>,
}

impl<'a> NamedTensors<'a> {
    pub(crate) fn of(file: &SafeTensors<'a>) -> Self {
        Self {
            by_name: file.tensors().into_iter().collect(),
        }
    }

    /// The values of the tensor that `spec` describes, row-major.
    ///
    /// # Errors
    /// It is missing, of another shape or type, or has a value that is not finite.
    pub(crate) fn take(&mut self, spec: &TensorSpec) -> Result<Vec<f32>, NetworkError> {
        let name = spec.name.clone();
        let Some(tensor) = self.by_name.remove(&name) else {
            return Err(NetworkError::MissingTensor { name });
        };
        if tensor.dtype() != Dtype::F32 {
            return Err(NetworkError::Type {
                name,
                found: format!("{:?}", tensor.dtype()),
            });
        }
        if tensor.shape() != spec.shape {
            return Err(NetworkError::Shape {
                name,
                expected: spec.shape.clone(),
                found: tensor.shape().to_vec(),
            });
        }

        // One NaN would make every prediction NaN, without a trace of the weight that caused it.
        let values = floats_of(tensor.data());
        match values.iter().position(|value| !value.is_finite()) {
            Some(position) => Err(NetworkError::Weight {
                name,
                position,
                value: values.get(position).copied().unwrap_or(f32::NAN),
            }),
            None => Ok(values),
        }
    }

    /// Refuses tensors that no layer has taken; names the first by alphabet.
    pub(crate) fn check_empty(self) -> Result<(), NetworkError> {
        match self.by_name.into_keys().min() {
            Some(name) => Err(NetworkError::UnknownTensor { name }),
            None => Ok(()),
        }
    }
}

/// safetensors holds little-endian values on every machine.
fn floats_of(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}
