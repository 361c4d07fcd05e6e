//! What can go wrong between a request and its data set.

use market::{SeriesKeyError, Timeframe};
use schemas::errors::ErrorRecord;
use store::StoreError;
use strategies::{DataSetError, Findings};

/// Why no data set was built.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The strategy is wrong, or the request does not fit it.
    #[error("{0}")]
    Strategy(Findings),
    /// The overrides of the request are no overrides.
    #[error("the overrides of the request cannot be read")]
    Overrides(#[source] serde_json::Error),
    /// A key names no series.
    #[error("a series of the request cannot be read")]
    SeriesKey(#[from] SeriesKeyError),
    /// No key for something that the strategy needs.
    #[error("the strategy needs {timeframe} bars of {symbol}, and no such series was given")]
    NoSeries {
        /// Instrument id.
        symbol: String,
        /// Length of its bars.
        timeframe: Timeframe,
    },
    /// Nothing is stored under a key.
    #[error("the series `{series}` is not stored")]
    NotStored {
        /// Its key.
        series: String,
    },
    /// The rows cannot be made.
    #[error("the data set cannot be built")]
    DataSet(#[from] DataSetError),
    /// Reading or writing failed.
    #[error("the object store failed")]
    Store(#[from] StoreError),
    /// The computation panicked.
    #[error("the computation ended unexpectedly: {reason}")]
    Lost {
        /// What the runtime says.
        reason: String,
    },
    /// It was told to stop.
    #[error("stopped on request")]
    Stopped,
}

impl From<Findings> for ProcessError {
    fn from(findings: Findings) -> Self {
        Self::Strategy(findings)
    }
}

impl ProcessError {
    /// A word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Strategy(_) => "STRATEGY-Invalid",
            Self::Overrides(_) => "STRATEGY-Overrides",
            Self::SeriesKey(_) => "DATA-SeriesKey",
            Self::NoSeries { .. } => "DATA-NoSeries",
            Self::NotStored { .. } => "DATA-NotStored",
            Self::DataSet(error) => error.code(),
            Self::Store(_) => "STORE-Failed",
            Self::Lost { .. } => "SYS-Panic",
            Self::Stopped => "PROC-Stopped",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Strategy(findings) => findings.hint().to_owned(),
            Self::Overrides(_) => "submit the request with this version of `ktrdr`".to_owned(),
            Self::SeriesKey(error) => error.hint().to_owned(),
            Self::NoSeries { .. } => {
                "name the series in the command, or put a fetch step before it".to_owned()
            }
            Self::NotStored { .. } => {
                "load it with `ktrdr data load <symbol> --timeframe <timeframe>`".to_owned()
            }
            Self::DataSet(error) => error.hint(),
            Self::Store(error) => error.hint().to_owned(),
            Self::Lost { .. } => "the worker's log has the place; report this as a bug".to_owned(),
            Self::Stopped => "run the operation again or resume it".to_owned(),
        }
    }

    /// The error with its causes, as it stands in records.
    pub fn record(&self) -> ErrorRecord {
        ErrorRecord::from_error(self.code(), self, self.hint())
    }
}
