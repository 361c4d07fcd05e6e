//! The fetcher's command: bring stored series up to what a provider has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::series_list;
use crate::command::Command;
use crate::gaps::FetchedGaps;
use crate::ids::Service;
use crate::progress::SegmentCounts;

/// Most series of one command: every symbol of the largest strategy, 256, in each of the eight
/// timeframes.
pub const SERIES_MAX: usize = 2_048;

/// The part of a series that is compared with the provider's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchMode {
    /// The store only; no provider is asked.
    Local,
    /// After the last stored bar.
    #[default]
    Tail,
    /// Before the first stored bar.
    Backfill,
    /// Before, inside and after.
    Full,
}

impl FetchMode {
    /// The word that people write and read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Tail => "tail",
            Self::Backfill => "backfill",
            Self::Full => "full",
        }
    }
}

/// One series as people name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesRequest {
    /// `EURUSD`, `stk:AAPL`, `crypto:BTC/USD`.
    pub symbol: String,
    /// `1m` … `1w`.
    pub timeframe: String,
}

/// Fetches what is missing of each series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchBars {
    /// The provider to ask; `file` reads the fetcher's folder of files.
    #[serde(default = "default_provider")]
    pub provider: String,
    /// The series to fetch, 1 to [`SERIES_MAX`]. In a message each is `{symbol, timeframe}`, or
    /// `[symbol, timeframe, …]` for several timeframes of a symbol.
    #[serde(with = "series_list")]
    pub series: Vec<SeriesRequest>,
    /// The part of each series that is compared with the provider's.
    #[serde(default)]
    pub mode: FetchMode,
    /// Earliest bar, inclusive; by default what the mode says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// End of the range, exclusive; by default now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// Ask again for stored bars and for what the provider did not have; newer values replace
    /// stored ones.
    #[serde(default)]
    pub refetch: bool,
    /// Calendar of every series, where it is not that of its instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Take the coarsest finer series of which the bars can be made, in place of one that is
    /// neither stored nor offered by the provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_finer: bool,
    /// End with the stored bars of a series, and a warning of their age, where the provider cannot
    /// answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_stored: bool,
}

fn default_provider() -> String {
    "file".to_owned()
}

impl Command for FetchBars {
    const SERVICE: Service = Service::Fetcher;
    const VERB: &'static str = "fetch";
    type Outcome = FetchOutcome;
}

/// What a finished fetch records, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchOutcome {
    /// One per series asked for; a finer one that stands for several is there once.
    pub series: Vec<FetchedSeries>,
}

impl FetchOutcome {
    /// Whether a request of any series was not answered.
    pub fn is_partial(&self) -> bool {
        let mut states = self.series.iter().map(|series| series.state);
        states.any(|state| state == FetchState::Partial)
    }
}

/// A series after a fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedSeries {
    /// Key of the series: the object prefix `bars/…`.
    pub series: String,
    /// Revision after the fetch.
    pub revision: u64,
    /// Hash of the stored bars, whatever commits led to them.
    pub content_sha256: String,
    /// Bars stored in all.
    pub rows: u64,
    /// Open of the first stored bar, microseconds UTC.
    pub first: Option<i64>,
    /// Open of the last stored bar, microseconds UTC.
    pub last: Option<i64>,
    /// What was done for it.
    pub work: FetchCounts,
    /// Expected bars that were missing in the range before.
    pub missing: u64,
    /// Of these, bars that are still missing: the provider has none, or was not asked.
    pub remaining: u64,
    /// Whether everything that was asked for was answered.
    #[serde(default)]
    pub state: FetchState,
    /// How many of the requests planned came to what.
    #[serde(default)]
    pub segments: SegmentCounts,
    /// The ranges that got no answer, a few at most; neighbours with one reason are one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<UnansweredRange>,
    /// Gaps by class, before and after.
    #[serde(default)]
    pub gaps: FetchedGaps,
    /// What people should know, a few at most.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// How the fetch of a series ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchState {
    /// Every request was answered, with bars or with none.
    #[default]
    Completed,
    /// Some requests were answered and some were not.
    Partial,
    /// No request was answered, and the stored bars were accepted.
    Stored,
}

/// A range that the provider did not answer for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnansweredRange {
    /// First label, microseconds UTC, inclusive.
    pub start: i64,
    /// End of the labels, microseconds UTC, exclusive.
    pub end: i64,
    /// Requests in it.
    pub segments: u64,
    /// Expected bars that it misses.
    pub bars: u64,
    /// How often each request was made, at most; 0 for one that nobody made.
    pub tries: u32,
    /// Code of the last failure; empty for a request that nobody made.
    pub code: String,
    /// Why there is no answer.
    pub reason: String,
}

/// Counts of the work on one series, over all attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchCounts {
    /// Bars that the provider returned.
    pub fetched: u64,
    /// Of these, bars that were not stored.
    pub new: u64,
    /// Of these, bars that were stored with other values.
    pub changed: u64,
    /// Number of requests that were answered.
    pub segments: u64,
    /// Of these, requests answered with nothing.
    pub empty: u64,
}
