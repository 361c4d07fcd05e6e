//! The grammar as a JSON Schema (draft 2020-12), so that an editor can complete and check a
//! strategy file as it is typed.
//!
//! It says what keys and values a file may have. What needs more than one place of the file
//! (references, the order of dates, columns that collide) only
//! [`Strategy::parse`](crate::Strategy::parse) can check.

mod indicators;
mod training;
mod training_data;
mod values;

use serde_json::{Value as Json, json};

use self::indicators::schema_of_indicators;
use self::training::schema_of_training;
use self::training_data::schema_of_training_data;
use self::values::{
    any_id, any_share, any_text, any_timeframe, define_timeframe, integer_within, list_from,
    mapping_with, number_above_zero, one_of, one_word_of, only_word,
};

/// The schema of a strategy file.
pub fn schema() -> Json {
    let sections = json!({
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
        "version": any_text(),
        "description": any_text(),
        "training_data": schema_of_training_data(),
        "indicators": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": any_id(),
            "additionalProperties": schema_of_indicators(),
        },
        "fuzzy_sets": {
            "type": "object",
            "propertyNames": any_id(),
            "additionalProperties": schema_of_fuzzy_set(),
        },
        "nn_inputs": {"type": "array", "minItems": 1, "maxItems": 256, "items": schema_of_input()},
        "model": schema_of_model(),
        "decisions": schema_of_decisions(),
        "costs": schema_of_costs(),
        "training": schema_of_training(),
    });

    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Strategy",
        "type": "object",
        "additionalProperties": false,
        "required": [
            "name",
            "training_data",
            "indicators",
            "fuzzy_sets",
            "nn_inputs",
            "model",
            "decisions",
            "training",
        ],
        "properties": sections,
        "$defs": {"timeframe": define_timeframe(), "membership": define_membership()},
    })
}

/// An indicator and one member or more, of any name.
fn schema_of_fuzzy_set() -> Json {
    json!({
        "type": "object",
        "required": ["indicator"],
        "minProperties": 2,
        "properties": {"indicator": any_text()},
        "additionalProperties": {"$ref": "#/$defs/membership"},
    })
}

/// `[a, b, c]`, or a type with its numbers.
fn define_membership() -> Json {
    one_of(&[
        list_of_numbers(3),
        schema_of_membership(&["triangular", "triangularmf"], 3),
        schema_of_membership(&["trapezoidal", "trapezoidalmf"], 4),
        schema_of_membership(&["gaussian", "gaussianmf"], 2),
        schema_of_membership(&["bell", "bellmf", "gbell", "gbellmf"], 3),
        schema_of_membership(&["sigmoid", "sigmoidmf"], 2),
        schema_of_membership(&["singleton", "singletonmf"], 1),
    ])
}

fn schema_of_membership(type_names: &[&str], number_count: usize) -> Json {
    let properties = [
        ("type", one_word_of(type_names)),
        ("parameters", list_of_numbers(number_count)),
    ];
    mapping_with(&["type", "parameters"], &properties)
}

fn list_of_numbers(count: usize) -> Json {
    json!({
        "type": "array",
        "items": {"type": "number"},
        "minItems": count,
        "maxItems": count,
    })
}

/// A fuzzy set or a raw output, on all timeframes or on a list of them.
fn schema_of_input() -> Json {
    // Memberships are never scaled, so only a raw input has `normalization`.
    let timeframes = one_of(&[only_word("all"), list_from(1, any_timeframe())]);
    let lags = list_from(1, integer_within(1, 1_000));
    let fuzzy = [
        ("fuzzy_set", any_text()),
        ("timeframes", timeframes.clone()),
        ("lags", lags.clone()),
    ];
    let raw = [
        ("raw_indicator", any_text()),
        ("timeframes", timeframes),
        ("normalization", one_word_of(["minmax", "zscore", "none"])),
        ("lags", lags),
    ];

    one_of(&[
        mapping_with(&["fuzzy_set", "timeframes"], &fuzzy),
        mapping_with(&["raw_indicator", "timeframes"], &raw),
    ])
}

fn schema_of_model() -> Json {
    let layers = json!({"type": "array", "maxItems": 16, "items": integer_within(1, 4_096)});
    let dropout = json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1});
    let activations = ["relu", "tanh", "sigmoid", "leaky_relu"];
    let mlp = [
        ("hidden_layers", layers),
        ("dropout", dropout.clone()),
        ("activation", one_word_of(activations)),
    ];
    let recurrent = [
        ("sequence_length", integer_within(1, 1_000)),
        ("hidden_size", integer_within(1, 1_024)),
        ("num_layers", integer_within(1, 8)),
        ("dropout", dropout),
    ];

    let tsk = [
        ("rules_from", one_word_of(["sets", "data"])),
        ("rules", integer_within(1, 256)),
        ("firing", one_word_of(["mean", "product"])),
        (
            "prune_below",
            json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1}),
        ),
    ];

    // The type says which keys the architecture has.
    let mlp = mapping_with(&["hidden_layers"], &mlp);
    let recurrent = mapping_with(&["sequence_length"], &recurrent);
    one_of(&[
        schema_of_family(only_word("mlp"), mlp),
        schema_of_family(one_word_of(["lstm", "gru"]), recurrent),
        schema_of_family(only_word("tsk"), mapping_with(&[], &tsk)),
    ])
}

fn schema_of_family(types: Json, architecture: Json) -> Json {
    let properties = [("type", types), ("architecture", architecture)];
    mapping_with(&["type", "architecture"], &properties)
}

fn schema_of_decisions() -> Json {
    let costs = [
        ("round_trip_cost", number_above_zero()),
        ("min_edge_multiplier", number_above_zero()),
    ];
    let costs = mapping_with(&["round_trip_cost", "min_edge_multiplier"], &costs);
    let classification = [
        ("output_format", only_word("classification")),
        (
            "confidence_threshold",
            one_of(&[any_share(), only_word("auto")]),
        ),
    ];
    let regression = [
        ("output_format", only_word("regression")),
        ("cost_model", costs),
    ];

    // Classification is the default, so only a regression has to name its format.
    one_of(&[
        mapping_with(&[], &classification),
        mapping_with(&["output_format", "cost_model"], &regression),
    ])
}

/// What a trade costs, and what it costs of instruments that differ.
fn schema_of_costs() -> Json {
    let names = ["commission", "spread", "slippage"];
    let costs = names.map(|name| {
        (
            name,
            json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1}),
        )
    });
    let by_symbol = json!({
        "type": "object",
        "additionalProperties": mapping_with(&[], &costs),
    });

    let mut properties = costs.to_vec();
    properties.push(("symbols", by_symbol));
    mapping_with(&names, &properties)
}

#[cfg(test)]
mod tests;
