//! `ktrdr strategies features`: the columns of a strategy, and their values over bars in files, one
//! row per base bar.

use std::ops::ControlFlow;

use clap::Args;
use serde_json::json;
use store::{Cells, Table};
use strategies::{Columns, Resolved, SymbolBars, compute_columns};

use super::coverage::find_symbol_holes;
use super::meaning::feature_meaning;
use crate::arguments::OutFile;
use crate::console::{Exit, Failure, remarks_beside, require_other_file, write_table};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::inputs::strategy_files::load_strategy;

/// `ktrdr strategies features`.
#[derive(Clone, Debug, Args)]
pub(super) struct FeaturesArgs {
    /// Name of the strategy, or a .yaml file
    strategy: String,
    /// File of bars to compute the columns over, as in EURUSD:1h=bars.csv or EURUSD_1h.csv; one for
    /// each symbol and timeframe
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse)]
    bars: Vec<NamedFile>,
    /// Output: a .csv, .csv.gz or .parquet file, or - for CSV on standard output
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "-",
        requires = "bars",
        value_parser = OutFile::parser()
    )]
    out: OutFile,
    /// How the times of the files are read.
    #[command(flatten)]
    times: TimeArgs,
}

/// The columns of one symbol.
struct SymbolColumns<'a> {
    symbol: &'a str,
    columns: Columns<'a>,
}

/// Lists the columns, or computes them where there are bars.
///
/// # Errors
/// The strategy or the bars cannot be used, or the output cannot be written.
pub(super) fn run(args: &FeaturesArgs, context: &Context) -> Result<Exit, Failure> {
    let resolved = load_strategy(&args.strategy, context)?.resolved;
    if args.bars.is_empty() {
        list_columns(&resolved, context);
        return Ok(Exit::Done);
    }

    let folder = &context.working_directory;
    let files = args.bars.iter().map(|named| named.file.as_path());
    require_other_file(&args.out, files, folder)?;
    let symbols = read_symbols(
        &args.bars,
        &resolved.timeframes,
        &args.times,
        folder,
        &remarks_beside(&args.out, &context.output),
    )?;

    // A hole is worth a warning; the columns can be computed nevertheless.
    for hole in find_symbol_holes(&resolved, &symbols)? {
        context.output.note(&hole.to_string());
    }

    let computed = compute_symbols(&resolved, &symbols)?;
    let rows = computed
        .iter()
        .map(|each| each.columns.open_time.len())
        .sum();
    write_table(
        &feature_table(&resolved, &computed),
        &args.out,
        folder,
        rows,
        resolved.features.len(),
        &context.output,
    )
}

fn compute_symbols<'a>(
    resolved: &Resolved,
    symbols: &'a [(String, SymbolBars)],
) -> Result<Vec<SymbolColumns<'a>>, Failure> {
    let mut computed = Vec::with_capacity(symbols.len());
    for (symbol, bars) in symbols {
        let columns = compute_columns(resolved, bars, &mut |_, _| ControlFlow::Continue(()))?;
        computed.push(SymbolColumns { symbol, columns });
    }
    Ok(computed)
}

/// Lists the columns, numbered as the network sees them.
pub(super) fn list_columns(resolved: &Resolved, context: &Context) {
    let mut rows = Vec::new();
    for (position, feature) in resolved.features.iter().enumerate() {
        let meaning = feature_meaning(resolved, feature);
        context.output.json(&json!({
            "type": "feature",
            "position": position,
            "name": feature.name,
            "timeframe": feature.timeframe,
            "meaning": meaning,
        }));
        rows.push(vec![position.to_string(), feature.name.clone(), meaning]);
    }

    context.output.table(&["COLUMN", "NAME", "MEANING"], &rows);
}

/// `timestamp` and the columns, symbol after symbol; `symbol` is a column of its own where there
/// are several.
fn feature_table(resolved: &Resolved, computed: &[SymbolColumns<'_>]) -> Table {
    let mut table = Table::default();
    if computed.len() > 1 {
        let mut names = Vec::new();
        for each in computed {
            let rows = each.columns.open_time.len();
            names.extend(std::iter::repeat_n(each.symbol.to_owned(), rows));
        }
        table = table.with("symbol", Cells::Text(names));
    }

    // Every column goes through the symbols in the same order, so that the rows match.
    let times = computed
        .iter()
        .flat_map(|each| each.columns.open_time.iter().map(|open| open.0));
    table = table.with("timestamp", Cells::Time(times.collect()));

    for (position, feature) in resolved.features.iter().enumerate() {
        let values = computed
            .iter()
            .flat_map(|each| each.columns.values.get(position).into_iter().flatten());
        let column = Cells::Number(values.copied().collect());
        table = table.with(feature.name.clone(), column);
    }
    table
}
