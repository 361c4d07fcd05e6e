//! `ktrdr data list`, `show` and `range`: the series in the store.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use market::{Bars, Instrument, Session, Timeframe, Utc};
use schemas::codes;
use schemas::manifests::Removal;
use serde_json::{Value, json};
use store::{RawBars, SeriesSnapshot, Store, Table, keep_rows};

use super::trading_hours::bars_in_hours;
use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::arguments::{HoursArgs, OutFile, RangeArgs};
use crate::console::{Exit, Failure, count_of, path_json, time_or_blank};
use crate::context::Context;
use crate::inputs::object_places::print_places;
use crate::inputs::stored_series::{
    no_stored_bars, open_existing_store, series_key, with_calendar,
};

const SERIES_HEADS: [&str; 7] = [
    "SYMBOL",
    "TIMEFRAME",
    "PROVIDER",
    "BARS",
    "FIRST",
    "LAST",
    "REVISION",
];
/// Provider of bars that were imported.
const DEFAULT_PROVIDER: &str = "file";

const BAR_HEADS: [&str; 7] = [
    "TIMESTAMP",
    "OPEN",
    "HIGH",
    "LOW",
    "CLOSE",
    "VOLUME",
    "KNOWN AT",
];

/// One stored series.
#[derive(Clone, Debug, Args)]
pub(super) struct SeriesArgs {
    /// Symbol, as in EURUSD
    #[arg(value_parser = parse_instrument)]
    pub(super) symbol: Instrument,
    /// Length of a bar
    #[arg(long, short, default_value = "1d", value_parser = parse_timeframe)]
    pub(super) timeframe: Timeframe,
    /// Provider that the bars came from
    #[arg(long, default_value = DEFAULT_PROVIDER)]
    pub(super) provider: String,
    /// Calendar of the series, if it was stored with another one than that of its instrument
    #[arg(long, value_name = "NAME")]
    pub(super) calendar: Option<String>,
}

impl SeriesArgs {
    /// `EURUSD 1h`: the series in a line for people.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.symbol.symbol(), self.timeframe)
    }

    /// The arguments that name this series, for a command to type.
    pub(super) fn words(&self) -> String {
        let mut words = format!("{} --timeframe {}", self.symbol.id(), self.timeframe);
        if self.provider != DEFAULT_PROVIDER {
            words = format!("{words} --provider {}", self.provider);
        }
        if let Some(calendar) = &self.calendar {
            words = format!("{words} --calendar {calendar}");
        }
        words
    }
}

/// `ktrdr data list`.
#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Symbols to list; without one all
    #[arg(value_parser = parse_instrument)]
    symbols: Vec<Instrument>,
    /// Timeframes to list, as in 1h,1d; without one all
    #[arg(long, short, value_delimiter = ',', value_parser = parse_timeframe)]
    timeframe: Vec<Timeframe>,
    /// Provider to list; without it all
    #[arg(long)]
    provider: Option<String>,
}

impl ListArgs {
    fn accepts(&self, series: &SeriesSnapshot) -> bool {
        let key = &series.key;
        let provider = self.provider.as_deref();

        (self.symbols.is_empty() || self.symbols.contains(&key.instrument))
            && (self.timeframe.is_empty() || self.timeframe.contains(&key.timeframe))
            && provider.is_none_or(|provider| provider == key.provider())
    }
}

/// `ktrdr data show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// The series to show.
    #[command(flatten)]
    series: SeriesArgs,
    /// Number of bars to show, counted from the end
    #[arg(long, short, default_value_t = 10)]
    rows: usize,
    /// The range of bars.
    #[command(flatten)]
    range: RangeArgs,
    /// The hours of the bars.
    #[command(flatten)]
    hours: HoursArgs,
    /// Write all bars of the range to a .csv or .parquet file
    #[arg(long, value_name = "FILE", value_parser = OutFile::file_parser())]
    out: Option<PathBuf>,
}

/// How much of a series is stored.
struct Extent {
    bars: u64,
    /// Label of the first bar.
    first: Option<Utc>,
    /// Label of the last bar.
    last: Option<Utc>,
}

