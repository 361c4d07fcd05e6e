//! Pairs of currencies, metals and coins, and what brokers list beside them.

use super::super::Instrument;
use super::super::class::AssetClass;
use super::super::currencies::{
    is_coin, is_crypto_quote, is_currency, is_major_coin, is_metal, usual_asset,
};
use super::super::error::InstrumentError;
use super::super::futures::venue_of;
use super::super::hours::is_index_contract;
use super::super::name::{crypto_cuts, currency_pair, instrument_of, metal_pair};
use super::{Outcome, candidates, certainly, is_alphanumeric};

/// What brokers append to a symbol without a separator, by account.
const BROKER_TAILS: [&str; 26] = [
    "A", "B", "C", "E", "F", "G", "I", "K", "M", "N", "P", "Q", "R", "S", "V", "X", "Z", "PRO",
    "RAW", "ECN", "STD", "STP", "VIP", "MINI", "MICRO", "CENT",
];
/// Goods by the names that brokers have for them: the metal or the future, and the share.
const COMMODITIES: [(&str, AssetClass, &str, &str); 16] = [
    ("GOLD", AssetClass::Metal, "XAU/USD", "GC"),
    ("SILVER", AssetClass::Metal, "XAG/USD", "SI"),
    ("XAU", AssetClass::Metal, "XAU/USD", "GC"),
    ("XAG", AssetClass::Metal, "XAG/USD", "SI"),
    ("XPT", AssetClass::Metal, "XPT/USD", "PL"),
    ("XPD", AssetClass::Metal, "XPD/USD", "PA"),
    ("USOIL", AssetClass::Future, "CL", "CL"),
    ("WTI", AssetClass::Future, "CL", "CL"),
    ("XTIUSD", AssetClass::Future, "CL", "CL"),
    ("WTICOUSD", AssetClass::Future, "CL", "CL"),
    ("UKOIL", AssetClass::Future, "BRN", "BZ"),
    ("BRENT", AssetClass::Future, "BRN", "BZ"),
    ("XBRUSD", AssetClass::Future, "BRN", "BZ"),
    ("BCOUSD", AssetClass::Future, "BRN", "BZ"),
    ("NATGAS", AssetClass::Future, "NG", "NG"),
    ("XNGUSD", AssetClass::Future, "NG", "NG"),
];
/// Dollars that only crypto knows, which make a pair of any name before them.
const STABLE_DOLLARS: [&str; 6] = ["USDT", "USDC", "FDUSD", "BUSD", "TUSD", "PYUSD"];

/// `EURUSD=X`; `JPY=X` is what one US dollar costs in yen.
pub(super) fn yahoo(text: &str) -> Option<Outcome> {
    let pair = text.strip_suffix("=X")?;
    if is_currency(pair) {
        return certainly(AssetClass::Fx, &format!("USD/{pair}"));
    }
    certainly(AssetClass::Fx, pair)
}

/// `XXBTZUSD`, `XETHZEUR`: `X` before a coin, `Z` before a currency.
pub(super) fn kraken(text: &str) -> Option<Outcome> {
    let (coin, currency) = text.split_at_checked(4)?;
    let coin = usual_asset(coin.strip_prefix('X')?);
    let quote = currency.strip_prefix('Z').or(currency.strip_prefix('X'))?;
    let quote = usual_asset(quote);

    let is_pair = is_coin(coin) && (is_currency(quote) || is_coin(quote));
    (currency.len() == 4 && is_pair)
        .then(|| instrument_of(AssetClass::Crypto, &format!("{coin}/{quote}")).into())
}

/// `XAUUSD` in any of its forms.
pub(super) fn metal(text: &str) -> Option<Outcome> {
    let pair = metal_pair(text).or_else(|| metal_pair(without_broker_tail(text)?))?;
    certainly(AssetClass::Metal, &pair)
}

