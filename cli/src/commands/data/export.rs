//! `ktrdr data export`: stored bars for other programs, as one table or as a file for each symbol.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use market::{Instrument, Timeframe};
use schemas::codes;
use serde_json::json;
use store::{RawBars, Store, Table};

use super::stored::{SeriesArgs, find_series, read_bars};
use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::arguments::{HoursArgs, OutFile, RangeArgs};
use crate::console::{Exit, Failure, count_of, path_json, standard_output};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

/// `ktrdr data export`.
#[derive(Clone, Debug, Args)]
pub(super) struct ExportArgs {
    /// Symbols, as in EURUSD AAPL; several make one table with a column `symbol`
    #[arg(required = true, value_parser = parse_instrument)]
    symbols: Vec<Instrument>,
    /// Length of a bar
    #[arg(long, short, default_value = "1d", value_parser = parse_timeframe)]
    timeframe: Timeframe,
    /// Provider that the bars came from
    #[arg(long, default_value = "file")]
    provider: String,
    /// Calendar by which the bars trade, if it was named when they were stored
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// The range of bars.
    #[command(flatten)]
    range: RangeArgs,
    /// The hours of the bars.
    #[command(flatten)]
    hours: HoursArgs,
    /// Output: a .csv, .csv.gz, .parquet or .arrow file, - for CSV on standard output, or a folder
    /// that exists, which gets a file for each symbol
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Format of the files in a folder
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,
}

/// Format of the files in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Parquet, compressed by column
    #[default]
    Parquet,
    /// Comma-separated text with a header
    Csv,
    /// Arrow IPC, which Feather is, too
    Arrow,
}

impl ExportFormat {
    const fn ending(self) -> &'static str {
        match self {
            Self::Parquet => ".parquet",
            Self::Csv => ".csv",
            Self::Arrow => ".arrow",
        }
    }
}

/// The stored bars of one symbol in the range.
struct SymbolBars<'a> {
    symbol: &'a Instrument,
    bars: RawBars,
}

/// Writes the bars of all symbols.
///
/// # Errors
/// A symbol is not stored, or the output cannot be written.
pub(super) async fn run(args: &ExportArgs, context: &Context) -> Result<Exit, Failure> {
    let path = context.working_directory.join(&args.out);
    let is_folder = path.is_dir();
    let out = if is_folder {
        None
    } else {
        Some(OutFile::of(args.out.clone()).map_err(|form| refused_output(&args.out, &form))?)
    };

    // All are read before anything is written: a symbol that is missing leaves no half of an
    // export.
    let store = open_existing_store(context).await?;
    let mut symbols = Vec::with_capacity(args.symbols.len());
    for symbol in &args.symbols {
        let bars = read_symbol(symbol, args, &store, context).await?;
        symbols.push(SymbolBars { symbol, bars });
    }

    match out {
        None => write_files(&symbols, args, &path, context)?,
        Some(OutFile::Standard) => standard_output::write_bytes(&table_of(&symbols).to_csv()?),
        Some(OutFile::File(file)) => {
            table_of(&symbols).write(&path)?;
            let rows = symbols.iter().map(|each| each.bars.len()).sum();
            report_file(&file, rows, context);
        }
    }
    Ok(Exit::Done)
}

fn refused_output(out: &Path, form: &str) -> Failure {
    let message = format!("cannot export to {}: {form}", out.display());
    Failure::new(Exit::Usage, codes::DATA_OUTPUT, message)
        .with_hint("give --out such a name, `-`, or a folder that exists")
}

async fn read_symbol(
    symbol: &Instrument,
    args: &ExportArgs,
    store: &Store,
    context: &Context,
) -> Result<RawBars, Failure> {
    let named = SeriesArgs {
        symbol: symbol.clone(),
        timeframe: args.timeframe,
        provider: args.provider.clone(),
        calendar: args.calendar.clone(),
    };

    let series = find_series(&named, store, context).await?;
    read_bars(&series, args.range.times(), args.hours, store).await
}

/// One table: the bars of one symbol as they are imported again, or those of several, symbol after
/// symbol.
fn table_of(symbols: &[SymbolBars<'_>]) -> Table {
    if let [one] = symbols {
        return Table::bars(&one.bars);
    }

    let mut names = Vec::new();
    let mut bars = RawBars::default();
    for each in symbols {
        names.extend(std::iter::repeat_n(each.symbol.symbol(), each.bars.len()));
        bars.extend(&each.bars);
    }
    Table::bars_of_symbols(names, &bars)
}

/// A file for each symbol, under the name by which it is found again.
fn write_files(
    symbols: &[SymbolBars<'_>],
    args: &ExportArgs,
    folder: &Path,
    context: &Context,
) -> Result<(), Failure> {
    for each in symbols {
        let token = each.symbol.token();
        let name = format!("{token}_{}{}", args.timeframe, args.format.ending());
        Table::bars(&each.bars).write(&folder.join(&name))?;
        report_file(&args.out.join(name), each.bars.len(), context);
    }
    Ok(())
}

fn report_file(file: &Path, bars: usize, context: &Context) {
    let report = json!({"type": "export", "file": path_json(file), "bars": bars});
    context.output.json(&report);
    context.output.line(&format!(
        "{} written to {}",
        count_of(bars, "bar"),
        file.display()
    ));
}
