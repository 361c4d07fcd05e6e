//! Why a fetch failed, and what becomes of the step.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use market::{
    CloseTimeError, InstrumentError, SeriesKey, SeriesKeyError, Timeframe, UnknownTimeframe, Utc,
};
use runtime::{RetryClass, StepError};
use schemas::codes::{self, Advice, Code};
use schemas::commands::fetch::SERIES_MAX;
use schemas::commands::follow::FOLLOWED_MAX;
use schemas::errors::ErrorRecord;
use schemas::names::MICROS_PER_DAY;
use store::StoreError;

use crate::plan::EmptyRange;
use crate::provider::ProviderError;

/// What is safe after a mistake that is seen before a provider is asked.
const NOTHING_DONE: &str = "no bars were requested, and nothing was stored";

/// A fetch that did not complete. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No series, or too many.
    #[error("a fetch is for 1 to {SERIES_MAX} series, not {count}")]
    Count {
        /// Number of series in the command.
        count: usize,
    },
    /// No series to follow, or too many.
    #[error("following is for 1 to {FOLLOWED_MAX} series, not {count}")]
    FollowedCount {
        /// Number of series in the command.
        count: usize,
    },
    /// A text does not name an instrument.
    #[error("cannot fetch this symbol")]
    Symbol(#[from] InstrumentError),
    /// A text does not name a timeframe.
    #[error("cannot fetch this timeframe")]
    Timeframe(#[from] UnknownTimeframe),
    /// A provider whose name cannot be part of a key.
    #[error("cannot make the key of the series")]
    Key(#[from] SeriesKeyError),
    /// A range without anything in it.
    #[error("cannot fetch this range")]
    Range(#[from] EmptyRange),
    /// Mode `local` with an empty store.
    #[error("nothing is stored of {}", list_names(.series))]
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
    /// The provider failed, however often it was asked, and nothing was fetched.
    #[error("the provider cannot answer")]
    Unanswered {
        /// Bars of the series that are stored, as they were before.
        stored: u64,
        /// The last failure.
        source: ProviderError,
    },
    /// The provider's labels are not those of the timeframe.
    #[error("the provider's bars cannot be used")]
    Labels(#[from] CloseTimeError),
    /// The provider has adjusted its history since the stored bars were fetched.
    #[error(
        "the provider's prices of {series} are {ratio:.4} times the stored ones of the same times, \
         as after a split or a dividend"
    )]
    Scale {
        /// Symbol and timeframe.
        series: String,
        /// Median of fetched to stored closes.
        ratio: f64,
        /// The command that replaces the stored bars.
        command: String,
    },
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

impl Advice for FetchError {
    fn code(&self) -> Code {
        match self {
            Self::Count { .. } | Self::FollowedCount { .. } => codes::DATA_INVALID_REQUEST,
            Self::Symbol(_) | Self::Key(_) => codes::DATA_INVALID_SYMBOL,
            Self::Timeframe(_) => codes::DATA_INVALID_TIMEFRAME,
            Self::Range(_) => codes::DATA_INVALID_DATE_RANGE,
            Self::NothingStored { .. } | Self::NothingThere { .. } => codes::DATA_NO_BARS,
            Self::Provider(error) | Self::Unanswered { source: error, .. } => error.code(),
            Self::Labels(_) => codes::DATA_INVALID_LABEL,
            Self::Scale { .. } => codes::DATA_ADJUSTMENT_BREAK,
            Self::Store(error) => error.code(),
            Self::Step(_) => codes::SYS_STEP,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Count { .. } | Self::FollowedCount { .. } => "split the request",
            Self::Symbol(error) => return error.hint().into(),
            Self::Timeframe(error) => error.hint(),
            Self::Key(error) => return error.hint().into(),
            Self::Range(range) => return earlier_start(range.start).into(),
            Self::NothingStored { series } => return load_command(series).into(),
            Self::NothingThere { .. } => {
                "ask for other dates, or with --mode full for all there is"
            }
            Self::Unanswered { stored, source } => {
                let hint = source.hint();
                return format!("{hint}; {}", describe_stored(*stored)).into();
            }
            Self::Provider(error @ ProviderError::Unconfigured { .. }) => {
                return format!("{}; {NOTHING_DONE}", error.hint()).into();
            }
            Self::Provider(error @ (ProviderError::Remote(_) | ProviderError::Ib(_))) => {
                return format!("{}; what is stored stays as it is", error.hint()).into();
            }
            Self::Provider(error) => return error.hint(),
            Self::Labels(error) => return error.hint().into(),

            // Only a refetch brings both ends of the series to one scale.
            Self::Scale { command, .. } => {
                return format!("`{command}` replaces the stored bars by the provider's").into();
            }
            Self::Store(error) => return error.hint(),
            Self::Step(_) => "",
        })
    }
}

/// What is safe although nothing was fetched, and how to go on.
fn describe_stored(bars: u64) -> String {
    match bars {
        0 => "nothing is stored yet: run the same command again later".to_owned(),
        bars => format!(
            "the {bars} stored bars are unchanged; run the same command again later: it asks only \
             for what is missing"
        ),
    }
}

/// A start that is not too late, for one that is.
fn earlier_start(start: Utc) -> String {
    let now = Utc::from_timestamp(Timestamp::now());
    if start < now {
        return format!("give a start that is earlier than the end; {NOTHING_DONE}");
    }

    let month_ago = now.plus_micros(-30 * MICROS_PER_DAY).date();
    format!(
        "the start lies in the future: give one in the past, as in --start {month_ago}; \
         {NOTHING_DONE}"
    )
}

/// `AAPL 1d, IBM 1d`.
fn list_names(series: &[SeriesKey]) -> String {
    series
        .iter()
        .map(|key| format!("{} {}", key.instrument.symbol(), key.timeframe))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The command that loads these series.
fn load_command(series: &[SeriesKey]) -> String {
    let symbols: BTreeSet<String> = series.iter().map(|key| key.instrument.spelling()).collect();
    let timeframes: BTreeSet<Timeframe> = series.iter().map(|key| key.timeframe).collect();
    let symbols: Vec<String> = symbols.into_iter().collect();
    let timeframes: Vec<String> = timeframes.iter().map(ToString::to_string).collect();
    let pronoun = if series.len() == 1 { "it" } else { "them" };

    format!(
        "`ktrdr data load {} --timeframe {} --mode full` loads {pronoun}",
        symbols.join(" "),
        timeframes.join(",")
    )
}

impl From<FetchError> for StepError {
    fn from(error: FetchError) -> Self {
        let record = ErrorRecord::from_advice(&error);

        match error {
            FetchError::Step(error) => error,
            // The store knows which of its failures may pass, and so does the provider.
            FetchError::Store(error) => error.into(),
            // Its own tries are over; only the end of this process says nothing about it.
            FetchError::Provider(error) if error.is_transient() => {
                Self::retry(RetryClass::Provider, record)
            }
            _ => record.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ib::error::{IbError, IbFailure};

    #[test]
    fn a_gateway_that_falls_silent_leaves_its_bars_stored() {
        let silent = IbError {
            address: "127.0.0.1:4002".to_owned(),
            failure: IbFailure::Silent { seconds: 3 },
        };
        let error = FetchError::Unanswered {
            stored: 120,
            source: silent.into(),
        };

        let hint = error.hint();
        assert!(hint.starts_with("restart the gateway"), "{hint}");
        assert_eq!(hint.matches("the 120 stored bars are unchanged").count(), 1);
    }
}
