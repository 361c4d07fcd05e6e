//! How people and vendors write instruments: one table of spellings, in the order in which a text
//! is tried against them. The first one that fits decides, and it may answer with several
//! instruments: then the user is asked.

mod contracts;
mod listed;
mod pairs;
mod prefixes;

use super::class::AssetClass;
use super::error::InstrumentError;
use super::name::instrument_of;
use super::{Instrument, SYMBOL_LENGTH_MAX};

/// Longest text that is read, in characters: a symbol with the prefix of an exchange.
const TEXT_LENGTH_MAX: usize = 2 * SYMBOL_LENGTH_MAX;

/// What a spelling makes of a text.
enum Outcome {
    /// One instrument and no other.
    Is(Instrument),
    /// Several things, or one that nobody has said: the user chooses.
    CanBe(Vec<Instrument>),
    /// The spelling fits, and there is no such instrument.
    Refused(InstrumentError),
}

impl From<Result<Instrument, InstrumentError>> for Outcome {
    fn from(result: Result<Instrument, InstrumentError>) -> Self {
        match result {
            Ok(instrument) => Self::Is(instrument),
            Err(error) => Self::Refused(error),
        }
    }
}

/// One row of the table: a way in which instruments are written.
#[derive(Debug)]
pub struct Spelling {
    /// What it looks like, in capitals where something else stands in a symbol.
    pub form: &'static str,
    /// Who writes so.
    pub vendors: &'static str,
    /// Texts of this form, which a test reads.
    pub examples: &'static [&'static str],
    /// What a text of this form is taken for, in a few words.
    pub meaning: &'static str,
    read: fn(&str) -> Option<Outcome>,
}

