//! What a training with `training.detailed_analytics` keeps of each epoch. The page
//! `docs/metrics.md` says how each figure is computed.

use serde::{Deserialize, Serialize};

use crate::decision_report::PartDecisions;
use crate::metrics::ClassRates;

/// One epoch in detail: a row of `analytics.parquet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochAnalytics {
    /// Epoch from 1.
    pub epoch: u32,
    /// Step size in this epoch.
    pub learning_rate: f64,
    /// Mean over the batches of the L2 norm of the whole gradient, before clipping.
    pub gradient_norm_mean: f64,
    /// The largest of these norms.
    pub gradient_norm_max: f64,
    /// L2 norm of each parameter tensor after the epoch, in file order.
    pub weight_norms: Vec<f64>,
    /// Rates of each class on the validation part, in class order; empty for a regression.
    pub classes: Vec<ClassRates>,
    /// What the strategy would decide on the validation part; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<PartDecisions>,
}
