//! Instruments: one identity for every spelling of a symbol.
//!
//! `EURUSD`, `EUR/USD`, `EUR.USD` and `fx:EUR.USD` are one instrument, `fx:EUR.USD`. A dot alone
//! makes no currency pair: `BRK.B` is a share class. A text that may be two things is never
//! guessed: the wrong class has the wrong hours, and bars would count as known before they are
//! over.

mod class;
mod currencies;
mod error;
mod futures;
mod hours;
mod name;
mod spellings;
mod token;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use class::AssetClass;
pub use error::InstrumentError;
pub use spellings::{Explanation, SPELLINGS, Spelling};

/// Longest symbol that is accepted, in characters, without the class.
pub const SYMBOL_LENGTH_MAX: usize = 20;

/// One tradable thing. Equal instruments have equal [`id`](Self::id)s, whatever the user typed.
///
/// Serialised as its id; reading accepts every spelling that [`Instrument::parse`] accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Instrument {
    class: AssetClass,
    /// Upper case `[A-Z0-9._&-]`; pairs are `BASE.QUOTE`, futures `ROOT` or `ROOT.YYYYMM`.
    name: String,
}

impl Instrument {
    /// Reads a symbol as people and vendors write it, by the table [`SPELLINGS`]: `EURUSD`,
    /// `eur/usd`, `AAPL`, `BRK.B`, `stk:SPY`, `crypto:BTC-USD`, `fut:ES:202612`, `ES=F`.
    ///
    /// # Errors
    /// A text that can mean several things, or that looks like a pair without being one that is
    /// known; a symbol that is empty, too long, has a character that no symbol has or an unknown
    /// class, or has another form than its class demands.
    pub fn parse(text: &str) -> Result<Self, InstrumentError> {
        Self::explain(text).result
    }

    /// How [`parse`](Self::parse) reads a text, and by which row of [`SPELLINGS`].
    pub fn explain(text: &str) -> Explanation {
        spellings::explain(text)
    }

    /// What kind of thing it is.
    pub const fn class(&self) -> AssetClass {
        self.class
    }

    /// The canonical id: `fx:EUR.USD`, `stk:AAPL`, `crypto:BTC.USD`, `fut:ES`, `fut:ES:202612`.
    pub fn id(&self) -> String {
        self.to_string()
    }

    /// The short form for display: `EURUSD`, `AAPL`, `BRK.B`, `BTCUSD`, `BTCUSDT.P` of a perpetual,
    /// `ES202612` of a future. Not unique over classes.
    pub fn symbol(&self) -> String {
        match (self.class, self.name.split_once('.')) {
            (AssetClass::Fx | AssetClass::Metal | AssetClass::Crypto, Some((base, quote))) => {
                format!("{base}{quote}")
            }
            (AssetClass::Perpetual, Some((base, quote))) => format!("{base}{quote}.P"),
            (AssetClass::Future, Some((root, expiry))) => format!("{root}{expiry}"),
            _ => self.name.clone(),
        }
    }

    /// The shortest text that is read as this instrument: its [`symbol`](Self::symbol), or the one
    /// with the prefix of its class where the symbol alone would mean something else.
    pub fn spelling(&self) -> String {
        let symbol = self.symbol();
        match Self::parse(&symbol) {
            Ok(instrument) if instrument == *self => symbol,
            _ => self.prefixed(),
        }
    }

    /// The class and the symbol as people write them: `crypto:BTC/USD`, `fut:ES:202612`. With a
    /// slash `XBT` would be read as `BTC`; then it is the id.
    pub(crate) fn prefixed(&self) -> String {
        let pair = self.pair();
        let text = pair.map(|(base, quote)| format!("{}:{base}/{quote}", self.class));
        let text = text.filter(|text| Self::parse(text).as_ref() == Ok(self));
        text.unwrap_or_else(|| self.id())
    }

    /// Base and quote of a currency, metal or crypto pair, `("EUR", "USD")`; none for the other
    /// classes.
    pub fn pair(&self) -> Option<(&str, &str)> {
        if self.class.is_pair() {
            self.name.split_once('.')
        } else {
            None
        }
    }

    /// The root of a future, `ES`, and the month of its expiry as `YYYYMM`, which the continuous
    /// series does not have; none for the other classes.
    pub fn future(&self) -> Option<(&str, Option<&str>)> {
        if self.class != AssetClass::Future {
            return None;
        }
        match self.name.split_once('.') {
            Some((root, expiry)) => Some((root, Some(expiry))),
            None => Some((&self.name, None)),
        }
    }

    /// The name of the calendar by which it trades, as `Calendar` knows it: that of its exchange
    /// where the symbol names one (`VOD.L`), else that of its class. `always` where the hours are
    /// not known: no bar then counts as known before its length is over.
    pub fn calendar_name(&self) -> &'static str {
        hours::calendar_name(self.class, &self.name)
    }

    /// The id within `[a-z0-9_-]`, safe as an object key segment, a NATS subject token and a KV
    /// key: `fx-eur-usd`, `stk-brk-b`, `fut-es-202612`. Dots become `-`, `-` becomes `_m`, `_`
    /// becomes `_u`, `&` becomes `_a`; [`from_token`](Self::from_token) reads it back.
    pub fn token(&self) -> String {
        format!("{}-{}", self.class, token::encode(&self.name))
    }

    /// The instrument of a [`token`](Self::token).
    ///
    /// # Errors
    /// A text that no instrument has as its token.
    pub fn from_token(token: &str) -> Result<Self, InstrumentError> {
        let unknown = || InstrumentError::Token(token.to_owned());
        let (class, name) = token.split_once('-').ok_or_else(unknown)?;
        let name = token::decode(name).ok_or_else(unknown)?;
        let instrument = Self::parse(&format!("{class}:{name}")).map_err(|_| unknown())?;

        // Several texts read as one instrument; only one of them is its token.
        if instrument.token() == token {
            Ok(instrument)
        } else {
            Err(unknown())
        }
    }
}

impl fmt::Display for Instrument {
    /// The canonical id.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.future() {
            Some((root, Some(expiry))) => write!(formatter, "{}:{root}:{expiry}", self.class),
            _ => write!(formatter, "{}:{}", self.class, self.name),
        }
    }
}

impl FromStr for Instrument {
    type Err = InstrumentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Instrument {
    type Error = InstrumentError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Instrument> for String {
    fn from(instrument: Instrument) -> Self {
        instrument.id()
    }
}
