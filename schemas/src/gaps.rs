//! Classes of stretches without bars, and how many of each there are.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a series has no bars for some time. Of several that fit, the first one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapClass {
    /// No bar is expected: every whole local date in it is a weekday without trading.
    ExpectedWeekend,
    /// No bar is expected: a dated exception of the calendar closes or shortens a date in it.
    ExpectedHoliday,
    /// No bar is expected: the market is closed between two sessions.
    ExpectedTradingHours,
    /// Expected bars that end before the first one that the provider has.
    BeforeHistory,
    /// Expected bars that the provider was asked for and did not have; the answer still holds.
    ProviderEmpty,
    /// Expected bars of at least one whole session: a halt, a closure that the calendar does not
    /// list, or lost bars.
    UnlistedClosure,
    /// Any other expected bars.
    MissingData,
}

impl GapClass {
    /// Every class, in the order in which they are tried.
    pub const ALL: [Self; 7] = [
        Self::ExpectedWeekend,
        Self::ExpectedHoliday,
        Self::ExpectedTradingHours,
        Self::BeforeHistory,
        Self::ProviderEmpty,
        Self::UnlistedClosure,
        Self::MissingData,
    ];

    /// The name in JSON and on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExpectedWeekend => "expected_weekend",
            Self::ExpectedHoliday => "expected_holiday",
            Self::ExpectedTradingHours => "expected_trading_hours",
            Self::BeforeHistory => "before_history",
            Self::ProviderEmpty => "provider_empty",
            Self::UnlistedClosure => "unlisted_closure",
            Self::MissingData => "missing_data",
        }
    }

    /// True if a provider is asked for these bars.
    pub const fn is_fetched(self) -> bool {
        matches!(self, Self::UnlistedClosure | Self::MissingData)
    }
}

impl fmt::Display for GapClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// How many stretches of a class there are, and how many expected bars they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapCount {
    /// Number of stretches.
    pub stretches: u64,
    /// Expected bars in them; 0 for the classes in which no bar is expected.
    pub bars: u64,
}

/// The classes that occur, each with its count.
pub type GapCounts = BTreeMap<GapClass, GapCount>;

/// Gaps of a series before and after a fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedGaps {
    /// What there was when the series was first planned. Bars that an earlier attempt of the same
    /// step filled count as [`GapClass::MissingData`].
    #[serde(default, skip_serializing_if = "GapCounts::is_empty")]
    pub found: GapCounts,
    /// Bars of the found gaps that are stored now.
    #[serde(default)]
    pub filled: u64,
    /// What there is after the fetch.
    #[serde(default, skip_serializing_if = "GapCounts::is_empty")]
    pub remaining: GapCounts,
}
