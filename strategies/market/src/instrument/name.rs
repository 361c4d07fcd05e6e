//! What may follow the prefix of a class: `AAPL` of `stk:AAPL`, `EUR/USD` of `fx:EUR/USD`,
//! `ES:202612` of `fut:ES:202612`.
//!
//! A name in the form of an id is taken as it is, so that every id is read back. Other forms are
//! those of people who say the class and write the rest as their vendor does.

use super::class::AssetClass;
use super::currencies::{CRYPTO_QUOTES, is_coin, is_currency, is_metal, usual_asset};
use super::error::InstrumentError;
use super::{Instrument, SYMBOL_LENGTH_MAX};

/// Characters between the assets of a pair.
const PAIR_SEPARATORS: [char; 4] = ['.', '/', '-', '_'];
/// Characters of the root of a future at most.
const ROOT_LENGTH_MAX: usize = 8;
/// Years in which a future may expire.
const EXPIRY_YEARS: std::ops::RangeInclusive<u32> = 1970..=2099;

/// The instrument of this class whose symbol, in upper case, is `symbol`.
///
/// # Errors
/// The symbol is empty, too long, has a character that no symbol has, or the class has no such
/// name.
pub(super) fn instrument_of(
    class: AssetClass,
    symbol: &str,
) -> Result<Instrument, InstrumentError> {
    check_characters(symbol)?;
    let not_a_pair = || InstrumentError::Pair(symbol.to_owned());

    let (class, name) = match class {
        AssetClass::Stock | AssetClass::Fund => (class, listed_name(symbol)?),
        AssetClass::Index => (
            class,
            listed_name(symbol.trim_start_matches(['^', '.', '$']))?,
        ),
        AssetClass::Fx => match currency_pair(symbol) {
            Some(pair) => (class, pair),
            // Brokers list metals beside their currencies, and there is only one gold in dollars.
            None => (
                AssetClass::Metal,
                metal_pair(symbol).ok_or_else(not_a_pair)?,
            ),
        },
        AssetClass::Metal => (class, metal_pair(symbol).ok_or_else(not_a_pair)?),
        AssetClass::Future => (class, future_name(symbol)?),
        AssetClass::Crypto => (class, crypto_pair(symbol)?),
        AssetClass::Perpetual => (class, crypto_pair(without_perpetual_mark(symbol))?),
    };

    // The point that is put into a pair counts, too: what is written must be read back.
    check_length(&name)?;
    Ok(Instrument { class, name })
}

/// At most [`SYMBOL_LENGTH_MAX`] characters.
fn check_length(symbol: &str) -> Result<(), InstrumentError> {
    let length = symbol.chars().count();
    if length > SYMBOL_LENGTH_MAX {
        return Err(InstrumentError::Long {
            symbol: symbol.to_owned(),
            length,
        });
    }
    Ok(())
}

/// Between 1 and [`SYMBOL_LENGTH_MAX`] characters, each of which a symbol may have.
fn check_characters(symbol: &str) -> Result<(), InstrumentError> {
    if symbol.is_empty() {
        return Err(InstrumentError::Empty);
    }
    check_length(symbol)?;

    // `^` begins the index of some vendors, and `:` stands before the expiry of a future.
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || "._/-&^$:".contains(*c);
    match symbol.chars().find(|c| !is_allowed(c)) {
        Some(bad) => Err(InstrumentError::Character {
            symbol: symbol.to_owned(),
            bad,
        }),
        None => Ok(()),
    }
}

/// The symbol of something that is listed: `AAPL`, `BRK.B`, `7203.T`, `M&M.NS`. `BRK/B` is `BRK.B`.
fn listed_name(symbol: &str) -> Result<String, InstrumentError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-&".contains(c);

    // Behind a slash one letter is a class of shares; anything longer is half of a pair.
    let name = match symbol.split_once('/') {
        Some((base, class)) if class.len() == 1 => format!("{base}.{class}"),
        _ => symbol.to_owned(),
    };

    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let ends_well = name.ends_with(|c: char| c.is_ascii_alphanumeric());

    if starts_well && ends_well && name.chars().all(is_allowed) {
        Ok(name)
    } else {
        Err(InstrumentError::Stock(symbol.to_owned()))
    }
}

/// `EUR.USD` of `EURUSD`, `EUR/USD`, `EUR.USD`, `EUR-USD` or `EUR_USD` when both halves are
/// currencies.
pub(super) fn currency_pair(symbol: &str) -> Option<String> {
    let (base, quote) = halves(symbol)?;
    (base != quote && is_currency(base) && is_currency(quote)).then(|| format!("{base}.{quote}"))
}

/// `XAU.USD` of `XAUUSD`, `XAU/USD` and the like: a metal in a currency or in another metal.
pub(super) fn metal_pair(symbol: &str) -> Option<String> {
    let (base, quote) = halves(symbol)?;
    let is_priced = base != quote && (is_currency(quote) || is_metal(quote));
    (is_metal(base) && is_priced).then(|| format!("{base}.{quote}"))
}

