//! Why a validation failed, and what becomes of the step.

use std::borrow::Cow;

use market::{SeriesKey, SeriesKeyError};
use quality::Finding;
use runtime::StepError;
use schemas::codes::{self, Advice, Code};
use schemas::errors::ErrorRecord;
use store::StoreError;

/// Most keys of reports in the details of an error.
const REPORTS_MAX: usize = 3;

/// A finding because of which the bars of a series cannot be used.
#[derive(Clone, Debug)]
pub struct CriticalFinding {
    /// Symbol and timeframe.
    pub series: String,
    /// Key of the whole report.
    pub report: String,
    /// The check that failed, with its rows.
    pub finding: Finding,
}

/// A check that found bars that cannot be used, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The request names no series.
    #[error("there is nothing to check")]
    Nothing,
    /// A text is not the key of a series.
    #[error("cannot check this series")]
    Key(#[from] SeriesKeyError),
    /// There are no bars in the range.
    #[error("nothing is stored of {series} in the range asked for")]
    NoBars {
        /// Key of the series.
        series: SeriesKey,
    },
    /// The store failed, or a stored object is damaged.
    #[error("the bars cannot be read")]
    Store(#[from] StoreError),
    /// Bars cannot be used.
    #[error("the bars cannot be used: {}", list_findings(findings))]
    Critical {
        /// At least one, those of a series together.
        findings: Vec<CriticalFinding>,
    },
    /// The checks were stopped with the process.
    #[error("checking {series} was stopped")]
    Stopped {
        /// Key of the series.
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
fn list_findings(findings: &[CriticalFinding]) -> String {
    let sentences: Vec<String> = findings.iter().map(describe_finding).collect();
    sentences.join("; ")
}

fn describe_finding(critical: &CriticalFinding) -> String {
    let CriticalFinding {
        series, finding, ..
    } = critical;
    let rows: Vec<String> = finding
        .rows
        .iter()
        .map(|sample| match sample.row {
            Some(row) => format!("row {row} ({})", sample.time),
            None => sample.time.to_string(),
        })
        .collect();

    if rows.is_empty() {
        format!("{series}: {}", finding.message)
    } else {
        format!("{series}: {}: {}", finding.message, rows.join(", "))
    }
}

impl Advice for ValidateError {
    fn code(&self) -> Code {
        match self {
            Self::Nothing => codes::DATA_INVALID_REQUEST,
            Self::Key(_) => codes::DATA_INVALID_SYMBOL,
            Self::NoBars { .. } => codes::DATA_NO_BARS,
            Self::Store(error) => error.code(),
            Self::Critical { .. } => codes::DATA_CRITICAL,
            Self::Stopped { .. } => codes::SYS_STOPPED,
            Self::Step(_) => codes::SYS_STEP,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Nothing => "name the series, or put a fetch step before",
            Self::Key(error) => return error.hint().into(),
            Self::NoBars { .. } => {
                "load the bars first: `ktrdr data load SYMBOL --timeframe TIMEFRAME --mode full`"
            }
            Self::Critical { .. } => {
                "correct the bars at their source and load them again with --refetch; the report \
                 lists all"
            }
            Self::Store(error) => return error.hint(),
            Self::Stopped { .. } | Self::Step(_) => "",
        })
    }
}

impl From<ValidateError> for StepError {
    fn from(error: ValidateError) -> Self {
        let record = ErrorRecord::from_advice(&error);

        match error {
            ValidateError::Step(error) => error,
            ValidateError::Stopped { .. } => Self::Stopped,
            // The store knows which of its failures may pass.
            ValidateError::Store(error) => error.into(),
            ValidateError::Critical { findings } => {
                let reports = findings.iter().map(|critical| &critical.report);
                let reports: Vec<&String> = reports.take(REPORTS_MAX).collect();
                let details = serde_json::json!({ "reports": reports });
                record.with_details(details).into()
            }
            _ => record.into(),
        }
    }
}
