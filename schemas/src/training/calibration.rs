//! What happens to the scores of a network before they become probabilities.

use serde::{Deserialize, Serialize};

/// How the probabilities of a trained model are mended; without effect on its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// Probabilities are those of the scores as they were trained.
    #[default]
    None,
    /// All scores are divided by one number, fitted to the validation part and stored with the
    /// model (Guo and others, 2017).
    Temperature,
}
