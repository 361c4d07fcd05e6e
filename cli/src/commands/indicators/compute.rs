//! `ktrdr indicators compute`: the values of indicators over the bars of a file, one row per bar.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use market::{Bars, Instrument, Timeframe};
use schemas::codes;
use store::{Cells, Table};
use strategies::{Expression, column_names};

use crate::arguments::OutFile;
use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::console::{Exit, Failure, remarks_beside, require_other_file, write_table};
use crate::context::Context;
use crate::inputs::bar_files::{TimeArgs, read_any};

/// `ktrdr indicators compute`.
#[derive(Clone, Debug, Args)]
pub(super) struct ComputeArgs {
    /// File of bars: .csv, .csv.gz or .parquet
    #[arg(long, value_name = "FILE")]
    bars: PathBuf,
    /// Indicator to compute, as in 'rsi(period=14)'; may be repeated
    #[arg(
        long = "indicator",
        short = 'i',
        value_name = "EXPRESSION",
        required = true,
        value_parser = parse_expression
    )]
    indicators: Vec<Expression>,
    /// Output: a .csv, .csv.gz or .parquet file, or - for CSV on standard output
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "-",
        value_parser = OutFile::parser()
    )]
    out: OutFile,
    /// Symbol, if the name of the file does not contain it
    #[arg(long, value_parser = parse_instrument)]
    symbol: Option<Instrument>,
    /// Length of a bar, if neither the name of the file nor its times show it
    #[arg(long, short, value_parser = parse_timeframe)]
    timeframe: Option<Timeframe>,
    /// How the times of the file are read.
    #[command(flatten)]
    times: TimeArgs,
}

/// The values of all expressions.
struct ComputedTable {
    table: Table,
    /// Columns of values, without the times.
    columns: usize,
}

/// An indicator with parameters, as people write it.
fn parse_expression(text: &str) -> Result<Expression, String> {
    Expression::parse(text).map_err(|error| {
        let cause = match error.source() {
            Some(cause) => format!(": {cause}"),
            None => String::new(),
        };
        format!("{error}{cause}; {}", error.hint())
    })
}

/// Computes the indicators and writes them.
///
/// # Errors
/// The bars cannot be read, an indicator refuses them, or the output cannot be written.
pub(super) fn run(args: &ComputeArgs, context: &Context) -> Result<Exit, Failure> {
    // The output is checked first: a write over the input would destroy the bars.
    let folder = &context.working_directory;
    let file: &Path = &args.bars;
    require_other_file(&args.out, [file], folder)?;
    let bars = read_any(
        file,
        args.symbol.as_ref(),
        args.timeframe,
        &args.times,
        folder,
        &remarks_beside(&args.out, &context.output),
    )?;
    let computed = compute_table(&args.indicators, &bars)?;

    write_table(
        &computed.table,
        &args.out,
        folder,
        bars.len(),
        computed.columns,
        &context.output,
    )
}

fn compute_table(expressions: &[Expression], bars: &Bars) -> Result<ComputedTable, Failure> {
    // Names that repeat are refused before anything is computed.
    let names = column_names(expressions).map_err(|error| {
        Failure::of(Exit::Usage, codes::INDICATOR_TWICE, &error).with_hint(error.hint())
    })?;
    let times = bars.open_time.iter().map(|open| open.0).collect();
    let mut table = Table::default().with("timestamp", Cells::Time(times));
    let mut columns = 0;

    for (expression, names) in expressions.iter().zip(names) {
        let outputs = expression.indicator.compute(bars).map_err(|error| {
            Failure::of(Exit::Failed, codes::INDICATOR_INPUT, &error).with_hint(error.hint())
        })?;
        for (name, values) in names.into_iter().zip(outputs) {
            table = table.with(name, Cells::Number(values));
            columns += 1;
        }
    }
    Ok(ComputedTable { table, columns })
}
