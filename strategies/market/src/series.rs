//! The identity of a stored series: everything that decides what its numbers mean.
//!
//! Series that differ in any part are different series and are never merged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::calendar_names::CalendarName;
use crate::instrument::{AssetClass, Instrument, InstrumentError};
use crate::timeframe::Timeframe;
use crate::timeframe_text::UnknownTimeframe;

/// How the name of a provider ends whose prices of shares are adjusted for dividends, too.
const ADJUSTED: &str = "_adjusted";

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
            /// Every value, in the order of declaration.
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
                let word = Self::ALL.iter().copied().find(|word| word.as_str() == text);
                word.ok_or_else(|| {
                    let allowed = [$($text),+].join(", ");
                    SeriesKeyError::Word { text: text.to_owned(), allowed }
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
        /// The best bid price.
        Bid = "bid",
        /// The best ask price.
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
        /// Prices as they were traded.
        Raw = "raw",
        /// Adjusted for splits.
        Split = "split",
        /// Adjusted for splits and dividends.
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
    /// Which price a bar is made of.
    pub what: PriceKind,
    /// Which trading hours it covers.
    pub session: Session,
    /// What earlier prices were adjusted for.
    pub adjustment: Adjustment,
    /// What a daily bar is.
    pub day_boundary: DayBoundary,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// When it trades, if not by the calendar of its instrument.
    calendar: Option<CalendarName>,
}

impl SeriesKey {
    /// The standard series of an instrument: currency and metal pairs by bid, everything else by
    /// trades; shares and funds split-adjusted, and adjusted for dividends too where the name of
    /// the provider ends in `_adjusted`; pairs per UTC date, everything else per trading date.
    /// Change the public fields for another series.
    ///
    /// # Errors
    /// A provider that is not a token: 1 to 32 characters of `[a-z0-9_-]`.
    pub fn standard(
        provider: &str,
        instrument: Instrument,
        timeframe: Timeframe,
    ) -> Result<Self, SeriesKeyError> {
        if !is_provider(provider) {
            return Err(SeriesKeyError::Provider(provider.to_owned()));
        }

        let of_shares = if provider.ends_with(ADJUSTED) {
            Adjustment::SplitDividend
        } else {
            Adjustment::Split
        };

        // What most providers mean by a bar of this class.
        let (what, adjustment, day_boundary) = match instrument.class() {
            AssetClass::Stock | AssetClass::Fund => {
                (PriceKind::Trades, of_shares, DayBoundary::SessionClose)
            }
            AssetClass::Index | AssetClass::Future => (
                PriceKind::Trades,
                Adjustment::Raw,
                DayBoundary::SessionClose,
            ),
            AssetClass::Fx | AssetClass::Metal => {
                (PriceKind::Bid, Adjustment::Raw, DayBoundary::UtcMidnight)
            }
            AssetClass::Crypto | AssetClass::Perpetual => {
                (PriceKind::Trades, Adjustment::Raw, DayBoundary::UtcMidnight)
            }
        };

        Ok(Self {
            provider: provider.to_owned(),
            instrument,
            what,
            session: Session::Regular,
            adjustment,
            day_boundary,
            timeframe,
            calendar: None,
        })
    }

    /// The same bars in another timeframe.
    pub fn in_timeframe(&self, timeframe: Timeframe) -> Self {
        Self {
            timeframe,
            ..self.clone()
        }
    }

    /// The same series with the trading hours of another calendar; that of its instrument is left
    /// out of the key. A name that ends in `_extended` also makes the hours extended.
    ///
    /// # Errors
    /// A name that is not that of a calendar of this process.
    pub fn with_calendar(self, name: &str) -> Result<Self, SeriesKeyError> {
        let named = Calendar::named(name);
        let named = named.ok_or_else(|| SeriesKeyError::Calendar(name.to_owned()))?;
        let usual_name = self.instrument.calendar_name();

        // Written out, the usual calendar would give one series two keys.
        if name == usual_name {
            let calendar = None;
            return Ok(Self { calendar, ..self });
        }

        let market = CalendarName::of(named);
        let session = match named.hours() {
            Session::Extended => Session::Extended,
            Session::Regular => self.session,
        };

        Ok(Self {
            calendar: (market.as_str() != usual_name).then_some(market),
            session,
            ..self
        })
    }

    /// The calendar, where it is not that of the instrument.
    pub const fn calendar(&self) -> Option<CalendarName> {
        self.calendar
    }

    /// Where the bars came from, a token of `[a-z0-9_-]`.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The object key prefix of the series, without a trailing slash:
    /// `bars/<provider>/<instrument>/<what>-<session>-<adjustment>-<day boundary>/<timeframe>`. The
    /// fourth segment ends in `-<calendar>` where that is not the calendar of the instrument.
    pub fn prefix(&self) -> String {
        // Without `..`, so that a new part of the key cannot be forgotten here.
        let Self {
            provider,
            instrument,
            what,
            session,
            adjustment,
            day_boundary,
            timeframe,
            calendar,
        } = self;

        let calendar = calendar.map_or_else(String::new, |name| format!("-{name}"));
        format!(
            "bars/{provider}/{}/{what}-{session}-{adjustment}-{day_boundary}{calendar}/{timeframe}",
            instrument.token()
        )
    }
}

fn is_provider(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    (1..=32).contains(&text.len()) && text.chars().all(is_allowed)
}

impl fmt::Display for SeriesKey {
    /// The prefix of this series' keys.
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
        let [what, session, adjustment, day_boundary, calendar @ ..] = kinds.as_slice() else {
            return Err(SeriesKeyError::Shape(text.to_owned()));
        };

        // The standard series checks the provider; the words of the key then replace its defaults.
        let instrument = Instrument::from_token(instrument)?;
        let standard = Self::standard(provider, instrument, timeframe.parse()?)?;
        let key = Self {
            what: what.parse()?,
            session: session.parse()?,
            adjustment: adjustment.parse()?,
            day_boundary: day_boundary.parse()?,
            ..standard
        };

        match calendar {
            [] => Ok(key),
            [name] => key.with_calendar(name),
            _ => Err(SeriesKeyError::Shape(text.to_owned())),
        }
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

/// Why a text does not name a series.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SeriesKeyError {
    /// A provider outside `[a-z0-9_-]{1,32}`.
    #[error("`{0}` is not a provider name")]
    Provider(String),
    /// Not five segments, or not four words in the fourth.
    #[error("`{0}` is not the key of a series")]
    Shape(String),
    /// A word that is not one of those allowed.
    #[error("`{text}` is none of {allowed}")]
    Word {
        /// The word as read.
        text: String,
        /// The words that are allowed, comma-separated.
        allowed: String,
    },
    /// A calendar that this process does not know.
    #[error("there is no calendar `{0}`")]
    Calendar(String),
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
                "write bars/<provider>/<instrument>/\
                 <what>-<session>-<adjustment>-<day boundary>/<timeframe>"
            }
            Self::Word { .. } => "use one of the words listed",
            Self::Calendar(_) => {
                "`ktrdr calendars list` shows the names, `ktrdr calendars add FILE` adds another"
            }

            Self::Instrument(error) => error.hint(),
            Self::Timeframe(error) => error.hint(),
        }
    }
}
