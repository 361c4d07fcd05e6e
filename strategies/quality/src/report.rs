//! The report: findings in a fixed order, and the score computed from them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use market::{Gap, SeriesKey, Timeframe, Utc};
use serde::{Deserialize, Serialize};

/// Version of the checks and of the report's form; two reports compare only within one version.
pub const CHECKS_VERSION: u32 = 1;

/// Rows and gaps named per finding, at most.
const SAMPLES_MAX: usize = 5;

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
    /// A label outside of 1970 to now.
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
    /// Dates whose holidays the calendar does not know.
    Calendar,
}

impl Check {
    /// Counts against integrity where it is high or critical.
    fn is_structural(self) -> bool {
        (Self::Timestamp..=Self::HighBelowLow).contains(&self) || self == Self::VolumeNegative
    }

    /// Counts against plausibility.
    fn is_plausibility(self) -> bool {
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
    /// No critical finding, high findings on at most max(5, 0.1 %) of the bars, completeness ≥
    /// 0.95.
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

/// A report in the making: findings, and which rows they touch.
pub(crate) struct Draft {
    report: Report,
    touched: Vec<Touched>,
    unchecked: bool,
}

#[derive(Clone, Copy, Default)]
struct Touched {
    high: bool,
    broken: bool,
    implausible: bool,
}

impl Draft {
    pub(crate) fn new(key: &SeriesKey, bars: usize) -> Self {
        let report = Report {
            version: CHECKS_VERSION,
            series: key.clone(),
            bars,
            first: None,
            last: None,
            expected: 0,
            known_empty: 0,
            missing: 0,
            score: Score::default(),
            healthy: false,
            totals: BTreeMap::new(),
            findings: Vec::new(),
            gap_count: 0,
            gaps: Vec::new(),
        };

        Self {
            report,
            touched: vec![Touched::default(); bars],
            unchecked: false,
        }
    }

    pub(crate) const fn timeframe(&self) -> Timeframe {
        self.report.series.timeframe
    }

    /// Sets the span of labels.
    pub(crate) fn span(&mut self, first: Utc, last: Utc) {
        self.report.first = Some(first);
        self.report.last = Some(last);
    }

    /// Adds a finding about rows `(row, label)` unless there are none; `text` follows "N bars ".
    pub(crate) fn rows(
        &mut self,
        check: Check,
        severity: Severity,
        rows: &[(usize, Utc)],
        text: &str,
    ) {
        if rows.is_empty() {
            return;
        }

        for &(row, _) in rows {
            if let Some(touched) = self.touched.get_mut(row) {
                touched.high |= severity == Severity::High;
                touched.broken |= severity >= Severity::High && check.is_structural();
                touched.implausible |= check.is_plausibility();
            }
        }

        let count = rows.len();
        let bars = if count == 1 { "bar" } else { "bars" };
        let first_rows = rows.iter().take(SAMPLES_MAX);
        let samples = first_rows.map(|(row, time)| Sample {
            row: Some(*row),
            time: *time,
        });
        let message = format!("{count} {bars} {text}");
        self.push(check, severity, count, samples.collect(), message);
    }

    /// Adds a finding that is not about rows.
    fn push(
        &mut self,
        check: Check,
        severity: Severity,
        count: usize,
        rows: Vec<Sample>,
        message: String,
    ) {
        self.report.findings.push(Finding {
            check,
            severity,
            count,
            rows,
            message,
        });
    }

    /// Adds a critical finding after which nothing can be checked; the score stays 0.
    pub(crate) fn unchecked(&mut self, check: Check, count: usize, message: String) {
        self.unchecked = true;
        self.push(check, Severity::Critical, count, Vec::new(), message);
    }

    /// Records which expected bars are missing.
    pub(crate) fn missing(&mut self, expected: usize, known_empty: usize, gaps: &[Gap]) {
        let missing = gaps.iter().map(|gap| gap.bars).sum();
        let first_gaps = gaps.iter().take(SAMPLES_MAX);
        let holes = first_gaps.clone().map(|gap| Hole {
            start: gap.start,
            end: gap.end,
            bars: gap.bars,
        });
        self.report.expected = expected;
        self.report.known_empty = known_empty;
        self.report.missing = missing;
        self.report.gap_count = gaps.len();
        self.report.gaps = holes.collect();

        let obtainable = expected - known_empty;
        let share = missing as f64 / obtainable.max(1) as f64;
        let severity = match share {
            _ if missing == 0 => return,
            share if share > 0.10 => Severity::High,
            share if share > 0.05 => Severity::Medium,
            _ => Severity::Low,
        };

        let percent = share * 100.0;
        let count = gaps.len();
        let runs = if count == 1 { "gap" } else { "gaps" };
        let message = format!(
            "{missing} of {obtainable} expected bars ({percent:.2} %) are missing, \
             in {count} {runs}"
        );
        let samples = first_gaps.map(|gap| Sample {
            row: None,
            time: gap.start,
        });
        self.push(
            Check::Missing,
            severity,
            missing,
            samples.collect(),
            message,
        );
    }

    /// Orders the findings and computes totals, score and health.
    pub(crate) fn finish(mut self) -> Report {
        let findings = &mut self.report.findings;
        findings.sort_by_key(|finding| (finding.check, Reverse(finding.severity)));
        for finding in &self.report.findings {
            let tally = self.report.totals.entry(finding.severity).or_default();
            tally.findings += 1;
            tally.bars += finding.count;
        }

        // Without a check there is no score: it stays 0.
        if self.unchecked {
            return self.report;
        }
        self.report.score = self.compute_score();

        // A few rows with wrong values are normal in a long series; more of them are not.
        let high_max = (0.001 * self.report.bars as f64).max(5.0);
        let high_count = self.count_rows(|touched| touched.high);
        let is_complete = self.report.score.completeness >= 0.95;
        let is_usable = self.report.critical().next().is_none();
        self.report.healthy = is_usable && high_count <= high_max && is_complete;
        self.report
    }

    fn compute_score(&self) -> Score {
        let bars = self.report.bars.max(1) as f64;
        let obtainable = self.report.expected - self.report.known_empty;
        let missing_share = self.report.missing as f64 / obtainable.max(1) as f64;
        let implausible_share = self.count_rows(|touched| touched.implausible) / bars;

        let completeness = if obtainable == 0 {
            1.0
        } else {
            1.0 - missing_share
        };
        let integrity = 1.0 - self.count_rows(|touched| touched.broken) / bars;
        let plausibility = 1.0 - (10.0 * implausible_share).min(1.0);
        let weighted = 0.5 * completeness + 0.3 * integrity + 0.2 * plausibility;

        let total = (1_000.0 * weighted).round() / 10.0;
        Score {
            total,
            completeness,
            integrity,
            plausibility,
        }
    }

    fn count_rows(&self, select: impl Fn(&Touched) -> bool) -> f64 {
        self.touched
            .iter()
            .filter(|touched| select(touched))
            .count() as f64
    }
}
