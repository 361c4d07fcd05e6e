//! Futures, perpetuals and options as exchanges and vendors write them.

use super::super::class::AssetClass;
use super::super::currencies::is_coin;
use super::super::error::InstrumentError;
use super::super::futures::venue_of;
use super::super::name::{crypto_cuts, currency_pair, metal_pair};
use super::{Outcome, candidates, certainly, is_alphanumeric, is_digits};

/// Codes of the months of expiry, January first.
const MONTH_CODES: &str = "FGHJKMNQUVXZ";
/// What Yahoo appends to one expiry, by exchange.
const YAHOO_EXCHANGES: [&str; 6] = [".CME", ".CBT", ".NYM", ".CMX", ".NYB", ".CFE"];
/// Endings by which a crypto symbol says that it is a perpetual.
const PERPETUAL_MARKS: [&str; 9] = [
    "-PERPETUAL",
    "_PERPETUAL",
    "-PERP",
    "_PERP",
    "PERP",
    "-SWAP",
    "_SWAP",
    ".P",
    "-P",
];

/// `ES=F`: the continuous future, and `ESZ26=F` one expiry.
pub(super) fn yahoo(text: &str) -> Option<Outcome> {
    future_of(text.strip_suffix("=F")?)
}

/// The expiry that a symbol names; the continuous future of a symbol that names none.
fn future_of(symbol: &str) -> Option<Outcome> {
    expiry(symbol).or_else(|| certainly(AssetClass::Future, symbol))
}

/// `ES1!`, `/ES`, `@ES`, `ES_F`, `ES.c.0`: the continuous future, and `/ESZ26` one expiry.
pub(super) fn continuous(text: &str) -> Option<Outcome> {
    if let Some(symbol) = text.strip_prefix(['/', '@']) {
        return future_of(symbol.trim_end_matches('#'));
    }
    if let Some(root) = text.strip_suffix("_F") {
        venue_of(root)?;
        return certainly(AssetClass::Future, root);
    }

    // `ES1!` is the contract in front, `ES2!` the one behind it, which is another series.
    if let Some(symbol) = text.strip_suffix('!') {
        let root = symbol.trim_end_matches(|c: char| c.is_ascii_digit());
        return match symbol.strip_prefix(root) {
            Some("1") => certainly(AssetClass::Future, root),
            Some(number) if !number.is_empty() => Some(refuse_later_contract(text)),
            _ => None,
        };
    }
    for rule in [".C.", ".V.", ".N."] {
        match text.split_once(rule) {
            Some((root, "0")) => return future_of(root),
            Some((_, rank)) if is_digits(rank) => return Some(refuse_later_contract(text)),
            _ => {}
        }
    }
    None
}

fn refuse_later_contract(text: &str) -> Outcome {
    Outcome::Refused(InstrumentError::Unsupported {
        text: text.to_owned(),
        kind: "a later contract of a continuous future",
    })
}

/// `ESZ26`, `ESZ2026`, `ESZ6`, `ESZ26.CME`, `NQ 03-24`, `ES202612`: one expiry of a known root.
pub(super) fn expiry(text: &str) -> Option<Outcome> {
    let mut bare = YAHOO_EXCHANGES
        .iter()
        .filter_map(|end| text.strip_suffix(end));
    let text = bare.next().unwrap_or(text);
    if let Some((root, date)) = text.split_once(' ') {
        let (month, year) = date.split_once('-')?;
        return expiry_of(root, month, year);
    }

    // The year and the month in figures: `ES202612`, `ES-202612`.
    let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (symbol, year) = text.split_at_checked(text.len() - digits)?;
    if digits == 6 {
        let root = symbol.trim_end_matches(['-', '.', ':']);
        let (year, month) = year.split_at_checked(4)?;
        return expiry_of(root, month, year);
    }

    // A root may end in a figure, so only the letter before the year is the month.
    let code = symbol.chars().last()?;
    let month = MONTH_CODES.find(code)? + 1;
    let root = symbol.strip_suffix(code)?;
    expiry_of(root, &format!("{month:02}"), year)
}

