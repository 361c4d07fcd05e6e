//! `ktrdr data repair`: a repaired copy of bars, and the list of everything that it changes.

use std::path::{Path, PathBuf};

use clap::Args;
use market::Calendar;
use quality::{Change, Method, RepairLimits, Repaired, repair};
use schemas::codes;
use serde_json::{Value, json};
use store::{Cells, Table};

use super::judged_file::FUTURE_COLUMN;
use super::subject::{Subject, SubjectArgs};
use crate::arguments::OutFile;
use crate::console::{Exit, Failure, count_of, write_table};
use crate::context::Context;

const CHANGE_HEADS: [&str; 5] = ["TIME", "FIELD", "OLD", "NEW", "METHOD"];

/// `ktrdr data repair`.
#[derive(Clone, Debug, Args)]
pub(super) struct RepairArgs {
    /// The bars to repair.
    #[command(flatten)]
    subject: SubjectArgs,
    /// What is done: drop, ffill, bfill, interpolate, zero, winsorise, widen or rescale
    #[arg(long, value_parser = parse_method)]
    method: Method,
    /// Show the changes and write nothing
    #[arg(long, required_unless_present = "out", conflicts_with = "out")]
    dry_run: bool,
    /// Write the repaired bars to a file; its ending says the format: .csv, .csv.gz, .parquet,
    /// .arrow or .feather
    #[arg(long, value_name = "FILE", value_parser = OutFile::file_parser())]
    out: Option<PathBuf>,
    /// Most bars in a row that are filled
    #[arg(long, value_name = "BARS", default_value_t = RepairLimits::default().max_fill)]
    max_fill: usize,
    /// Refuse methods that use later bars, because a model is to be trained on the result
    #[arg(long)]
    training: bool,
}

fn parse_method(text: &str) -> Result<Method, String> {
    let methods = Method::ALL.into_iter();
    let method = methods.clone().find(|method| method.as_str() == text);
    method.ok_or_else(|| {
        let names: Vec<&str> = methods.map(Method::as_str).collect();
        format!("the methods are {}", names.join(", "))
    })
}

/// Shows what a repair changes, and writes the repaired bars with `--out`.
///
/// # Errors
/// The bars cannot be read, a training must not see what the method makes, or the file cannot be
/// written.
pub(super) async fn run(args: &RepairArgs, context: &Context) -> Result<Exit, Failure> {
    // Refused before anything is read: nothing about the bars can change the answer.
    if args.training && args.method.uses_future() {
        return Err(refuse_future(args.method));
    }
    let subject = Subject::read(&args.subject, context).await?;
    if let Some(out) = &args.out {
        refuse_input(out, args, context)?;
    }

    let limits = RepairLimits {
        max_fill: args.max_fill,
        ..RepairLimits::default()
    };
    let calendar = Calendar::for_key(&subject.key);
    let repaired = repair(
        &subject.bars,
        &subject.key,
        calendar,
        &subject.options(),
        args.method,
        limits,
    );
    show_changes(&repaired, args.method, context);

    match &args.out {
        Some(out) => write_repaired(&repaired, args.method, out, context),
        None => Ok(Exit::Done),
    }
}

fn refuse_future(method: Method) -> Failure {
    let message = format!("`{method}` takes values from later bars, which nobody knew at the time");
    Failure::new(Exit::Usage, codes::DATA_LOOKS_AHEAD, message)
        .with_hint("use --method ffill or drop for bars that a model is trained on")
}

/// The given bars stay as they are: a repaired copy never takes their place.
fn refuse_input(out: &Path, args: &RepairArgs, context: &Context) -> Result<(), Failure> {
    let folder = &context.working_directory;
    let output = OutFile::File(out.to_owned());
    let inputs = [args.subject.file.file.as_path()];
    if output.replaced_input(inputs, folder).is_none() {
        return Ok(());
    }

    let message = format!("{} is the file to repair", out.display());
    Err(Failure::new(Exit::Usage, codes::DATA_INVALID_FILE, message)
        .with_hint("write to another file: the given bars stay as they are"))
}

