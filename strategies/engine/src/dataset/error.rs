//! Why no data set can be made, and what to do about it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use market::{Timeframe, Utc};
use schemas::codes::{self, Advice, Code};
use thiserror::Error;

use crate::features::FeatureError;
use crate::labels::LabelError;
use crate::leak::Leak;
use crate::splits::SplitError;

/// Reasons for which bars are dropped, as in the manifest of a data set.
pub(super) const WARM_UP: &str = "warm_up";
pub(super) const UNDEFINED: &str = "undefined";
pub(super) const UNLABELLED: &str = "unlabelled";
pub(super) const NO_EVENT: &str = "no_event";

/// Why no data set can be made.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DataSetError {
    /// A symbol of the strategy has no bars.
    #[error("there are no bars of {symbol}")]
    NoSymbol {
        /// Id of the instrument.
        symbol: String,
    },
    /// Fewer base bars than the strategy asks for.
    #[error(
        "{symbol} has {bars} {timeframe} bars in the date range, the strategy requires {required}"
    )]
    ShortHistory {
        /// Id of the instrument.
        symbol: String,
        /// The base timeframe of the strategy.
        timeframe: Timeframe,
        /// Base bars in the date range.
        bars: usize,
        /// The bars that `training_data.history_required` asks for.
        required: u32,
    },
    /// Features of a symbol cannot be computed.
    #[error("the features of {symbol} cannot be computed")]
    Features {
        /// Id of the instrument.
        symbol: String,
        /// The error of the features.
        source: FeatureError,
    },
    /// Labels of a symbol cannot be computed.
    #[error("the labels of {symbol} cannot be computed")]
    Labels {
        /// Id of the instrument.
        symbol: String,
        /// The error of the labels.
        source: LabelError,
    },
    /// A feature knew the future.
    #[error(
        "the feature `{feature}` of {symbol} changes between {} and {} \
         when bars after {} are not known",
        .leak.rows.0,
        .leak.rows.1,
        .leak.cut
    )]
    Leak {
        /// Id of the instrument.
        symbol: String,
        /// Name of the feature.
        feature: String,
        /// The rows that changed, and the cut.
        leak: Leak,
    },
    /// Too many rows lack a value after the warm-up.
    #[error(
        "{undefined} of {rows} rows of {symbol} lack a value after the warm-up, most in `{feature}`"
    )]
    Undefined {
        /// Id of the instrument.
        symbol: String,
        /// Rows after the warm-up that lack a value.
        undefined: u64,
        /// All rows after the warm-up, incomplete or not.
        rows: u64,
        /// The column with the most gaps.
        feature: String,
    },
    /// The rows cannot be cut into parts.
    #[error("the rows cannot be split")]
    Split(#[from] SplitError),
    /// Every bar of every symbol was dropped.
    #[error("no bar gives a row: {}", list_reasons(.dropped))]
    NoRows {
        /// Bars dropped, by reason.
        dropped: BTreeMap<String, u64>,
    },
    /// The sealed period has no row.
    #[error("no bar from {from} on, where the sealed period begins, gives a row with its label")]
    NoSealedRows {
        /// Where the sealed period begins.
        from: Utc,
    },
    /// A part is too small.
    #[error("the {part} part has {rows} rows, the fewest is {required}; {}", list_counts(.dropped))]
    FewRows {
        /// Name of the part.
        part: &'static str,
        /// Rows of the part, of all symbols together.
        rows: usize,
        /// Fewest rows that the part must have.
        required: usize,
        /// Rows dropped, by reason.
        dropped: BTreeMap<String, u64>,
    },
    /// A part lacks a class.
    #[error(
        "no row of the {part} part is labelled {class}; its classes are {}",
        list_counts(.classes)
    )]
    NoClass {
        /// Name of the part.
        part: &'static str,
        /// The class without a row.
        class: String,
        /// Rows per class.
        classes: BTreeMap<String, u64>,
    },
    /// The system gives no threads.
    #[error("{threads} threads cannot be started: {reason}")]
    Threads {
        /// Number of threads requested.
        threads: usize,
        /// Message of the operating system.
        reason: String,
    },
    /// The progress callback asked to stop.
    #[error("stopped on request")]
    Stopped,
}