/// The expiry of a known root in a month of two figures and a year of one, two or four.
fn expiry_of(root: &str, month: &str, year: &str) -> Option<Outcome> {
    venue_of(root)?;
    if !is_digits(month) || !is_digits(year) {
        return None;
    }
    let contract = |year: &str| format!("{root}:{year}{month}");

    match year.len() {
        4 => certainly(AssetClass::Future, &contract(year)),
        2 if year < "70" => certainly(AssetClass::Future, &contract(&format!("20{year}"))),
        2 => certainly(AssetClass::Future, &contract(&format!("19{year}"))),
        // One figure comes round every ten years.
        1 => candidates([
            (AssetClass::Future, &contract(&format!("202{year}"))),
            (AssetClass::Future, &contract(&format!("201{year}"))),
            (AssetClass::Future, &contract(&format!("203{year}"))),
        ]),
        _ => None,
    }
}

/// `BTCUSDT.P`, `BTC-USDT-SWAP`, `PF_XBTUSD`; a coin without a quote is asked about.
pub(super) fn perpetual(text: &str) -> Option<Outcome> {
    if let Some(pair) = text
        .strip_prefix("PF_")
        .or_else(|| text.strip_prefix("PI_"))
    {
        return certainly(AssetClass::Perpetual, pair);
    }
    let (mark, pair) = PERPETUAL_MARKS
        .iter()
        .find_map(|mark| Some((*mark, text.strip_suffix(mark)?)))?;
    // `EURUSD.P` is what a broker calls its pair.
    if currency_pair(pair).is_some() || metal_pair(pair).is_some() {
        return None;
    }

    // `RDS-A.P` is a share: before these two marks, only the quote tells.
    let is_cut = pair.contains(['-', '_', '/']) && ![".P", "-P"].contains(&mark);
    let is_pair = is_cut || !crypto_cuts(pair).is_empty();
    match mark {
        _ if is_pair => certainly(AssetClass::Perpetual, pair),
        // Deribit's are settled in the coin and priced in US dollars.
        "-PERPETUAL" if is_alphanumeric(pair) => {
            certainly(AssetClass::Perpetual, &format!("{pair}/USD"))
        }
        "-PERP" | "_PERP" | "PERP" if is_coin(pair) || mark != "PERP" => candidates([
            (AssetClass::Perpetual, &format!("{pair}/USDT")),
            (AssetClass::Perpetual, &format!("{pair}/USDC")),
            (AssetClass::Perpetual, &format!("{pair}/USD")),
        ]),
        _ => None,
    }
}

/// `BTCUSDT_240927`, `BTC-27SEP24`: of one expiry, which is refused.
pub(super) fn dated_crypto(text: &str) -> Option<Outcome> {
    let (pair, date) = text.rsplit_once(['_', '-'])?;
    let is_date = (date.len() == 6 && is_digits(date)) || is_day_month_year(date);
    let is_crypto =
        pair.contains(['-', '_', '/']) || is_coin(pair) || !crypto_cuts(pair).is_empty();
    (is_date && is_crypto).then(|| refuse_dated_crypto(text))
}

/// True for `27SEP24` and `5DEC25`.
fn is_day_month_year(text: &str) -> bool {
    let day = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let months = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    let (month, year) = day.split_at_checked(3).unwrap_or_default();
    let is_day = (1..=2).contains(&(text.len() - day.len()));
    is_day && month.len() == 3 && months.contains(month) && year.len() == 2 && is_digits(year)
}

pub(super) fn refuse_dated_crypto(text: &str) -> Outcome {
    Outcome::Refused(InstrumentError::Unsupported {
        text: text.to_owned(),
        kind: "a crypto future with an expiry",
    })
}

/// `AAPL240119C00190000`: a root, a date, `C` or `P`, and a strike of eight figures.
pub(super) fn option(text: &str) -> Option<Outcome> {
    let (root, rest) = text.split_at_checked(text.len().checked_sub(15)?)?;
    let (date, rest) = rest.split_at_checked(6)?;
    let strike = rest.strip_prefix(['C', 'P'])?;
    let is_option = is_alphanumeric(root.trim_end()) && is_digits(date) && is_digits(strike);
    is_option.then(|| refuse_option(text))
}

pub(super) fn refuse_option(text: &str) -> Outcome {
    Outcome::Refused(InstrumentError::Unsupported {
        text: text.to_owned(),
        kind: "an option",
    })
}

/// `ES` alone: a share, the continuous future, or an expiry, of which one is shown.
pub(super) fn root(text: &str) -> Option<Outcome> {
    venue_of(text)?;
    candidates([
        (AssetClass::Stock, text),
        (AssetClass::Future, text),
        (AssetClass::Future, &format!("{text}:202612")),
    ])
}
