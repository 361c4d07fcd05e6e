//! The identity of a stored series: everything that decides what its numbers mean.
//!
//! Series that differ in any part are different series and are never merged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::instrument::{AssetClass, Instrument, InstrumentError};
use crate::timeframe::{Timeframe, UnknownTimeframe};

/// An enum whose variants have one written form each, used in keys, in JSON and on the command
/// line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The written form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = SeriesKeyError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|each| each.as_str() == text).ok_or_else(|| SeriesKeyError::Word {
                    text: text.to_owned(),
                    allowed: [$($text),+].join(", "),
                })
            }
        }
    };
}

words! {
    /// Which price a bar is made of.
    PriceKind {
        /// Prices of trades.
        Trades = "trades",
        /// Best bid.
        Bid = "bid",
        /// Best ask.
        Ask = "ask",
        /// Mean of bid and ask.
        Midpoint = "midpoint",
    }
}

words! {
    /// Which hours a series covers.
    Session {
        /// Regular trading hours only.
        Regular = "regular",
        /// Regular, pre-market and post-market hours.
        Extended = "extended",
    }
}

words! {
    /// What earlier prices were adjusted for.
    Adjustment {
        /// Nothing.
        Raw = "raw",
        /// Splits.
        Split = "split",
        /// Splits and dividends.
        SplitDividend = "split_dividend",
    }
}

words! {
    /// What a daily bar stands for, and therefore when it becomes known. Weekly bars follow it.
    DayBoundary {
        /// An exchange trading date; known at the close of its session.
        SessionClose = "session_close",
        /// A UTC calendar date; known at the next midnight UTC.
        UtcMidnight = "utc_midnight",
    }
}

/// The identity of one stored series of bars.
///
/// Serialised, displayed and parsed as its [`prefix`](Self::prefix).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SeriesKey {
    provider: String,
    /// What is traded.
    pub instrument: Instrument,
    /// Which price.
    pub what: PriceKind,
    /// Which hours.
    pub session: Session,
    /// What was adjusted.
    pub adjustment: Adjustment,
    /// What a daily bar is.
    pub day_boundary: DayBoundary,
    /// Length of a bar.
    pub timeframe: Timeframe,
}

impl SeriesKey {
    /// The usual series of an instrument: stocks and crypto by trades, stocks split-adjusted and
    /// per trading date, currency pairs by bid, pairs per UTC date. Change the public fields for
    /// another one.
    ///
    /// # Errors
    /// A provider that is no token: 1 to 32 characters of `[a-z0-9_-]`.
    pub fn standard(
        provider: &str,
        instrument: Instrument,
        timeframe: Timeframe,
    ) -> Result<Self, SeriesKeyError> {
        let token = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if provider.is_empty() || provider.len() > 32 || !provider.chars().all(token) {
            return Err(SeriesKeyError::Provider(provider.to_owned()));
        }
        let (what, adjustment, day_boundary) = match instrument.class() {
            AssetClass::Stock => (
                PriceKind::Trades,
                Adjustment::Split,
                DayBoundary::SessionClose,
            ),
            AssetClass::Fx => (PriceKind::Bid, Adjustment::Raw, DayBoundary::UtcMidnight),
            AssetClass::Crypto => (PriceKind::Trades, Adjustment::Raw, DayBoundary::UtcMidnight),
        };
        let session = Session::Regular;
        Ok(Self {
            provider: provider.to_owned(),
            instrument,
            what,
            session,
            adjustment,
            day_boundary,
            timeframe,
        })
    }

    /// Where the bars came from, a token of `[a-z0-9_-]`.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The object key prefix of the series, without a trailing slash:
    /// `bars/<provider>/<instrument>/<what>-<session>-<adjustment>-<day boundary>/<timeframe>`.
    pub fn prefix(&self) -> String {
        let Self {
            provider,
            instrument,
            what,
            session,
            adjustment,
            day_boundary,
            timeframe,
        } = self;
        format!(
            "bars/{provider}/{}/{what}-{session}-{adjustment}-{day_boundary}/{timeframe}",
            instrument.token()
        )
    }

    /// The same series in another timeframe.
    #[must_use]
    pub fn with_timeframe(&self, timeframe: Timeframe) -> Self {
        Self {
            timeframe,
            ..self.clone()
        }
    }
}

impl fmt::Display for SeriesKey {
    /// The prefix.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.prefix())
    }
}

impl FromStr for SeriesKey {
    type Err = SeriesKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let ["bars", provider, instrument, kind, timeframe] = parts.as_slice() else {
            return Err(SeriesKeyError::Shape(text.to_owned()));
        };
        let kinds: Vec<&str> = kind.split('-').collect();
        let [what, session, adjustment, day_boundary] = kinds.as_slice() else {
            return Err(SeriesKeyError::Shape(text.to_owned()));
        };
        let standard = Self::standard(
            provider,
            Instrument::from_token(instrument)?,
            timeframe.parse()?,
        )?;
        Ok(Self {
            what: what.parse()?,
            session: session.parse()?,
            adjustment: adjustment.parse()?,
            day_boundary: day_boundary.parse()?,
            ..standard
        })
    }
}

impl TryFrom<String> for SeriesKey {
    type Error = SeriesKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SeriesKey> for String {
    fn from(key: SeriesKey) -> Self {
        key.prefix()
    }
}

/// Why a text names no series.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SeriesKeyError {
    /// A provider outside `[a-z0-9_-]{1,32}`.
    #[error("`{0}` is not a provider name")]
    Provider(String),
    /// Not five segments, or not four words in the fourth.
    #[error("`{0}` is not the key of a series")]
    Shape(String),
    /// A word that is none of those allowed.
    #[error("`{text}` is none of {allowed}")]
    Word {
        /// What was read.
        text: String,
        /// What would be right.
        allowed: String,
    },
    /// The instrument segment is wrong.
    #[error("the series key has a wrong instrument")]
    Instrument(#[from] InstrumentError),
    /// The timeframe segment is wrong.
    #[error("the series key has a wrong timeframe")]
    Timeframe(#[from] UnknownTimeframe),
}

impl SeriesKeyError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Provider(_) => "provider names are 1 to 32 characters of a-z, 0-9, `_` and `-`",
            Self::Shape(_) => {
                "write bars/<provider>/<instrument>/<what>-<session>-<adjustment>-<day boundary>/<timeframe>"
            }
            Self::Word { .. } => "use one of the words listed",
            Self::Instrument(error) => error.hint(),
            Self::Timeframe(_) => "use one of 1m 5m 15m 30m 1h 4h 1d 1w",
        }
    }
}
