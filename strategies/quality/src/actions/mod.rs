//! What the company did: dividends, splits and capital gains, and the faults that vendors make with
//! them. Prices alone show some; most need the columns that [`Actions`] holds.
//!
//! A detector says what is wrong and what would be right, so that the checks and the repairs agree:
//! each [`Fault`] has its remedy.

mod break_in_scale;
mod dividends;
mod level;
mod payment;
mod splits;
mod units;

use market::{Timeframe, Utc};

pub(crate) use break_in_scale::{find_breaks, is_simple_ratio};
pub(crate) use level::{median_of, usual_move};

use crate::checks::{Row, Rows};
use crate::draft::{Draft, Place};
use crate::report::{Check, Severity};

/// Columns about corporate actions, one value per row of the bars and in their order; a column that
/// the file does not have is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actions {
    /// Close adjusted for splits and dividends; NaN where there is none.
    pub adjusted_close: Vec<f64>,
    /// Dividend per share whose ex-date is this bar; 0 or NaN for none.
    pub dividends: Vec<f64>,
    /// New shares for one old share from this bar on, 0.5 for two old ones into one new; 0 or NaN
    /// for none.
    pub splits: Vec<f64>,
    /// Capital gain per share that a fund distributed; 0 or NaN for none.
    pub capital_gains: Vec<f64>,
}

impl Actions {
    /// The cell of a column; 0 where it is empty or absent.
    fn amount(column: &[f64], row: usize) -> f64 {
        let cell = column.get(row).copied().unwrap_or(0.0);
        if cell.is_finite() { cell } else { 0.0 }
    }

    /// Whether the row is the first one after a split.
    pub(crate) fn is_split(&self, row: usize) -> bool {
        let ratio = Self::amount(&self.splits, row);
        ratio > 0.0 && ratio != 1.0
    }
}

/// One bar with everything that is known of its date; all four prices are positive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day {
    pub(crate) row: Row,
    /// Adjusted close; NaN if unknown.
    pub(crate) adjusted: f64,
    /// Paid per share since the bar before, 0 for nothing.
    pub(crate) dividend: f64,
    /// Capital gain per share since the bar before, 0 for nothing.
    pub(crate) gain: f64,
    /// New shares per old one since the bar before, 1 for no split.
    pub(crate) split: f64,
}

impl Day {
    /// Adjusted over plain close.
    fn adjustment(&self) -> f64 {
        self.adjusted / self.row.close
    }

    fn place(&self) -> Place {
        (self.row.row, self.row.time)
    }
}

/// The priced bars with their actions, oldest first. What happened on a date without a price counts
/// for the next bar that has one.
pub(crate) fn days_of(rows: &Rows<'_>, actions: &Actions) -> Vec<Day> {
    let mut days = Vec::new();
    let mut dividend = 0.0;
    let mut gain = 0.0;
    let mut split = 1.0;

    // Splits of several dates without a price act one after the other, so they multiply.
    for row in rows.iter() {
        dividend += Actions::amount(&actions.dividends, row.row);
        gain += Actions::amount(&actions.capital_gains, row.row);
        if actions.is_split(row.row) {
            split *= Actions::amount(&actions.splits, row.row);
        }
        if !row.is_priced() {
            continue;
        }

        let adjusted = actions.adjusted_close.get(row.row).copied();
        days.push(Day {
            row,
            adjusted: adjusted.unwrap_or(f64::NAN),
            dividend,
            gain,
            split,
        });
        dividend = 0.0;
        gain = 0.0;
        split = 1.0;
    }
    days
}

/// A value of a bar or of its date.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// First price of the bar.
    Open,
    /// Highest price of the bar.
    High,
    /// Lowest price of the bar.
    Low,
    /// Last price of the bar.
    Close,
    /// Traded volume of the bar.
    Volume,
    /// The close adjusted for splits and dividends.
    AdjustedClose,
    /// The dividend per share.
    Dividend,
}

