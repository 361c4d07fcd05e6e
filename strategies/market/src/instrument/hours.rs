//! Which calendar an instrument trades by: the one of its exchange, else the one of its class.
//!
//! A calendar ends bars at the close of a session, so a wrong one would let a bar count as known
//! before it is over. Where the hours are not known, the answer is `always`, which ends none early.

use super::class::AssetClass;
use super::futures::{Venue, venue_of};

const US_EQUITIES: &str = "us_equities";
const ALWAYS: &str = "always";

/// Calendars by the suffix of an exchange, as Yahoo and TradingView's exports write it.
const EXCHANGES: [(&str, &[&str]); 11] = [
    (US_EQUITIES, &["US"]),
    ("lse", &["L", "IL"]),
    ("xetra", &["DE"]),
    ("euronext", &["PA", "AS", "BR", "LS", "IR", "MI"]),
    ("tse", &["T"]),
    ("hkex", &["HK"]),
    ("sse", &["SS", "SZ"]),
    ("asx", &["AX"]),
    ("tsx", &["TO", "V", "NE", "CN"]),
    ("nse", &["NS", "BO"]),
    ("b3", &["SA"]),
];

/// What may follow the dot of a symbol in the United States and names no exchange: a warrant, a
/// unit, a right, shares before they are issued.
const US_TAILS: [&str; 7] = ["WS", "WT", "UN", "RT", "WI", "PR", "CL"];

/// Contracts for difference on indices, by the names that brokers have for them. Those on the
/// United States follow their futures, others trade around the clock on weekdays.
const INDEX_CONTRACTS: [(&str, &[&str]); 2] = [
    (
        "cme_index",
        &[
            "US500", "SPX500", "SP500", "US30", "WS30", "DJ30", "US100", "NAS100", "USTEC",
            "USTECH", "NDX100", "US2000", "RUSS2000",
        ],
    ),
    (
        "weekdays",
        &[
            "GER40", "GER30", "DE40", "DE30", "UK100", "FRA40", "FR40", "EU50", "EUSTX50",
            "STOXX50", "ESP35", "SPA35", "JP225", "JPN225", "AUS200", "HK50", "HKG33", "CHN50",
            "CN50", "SUI20", "SWI20", "NETH25", "IT40",
        ],
    ),
];

/// Indices by the names that vendors have for them.
const INDICES: [(&str, &[&str]); 12] = [
    (
        US_EQUITIES,
        &[
            "GSPC", "SPX", "DJI", "INDU", "IXIC", "COMPX", "NDX", "RUT", "NYA", "OEX", "SOX",
        ],
    ),
    ("us_equities_extended", &["VIX", "VXN", "VIX9D", "VIX3M"]),
    (
        "weekdays",
        &["STOXX50E", "SX5E", "STOXX", "SXXP", "DXY", "USDX"],
    ),
    ("lse", &["FTSE", "UKX", "FTMC", "FTAS"]),
    ("xetra", &["GDAXI", "DAX", "MDAXI", "SDAXI", "TECDAX"]),
    (
        "euronext",
        &[
            "FCHI", "CAC40", "CAC", "PX1", "AEX", "BFX", "PSI20", "SBF120",
        ],
    ),
    ("tse", &["N225", "NKY", "NI225", "TPX"]),
    ("hkex", &["HSI", "HSCE", "HSTECH"]),
    ("asx", &["AXJO", "XJO", "AORD"]),
    ("tsx", &["GSPTSE"]),
    (
        "nse",
        &[
            "NSEI",
            "NIFTY",
            "NIFTY50",
            "NSEBANK",
            "BANKNIFTY",
            "BSESN",
            "SENSEX",
        ],
    ),
    ("b3", &["BVSP", "IBOV"]),
];

/// The calendar of a name of this class.
pub(super) fn calendar_name(class: AssetClass, name: &str) -> &'static str {
    match class {
        AssetClass::Stock | AssetClass::Fund => listed_calendar(name),
        AssetClass::Index => index_calendar(name),
        AssetClass::Fx => "fx",
        AssetClass::Metal => "metals",
        AssetClass::Future => future_calendar(name),
        AssetClass::Crypto | AssetClass::Perpetual => ALWAYS,
    }
}

/// By the exchange behind the last dot; a share without one trades in the United States.
fn listed_calendar(name: &str) -> &'static str {
    let Some((_, suffix)) = name.rsplit_once('.') else {
        return US_EQUITIES;
    };
    if let Some(calendar) = exchange_calendar(suffix) {
        return calendar;
    }

    // `.F` is the floor of Frankfurt, which is open longer than Xetra.
    let is_class = suffix.len() == 1 && suffix != "F";
    if is_class || US_TAILS.contains(&suffix) {
        US_EQUITIES
    } else {
        ALWAYS
    }
}

/// The calendar of an exchange by its suffix.
pub(super) fn exchange_calendar(suffix: &str) -> Option<&'static str> {
    find_in(&EXCHANGES, suffix)
}

fn index_calendar(name: &str) -> &'static str {
    let listed = || name.contains('.').then(|| listed_calendar(name));
    find_in(&INDICES, name)
        .or_else(|| find_in(&INDEX_CONTRACTS, name))
        .or_else(listed)
        .unwrap_or(US_EQUITIES)
}

/// True for an index that is known by this name.
pub(super) fn is_index(name: &str) -> bool {
    find_in(&INDICES, name).is_some()
}

/// True for a contract for difference on an index that is known by this name.
pub(super) fn is_index_contract(name: &str) -> bool {
    find_in(&INDEX_CONTRACTS, name).is_some()
}

fn future_calendar(name: &str) -> &'static str {
    let root = name.split_once('.').map_or(name, |(root, _)| root);
    match venue_of(root) {
        Some(Venue::CmeIndex) => "cme_index",
        Some(Venue::CmeEnergyMetals) => "cme_energy_metals",
        Some(Venue::Weekdays) => "weekdays",
        Some(Venue::Other) | None => ALWAYS,
    }
}

fn find_in(table: &[(&'static str, &[&str])], name: &str) -> Option<&'static str> {
    let mut entries = table.iter();
    let entry = entries.find(|(_, names)| names.contains(&name));
    entry.map(|(calendar, _)| *calendar)
}