/// The parts around the separator, or the first three characters and the rest.
fn halves(symbol: &str) -> Option<(&str, &str)> {
    symbol
        .split_once(PAIR_SEPARATORS)
        .or_else(|| symbol.split_at_checked(3))
}

/// `ES` of `ES` and `ES:CONTINUOUS`, `ES.202612` of `ES:202612`.
fn future_name(symbol: &str) -> Result<String, InstrumentError> {
    let wrong = || InstrumentError::Future(symbol.to_owned());

    // With a dot, too: the name that is kept must be read as itself again.
    let (root, expiry) = match symbol.split_once([':', '.']) {
        Some((root, "CONTINUOUS")) => (root, None),
        Some((root, expiry)) => (root, Some(expiry)),
        None => (symbol, None),
    };

    let is_root = is_asset_code(root) && root.len() <= ROOT_LENGTH_MAX;
    match expiry {
        _ if !is_root => Err(wrong()),
        None => Ok(root.to_owned()),
        Some(expiry) if is_month(expiry) => Ok(format!("{root}.{expiry}")),
        Some(_) => Err(wrong()),
    }
}

/// True for `YYYYMM`, a month in which a future may expire.
fn is_month(text: &str) -> bool {
    let is_number = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = text.parse().unwrap_or_default();
    is_number && EXPIRY_YEARS.contains(&(number / 100)) && (1..=12).contains(&(number % 100))
}

/// `BTC.USD` of `BTCUSD`, `BTC/USD`, `BTC.USD`, `BTC-USD` or `BTC_USD`. With a dot both assets are
/// taken as they are, as in an id; otherwise `XBT` is `BTC`.
///
/// # Errors
/// It is not a pair, or can be cut in two ways.
fn crypto_pair(symbol: &str) -> Result<String, InstrumentError> {
    let wrong = || InstrumentError::Pair(symbol.to_owned());
    if let Some((base, quote)) = symbol.split_once('.') {
        let is_pair = is_asset_code(base) && is_asset_code(quote);
        return if is_pair {
            Ok(symbol.to_owned())
        } else {
            Err(wrong())
        };
    }

    let (base, quote) = match symbol.split_once(PAIR_SEPARATORS) {
        Some(pair) => pair,
        None => match crypto_cuts(symbol).as_slice() {
            [] => return Err(wrong()),
            [pair] => *pair,
            cuts => return Err(two_cuts(symbol, cuts)),
        },
    };

    // `BTC-PERP` is a pair of nothing: what it says is a class. So is `BTC/P`, whose id would be
    // read as the perpetual of `BTC`.
    let is_mark = ["PERP", "PERPETUAL", "SWAP", "P"].contains(&quote);
    let is_priced = is_asset_code(quote) && !is_mark;
    if is_asset_code(base) && is_priced {
        Ok(format!("{}.{}", usual_asset(base), usual_asset(quote)))
    } else {
        Err(wrong())
    }
}

fn two_cuts(symbol: &str, cuts: &[(&str, &str)]) -> InstrumentError {
    let candidates = cuts
        .iter()
        .map(|(base, quote)| format!("crypto:{base}/{quote}"));
    InstrumentError::Ambiguous {
        text: symbol.to_owned(),
        candidates: candidates.collect(),
    }
}

/// The ways to cut a crypto symbol without a separator into base and quote. A coin that is known
/// decides: `BTCFDUSD` is `BTC` in `FDUSD`, `ARBUSD` is `ARB` in `USD`. One way for most texts, two
/// where only the end of an unknown name shows.
pub(super) fn crypto_cuts(symbol: &str) -> Vec<(&str, &str)> {
    // The kinds of quotes: of currencies only those that exchanges price coins in end a symbol.
    let fiat = [
        "USD", "EUR", "GBP", "JPY", "AUD", "CAD", "CHF", "TRY", "BRL", "KRW",
    ];
    let quotes = CRYPTO_QUOTES.iter().chain(&fiat);
    let cuts: Vec<(&str, &str)> = quotes
        .filter_map(|quote| symbol.strip_suffix(quote).map(|base| (base, *quote)))
        .filter(|(base, _)| !base.is_empty())
        .collect();

    let coins = cuts.iter().filter(|(base, _)| is_coin(usual_asset(base)));
    match coins.max_by_key(|(base, _)| base.len()) {
        Some(cut) => vec![*cut],
        None => cuts,
    }
}

/// The pair of a symbol that says at its end that it is a perpetual: `BTCUSDT.P`, `BTC-USDT-SWAP`.
fn without_perpetual_mark(symbol: &str) -> &str {
    let marks = ["-PERPETUAL", "-PERP", "_PERP", "-SWAP", ".P"];
    let mut bare = marks.iter().filter_map(|mark| symbol.strip_suffix(mark));
    bare.next().unwrap_or(symbol)
}

fn is_asset_code(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}
