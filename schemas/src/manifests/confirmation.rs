//! Confirmations: which candidate was measured on which sealed rows, when, and what came out.

use serde::{Deserialize, Serialize};

use super::dataset::ColumnRange;
use crate::decision_report::PartDecisions;
use crate::metrics::{GroupMetrics, PartMetrics, Uncertainty};

/// `confirmations/<number>.opened.json`: sealed rows are about to be read for a candidate. Creating
/// the next number is the compare-and-set, so that of two candidates one is the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Version of this layout.
    pub v: u16,
    /// 1 for the first one in the store.
    pub number: u32,
    /// Name of the model at that time.
    pub model: String,
    /// Its version, from 1 on.
    pub version: u32,
    /// Hash of its artifact: the candidate, whatever its name.
    pub artifact: String,
    /// Hash of the inputs of its data set.
    pub dataset: String,
    /// Hash of the file of sealed rows.
    pub sealed: String,
    /// Rows of the file.
    pub rows: u64,
    /// Where the period begins, microseconds UTC.
    pub from: i64,
    /// Earliest and latest decision time of the rows.
    pub range: ColumnRange,
    /// Ids of the instruments, sorted.
    pub symbols: Vec<String>,
    /// The candidates that were shown the period before, or a part of it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierCandidate>,
    /// The operation that has opened the rows.
    pub operation: String,
    /// Who has asked for it, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, microseconds UTC.
    pub at: i64,
}

/// A candidate that was shown the period before another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierCandidate {
    /// Name of its model.
    pub model: String,
    /// Its version, from 1 on.
    pub version: u32,
    /// When, microseconds UTC.
    pub at: i64,
}

impl Opening {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;

    /// Whether both show a part of the same time of the same instrument.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.shows(&other.symbols, other.from, other.range.last)
    }

    /// Whether it shows a part of the time from `from` to `last` of one of these instruments.
    pub fn shows(&self, symbols: &[String], from: i64, last: i64) -> bool {
        let is_shared = |symbol: &String| symbols.contains(symbol);
        self.symbols.iter().any(is_shared) && self.from <= last && from <= self.range.last
    }

    /// Whether it is of the same weights and the same rows.
    pub fn is_of_same_candidate(&self, other: &Self) -> bool {
        self.artifact == other.artifact && self.sealed == other.sealed
    }

    /// How many candidates have been shown the period, this one included.
    pub fn place(&self) -> usize {
        self.earlier.len() + 1
    }
}

/// `confirmations/<number>.outcome.json`: the figures of the candidate on the sealed rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Version of this layout.
    pub v: u16,
    /// Number of its opening.
    pub number: u32,
    /// Figures of the sealed rows, as of any part.
    pub figures: PartMetrics,
    /// How far they would differ on other rows of the same kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
    /// The rows by symbol and by month, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupMetrics>,
    /// What the strategy decides on them.
    pub decisions: PartDecisions,
    /// When they were measured, microseconds UTC.
    pub at: i64,
}

impl Confirmation {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(symbols: &[&str], from: i64, last: i64) -> Opening {
        Opening {
            v: Opening::VERSION,
            number: 1,
            model: "trend".to_owned(),
            version: 1,
            artifact: "a".to_owned(),
            dataset: "d".to_owned(),
            sealed: "s".to_owned(),
            rows: 9,
            from,
            range: ColumnRange { first: from, last },
            symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
            earlier: Vec::new(),
            operation: "op".to_owned(),
            by: None,
            at: 7,
        }
    }

    #[test]
    fn periods_overlap_in_an_instrument_and_an_instant() {
        let year = opening(&["fx:EUR.USD", "fx:GBP.USD"], 100, 200);

        assert!(year.overlaps(&opening(&["fx:GBP.USD"], 200, 300)));
        assert!(year.overlaps(&opening(&["fx:EUR.USD"], 10, 100)));
        assert!(year.overlaps(&year));
        assert!(!year.overlaps(&opening(&["fx:EUR.USD"], 201, 300)));
        assert!(!year.overlaps(&opening(&["stk:SPY"], 100, 200)));
    }

    #[test]
    fn a_candidate_is_its_weights_and_not_its_name() {
        let one = opening(&["fx:EUR.USD"], 100, 200);
        let renamed = Opening {
            model: "other".to_owned(),
            version: 4,
            ..one.clone()
        };
        let retrained = Opening {
            artifact: "b".to_owned(),
            ..one.clone()
        };

        assert!(one.is_of_same_candidate(&renamed));
        assert!(!one.is_of_same_candidate(&retrained));
    }
}
