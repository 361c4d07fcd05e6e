//! quality: what is wrong with a series of bars, how much of it, and a score.
//!
//! Pure: bars, their key and a calendar in, a [`Report`] out; the same input gives the same report,
//! byte for byte. Nothing is repaired or changed here: a finding names rows, and a person or a
//! service decides what to do.
//!
//! | check | severity | flagged |
//! |---|---|---|
//! | `empty`, `columns` | critical | no row; columns of different lengths ¹ |
//! | `timestamp` | critical | a label before 1970 or after now; a span over 2²⁴ bars ¹ |
//! | `order` | medium | a label older than one above it |
//! | `duplicate_identical` | low | every row but the last of one label, equal to it |
//! | `duplicate_differing` | medium | every row but the last of one label, not equal to it |
//! | `off_session` | low | a bar in no session |
//! | `off_grid` | high | a label that no bar of the timeframe has, or a second bar in one slot |
//! | `visibility` | critical | a close time before the bar can be known |
//! | `price_not_finite`, `price_not_positive` | high, critical | NaN or infinite; zero or less |
//! | `high_too_low`, `low_too_high` | high | against open and close |
//! | `high_below_low` | critical | against each other |
//! | `volume_unavailable`, `volume_negative` | info, medium | −1; below 0 or infinite |
//! | `volume_zero` | low, medium > 20 %, high > 50 % | traded instruments only |
//! | `volume_spike` | medium | over 100 × the rolling median of 500 |
//! | `price_move` intraday | medium > 10 %, high > 20 % | close to close, not across missing bars |
//! | `price_move` daily | medium > 20 %, high > 40 % | the same |
//! | `outlier` | medium | robust z of the log return > 8 |
//! | `spike` | high | robust z of the log return > 15, undone by the next bar |
//! | `stale` | medium, high ≥ 50 | one price for ≥ 10 bars intraday, ≥ 5 daily, without a break |
//! | `missing` | low, medium > 5 %, high > 10 % | expected bars that are not there |
//! | `calendar` | info | bars outside of the dates whose holidays the calendar knows |
//!
//! ¹ Nothing else is checked then, and the score is 0.
//!
//! Values are checked on the rows that remain after sorting and keeping the last of each label.

mod checks;
mod grid;
mod plausibility;
mod report;
mod rolling;

use std::ops::Range;

use market::{Bars, Calendar, SeriesKey, Utc};

pub use report::{CHECKS_VERSION, Check, Finding, Hole, Report, Sample, Score, Severity, Tally};

use crate::checks::Rows;
use crate::grid::Grid;
use crate::report::Draft;

/// What the caller knows besides the bars.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// Labels that should be there, half-open; default: from the first to the last bar, both
    /// included.
    pub range: Option<Range<Utc>>,
    /// The present, against which labels in the future are found; none: not checked.
    pub now: Option<Utc>,
    /// Half-open label ranges in which the provider has nothing; bars in them are not missing.
    pub known_empty: &'a [Range<Utc>],
}

/// Checks `bars` (raw: in any order, with duplicates) as the series `key` on `calendar`.
///
/// Close times must be filled in, as [`market::close_times`] gives them: one that looks ahead is
/// critical. A volume that is not available is NaN.
pub fn check(bars: &Bars, key: &SeriesKey, calendar: &Calendar, options: &Options<'_>) -> Report {
    let mut draft = Draft::new(key, bars.len());
    if !checks::check_columns(bars, &mut draft) {
        return draft.finish();
    }

    let rows = Rows::new(bars, &mut draft, options.now);
    if !grid::is_checkable(&rows, key, options, &mut draft) {
        return draft.finish();
    }

    let grid = Grid::new(&rows, key, calendar, options);
    grid.check_labels(&rows, &mut draft);
    checks::check_prices(&rows, &mut draft);
    checks::check_volumes(&rows, key, &mut draft);
    plausibility::check_plausibility(&rows, &grid, key, &mut draft);
    grid.check_missing(&mut draft);
    grid.check_coverage(&rows, calendar, &mut draft);

    draft.finish()
}
