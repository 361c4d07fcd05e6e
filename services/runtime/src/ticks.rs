//! Periodic duties: a tick that comes late is not made up for, so that a slow server is not met
//! with a burst.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Ticks at once, then every `period` after the tick before it.
pub(crate) fn unhurried_ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
