//! Why a fetch failed, and how the runtime is told.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use market::{
    CloseTimeError, InstrumentError, SeriesKey, SeriesKeyError, Timeframe, UnknownTimeframe,
};
use runtime::StepError;
use schemas::codes::Advice as _;
use schemas::commands::fetch::SERIES_MAX;
use schemas::errors::ErrorRecord;
use store::StoreError;

use crate::plan::EmptyRange;
use crate::provider::ProviderError;

/// A fetch that did not complete. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No series, or too many.
    #[error("a fetch is for 1 to {SERIES_MAX} series, not {count}")]
    Count {
        /// Asked for.
        count: usize,
    },
    /// A symbol that is none.
    #[error("cannot fetch this symbol")]
    Symbol(#[from] InstrumentError),
    /// A timeframe that is none.
    #[error("cannot fetch this timeframe")]
    Timeframe(#[from] UnknownTimeframe),
    /// A provider whose name cannot be part of a key.
    #[error("cannot make the key of the series")]
    Key(#[from] SeriesKeyError),
    /// A range without anything in it.
    #[error("cannot fetch this range")]
    Range(#[from] EmptyRange),
    /// Mode `local` with an empty store.
    #[error("nothing is stored of {}", names(.series))]
    NothingStored {
        /// All of the request that are not stored.
        series: Vec<SeriesKey>,
    },
    /// Neither stored nor at the provider.
    #[error("there are no bars of {series} in the range asked for")]
    NothingThere {
        /// Symbol and timeframe.
        series: String,
    },
    /// The provider failed.
    #[error("the provider cannot answer")]
    Provider(#[from] ProviderError),
    /// The provider's labels are not those of the timeframe.
    #[error("the provider's bars cannot be used")]
    Labels(#[from] CloseTimeError),
    /// The store failed.
    #[error("the bars cannot be stored")]
    Store(#[from] StoreError),
    /// The runtime ended the attempt.
    #[error("the step was ended")]
    Step(StepError),
}

impl From<StepError> for FetchError {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

impl FetchError {
    /// Stable code of the error record.
    const fn code(&self) -> &'static str {
        match self {
            Self::Count { .. } => "DATA-InvalidRequest",
            Self::Symbol(_) | Self::Key(_) => "DATA-InvalidSymbol",
            Self::Timeframe(_) => "DATA-InvalidTimeframe",
            Self::Range(_) => "DATA-InvalidDateRange",
            Self::NothingStored { .. } | Self::NothingThere { .. } => "DATA-NoBars",
            Self::Provider(error) => error.code(),
            Self::Labels(_) => "DATA-InvalidLabel",
            Self::Store(_) => "STORE-Failed",
            Self::Step(_) => "SYS-Step",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Cow<'static, str> {
        if let Self::NothingStored { series } = self {
            return load(series).into();
        }
        Cow::Borrowed(match self {
            Self::Count { .. } => "split the request",
            Self::Symbol(error) => error.hint(),
            Self::Timeframe(_) => "use one of 1m 5m 15m 30m 1h 4h 1d 1w",
            Self::Key(error) => error.hint(),
            Self::Range(_) => "give a start that is earlier than the end",
            Self::NothingThere { .. } => {
                "ask for other dates, or with --mode full for all there is"
            }
            Self::Provider(error) => return error.hint(),
            Self::Labels(error) => error.hint(),
            Self::Store(error) => return error.hint(),
            Self::Step(_) | Self::NothingStored { .. } => "",
        })
    }
}

/// `AAPL 1d, IBM 1d`.
fn names(series: &[SeriesKey]) -> String {
    series
        .iter()
        .map(|key| format!("{} {}", key.instrument.symbol(), key.timeframe))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The command that brings these series.
fn load(series: &[SeriesKey]) -> String {
    let symbols: BTreeSet<String> = series.iter().map(|key| key.instrument.symbol()).collect();
    let timeframes: BTreeSet<Timeframe> = series.iter().map(|key| key.timeframe).collect();
    let symbols = symbols.into_iter().collect::<Vec<_>>().join(" ");
    let timeframes = timeframes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let what = if series.len() == 1 { "it" } else { "them" };
    format!("`ktrdr data load {symbols} --timeframe {timeframes} --mode full` loads {what}")
}

impl From<FetchError> for StepError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Step(error) => error,
            FetchError::Store(error) => error.into(),
            error => {
                let transient =
                    matches!(&error, FetchError::Provider(provider) if provider.is_transient());
                let record = ErrorRecord::from_error(error.code(), &error, error.hint());
                if transient {
                    Self::Retry {
                        after: Duration::from_secs(2),
                        error: Box::new(record.retryable()),
                    }
                } else {
                    Self::Permanent(record.into())
                }
            }
        }
    }
}
