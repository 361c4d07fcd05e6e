//! Instruments: one identity for every spelling of a symbol.
//!
//! `EURUSD`, `EUR/USD`, `EUR.USD` and `fx:EUR.USD` are one instrument, `fx:EUR.USD`. A dot alone
//! makes no currency pair: `BRK.B` is a share class.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest symbol that is accepted, in characters, without the class.
pub const SYMBOL_LENGTH_MAX: usize = 20;

/// Codes that make a pair a currency pair (ISO 4217, plus `CNH`, the offshore renminbi).
const CURRENCIES: [&str; 21] = [
    "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "HKD", "SGD",
    "CNH", "MXN", "ZAR", "TRY", "PLN", "HUF", "CZK", "ILS",
];

/// Quote assets by which a crypto symbol without a separator is cut, longest first.
const CRYPTO_QUOTES: [&str; 8] = ["USDT", "USDC", "USD", "EUR", "GBP", "JPY", "BTC", "ETH"];

/// What kind of thing is traded; decides calendar, price kind and day boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetClass {
    /// A share or fund on an exchange, prefix `stk:`.
    Stock,
    /// A spot currency pair, prefix `fx:`.
    Fx,
    /// A crypto pair, prefix `crypto:`.
    Crypto,
}

impl AssetClass {
    /// Every class of instrument.
    pub const ALL: [Self; 3] = [Self::Stock, Self::Fx, Self::Crypto];

    /// The prefix people write, without the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stock => "stk",
            Self::Fx => "fx",
            Self::Crypto => "crypto",
        }
    }

    /// The class of a prefix, in any case.
    fn from_prefix(prefix: &str) -> Result<Self, InstrumentError> {
        let mut classes = Self::ALL.into_iter();
        let class = classes.find(|class| class.as_str().eq_ignore_ascii_case(prefix));
        class.ok_or_else(|| InstrumentError::Class(prefix.to_ascii_lowercase()))
    }
}

impl fmt::Display for AssetClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One tradable thing. Equal instruments have equal [`id`](Self::id)s, whatever the user typed.
///
/// Serialised as its id; reading accepts every spelling that [`Instrument::parse`] accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Instrument {
    class: AssetClass,
    /// Upper case `[A-Z0-9._-]`; pairs are `BASE.QUOTE`.
    name: String,
}

impl Instrument {
    /// Reads a symbol as people write it: `EURUSD`, `eur/usd`, `AAPL`, `BRK.B`, `stk:SPY`,
    /// `crypto:BTC-USD`.
    ///
    /// # Errors
    /// A symbol that is empty, too long, has a character outside `[A-Za-z0-9._/-]` or an unknown
    /// class, or is not a pair where the class demands one.
    pub fn parse(text: &str) -> Result<Self, InstrumentError> {
        let upper = text.trim().to_ascii_uppercase();
        let (class, symbol) = match upper.split_once(':') {
            Some((prefix, symbol)) => (Some(AssetClass::from_prefix(prefix)?), symbol),
            None => (None, upper.as_str()),
        };
        check_characters(symbol)?;

        let not_a_pair = || InstrumentError::Pair(symbol.to_owned());
        match class {
            // Without a prefix, two currencies make a pair, and everything else is a share.
            None => {
                currency_pair(symbol).map_or_else(|| Self::stock(symbol), |pair| Ok(Self::fx(pair)))
            }
            Some(AssetClass::Stock) => Self::stock(symbol),
            Some(AssetClass::Fx) => currency_pair(symbol).map(Self::fx).ok_or_else(not_a_pair),
            Some(AssetClass::Crypto) => {
                crypto_pair(symbol).map(Self::crypto).ok_or_else(not_a_pair)
            }
        }
    }

    fn fx(name: String) -> Self {
        Self {
            class: AssetClass::Fx,
            name,
        }
    }

    fn crypto(name: String) -> Self {
        Self {
            class: AssetClass::Crypto,
            name,
        }
    }

    fn stock(symbol: &str) -> Result<Self, InstrumentError> {
        let starts_well = symbol.starts_with(|c: char| c.is_ascii_alphanumeric());
        let ends_well = symbol.ends_with(|c: char| c.is_ascii_alphanumeric());
        if symbol.contains('/') || !starts_well || !ends_well {
            return Err(InstrumentError::Stock(symbol.to_owned()));
        }
        Ok(Self {
            class: AssetClass::Stock,
            name: symbol.to_owned(),
        })
    }

    /// What kind of thing it is.
    pub const fn class(&self) -> AssetClass {
        self.class
    }

