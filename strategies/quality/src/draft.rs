//! A report in the making: findings, and which rows they touch.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use market::{Gap, SeriesKey, Timeframe, Utc};

use crate::report::{CHECKS_VERSION, Check, Finding, Hole, Report, Sample, Score, Severity};
use crate::rules::Rules;

/// Rows and gaps named per finding, at most.
const SAMPLES_MAX: usize = 5;

/// A row of the input with its label.
pub(crate) type Place = (usize, Utc);

/// A report in the making: findings, and which rows they touch.
pub(crate) struct Draft<'a> {
    report: Report,
    touched: Vec<Touched>,
    unchecked: bool,
    rules: &'a Rules,
}

#[derive(Clone, Copy, Default)]
struct Touched {
    high: bool,
    broken: bool,
    implausible: bool,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(key: &SeriesKey, bars: usize, rules: &'a Rules) -> Self {
        // A series is unhealthy until `finish` has seen all of its findings.
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
            rules,
        }
    }

    pub(crate) const fn timeframe(&self) -> Timeframe {
        self.report.series.timeframe
    }

    pub(crate) const fn rules(&self) -> &'a Rules {
        self.rules
    }

    /// The share of all rows that `count` is.
    pub(crate) fn share_of(&self, count: usize) -> f64 {
        count as f64 / self.report.bars.max(1) as f64
    }

    /// Sets the span of labels.
    pub(crate) fn span(&mut self, first: Utc, last: Utc) {
        self.report.first = Some(first);
        self.report.last = Some(last);
    }

    /// Adds a finding about rows unless there are none; `text` follows "N bars ".
    pub(crate) fn rows(&mut self, check: Check, severity: Severity, rows: &[Place], text: &str) {
        if rows.is_empty() {
            return;
        }

        // Each row is marked, not counted: two findings about one bar lower the score once.
        for &(row, _) in rows {
            if let Some(touched) = self.touched.get_mut(row) {
                touched.high |= severity == Severity::High;
                touched.broken |= severity >= Severity::High && check.is_structural();
                touched.implausible |= check.is_plausibility();
            }
        }

        let count = rows.len();
        let bars = if count == 1 { "bar" } else { "bars" };
        let times = rows.iter().map(|(_, time)| *time);
        let first_rows = rows.iter().take(SAMPLES_MAX);
        let samples = first_rows.map(|(row, time)| Sample {
            row: Some(*row),
            time: *time,
        });
        self.push(Finding {
            check,
            severity,
            count,
            first: times.clone().min(),
            last: times.max(),
            rows: samples.collect(),
            message: format!("{count} {bars} {text}"),
        });
    }

    fn push(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    /// Adds a critical finding after which nothing can be checked; the score stays 0.
    pub(crate) fn unchecked(&mut self, check: Check, count: usize, message: String) {
        self.unchecked = true;
        self.push(Finding {
            check,
            severity: Severity::Critical,
            count,
            first: None,
            last: None,
            rows: Vec::new(),
            message,
        });
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

        // What the provider does not have cannot be loaded, so the share is of the other bars.
        let obtainable = expected - known_empty;
        let share = missing as f64 / obtainable.max(1) as f64;
        let severity = match share {
            _ if missing == 0 => return,
            share if share > self.rules.missing_high => Severity::High,
            share if share > self.rules.missing_medium => Severity::Medium,
            _ => Severity::Low,
        };

        let percent = share * 100.0;
        let count = gaps.len();
        let runs = if count == 1 { "gap" } else { "gaps" };
        let samples = first_gaps.map(|gap| Sample {
            row: None,
            time: gap.start,
        });
        self.push(Finding {
            check: Check::Missing,
            severity,
            count: missing,
            first: gaps.first().map(|gap| gap.start),
            last: gaps.last().map(|gap| gap.start),
            rows: samples.collect(),
            message: format!(
                "{missing} of {obtainable} expected bars ({percent:.2} %) are missing, \
                 in {count} {runs}"
            ),
        });
    }

    /// Orders the findings and computes totals, score and health.
    pub(crate) fn finish(mut self) -> Report {
        let findings = &mut self.report.findings;
        findings.sort_by_key(|finding| (finding.check, Reverse(finding.severity), finding.first));
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

        // A few rows with wrong values are normal in a long series; more of them are not, and
        // neither is half of a short one.
        let bars = self.report.bars as f64;
        let high_max = (self.rules.healthy_high_share * bars).max(self.rules.healthy_high_bars);
        let high_count = self.count_rows(|touched| touched.high);
        let is_mostly_right = high_count <= high_max && 2.0 * high_count < bars;
        let is_complete = self.report.score.completeness >= self.rules.healthy_completeness;
        let is_usable = self.report.critical().next().is_none();
        self.report.healthy = is_usable && is_mostly_right && is_complete;
        self.report
    }

    fn compute_score(&self) -> Score {
        let bars = self.report.bars.max(1) as f64;
        let obtainable = self.report.expected - self.report.known_empty;
        let missing_share = self.report.missing as f64 / obtainable.max(1) as f64;
        let implausible_share = self.count_rows(|touched| touched.implausible) / bars;

        // Where nothing can be had, nothing is missing, and no bar is to blame.
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
