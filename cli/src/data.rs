//! `ktrdr data`: load bars with a fetcher; look at, check and import bars without any service.

pub(crate) mod loaded;

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::{Bars, Instrument, SeriesKey, Timeframe, Utc};
use schemas::commands::{FetchBars, FetchMode, SeriesRequest};
use schemas::requests::DataLoad;
use serde_json::json;
use store::{ALL_TIME, RawBars, SeriesSnapshot, Store, Table};

use crate::args::RunArgs;
use crate::context::Context;
use crate::data_file::{self, FileArgs, ImportArgs};
use crate::exit::{Exit, Failure};
use crate::run as operation;

/// Most characters of a list of symbols in a label.
const LABEL_CHARS_MAX: usize = 60;

/// `ktrdr data …`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Fetch bars from a provider into the store
    Load(LoadArgs),
    /// Read bars from a file and show what importing them would do; --yes does it
    Import(ImportArgs),
    /// Judge the bars of a file; needs neither server nor store
    Check(FileArgs),
    /// List stored series
    List,
    /// Show the last bars of a series
    Show(ShowArgs),
    /// Show from when to when a series is stored
    Range(SeriesArgs),
}

/// Which part of a series is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The store only
    Local,
    /// After the last stored bar
    #[default]
    Tail,
    /// Before the first stored bar
    Backfill,
    /// Before, inside and after
    Full,
}

impl From<Mode> for FetchMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Local => Self::Local,
            Mode::Tail => Self::Tail,
            Mode::Backfill => Self::Backfill,
            Mode::Full => Self::Full,
        }
    }
}

/// `ktrdr data load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Symbols, as in EURUSD AAPL crypto:BTC/USD
    #[arg(required = true, value_parser = instrument)]
    pub symbols: Vec<Instrument>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, short, default_value = "1d", value_delimiter = ',', value_parser = timeframe)]
    pub timeframe: Vec<Timeframe>,
    /// Which part of the series
    #[arg(long, short, value_enum, default_value_t)]
    pub mode: Mode,
    /// Which bars.
    #[command(flatten)]
    pub range: RangeArgs,
    /// Whom to ask
    #[arg(long, default_value = "file")]
    pub provider: String,
    /// Ask again for what is stored; newer values replace stored ones
    #[arg(long)]
    pub refetch: bool,
    /// How to run it.
    #[command(flatten)]
    pub run: RunArgs,
}

/// A part of a series.
#[derive(Clone, Copy, Debug, Args)]
pub struct RangeArgs {
    /// From a date or an instant on; without it from the first bar
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    pub start: Option<Timestamp>,
    /// Last date, included; or an instant, excluded; without it to the last bar
    #[arg(long, value_name = "WHEN", value_parser = end)]
    pub end: Option<Timestamp>,
}

impl RangeArgs {
    /// All times where nothing was said.
    pub fn times(&self) -> Range<Utc> {
        let start = self.start.map_or(ALL_TIME.start, Utc::from_timestamp);
        start..self.end.map_or(ALL_TIME.end, Utc::from_timestamp)
    }
}

/// One stored series.
#[derive(Clone, Debug, Args)]
pub struct SeriesArgs {
    /// Symbol, as in EURUSD
    #[arg(value_parser = instrument)]
    pub symbol: Instrument,
    /// Length of a bar
    #[arg(long, short, default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Provider it came from
    #[arg(long, default_value = "file")]
    pub provider: String,
}

/// `ktrdr data show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Which.
    #[command(flatten)]
    pub series: SeriesArgs,
    /// How many bars, counted from the end
    #[arg(long, short, default_value_t = 10)]
    pub rows: usize,
    /// Which bars.
    #[command(flatten)]
    pub range: RangeArgs,
    /// Write all bars of the range to a .csv or .parquet file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// A symbol as people write it.
pub fn instrument(text: &str) -> Result<Instrument, String> {
    Instrument::parse(text).map_err(|error| format!("{error}; {}", error.hint()))
}

/// `1m` … `1w`.
pub fn timeframe(text: &str) -> Result<Timeframe, String> {
    text.parse()
        .map_err(|error: market::UnknownTimeframe| error.to_string())
}

/// A date (its midnight UTC) or an instant.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    let date = || {
        Some(
            text.parse::<jiff::civil::Date>()
                .ok()?
                .to_zoned(TimeZone::UTC)
                .ok()?
                .timestamp(),
        )
    };
    text.parse()
        .ok()
        .or_else(date)
        .ok_or_else(|| "expected 2024-01-31 or 2024-01-31T14:30:00Z".to_owned())
}

/// A date (the end of it) or an instant: exclusive either way.
pub fn end(text: &str) -> Result<Timestamp, String> {
    let is_date = text.parse::<Timestamp>().is_err();
    let day = jiff::SignedDuration::from_hours(if is_date { 24 } else { 0 });
    instant(text)?
        .checked_add(day)
        .map_err(|error| error.to_string())
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub async fn run(command: &DataCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        DataCommand::Load(args) => load(args, context).await,
        DataCommand::Import(args) => data_file::import(args, context).await,
        DataCommand::Check(args) => data_file::check(args, context),
        DataCommand::List => list(context).await,
        DataCommand::Show(args) => show(args, context).await,
        DataCommand::Range(args) => range(args, context).await,
    }
}