    /// The canonical id: `fx:EUR.USD`, `stk:AAPL`, `crypto:BTC.USD`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.class, self.name)
    }

    /// The short form for display: `EURUSD`, `AAPL`, `BRK.B`, `BTCUSD`. Not unique over classes.
    pub fn symbol(&self) -> String {
        self.pair().map_or_else(
            || self.name.clone(),
            |(base, quote)| format!("{base}{quote}"),
        )
    }

    /// Base and quote of a currency or crypto pair, `("EUR", "USD")`; none for a stock.
    pub fn pair(&self) -> Option<(&str, &str)> {
        if self.class == AssetClass::Stock {
            None
        } else {
            self.name.split_once('.')
        }
    }

    /// The id within `[a-z0-9_-]`, safe as an object key segment, a NATS subject token and a KV
    /// key: `fx-eur-usd`, `stk-brk-b`. Dots become `-`, `-` becomes `_m`, `_` becomes `_u`;
    /// [`from_token`](Self::from_token) reads it back.
    pub fn token(&self) -> String {
        let name = self
            .name
            .to_ascii_lowercase()
            .replace('_', "_u")
            .replace('-', "_m")
            .replace('.', "-");
        format!("{}-{name}", self.class)
    }

    /// The instrument of a [`token`](Self::token).
    ///
    /// # Errors
    /// A text that no instrument has as its token.
    pub fn from_token(token: &str) -> Result<Self, InstrumentError> {
        let unknown = || InstrumentError::Token(token.to_owned());
        let (class, name) = token.split_once('-').ok_or_else(unknown)?;
        let name = name.replace('-', ".").replace("_m", "-").replace("_u", "_");
        let instrument = Self::parse(&format!("{class}:{name}")).map_err(|_| unknown())?;

        // Several texts read as one instrument; only one of them is its token.
        if instrument.token() == token {
            Ok(instrument)
        } else {
            Err(unknown())
        }
    }
}

/// Between 1 and [`SYMBOL_LENGTH_MAX`] characters, each of which a symbol may have.
fn check_characters(symbol: &str) -> Result<(), InstrumentError> {
    if symbol.is_empty() {
        return Err(InstrumentError::Empty);
    }
    if symbol.len() > SYMBOL_LENGTH_MAX {
        return Err(InstrumentError::Long {
            symbol: symbol.to_owned(),
            length: symbol.len(),
        });
    }

    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || "._/-".contains(*c);
    match symbol.chars().find(|c| !is_allowed(c)) {
        Some(bad) => Err(InstrumentError::Character {
            symbol: symbol.to_owned(),
            bad,
        }),
        None => Ok(()),
    }
}

/// `EUR.USD` of `EURUSD`, `EUR/USD`, `EUR.USD` or `EUR-USD` when both halves are known currencies.
fn currency_pair(symbol: &str) -> Option<String> {
    let (base, quote) = symbol
        .split_once(['.', '/', '-'])
        .or_else(|| symbol.split_at_checked(3))?;
    (base != quote && CURRENCIES.contains(&base) && CURRENCIES.contains(&quote))
        .then(|| format!("{base}.{quote}"))
}

/// `BTC.USD` of `BTCUSD`, `BTC/USD`, `BTC.USD` or `BTC-USD`.
fn crypto_pair(symbol: &str) -> Option<String> {
    let (base, quote) = symbol.split_once(['.', '/', '-']).or_else(|| {
        CRYPTO_QUOTES
            .iter()
            .find_map(|quote| symbol.strip_suffix(quote).map(|base| (base, *quote)))
    })?;

    (is_asset_code(base) && is_asset_code(quote)).then(|| format!("{base}.{quote}"))
}

fn is_asset_code(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

impl fmt::Display for Instrument {
    /// The canonical id.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.class, self.name)
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

/// Why a text does not name an instrument.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InstrumentError {
    /// Nothing but blanks or a class.
    #[error("the symbol is empty")]
    Empty,
    /// More than [`SYMBOL_LENGTH_MAX`] characters.
    #[error("symbol `{symbol}` has {length} characters, the most is {SYMBOL_LENGTH_MAX}")]
    Long {
        /// The symbol as read.
        symbol: String,
        /// Its length in characters.
        length: usize,
    },
    /// A character that no symbol has.
    #[error("symbol `{symbol}` contains {bad:?}")]
    Character {
        /// The symbol as read.
        symbol: String,
        /// The first offending character.
        bad: char,
    },
    /// A prefix that names no class.
    #[error("`{0}:` is not an asset class")]
    Class(String),
    /// The class wants a pair and the symbol is not one.
    #[error("`{0}` is not a pair of assets that are known")]
    Pair(String),
    /// Neither a currency pair nor a stock symbol.
    #[error("`{0}` is neither a pair of known currencies nor a stock symbol")]
    Stock(String),
    /// A key segment that no instrument has.
    #[error("`{0}` is not the key of an instrument")]
    Token(String),
}

impl InstrumentError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "write a symbol such as EURUSD or AAPL",
            Self::Long { .. } | Self::Character { .. } => {
                "symbols are up to 20 letters, digits, `.`, `-`, `_` or `/`"
            }
            Self::Class(_) => {
                "use stk:, fx: or crypto:, or no prefix for stocks and currency pairs"
            }
            Self::Pair(_) => "write the pair as BASE/QUOTE, such as EUR/USD or crypto:BTC/USD",
            Self::Stock(_) => {
                "write a stock as AAPL or BRK.B, a currency pair as EUR/USD, \
                 a crypto pair as crypto:BTC/USD"
            }
            Self::Token(_) => {
                "keys look like fx-eur-usd or stk-aapl; list what is stored with `ktrdr data list`"
            }
        }
    }
}
