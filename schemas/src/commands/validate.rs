//! The validator's command: check stored series and stop the operation where they cannot be used.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::ids::Service;

/// Checks each series; a critical finding fails the step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidateBars {
    /// Keys of series, `bars/…`; empty = those of the fetch step before.
    pub series: Vec<String>,
    /// Earliest bar, inclusive; by default the first stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// End of the range, exclusive; by default after the last stored bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

impl Command for ValidateBars {
    const SERVICE: Service = Service::Validator;
    const VERB: &'static str = "validate";
    type Outcome = ValidateOutcome;
}

/// What a finished check records, in the order of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidateOutcome {
    /// One per series of the request.
    pub series: Vec<ValidatedSeries>,
}

/// The quality of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidatedSeries {
    /// Key of the series: the object prefix `bars/…`.
    pub series: String,
    /// Revision that was checked.
    pub revision: u64,
    /// Hash of the bars that were checked.
    pub content_sha256: String,
    /// Key of the whole report, `reports/<sha256>.json`.
    pub report: String,
    /// Number of bars that were checked.
    pub bars: u64,
    /// Quality from 0 to 100, the best.
    pub score: f64,
    /// No critical finding, few high ones, at least 95 % of the expected bars.
    pub healthy: bool,
    /// Findings that are high or critical.
    pub serious: u64,
    /// The worst findings as sentences, a few at most.
    #[serde(default)]
    pub findings: Vec<String>,
}
