//! The work itself: read each series, check it, keep the report, and fail where bars cannot be
//! used.

use std::cmp::Reverse;
use std::ops::Range;

use jiff::Timestamp;
use market::{Calendar, SeriesKey, Utc};
use quality::{Finding, Options, Report, Rules, Severity, check};
use runtime::StepReporter;
use schemas::commands::{ValidateOutcome, ValidatedSeries};
use schemas::progress::{Context, Count, Progress};
use store::{ALL_TIME, SeriesSnapshot, Store};

use crate::error::{CriticalFinding, ValidateError};

/// Most findings of a series in the outcome; all of them are in the report.
const FINDINGS_MAX: usize = 5;

/// The bars that a validation is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Keys of the series, `bars/…`.
    pub series: Vec<String>,
    /// Earliest label, inclusive; by default the first that is stored.
    pub start: Option<Timestamp>,
    /// End of the labels, exclusive; by default after the last that is stored.
    pub end: Option<Timestamp>,
    /// Thresholds of the checks.
    pub rules: Rules,
}

/// Checks every series of a request and stores a report for each; the reports of all are kept even
/// if one is unusable.
///
/// # Errors
/// See [`ValidateError`].
pub async fn validate(
    store: &Store,
    request: &Request,
    now: Utc,
    reporter: &impl StepReporter,
) -> Result<ValidateOutcome, ValidateError> {
    store.calendars().load_for(&request.series).await?;
    let keys = request
        .series
        .iter()
        .map(|key| key.parse())
        .collect::<Result<Vec<SeriesKey>, _>>()?;
    if keys.is_empty() {
        return Err(ValidateError::Nothing);
    }

    let mut series = Vec::with_capacity(keys.len());
    let mut findings = Vec::new();
    for (done, key) in keys.iter().enumerate() {
        reporter.check_stop()?;
        reporter.report(progress(key, done, keys.len()));

        let (snapshot, report) = check_series(store, key, request, now).await?;
        let object = store.reports().put(&report).await?;
        findings.extend(report.critical().map(|finding| CriticalFinding {
            series: format!("{} {}", key.instrument.symbol(), key.timeframe),
            report: object.clone(),
            finding: finding.clone(),
        }));
        series.push(summarise(&snapshot, report, object));
    }

    // Only now: whoever mends the bars of one series wants to know of all the others.
    if findings.is_empty() {
        Ok(ValidateOutcome { series })
    } else {
        Err(ValidateError::Critical { findings })
    }
}

async fn check_series(
    store: &Store,
    key: &SeriesKey,
    request: &Request,
    now: Utc,
) -> Result<(SeriesSnapshot, Report), ValidateError> {
    let no_bars = || ValidateError::NoBars {
        series: key.clone(),
    };
    let snapshot = store.series().snapshot(key, None).await?;
    let snapshot = snapshot.ok_or_else(no_bars)?;
    let start = request.start.map_or(ALL_TIME.start, Utc::from_timestamp);
    let end = request.end.map_or(ALL_TIME.end, Utc::from_timestamp);
    let bars = store.series().bars(&snapshot, start..end).await?;
    if bars.is_empty() {
        return Err(no_bars());
    }

    // Bars that the provider is known not to have are not missing.
    let known_empty: Vec<Range<Utc>> = snapshot
        .manifest
        .empty
        .iter()
        .map(|interval| Utc(interval.start)..Utc(interval.end))
        .collect();
    let series = key.clone();
    let rules = request.rules.clone();
    let checking = tokio::task::spawn_blocking(move || {
        let options = Options {
            now: Some(now),
            known_empty: &known_empty,
            rules,
            ..Options::default()
        };
        check(&bars, &series, Calendar::for_key(&series), &options)
    });

    match checking.await {
        Ok(report) => Ok((snapshot, report)),
        // A thread that does not come back was stopped with its process.
        Err(_) => Err(ValidateError::Stopped {
            series: key.clone(),
        }),
    }
}

/// The outcome of one series: the worst findings, and where to read the others.
fn summarise(snapshot: &SeriesSnapshot, report: Report, object: String) -> ValidatedSeries {
    let mut worst: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info)
        .collect();
    worst.sort_by_key(|finding| Reverse(finding.severity));
    let serious = worst
        .iter()
        .filter(|finding| finding.severity >= Severity::High)
        .count();
    let messages = worst.iter().map(|finding| finding.message.clone());

    ValidatedSeries {
        series: snapshot.key.prefix(),
        revision: snapshot.manifest.revision,
        content_sha256: snapshot.content_sha256(),
        report: object,
        bars: report.bars as u64,
        score: report.score.total,
        healthy: report.healthy,
        serious: serious as u64,
        findings: messages.take(FINDINGS_MAX).collect(),
    }
}

fn progress(key: &SeriesKey, done: usize, total: usize) -> Progress {
    let symbol = key.instrument.symbol();
    let timeframe = key.timeframe.to_string();

    Progress {
        fraction: done as f64 / total as f64,
        message: format!(
            "Checking {symbol} {timeframe} [series {}/{total}]",
            done + 1
        ),
        items: Some(Count {
            done: done as u64,
            total: total as u64,
        }),
        context: Context::Data {
            symbol,
            timeframe,
            bars: 0,
            saved_bars: 0,
            segments: None,
        },
        waiting: None,
    }
}