/// `name 12, other 34`.
fn list_counts(rows: &BTreeMap<String, u64>) -> String {
    rows.iter()
        .map(|(name, rows)| format!("{name} {rows}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `13 in the warm-up of the indicators, 2987 without a label`: the reasons that occurred.
fn list_reasons(dropped: &BTreeMap<String, u64>) -> String {
    let mut texts = Vec::new();
    for (reason, bars) in dropped.iter().filter(|(_, bars)| **bars > 0) {
        let words = match reason.as_str() {
            WARM_UP => "in the warm-up of the indicators",
            UNDEFINED => "with an undefined feature",
            UNLABELLED => "without a label",
            NO_EVENT => "without an event",
            other => other,
        };
        texts.push(format!("{bars} {words}"));
    }

    if texts.is_empty() {
        return "there are no bars".to_owned();
    }
    texts.join(", ")
}

/// What helps against the reason for which most bars were dropped.
fn advice_on_drops(dropped: &BTreeMap<String, u64>) -> &'static str {
    let most = dropped.iter().max_by_key(|(_, bars)| **bars);

    match most.map(|(reason, _)| reason.as_str()) {
        Some(UNLABELLED) => {
            "a label needs prices that move, and bars after its own: look at the bars with `ktrdr \
             data show`, or shorten the horizon of training.labels"
        }
        Some(UNDEFINED) => {
            "look at the bars with `ktrdr data show`: a flat or missing input leaves a feature \
             undefined"
        }
        Some(NO_EVENT) => "lower training.labels.cusum_multiplier",
        _ => "use a longer date range or a finer timeframe",
    }
}

impl Advice for DataSetError {
    fn code(&self) -> Code {
        match self {
            Self::NoSymbol { .. } => codes::DATA_NO_SYMBOL,
            Self::ShortHistory { .. } => codes::DATA_SHORT_HISTORY,
            Self::Features { .. } => codes::PROC_FEATURES,
            Self::Labels { .. } => codes::PROC_LABELS,
            Self::Leak { .. } => codes::PROC_LEAK,
            Self::Undefined { .. } => codes::PROC_UNDEFINED,
            Self::Split(_) => codes::PROC_SPLIT,
            Self::FewRows { .. } | Self::NoRows { .. } | Self::NoSealedRows { .. } => {
                codes::PROC_FEW_ROWS
            }
            Self::NoClass { .. } => codes::PROC_NO_CLASS,
            Self::Threads { .. } => codes::SYS_THREADS,
            Self::Stopped => codes::PROC_STOPPED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::NoSymbol { .. } => {
                "load it with `ktrdr data load <symbol> --timeframe <timeframe>`".into()
            }
            Self::ShortHistory { .. } => {
                "load more history, widen the dates, or lower training_data.history_required".into()
            }
            Self::Features { source, .. } => source.hint().into(),
            Self::Labels { source, .. } => source.hint().into(),
            Self::Leak { .. } => {
                "this is a defect of the program: report it with the strategy and the dates".into()
            }
            Self::Undefined { .. } => {
                "look at that indicator: a flat or missing input leaves it undefined".into()
            }
            Self::Split(source) => source.hint().into(),
            Self::NoRows { dropped } => advice_on_drops(dropped).into(),
            Self::NoSealedRows { .. } => {
                "choose an earlier training_data.sealed_from, or load the newer bars with `ktrdr \
                 data load`"
                    .into()
            }
            Self::FewRows { .. } => {
                "use more history, other split dates, or a smaller training.embargo_bars".into()
            }
            Self::NoClass { .. } => {
                "use other label parameters or split dates, so that every part holds every class"
                    .into()
            }
            Self::Threads { .. } => "allow the process more threads, or set fewer".into(),
            Self::Stopped => "run the operation again or resume it".into(),
        }
    }
}
