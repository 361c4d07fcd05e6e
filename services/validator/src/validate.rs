//! The work itself: read each series, check it, keep the report, and fail where bars cannot be
//! used.

use std::ops::Range;

use jiff::Timestamp;
use market::{Calendar, SeriesKey, SeriesKeyError, Utc};
use quality::{Finding, Options, Report, Severity, check};
use runtime::StepError;
use schemas::commands::{ValidateOutcome, ValidatedSeries};
use schemas::errors::ErrorRecord;
use schemas::progress::{Context, Count, Progress};
use store::{ALL_TIME, SeriesSnapshot, Store, StoreError};

/// Findings told per series; all of them are in the report.
const FINDINGS_MAX: usize = 5;

/// What the work needs of whoever runs it.
pub trait Attempt: Sync {
    /// Shows progress.
    fn report(&self, progress: Progress);

    /// Fails once the work must be left.
    ///
    /// # Errors
    /// The reason to leave.
    fn check_stop(&self) -> Result<(), StepError>;
}

/// Which bars of which series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Keys, `bars/…`.
    pub series: Vec<String>,
    /// Earliest label, inclusive.
    pub start: Option<Timestamp>,
    /// End of the labels, exclusive.
    pub end: Option<Timestamp>,
}

/// A check that found bars that cannot be used, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// No series to check.
    #[error("there is nothing to check")]
    Nothing,
    /// A key that is none.
    #[error("cannot check this series")]
    Key(#[from] SeriesKeyError),
    /// No bars in the range.
    #[error("nothing is stored of {series} in the range asked for")]
    NoBars {
        /// Its key.
        series: SeriesKey,
    },
    /// The store failed, or a stored object is damaged.
    #[error("the bars cannot be read")]
    Store(#[from] StoreError),
    /// Critical findings.
    #[error("{}", sentence(.found))]
    Critical {
        /// Title of the series, key of its report, and finding, worst first.
        found: Vec<(String, String, Finding)>,
    },
    /// The checks were stopped with the process.
    #[error("checking {series} was stopped")]
    Stopped {
        /// Its key.
        series: SeriesKey,
    },
    /// The runtime ended the attempt.
    #[error("the step was ended")]
    Step(StepError),
}

impl From<StepError> for ValidateError {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

/// Names series, rows and times of critical findings.
fn sentence(found: &[(String, String, Finding)]) -> String {
    let one = |(series, _, finding): &(String, String, Finding)| {
        let rows: Vec<String> = finding
            .rows
            .iter()
            .map(|sample| {
                sample.row.map_or_else(
                    || sample.time.to_string(),
                    |row| format!("row {row} ({})", sample.time),
                )
            })
            .collect();
        let places = if rows.is_empty() {
            String::new()
        } else {
            format!(": {}", rows.join(", "))
        };
        format!("{series}: {}{places}", finding.message)
    };
    format!(
        "the bars cannot be used: {}",
        found.iter().map(one).collect::<Vec<_>>().join("; ")
    )
}

impl ValidateError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Nothing => "name the series, or put a fetch step before",
            Self::Key(error) => error.hint(),
            Self::NoBars { .. } => {
                "load the bars first, for example with `ktrdr data load --mode full`"
            }
            Self::Critical { .. } => {
                "correct the bars at their source and load them again with --refetch; the report lists all"
            }
            // A failed store explains itself when it becomes the error of the step.
            Self::Store(_) | Self::Stopped { .. } | Self::Step(_) => "",
        }
    }
}