/// How a fault is made good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Remedy {
    /// Multiply one value of the bar.
    ScaleField(Field, f64),
    /// Multiply all prices of the bar and its adjusted close by the first factor and divide its
    /// volume by the second; a dividend is in the unit of the prices where the second is 1.
    ScaleBar(f64, f64),
    /// Multiply the adjusted closes of all bars before this one.
    ScaleAdjustedBefore(f64),
    /// Multiply the dividend of the bar.
    ScaleDividend(f64),
    /// Nobody can say what would be right.
    Unknown,
}

/// One thing that is wrong, and what would be right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) check: Check,
    /// The bar that is wrong, or on whose date the action is.
    pub(crate) at: Place,
    pub(crate) remedy: Remedy,
}

/// All faults of units, splits and dividends, in this order and by time.
pub(crate) fn find_faults(
    rows: &Rows<'_>,
    actions: Option<&Actions>,
    is_daily: bool,
    tolerance: f64,
) -> Vec<Fault> {
    let mut faults = units::find_unit_mixups(rows);
    let Some(actions) = actions else {
        return faults;
    };

    let mut days = days_of(rows, actions);
    faults.extend(splits::find_split_faults(&mut days));
    // A vendor adjusts no close below a day, and a week holds its dividend somewhere inside.
    if is_daily {
        faults.extend(dividends::find_dividend_faults(&days, tolerance));
    }
    faults
}

/// Reports the faults of units, splits, dividends and capital gains. Returns the times of the bars
/// whose scale they explain, ascending.
pub(crate) fn check_actions(
    rows: &Rows<'_>,
    actions: Option<&Actions>,
    draft: &mut Draft<'_>,
) -> Vec<Utc> {
    let tolerance = draft.rules().dividend_tolerance;
    let faults = find_faults(rows, actions, is_day(draft.timeframe()), tolerance);

    for (check, text) in TEXTS {
        let mut places: Vec<Place> = faults
            .iter()
            .filter(|fault| fault.check == check)
            .map(|fault| fault.at)
            .collect();
        places.sort_by_key(|(row, time)| (*time, *row));
        // A bar of which two prices are wrong is one bar.
        places.dedup();
        draft.rows(check, Severity::High, &places, text);
    }

    let mut times: Vec<Utc> = faults
        .iter()
        .filter(|fault| matches!(fault.check, Check::CurrencyUnit | Check::Split))
        .map(|fault| fault.at.1)
        .collect();
    times.sort();
    times
}

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Whether bars of this length are those of a vendor's dividends.
pub(crate) fn is_day(timeframe: Timeframe) -> bool {
    timeframe.micros() == DAY_MICROS
}

/// What each finding says after "N bars".
const TEXTS: [(Check, &str); 8] = [
    (
        Check::CurrencyUnit,
        "with prices in another unit than the others, 100 or 1000 times as large or small",
    ),
    (
        Check::Split,
        "with prices that a split was not applied to, or was applied to twice",
    ),
    (
        Check::DividendUnit,
        "with a dividend that is 100 times too large or too small for the price",
    ),
    (
        Check::DividendAdjustment,
        "with a dividend that the adjusted close is not, or wrongly, adjusted for",
    ),
    (
        Check::DividendPhantom,
        "with a dividend that is given again within days",
    ),
    (
        Check::DividendMissing,
        "from which on the adjusted close is adjusted for a dividend that is not given",
    ),
    (
        Check::DividendDate,
        "with a dividend for which the price fell on another date",
    ),
    (
        Check::CapitalGains,
        "with a capital gain that is in the dividend and adjusted for once more",
    ),
];

/// Times of the bars from which on a split of the file applies.
pub(crate) fn split_times(rows: &Rows<'_>, actions: Option<&Actions>) -> Vec<Utc> {
    let Some(actions) = actions else {
        return Vec::new();
    };
    let after_splits = rows.iter().filter(|row| actions.is_split(row.row));
    after_splits.map(|row| row.time).collect()
}
