//! `ktrdr strategies list`: every strategy that can be called by its name.

use std::path::Path;

use market::Instrument;
use serde_json::{Value, json};
use strategies::{Resolved, Strategy};

use super::meaning::fuzzy_set_sentences;
use super::validate::verdict_json;
use crate::console::{Exit, join_with_commas, path_json};
use crate::context::Context;
use crate::inputs::strategy_files::{NamedStrategy, list_strategies, parse_and_resolve};

const HEADS: [&str; 6] = [
    "NAME",
    "SYMBOLS",
    "TIMEFRAMES",
    "COLUMNS",
    "LABELS",
    "DESCRIPTION",
];

/// Lists the strategies. A broken one is listed too, with the command that says why.
pub(super) fn run(context: &Context) -> Exit {
    let output = &context.output;
    let mut rows = Vec::new();

    // A file that cannot be read is judged like an empty one, so that it is listed as broken.
    for NamedStrategy { name, path, text } in list_strategies(context) {
        match parse_and_resolve(&text) {
            Ok((strategy, resolved)) => {
                output.json(&strategy_json(&path, &strategy, &resolved));
                rows.push(strategy_row(name, strategy, &resolved));
            }
            Err(findings) => {
                output.json(&verdict_json(&path, &findings, true));
                rows.push(broken_row(name));
            }
        }
    }

    output.table_with_remarks(&HEADS, &rows);
    Exit::Done
}

fn strategy_row(name: String, strategy: Strategy, resolved: &Resolved) -> Vec<String> {
    vec![
        name,
        join_with_commas(resolved.symbols.iter().map(Instrument::symbol)),
        join_with_commas(&strategy.data.timeframes),
        resolved.features.len().to_string(),
        resolved.labels.name().to_owned(),
        strategy.description.unwrap_or_default(),
    ]
}

fn broken_row(name: String) -> Vec<String> {
    let remark = format!("broken: `ktrdr strategies validate {name}` says why");
    let mut row = vec![String::new(); HEADS.len()];
    if let Some(first) = row.first_mut() {
        *first = name;
    }
    if let Some(last) = row.last_mut() {
        *last = remark;
    }
    row
}

/// A strategy as programs read it.
pub(super) fn strategy_json(path: &Path, strategy: &Strategy, resolved: &Resolved) -> Value {
    let columns = resolved.feature_columns();
    let features: Vec<&String> = columns.iter().map(|column| &column.name).collect();
    let symbols: Vec<String> = resolved.symbols.iter().map(Instrument::id).collect();

    // Rules are built from the training part: until then nobody can count them.
    let network = resolved.network(columns.clone());
    let parameters = network.is_complete().then(|| network.parameter_count());

    json!({
        "type": "strategy",
        "name": strategy.name,
        "version": strategy.version,
        "description": strategy.description,
        "file": path_json(path),
        "symbols": symbols,
        "timeframes": resolved.timeframes,
        "base": resolved.base,
        "start": resolved.start.map(|time| time.to_string()),
        "end": resolved.end.map(|time| time.to_string()),
        "sealed_from": resolved.sealed_from.map(|time| time.to_string()),
        "fuzzy_sets": fuzzy_set_sentences(strategy),
        "features": features,
        "labels": resolved.labels,
        "parameters": parameters,
        "settings": resolved.settings,
        "seed": resolved.seed,
        "warnings": strategy.warnings,
    })
}
