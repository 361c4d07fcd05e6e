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
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let lower = text.chars().all(|c| !c.is_ascii_uppercase());
    let short = (1..=64).contains(&text.len()) && text.chars().all(word);
    match pattern {
        "^[A-Za-z0-9_-]{1,64}$" => short,
        "^[a-z0-9][a-z0-9_-]{0,63}$" => short && lower && !text.starts_with(['_', '-']),
        other => panic!("pattern {other}"),
    }
}

/// One keyword of a schema; an unknown one is a mistake in the schema or here.
fn holds(root: &Json, schema: &Json, keyword: &str, value: &Json) -> bool {
    let limit = &schema[keyword];
    let number = || value.as_f64().zip(limit.as_f64());
    let size = || {
        value
            .as_array()
            .map(Vec::len)
            .or(value.as_object().map(serde_json::Map::len))
            .zip(limit.as_u64())
    };
    match keyword {
        "$schema" | "$defs" | "title" | "description" | "default" => true,
        "$ref" => valid(
            root,
            root.pointer(limit.as_str().unwrap().trim_start_matches('#'))
                .unwrap(),
            value,
        ),
        "type" => is_type(value, limit.as_str().unwrap()),
        "enum" => limit.as_array().unwrap().contains(value),
        "const" => limit == value,
        "oneOf" => {
            limit
                .as_array()
                .unwrap()
                .iter()
                .filter(|each| valid(root, each, value))
                .count()
                == 1
        }
        "minimum" => number().is_none_or(|(value, limit)| value >= limit),
        "maximum" => number().is_none_or(|(value, limit)| value <= limit),
        "exclusiveMinimum" => number().is_none_or(|(value, limit)| value > limit),
        "exclusiveMaximum" => number().is_none_or(|(value, limit)| value < limit),
        "minItems" | "minProperties" => size().is_none_or(|(size, limit)| size as u64 >= limit),
        "maxItems" => size().is_none_or(|(size, limit)| size as u64 <= limit),
        "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
        "pattern" => value
            .as_str()
            .is_none_or(|text| matches_pattern(text, limit.as_str().unwrap())),
        "items" => value
            .as_array()
            .into_iter()
            .flatten()
            .all(|item| valid(root, limit, item)),
        "required" => limit
            .as_array()
            .unwrap()
            .iter()
            .all(|key| value.get(key.as_str().unwrap()).is_some()),
        "propertyNames" => value
            .as_object()
            .unwrap()
            .keys()
            .all(|key| valid(root, limit, &json!(key))),
        "properties" => {
            let known = limit.as_object().unwrap();
            known.iter().all(|(key, schema)| {
                value
                    .get(key)
                    .is_none_or(|value| valid(root, schema, value))
            })
        }
        "additionalProperties" => {
            let known = |key: &str| schema["properties"].get(key).is_some();
            let others = value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(key, _)| !known(key));
            others
                .into_iter()
                .all(|(_, value)| limit.is_object() && valid(root, limit, value))
        }
        other => panic!("keyword {other}"),
    }
}

fn valid(root: &Json, schema: &Json, value: &Json) -> bool {
    let keywords: Vec<&str> = schema
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    // A wrong type makes the other keywords meaningless.
    keywords
        .iter()
        .filter(|keyword| **keyword == "type")
        .all(|keyword| holds(root, schema, keyword, value))
        && keywords
            .iter()
            .all(|keyword| holds(root, schema, keyword, value))
}

#[test]
fn every_strategy_of_the_catalogue_meets_the_schema() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let value = read(&std::fs::read_to_string(entry.path()).unwrap());
        let sections = schema["properties"].as_object().unwrap();
        for (key, section) in sections
            .iter()
            .filter(|(key, _)| value.get(key.as_str()).is_some())
        {
            assert!(
                valid(&schema, section, &value[key]),
                "{}: {key}",
                entry.path().display()
            );
        }
        assert!(
            valid(&schema, &schema, &value),
            "{}",
            entry.path().display()
        );
        seen += 1;
    }
    assert!(seen >= 3);
}

/// What the grammar refuses in one place, the schema refuses too.
#[test]
fn misspelt_keys_and_values_out_of_bounds_do_not_meet_the_schema() {
    let schema = schema();
    let good = crate::STARTER;
    let edits = [
        ("name: eurusd_rsi_macd", "name: Eurusd"),
        ("mode: single, symbol", "mode: multi_symbol, symbol"),
        ("timeframe: \"1h\"", "timeframe: \"1hr\""),
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
        ("confidence_threshold: 0.5", "confidence_threshold: 1.5"),
        ("source: triple_barrier", "source: zigzag"),
        ("max_holding_period: 12", "max_holding: 12"),
        ("seed: 42", "seed: -1"),
        ("epochs: 20", "epochs: 20.5"),
    ];
    for (from, to) in edits {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        assert!(crate::Strategy::parse(&text).is_err(), "{to}");
        assert!(!valid(&schema, &schema, &read(&text)), "{to}");
    }
}
