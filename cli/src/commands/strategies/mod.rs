//! `ktrdr strategies`: list, show, check, start a new one, its feature columns and its folds; needs
//! neither server nor store.

mod coverage;
mod features;
mod folds;
mod validate;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use strategies::fuzzy::describe_set;
use strategies::indicators::Indicator;
use strategies::{
    Feature, FeatureKind, FuzzySet, InputSource, OutputRef, Resolved, STARTER, Scaling, Strategy,
};

use crate::console::{Exit, Failure, print_pairs};
use crate::context::Context;
use crate::inputs::strategy_files::{
    LoadedStrategy, VARIABLE, describe_split, list_strategies, load_strategy, parse_and_resolve,
};
use features::FeaturesArgs;
use folds::FoldsArgs;
use validate::{ValidateArgs, verdict};

/// `ktrdr strategies`.
#[derive(Debug, Args)]
pub(crate) struct StrategiesArgs {
    /// The command.
    #[command(subcommand)]
    command: StrategiesCommand,
}

/// `ktrdr strategies …`.
#[derive(Debug, Subcommand)]
enum StrategiesCommand {
    /// List the strategies of the catalogue and of $KTRDR_STRATEGIES
    List,
    /// Show what a strategy computes, learns and trains
    Show {
        /// Its name, or a .yaml file
        strategy: String,
    },
    /// Check strategies and list every finding; exit code 2 when one of them cannot be used
    Validate(ValidateArgs),
    /// List the feature columns, or compute them over bars of files
    Features(FeaturesArgs),
    /// List the dates of walk-forward folds, each a training with a test on the time after it
    Folds(FoldsArgs),
    /// Write a commented strategy to start from
    New {
        /// Its name: a-z, 0-9, _ and -; the file is called NAME.yaml
        name: String,
    },
    /// Print the grammar as a JSON Schema, for editors
    Schema,
    /// List the rules that findings name, and why they are
    Rules,
}

/// Runs the command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) async fn run(args: &StrategiesArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        StrategiesCommand::List => Ok(list(context)),
        StrategiesCommand::Show { strategy } => show(strategy, context),
        StrategiesCommand::Validate(args) => validate::run(args, context),
        StrategiesCommand::Features(args) => features::run(args, context),
        StrategiesCommand::Folds(args) => folds::run(args, context),
        StrategiesCommand::New { name } => new(name, context),
        StrategiesCommand::Schema => Ok(print_schema(context)),
        StrategiesCommand::Rules => Ok(list_rules(context)),
    }
}

fn list(context: &Context) -> Exit {
    let mut rows = Vec::new();
    for (name, path) in list_strategies(context) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        match parse_and_resolve(&text) {
            Ok((strategy, resolved)) => {
                context.output.json(&summary(&path, &strategy, &resolved));
                rows.push(vec![
                    name,
                    words(resolved.symbols.iter().map(market::Instrument::symbol)),
                    words(strategy.data.timeframes.iter()),
                    resolved.features.len().to_string(),
                    resolved.labels.name().to_owned(),
                    strategy.description.unwrap_or_default(),
                ]);
            }
            Err(findings) => {
                context.output.json(&verdict(&path, &findings, true));
                let broken = format!("broken: `ktrdr strategies validate {name}` tells why");
                rows.push(vec![
                    name,
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                    broken,
                ]);
            }
        }
    }
    if rows.is_empty() {
        context.output.note(&format!(
            "there is no strategy in the catalogue and none in ${VARIABLE}"
        ));
        context
            .output
            .note("hint: `ktrdr strategies new NAME` writes one to start from");
    } else {
        context.output.table_with_remarks(
            &[
                "NAME",
                "SYMBOLS",
                "TIMEFRAMES",
                "COLUMNS",
                "LABELS",
                "DESCRIPTION",
            ],
            &rows,
        );
    }
    Exit::Done
}

fn words<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(",")
}

