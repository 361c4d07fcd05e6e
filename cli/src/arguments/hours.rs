//! Which part of the trading day the bars of a command are of.

use clap::Args;
use market::Session;

/// Leaves out bars outside of trading hours.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct HoursArgs {
    /// Only bars of regular trading hours, by the calendar of the series
    #[arg(long)]
    pub(crate) trading_hours: bool,
    /// With --trading-hours: also those of the hours before and after, where the market has them
    #[arg(long, requires = "trading_hours")]
    pub(crate) include_extended: bool,
}

impl HoursArgs {
    /// The hours whose bars are asked for; none where all are.
    pub(crate) fn session(self) -> Option<Session> {
        match (self.trading_hours, self.include_extended) {
            (false, _) => None,
            (true, false) => Some(Session::Regular),
            (true, true) => Some(Session::Extended),
        }
    }
}
