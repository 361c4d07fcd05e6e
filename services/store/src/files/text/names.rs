//! The names that columns have in files of bars, in the order in which they are preferred.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Time,
    /// Beside a column of dates.
    TimeOfDay,
    Symbol,
    Open,
    High,
    Low,
    Close,
    Volume,
}

impl Role {
    /// The prices in the order in which they are stored.
    pub(super) const PRICES: [Self; 4] = [Self::Open, Self::High, Self::Low, Self::Close];

    /// The word of the role in options and messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::TimeOfDay => "time of day",
            Self::Symbol => "symbol",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        }
    }

    /// The names of such a column after [`plain_name`]; an earlier one is preferred.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Time => TIME,
            Self::TimeOfDay => TIME_OF_DAY,
            Self::Symbol => SYMBOL,
            Self::Open => OPEN,
            Self::High => HIGH,
            Self::Low => LOW,
            Self::Close => CLOSE,
            Self::Volume => VOLUME,
        }
    }
}

/// The start of a bar before other times of it, and an instant before a date.
const TIME: &[&str] = &[
    "open time",
    "opentime",
    "timeopen",
    "time open",
    "window start",
    "ts event",
    "bar start",
    "period start",
    "start time",
    "timestamp",
    "timestamps",
    "time",
    "datetime",
    "date time",
    "date",
    "ts",
    "unix",
    "unix time",
    "unix timestamp",
    "unixtime",
    "epoch",
    "gmt time",
    "utc time",
    "local time",
    "time utc",
    "date utc",
    "datetime utc",
    "timestamp utc",
    "timestamp ms",
    "time ms",
    "datum",
    "data",
    "fecha",
    "dia",
    "giorno",
    "zeit",
    "datum zeit",
    "trade date",
    "tradedate",
    "trading date",
    "tradingday",
    "price date",
    "bar time",
    "bartime",
    "begin",
    "start",
    "dt",
    "t",
    "d",
    "snapped at",
    "period",
    "dtyyyymmdd",
    "yyyymmdd",
    "",
    "index level 0",
    "index",
    "unnamed 0",
];

const TIME_OF_DAY: &[&str] = &[
    "time",
    "time of day",
    "hour",
    "uhrzeit",
    "zeit",
    "hora",
    "heure",
    "czas",
    "hhmmss",
    "hhmm",
    "bar time",
    "timestamp",
    "clock",
];

const SYMBOL: &[&str] = &[
    "ticker",
    "symbol",
    "code",
    "instrument",
    "instrument id",
    "sym",
    "asset",
    "pair",
    "coin",
    "secid",
    "ric",
    "isin",
    "stock",
    "act symbol",
    "security",
    "ts code",
    "market",
    "name",
];

const OPEN: &[&str] = &[
    "open",
    "o",
    "open price",
    "price open",
    "openprice",
    "opening price",
    "bidopen",
    "bid open",
    "mid o",
    "first",
    "eröffnung",
    "erster",
    "eroeffnung",
    "otwarcie",
    "ouverture",
    "ouv",
    "apertura",
    "abertura",
    "öffnung",
    "openbid",
    "op",
];

const HIGH: &[&str] = &[
    "high",
    "h",
    "high price",
    "price high",
    "highprice",
    "max",
    "bidhigh",
    "bid high",
    "mid h",
    "hoch",
    "höchst",
    "höchstkurs",
    "tageshoch",
    "najwyzszy",
    "najwyższy",
    "plus haut",
    "haut",
    "massimo",
    "máximo",
    "maximo",
    "alto",
    "highbid",
    "hi",
];

const LOW: &[&str] = &[
    "low",
    "l",
    "low price",
    "price low",
    "lowprice",
    "min",
    "bidlow",
    "bid low",
    "mid l",
    "tief",
    "tiefst",
    "tiefstkurs",
    "tagestief",
    "najnizszy",
    "najniższy",
    "plus bas",
    "bas",
    "minimo",
    "mínimo",
    "bajo",
    "lowbid",
    "lo",
];

