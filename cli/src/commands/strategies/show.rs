//! `ktrdr strategies show`: what a strategy computes, learns and trains.

use std::collections::BTreeMap;

use clap::Args;
use market::{Instrument, Utc};
use serde_json::Value;
use strategies::{Resolved, Strategy};

use super::features::list_columns;
use super::list::strategy_json;
use super::meaning::input_meaning;
use crate::console::{Exit, Failure, count_of, describe_settings, join_with_commas, print_pairs};
use crate::context::Context;
use crate::inputs::models::describe_layers;
use crate::inputs::strategy_files::{LoadedStrategy, describe_split, load_strategy};

/// `ktrdr strategies show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// Name of the strategy, or a .yaml file
    strategy: String,
}

/// Shows one strategy.
///
/// # Errors
/// There is no such strategy, or it has errors.
pub(super) fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let loaded = load_strategy(&args.strategy, context)?;
    let output = &context.output;
    output.json(&strategy_json(
        &loaded.path,
        &loaded.strategy,
        &loaded.resolved,
    ));
    print_pairs(output, &summary_lines(&loaded));

    // Programs get every column, people the inputs that the columns come from.
    if output.json {
        list_columns(&loaded.resolved, context);
    } else {
        list_inputs(&loaded.strategy, context);
        output.note(&format!(
            "hint: `ktrdr strategies features {}` lists every column with its number",
            args.strategy
        ));
    }

    for warning in loaded.strategy.warnings.iter() {
        output.note(&warning.to_string());
    }
    Ok(Exit::Done)
}

fn summary_lines(loaded: &LoadedStrategy) -> Vec<(String, String)> {
    let LoadedStrategy {
        path,
        strategy,
        resolved,
    } = loaded;

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
            join_with_commas(resolved.symbols.iter().map(Instrument::symbol)),
        ),
        (
            "timeframes",
            format!(
                "{}; one row per {} bar",
                join_with_commas(&resolved.timeframes),
                resolved.base
            ),
        ),
        ("dates", dates_line(resolved)),
        ("warm-up", count_of(resolved.warm_up_bars(), "bar")),
        ("labels", labels_line(resolved)),
        ("network", network_line(resolved)),
        ("parts", describe_split(&resolved.split)),
        ("training", training_line(resolved)),
    ];
    lines.extend(describe_settings(&resolved.settings, &BTreeMap::new()));
    let lines = lines.into_iter();
    lines.map(|(name, text)| (name.to_owned(), text)).collect()
}

fn dates_line(resolved: &Resolved) -> String {
    let start = time_or(resolved.start, "the first bar");
    let end = time_or(resolved.end, "the last bar");
    let sealed = match resolved.sealed_from {
        Some(from) => format!(", sealed from {from}"),
        None => String::new(),
    };
    format!("{start} to {end}{sealed}")
}

fn time_or(time: Option<Utc>, open_end: &str) -> String {
    time.map_or_else(|| open_end.to_owned(), |time| time.to_string())
}

/// The label source with its parameters and classes:
/// `triple_barrier (pt_multiplier 3.0, …): BUY, HOLD, SELL`.
fn labels_line(resolved: &Resolved) -> String {
    // Listed by their keys in JSON, a new parameter is shown without a change here.
    let parameters = match serde_json::to_value(resolved.labels) {
        Ok(Value::Object(keys)) => keys,
        _ => serde_json::Map::new(),
    };
    let parameters: Vec<String> = parameters
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
        parameters.join(", ")
    )
}

fn network_line(resolved: &Resolved) -> String {
    let network = resolved.network(resolved.feature_columns());
    let layers = describe_layers(&network);
    if network.is_complete() {
        format!("{layers}, {} parameters", network.parameter_count())
    } else {
        layers
    }
}

fn training_line(resolved: &Resolved) -> String {
    let settings = &resolved.settings;
    format!(
        "{}, batches of {}, seed {}",
        count_of(settings.epochs as usize, "epoch"),
        count_of(settings.batch_size as usize, "row"),
        resolved.seed
    )
}

/// What the network sees: every fuzzy set as a sentence, every raw output with its scaling.
fn list_inputs(strategy: &Strategy, context: &Context) {
    let mut rows = Vec::new();
    for input in &strategy.inputs {
        let Some(described) = input_meaning(strategy, input) else {
            continue;
        };

        // An input that names no timeframes has all those of the strategy.
        let timeframes = input
            .timeframes
            .as_ref()
            .unwrap_or(&strategy.data.timeframes);

        rows.push(vec![
            described.name,
            join_with_commas(timeframes),
            described.meaning,
        ]);
    }
    context
        .output
        .table(&["INPUT", "TIMEFRAMES", "MEANING"], &rows);
}
