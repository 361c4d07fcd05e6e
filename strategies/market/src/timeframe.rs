//! The bar lengths the system knows, one parser for all of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The length of a bar. Ordered from the shortest to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timeframe {
    /// One minute per bar.
    #[serde(rename = "1m")]
    Minute1,
    /// Five minutes per bar.
    #[serde(rename = "5m")]
    Minute5,
    /// Fifteen minutes per bar.
    #[serde(rename = "15m")]
    Minute15,
    /// Thirty minutes per bar.
    #[serde(rename = "30m")]
    Minute30,
    /// One hour per bar.
    #[serde(rename = "1h")]
    Hour1,
    /// Four hours per bar.
    #[serde(rename = "4h")]
    Hour4,
    /// One trading date.
    #[serde(rename = "1d")]
    Day1,
    /// One trading week.
    #[serde(rename = "1w")]
    Week1,
}

impl Timeframe {
    /// Every timeframe, shortest first.
    pub const ALL: [Self; 8] = [
        Self::Minute1,
        Self::Minute5,
        Self::Minute15,
        Self::Minute30,
        Self::Hour1,
        Self::Hour4,
        Self::Day1,
        Self::Week1,
    ];

    /// The name people write: `1m` … `1w`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute1 => "1m",
            Self::Minute5 => "5m",
            Self::Minute15 => "15m",
            Self::Minute30 => "30m",
            Self::Hour1 => "1h",
            Self::Hour4 => "4h",
            Self::Day1 => "1d",
            Self::Week1 => "1w",
        }
    }

    /// Nominal length in minutes; a day counts 1 440 and a week 10 080, whatever the session.
    pub const fn minutes(self) -> i64 {
        match self {
            Self::Minute1 => 1,
            Self::Minute5 => 5,
            Self::Minute15 => 15,
            Self::Minute30 => 30,
            Self::Hour1 => 60,
            Self::Hour4 => 240,
            Self::Day1 => 1_440,
            Self::Week1 => 10_080,
        }
    }

    /// Nominal length in microseconds.
    pub const fn micros(self) -> i64 {
        self.minutes() * 60_000_000
    }

    /// True below one day.
    pub const fn is_intraday(self) -> bool {
        self.minutes() < 1_440
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that is no timeframe.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a timeframe; use one of 1m 5m 15m 30m 1h 4h 1d 1w")]
pub struct UnknownTimeframe(pub String);

impl FromStr for Timeframe {
    type Err = UnknownTimeframe;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|each| each.as_str() == text)
            .ok_or_else(|| UnknownTimeframe(text.to_owned()))
    }
}
