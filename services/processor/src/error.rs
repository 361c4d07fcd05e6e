//! What can go wrong between a request and its data set.

use std::borrow::Cow;

use market::{SeriesKeyError, Timeframe};
use schemas::codes::{self, Advice, Code};
use store::StoreError;
use strategies::{DataSetError, RequestError};

/// Why no data set was built.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The strategy has errors, or the request does not fit it.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A text is not the key of a series.
    #[error("a series of the request cannot be read")]
    SeriesKey(#[from] SeriesKeyError),
    /// The request names no series for bars that the strategy needs.
    #[error("the strategy needs {timeframe} bars of {symbol}, and no such series was given")]
    NoSeries {
        /// Id of the instrument.
        symbol: String,
        /// Length of its bars.
        timeframe: Timeframe,
    },
    /// Nothing is stored under a key.
    #[error("the series `{series}` is not stored")]
    NotStored {
        /// Key of the series.
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
        /// The message of the runtime.
        reason: String,
    },
    /// The caller asked it to stop.
    #[error("stopped on request")]
    Stopped,
}

impl Advice for ProcessError {
    fn code(&self) -> Code {
        match self {
            Self::Request(error) => error.code(),
            Self::SeriesKey(_) => codes::DATA_SERIES_KEY,
            Self::NoSeries { .. } => codes::DATA_NO_SERIES,
            Self::NotStored { .. } => codes::DATA_NOT_STORED,
            Self::DataSet(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Lost { .. } => codes::SYS_PANIC,
            Self::Stopped => codes::PROC_STOPPED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::Request(error) => return error.hint(),
            Self::DataSet(error) => return error.hint(),
            Self::Store(error) => return error.hint(),
            Self::SeriesKey(error) => error.hint(),

            // What only a processor can meet.
            Self::NoSeries { .. } => {
                "name the series in the command, or put a fetch step before it"
            }
            Self::NotStored { .. } => {
                "load it with `ktrdr data load <symbol> --timeframe <timeframe>`"
            }
            Self::Lost { .. } => "the worker's log has the place; report this as a bug",
            Self::Stopped => "run the operation again or resume it",
        };
        hint.into()
    }
}
