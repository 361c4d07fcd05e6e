//! What the schema accepts and refuses, judged by a small reader of the keywords that it uses.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::schema;
use crate::yaml::{Content, Node, parse};

/// A YAML node as JSON; infinities, which JSON lacks, as huge numbers.
fn to_json(node: &Node) -> Json {
    match &node.content {
        Content::Null => Json::Null,
        Content::Boolean(value) => json!(value),
        Content::Integer(value) => json!(value),
        Content::Float(value) => json!(value.clamp(-1e300, 1e300)),
        Content::Text(text) => json!(text),
        Content::List(items) => items.iter().map(to_json).collect(),
        Content::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), to_json(&entry.value)))
            .collect(),
    }
}

fn read(text: &str) -> Json {
    to_json(&parse(text, &mut Vec::new()).unwrap())
}

fn is_type(value: &Json, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        other => panic!("type {other}"),
    }
}

fn matches_pattern(text: &str, pattern: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_id = (1..=64).contains(&text.len()) && text.chars().all(is_plain);
    let is_lower = text.chars().all(|c| !c.is_ascii_uppercase());

    match pattern {
        "^[A-Za-z0-9_-]{1,64}$" => is_id,
        "^[a-z0-9][a-z0-9_-]{0,63}$" => is_id && is_lower && !text.starts_with(['_', '-']),
        // `market` tests that the pattern and the parser know the same forms.
        _ if pattern == market::timeframe_pattern() => text.parse::<market::Timeframe>().is_ok(),
        other => panic!("pattern {other}"),
    }
}

/// One keyword of a schema; an unknown one is a mistake in the schema or here.
fn holds(root: &Json, schema: &Json, keyword: &str, value: &Json) -> bool {
    let limit = &schema[keyword];
    match keyword {
        "$schema" | "$defs" | "title" | "description" | "default" => true,
        "$ref" => {
            let pointer = limit.as_str().unwrap().trim_start_matches('#');
            is_valid(root, root.pointer(pointer).unwrap(), value)
        }
        "type" => is_type(value, limit.as_str().unwrap()),
        "enum" => limit.as_array().unwrap().contains(value),
        "const" => limit == value,
        "oneOf" => {
            let schemas = limit.as_array().unwrap().iter();
            schemas.filter(|each| is_valid(root, each, value)).count() == 1
        }

        "minimum" => compare(value, limit, |value, limit| value >= limit),
        "maximum" => compare(value, limit, |value, limit| value <= limit),
        "exclusiveMinimum" => compare(value, limit, |value, limit| value > limit),
        "exclusiveMaximum" => compare(value, limit, |value, limit| value < limit),
        "minItems" | "minProperties" => compare_size(value, limit, |size, limit| size >= limit),
        "maxItems" => compare_size(value, limit, |size, limit| size <= limit),
        "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
        "pattern" => value
            .as_str()
            .is_none_or(|text| matches_pattern(text, limit.as_str().unwrap())),

        _ => holds_for_entries(root, schema, keyword, value),
    }
}

/// True for a value that is not a number: its type is judged elsewhere.
fn compare(value: &Json, limit: &Json, holds: fn(f64, f64) -> bool) -> bool {
    match (value.as_f64(), limit.as_f64()) {
        (Some(value), Some(limit)) => holds(value, limit),
        _ => true,
    }
}

/// True for a value that is not a collection.
fn compare_size(value: &Json, limit: &Json, holds: fn(u64, u64) -> bool) -> bool {
    let size = match value {
        Json::Array(items) => items.len(),
        Json::Object(entries) => entries.len(),
        _ => return true,
    };
    holds(size as u64, limit.as_u64().unwrap())
}

/// A keyword about the items of a list or the entries of a mapping.
fn holds_for_entries(root: &Json, schema: &Json, keyword: &str, value: &Json) -> bool {
    let limit = &schema[keyword];
    let no_entries = serde_json::Map::new();
    let entries = value.as_object().unwrap_or(&no_entries);

    match keyword {
        "items" => {
            let mut items = value.as_array().into_iter().flatten();
            items.all(|item| is_valid(root, limit, item))
        }
        "required" => {
            let mut keys = limit.as_array().unwrap().iter();
            keys.all(|key| entries.contains_key(key.as_str().unwrap()))
        }
        "propertyNames" => entries.keys().all(|key| is_valid(root, limit, &json!(key))),
        "properties" => limit.as_object().unwrap().iter().all(|(key, schema)| {
            let value = entries.get(key);
            value.is_none_or(|value| is_valid(root, schema, value))
        }),
        "additionalProperties" => entries.iter().all(|(key, value)| {
            let has_schema = schema["properties"].get(key).is_some();
            has_schema || (limit.is_object() && is_valid(root, limit, value))
        }),
        other => panic!("keyword {other}"),
    }
}

fn is_valid(root: &Json, schema: &Json, value: &Json) -> bool {
    let schema_keywords = schema.as_object().unwrap();

    // A wrong type makes the other keywords meaningless.
    let has_type = !schema_keywords.contains_key("type") || holds(root, schema, "type", value);
    has_type
        && schema_keywords
            .keys()
            .all(|keyword| holds(root, schema, keyword, value))
}

#[test]
fn every_strategy_of_the_catalogue_meets_the_schema() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let sections = schema["properties"].as_object().unwrap();

    let mut strategies = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let value = read(&std::fs::read_to_string(entry.path()).unwrap());
        let path = entry.path().display().to_string();

        // Section by section first: the failure then says which.
        for (key, section) in sections {
            if let Some(value) = value.get(key) {
                assert!(is_valid(&schema, section, value), "{path}: {key}");
            }
        }
        assert!(is_valid(&schema, &schema, &value), "{path}");
        strategies += 1;
    }

    assert!(strategies >= 3);
}