/// Every spelling, in the order in which they are tried.
pub static SPELLINGS: [Spelling; 28] = [
    Spelling {
        form: "CLASS:SYMBOL",
        vendors: "KTRDR",
        examples: &["stk:ES", "crypto:BTC/USD", "fut:ES:202612", "fund:VFIAX"],
        meaning: "the class that is said",
        read: prefixes::class,
    },
    Spelling {
        form: "BASE/QUOTE:SETTLED",
        vendors: "ccxt, freqtrade",
        examples: &["BTC/USDT:USDT"],
        meaning: "a crypto perpetual",
        read: prefixes::paid_in,
    },
    Spelling {
        form: "EXCHANGE:SYMBOL",
        vendors: "TradingView, Google, Polygon (X:, C:, I:)",
        examples: &[
            "NASDAQ:AAPL",
            "LSE:VOD",
            "BINANCE:BTCUSDT",
            "OANDA:XAUUSD",
            "COMEX:GC1!",
            "X:BTCUSD",
            "C:EURUSD",
            "I:SPX",
        ],
        meaning: "what that exchange or broker lists under the symbol",
        read: prefixes::exchange,
    },
    Spelling {
        form: "ROOT, date, C or P, strike",
        vendors: "OCC",
        examples: &["AAPL240119C00190000"],
        meaning: "an option, which is refused",
        read: contracts::option,
    },
    Spelling {
        form: "PAIR=X",
        vendors: "Yahoo",
        examples: &["EURUSD=X", "JPY=X"],
        meaning: "a currency pair; one code alone is priced in it, for one US dollar",
        read: pairs::yahoo,
    },
    Spelling {
        form: "ROOT=F",
        vendors: "Yahoo",
        examples: &["ES=F", "GC=F", "6E=F"],
        meaning: "the continuous future",
        read: contracts::yahoo,
    },
    Spelling {
        form: "^NAME, $NAME, .NAME",
        vendors: "Yahoo, Stooq; Schwab; Reuters",
        examples: &["^GSPC", "$SPX", ".DJI"],
        meaning: "an index",
        read: listed::index,
    },
    Spelling {
        form: "ROOT1!, /ROOT, @ROOT, ROOT_F, ROOT.c.0",
        vendors: "TradingView; Schwab; TradeStation; Finviz; Databento",
        examples: &["ES1!", "/ES", "@ES", "ES_F", "ES.c.0"],
        meaning: "the continuous future; later contracts, as ES2!, are refused",
        read: contracts::continuous,
    },
    Spelling {
        form: "ROOT, month, year",
        vendors: "CME, Databento, Yahoo (ESZ26.CME), NinjaTrader",
        examples: &[
            "ESZ26",
            "CLF2027",
            "ESZ26.CME",
            "NQ 03-24",
            "ES202612",
            "ESH4",
        ],
        meaning: "one expiry of a known root; a year of one digit is asked about",
        read: contracts::expiry,
    },
    Spelling {
        form: "PAIR.P, PAIR-PERP, PAIR-SWAP",
        vendors: "TradingView, Binance, Coinbase; OKX; Deribit; Kraken (PF_XBTUSD)",
        examples: &[
            "BTCUSDT.P",
            "BTCUSDT-PERP",
            "BTCUSDTPERP",
            "BTC-USDT-SWAP",
            "BTC-PERPETUAL",
            "PF_XBTUSD",
        ],
        meaning: "a crypto perpetual; one without a quote, as BTC-PERP, is asked about",
        read: contracts::perpetual,
    },
    Spelling {
        form: "PAIR_YYMMDD",
        vendors: "Binance, OKX, Deribit",
        examples: &["BTCUSDT_240927", "BTC-USD-240927", "BTC-27SEP24"],
        meaning: "a crypto future with an expiry, which is refused",
        read: contracts::dated_crypto,
    },
    Spelling {
        form: "XCOINZCURRENCY",
        vendors: "Kraken",
        examples: &["XXBTZUSD", "XETHZEUR"],
        meaning: "a crypto pair; XBT is BTC",
        read: pairs::kraken,
    },
    Spelling {
        form: "XAUUSD, with a separator or a broker's ending",
        vendors: "brokers, OANDA (XAU_USD)",
        examples: &["XAUUSD", "XAU_USD", "XAGUSDm", "XAUEUR.raw"],
        meaning: "gold, silver, platinum or palladium",
        read: pairs::metal,
    },
    Spelling {
        form: "EURUSD, with a separator or a broker's ending",
        vendors: "everybody, OANDA (EUR_USD), brokers (EURUSD.m)",
        examples: &[
            "EURUSD",
            "EUR/USD",
            "EUR.USD",
            "EUR-USD",
            "EUR_USD",
            "EURUSD.m",
            "EURUSDm",
            "EURUSD.pro",
            "EURUSD.raw",
            "EURUSD-ECN",
            "USDINR",
            "EURUSDC",
        ],
        meaning: "a currency pair, where both codes are of ISO 4217; USDC and USDT may be meant",
        read: pairs::currency,
    },
    Spelling {
        form: "US500, with a currency or a broker's ending",
        vendors: "brokers, OANDA (SPX500_USD)",
        examples: &["US500", "US30.cash", "SPX500_USD", "NAS100USD", "GER40"],
        meaning: "a contract for difference on an index",
        read: pairs::index_contract,
    },
    Spelling {
        form: "the name of a good",
        vendors: "brokers",
        examples: &["GOLD", "SILVER", "USOIL", "XAU"],
        meaning: "asked about: a metal, a future or a share",
        read: pairs::commodity,
    },
    Spelling {
        form: "BASE-QUOTE, BASE/QUOTE, BASE_QUOTE",
        vendors: "Yahoo, Coinbase, ccxt, OKX, Gate",
        examples: &["BTC-USD", "BTC/USDT", "BTC_USDT", "XBT/EUR", "ZZZ-USD"],
        meaning: "a crypto pair; an unknown name in a currency is asked about",
        read: pairs::separated,
    },
    Spelling {
        form: "BASEQUOTE",
        vendors: "Binance, Bybit, brokers",
        examples: &[
            "BTCUSDT", "BTCFDUSD", "ETHBTC", "BTCEUR", "BTCUSD", "ZZZUSD",
        ],
        meaning: "a crypto pair; in US dollars it is asked about, as it may be a perpetual",
        read: pairs::joined,
    },
    Spelling {
        form: "the name of a coin",
        vendors: "",
        examples: &["BTC", "ETH", "DOGE"],
        meaning: "asked about: a crypto pair, a future or a share",
        read: pairs::coin,
    },
    Spelling {
        form: "the code of a large currency",
        vendors: "",
        examples: &["EUR", "JPY"],
        meaning: "asked about: a currency pair or a share",
        read: pairs::currency_code,
    },
    Spelling {
        form: "the root of a future",
        vendors: "",
        examples: &["ES", "CL", "GC"],
        meaning: "asked about: a share, the continuous future or one expiry",
        read: contracts::root,
    },
    Spelling {
        form: "the name of an index",
        vendors: "",
        examples: &["SPX", "NDX", "VIX", "DAX"],
        meaning: "asked about: an index or a share",
        read: listed::index_name,
    },
    Spelling {
        form: "SYMBOL.US, SYMBOL.UK, SYMBOL.JP",
        vendors: "Stooq",
        examples: &["AAPL.US", "BRK-B.US", "VOD.UK", "7203.JP"],
        meaning: "a share: SYMBOL, SYMBOL.L, SYMBOL.T",
        read: listed::stooq,
    },
    Spelling {
        form: "SYMBOL.F, SYMBOL.V, SYMBOL.FUT of a future or a coin",
        vendors: "Stooq, Databento",
        examples: &["CL.F", "BTC.V", "ES.FUT"],
        meaning: "asked about: Frankfurt and Toronto have the same endings",
        read: listed::shared_suffix,
    },
    Spelling {
        form: "SYMBOL.EXCHANGE",
        vendors: "Yahoo",
        examples: &["VOD.L", "7203.T", "700.HK", "VOLV-B.ST", "M&M.NS"],
        meaning: "a share on that exchange; numbers of Hong Kong have four digits",
        read: listed::exchange,
    },
    Spelling {
        form: "SYMBOL-CLASS, SYMBOL/CLASS, SYMBOL CLASS",
        vendors: "Yahoo; TradingView; Interactive Brokers",
        examples: &["BRK-B", "BRK/B", "BRK B", "BAC-PL"],
        meaning: "a class of shares, SYMBOL.CLASS; preferred shares stay as they are",
        read: listed::share_class,
    },
    Spelling {
        form: "SYMBOL, SYMBOL.CLASS",
        vendors: "everybody",
        examples: &["AAPL", "SPY", "BRK.B", "GOOGLE"],
        meaning: "a share",
        read: listed::share,
    },
    Spelling {
        form: "anything else with _ or -",
        vendors: "",
        examples: &["FOO_BAR", "FOO-BAR"],
        meaning: "asked about: it could be a pair",
        read: listed::unclear,
    },
];

