//! Shares and indices: suffixes of exchanges, classes of shares, and plain symbols.

use super::super::class::AssetClass;
use super::super::currencies::{is_coin, is_major_coin};
use super::super::futures::venue_of;
use super::super::hours::{exchange_calendar, is_index};
use super::super::name::instrument_of;
use super::{Outcome, candidates, certainly, is_alphanumeric, is_digits, is_letters};

/// Suffixes of exchanges whose hours are not kept here, as Yahoo writes them.
const OTHER_EXCHANGES: [&str; 42] = [
    "F", "BE", "DU", "HM", "HA", "MU", "SG", "MC", "VI", "SW", "ST", "CO", "HE", "OL", "IC", "RG",
    "TL", "VS", "WA", "PR", "BD", "AT", "IS", "ME", "RO", "SN", "MX", "BA", "CL", "KS", "KQ", "TW",
    "TWO", "SI", "JK", "BK", "KL", "NZ", "TA", "SR", "QA", "JO",
];
/// What stands behind the hyphen of a share without being a class: warrants, units, rights.
const SHARE_TAILS: [&str; 8] = ["WT", "WS", "UN", "RT", "RI", "WI", "CL", "UT"];
/// Codes that a symbol does not have by chance: a pair of something with a tail of its own.
const PAIR_SIGNS: [&str; 5] = ["USD", "XAU", "XAG", "XPT", "XPD"];
/// Characters of a symbol that looks like a pair because of one of [`PAIR_SIGNS`].
const PAIR_LENGTH_MIN: usize = 6;

/// `^GSPC`, `$SPX`, `.DJI`: an index.
pub(super) fn index(text: &str) -> Option<Outcome> {
    let name = text.strip_prefix(['^', '$', '.'])?;
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    certainly(AssetClass::Index, name.strip_suffix(".X").unwrap_or(name))
}

/// `SPX` alone: an index, or a share of that name.
pub(super) fn index_name(text: &str) -> Option<Outcome> {
    if !is_index(text) {
        return None;
    }
    candidates([(AssetClass::Index, text), (AssetClass::Stock, text)])
}

/// `AAPL.US` is `AAPL`, `VOD.UK` is `VOD.L`, `7203.JP` is `7203.T`.
pub(super) fn stooq(text: &str) -> Option<Outcome> {
    let (symbol, country) = text.rsplit_once('.')?;
    match country {
        "US" => share_class(symbol).or_else(|| share(symbol)),
        "UK" => certainly(AssetClass::Stock, &format!("{symbol}.L")),
        "JP" => certainly(AssetClass::Stock, &format!("{symbol}.T")),
        _ => None,
    }
}

/// `CL.F`, `BTC.V`: Stooq's futures and coins end as the shares of Frankfurt and Toronto do, and
/// `ES.FUT` is every expiry of Databento.
pub(super) fn shared_suffix(text: &str) -> Option<Outcome> {
    let (name, suffix) = text.rsplit_once('.')?;
    let pair = format!("{name}/USD");

    match suffix {
        "F" if venue_of(name).is_some() => {
            candidates([(AssetClass::Future, name), (AssetClass::Stock, text)])
        }
        // Which expiry is meant nobody can know; one of them shows how it is written.
        "FUT" if venue_of(name).is_some() => candidates([
            (AssetClass::Future, name),
            (AssetClass::Future, &format!("{name}:202612")),
        ]),
        "V" if is_coin(name) => {
            candidates([(AssetClass::Crypto, &pair), (AssetClass::Stock, text)])
        }
        _ => None,
    }
}

/// `VOD.L`, `7203.T`, `700.HK`, `VOLV-B.ST`: a share of the exchange behind the dot.
pub(super) fn exchange(text: &str) -> Option<Outcome> {
    let (symbol, suffix) = text.rsplit_once('.')?;
    let is_exchange = exchange_calendar(suffix).is_some() || OTHER_EXCHANGES.contains(&suffix);
    if !is_exchange {
        return None;
    }

    if suffix == "HK" && is_digits(symbol) {
        return certainly(AssetClass::Stock, &format!("{symbol:0>4}.HK"));
    }
    // The Shanghai composite has the form of a share, and is one number.
    let class = if text == "000001.SS" {
        AssetClass::Index
    } else {
        AssetClass::Stock
    };
    certainly(class, text)
}

/// `BRK-B`, `BRK/B`, `BRK B` are `BRK.B`; `BAC-PL` and `XYZ-WT` stay as they are.
pub(super) fn share_class(text: &str) -> Option<Outcome> {
    let (symbol, class) = text.split_once(['-', '/', ' '])?;
    if !is_letters(symbol) || !is_letters(class) || symbol.len() > 5 {
        return None;
    }

    let is_preferred = class.len() == 2 && class.starts_with('P');
    if class.len() == 1 {
        certainly(AssetClass::Stock, &format!("{symbol}.{class}"))
    } else if text.contains('-') && (is_preferred || SHARE_TAILS.contains(&class)) {
        certainly(AssetClass::Stock, text)
    } else {
        None
    }
}

/// `AAPL`, `BRK.B`, `GOOGLE`: what nothing says otherwise of.
pub(super) fn share(text: &str) -> Option<Outcome> {
    let is_plain = text
        .split('.')
        .all(|part| is_alphanumeric(&part.replace('&', "")));
    if !is_plain {
        return None;
    }

    let looks_like_a_pair =
        text.len() >= PAIR_LENGTH_MIN && PAIR_SIGNS.iter().any(|sign| text.contains(sign));
    // `BTC.D` is a figure about a coin.
    let is_of_a_coin = text
        .split_once('.')
        .is_some_and(|(name, _)| is_major_coin(name));
    if looks_like_a_pair || is_of_a_coin {
        return candidates([(AssetClass::Stock, text)]);
    }
    certainly(AssetClass::Stock, text)
}

/// `FOO_BAR`: a share, if somebody says so.
pub(super) fn unclear(text: &str) -> Option<Outcome> {
    let is_share = text.contains(['_', '-']) && instrument_of(AssetClass::Stock, text).is_ok();
    is_share.then(|| candidates([(AssetClass::Stock, text)]))?
}