/// Lists the stored series that the arguments name; without any, every one.
///
/// # Errors
/// The store cannot be read, or no series fits the arguments.
pub(super) async fn list(args: &ListArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let mut all = open_existing_store(context).await?.series().list().await?;

    // A series whose bars were all deleted goes on as a chain of revisions.
    all.retain(|series| series.manifest.rows() > 0);

    // A store without a series is a normal beginning, not a failure.
    if all.is_empty() {
        output.note(&format!("nothing is stored in {}", context.store_url()?));
        output.note("hint: `ktrdr data import FILE --yes` or `ktrdr data load SYMBOL` stores bars");
        return Ok(Exit::Done);
    }

    all.retain(|series| args.accepts(series));
    if all.is_empty() {
        let message = "no stored series has this symbol, timeframe and provider";
        return Err(Failure::new(Exit::NotFound, codes::DATA_NOT_FOUND, message)
            .with_hint("`ktrdr data list` shows what is stored"));
    }

    let mut rows = Vec::with_capacity(all.len());
    for series in &all {
        output.json(&series_json(series));
        rows.push(series_row(series));
    }
    output.table(&SERIES_HEADS, &rows);
    Ok(Exit::Done)
}

/// Prints where the files of a series lie.
///
/// # Errors
/// Nothing is stored.
pub(super) async fn show_path(args: &SeriesArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let series = find_series(args, &store, context).await?;
    print_places(&series.file_keys(), context)?;
    Ok(Exit::Done)
}

/// Shows the first and the last time of a series.
pub(super) async fn show_range(args: &SeriesArgs, context: &Context) -> Result<Exit, Failure> {
    let series = find_series(args, &open_existing_store(context).await?, context).await?;
    let extent = extent_of(&series);

    context.output.json(&series_json(&series));
    context.output.line(&format!(
        "{} {}: {} bars, {} to {}",
        args.symbol.symbol(),
        args.timeframe,
        extent.bars,
        time_or_blank(extent.first),
        time_or_blank(extent.last)
    ));
    Ok(Exit::Done)
}

/// Shows the last bars of a series, or writes those of the range to a file.
pub(super) async fn show(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let series = find_series(&args.series, &store, context).await?;
    let range = args.range.times();
    if let Some(file) = &args.out {
        let bars = read_bars(&series, range, args.hours, &store).await?;
        return export(&bars, file, context);
    }

    let mut bars = store.series().bars(&series, range).await?;
    if let Some(hours) = args.hours.session() {
        bars = leave_hours(bars, &series, hours);
    }
    if bars.is_empty() {
        note_empty_range(&series, context);
    }
    let first = bars.len().saturating_sub(args.rows);
    let mut rows = Vec::new();
    for row in first..bars.len() {
        context.output.json(&bar_json(&bars, row));
        rows.push(bar_row(&bars, row));
    }
    context.output.table(&BAR_HEADS, &rows);
    note_removal(&series, context);
    Ok(Exit::Done)
}

/// The bars of a range, with `hours` only those that lie in them, as they were stored: an export
/// that is imported again gives the same series.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn read_bars(
    series: &SeriesSnapshot,
    range: Range<Utc>,
    hours: HoursArgs,
    store: &Store,
) -> Result<RawBars, Failure> {
    let Some(hours) = hours.session() else {
        return Ok(store.series().raw_bars(series, range).await?);
    };
    let bars = store.series().bars(series, range).await?;
    Ok(leave_hours(bars, series, hours).into())
}

/// The bars that lie in these hours.
fn leave_hours(bars: Bars, series: &SeriesSnapshot, hours: Session) -> Bars {
    let rows = bars_in_hours(&bars, &series.key, hours);
    let mut close_time = bars.close_time.clone();
    keep_rows(&mut close_time, &rows);

    let mut raw = RawBars::from(bars);
    raw.keep_rows(&rows);
    raw.with_close_times(close_time)
}

/// An empty table says nothing about where the bars are.
fn note_empty_range(series: &SeriesSnapshot, context: &Context) {
    let extent = extent_of(series);
    context.output.note(&format!(
        "no bars in this range; stored are {} to {}",
        time_or_blank(extent.first),
        time_or_blank(extent.last)
    ));
}

pub(super) fn export(bars: &RawBars, file: &Path, context: &Context) -> Result<Exit, Failure> {
    Table::bars(bars).write(&context.working_directory.join(file))?;

    let count = bars.len();
    context
        .output
        .json(&json!({"type": "export", "file": path_json(file), "bars": count}));
    context.output.line(&format!(
        "{} written to {}",
        count_of(count, "bar"),
        file.display()
    ));
    Ok(Exit::Done)
}