fn summary(path: &Path, strategy: &Strategy, resolved: &Resolved) -> Value {
    let columns = resolved.feature_columns();
    json!({
        "type": "strategy",
        "name": strategy.name,
        "version": strategy.version,
        "description": strategy.description,
        "file": path,
        "symbols": resolved.symbols.iter().map(market::Instrument::id).collect::<Vec<_>>(),
        "timeframes": resolved.timeframes,
        "base": resolved.base,
        "start": resolved.start.map(|time| time.to_string()),
        "end": resolved.end.map(|time| time.to_string()),
        "fuzzy_sets": fuzzy_sets(strategy),
        "features": columns.iter().map(|column| &column.name).collect::<Vec<_>>(),
        "labels": resolved.labels,
        "parameters": resolved.network(columns).parameter_count(),
        "settings": resolved.settings,
        "seed": resolved.seed,
        "warnings": strategy.warnings,
    })
}

fn show(name: &str, context: &Context) -> Result<Exit, Failure> {
    let LoadedStrategy {
        path,
        strategy,
        resolved,
    } = load_strategy(name, context)?;
    let output = &context.output;
    output.json(&summary(&path, &strategy, &resolved));
    let network = resolved.network(resolved.feature_columns());
    let time = |time: Option<market::Utc>, open: &str| {
        time.map_or_else(|| open.to_owned(), |time| time.to_string())
    };
    let widths: Vec<String> = network.widths().iter().map(ToString::to_string).collect();
    let mut lines = vec![
        (
            "strategy",
            format!("{}, version {}", strategy.name, strategy.version),
        ),
        ("file", path.display().to_string()),
        (
            "description",
            strategy.description.clone().unwrap_or_default(),
        ),
        (
            "symbols",
            words(resolved.symbols.iter().map(market::Instrument::symbol)),
        ),
        (
            "timeframes",
            format!(
                "{}; a row a {} bar",
                words(resolved.timeframes.iter()),
                resolved.base
            ),
        ),
        (
            "dates",
            format!(
                "{} to {}",
                time(resolved.start, "the first bar"),
                time(resolved.end, "the last bar")
            ),
        ),
        ("warm-up", format!("{} bars", resolved.warm_up_bars())),
        ("labels", labels(&resolved)),
        (
            "network",
            format!(
                "{}, {} parameters",
                widths.join(" → "),
                network.parameter_count()
            ),
        ),
        ("parts", describe_split(&resolved.split)),
    ];
    let settings = &resolved.settings;
    lines.push((
        "training",
        format!(
            "{} epochs, batches of {}, learning rate {}, seed {}",
            settings.epochs, settings.batch_size, settings.learning_rate, resolved.seed
        ),
    ));
    let lines: Vec<(String, String)> = lines
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    print_pairs(output, &lines);
    if output.json {
        features::list(&resolved, context);
    } else {
        list_inputs(&strategy, context);
        output.note(&format!(
            "hint: `ktrdr strategies features {name}` lists every column with its number"
        ));
    }
    strategy
        .warnings
        .iter()
        .for_each(|warning| output.note(&warning.to_string()));
    Ok(Exit::Done)
}

/// Every fuzzy set as a sentence, by its id.
fn fuzzy_sets(strategy: &Strategy) -> Value {
    let told = |set: &FuzzySet| {
        (
            set.id.clone(),
            Value::from(describe_set(&subject(strategy, set.of), &set.members)),
        )
    };
    Value::Object(strategy.fuzzy_sets.iter().map(told).collect())
}

/// What the network sees: every fuzzy set as a sentence, every raw output with its scaling.
fn list_inputs(strategy: &Strategy, context: &Context) {
    let mut rows = Vec::new();
    for input in &strategy.inputs {
        let (name, meaning) = match &input.source {
            InputSource::Fuzzy(set) => {
                let Some(set) = strategy.fuzzy_sets.get(*set) else {
                    continue;
                };
                (
                    set.id.clone(),
                    describe_set(&subject(strategy, set.of), &set.members),
                )
            }
            InputSource::Raw {
                reference,
                of,
                scaling,
            } => (
                reference.clone(),
                format!("{}.", scaled(&subject(strategy, *of), *scaling)),
            ),
        };
        let timeframes = input
            .timeframes
            .as_ref()
            .unwrap_or(&strategy.data.timeframes);
        let lags: Vec<String> = input.lags.iter().map(ToString::to_string).collect();
        let meaning = match lags.as_slice() {
            [] => meaning,
            [one] if one == "1" => format!("{meaning} Also 1 bar ago."),
            several => format!("{meaning} Also {} bars ago.", several.join(", ")),
        };
        rows.push(vec![name, words(timeframes.iter()), meaning]);
    }
    context
        .output
        .table(&["INPUT", "TIMEFRAMES", "MEANING"], &rows);
}