/// `EURUSD` in any of its forms. A code of a currency that is the name of a coin, too, and dollars
/// that are `USDC` or the broker's `USD` with a `c`, are asked about.
pub(super) fn currency(text: &str) -> Option<Outcome> {
    let pair = currency_pair(text).or_else(|| currency_pair(without_broker_tail(text)?))?;
    let coin_pair = match text.split_once('/') {
        // With a separator the quote is whole: `EUR/USDC` has no ending of a broker.
        Some((_, quote)) if is_crypto_quote(quote) => return None,
        Some((base, quote)) => is_coin(base).then(|| format!("{base}/{quote}")),
        None => match crypto_cuts(text).as_slice() {
            [(base, quote)] if is_coin(base) || is_crypto_quote(quote) => {
                Some(format!("{base}/{quote}"))
            }
            _ => None,
        },
    };

    match coin_pair {
        Some(coin_pair) => candidates([(AssetClass::Fx, &pair), (AssetClass::Crypto, &coin_pair)]),
        None => certainly(AssetClass::Fx, &pair),
    }
}

/// `US500`, `US30.cash`, `SPX500_USD`, `NAS100USD`.
pub(super) fn index_contract(text: &str) -> Option<Outcome> {
    let bare = [Some(text), without_broker_tail(text)]
        .into_iter()
        .flatten();
    for name in bare {
        let (head, tail) = name.split_at_checked(name.len().saturating_sub(3))?;
        let in_currency = is_currency(tail).then(|| head.trim_end_matches(['_', '/', '-', '.']));
        let mut names = [Some(name), in_currency].into_iter().flatten();
        if let Some(name) = names.find(|name| is_index_contract(name)) {
            return certainly(AssetClass::Index, name);
        }
    }
    None
}

/// `GOLD`, `USOIL`, `XTIUSD`, `WTICO_USD`: a metal, a future, or a share of that name.
pub(super) fn commodity(text: &str) -> Option<Outcome> {
    let joined = text.replace(['_', '/', '-'], "");
    let mut names = [
        Some(joined.as_str()),
        without_broker_tail(text),
        text.strip_suffix(".CASH"),
    ]
    .into_iter()
    .flatten();
    let entry = names.find_map(|name| COMMODITIES.iter().find(|good| good.0 == name))?;

    // The word may be the good, its future or a company; a good that is a future comes twice.
    let (name, class, first, future) = entry;
    let mut instruments: Vec<Instrument> = [
        (*class, *first),
        (AssetClass::Future, *future),
        (AssetClass::Stock, *name),
    ]
    .into_iter()
    .filter_map(|(class, name)| instrument_of(class, name).ok())
    .collect();
    instruments.dedup();
    Some(Outcome::CanBe(instruments))
}

/// `BTC-USD`, `BTC/USDT`, `BTC_USDT`, `BTC.USD`: crypto, if the quote or the coin says so.
pub(super) fn separated(text: &str) -> Option<Outcome> {
    let (base, quote) = text.split_once(['/', '-', '_', '.'])?;
    if !is_alphanumeric(base) || !is_alphanumeric(quote) {
        return None;
    }
    let pair = format!("{base}/{quote}");
    let coin = usual_asset(base);
    let priced_in = usual_asset(quote);

    let is_priced = is_currency(priced_in) || is_metal(priced_in);
    let is_coin_pair = is_coin(coin) && (is_priced || is_coin(priced_in));
    if is_coin_pair || is_crypto_quote(priced_in) {
        return certainly(AssetClass::Crypto, &pair);
    }
    if is_priced {
        // An unknown name in a currency: nobody has said what it is.
        return candidates([(AssetClass::Crypto, &pair), (AssetClass::Stock, text)]);
    }
    // A dot may stand before an exchange, other separators only within a pair.
    let is_half_a_pair = is_currency(coin) || is_metal(coin);
    if is_half_a_pair && quote.len() >= 3 && !text.contains('.') {
        return Some(Outcome::Refused(InstrumentError::Pair(text.to_owned())));
    }
    None
}

