//! The processor's command: turn stored series and a strategy into a data set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::ids::Service;

/// Builds the data set of the operation's train request, which is in the operation's
/// `params`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessBars {
    /// Keys of series, `bars/…`; empty = those of the fetch step before. What the strategy does not
    /// need is left out.
    pub series: Vec<String>,
}

impl Command for ProcessBars {
    const SERVICE: Service = Service::Processor;
    const VERB: &'static str = "process";
    type Outcome = ProcessOutcome;
}

/// What a finished processing records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessOutcome {
    /// Key of the data set: `inputs_sha256` of its manifest.
    pub dataset: String,
    /// Rows in all parts.
    pub rows: u64,
    /// Number of feature columns.
    pub features: u32,
    /// True when the data set was there already and nothing was computed.
    pub reused: bool,
    /// Rows by part: `train`, `validation`, `test`. Counts per symbol are in the manifest.
    pub parts: BTreeMap<String, u64>,
    /// Rows per class by part, in class order; empty for a regression.
    pub classes: BTreeMap<String, Vec<u64>>,
    /// Rows dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What people should know, a few at most.
    #[serde(default)]
    pub warnings: Vec<String>,
}
