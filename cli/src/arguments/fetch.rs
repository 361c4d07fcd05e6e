//! Which bars a command asks a provider for: the part of a series, and every symbol in every
//! timeframe.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use market::{Calendar, Instrument, Session, Timeframe};
use schemas::commands::{FetchMode, SeriesRequest};

use super::values::{parse_end, parse_instant, parse_instrument, parse_timeframe};

/// Longest list of symbols or timeframes in a label, in characters.
const LABEL_CHARS_MAX: usize = 60;

/// Which part of a series is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FetchModeArg {
    /// Nothing: only the stored bars are used
    Local,
    /// Bars after the last stored one; of an empty series the last 30 days
    #[default]
    Tail,
    /// Bars before the first stored one
    Backfill,
    /// Every missing bar: before, between and after the stored ones
    Full,
}

/// The bars that a command fetches, or plans to fetch.
#[derive(Clone, Debug, Args)]
pub(crate) struct FetchArgs {
    /// Symbols, as in EURUSD AAPL crypto:BTC/USD
    #[arg(
        value_name = "SYMBOL",
        required_unless_present = "symbols_from",
        value_parser = parse_instrument
    )]
    pub(crate) symbols: Vec<Instrument>,
    /// File with more symbols, one a line; a `#` begins a remark
    #[arg(long, value_name = "FILE")]
    pub(crate) symbols_from: Option<PathBuf>,
    /// Length of a bar: minutes, hours, days, weeks or a month, as in 5m, 4h, 1d, 1w, 1mo
    #[arg(
        long,
        short,
        default_value = "1d",
        value_delimiter = ',',
        value_parser = parse_timeframe
    )]
    pub(crate) timeframe: Vec<Timeframe>,
    /// Part of the series to fetch
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) mode: FetchModeArg,
    /// Start instead of that of the mode: a date or an instant, included
    #[arg(long, value_name = "WHEN", value_parser = parse_instant)]
    pub(crate) start: Option<Timestamp>,
    /// End instead of that of the mode: a date, included, or an instant, excluded
    #[arg(long, value_name = "WHEN", value_parser = parse_end)]
    pub(crate) end: Option<Timestamp>,
    /// Provider to ask
    #[arg(long, default_value = "file")]
    pub(crate) provider: String,
    /// Calendar by which the symbols trade, if not that of their exchange; see `ktrdr calendars
    /// list`
    #[arg(long, value_name = "NAME")]
    pub(crate) calendar: Option<String>,
    /// Only bars of regular trading hours (the default)
    #[arg(long, conflicts_with = "include_extended")]
    pub(crate) trading_hours: bool,
    /// Also bars of the hours before and after, of each symbol whose market has them: they are a
    /// series of their own
    #[arg(long, conflicts_with = "calendar")]
    pub(crate) include_extended: bool,
    /// Fetch stored bars again; newer values replace stored ones
    #[arg(long)]
    pub(crate) refetch: bool,
}

impl FetchArgs {
    /// The calendar of the bars of a symbol, where it is not the usual one of its instrument.
    pub(crate) fn calendar_of(&self, symbol: &Instrument) -> Option<String> {
        if !self.include_extended {
            return self.calendar.clone();
        }

        let calendar = Calendar::named(symbol.calendar_name())?;
        let extended = calendar.with_hours(Session::Extended);
        calendar
            .has_extended_hours()
            .then(|| extended.name().to_owned())
    }
}

impl From<FetchModeArg> for FetchMode {
    fn from(mode: FetchModeArg) -> Self {
        match mode {
            FetchModeArg::Local => Self::Local,
            FetchModeArg::Tail => Self::Tail,
            FetchModeArg::Backfill => Self::Backfill,
            FetchModeArg::Full => Self::Full,
        }
    }
}

/// Every symbol in every timeframe.
pub(crate) fn series_requests(
    symbols: &[Instrument],
    timeframes: &[Timeframe],
) -> Vec<SeriesRequest> {
    let mut requests = Vec::with_capacity(symbols.len() * timeframes.len());
    for symbol in symbols {
        for timeframe in timeframes {
            requests.push(SeriesRequest {
                symbol: symbol.id(),
                timeframe: timeframe.to_string(),
            });
        }
    }

    requests
}

/// `EURUSD, GBPUSD` for a label, cut after 60 characters: a label is for people who look for an
/// operation.
pub(crate) fn join_names(names: impl Iterator<Item = String>) -> String {
    let text = names.collect::<Vec<_>>().join(", ");
    match text.char_indices().nth(LABEL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_is_asked_for_in_every_timeframe() {
        let symbols = ["EURUSD", "AAPL"].map(|text| Instrument::parse(text).unwrap());

        let requests = series_requests(&symbols, &[Timeframe::HOUR_1, Timeframe::DAY_1]);

        let texts: Vec<String> = requests
            .iter()
            .map(|each| format!("{} {}", each.symbol, each.timeframe))
            .collect();
        assert_eq!(
            texts,
            [
                "fx:EUR.USD 1h",
                "fx:EUR.USD 1d",
                "stk:AAPL 1h",
                "stk:AAPL 1d"
            ]
        );
    }

    #[test]
    fn a_long_list_of_symbols_makes_a_short_label() {
        let label = join_names((0..100).map(|index| format!("SYM{index}")));

        assert_eq!(label.chars().count(), LABEL_CHARS_MAX + 1);
        assert!(label.starts_with("SYM0, SYM1, ") && label.ends_with('…'));
    }
}
