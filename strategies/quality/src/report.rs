//! The report: findings in a fixed order, and the score and health that follow from them.

use std::collections::BTreeMap;

use market::{SeriesKey, Utc};
use serde::{Deserialize, Serialize};

/// Version of the checks and of the report's form; two reports compare only within one version.
pub const CHECKS_VERSION: u32 = 2;

/// How bad a finding is; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A fact worth knowing.
    Info,
    /// Harmless to most uses.
    Low,
    /// Look at it when results surprise.
    Medium,
    /// Wrong values: look before training.
    High,
    /// Not usable as it is.
    Critical,
}

/// A check, in the order in which findings are reported; thresholds are in the crate's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// No row at all.
    Empty,
    /// Columns of different lengths.
    Columns,
    /// A label outside of 1900 to now.
    Timestamp,
    /// A label older than one above it.
    Order,
    /// The same row twice.
    DuplicateIdentical,
    /// One label, different values.
    DuplicateDiffering,
    /// A bar while the market is closed.
    OffSession,
    /// A label that the timeframe does not have.
    OffGrid,
    /// A close time before the bar can be known.
    Visibility,
    /// A price that is NaN or infinite.
    PriceNotFinite,
    /// A price of zero or less.
    PriceNotPositive,
    /// A price that no market has.
    PriceTooLarge,
    /// High below open or close.
    HighTooLow,
    /// Low above open or close.
    LowTooHigh,
    /// High below low.
    HighBelowLow,
    /// Volume −1, the mark of a provider that has none.
    VolumeUnavailable,
    /// Any other negative or infinite volume.
    VolumeNegative,
    /// A bar without any trade.
    VolumeZero,
    /// Volume far above the usual.
    VolumeSpike,
    /// A large move from close to close.
    PriceMove,
    /// A return far outside of the usual.
    Outlier,
    /// An extreme return that the next bar undoes.
    Spike,
    /// The same price for many bars.
    Stale,
    /// Expected bars that are not there.
    Missing,
    /// Bars that are not as far apart as the timeframe says.
    Spacing,
    /// Bars of one timeframe where another timeframe of the same symbol has none.
    Coverage,
    /// Prices of 100 or 1000 times the scale of the others, as pence next to pounds.
    CurrencyUnit,
    /// Prices that a split of the file was not applied to, or was applied to twice.
    Split,
    /// A jump by a simple ratio that lasts, as of a split that the file does not name.
    AdjustmentBreak,
    /// A dividend of 100 times or a hundredth of what was paid.
    DividendUnit,
    /// A dividend that the adjusted close is not adjusted for, or is adjusted for wrongly.
    DividendAdjustment,
    /// A dividend that was paid once and is given twice.
    DividendPhantom,
    /// An adjustment for a dividend that is not given.
    DividendMissing,
    /// A dividend on another date than that of its fall in price.
    DividendDate,
    /// A capital gain that is part of its dividend and adjusted for once more.
    CapitalGains,
    /// Dates whose holidays the calendar does not know.
    Calendar,
}

impl Check {
    /// Counts against integrity where it is high or critical.
    pub(crate) fn is_structural(self) -> bool {
        (Self::Timestamp..=Self::HighBelowLow).contains(&self)
            || self == Self::VolumeNegative
            || (Self::CurrencyUnit..=Self::CapitalGains).contains(&self)
    }

    /// Counts against plausibility.
    pub(crate) fn is_plausibility(self) -> bool {
        (Self::VolumeSpike..=Self::Stale).contains(&self)
    }
}

/// One place of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Row of the input, from 0; none for a bar that is not there.
    pub row: Option<usize>,
    /// Label of the bar.
    pub time: Utc,
}

/// What one check found at one severity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check that found it.
    pub check: Check,
    /// How bad it is.
    pub severity: Severity,
    /// Number of bars.
    pub count: usize,
    /// Label of the oldest of them; none if the finding is not about bars.
    #[serde(default)]
    pub first: Option<Utc>,
    /// Label of the newest of them.
    #[serde(default)]
    pub last: Option<Utc>,
    /// The first five of them.
    pub rows: Vec<Sample>,
    /// The finding as a sentence.
    pub message: String,
}

/// A run of missing bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Label of the first missing bar.
    pub start: Utc,
    /// Close of the last one.
    pub end: Utc,
    /// Number of missing bars.
    pub bars: usize,
}

/// The score and its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// 100 · (0.5 · completeness + 0.3 · integrity + 0.2 · plausibility), to one decimal.
    pub total: f64,
    /// Expected bars present / (expected − known empty); 1 if nothing is expected.
    pub completeness: f64,
    /// 1 − share of bars with a high or critical structural finding.
    pub integrity: f64,
    /// 1 − min(1, 10 × share of bars flagged as a volume spike, move, outlier, spike or stale).
    pub plausibility: f64,
}

/// Findings and bars of one severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Number of findings.
    pub findings: usize,
    /// Bars in them, a bar counted once per finding.
    pub bars: usize,
}

/// What is known about the quality of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`CHECKS_VERSION`] of the checks.
    pub version: u32,
    /// The series that was checked.
    pub series: SeriesKey,
    /// Rows of the input.
    pub bars: usize,
    /// Oldest label of the input.
    pub first: Option<Utc>,
    /// Newest label of the input.
    pub last: Option<Utc>,
    /// Bars that the calendar expects.
    pub expected: usize,
    /// Of these, bars that the provider is known not to have.
    pub known_empty: usize,
    /// Of these, bars that are not there although the provider may have them.
    pub missing: usize,
    /// The score and its parts.
    pub score: Score,
    /// No critical finding, high findings on at most max(5, 0.1 %) and less than half of the bars,
    /// completeness ≥ 0.95.
    pub healthy: bool,
    /// Totals by severity; severities without a finding are left out.
    pub totals: BTreeMap<Severity, Tally>,
    /// Everything found, ordered by check, then by falling severity.
    pub findings: Vec<Finding>,
    /// Number of runs of missing bars.
    pub gap_count: usize,
    /// The first five of them.
    pub gaps: Vec<Hole>,
}

impl Report {
    /// The findings that make the series unusable.
    pub fn critical(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Critical)
    }
}
