//! What the attempts at a command have done so far, and what one leaves for the next.

use schemas::commands::FetchCounts;
use serde::{Deserialize, Serialize};

/// The checkpoint that an attempt leaves for the next one; the bars themselves are in the store.
/// Bounded by the room that a record has for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchCheckpoint {
    /// Hash of the report that holds a [`Tally`] for each finished series; absent while the first
    /// one is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// Counts of the series that is being fetched.
    pub current: Tally,
}

/// Counts of one series over all attempts. Written as six numbers: fetched, new, changed, segments
/// and empty of [`FetchCounts`], then one more than the missing bars, 0 while these are not
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 6]", into = "[u64; 6]")]
pub struct Tally {
    /// Bars and requests so far.
    pub work: FetchCounts,
    /// Bars that were missing when it was first planned; `None` before.
    pub missing: Option<u64>,
}

impl From<[u64; 6]> for Tally {
    fn from([fetched, new, changed, segments, empty, missing]: [u64; 6]) -> Self {
        let work = FetchCounts {
            fetched,
            new,
            changed,
            segments,
            empty,
        };

        Self {
            work,
            missing: missing.checked_sub(1),
        }
    }
}

impl From<Tally> for [u64; 6] {
    fn from(Tally { work, missing }: Tally) -> Self {
        let FetchCounts {
            fetched,
            new,
            changed,
            segments,
            empty,
        } = work;

        // Numbers have no `None`: 0 stands for a series that was not planned yet.
        [
            fetched,
            new,
            changed,
            segments,
            empty,
            missing.map_or(0, |missing| missing.saturating_add(1)),
        ]
    }
}
