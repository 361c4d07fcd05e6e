//! What the rules of a strategy make of the predictions of its model: how often each decision is
//! made, and how often it is right. The page `docs/metrics.md` says how each figure is computed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The decisions of a model by part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionReport {
    /// The threshold of the strategy.
    pub threshold: Threshold,
    /// True where the strategy says `auto`, and the validation part has chosen it.
    #[serde(default)]
    pub is_chosen: bool,
    /// Decisions of `train`, `validation` and `test`.
    pub parts: BTreeMap<String, PartDecisions>,
    /// The threshold at which BUY and SELL make up 5 % of the validation part; absent where the
    /// strategy's own does, and where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
    /// What other thresholds would do, lowest first. Absent in documents of older programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// What a threshold makes of the validation part. The test part is left out, so that nobody chooses
/// by it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The threshold, of the same kind as the strategy's.
    pub threshold: f64,
    /// Decisions of the validation part.
    pub validation: PartDecisions,
}

/// What a prediction has to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "key", content = "value")]
pub enum Threshold {
    /// Probability of the likeliest class, 0 to 1.
    ConfidenceThreshold(f64),
    /// Multiple of the costs that a forward return must exceed.
    MinEdgeMultiplier(f64),
}

/// How often each decision is made in one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartDecisions {
    /// Rows with the decision BUY.
    pub buy: u64,
    /// Rows with the decision HOLD.
    pub hold: u64,
    /// Rows with the decision SELL.
    pub sell: u64,
    /// Share of BUY and SELL whose label suggests the same; absent without either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
}

impl PartDecisions {
    /// Rows of the part.
    pub const fn rows(&self) -> u64 {
        self.buy + self.hold + self.sell
    }
}

/// A lower threshold, and what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The threshold, of the same kind as the strategy's.
    pub threshold: f64,
    /// Share of BUY and SELL in the validation part, 0 to 1.
    pub share: f64,
}

impl Threshold {
    /// The key in the strategy.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ConfidenceThreshold(_) => "confidence_threshold",
            Self::MinEdgeMultiplier(_) => "min_edge_multiplier",
        }
    }

    /// Its value in the strategy.
    pub const fn value(self) -> f64 {
        match self {
            Self::ConfidenceThreshold(value) | Self::MinEdgeMultiplier(value) => value,
        }
    }
}
