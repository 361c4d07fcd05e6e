//! The contract that an instrument is at Interactive Brokers, and which prices its bars are made
//! of.

use ibapi::contracts::{Contract, Currency, Exchange, SecurityType, Symbol};
use ibapi::market_data::historical::WhatToShow;
use market::{AssetClass, Instrument, PriceKind};

/// Routes an order, or here a request, to the exchange that has the contract.
const SMART: &str = "SMART";

/// Exchanges and currencies by the suffix of a share, as Yahoo writes it.
const SUFFIXES: [(&str, &str, &str); 13] = [
    ("US", SMART, "USD"),
    ("L", "LSE", "GBP"),
    ("DE", "IBIS", "EUR"),
    ("PA", "SBF", "EUR"),
    ("AS", "AEB", "EUR"),
    ("BR", "ENEXT.BE", "EUR"),
    ("MI", "BVME", "EUR"),
    ("T", "TSEJ", "JPY"),
    ("HK", "SEHK", "HKD"),
    ("AX", "ASX", "AUD"),
    ("TO", "TSE", "CAD"),
    ("V", "VENTURE", "CAD"),
    ("NS", "NSE", "INR"),
];

/// What may follow the dot of a share in the United States without naming an exchange.
const US_TAILS: [&str; 7] = ["WS", "WT", "UN", "RT", "WI", "PR", "CL"];

/// Exchanges of futures by their roots. Of the others the gateway is asked.
const FUTURES: [(&str, &[&str]); 6] = [
    (
        "CME",
        &[
            "ES", "NQ", "RTY", "EMD", "MES", "MNQ", "M2K", "NKD", "LE", "HE", "GF", "SR1", "SR3",
            "6A", "6B", "6C", "6E", "6J", "6M", "6N", "6S", "BTC", "MBT", "ETH", "MET",
        ],
    ),
    (
        "CBOT",
        &[
            "YM", "MYM", "ZB", "ZN", "ZF", "ZT", "ZQ", "TN", "UB", "ZC", "ZS", "ZW", "ZL", "ZM",
            "ZO", "ZR", "KE",
        ],
    ),
    (
        "NYMEX",
        &["CL", "MCL", "QM", "NG", "QG", "RB", "HO", "BZ", "PL", "PA"],
    ),
    ("COMEX", &["GC", "MGC", "SI", "SIL", "HG", "MHG", "ALI"]),
    (
        "EUREX",
        &[
            "FDAX", "FDXM", "FDXS", "FESX", "FSXE", "FGBL", "FGBM", "FGBS",
        ],
    ),
    ("CFE", &["VX", "VXM"]),
];

/// Roots that are not the symbol of the contract: the symbol is that of what is delivered, the root
/// its trading class.
const UNDERLYINGS: [(&str, &str); 11] = [
    ("6A", "AUD"),
    ("6B", "GBP"),
    ("6C", "CAD"),
    ("6E", "EUR"),
    ("6J", "JPY"),
    ("6M", "MXP"),
    ("6N", "NZD"),
    ("6S", "CHF"),
    ("FDAX", "DAX"),
    ("FESX", "ESTX50"),
    ("VX", "VIX"),
];

/// Exchanges of indices.
const INDICES: [(&str, &str); 6] = [
    ("SPX", "CBOE"),
    ("VIX", "CBOE"),
    ("RUT", "RUSSELL"),
    ("NDX", "NASDAQ"),
    ("INDU", "CME"),
    ("DAX", "EUREX"),
];

/// The contract to ask the gateway for; absent for a class that it has no bars of.
pub fn contract_of(instrument: &Instrument) -> Option<Contract> {
    match instrument.class() {
        AssetClass::Stock | AssetClass::Fund => Some(share(instrument)),
        AssetClass::Index => Some(index(instrument)),
        AssetClass::Fx => pair(instrument, SecurityType::ForexPair, "IDEALPRO"),
        AssetClass::Metal => pair(instrument, SecurityType::Commodity, SMART),
        AssetClass::Crypto => pair(instrument, SecurityType::Crypto, "PAXOS"),
        AssetClass::Future => future(instrument),
        AssetClass::Perpetual => None,
    }
}

/// The classes that there are bars of.
pub const CLASSES: [AssetClass; 7] = [
    AssetClass::Stock,
    AssetClass::Fund,
    AssetClass::Index,
    AssetClass::Fx,
    AssetClass::Metal,
    AssetClass::Future,
    AssetClass::Crypto,
];

