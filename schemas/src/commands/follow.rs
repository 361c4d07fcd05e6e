//! The fetcher's second command: load each bar of some series as it closes, for as long as nobody
//! stops it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fetch::{FetchBars, FetchOutcome, SeriesRequest};
use super::series_list;
use crate::command::{Command, Work};
use crate::ids::Service;

/// Most series of one command: each is asked for at its closes, one after the other.
pub const FOLLOWED_MAX: usize = 64;

/// Loads each bar of each series as it closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowBars {
    /// The provider to ask.
    pub provider: String,
    /// The series to follow, 1 to [`FOLLOWED_MAX`].
    #[serde(with = "series_list")]
    pub series: Vec<SeriesRequest>,
    /// Ends before the first close after this instant; without it only a cancel ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Ends once this number of bars of each series have closed and are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bars: Option<u64>,
    /// Calendar of every series, where it is not that of its instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
}

impl Command for FollowBars {
    const SERVICE: Service = Service::Fetcher;
    const VERB: &'static str = "follow";
    type Outcome = FollowOutcome;
}

/// What has come of following, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowOutcome {
    /// One for each series.
    pub followed: Vec<FollowedSeries>,
}

/// A series after it was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedSeries {
    /// Key of the series: the object prefix `bars/…`.
    pub series: String,
    /// Bars that have closed since the beginning, and are stored.
    pub bars: u64,
    /// Bars that the calendar expected in this time, and that never came.
    pub missing: u64,
    /// Open of the last stored bar, microseconds UTC.
    pub last: Option<i64>,
    /// Revision at the end; 0 where nothing is stored.
    pub revision: u64,
}

/// What the event `stored` says: bars of one series that are in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBars {
    /// Key of the series: the object prefix `bars/…`.
    pub series: String,
    /// Its symbol, as in `EURUSD`.
    pub symbol: String,
    /// Its timeframe, as in `1h`.
    pub timeframe: String,
    /// The revision that has them.
    pub revision: u64,
    /// The bars, oldest first.
    pub bars: Vec<StoredBar>,
}

/// A bar that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBar {
    /// Its open, by which it is stored.
    pub open: Timestamp,
    /// Its close, from which it may be used.
    pub close: Timestamp,
}

/// What the fetcher carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetcherWork {
    /// What is missing of some series is loaded.
    Fetch(FetchBars),
    /// Bars are loaded as they close.
    Follow(FollowBars),
}

/// What the fetcher records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FetcherOutcome {
    /// Of a fetch.
    Fetch(FetchOutcome),
    /// Of a follow command.
    Follow(FollowOutcome),
}

impl Work for FetcherWork {
    const SERVICE: Service = Service::Fetcher;
    const VERBS: &'static [&'static str] = &[FetchBars::VERB, FollowBars::VERB];
    type Outcome = FetcherOutcome;

    fn read(verb: &str, command: Value) -> Result<Self, serde_json::Error> {
        if verb == FollowBars::VERB {
            serde_json::from_value(command).map(Self::Follow)
        } else {
            serde_json::from_value(command).map(Self::Fetch)
        }
    }
}
