//! The manifest of a stored bar series: which files hold it, and where the provider has no
//! bars.

use serde::{Deserialize, Serialize};

/// One Parquet file of a series; periods do not overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarFile {
    /// `2018` (daily and hourly) or `2018-03` (5 minutes and shorter): the UTC period of the bar
    /// opens in it.
    pub period: String,
    /// Hash of the bytes, part of the object's name `<period>.<sha256>.parquet`.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Bars in the file.
    pub rows: u64,
    /// Open of the first bar, microseconds UTC.
    pub first: i64,
    /// Open of the last bar, microseconds UTC.
    pub last: i64,
}

/// A half-open interval `[start, end)` for which the provider answered that it has no bars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmptyInterval {
    /// Microseconds UTC, inclusive.
    pub start: i64,
    /// Microseconds UTC, exclusive.
    pub end: i64,
    /// When the provider said so, microseconds UTC.
    pub asked_at: i64,
}

/// Bars that a revision no longer holds; the revision before still names their files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// Number of bars.
    pub bars: u64,
    /// Open of the first of them, microseconds UTC.
    pub first: i64,
    /// Open of the last of them, microseconds UTC.
    pub last: i64,
}

/// The last time that a person took bars away or brought them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The revision that it made.
    pub revision: u64,
    /// True where bars were brought back.
    pub is_undone: bool,
    /// Who did it: the name of the credential, else `user@host`.
    pub by: String,
    /// When, microseconds UTC.
    pub at: i64,
}

/// `manifest.<revision>.json` of a series. Creating the next revision is the compare-and-set; the
/// highest wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesManifest {
    /// Version of this layout.
    pub v: u16,
    /// The series key as its object prefix `bars/<provider>/<instrument>/<what>-…/<timeframe>`.
    pub series: String,
    /// 1 for the first commit, then one more for each.
    pub revision: u64,
    /// Chosen at random by the writer: our own nonce in a revision means that we wrote it.
    pub nonce: String,
    /// Name of the calendar the bars were checked against.
    pub calendar: String,
    /// Files by period, oldest first.
    pub files: Vec<BarFile>,
    /// Intervals that need not be asked for again.
    #[serde(default)]
    pub empty: Vec<EmptyInterval>,
    /// What this revision took away, if it was made by a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    /// The last deletion or its undoing by a person who is known; carried on from revision to
    /// revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
    /// Commit time, microseconds UTC.
    pub updated_at: i64,
    /// Version of the program that wrote it.
    pub written_by: String,
}

impl SeriesManifest {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;

    /// Bars in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Opens of the first and the last stored bar, microseconds UTC; `None` without bars.
    pub fn range(&self) -> Option<(i64, i64)> {
        Some((self.files.first()?.first, self.files.last()?.last))
    }
}
