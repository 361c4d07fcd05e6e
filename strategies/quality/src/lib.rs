//! quality: what is wrong with a series of bars, how much of it, and a score.
//!
//! Pure: bars, their key and a calendar in, a [`Report`] out; the same input gives the same report,
//! byte for byte. Bars are never changed in place: a finding names rows, and [`repair()`] makes a
//! view with the list of what it changed, if a person asks for one.
//!
//! | check | severity | flagged |
//! |---|---|---|
//! | `empty`, `columns` | critical | no row; columns of different lengths ¹ |
//! | `timestamp` | critical | a label before 1900 or after now; a span over 2²⁴ bars ¹ |
//! | `order` | medium | a label older than one above it |
//! | `duplicate_identical` | low | every row but the last of one label, equal to it |
//! | `duplicate_differing` | medium, high > 1 %, critical > 10 % | the same, not equal to it |
//! | `off_session` | low, medium > 1 %, high > 10 % | a bar in no session ² |
//! | `off_grid` | high | a label that no bar of the timeframe has, or a second bar in one slot |
//! | `visibility` | critical | a close time before the bar can be known |
//! | `price_not_finite` | high, critical > 50 % | NaN or infinite |
//! | `price_not_positive` | critical | zero or less; info where the rules allow it |
//! | `price_too_large` | critical | above 10¹⁰: digits without their point |
//! | `high_too_low`, `low_too_high` | high, critical > 50 % | against open and close |
//! | `high_below_low` | critical | against each other |
//! | `volume_unavailable` | info | −1 |
//! | `volume_negative` | medium, high > 10 % | any other below 0, or infinite |
//! | `volume_zero` | low, medium > 20 %, high > 50 % | traded instruments only |
//! | `volume_spike` | medium | over 100 × the rolling median of 500 |
//! | `price_move` intraday | medium > 10 %, high > 20 % | close to close, not across missing bars |
//! | `price_move` daily | medium > 20 %, high > 40 % | the same |
//! | `outlier` | medium | robust z of the log return > 8 |
//! | `spike` | high | robust z of the log return > 15, undone by the next bar |
//! | `stale` | medium, high ≥ 50 | one price for ≥ 10 bars intraday, ≥ 5 daily, without a break |
//! | `missing` | low, medium > 5 %, high > 10 % | expected bars that are not there |
//! | `spacing` | medium, high if most | fewer than 90 % of the steps are one bar long |
//! | `coverage` | low, medium > 1 %, high > 10 % | bars of one timeframe without any of another ⁴ |
//! | `currency_unit` | high | a price of 100 or 1000 times the scale of the others |
//! | `split` | high | a price that a split of the file was not applied to, or twice ³ |
//! | `adjustment_break` | high, info if raw | a lasting jump by the ratio of a split |
//! | `dividend_unit` | high | a dividend of 100 times or a hundredth of what was paid ³ |
//! | `dividend_adjustment` | high | an adjusted close that does not fit its dividend ³ |
//! | `dividend_phantom` | high | a dividend that is given again within days ³ |
//! | `dividend_missing` | high | an adjusted close for which no dividend is given ³ |
//! | `dividend_date` | high | a dividend for which the price fell on another date ³ |
//! | `capital_gains` | high | a capital gain that is adjusted for twice ³ |
//! | `calendar` | info | bars outside of the dates whose holidays the calendar knows |
//!
//! Every number is a field of [`Rules`]. A percentage is a share of the rows.
//!
//! ¹ Nothing else is checked then, and the score is 0.
//! ² Fewer than five are low, unless they are half of the rows: these are high.
//! ³ Needs the columns of [`Actions`]; those of dividends and gains are for daily bars.
//! ⁴ By [`check_coverage`] of two series of one symbol; medium if they have too little in common.
//!
//! Values are checked on the rows that remain after sorting and keeping the last of each label.

mod actions;
mod advice;
mod checks;
mod coverage;
mod draft;
mod grid;
mod plausibility;
mod repair;
mod report;
mod rolling;
mod rules;
mod seam;

use std::ops::Range;

use market::{Bars, Calendar, SeriesKey, Utc};

pub use actions::{Actions, Field};
pub use coverage::{CoveredBars, check_agreement, check_coverage};
pub use repair::{Change, Method, RepairLimits, Repaired, repair};
pub use report::{CHECKS_VERSION, Check, Finding, Hole, Report, Sample, Score, Severity, Tally};
pub use rules::{Rules, RulesError};
pub use seam::{SeamBars, check_seam};

use crate::checks::Rows;
use crate::draft::Draft;
use crate::grid::{Grid, Step};

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
    /// Dividends, splits and capital gains of the same rows; none: only prices are checked.
    pub actions: Option<&'a Actions>,
    /// Thresholds of the checks.
    pub rules: Rules,
}

/// Checks `bars` (raw: in any order, with duplicates) as the series `key` on `calendar`.
///
/// Close times must be filled in, as [`market::close_times`] gives them: one that looks ahead is
/// critical. A volume that is not available is NaN.
pub fn check(bars: &Bars, key: &SeriesKey, calendar: &Calendar, options: &Options<'_>) -> Report {
    let mut draft = Draft::new(key, bars.len(), &options.rules);
    if !checks::check_columns(bars, &mut draft) {
        return draft.finish();
    }

    let rows = Rows::new(bars, &mut draft, options.now);
    if !grid::is_checkable(&rows, key, options, &mut draft) {
        return draft.finish();
    }

    let grid = Grid::new(&rows, key, calendar, options);
    grid.check_labels(&rows, calendar, &mut draft);
    checks::check_prices(&rows, &mut draft);
    checks::check_volumes(&rows, key, &mut draft);
    let splits = actions::split_times(&rows, options.actions);
    plausibility::check_plausibility(&rows, &grid, &splits, &mut draft);
    grid.check_missing(&mut draft);
    grid.check_spacing(&rows, &mut draft);

    // Breaks last: a jump that a wrong unit or split explains is not reported twice.
    let explained = actions::check_actions(&rows, options.actions, &mut draft);
    actions::find_breaks(
        &rows,
        |index| grid.step(index) != Step::Apart,
        &splits,
        &explained,
        key,
        &mut draft,
    );
    grid.check_coverage(&rows, calendar, &mut draft);

    draft.finish()
}