/// `adx_14.adx`, or the id alone where there is one output.
fn subject(strategy: &Strategy, of: OutputRef) -> String {
    let named = strategy.indicators.get(of.indicator);
    named.map_or_else(
        || "?".to_owned(),
        |named| output_name(&named.id, &named.indicator, of.output),
    )
}

fn output_name(id: &str, indicator: &Indicator, output: usize) -> String {
    indicator
        .spec()
        .outputs
        .get(output)
        .map_or_else(|| id.to_owned(), |output| format!("{id}.{output}"))
}

fn scaled(of: &str, scaling: Option<Scaling>) -> String {
    match serde_json::to_value(scaling) {
        Ok(Value::String(scaling)) => format!("{of}, scaled by {scaling}"),
        _ => of.to_owned(),
    }
}

/// The label source with its parameters: `triple_barrier (pt_multiplier 3.0, …)`.
fn labels(resolved: &Resolved) -> String {
    let parameters = match serde_json::to_value(resolved.labels) {
        Ok(Value::Object(keys)) => keys,
        _ => serde_json::Map::new(),
    };
    let shown: Vec<String> = parameters
        .iter()
        .filter(|(key, _)| *key != "source")
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    let classes = match resolved.labels.classes() {
        [] => "a number".to_owned(),
        names => names.join(", "),
    };
    format!(
        "{} ({}): {classes}",
        resolved.labels.name(),
        shown.join(", ")
    )
}

fn new(name: &str, context: &Context) -> Result<Exit, Failure> {
    let text = STARTER
        .replacen("name: eurusd_rsi_macd", &format!("name: {name}"), 1)
        .replace(
            "validate eurusd_rsi_macd`",
            &format!("validate {name}.yaml`"),
        );
    parse_and_resolve(&text)?;
    let file = PathBuf::from(format!("{name}.yaml"));
    let path = context.working_directory.join(&file);
    let created = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path);
    let written =
        created.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| {
        let (exit, hint) = if error.kind() == std::io::ErrorKind::AlreadyExists {
            (
                Exit::Refused,
                "choose another name, or remove the file first; nothing was changed",
            )
        } else {
            (Exit::Failed, "the working folder must be writable")
        };
        let message = format!("cannot write {}", file.display());
        Failure {
            causes: vec![error.to_string()],
            ..Failure::new(exit, "STRATEGY-NotWritten", message)
        }
        .with_hint(hint)
    })?;
    context
        .output
        .json(&json!({"type": "strategy", "name": name, "file": path}));
    context.output.line(&format!("wrote {}", file.display()));
    context.output.note(&format!(
        "hint: edit it, then `ktrdr strategies validate {}`",
        file.display()
    ));
    Ok(Exit::Done)
}

/// One line with `--json`, laid out for reading otherwise.
fn print_schema(context: &Context) -> Exit {
    let schema = strategies::schema();
    context.output.json(&schema);
    context
        .output
        .line(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    Exit::Done
}

fn list_rules(context: &Context) -> Exit {
    let rows: Vec<Vec<String>> = strategies::rules()
        .iter()
        .map(|rule| {
            context.output.json(
                &json!({"type": "rule", "id": rule.id, "refuses": rule.refuses, "why": rule.why}),
            );
            [rule.id, rule.refuses, rule.why].map(str::to_owned).into()
        })
        .collect();
    context.output.table(&["RULE", "REFUSES", "WHY"], &rows);
    Exit::Done
}

/// What a column shows, in a few words: `rsi_14 is low: full up to 20, falls to 0 at 40`.
pub(crate) fn meaning(resolved: &Resolved, feature: &Feature) -> String {
    let planned = resolved.indicators.get(feature.indicator);
    let of = planned.map_or_else(
        || "?".to_owned(),
        |it| output_name(&it.id, &it.indicator, feature.output),
    );
    let of = if feature.lag == 0 {
        of
    } else {
        format!("{of}, {} bars ago", feature.lag)
    };
    match &feature.kind {
        FeatureKind::Membership { function, .. } => format!("{of}: {}", function.describe()),
        FeatureKind::Raw { scaling } => scaled(&of, *scaling),
    }
}
