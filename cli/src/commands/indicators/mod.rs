//! `ktrdr indicators`: what types there are, and their values over the bars of a file; needs
//! neither server nor store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use market::{Bars, Instrument, Timeframe};
use serde_json::{Value, json};
use store::{Cells, Table};
use strategies::indicators::{
    Indicator, IndicatorSpec, LabelOnlySpec, ParameterKind, ParameterSpec, find, find_label_only,
    label_only, nearest_name, specs,
};
use strategies::{Expression, column_names};

use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::console::{Exit, Failure, print_pairs, write_table};
use crate::context::Context;
use crate::inputs::bar_files::{TimeArgs, read_any};

/// `ktrdr indicators`.
#[derive(Debug, Args)]
pub(crate) struct IndicatorsArgs {
    /// The command.
    #[command(subcommand)]
    command: IndicatorsCommand,
}

/// `ktrdr indicators …`.
#[derive(Debug, Subcommand)]
enum IndicatorsCommand {
    /// List every indicator type
    List,
    /// Show one type: parameters, outputs, formula
    Describe {
        /// The type, as in rsi
        name: String,
    },
    /// Compute indicators over the bars of a file, a row a bar
    Compute(ComputeArgs),
}

/// `ktrdr indicators compute`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ComputeArgs {
    /// The bars: .csv, .csv.gz or .parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) bars: PathBuf,
    /// What to compute, as in 'rsi(period=14)'; may be repeated
    #[arg(long = "indicator", short = 'i', value_name = "EXPRESSION", required = true, value_parser = expression)]
    pub(crate) indicators: Vec<Expression>,
    /// Where to: a .csv, .csv.gz or .parquet file, or - for CSV on standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
    /// Symbol, where the name of the file does not say it
    #[arg(long, value_parser = parse_instrument)]
    pub(crate) symbol: Option<Instrument>,
    /// Length of a bar, where neither the name of the file nor its times say it
    #[arg(long, short, value_parser = parse_timeframe)]
    pub(crate) timeframe: Option<Timeframe>,
    /// How times are read.
    #[command(flatten)]
    pub(crate) times: TimeArgs,
}

/// An indicator with parameters, as one writes it.
fn expression(text: &str) -> Result<Expression, String> {
    Expression::parse(text).map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        format!("{error}{cause}; {}", error.hint())
    })
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) async fn run(args: &IndicatorsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        IndicatorsCommand::List => list(context),
        IndicatorsCommand::Describe { name } => return describe(name, context),
        IndicatorsCommand::Compute(args) => return compute(args, context),
    }
    Ok(Exit::Done)
}