/// How a text was read.
#[derive(Debug)]
pub struct Explanation {
    /// The row of [`SPELLINGS`] that decided; none for what is no symbol at all.
    pub spelling: Option<&'static Spelling>,
    /// The instrument, or why there is not exactly one.
    pub result: Result<Instrument, InstrumentError>,
}

/// Reads a text by the first spelling that fits it.
pub(super) fn explain(text: &str) -> Explanation {
    let upper = text.trim().to_ascii_uppercase();
    match outcome_of(&upper) {
        Some((spelling, outcome)) => Explanation {
            spelling: Some(spelling),
            result: result_of(&upper, outcome),
        },
        // What is wrong with it, for somebody who meant a share.
        None => Explanation {
            spelling: None,
            result: instrument_of(AssetClass::Stock, &upper),
        },
    }
}

/// What the first spelling that fits makes of a text in upper case.
fn outcome_of(text: &str) -> Option<(&'static Spelling, Outcome)> {
    if text.is_empty() || text.chars().count() > TEXT_LENGTH_MAX {
        return None;
    }
    let mut spellings = SPELLINGS.iter();
    spellings.find_map(|spelling| Some((spelling, (spelling.read)(text)?)))
}

fn result_of(text: &str, outcome: Outcome) -> Result<Instrument, InstrumentError> {
    match outcome {
        Outcome::Is(instrument) => Ok(instrument),
        Outcome::CanBe(instruments) => Err(InstrumentError::Ambiguous {
            text: text.to_owned(),
            candidates: instruments.iter().map(Instrument::prefixed).collect(),
        }),
        Outcome::Refused(error) => Err(error),
    }
}

/// The instruments of these classes and names; those that do not exist are left out.
fn candidates<const N: usize>(names: [(AssetClass, &str); N]) -> Option<Outcome> {
    let instruments: Vec<Instrument> = names
        .iter()
        .filter_map(|(class, name)| instrument_of(*class, name).ok())
        .collect();
    (!instruments.is_empty()).then_some(Outcome::CanBe(instruments))
}

/// The instrument of this class, which the spelling leaves no doubt about.
fn certainly(class: AssetClass, name: &str) -> Option<Outcome> {
    Some(instrument_of(class, name).into())
}

fn is_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_letters(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}
