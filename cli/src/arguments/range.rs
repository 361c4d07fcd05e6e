//! The range of time that a command reads or fetches.

use std::ops::Range;

use clap::Args;
use jiff::Timestamp;
use market::Utc;
use store::ALL_TIME;

use super::values::{parse_end, parse_instant};

/// A part of a series, from an inclusive start to an exclusive end.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RangeArgs {
    /// Start: a date or an instant, included; without it from the first bar
    #[arg(long, value_name = "WHEN", value_parser = parse_instant)]
    pub(crate) start: Option<Timestamp>,
    /// End: a date, included, or an instant, excluded; without it to the last bar
    #[arg(long, value_name = "WHEN", value_parser = parse_end)]
    pub(crate) end: Option<Timestamp>,
}

impl RangeArgs {
    /// The range of times; an end that was not given is open.
    pub(crate) fn times(&self) -> Range<Utc> {
        let start = self.start.map_or(ALL_TIME.start, Utc::from_timestamp);
        start..self.end.map_or(ALL_TIME.end, Utc::from_timestamp)
    }
}
