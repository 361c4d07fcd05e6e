//! The manifest of a data set: what it was made from, what each column means, how its rows are
//! split.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::network::{FeatureColumn, OutputKind};

/// One series that a data set was computed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesInput {
    /// Series key as its object prefix.
    pub series: String,
    /// Revision that was read; provenance only, not part of the data set's key.
    pub revision: u64,
    /// Hash over the files' hashes: part of the data set's key.
    pub content_sha256: String,
    /// Timeframe of the bars that those of the series were put together to; absent where they were
    /// used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resampled_to: Option<String>,
    /// Bars used, after they were put together and the date range was applied.
    pub rows: u64,
}

impl SeriesInput {
    /// What it is in a list: `bars/…/1h`, or `bars/…/1h as 1d`.
    pub fn label(&self) -> String {
        match &self.resampled_to {
            Some(timeframe) => format!("{} as {timeframe}", self.series),
            None => self.series.clone(),
        }
    }
}

/// First and last decision time of a part, microseconds UTC, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRange {
    /// Earliest decision time.
    pub first: i64,
    /// Latest decision time.
    pub last: i64,
}

/// Rows of one part of one symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCount {
    /// Id of the instrument.
    pub symbol: String,
    /// `train`, `validation` or `test`.
    pub part: String,
    /// Rows of the symbol in the part.
    pub rows: u64,
    /// Rows per class, in class order; empty for regression.
    pub classes: Vec<u64>,
    /// Decision times covered; absent without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<ColumnRange>,
}

/// A threshold of labels or events that is a statistic of the training part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedThreshold {
    /// Instrument id of the bars that it was fitted on.
    pub symbol: String,
    /// `typical_range` of regime labels, or `event_threshold` of the event filter.
    pub name: String,
    /// The threshold, in units of what it is compared with.
    pub value: f64,
}

/// Values of an indicator that belong to no member of a fuzzy set over it, although they are among
/// its central 98 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FuzzyHole {
    /// `{timeframe}_{set}`, as the features of the set begin.
    pub set: String,
    /// Instrument id of the symbol on whose bars the share is largest.
    pub symbol: String,
    /// Share of the central values that belong to no member, above 0.
    pub share: f64,
    /// Smallest of these values.
    pub low: f64,
    /// Largest of these values.
    pub high: f64,
}

/// What a data set says of the rows that it withholds: that they exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedRows {
    /// Where the sealed period begins, microseconds UTC.
    pub from: i64,
    /// Earliest and latest decision time of the rows.
    pub range: ColumnRange,
    /// Number of rows.
    pub rows: u64,
    /// Hash of the Parquet file `sealed/<hash of inputs>/<hash>.parquet`.
    pub sha256: String,
    /// Bytes of the Parquet file.
    pub size_bytes: u64,
}

/// `datasets/<hash of inputs>/manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSetManifest {
    /// Version of this layout.
    pub v: u16,
    /// Hash of the canonical data part of the request: the data set's identity.
    pub inputs_sha256: String,
    /// Hash of the Parquet file in the folder of this manifest; it is the name of the file.
    pub sha256: String,
    /// Bytes of the Parquet file.
    pub size_bytes: u64,
    /// Rows of the Parquet file.
    pub rows: u64,
    /// The canonical data part itself.
    pub inputs: serde_json::Value,
    /// The series whose bars were read.
    pub series: Vec<SeriesInput>,
    /// Feature columns in contract order, with their fitted scaling.
    pub features: Vec<FeatureColumn>,
    /// Meaning of the label column.
    pub output: OutputKind,
    /// True when the rows carry the uniqueness of their labels as `weight`; absent = false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weighted: bool,
    /// Start of the validation part, microseconds UTC.
    pub validation_start: i64,
    /// Start of the test part, microseconds UTC.
    pub test_start: i64,
    /// Gap kept after each boundary, microseconds.
    pub embargo_micros: i64,
    /// Counts per symbol and part.
    pub parts: Vec<PartCount>,
    /// Rows dropped, by reason (`warm_up`, `undefined`, `unlabelled`, `no_event`, `purged`,
    /// `embargo`).
    pub dropped: BTreeMap<String, u64>,
    /// Share of the bars with a value on which at least one membership of the set is positive, by
    /// feature prefix.
    pub coverage: BTreeMap<String, f64>,
    /// Fuzzy sets with holes over the data; absent = none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<FuzzyHole>,
    /// Thresholds of labels and events that were fitted on the training part; absent = none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<FittedThreshold>,
    /// Bars over which the column of forward returns looks ahead; absent in data sets of older
    /// programs, which have no such column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_bars: Option<u32>,
    /// Truncation points at which the leak test recomputed the features, per series; at least one
    /// each.
    pub leak_test_cuts: u64,
    /// The rows of the sealed period; absent where nothing is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedRows>,
    /// Commit time, microseconds UTC.
    pub created_at: i64,
    /// Version of the program that wrote it.
    pub written_by: String,
}

impl DataSetManifest {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;

    /// Rows of `part` over all symbols.
    pub fn rows_of(&self, part: &str) -> u64 {
        self.parts
            .iter()
            .filter(|count| count.part == part)
            .map(|count| count.rows)
            .sum()
    }

    /// Rows per class of `part` over all symbols; empty for regression.
    pub fn classes_of(&self, part: &str) -> Vec<u64> {
        let classes = match &self.output {
            OutputKind::Classes { names } => names.len(),
            OutputKind::Regression => 0,
        };

        // Symbols without a row in the part add nothing.
        let mut sums = vec![0; classes];
        for count in self.parts.iter().filter(|count| count.part == part) {
            for (sum, rows) in sums.iter_mut().zip(&count.classes) {
                *sum += rows;
            }
        }
        sums
    }
}