impl From<ValidateError> for StepError {
    fn from(error: ValidateError) -> Self {
        let code = match &error {
            ValidateError::Nothing => "DATA-InvalidRequest",
            ValidateError::Key(_) => "DATA-InvalidSymbol",
            ValidateError::NoBars { .. } => "DATA-NoBars",
            ValidateError::Store(_) => "STORE-Failed",
            ValidateError::Critical { .. } => "DATA-Critical",
            ValidateError::Stopped { .. } => return Self::Stopped,
            ValidateError::Step(_) => "SYS-Step",
        };
        let record = ErrorRecord::from_error(code, &error, error.hint());
        match error {
            ValidateError::Step(error) => error,
            ValidateError::Store(error) => error.into(),
            ValidateError::Critical { found } => {
                let reports: Vec<&String> =
                    found.iter().map(|(_, report, _)| report).take(3).collect();
                Self::Permanent(
                    record
                        .with_details(serde_json::json!({ "reports": reports }))
                        .into(),
                )
            }
            _ => Self::Permanent(record.into()),
        }
    }
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
    attempt: &impl Attempt,
) -> Result<ValidateOutcome, ValidateError> {
    let keys = request
        .series
        .iter()
        .map(|key| key.parse())
        .collect::<Result<Vec<SeriesKey>, _>>()?;
    if keys.is_empty() {
        return Err(ValidateError::Nothing);
    }
    let mut series = Vec::with_capacity(keys.len());
    let mut critical = Vec::new();
    for (done, key) in keys.iter().enumerate() {
        attempt.check_stop()?;
        attempt.report(progress(key, done, keys.len()));
        let (snapshot, report) = checked(store, key, request, now).await?;
        let object = store.reports().put(&report).await?;
        let title = format!("{} {}", key.instrument.symbol(), key.timeframe);
        critical.extend(
            report
                .critical()
                .map(|finding| (title.clone(), object.clone(), finding.clone())),
        );
        series.push(summary(&snapshot, report, object));
    }
    if critical.is_empty() {
        Ok(ValidateOutcome { series })
    } else {
        Err(ValidateError::Critical { found: critical })
    }
}

async fn checked(
    store: &Store,
    key: &SeriesKey,
    request: &Request,
    now: Utc,
) -> Result<(SeriesSnapshot, Report), ValidateError> {
    let none = || ValidateError::NoBars {
        series: key.clone(),
    };
    let snapshot = store.series().snapshot(key, None).await?.ok_or_else(none)?;
    let bound = |given: Option<Timestamp>, default: Utc| given.map_or(default, Utc::from_timestamp);
    let range = bound(request.start, ALL_TIME.start)..bound(request.end, ALL_TIME.end);
    let bars = store.series().bars(&snapshot, range.clone()).await?;
    if bars.is_empty() {
        return Err(none());
    }
    let known_empty: Vec<Range<Utc>> = snapshot
        .manifest
        .empty
        .iter()
        .map(|interval| Utc(interval.start)..Utc(interval.end))
        .collect();
    let series = key.clone();
    let work = tokio::task::spawn_blocking(move || {
        let options = Options {
            range: None,
            now: Some(now),
            known_empty: &known_empty,
        };
        check(&bars, &series, Calendar::for_key(&series), &options)
    });
    let report = work.await.map_err(|_| ValidateError::Stopped {
        series: key.clone(),
    })?;
    Ok((snapshot, report))
}

fn summary(snapshot: &SeriesSnapshot, report: Report, object: String) -> ValidatedSeries {
    let mut worst: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info)
        .collect();
    worst.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let serious = worst
        .iter()
        .filter(|finding| finding.severity >= Severity::High)
        .count();
    ValidatedSeries {
        series: snapshot.key.prefix(),
        revision: snapshot.manifest.revision,
        content_sha256: snapshot.content_sha256(),
        report: object,
        bars: report.bars as u64,
        score: report.score.total,
        healthy: report.healthy,
        serious: serious as u64,
        findings: worst
            .iter()
            .take(FINDINGS_MAX)
            .map(|finding| finding.message.clone())
            .collect(),
    }
}

fn progress(key: &SeriesKey, done: usize, of: usize) -> Progress {
    let (symbol, timeframe) = (key.instrument.symbol(), key.timeframe.to_string());
    Progress {
        fraction: done as f64 / of as f64,
        message: format!("Checking {symbol} {timeframe} [series {}/{of}]", done + 1),
        items: Some(Count {
            done: done as u64,
            total: of as u64,
        }),
        context: Context::Data {
            symbol,
            timeframe,
            bars: 0,
            saved_bars: 0,
        },
        waiting: None,
    }
}