async fn load(args: &LoadArgs, context: &Context) -> Result<Exit, Failure> {
    let names = joined(args.symbols.iter().map(Instrument::symbol));
    let timeframes = joined(args.timeframe.iter().map(ToString::to_string));
    let fetch = FetchBars {
        provider: args.provider.clone(),
        series: series_of(&args.symbols, &args.timeframe),
        mode: args.mode.into(),
        start: args.range.start,
        end: args.range.end,
        refetch: args.refetch,
    };
    let mode = FetchMode::from(args.mode).as_str().to_owned();
    let labels = [("symbol", names), ("timeframe", timeframes), ("mode", mode)];
    let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    operation::start(
        context,
        DataLoad { fetch, labels }.operation(),
        &args.run,
        loaded::describe,
    )
    .await
}

/// Every symbol in every timeframe.
pub fn series_of(symbols: &[Instrument], timeframes: &[Timeframe]) -> Vec<SeriesRequest> {
    let each = symbols
        .iter()
        .flat_map(|symbol| timeframes.iter().map(move |timeframe| (symbol, timeframe)));
    each.map(|(symbol, timeframe)| SeriesRequest {
        symbol: symbol.id(),
        timeframe: timeframe.to_string(),
    })
    .collect()
}

/// `EURUSD, GBPUSD`, shortened where a label would grow too long.
pub fn joined(words: impl Iterator<Item = String>) -> String {
    let text = words.collect::<Vec<_>>().join(", ");
    match text.char_indices().nth(LABEL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Opens the object store of the context.
///
/// # Errors
/// It cannot be opened.
pub async fn open_store(context: &Context) -> Result<Store, Failure> {
    Store::open(&context.store_url())
        .await
        .map_err(Failure::from)
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let all = open_store(context).await?.series().list().await?;
    let rows: Vec<Vec<String>> = all.iter().map(series_row).collect();
    for series in &all {
        context.output.json(&series_json(series));
    }
    if all.is_empty() {
        context
            .output
            .note(&format!("nothing is stored in {}", context.store_url()));
        context
            .output
            .note("hint: `ktrdr data import FILE --yes` or `ktrdr data load SYMBOL` stores bars");
    } else {
        let heads = [
            "SYMBOL",
            "TIMEFRAME",
            "PROVIDER",
            "BARS",
            "FIRST",
            "LAST",
            "REVISION",
        ];
        context.output.table(&heads, &rows);
    }
    Ok(Exit::Done)
}

fn series_row(series: &SeriesSnapshot) -> Vec<String> {
    let (bars, first, last) = extent(series);
    let shown = |time: Option<Utc>| time.map(|time| time.to_string()).unwrap_or_default();
    vec![
        series.key.instrument.symbol(),
        series.key.timeframe.to_string(),
        series.key.provider().to_owned(),
        bars.to_string(),
        shown(first),
        shown(last),
        series.manifest.revision.to_string(),
    ]
}

/// Number of bars, label of the first and of the last.
fn extent(series: &SeriesSnapshot) -> (u64, Option<Utc>, Option<Utc>) {
    let files = &series.manifest.files;
    let first = files.iter().map(|file| Utc(file.first)).min();
    let last = files.iter().map(|file| Utc(file.last)).max();
    (files.iter().map(|file| file.rows).sum(), first, last)
}

fn series_json(series: &SeriesSnapshot) -> serde_json::Value {
    let (bars, first, last) = extent(series);
    json!({
        "type": "series",
        "series": series.key.prefix(),
        "symbol": series.key.instrument.id(),
        "timeframe": series.key.timeframe.to_string(),
        "provider": series.key.provider(),
        "bars": bars,
        "first": first.map(|time| time.to_string()),
        "last": last.map(|time| time.to_string()),
        "revision": series.manifest.revision,
        "content_sha256": series.content_sha256(),
    })
}

/// The key under which a provider's bars of a symbol stand.
///
/// # Errors
/// The provider's name cannot be part of a key.
pub fn key(
    provider: &str,
    instrument: &Instrument,
    timeframe: Timeframe,
) -> Result<SeriesKey, Failure> {
    SeriesKey::standard(provider, instrument.clone(), timeframe).map_err(|error| {
        Failure::of(Exit::Usage, "DATA-InvalidSeries", &error).with_hint(error.hint())
    })
}

async fn stored(args: &SeriesArgs, store: &Store) -> Result<SeriesSnapshot, Failure> {
    let key = key(&args.provider, &args.symbol, args.timeframe)?;
    store
        .series()
        .snapshot(&key, None)
        .await?
        .ok_or_else(|| no_data(&args.symbol, args.timeframe))
}

/// `No cached data found for AAPL (1h)`, with the way to get some.
pub fn no_data(symbol: &Instrument, timeframe: Timeframe) -> Failure {
    let name = symbol.symbol();
    Failure::new(
        Exit::NotFound,
        "DATA-NotFound",
        format!("No cached data found for {name} ({timeframe})"),
    )
    .with_hint(format!(
        "`ktrdr data load {name} --timeframe {timeframe} --mode full` fetches it"
    ))
}

async fn range(args: &SeriesArgs, context: &Context) -> Result<Exit, Failure> {
    let series = stored(args, &open_store(context).await?).await?;
    context.output.json(&series_json(&series));
    let (bars, first, last) = extent(&series);
    let shown = |time: Option<Utc>| time.map(|time| time.to_string()).unwrap_or_default();
    let line = format!(
        "{} {}: {bars} bars, {} to {}",
        args.symbol.symbol(),
        args.timeframe,
        shown(first),
        shown(last)
    );
    context.output.line(&line);
    Ok(Exit::Done)
}

async fn show(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store(context).await?;
    let series = stored(&args.series, &store).await?;
    if let Some(file) = &args.out {
        return export(
            &store.series().raw_bars(&series, args.range.times()).await?,
            file,
            context,
        );
    }
    let bars = store.series().bars(&series, args.range.times()).await?;
    let shown = bars.slice(bars.len().saturating_sub(args.rows)..bars.len());
    let rows: Vec<Vec<String>> = (0..shown.len()).map(|row| bar_row(&shown, row)).collect();
    for row in 0..shown.len() {
        context.output.json(&bar_json(&shown, row));
    }
    context.output.table(
        &[
            "OPENS",
            "OPEN",
            "HIGH",
            "LOW",
            "CLOSE",
            "VOLUME",
            "KNOWN FROM",
        ],
        &rows,
    );
    Ok(Exit::Done)
}

fn export(bars: &RawBars, file: &Path, context: &Context) -> Result<Exit, Failure> {
    Table::bars(bars).write(&context.working_directory.join(file))?;
    context
        .output
        .json(&json!({"type": "export", "file": file, "bars": bars.len()}));
    context.output.line(&format!(
        "{} bars written to {}",
        bars.len(),
        file.display()
    ));
    Ok(Exit::Done)
}

fn cell(column: &[f64], row: usize) -> Option<f64> {
    column.get(row).copied().filter(|value| value.is_finite())
}

fn time(column: &[Utc], row: usize) -> String {
    column.get(row).map(ToString::to_string).unwrap_or_default()
}

fn bar_row(bars: &Bars, row: usize) -> Vec<String> {
    let price = |column: &[f64]| {
        cell(column, row).map_or_else(|| "–".to_owned(), |value| value.to_string())
    };
    let [open, high, low, close] =
        [&bars.open, &bars.high, &bars.low, &bars.close].map(|column| price(column));
    vec![
        time(&bars.open_time, row),
        open,
        high,
        low,
        close,
        price(&bars.volume),
        time(&bars.close_time, row),
    ]
}

fn bar_json(bars: &Bars, row: usize) -> serde_json::Value {
    json!({
        "type": "bar",
        "open_time": time(&bars.open_time, row),
        "known_at": time(&bars.close_time, row),
        "open": cell(&bars.open, row),
        "high": cell(&bars.high, row),
        "low": cell(&bars.low, row),
        "close": cell(&bars.close, row),
        "volume": cell(&bars.volume, row),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_is_asked_for_in_every_timeframe() {
        let symbols = ["EURUSD", "AAPL"].map(|text| Instrument::parse(text).unwrap());
        let series = series_of(&symbols, &[Timeframe::Hour1, Timeframe::Day1]);
        let shown: Vec<String> = series
            .iter()
            .map(|each| format!("{} {}", each.symbol, each.timeframe))
            .collect();
        assert_eq!(
            shown,
            [
                "fx:EUR.USD 1h",
                "fx:EUR.USD 1d",
                "stk:AAPL 1h",
                "stk:AAPL 1d"
            ]
        );
    }

    #[test]
    fn a_date_begins_and_ends_at_midnight_in_utc() {
        assert_eq!(
            instant("2024-01-31").unwrap(),
            "2024-01-31T00:00:00Z".parse().unwrap()
        );
        assert_eq!(
            end("2024-01-31").unwrap(),
            "2024-02-01T00:00:00Z".parse().unwrap()
        );
        assert_eq!(
            end("2024-01-31T12:00:00Z").unwrap(),
            "2024-01-31T12:00:00Z".parse().unwrap()
        );
        assert!(instant("31.1.2024").is_err());
    }

    #[test]
    fn a_long_list_of_symbols_makes_a_short_label() {
        let label = joined((0..100).map(|index| format!("SYM{index}")));
        assert_eq!(label.chars().count(), LABEL_CHARS_MAX + 1);
        assert!(label.starts_with("SYM0, SYM1, ") && label.ends_with('…'));
    }
}