fn show_changes(repaired: &Repaired, method: Method, context: &Context) {
    let output = &context.output;
    let mut rows = Vec::with_capacity(repaired.changes.len());
    for change in &repaired.changes {
        output.json(&change_json(change));
        rows.push(change_row(change));
    }
    if !rows.is_empty() {
        output.table(&CHANGE_HEADS, &rows);
    }

    // Bars that were made up have their own count: no market has seen their values.
    let count = repaired.changes.len();
    let made = repaired.synthetic.iter().filter(|made| **made).count();
    output.json(&json!({
        "type": "repair",
        "method": method,
        "changes": count,
        "bars": repaired.bars.len(),
        "synthetic": made,
        "uses_future": method.uses_future(),
    }));
    output.line(&format!(
        "{} by {method}; {} in the view, {made} of them made",
        count_of(count, "change"),
        count_of(repaired.bars.len(), "bar")
    ));
    if method.uses_future() {
        output.note("this method uses later bars: do not train on its result");
    }
}

fn change_json(change: &Change) -> Value {
    json!({
        "type": "change",
        "timestamp": change.timestamp.to_string(),
        "field": change.field,
        "old": change.old,
        "new": change.new,
        "method": change.method,
    })
}

fn change_row(change: &Change) -> Vec<String> {
    let number =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
    let field = serde_json::to_value(change.field).unwrap_or_default();
    vec![
        change.timestamp.to_string(),
        field.as_str().unwrap_or_default().to_owned(),
        number(change.old),
        number(change.new),
        change.method.to_string(),
    ]
}

/// Writes the view, with a column that names the method at each bar that it changed.
fn write_repaired(
    repaired: &Repaired,
    method: Method,
    out: &Path,
    context: &Context,
) -> Result<Exit, Failure> {
    let mut columns = columns_of(repaired);

    // A reader of the file must see that it looks ahead: import refuses this column.
    let name = if method.uses_future() {
        FUTURE_COLUMN
    } else {
        "repaired"
    };
    columns.push((name, Cells::Text(marks_of(repaired, method))));

    let count = columns.len();
    let table = columns
        .into_iter()
        .fold(Table::default(), |table, (name, cells)| {
            table.with(name, cells)
        });
    let folder = &context.working_directory;
    let rows = repaired.bars.len();
    let out = OutFile::File(out.to_owned());
    write_table(&table, &out, folder, rows, count, &context.output)
}

/// Times, prices and volume, and the columns of dividends and splits that there are.
fn columns_of(repaired: &Repaired) -> Vec<(&'static str, Cells)> {
    let bars = &repaired.bars;
    let actions = &repaired.actions;
    let times = bars.open_time.iter().map(|time| time.0).collect();
    let mut columns = vec![("timestamp", Cells::Time(times))];

    // A column that the input lacked is empty, and must not become a column of blanks.
    for (name, values) in [
        ("open", &bars.open),
        ("high", &bars.high),
        ("low", &bars.low),
        ("close", &bars.close),
        ("volume", &bars.volume),
        ("adj_close", &actions.adjusted_close),
        ("dividends", &actions.dividends),
        ("stock_splits", &actions.splits),
        ("capital_gains", &actions.capital_gains),
    ] {
        if values.len() == bars.len() {
            columns.push((name, Cells::Number(values.clone())));
        }
    }
    columns
}

/// The method at each bar that was changed, and nothing at the others.
fn marks_of(repaired: &Repaired, method: Method) -> Vec<String> {
    let mut marks = Vec::with_capacity(repaired.bars.len());
    for time in &repaired.bars.open_time {
        let place = repaired
            .changes
            .binary_search_by_key(time, |change| change.timestamp);
        let mark = place.map_or_else(|_| String::new(), |_| method.to_string());
        marks.push(mark);
    }
    marks
}
