//! Texts with a colon: the class, the exchange or the settlement is said.

use super::super::class::AssetClass;
use super::super::error::InstrumentError;
use super::super::hours::is_index;
use super::super::name::instrument_of;
use super::{Outcome, certainly, contracts, is_digits, outcome_of};

/// What an exchange or a source lists.
#[derive(Clone, Copy)]
enum Lists {
    /// Shares whose ids have this suffix, and indices.
    Shares(&'static str),
    /// Shares of one of several exchanges, by suffix.
    SharesOf(&'static [&'static str]),
    /// Indices, which nobody trades as such.
    Indices,
    /// Crypto pairs, and perpetuals that say so.
    Crypto,
    /// Crypto perpetuals only.
    Perpetuals,
    /// Futures by root and month.
    Futures,
    /// Whatever a broker offers: read as without the prefix.
    Anything,
    /// Options, which are no instruments here.
    Options,
}

/// Prefixes in capitals, and what stands behind them.
const SOURCES: [(Lists, &[&str]); 26] = [
    (
        Lists::Shares(""),
        &[
            "NASDAQ",
            "NYSE",
            "AMEX",
            "ARCA",
            "NYSEARCA",
            "NYSEAMERICAN",
            "NYSEMKT",
            "BATS",
            "CBOE",
            "OTC",
            "OTCMKTS",
            "IEX",
        ],
    ),
    (Lists::Shares(".L"), &["LSE", "LON"]),
    (Lists::Shares(".DE"), &["XETR", "ETR", "XETRA"]),
    (Lists::Shares(".F"), &["FWB", "FRA"]),
    (Lists::Shares(".PA"), &["EPA"]),
    (Lists::Shares(".AS"), &["AMS"]),
    (Lists::Shares(".BR"), &["EBR"]),
    (Lists::Shares(".LS"), &["ELI"]),
    (Lists::Shares(".MI"), &["MIL", "BIT"]),
    (
        Lists::SharesOf(&[".PA", ".AS", ".BR", ".LS"]),
        &["EURONEXT"],
    ),
    (Lists::Shares(".T"), &["TYO"]),
    // Tokyo on TradingView, Toronto on Google.
    (Lists::SharesOf(&[".T", ".TO"]), &["TSE"]),
    (Lists::Shares(".HK"), &["HKEX", "HKG"]),
    (Lists::Shares(".SS"), &["SSE", "SHA"]),
    (Lists::Shares(".SZ"), &["SZSE", "SHE"]),
    (Lists::Shares(".AX"), &["ASX"]),
    (Lists::Shares(".TO"), &["TSX"]),
    (Lists::Shares(".V"), &["TSXV", "CVE"]),
    (Lists::Shares(".NS"), &["NSE"]),
    (Lists::Shares(".BO"), &["BSE", "BOM"]),
    (Lists::Shares(".SA"), &["BMFBOVESPA", "BVMF"]),
    (
        Lists::Indices,
        &[
            "SP",
            "DJ",
            "I",
            "INDEX",
            "INDEXSP",
            "INDEXDJX",
            "INDEXNASDAQ",
            "INDEXCBOE",
        ],
    ),
    (
        Lists::Crypto,
        &[
            "BINANCE",
            "BINANCEUS",
            "COINBASE",
            "KRAKEN",
            "BITSTAMP",
            "BITFINEX",
            "BYBIT",
            "OKX",
            "OKEX",
            "KUCOIN",
            "GEMINI",
            "HUOBI",
            "HTX",
            "BITGET",
            "GATEIO",
            "GATE",
            "MEXC",
            "CRYPTOCOM",
            "POLONIEX",
            "UPBIT",
            "BITHUMB",
            "X",
        ],
    ),
    (
        Lists::Perpetuals,
        &["BITMEX", "DERIBIT", "HYPERLIQUID", "DYDX"],
    ),
    (
        Lists::Futures,
        &[
            "CME",
            "CME_MINI",
            "CBOT",
            "CBOT_MINI",
            "COMEX",
            "COMEX_MINI",
            "NYMEX",
            "NYMEX_MINI",
            "EUREX",
            "ICEEUR",
            "ICEUS",
            "CFE",
            "OSE",
            "HKFE",
        ],
    ),
    (Lists::Options, &["O", "OPRA"]),
];