/// `BTCUSDT`, `BTCFDUSD`, `ETHBTC`, `BTCUSD`; brokers append an ending, and with an `M` it may be a
/// perpetual of KuCoin.
pub(super) fn joined(text: &str) -> Option<Outcome> {
    // Uncut first: what looks like the ending of a broker may belong to the quote.
    if is_alphanumeric(text)
        && let Some(outcome) = joined_pair(text, text)
    {
        return Some(outcome);
    }

    let name = without_broker_tail(text).filter(|name| is_alphanumeric(name))?;
    match joined_pair(name, text)? {
        Outcome::Is(spot) if text.ends_with('M') => {
            let pair = spot.symbol();
            candidates([(AssetClass::Crypto, &pair), (AssetClass::Perpetual, &pair)])
        }
        outcome => Some(outcome),
    }
}

/// Every way to cut a text into a coin and what it is priced in.
fn crypto_pairs(cuts: &[(&str, &str)]) -> Vec<Instrument> {
    let names = cuts.iter().map(|(base, quote)| format!("{base}/{quote}"));
    names
        .filter_map(|name| instrument_of(AssetClass::Crypto, &name).ok())
        .collect()
}

fn joined_pair(name: &str, text: &str) -> Option<Outcome> {
    let cuts = crypto_cuts(name);
    let stable: Vec<_> = cuts
        .iter()
        .filter(|cut| STABLE_DOLLARS.contains(&cut.1))
        .collect();

    match (cuts.as_slice(), stable.as_slice()) {
        // A coin in dollars: the spot market and the perpetual have one name.
        ([(base, "USD")], _) if is_coin(usual_asset(base)) => candidates([
            (AssetClass::Crypto, &format!("{base}/USD")),
            (AssetClass::Perpetual, &format!("{base}/USD")),
        ]),
        ([(base, quote)], _) if is_coin(usual_asset(base)) => {
            certainly(AssetClass::Crypto, &format!("{base}/{quote}"))
        }
        ([_], [(base, quote)]) => certainly(AssetClass::Crypto, &format!("{base}/{quote}")),
        (_, [_, ..]) => Some(Outcome::CanBe(crypto_pairs(&cuts))),
        ([(base, "USD")], []) if base.len() >= 2 => candidates([
            (AssetClass::Crypto, &format!("{base}/USD")),
            (AssetClass::Stock, text),
        ]),
        _ => None,
    }
}

/// `BTC` alone: a pair, a future, or a share of that name.
pub(super) fn coin(text: &str) -> Option<Outcome> {
    if !is_major_coin(text) {
        return None;
    }
    let pair = format!("{text}/USD");
    match venue_of(text) {
        Some(_) => candidates([
            (AssetClass::Crypto, &pair),
            (AssetClass::Future, text),
            (AssetClass::Stock, text),
        ]),
        None => candidates([(AssetClass::Crypto, &pair), (AssetClass::Stock, text)]),
    }
}

/// `EUR` alone: what it costs in US dollars, or a dollar in it; or a share of that name. Other
/// codes are shares, as `AMD` and `COP` are.
pub(super) fn currency_code(text: &str) -> Option<Outcome> {
    let pair = match text {
        "EUR" | "GBP" | "AUD" | "NZD" => format!("{text}/USD"),
        "JPY" | "CHF" | "CAD" | "CNY" | "CNH" => format!("USD/{text}"),
        _ => return None,
    };
    candidates([(AssetClass::Fx, &pair), (AssetClass::Stock, text)])
}

/// What stands before a broker's ending: `EURUSD` of `EURUSD.raw`, `EURUSDm` and `EURUSD#`.
fn without_broker_tail(text: &str) -> Option<&str> {
    let end = text.rfind(['.', '-', '_', '#', '+', '!', '^']);
    if let Some((head, tail)) = end.and_then(|end| text.split_at_checked(end)) {
        let account = tail.get(1..).unwrap_or_default();
        let is_account = account.len() <= 5 && account.bytes().all(|b| b.is_ascii_alphanumeric());
        return (is_account && !is_currency(account)).then_some(head);
    }

    let mut heads = BROKER_TAILS
        .iter()
        .filter_map(|tail| text.strip_suffix(tail));
    heads.find(|head| head.len() >= 5)
}