/// The series that the arguments name.
///
/// # Errors
/// The store cannot be read, or holds no bars of it.
pub(super) async fn find_series(
    args: &SeriesArgs,
    store: &Store,
    context: &Context,
) -> Result<SeriesSnapshot, Failure> {
    let key = series_key(&args.provider, &args.symbol, args.timeframe)?;
    let key = with_calendar(key, args.calendar.as_deref())?;
    let newest = store.series().snapshot(&key, None).await?;
    if let Some(loss) = newest.as_ref().and_then(SeriesSnapshot::describe_loss) {
        let code = codes::STORE_MANIFEST_LOST;
        context.output.note(&format!("warning: {loss} ({code})"));
    }

    // A series whose bars were all deleted still has revisions.
    match newest {
        Some(series) if series.manifest.rows() > 0 => Ok(series),
        Some(series) if series.manifest.deletion.is_some() => {
            let hint = format!("`ktrdr data undelete {}` brings them back", args.words());
            let message = format!("the bars of {} were deleted", args.name());
            Err(Failure::new(Exit::NotFound, codes::DATA_NOT_FOUND, message).with_hint(hint))
        }
        _ => Err(no_stored_bars(store, &args.symbol, args.timeframe).await),
    }
}

fn extent_of(series: &SeriesSnapshot) -> Extent {
    let files = &series.manifest.files;
    Extent {
        bars: files.iter().map(|file| file.rows).sum(),
        first: files.iter().map(|file| Utc(file.first)).min(),
        last: files.iter().map(|file| Utc(file.last)).max(),
    }
}

fn series_row(series: &SeriesSnapshot) -> Vec<String> {
    let extent = extent_of(series);
    vec![
        series.key.instrument.symbol(),
        series.key.timeframe.to_string(),
        series.key.provider().to_owned(),
        extent.bars.to_string(),
        time_or_blank(extent.first),
        time_or_blank(extent.last),
        series.manifest.revision.to_string(),
    ]
}

fn series_json(series: &SeriesSnapshot) -> Value {
    let extent = extent_of(series);

    json!({
        "type": "series",
        "series": series.key.prefix(),
        "symbol": series.key.instrument.id(),
        "timeframe": series.key.timeframe.to_string(),
        "provider": series.key.provider(),
        "bars": extent.bars,
        "first": extent.first.map(|time| time.to_string()),
        "last": extent.last.map(|time| time.to_string()),
        "revision": series.manifest.revision,
        "content_sha256": series.content_sha256(),
        "removal": series.manifest.removal.as_ref().map(removal_json),
    })
}

fn removal_json(removal: &Removal) -> Value {
    json!({
        "by": removal.by,
        "at": Utc(removal.at).to_string(),
        "revision": removal.revision,
        "is_undone": removal.is_undone,
    })
}

/// `bars were deleted by ann at …, revision 2`.
fn note_removal(series: &SeriesSnapshot, context: &Context) {
    let Some(removal) = &series.manifest.removal else {
        return;
    };
    let what = match removal.is_undone {
        true => "deleted bars were brought back",
        false => "bars were deleted",
    };

    context.output.note(&format!(
        "{what} by {} at {}, revision {}",
        removal.by,
        Utc(removal.at),
        removal.revision
    ));
}

fn bar_row(bars: &Bars, row: usize) -> Vec<String> {
    vec![
        time_at(&bars.open_time, row),
        price_text(&bars.open, row),
        price_text(&bars.high, row),
        price_text(&bars.low, row),
        price_text(&bars.close, row),
        price_text(&bars.volume, row),
        time_at(&bars.close_time, row),
    ]
}

fn bar_json(bars: &Bars, row: usize) -> Value {
    json!({
        "type": "bar",
        "timestamp": time_at(&bars.open_time, row),
        "known_at": time_at(&bars.close_time, row),
        "open": number_at(&bars.open, row),
        "high": number_at(&bars.high, row),
        "low": number_at(&bars.low, row),
        "close": number_at(&bars.close, row),
        "volume": number_at(&bars.volume, row),
    })
}

/// The value of a row; none where it is missing.
fn number_at(column: &[f64], row: usize) -> Option<f64> {
    column.get(row).copied().filter(|value| value.is_finite())
}

fn price_text(column: &[f64], row: usize) -> String {
    number_at(column, row).map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn time_at(column: &[Utc], row: usize) -> String {
    time_or_blank(column.get(row).copied())
}
