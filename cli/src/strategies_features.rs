//! `ktrdr strategies features`: the columns of a strategy, and their values over bars of files, a row a base bar.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use store::{Cells, Table};
use strategies::{Columns, Resolved, SymbolBars, columns, holes};

use crate::bar_files::{NamedFile, TimeArgs, read_series};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::indicators::write;
use crate::strategies::{load, meaning};

/// `ktrdr strategies features`.
#[derive(Clone, Debug, Args)]
pub struct FeaturesArgs {
    /// Its name, or a .yaml file
    pub strategy: String,
    /// Compute the columns over these bars, as in EURUSD:1h=bars.csv or EURUSD_1h.csv; once for each symbol and timeframe
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse)]
    pub bars: Vec<NamedFile>,
    /// Where to: a .csv, .csv.gz or .parquet file, or - for CSV on standard output
    #[arg(long, short, value_name = "FILE", default_value = "-", requires = "bars")]
    pub out: PathBuf,
    /// How times are read.
    #[command(flatten)]
    pub times: TimeArgs,
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub fn run(args: &FeaturesArgs, context: &Context) -> Result<Exit, Failure> {
    let (_, _, resolved) = load(&args.strategy, context)?;
    if args.bars.is_empty() {
        list(&resolved, context);
        return Ok(Exit::Done);
    }
    let symbols = symbols(&args.bars, &resolved)?;
    let mut computed = Vec::new();
    for files in symbols {
        let mut bars = SymbolBars::new();
        for file in &files {
            bars.insert(file.timeframe, read_series(file, &args.times, &context.working_directory)?);
        }
        for hole in &holes(&resolved, &bars)? {
            context.output.note(&hole.to_string());
        }
        let symbol = files.first().map(|file| file.symbol.symbol()).unwrap_or_default();
        computed.push((symbol, columns(&resolved, &bars, &mut |_, _| ControlFlow::Continue(()))?));
    }
    let rows = computed.iter().map(|(_, columns)| columns.open_time.len()).sum();
    write(&table(&resolved, &computed), &args.out, (rows, resolved.features.len()), context)
}

/// The columns, numbered as the network sees them.
pub fn list(resolved: &Resolved, context: &Context) {
    let mut rows = Vec::new();
    for (position, feature) in resolved.features.iter().enumerate() {
        let meaning = meaning(resolved, feature);
        let name = &feature.name;
        context.output.json(&json!({
            "type": "feature", "position": position, "name": name, "timeframe": feature.timeframe, "meaning": meaning,
        }));
        rows.push(vec![position.to_string(), name.clone(), meaning]);
    }
    context.output.table(&["COLUMN", "NAME", "MEANING"], &rows);
}

/// The files of each symbol, in the order given; each symbol with every timeframe that the strategy needs, each once.
fn symbols(files: &[NamedFile], resolved: &Resolved) -> Result<Vec<Vec<NamedFile>>, Failure> {
    let mut symbols: Vec<Vec<NamedFile>> = Vec::new();
    for file in files {
        let group = symbols.iter_mut().find(|group| group.iter().any(|other| other.symbol == file.symbol));
        match group {
            Some(group) if group.iter().any(|other| other.timeframe == file.timeframe) => {
                let (symbol, timeframe) = (file.symbol.symbol(), file.timeframe);
                let message = format!("--bars {symbol}:{timeframe} is given twice");
                return Err(Failure::new(Exit::Usage, "DATA-Twice", message).with_hint("give one file a series"));
            }
            Some(group) => group.push(file.clone()),
            None => symbols.push(vec![file.clone()]),
        }
    }
    for group in &symbols {
        let has = |timeframe: &&market::Timeframe| group.iter().any(|file| file.timeframe == **timeframe);
        if let (Some(first), Some(missing)) =
            (group.first(), resolved.timeframes.iter().find(|timeframe| !has(timeframe)))
        {
            let symbol = first.symbol.symbol();
            let message = format!("the strategy needs {missing} bars of {symbol}");
            return Err(Failure::new(Exit::Usage, "DATA-Missing", message)
                .with_hint(format!("add --bars {symbol}:{missing}=FILE")));
        }
    }
    Ok(symbols)
}

/// `timestamp` and the columns, with `symbol` before them where there are several, symbol after symbol.
fn table(resolved: &Resolved, computed: &[(String, Columns)]) -> Table {
    let mut table = Table::default();
    if computed.len() > 1 {
        let symbols = computed.iter().flat_map(|(name, columns)| columns.open_time.iter().map(|_| name.clone()));
        table = table.with("symbol", Cells::Text(symbols.collect()));
    }
    let times = computed.iter().flat_map(|(_, columns)| columns.open_time.iter().map(|open| open.0));
    table = table.with("timestamp", Cells::Time(times.collect()));
    for (position, feature) in resolved.features.iter().enumerate() {
        let values = computed.iter().flat_map(|(_, columns)| columns.values.get(position).into_iter().flatten());
        table = table.with(feature.name.clone(), Cells::Number(values.copied().collect()));
    }
    table
}