/// Brokers, who list currencies, metals, indices and crypto side by side.
const BROKERS: [&str; 17] = [
    "OANDA",
    "FXCM",
    "FOREXCOM",
    "FX_IDC",
    "IDC",
    "PEPPERSTONE",
    "ICMARKETS",
    "EIGHTCAP",
    "CAPITALCOM",
    "SAXO",
    "FXOPEN",
    "FPMARKETS",
    "BLACKBULL",
    "VANTAGE",
    "IG",
    "TVC",
    "C",
];

/// `stk:AAPL`, `fut:ES:202612`: the class that is said, and the rest as its vendor writes it.
pub(super) fn class(text: &str) -> Option<Outcome> {
    let (prefix, symbol) = text.split_once(':')?;
    let class = AssetClass::from_prefix(prefix).ok()?;
    if class == AssetClass::Future
        && let Some(contract) = contracts::expiry(symbol)
    {
        return Some(contract);
    }

    match instrument_of(class, symbol) {
        Ok(instrument) => Some(Outcome::Is(instrument)),
        // `fx:EURUSD=X` is said twice, and both say the same.
        Err(error) => match outcome_of(symbol) {
            Some((_, Outcome::Is(instrument))) if instrument.class() == class => {
                Some(Outcome::Is(instrument))
            }
            _ => Some(Outcome::Refused(error)),
        },
    }
}

/// `BTC/USDT:USDT`: a perpetual, and what it is paid in; with a date behind it a future.
pub(super) fn paid_in(text: &str) -> Option<Outcome> {
    let (pair, settlement) = text.split_once(':')?;
    let (_, quote) = pair.split_once('/')?;
    if settlement.contains('-') {
        return Some(contracts::refuse_dated_crypto(text));
    }

    let is_perpetual = settlement == quote || pair.starts_with(&format!("{settlement}/"));
    is_perpetual.then(|| instrument_of(AssetClass::Perpetual, pair).into())
}

/// `NASDAQ:AAPL`, `BINANCE:BTCUSDT`: what the source lists decides.
pub(super) fn exchange(text: &str) -> Option<Outcome> {
    let (prefix, symbol) = text.split_once(':')?;
    if BROKERS.contains(&prefix) {
        return read_as(Lists::Anything, symbol);
    }

    let mut sources = SOURCES.iter();
    match sources.find(|(_, prefixes)| prefixes.contains(&prefix)) {
        Some((lists, _)) => read_as(*lists, symbol),
        None => {
            let error = InstrumentError::Class(prefix.to_ascii_lowercase());
            Some(Outcome::Refused(error))
        }
    }
}

fn read_as(lists: Lists, symbol: &str) -> Option<Outcome> {
    match lists {
        Lists::Shares("") if is_index(symbol) => certainly(AssetClass::Index, symbol),
        Lists::Shares(suffix) => Some(share(symbol, suffix)),
        Lists::SharesOf(suffixes) => Some(share_of_one(symbol, suffixes)),
        Lists::Indices => certainly(AssetClass::Index, symbol),

        // The class is certain here, so a symbol without a form of its own is taken as it is.
        Lists::Futures => contracts::continuous(symbol)
            .or_else(|| contracts::expiry(symbol))
            .or_else(|| certainly(AssetClass::Future, symbol)),
        Lists::Perpetuals => {
            contracts::perpetual(symbol).or_else(|| certainly(AssetClass::Perpetual, symbol))
        }
        Lists::Crypto => contracts::perpetual(symbol)
            .or_else(|| contracts::dated_crypto(symbol))
            .or_else(|| certainly(AssetClass::Crypto, symbol)),

        Lists::Anything => outcome_of(symbol).map(|(_, outcome)| outcome),
        Lists::Options => Some(contracts::refuse_option(symbol)),
    }
}

/// The share of an exchange: `BRK/B` is `BRK.B`, `HKEX:700` is `0700.HK`.
fn share(symbol: &str, suffix: &str) -> Outcome {
    let name = match suffix {
        ".HK" if is_digits(symbol) => format!("{symbol:0>4}{suffix}"),
        "" => symbol.replace('/', "."),
        _ => format!("{}{suffix}", symbol.replace(['/', '.'], "-")),
    };
    instrument_of(AssetClass::Stock, &name).into()
}

fn share_of_one(symbol: &str, suffixes: &[&str]) -> Outcome {
    // Numbers are Tokyo's alone.
    if symbol.starts_with(|c: char| c.is_ascii_digit()) && suffixes.contains(&".T") {
        return share(symbol, ".T");
    }
    let shares = suffixes.iter().filter_map(|suffix| {
        let share = format!("{symbol}{suffix}");
        instrument_of(AssetClass::Stock, &share).ok()
    });
    Outcome::CanBe(shares.collect())
}