fn contract(security_type: SecurityType, symbol: &str, exchange: &str, currency: &str) -> Contract {
    Contract {
        security_type,
        symbol: Symbol::from(symbol),
        exchange: Exchange::from(exchange),
        currency: Currency::from(currency),
        ..Contract::default()
    }
}

/// The name behind the class of an id: `BRK.B` of `stk:BRK.B`.
fn name_of(instrument: &Instrument) -> String {
    let id = instrument.id();
    id.split_once(':')
        .map_or(id.clone(), |(_, name)| name.to_owned())
}

/// A share: `BRK.B` is the class `BRK B`, `VOD.L` is `VOD` in London.
fn share(instrument: &Instrument) -> Contract {
    let name = name_of(instrument);
    let Some((symbol, tail)) = name.rsplit_once('.') else {
        return contract(SecurityType::Stock, &name, SMART, "USD");
    };

    let mut suffixes = SUFFIXES.iter();
    if let Some((_, exchange, currency)) = suffixes.find(|(suffix, _, _)| *suffix == tail) {
        return contract(SecurityType::Stock, symbol, exchange, currency);
    }
    if tail.len() == 1 || US_TAILS.contains(&tail) {
        let symbol = format!("{symbol} {tail}");
        return contract(SecurityType::Stock, &symbol, SMART, "USD");
    }
    contract(SecurityType::Stock, &name, SMART, "USD")
}

fn index(instrument: &Instrument) -> Contract {
    let name = name_of(instrument);
    let mut indices = INDICES.iter();
    let exchange = indices.find(|(index, _)| *index == name);
    let exchange = exchange.map_or("", |(_, exchange)| *exchange);
    contract(SecurityType::Index, &name, exchange, "")
}

fn pair(instrument: &Instrument, security_type: SecurityType, exchange: &str) -> Option<Contract> {
    let (base, quote) = instrument.pair()?;

    // Of metals, the symbol is the whole pair: XAUUSD in US dollars.
    let symbol = match security_type {
        SecurityType::Commodity => format!("{base}{quote}"),
        _ => base.to_owned(),
    };
    Some(contract(security_type, &symbol, exchange, quote))
}

/// A future of a month, or the continuous series of its root.
fn future(instrument: &Instrument) -> Option<Contract> {
    let (root, month) = instrument.future()?;
    let mut exchanges = FUTURES.iter();
    let exchange = exchanges.find(|(_, roots)| roots.contains(&root));
    let exchange = exchange.map_or("", |(exchange, _)| *exchange);

    let mut underlyings = UNDERLYINGS.iter();
    let underlying = underlyings.find(|(name, _)| *name == root);
    let symbol = underlying.map_or(root, |(_, symbol)| *symbol);
    let trading_class = underlying.map_or("", |_| root);

    let security_type = match month {
        Some(_) => SecurityType::Future,
        None => SecurityType::ContinuousFuture,
    };
    Some(Contract {
        trading_class: trading_class.to_owned(),
        last_trade_date_or_contract_month: month.unwrap_or_default().to_owned(),
        include_expired: month.is_some(),
        ..contract(security_type, symbol, exchange, "")
    })
}

/// The prices that are asked for: crypto has no trades but aggregated ones (error 10299).
pub const fn what_to_show(class: AssetClass, price: PriceKind) -> WhatToShow {
    match price {
        PriceKind::Bid => WhatToShow::Bid,
        PriceKind::Ask => WhatToShow::Ask,
        PriceKind::Midpoint => WhatToShow::MidPoint,
        PriceKind::Trades => match class {
            AssetClass::Crypto => WhatToShow::AggTrades,
            _ => WhatToShow::Trades,
        },
    }
}

/// A volume as the gateway sends it: below zero where it has none.
pub fn volume_of(sent: f64) -> f64 {
    if sent < 0.0 { f64::NAN } else { sent }
}

/// The suffix of a share that is listed there, empty in the United States; absent for an exchange
/// that has no suffix here.
pub(super) fn suffix_of(exchange: &str, currency: &str) -> Option<&'static str> {
    if currency == "USD" {
        return Some("");
    }
    let mut suffixes = SUFFIXES.iter();
    let suffix = suffixes.find(|(_, named, money)| *named == exchange && *money == currency);
    suffix.map(|(suffix, _, _)| *suffix)
}
