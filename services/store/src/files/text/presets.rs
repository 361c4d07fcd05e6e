//! The formats of vendors, one row each: what their files do not say themselves.

use serde::{Deserialize, Serialize};

use super::names::Role;
use super::time::DateOrder;

/// A format that can be named with `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Klines of Binance, with or without header, in milliseconds or microseconds
    Binance,
    /// History of MetaTrader 4 and 5: date and time in two columns, clock of the broker
    Mt5,
    /// ASCII files of HistData: New York without summer time
    Histdata,
    /// Candlesticks of Dukascopy: GMT, day first
    Dukascopy,
    /// CSV files that yfinance writes through pandas, with up to three header rows
    Yfinance,
    /// Exported charts of TradingView: Unix seconds
    Tradingview,
    /// Bars of Interactive Brokers, with the zone behind each time
    Ibkr,
    /// Flat files of Polygon: Unix nanoseconds, every symbol of a day
    Polygon,
    /// Bars of Databento: Unix nanoseconds, prices times one billion unless printed
    Databento,
    /// ASCII files of Stooq: date and time in two columns
    Stooq,
    /// OHLCVT files of Kraken: Unix seconds without header
    Kraken,
    /// Candles of Coinbase: low and high stand before open
    Coinbase,
    /// Files of LEAN: prices of shares times ten thousand, without header
    Lean,
    /// Candles of Freqtrade as CSV
    Freqtrade,
}

/// What is known of a format.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The word of the option.
    pub name: &'static str,
    /// The format that this row describes.
    pub format: FileFormat,
    /// Names of which a header of this format has all, as `plain_name` makes them; without one the
    /// format has to be named.
    signature: &'static [&'static str],
    /// Order of the columns of a file without header.
    columns: &'static [Role],
    /// Zone of its times that carry none.
    pub(super) zone: Option<&'static str>,
    /// Order of dates.
    pub(super) dates: Option<DateOrder>,
    /// What stored prices are divided by.
    pub(super) price_divisor: f64,
    /// What is peculiar about its files, for the page about bar files.
    pub about: &'static str,
    /// The first lines of such a file, for the page.
    pub sample: &'static str,
    /// The options of `ktrdr data check FILE` that such a file needs, for the page.
    pub options: &'static str,
}

/// Time, open, high, low, close, volume.
const COMMON: &[Role] = &[
    Role::Time,
    Role::Open,
    Role::High,
    Role::Low,
    Role::Close,
    Role::Volume,
];
/// Date, time of day, open, high, low, close, volume.
const TWO_TIMES: &[Role] = &[
    Role::Time,
    Role::TimeOfDay,
    Role::Open,
    Role::High,
    Role::Low,
    Role::Close,
    Role::Volume,
];
/// The order of the Coinbase API.
const LOW_FIRST: &[Role] = &[
    Role::Time,
    Role::Low,
    Role::High,
    Role::Open,
    Role::Close,
    Role::Volume,
];

/// A format without peculiarities, which the rows below complete.
const PLAIN: Preset = Preset {
    name: "",
    format: FileFormat::Binance,
    signature: &[],
    columns: COMMON,
    zone: None,
    dates: None,
    price_divisor: 1.0,
    about: "",
    sample: "",
    options: "",
};