const FAULTS: [(&str, &str); 17] = [
    ("name: eurusd_rsi_macd", "name: Eurusd"),
    ("mode: single, symbol", "mode: multi_symbol, symbol"),
    ("timeframe: \"1h\"", "timeframe: \"1x\""),
    ("period: 14", "period: 1"),
    ("period: 14", "perod: 14"),
    ("type: rsi", "type: rsii"),
    ("low: [25, 40, 50]", "low: [25, 40]"),
    (
        "low: [25, 40, 50]",
        "low: {type: gaussian, parameters: [1, 2, 3]}",
    ),
    (
        "- {fuzzy_set: rsi_zone, timeframes: all}",
        "- {fuzzy_set: rsi_zone, timeframes: 1h}",
    ),
    (
        "- {fuzzy_set: rsi_zone, timeframes: all}",
        "- {fuzzy_set: rsi_zone, timeframes: all, lags: [0]}",
    ),
    ("hidden_layers: [32, 16]", "hidden_layers: [32, 0]"),
    ("type: mlp", "type: lstm"),
    ("confidence_threshold: auto", "confidence_threshold: 1.5"),
    ("source: triple_barrier", "source: zigzag"),
    ("max_holding_period: 12", "max_holding: 12"),
    ("seed: 42", "seed: -1"),
    ("epochs: 20", "epochs: 20.5"),
];

#[test]
fn what_the_grammar_refuses_in_one_place_the_schema_refuses() {
    let schema = schema();

    for (from, to) in FAULTS {
        let text = crate::STARTER.replacen(from, to, 1);

        assert_ne!(text, crate::STARTER, "{from}");
        assert!(crate::Strategy::parse(&text).is_err(), "{to}");
        assert!(!is_valid(&schema, &schema, &read(&text)), "{to}");
    }
}

/// Lines of the section `training` that both accept.
const SETTINGS: [&str; 12] = [
    "optimizer: adamw",
    "{optimizer: sgd, momentum: 0.5}",
    "lr_scheduler: reduce_on_plateau",
    "lr_scheduler: {type: reduce_on_plateau, factor: 0.2, patience: 0, min_lr: 0.0001}",
    "lr_scheduler: {type: step, step_size: 3, gamma: 0.5}",
    "lr_scheduler: {type: none}",
    "warmup_epochs: 2",
    "{loss: focal, focal_gamma: 0}",
    "label_smoothing: 0.1",
    "class_weights: none",
    "class_weights: {BUY: 2, HOLD: 1, SELL: 2}",
    "engine: libtorch",
];

/// Lines of it that both refuse.
const WRONG_SETTINGS: [&str; 12] = [
    "optimizer: lion",
    "momentum: 1",
    "lr_scheduler: true",
    "lr_scheduler: {gamma: 0.5}",
    "lr_scheduler: {type: cosine, gamma: 0.5}",
    "lr_scheduler: {type: step, step_size: 0}",
    "warmup_epochs: -1",
    "focal_gamma: 11",
    "label_smoothing: 1",
    "class_weights: heavy",
    "class_weights: {BUY: 2, HOLD: 1, SELL: 0}",
    "engine: torch",
];

/// The starter with one more line in its section `training`, or with those of a mapping.
fn starter_with(line: &str) -> String {
    let keys = line.trim_start_matches('{').trim_end_matches('}');
    let lines = if line.starts_with('{') {
        keys.replace(", ", "\n  ")
    } else {
        line.to_owned()
    };
    crate::STARTER.replacen("  seed: 42", &format!("  {lines}\n  seed: 42"), 1)
}

#[test]
fn grammar_and_schema_take_the_same_settings() {
    let schema = schema();

    for line in SETTINGS {
        let text = starter_with(line);
        let parsed = crate::Strategy::parse(&text);
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        assert!(is_valid(&schema, &schema, &read(&text)), "{line}");
    }
    for line in WRONG_SETTINGS {
        let text = starter_with(line);
        assert!(crate::Strategy::parse(&text).is_err(), "{line}");
        assert!(!is_valid(&schema, &schema, &read(&text)), "{line}");
    }
}

/// Names of the keys that the schema of a section has, in any of its forms.
fn keys_of(schema: &Json) -> Vec<String> {
    let forms = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let schemas = std::iter::once(schema.clone()).chain(forms);
    let keys = schemas.flat_map(|form| match &form["properties"] {
        Json::Object(properties) => properties.keys().cloned().collect(),
        _ => Vec::new(),
    });

    let mut keys: Vec<String> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[test]
fn the_table_of_training_keys_has_those_of_the_schema() {
    let schema = schema();
    let training = &schema["properties"]["training"];

    for section in ["", "lr_scheduler", "early_stopping"] {
        let section_schema = match section {
            "" => training,
            section => &training["properties"][section],
        };
        // What decides the rows, and the type that names a schedule.
        let others = ["labels", "embargo_bars", "data_split", "split", "type"];
        let mut keys = keys_of(section_schema);
        keys.retain(|key| !others.contains(&key.as_str()));

        let table = crate::training_keys().iter();
        let table = table.filter(|key| key.section == section);
        let mut names: Vec<&str> = table.map(|key| key.name).collect();
        names.sort_unstable();
        assert_eq!(keys, names, "{section}");
    }

    let optimizer = training["properties"]["optimizer"]["description"].as_str();
    assert!(optimizer.unwrap().ends_with("Default: adam"));
}