fn list(context: &Context) {
    specs()
        .iter()
        .for_each(|spec| context.output.json(&spec_json(spec)));
    label_only()
        .iter()
        .for_each(|spec| context.output.json(&label_only_json(spec)));
    let written = |parameters: &[ParameterSpec]| {
        parameters
            .iter()
            .map(|each| format!("{}={}", each.name, default(each.kind)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let row = |spec: &IndicatorSpec| {
        let volume = if spec.needs_volume { "volume" } else { "" };
        vec![
            spec.name.to_owned(),
            volume.to_owned(),
            written(spec.parameters),
            spec.outputs.join(" "),
        ]
    };
    let label = |spec: &LabelOnlySpec| {
        vec![
            spec.name.to_owned(),
            String::new(),
            written(spec.parameters),
            "labels only".to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = specs()
        .iter()
        .map(row)
        .chain(label_only().iter().map(label))
        .collect();
    context
        .output
        .table_with_remarks(&["TYPE", "NEEDS", "PARAMETERS", "OUTPUTS"], &rows);
    context
        .output
        .note("hint: `ktrdr indicators describe TYPE` shows bounds and the formula");
}

fn describe(name: &str, context: &Context) -> Result<Exit, Failure> {
    if let Some(spec) = find(name) {
        describe_indicator(spec, context);
        return Ok(Exit::Done);
    }
    if let Some(spec) = find_label_only(name) {
        describe_label_only(spec, context);
        return Ok(Exit::Done);
    }
    let hint = nearest_name(name).map_or_else(
        || "`ktrdr indicators list` shows every type".to_owned(),
        |nearest| format!("did you mean `{nearest}`? `ktrdr indicators list` shows every type"),
    );
    let message = format!("there is no indicator type `{name}`");
    Err(Failure::new(Exit::NotFound, "INDICATOR-NotFound", message).with_hint(hint))
}

fn describe_indicator(spec: &'static IndicatorSpec, context: &Context) {
    let output = &context.output;
    output.json(&spec_json(spec));
    output.line(spec.name);
    let mut lines = aliases(spec.aliases);
    let outputs = if spec.outputs.is_empty() {
        "one, without a name".to_owned()
    } else {
        spec.outputs.join(", ")
    };
    lines.push(("outputs".to_owned(), outputs));
    lines.push((
        "volume".to_owned(),
        if spec.needs_volume {
            "needed"
        } else {
            "not needed"
        }
        .to_owned(),
    ));
    if let Some(bars) = usual_warm_up(spec) {
        let plural = if bars == 1 { "bar" } else { "bars" };
        lines.push((
            "warm-up".to_owned(),
            format!("{bars} {plural} with the parameters below"),
        ));
    }
    lines.extend(formula(spec.formula));
    lines.push(("source".to_owned(), spec.source.to_owned()));
    print_pairs(output, &lines);
    parameters(spec.parameters, context);
}

fn describe_label_only(spec: &LabelOnlySpec, context: &Context) {
    let output = &context.output;
    output.json(&label_only_json(spec));
    output.line(spec.name);
    let mut lines = aliases(spec.aliases);
    lines.push((
        "outputs".to_owned(),
        format!("labels only, as `source: {}` of training.labels", spec.name),
    ));
    lines.push(("no input".to_owned(), spec.reason.to_owned()));
    lines.extend(formula(spec.formula));
    lines.push(("source".to_owned(), spec.source.to_owned()));
    print_pairs(output, &lines);
    parameters(spec.parameters, context);
}

fn aliases(aliases: &[&str]) -> Vec<(String, String)> {
    if aliases.is_empty() {
        vec![]
    } else {
        vec![("also called".to_owned(), aliases.join(", "))]
    }
}

fn formula(text: &str) -> impl Iterator<Item = (String, String)> {
    let name = |index| {
        if index == 0 {
            "formula".to_owned()
        } else {
            String::new()
        }
    };
    text.lines()
        .enumerate()
        .map(move |(index, line)| (name(index), line.trim().to_owned()))
}

fn parameters(parameters: &[ParameterSpec], context: &Context) {
    if parameters.is_empty() {
        context.output.line("  it takes no parameters");
        return;
    }
    let row = |each: &ParameterSpec| {
        vec![
            format!("  {}", each.name),
            default(each.kind),
            each.kind.to_string(),
            each.description.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = parameters.iter().map(row).collect();
    context
        .output
        .table(&["  PARAMETER", "DEFAULT", "LEGAL", "MEANING"], &rows);
}

/// Bars until every output is defined, with the default parameters.
fn usual_warm_up(spec: &'static IndicatorSpec) -> Option<usize> {
    Indicator::new(spec, &BTreeMap::new())
        .ok()
        .map(|usual| usual.warm_up())
}

fn default(kind: ParameterKind) -> String {
    match kind {
        ParameterKind::Integer { default, .. } => default.to_string(),
        ParameterKind::Float { default, .. } => default.to_string(),
        ParameterKind::Boolean { default } => default.to_string(),
        ParameterKind::Choice { default, .. } => default.to_owned(),
    }
}

fn spec_json(spec: &'static IndicatorSpec) -> Value {
    json!({
        "type": "indicator",
        "name": spec.name,
        "aliases": spec.aliases,
        "outputs": spec.outputs,
        "needs_volume": spec.needs_volume,
        "warm_up": usual_warm_up(spec),
        "parameters": spec.parameters.iter().map(parameter_json).collect::<Vec<_>>(),
        "formula": spec.formula,
        "source": spec.source,
    })
}

/// `label_only` holds the reason, and is absent from types that have values.
fn label_only_json(spec: &LabelOnlySpec) -> Value {
    json!({
        "type": "indicator",
        "name": spec.name,
        "aliases": spec.aliases,
        "outputs": [],
        "label_only": spec.reason,
        "parameters": spec.parameters.iter().map(parameter_json).collect::<Vec<_>>(),
        "formula": spec.formula,
        "source": spec.source,
    })
}

fn parameter_json(parameter: &ParameterSpec) -> Value {
    let legal = match parameter.kind {
        ParameterKind::Integer { min, max, default } => {
            json!({"type": "integer", "min": min, "max": max, "default": default})
        }
        ParameterKind::Float {
            min,
            min_exclusive,
            max,
            max_exclusive,
            default,
        } => json!({
            "type": "number", "min": min, "min_exclusive": min_exclusive, "max": max, "max_exclusive": max_exclusive,
            "default": default,
        }),
        ParameterKind::Boolean { default } => json!({"type": "boolean", "default": default}),
        ParameterKind::Choice { options, default } => {
            json!({"type": "choice", "options": options, "default": default})
        }
    };
    json!({"name": parameter.name, "description": parameter.description, "legal": legal})
}

fn compute(args: &ComputeArgs, context: &Context) -> Result<Exit, Failure> {
    let folder = &context.working_directory;
    let bars = read_any(
        &args.bars,
        args.symbol.as_ref(),
        args.timeframe,
        &args.times,
        folder,
    )?;
    let table = computed(&args.indicators, &bars)?;
    write_table(
        &table.0,
        &args.out,
        folder,
        bars.len(),
        table.1,
        &context.output,
    )
}

/// The table of all expressions over the bars, and the number of its value columns.
fn computed(expressions: &[Expression], bars: &Bars) -> Result<(Table, usize), Failure> {
    let names = column_names(expressions).map_err(|error| {
        Failure::of(Exit::Usage, "INDICATOR-Twice", &error).with_hint(error.hint())
    })?;
    let times = bars.open_time.iter().map(|open| open.0).collect();
    let mut table = Table::default().with("timestamp", Cells::Time(times));
    let mut columns = 0;
    for (expression, names) in expressions.iter().zip(names) {
        let outputs = expression.indicator.compute(bars).map_err(|error| {
            Failure::of(Exit::Failed, "INDICATOR-Input", &error).with_hint(error.hint())
        })?;
        for (name, values) in names.into_iter().zip(outputs) {
            table = table.with(name, Cells::Number(values));
            columns += 1;
        }
    }
    Ok((table, columns))
}
