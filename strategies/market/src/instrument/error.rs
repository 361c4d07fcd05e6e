//! Why a text does not name an instrument.

use super::{Instrument, SYMBOL_LENGTH_MAX};

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
    /// No symbol of a share, fund or index.
    #[error("`{0}` is not the symbol of a share, a fund or an index")]
    Stock(String),
    /// Neither a root nor a root with an expiry.
    #[error("`{0}` is neither the root of a future nor a root with an expiry")]
    Future(String),
    /// A text that more than one instrument is written as.
    #[error("`{text}` can mean {}", candidates.join(" or "))]
    Ambiguous {
        /// The text as read.
        text: String,
        /// What it can mean: texts that name one instrument each.
        candidates: Vec<String>,
    },
    /// A text whose kind of instrument is not kept here.
    #[error("`{text}` is {kind}, of which no bars are kept")]
    Unsupported {
        /// The text as read.
        text: String,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A key segment that no instrument has.
    #[error("`{0}` is not the key of an instrument")]
    Token(String),
}

impl InstrumentError {
    /// The instruments that an ambiguous text can mean; none of any other text.
    pub fn candidates(&self) -> Vec<Instrument> {
        let Self::Ambiguous { candidates, .. } = self else {
            return Vec::new();
        };
        let instruments = candidates.iter().map(|text| Instrument::parse(text));
        instruments.filter_map(Result::ok).collect()
    }

    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "write a symbol such as EURUSD or AAPL",
            Self::Long { .. } | Self::Character { .. } => {
                "symbols are up to 20 letters, digits, `.`, `-`, `_`, `&` or `/`"
            }

            Self::Class(_) => {
                "use stk:, fund:, idx:, fx:, metal:, fut:, crypto: or perp:, or no prefix for \
                 shares and currency pairs"
            }

            Self::Pair(_) => "write the pair as BASE/QUOTE, such as EUR/USD or crypto:BTC/USD",
            Self::Stock(_) => {
                "write a share as AAPL or BRK.B, a currency pair as EUR/USD, \
                 a crypto pair as crypto:BTC/USD"
            }
            Self::Future(_) => {
                "write fut:ES for the continuous series, fut:ES:202612 for an expiry"
            }

            Self::Ambiguous { .. } => "write the one that is meant, with its prefix",
            Self::Unsupported { .. } => {
                "bars are kept of shares, funds, indices, currencies, metals, futures and crypto; \
                 name the underlying instead, as in stk:AAPL"
            }

            Self::Token(_) => {
                "keys look like fx-eur-usd or stk-aapl; list what is stored with `ktrdr data list`"
            }
        }
    }
}
