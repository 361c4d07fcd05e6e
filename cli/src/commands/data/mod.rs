//! `ktrdr data`: load bars with a fetcher; look at, check and import bars without any service.

mod import;
mod result;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use market::{Bars, Instrument, Timeframe, Utc};
use schemas::commands::{FetchBars, FetchMode};
use schemas::requests::DataLoad;
use serde_json::json;
use store::{RawBars, SeriesSnapshot, Store, Table};

use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::arguments::{FetchModeArg, RangeArgs, RunArgs, join_names, series_requests};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::{no_stored_bars, open_store, series_key};
use crate::watch::start;
use import::{FileArgs, ImportArgs};

pub(crate) use result::describe_load;

/// `ktrdr data`.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The command.
    #[command(subcommand)]
    command: DataCommand,
}

/// `ktrdr data …`.
#[derive(Debug, Subcommand)]
enum DataCommand {
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

/// `ktrdr data load`.
#[derive(Debug, Args)]
struct LoadArgs {
    /// Symbols, as in EURUSD AAPL crypto:BTC/USD
    #[arg(required = true, value_parser = parse_instrument)]
    pub(crate) symbols: Vec<Instrument>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, short, default_value = "1d", value_delimiter = ',', value_parser = parse_timeframe)]
    pub(crate) timeframe: Vec<Timeframe>,
    /// Which part of the series
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) mode: FetchModeArg,
    /// Which bars.
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Whom to ask
    #[arg(long, default_value = "file")]
    pub(crate) provider: String,
    /// Ask again for what is stored; newer values replace stored ones
    #[arg(long)]
    pub(crate) refetch: bool,
    /// How to run it.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// One stored series.
#[derive(Clone, Debug, Args)]
struct SeriesArgs {
    /// Symbol, as in EURUSD
    #[arg(value_parser = parse_instrument)]
    pub(crate) symbol: Instrument,
    /// Length of a bar
    #[arg(long, short, default_value = "1d", value_parser = parse_timeframe)]
    pub(crate) timeframe: Timeframe,
    /// Provider it came from
    #[arg(long, default_value = "file")]
    pub(crate) provider: String,
}

/// `ktrdr data show`.
#[derive(Clone, Debug, Args)]
struct ShowArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// How many bars, counted from the end
    #[arg(long, short, default_value_t = 10)]
    pub(crate) rows: usize,
    /// Which bars.
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Write all bars of the range to a .csv or .parquet file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) async fn run(args: &DataArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        DataCommand::Load(args) => load(args, context).await,
        DataCommand::Import(args) => import::import(args, context).await,
        DataCommand::Check(args) => import::check(args, context),
        DataCommand::List => list(context).await,
        DataCommand::Show(args) => show(args, context).await,
        DataCommand::Range(args) => range(args, context).await,
    }
}

async fn load(args: &LoadArgs, context: &Context) -> Result<Exit, Failure> {
    let names = join_names(args.symbols.iter().map(Instrument::symbol));
    let timeframes = join_names(args.timeframe.iter().map(ToString::to_string));
    let fetch = FetchBars {
        provider: args.provider.clone(),
        series: series_requests(&args.symbols, &args.timeframe),
        mode: args.mode.into(),
        start: args.range.start,
        end: args.range.end,
        refetch: args.refetch,
    };
    let mode = FetchMode::from(args.mode).as_str().to_owned();
    let labels = [("symbol", names), ("timeframe", timeframes), ("mode", mode)];
    let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    start(context, DataLoad { fetch, labels }.operation(), &args.run).await
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
            .note(&format!("nothing is stored in {}", context.store_url()?));
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

async fn stored(args: &SeriesArgs, store: &Store) -> Result<SeriesSnapshot, Failure> {
    let key = series_key(&args.provider, &args.symbol, args.timeframe)?;
    store
        .series()
        .snapshot(&key, None)
        .await?
        .ok_or_else(|| no_stored_bars(&args.symbol, args.timeframe))
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
