//! The trial that a model must pass before it gets a version: loaded as its readers load it, it
//! predicts something sane.

use networks::{Model, Network};
use schemas::manifests::OutputKind;

use crate::RegistryError;

/// How far probabilities may sum from 1: rounding of f32.
const SUM_TOLERANCE: f32 = 1e-5;

/// Loads the weights of `network` and predicts for a row, or a window, of zeros and for one of
/// ones: every output is finite, and probabilities, of scores divided by `temperature`, sum to 1.
///
/// # Errors
/// When the weights do not fit, the temperature is not above 0, or a prediction is not what it must
/// be.
pub fn try_model(
    network: &Network,
    temperature: Option<f64>,
    weights: &[u8],
) -> Result<(), RegistryError> {
    if let Some(value) = temperature.filter(|value| !(*value > 0.0 && value.is_finite())) {
        return Err(RegistryError::Temperature { value });
    }
    let model = Model::from_safetensors(network, weights).map_err(RegistryError::Load)?;
    let model = model.with_temperature(temperature);

    for (features, value) in [("zeros", 0.0), ("ones", 1.0)] {
        // The forward pass refuses outputs that are not finite.
        let row = vec![value; network.input_count()];
        let predictions = model
            .predict(&[row])
            .map_err(|source| RegistryError::Predict { features, source })?;

        let sum: f32 = predictions.iter().flatten().sum();
        let has_probabilities = network.output != OutputKind::Regression;
        if has_probabilities && (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(RegistryError::Probabilities { features, sum });
        }
    }

    Ok(())
}
