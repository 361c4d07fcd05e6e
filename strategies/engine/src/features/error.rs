//! Why features cannot be computed, and what to do about it.

use market::Timeframe;
use thiserror::Error;

use crate::indicators::IndicatorError;
use crate::resolve::PlannedIndicator;

/// Why features cannot be computed.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum FeatureError {
    /// A timeframe that the features need has no bars.
    #[error("there are no {timeframe} bars")]
    NoBars {
        /// Timeframe whose series is missing.
        timeframe: Timeframe,
    },
    /// Times do not ascend, or columns differ in length.
    #[error(
        "the {timeframe} bars are malformed: times must ascend and all columns have one length"
    )]
    Malformed {
        /// Timeframe whose series is malformed.
        timeframe: Timeframe,
    },
    /// An indicator refuses the bars.
    #[error("the indicator `{id}` cannot be computed on the {timeframe} bars")]
    Indicator {
        /// The indicator's id in the strategy.
        id: String,
        /// Timeframe that the indicator is computed on.
        timeframe: Timeframe,
        /// The indicator's own reason.
        source: IndicatorError,
    },
    /// The scaling does not fit the features.
    #[error(
        "scaling is given for {scaled} columns and the features have {expected}, \
         or their names differ"
    )]
    Scaling {
        /// Columns of the features.
        expected: usize,
        /// Columns of the scaling.
        scaled: usize,
    },
    /// The progress callback asked to stop.
    #[error("stopped on request")]
    Stopped,
}

impl FeatureError {
    /// An indicator of the strategy has refused the bars of its timeframe.
    pub(super) fn of_indicator(planned: &PlannedIndicator, source: IndicatorError) -> Self {
        Self::Indicator {
            id: planned.id.clone(),
            timeframe: planned.timeframe,
            source,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoBars { .. } => {
                "load the series with `ktrdr data load <symbol> --timeframe <timeframe>`"
            }
            Self::Malformed { .. } => {
                "validate the series with `ktrdr data check <symbol> <timeframe>`"
            }
            Self::Indicator { source, .. } => source.hint(),
            Self::Scaling { .. } => "use the model with the strategy that it was trained on",
            Self::Stopped => "run the operation again or resume it",
        }
    }
}
