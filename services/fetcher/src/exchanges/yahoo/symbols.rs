//! Names of instruments at Yahoo.

use market::{AssetClass, Instrument};
use serde_json::Value;

use super::super::readings::text;
use crate::provider::Listing;

/// Indices whose name at Yahoo is another one than `^` and ours.
const INDICES: [(&str, &str); 18] = [
    ("SPX", "^GSPC"),
    ("INDU", "^DJI"),
    ("COMPX", "^IXIC"),
    ("DAX", "^GDAXI"),
    ("UKX", "^FTSE"),
    ("CAC", "^FCHI"),
    ("CAC40", "^FCHI"),
    ("PX1", "^FCHI"),
    ("SX5E", "^STOXX50E"),
    ("NKY", "^N225"),
    ("NI225", "^N225"),
    ("XJO", "^AXJO"),
    ("NIFTY", "^NSEI"),
    ("NIFTY50", "^NSEI"),
    ("BANKNIFTY", "^NSEBANK"),
    ("SENSEX", "^BSESN"),
    ("DXY", "DX-Y.NYB"),
    ("USDX", "DX-Y.NYB"),
];

/// Instruments that an empty search finds: Yahoo has no list of all of them.
const EXAMPLES: [(&str, &str); 6] = [
    ("AAPL", "EQUITY"),
    ("BRK-B", "EQUITY"),
    ("SPY", "ETF"),
    ("^GSPC", "INDEX"),
    ("EURUSD=X", "CURRENCY"),
    ("USDJPY=X", "CURRENCY"),
];
/// The calendar of shares without the suffix of an exchange.
const UNITED_STATES: &str = "us_equities";

/// Yahoo's name of an instrument: `BRK-B`, `VOD.L`, `^GSPC`, `EURUSD=X`; absent for a class that is
/// not asked for.
pub(super) fn symbol_of(instrument: &Instrument) -> Option<String> {
    let id = instrument.id();
    let name = id.split_once(':').map_or(id.as_str(), |(_, name)| name);

    match instrument.class() {
        AssetClass::Stock | AssetClass::Fund => Some(share(instrument, name)),
        AssetClass::Index => Some(index(name)),
        AssetClass::Fx => {
            let (base, quote) = instrument.pair()?;
            Some(format!("{base}{quote}=X"))
        }
        _ => None,
    }
}

/// Behind the dot of a share in the United States is its class, elsewhere its exchange.
fn share(instrument: &Instrument, name: &str) -> String {
    if instrument.calendar_name() != UNITED_STATES {
        return name.to_owned();
    }
    name.strip_suffix(".US").unwrap_or(name).replace('.', "-")
}

fn index(name: &str) -> String {
    let mut indices = INDICES.iter();
    if let Some((_, symbol)) = indices.find(|(index, _)| *index == name) {
        return (*symbol).to_owned();
    }

    // Shanghai's indices are numbers with its suffix.
    if name.contains('.') {
        name.to_owned()
    } else {
        format!("^{name}")
    }
}

/// The instrument of one of Yahoo's names and its word for the class; absent for a class that is
/// not asked for.
pub(super) fn instrument_of(symbol: &str, kind: &str) -> Option<Instrument> {
    let prefix = match kind {
        "EQUITY" | "ETF" => "stk",
        "MUTUALFUND" => "fund",
        "INDEX" => "idx",
        "CURRENCY" => "fx",
        _ => return None,
    };

    // The classes of a share, indices and pairs have their own spellings without a prefix.
    let alone = Instrument::parse(symbol).ok();
    let alone = alone.filter(|instrument| instrument.class().as_str() == prefix);
    alone.or_else(|| Instrument::parse(&format!("{prefix}:{symbol}")).ok())
}

/// An entry of a search as an instrument of ours.
pub(super) fn listing_of(quote: &Value) -> Option<Listing> {
    let symbol = text(quote, "symbol");
    let kind = text(quote, "quoteType");
    let instrument = instrument_of(symbol, kind)?;
    let place = text(quote, "exchDisp");
    let name = text(quote, "shortname");

    Some(Listing {
        symbol: symbol.to_owned(),
        instrument,
        state: format!("{kind} {place} {name}").trim().to_owned(),
    })
}

/// A few instruments, as a search finds them.
pub(super) fn examples() -> impl Iterator<Item = Listing> {
    EXAMPLES.iter().filter_map(|(symbol, kind)| {
        Some(Listing {
            symbol: (*symbol).to_owned(),
            instrument: instrument_of(symbol, kind)?,
            state: format!("{kind}, an example"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_those_of_yahoo() {
        let table = [
            ("AAPL", "AAPL"),
            ("BRK.B", "BRK-B"),
            ("stk:SPY", "SPY"),
            ("fund:VFIAX", "VFIAX"),
            ("BAC-PL", "BAC-PL"),
            ("VOD.L", "VOD.L"),
            ("700.HK", "0700.HK"),
            ("7203.T", "7203.T"),
            ("^GSPC", "^GSPC"),
            ("idx:SPX", "^GSPC"),
            ("idx:DXY", "DX-Y.NYB"),
            ("000001.SS", "000001.SS"),
            ("EURUSD", "EURUSD=X"),
            ("USD/JPY", "USDJPY=X"),
        ];

        for (ours, theirs) in table {
            let instrument = Instrument::parse(ours).unwrap();
            assert_eq!(symbol_of(&instrument).as_deref(), Some(theirs), "{ours}");
        }
        for other in ["crypto:BTC/USD", "fut:ES", "XAUUSD"] {
            let instrument = Instrument::parse(other).unwrap();
            assert_eq!(symbol_of(&instrument), None, "{other}");
        }
    }

    #[test]
    fn names_of_yahoo_are_instruments_of_ours() {
        let table = [
            ("BRK-B", "EQUITY", "stk:BRK.B"),
            ("SPY", "ETF", "stk:SPY"),
            ("VFIAX", "MUTUALFUND", "fund:VFIAX"),
            ("^GSPC", "INDEX", "idx:GSPC"),
            ("EURUSD=X", "CURRENCY", "fx:EUR.USD"),
            ("VOD.L", "EQUITY", "stk:VOD.L"),
        ];

        for (symbol, kind, id) in table {
            let instrument = instrument_of(symbol, kind).map(|instrument| instrument.id());
            assert_eq!(instrument.as_deref(), Some(id), "{symbol}");
        }
        assert_eq!(instrument_of("ES=F", "FUTURE"), None);
    }
}
