//! The grammar as a JSON Schema (draft 2020-12), so that an editor can complete and check a
//! strategy file as it is typed.
//!
//! It says what keys and values a file may have. What needs more than one place of the file
//! (references, the order of dates, columns that collide) only
//! [`Strategy::parse`](crate::Strategy::parse) can tell.

use market::Timeframe;
use serde_json::{Map, Value as Json, json};

use crate::indicators::{IndicatorSpec, ParameterKind, ParameterSpec, ZIGZAG_THRESHOLD, specs};
use crate::strategy::SYMBOLS_MAX;

/// The schema.
pub fn schema() -> Json {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Strategy",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "training_data", "indicators", "fuzzy_sets", "nn_inputs", "model", "decisions", "training"],
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
            "version": text(),
            "description": text(),
            "training_data": training_data(),
            "indicators": {
                "type": "object", "minProperties": 1, "propertyNames": id(),
                "additionalProperties": {"oneOf": specs().iter().map(indicator).collect::<Vec<_>>()},
            },
            "fuzzy_sets": {
                "type": "object", "propertyNames": id(),
                "additionalProperties": {
                    "type": "object", "required": ["indicator"], "minProperties": 2,
                    "properties": {"indicator": text()},
                    "additionalProperties": {"$ref": "#/$defs/membership"},
                },
            },
            "nn_inputs": {"type": "array", "minItems": 1, "maxItems": 256, "items": input()},
            "model": model(),
            "decisions": decisions(),
            "training": training(),
        },
        "$defs": {
            "timeframe": {"enum": Timeframe::ALL.map(Timeframe::as_str)},
            "membership": membership(),
        },
    })
}

fn text() -> Json {
    json!({"type": "string", "minLength": 1})
}

fn id() -> Json {
    json!({"pattern": "^[A-Za-z0-9_-]{1,64}$"})
}

fn integer(min: u32, max: u32) -> Json {
    json!({"type": "integer", "minimum": min, "maximum": max})
}

fn above_zero() -> Json {
    json!({"type": "number", "exclusiveMinimum": 0})
}

fn share() -> Json {
    json!({"type": "number", "minimum": 0, "maximum": 1})
}

fn fraction() -> Json {
    json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})
}

/// A mapping with these keys and no others.
fn object(required: &[&str], properties: &[(&str, Json)]) -> Json {
    let properties: Map<String, Json> = properties
        .iter()
        .map(|(key, schema)| ((*key).to_owned(), schema.clone()))
        .collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn timeframe() -> Json {
    json!({"$ref": "#/$defs/timeframe"})
}

fn training_data() -> Json {
    let symbols = json!({"type": "array", "minItems": 1, "maxItems": SYMBOLS_MAX, "items": text()});
    let timeframes =
        |least: usize| json!({"type": "array", "minItems": least, "items": timeframe()});
    object(
        &["symbols", "timeframes"],
        &[
            (
                "symbols",
                json!({"oneOf": [
                    object(&["mode", "symbol"], &[("mode", json!({"const": "single"})), ("symbol", text())]),
                    object(&["mode", "list"], &[("mode", json!({"const": "multi_symbol"})), ("list", symbols.clone())]),
                    object(&["mode", "symbols"], &[("mode", json!({"const": "multi_symbol"})), ("symbols", symbols)]),
                ]}),
            ),
            (
                "timeframes",
                json!({"oneOf": [
                    object(&["mode", "timeframe"], &[
                        ("mode", json!({"const": "single"})), ("timeframe", timeframe()), ("base_timeframe", timeframe()),
                    ]),
                    object(&["mode", "list"], &[
                        ("mode", json!({"const": "multi_timeframe"})), ("list", timeframes(2)), ("base_timeframe", timeframe()),
                    ]),
                    object(&["mode", "timeframes"], &[
                        ("mode", json!({"const": "multi_timeframe"})), ("timeframes", timeframes(2)), ("base_timeframe", timeframe()),
                    ]),
                ]}),
            ),
            ("history_required", integer(50, 10_000_000)),
            ("start_date", text()),
            ("end_date", text()),
        ],
    )
}

/// One type with its parameters. Names and words are compared without regard to case in a file;
/// here they are lower case.
fn indicator(spec: &IndicatorSpec) -> Json {
    let names: Vec<&str> = std::iter::once(spec.name)
        .chain(spec.aliases.iter().copied())
        .collect();
    let mut properties = vec![("type", json!({"enum": names}))];
    properties.extend(
        spec.parameters
            .iter()
            .map(|each| (each.name, parameter(each))),
    );
    let mut indicator = object(&["type"], &properties);
    describe(&mut indicator, spec.formula);
    indicator
}

fn parameter(parameter: &ParameterSpec) -> Json {
    let mut kind = match parameter.kind {
        ParameterKind::Integer { min, max, default } => {
            json!({"type": "integer", "minimum": min, "maximum": max, "default": default})
        }
        ParameterKind::Float {
            min,
            min_exclusive,
            max,
            max_exclusive,
            default,
        } => {
            let least = if min_exclusive {
                "exclusiveMinimum"
            } else {
                "minimum"
            };
            let most = if max_exclusive {
                "exclusiveMaximum"
            } else {
                "maximum"
            };
            json!({"type": "number", least: min, most: max, "default": default})
        }
        ParameterKind::Boolean { default } => json!({"type": "boolean", "default": default}),
        ParameterKind::Choice { options, default } => json!({"enum": options, "default": default}),
    };
    describe(&mut kind, parameter.description);
    kind
}

fn describe(schema: &mut Json, text: &str) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(text));
    }
}

