//! `ktrdr strategies features`: the columns of a strategy, and their values over bars of files, a
//! row a base bar.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use store::{Cells, Table};
use strategies::{Columns, Resolved, compute_columns};

use super::coverage::holes_of;
use super::meaning;
use crate::console::{Exit, Failure, write_table};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::inputs::strategy_files::load_strategy;

/// `ktrdr strategies features`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FeaturesArgs {
    /// Its name, or a .yaml file
    pub(crate) strategy: String,
    /// Compute the columns over these bars, as in EURUSD:1h=bars.csv or EURUSD_1h.csv; once for
    /// each symbol and timeframe
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse)]
    pub(crate) bars: Vec<NamedFile>,
    /// Where to: a .csv, .csv.gz or .parquet file, or - for CSV on standard output
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "-",
        requires = "bars"
    )]
    pub(crate) out: PathBuf,
    /// How times are read.
    #[command(flatten)]
    pub(crate) times: TimeArgs,
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) fn run(args: &FeaturesArgs, context: &Context) -> Result<Exit, Failure> {
    let resolved = load_strategy(&args.strategy, context)?.resolved;
    if args.bars.is_empty() {
        list(&resolved, context);
        return Ok(Exit::Done);
    }
    let symbols = read_symbols(
        &args.bars,
        &resolved.timeframes,
        &args.times,
        &context.working_directory,
    )?;
    holes_of(&resolved, &symbols)?
        .iter()
        .for_each(|hole| context.output.note(&hole.to_string()));
    let mut computed = Vec::new();
    for (symbol, bars) in symbols {
        computed.push((
            symbol,
            compute_columns(&resolved, &bars, &mut |_, _| ControlFlow::Continue(()))?,
        ));
    }
    let rows = computed
        .iter()
        .map(|(_, columns)| columns.open_time.len())
        .sum();
    write_table(
        &table(&resolved, &computed),
        &args.out,
        &context.working_directory,
        rows,
        resolved.features.len(),
        &context.output,
    )
}

/// The columns, numbered as the network sees them.
pub(crate) fn list(resolved: &Resolved, context: &Context) {
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

/// `timestamp` and the columns, with `symbol` before them where there are several, symbol after
/// symbol.
fn table(resolved: &Resolved, computed: &[(String, Columns)]) -> Table {
    let mut table = Table::default();
    if computed.len() > 1 {
        let symbols = computed
            .iter()
            .flat_map(|(name, columns)| columns.open_time.iter().map(|_| name.clone()));
        table = table.with("symbol", Cells::Text(symbols.collect()));
    }
    let times = computed
        .iter()
        .flat_map(|(_, columns)| columns.open_time.iter().map(|open| open.0));
    table = table.with("timestamp", Cells::Time(times.collect()));
    for (position, feature) in resolved.features.iter().enumerate() {
        let values = computed
            .iter()
            .flat_map(|(_, columns)| columns.values.get(position).into_iter().flatten());
        table = table.with(
            feature.name.clone(),
            Cells::Number(values.copied().collect()),
        );
    }
    table
}