const CLOSE: &[&str] = &[
    "close",
    "c",
    "last",
    "close last",
    "close price",
    "price close",
    "closeprice",
    "closing price",
    "bidclose",
    "bid close",
    "mid c",
    "last price",
    "price",
    "ltp",
    "schluss",
    "schlusskurs",
    "letzter",
    "zamkniecie",
    "zamknięcie",
    "clôture",
    "cloture",
    "dernier",
    "chiusura",
    "ultimo",
    "último",
    "cierre",
    "fechamento",
    "closebid",
    "cl",
    "settle",
];

/// The traded volume before counts that stand for it.
const VOLUME: &[&str] = &[
    "volume",
    "v",
    "vol",
    "volume base",
    "base volume",
    "base asset volume",
    "volumefrom",
    "real volume",
    "volumen",
    "wolumen",
    "quantity",
    "qty",
    "total volume",
    "volume traded",
    "ttl trd qnty",
    "total trade quantity",
    "no of shares",
    "stück",
    "umsatz",
    "volym",
    "tick volume",
    "tickvolume",
    "tickvol",
    "tickqty",
    "ticks",
    "volumes",
    "vol shares",
    "totvol",
];

/// Names of columns about corporate actions: adjusted close, dividend, split, capital gain.
pub(super) const ACTIONS: [&[&str]; 4] = [
    &["adj close", "adjclose", "adjusted close", "adjustedclose"],
    &[
        "dividends",
        "dividend",
        "dividend amount",
        "dividendamount",
        "div cash",
        "divcash",
        "ex dividend",
    ],
    &[
        "stock splits",
        "stocksplits",
        "splits",
        "split",
        "split coefficient",
        "splitcoefficient",
        "split factor",
        "splitfactor",
        "split ratio",
    ],
    &[
        "capital gains",
        "capitalgains",
        "capital gain",
        "capitalgain",
    ],
];

/// A column name in lower case and words: without the brackets of MetaTrader, the number of Alpha
/// Vantage, or the unit in parentheses.
pub(super) fn plain_name(name: &str) -> String {
    let lower = name.trim().to_lowercase();
    let bare = lower.trim_start_matches('#').trim();
    let bare = bare
        .strip_prefix('<')
        .and_then(|bare| bare.strip_suffix('>'))
        .unwrap_or(bare);

    // `1. open` and `4a. close (USD)` are the names of a JSON answer.
    let bare = match bare.split_once(". ") {
        Some((number, rest)) if number.starts_with(|first: char| first.is_ascii_digit()) => rest,
        _ => bare,
    };
    let mut plain = String::with_capacity(bare.len());
    for character in bare.chars() {
        match character {
            _ if character.is_alphanumeric() => plain.push(character),
            _ if plain.ends_with(' ') || plain.is_empty() => {}
            _ => plain.push(' '),
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// How far a name is from the first names of a role: 0 is the best; `None` if it has another role.
pub(super) fn rank_of(role: Role, plain: &str) -> Option<usize> {
    let names = role.names();
    if let Some(rank) = names.iter().position(|name| *name == plain) {
        return Some(rank);
    }

    // `Volume BTC` counts the base currency, which stands before `Volume USDT`.
    let unit = plain.strip_prefix("volume ")?;
    let is_quote = [
        "usd", "usdt", "usdc", "eur", "currency", "quote", "ma", "change",
    ];
    let is_volume = role == Role::Volume && !unit.contains(' ') && !is_quote.contains(&unit);
    is_volume.then_some(names.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_every_dress() {
        let names = [
            ("<DATE>", Role::Time),
            ("Gmt time", Role::Time),
            ("1. open", Role::Open),
            ("4a. close", Role::Close),
            ("Close/Last", Role::Close),
            ("Volume_(BTC)", Role::Volume),
            ("Volume BTC", Role::Volume),
            ("Vol.", Role::Volume),
            ("TickVol", Role::Volume),
            ("Höchst", Role::High),
            ("Unnamed: 0", Role::Time),
            ("__index_level_0__", Role::Time),
        ];
        for (name, role) in names {
            assert!(rank_of(role, &plain_name(name)).is_some(), "{name}");
        }

        for name in [
            "Volume_(Currency)",
            "Volume USDT",
            "Volume MA",
            "PREV. CLOSE",
            "52W H",
        ] {
            let plain = plain_name(name);
            assert_eq!(rank_of(Role::Volume, &plain), None, "{name}");
            assert_eq!(rank_of(Role::Close, &plain), None, "{name}");
        }
    }
}