/// Every format; a header is compared with them in this order.
pub const PRESETS: [Preset; 14] = [
    Preset {
        name: "binance",
        format: FileFormat::Binance,
        about: "Klines with or without header, in milliseconds or (since 2025) microseconds.",
        signature: &["open time", "close time", "ignore"],
        sample: "1735689600000000,93576.00,94509.42,93489.03,94401.14,755.99010,1735693199999999,\
                 71000000.1,140000,390.0,36800000.1,0\n\
                 1735693200000000,94401.13,94408.72,93578.77,93607.74,586.53456,1735696799999999,\
                 55100000.1,140001,240.0,22600000.1,0\n",
        options: "--symbol crypto:BTCUSDT --timeframe 1h",
        ..PLAIN
    },
    Preset {
        name: "mt5",
        format: FileFormat::Mt5,
        about: "History of MetaTrader: date and time in two columns, clock of the broker, \
                 UTF-16 or UTF-8; without header for MetaTrader 4.",
        signature: &["date", "tickvol", "spread"],
        columns: TWO_TIMES,
        sample: "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n\
                 2024.01.02\t00:00:00\t1.10427\t1.10430\t1.10121\t1.10329\t1234\t0\t5\n\
                 2024.01.02\t01:00:00\t1.10329\t1.10400\t1.10300\t1.10350\t1300\t0\t4\n",
        options: "--symbol EURUSD --timeframe 1h --zone EET",
        ..PLAIN
    },
    Preset {
        name: "histdata",
        format: FileFormat::Histdata,
        about: "ASCII files without header, New York without summer time.",
        zone: Some("Etc/GMT+5"),
        sample: "20240102 000000;1.104270;1.104300;1.101210;1.103290;0\n\
                 20240102 000100;1.103290;1.104000;1.103000;1.103500;0\n",
        options: "--format histdata --symbol EURUSD --timeframe 1m",
        ..PLAIN
    },
    Preset {
        name: "dukascopy",
        format: FileFormat::Dukascopy,
        about: "Candlesticks: GMT, day first.",
        signature: &["gmt time"],
        zone: Some("UTC"),
        dates: Some(DateOrder::Dmy),
        sample: "Gmt time,Open,High,Low,Close,Volume\n\
                 02.01.2024 00:00:00.000,1.10427,1.10430,1.10121,1.10329,9899.99\n\
                 02.01.2024 01:00:00.000,1.10329,1.10400,1.10300,1.10350,8100\n",
        options: "--symbol EURUSD --timeframe 1h",
        ..PLAIN
    },
    Preset {
        name: "yfinance",
        format: FileFormat::Yfinance,
        about: "What pandas writes: one to three rows of header, times with the offset of \
                 the exchange.",
        signature: &["date", "dividends", "stock splits"],
        sample: "Price,Close,High,Low,Open,Volume\n\
                 Ticker,MSFT,MSFT,MSFT,MSFT,MSFT\n\
                 Date,,,,,\n\
                 2024-01-02,370.5,375.25,366.0,373.0,25258600\n\
                 2024-01-03,371.0,373.5,368.25,369.0,23083500\n",
        options: "--symbol MSFT --timeframe 1d",
        ..PLAIN
    },
    Preset {
        name: "tradingview",
        format: FileFormat::Tradingview,
        about: "Exported charts: Unix seconds of the start of the session.",
        sample: "time,open,high,low,close,Volume\n\
                 1704205800,187.15,188.44,183.89,185.64,82488700\n\
                 1704292200,184.22,185.88,183.43,184.25,58414500\n",
        options: "--symbol AAPL --timeframe 1d --zone America/New_York",
        ..PLAIN
    },
    Preset {
        name: "ibkr",
        format: FileFormat::Ibkr,
        about: "Interactive Brokers: the zone stands behind each time.",
        signature: &["date", "barcount"],
        sample: "date,open,high,low,close,volume,barCount\n\
                 20240102 09:30:00 US/Eastern,187.1,188.4,186.9,187.9,23456,1200\n\
                 20240102 10:30:00 US/Eastern,187.9,188.1,186.2,186.4,19876,1100\n",
        options: "--symbol AAPL --timeframe 1h",
        ..PLAIN
    },
    Preset {
        name: "polygon",
        format: FileFormat::Polygon,
        about: "Flat files: Unix nanoseconds, every symbol of a day.",
        signature: &["window start", "transactions"],
        sample: "ticker,volume,open,close,high,low,window_start,transactions\n\
                 AAPL,4930,200.29,200.5,200.63,200.29,1736260200000000000,129\n\
                 AAPL,1815,200.39,200.34,200.61,200.34,1736260260000000000,57\n\
                 MSFT,1930,420.29,420.5,420.63,420.29,1736260200000000000,129\n",
        options: "--symbol AAPL --timeframe 1m",
        ..PLAIN
    },
    Preset {
        name: "databento",
        format: FileFormat::Databento,
        about: "Unix nanoseconds, prices times one billion unless they are printed with a \
                 point.",
        signature: &["ts event", "rtype", "publisher id"],
        price_divisor: 1e9,
        sample: "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume\n\
                 1704205800000000000,34,1,118,185250000000,186500000000,184750000000,186125000000,\
                 3512\n\
                 1704209400000000000,34,1,118,186125000000,187000000000,186000000000,186500000000,\
                 2911\n",
        options: "--symbol AAPL --timeframe 1h",
        ..PLAIN
    },
    Preset {
        name: "stooq",
        format: FileFormat::Stooq,
        about: "Date and time in two columns, names in angle brackets; the short form has \
                 Polish names.",
        signature: &["ticker", "per", "date", "time"],
        columns: TWO_TIMES,
        sample: "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n\
                 AAPL.US,5,20240102,153500,187.0,187.5,186.9,187.2,10000,0\n\
                 AAPL.US,5,20240102,154000,187.2,187.6,187.0,187.4,11000,0\n",
        options: "--symbol AAPL --timeframe 5m --zone Europe/Warsaw",
        ..PLAIN
    },
    Preset {
        name: "kraken",
        format: FileFormat::Kraken,
        about: "OHLCVT without header, Unix seconds.",
        sample: "1704067200,42314.0,42603.2,42289.6,42503.5,7.91,930\n\
                 1704070800,42503.5,42832.0,42455.2,42666.0,10.16,1091\n",
        options: "--symbol crypto:BTCUSD --timeframe 1h",
        ..PLAIN
    },
    Preset {
        name: "coinbase",
        format: FileFormat::Coinbase,
        about: "Candles of the API: low and high stand before open.",
        columns: LOW_FIRST,
        sample: "1704067200,42200,42600,42300,42500,10\n\
                 1704070800,42400,42700,42500,42600,10\n",
        options: "--format coinbase --symbol crypto:BTC-USD --timeframe 1h",
        ..PLAIN
    },
    Preset {
        name: "lean",
        format: FileFormat::Lean,
        about: "Prices of shares times ten thousand, without header.",
        price_divisor: 1e4,
        sample: "20131001 00:00,1460000,1462000,1458000,1461500,118000000\n\
                 20131002 00:00,1461500,1463000,1459000,1462500,108000000\n",
        options: "--format lean --symbol SPY --timeframe 1d",
        ..PLAIN
    },
    Preset {
        name: "freqtrade",
        format: FileFormat::Freqtrade,
        about: "Candles written as CSV: times with +00:00.",
        zone: Some("UTC"),
        sample: "date,open,high,low,close,volume\n\
                 2024-01-01 00:00:00+00:00,42314.0,42603.2,42289.6,42503.5,7.91\n\
                 2024-01-01 01:00:00+00:00,42503.5,42832.0,42455.2,42666.0,10.16\n",
        options: "--symbol crypto:BTCUSDT --timeframe 1h",
        ..PLAIN
    },
];

impl FileFormat {
    /// The format of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        let preset = PRESETS
            .iter()
            .find(|preset| preset.name.eq_ignore_ascii_case(name));
        preset.map(|preset| preset.format)
    }

    /// What is known of it.
    pub fn preset(self) -> &'static Preset {
        const FIRST: &Preset = &PRESETS[0];
        PRESETS
            .iter()
            .find(|preset| preset.format == self)
            .unwrap_or(FIRST)
    }
}

impl Preset {
    /// The format whose names a header has.
    pub(super) fn of_header(plain_names: &[String]) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| {
            let mut signature = preset.signature.iter();
            !preset.signature.is_empty()
                && signature.all(|name| plain_names.iter().any(|plain| plain == name))
        })
    }

    /// The place of a role among the prices and the volume of a file without header.
    pub(super) fn order_of(&self, role: Role) -> Option<usize> {
        let has_number = |each: &&Role| Role::PRICES.contains(each) || **each == Role::Volume;
        let mut numbers = self.columns.iter().filter(has_number);
        numbers.position(|each| *each == role)
    }
}