/// `[a, b, c]`, or a type with its numbers.
fn membership() -> Json {
    let numbers = |count: usize| json!({"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count});
    let shape = |names: &[&str], count| {
        object(
            &["type", "parameters"],
            &[
                ("type", json!({"enum": names})),
                ("parameters", numbers(count)),
            ],
        )
    };
    json!({"oneOf": [
        numbers(3),
        shape(&["triangular", "triangularmf"], 3),
        shape(&["trapezoidal", "trapezoidalmf"], 4),
        shape(&["gaussian", "gaussianmf"], 2),
        shape(&["bell", "bellmf", "gbell", "gbellmf"], 3),
        shape(&["sigmoid", "sigmoidmf"], 2),
        shape(&["singleton", "singletonmf"], 1),
    ]})
}

fn input() -> Json {
    let timeframes = json!({"oneOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": timeframe()}]});
    let lags = json!({"type": "array", "minItems": 1, "items": integer(1, 1_000)});
    json!({"oneOf": [
        object(&["fuzzy_set", "timeframes"], &[("fuzzy_set", text()), ("timeframes", timeframes.clone()), ("lags", lags.clone())]),
        object(&["raw_indicator", "timeframes"], &[
            ("raw_indicator", text()),
            ("timeframes", timeframes),
            ("normalization", json!({"enum": ["minmax", "zscore", "none"]})),
            ("lags", lags),
        ]),
    ]})
}

fn model() -> Json {
    let layers = json!({"type": "array", "maxItems": 16, "items": integer(1, 4_096)});
    let architecture = object(
        &["hidden_layers"],
        &[
            ("hidden_layers", layers),
            (
                "dropout",
                json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1}),
            ),
            (
                "activation",
                json!({"enum": ["relu", "tanh", "sigmoid", "leaky_relu"]}),
            ),
        ],
    );
    object(
        &["type", "architecture"],
        &[
            ("type", json!({"const": "mlp"})),
            ("architecture", architecture),
        ],
    )
}

fn decisions() -> Json {
    let costs = object(
        &["round_trip_cost", "min_edge_multiplier"],
        &[
            ("round_trip_cost", above_zero()),
            ("min_edge_multiplier", above_zero()),
        ],
    );
    json!({"oneOf": [
        object(&[], &[("output_format", json!({"const": "classification"})), ("confidence_threshold", share())]),
        object(&["output_format", "cost_model"], &[("output_format", json!({"const": "regression"})), ("cost_model", costs)]),
    ]})
}

fn labels() -> Json {
    let bars = |least| integer(least, 100_000);
    let source = |name: &str, keys: &[(&str, Json)]| {
        let keys: Vec<(&str, Json)> = std::iter::once(("source", json!({"const": name})))
            .chain(keys.iter().cloned())
            .collect();
        object(&["source"], &keys)
    };
    json!({"oneOf": [
        source("zigzag", &[(ZIGZAG_THRESHOLD.name, parameter(&ZIGZAG_THRESHOLD))]),
        source("zigzag_window", &[("threshold", fraction()), ("lookahead", bars(1)), ("min_swing_length", bars(0))]),
        source("forward_return", &[("horizon", bars(1))]),
        source("context", &[
            ("horizon", bars(1)), ("bullish_threshold", json!({"type": "number"})), ("bearish_threshold", json!({"type": "number"})),
        ]),
        source("regime", &[
            ("macro_atr_mult", above_zero()), ("micro_atr_mult", above_zero()), ("atr_period", bars(2)), ("vol_lookback", bars(2)),
            ("vol_crisis_threshold", above_zero()), ("progression_tolerance", share()),
        ]),
        source("efficiency_regime", &[
            ("horizon", bars(2)), ("trending_threshold", share()), ("vol_lookback", bars(2)), ("vol_crisis_threshold", above_zero()),
        ]),
        source("triple_barrier", &[
            ("pt_multiplier", above_zero()), ("sl_multiplier", above_zero()), ("max_holding_period", bars(1)), ("vol_span", bars(1)),
            ("vol_method", json!({"enum": ["atr", "std"]})), ("cusum_threshold", above_zero()), ("cusum_multiplier", above_zero()),
            ("compute_weights", json!({"type": "boolean", "default": false})),
        ]),
    ]})
}

fn training() -> Json {
    let not_negative = json!({"type": "number", "minimum": 0});
    let early_stopping = object(
        &[],
        &[
            ("patience", integer(1, 100_000)),
            ("min_delta", not_negative.clone()),
            ("monitor", json!({"const": "val_loss"})),
        ],
    );
    object(
        &["labels"],
        &[
            ("labels", labels()),
            ("epochs", integer(1, 100_000)),
            ("learning_rate", above_zero()),
            ("batch_size", integer(1, 1_000_000)),
            (
                "loss",
                json!({"enum": ["cross_entropy", "focal", "huber", "mse"]}),
            ),
            ("focal_gamma", not_negative.clone()),
            ("huber_delta", above_zero()),
            ("weight_decay", not_negative.clone()),
            ("gradient_clip", not_negative),
            ("early_stopping", early_stopping),
            ("threads", integer(1, 64)),
            ("optimizer", json!({"const": "adam"})),
            ("seed", integer(0, u32::MAX)),
            ("embargo_bars", integer(0, 1_000_000)),
            (
                "data_split",
                object(
                    &["train", "validation"],
                    &[
                        ("train", fraction()),
                        ("validation", fraction()),
                        ("test", fraction()),
                    ],
                ),
            ),
            (
                "split",
                object(
                    &["validation_start", "test_start"],
                    &[("validation_start", text()), ("test_start", text())],
                ),
            ),
        ],
    )
}

#[cfg(test)]
mod tests;
