//! The schema of the `training` section, labels included.

use serde_json::{Value as Json, json};

use super::indicators::schema_of_parameter;
use super::values::{
    add_description, any_fraction, any_share, any_text, integer_within, mapping_with,
    number_above_zero, number_from_zero, one_of, one_word_of, only_word,
};
use crate::indicators::ZIGZAG_THRESHOLD;
use crate::training_keys::training_keys;

pub(super) fn schema_of_training() -> Json {
    let shares = [
        ("train", any_fraction()),
        ("validation", any_fraction()),
        ("test", any_fraction()),
    ];
    let dates = [("validation_start", any_text()), ("test_start", any_text())];

    let data = [
        ("labels", schema_of_labels()),
        ("seed", integer_within(0, u32::MAX)),
        ("embargo_bars", integer_within(0, 1_000_000)),
        (
            "data_split",
            mapping_with(&["train", "validation"], &shares),
        ),
        (
            "split",
            mapping_with(&["validation_start", "test_start"], &dates),
        ),
    ];
    let keys = data.into_iter().chain(schemas_of_settings());
    let keys = keys.map(|(key, schema)| (key, described(key, schema)));
    let keys: Vec<(&str, Json)> = keys.collect();
    mapping_with(&["labels"], &keys)
}

/// The schema with what the key does and its default.
fn described(name: &str, mut schema: Json) -> Json {
    if let Some(key) = training_keys().iter().find(|key| key.path() == name) {
        let text = format!("{}. Default: {}", key.meaning, key.default);
        add_description(&mut schema, &text);
    }
    schema
}

/// Everything that the trainer obeys.
fn schemas_of_settings() -> [(&'static str, Json); 20] {
    // The tightest bound that one place of the file decides: sgd takes rates up to 10.
    let learning_rate = json!({"type": "number", "exclusiveMinimum": 0, "maximum": 10});

    [
        ("epochs", integer_within(1, 100_000)),
        ("learning_rate", learning_rate),
        ("lr_scheduler", schema_of_schedule()),
        ("warmup_epochs", integer_within(0, 99_999)),
        ("batch_size", integer_within(1, 1_000_000)),
        (
            "optimizer",
            one_word_of(["adam", "adamw", "sgd", "rmsprop"]),
        ),
        ("momentum", share_below_one()),
        (
            "loss",
            one_word_of(["cross_entropy", "focal", "huber", "mse"]),
        ),
        ("focal_gamma", number_up_to(10)),
        ("huber_delta", number_above_zero()),
        ("label_smoothing", share_below_one()),
        ("class_weights", schema_of_class_weights()),
        ("target_scale", one_word_of(["none", "std"])),
        ("calibration", one_word_of(["none", "temperature"])),
        ("weight_decay", any_share()),
        ("gradient_clip", number_from_zero()),
        ("early_stopping", schema_of_early_stopping()),
        ("threads", integer_within(1, 64)),
        ("engine", one_word_of(["auto", "native", "libtorch"])),
        ("detailed_analytics", json!({"type": "boolean"})),
    ]
}

/// The name of a schedule, or its name with parameters.
fn schema_of_schedule() -> Json {
    let step_size = ("step_size", integer_within(1, 100_000));
    let gamma = json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1});
    let patience = ("patience", integer_within(0, 100_000));
    let min_lr = ("min_lr", number_from_zero());
    let names = ["none", "step", "exponential", "cosine", "reduce_on_plateau"];

    one_of(&[
        one_word_of(names),
        schema_of_type("none", &[]),
        schema_of_type("step", &[step_size, ("gamma", gamma.clone())]),
        schema_of_type("exponential", &[("gamma", gamma)]),
        schema_of_type("cosine", std::slice::from_ref(&min_lr)),
        schema_of_type(
            "reduce_on_plateau",
            &[("factor", any_fraction()), patience, min_lr.clone()],
        ),
    ])
}

fn schema_of_type(name: &str, parameters: &[(&str, Json)]) -> Json {
    let kind = ("type", only_word(name));
    let properties: Vec<(&str, Json)> = std::iter::once(kind)
        .chain(parameters.iter().cloned())
        .collect();
    mapping_with(&["type"], &properties)
}

/// A word, or a weight for each class; which classes there are, the labels decide.
fn schema_of_class_weights() -> Json {
    let weight = json!({"type": "number", "minimum": 1e-6, "maximum": 1e6});
    one_of(&[
        one_word_of(["balanced", "none"]),
        json!({"type": "object", "minProperties": 2, "additionalProperties": weight}),
    ])
}

fn schema_of_early_stopping() -> Json {
    let section = [
        ("patience", integer_within(1, 100_000)),
        ("min_delta", share_below_one()),
        ("monitor", one_word_of(["val_loss", "val_accuracy"])),
    ];
    one_of(&[only_word("none"), mapping_with(&[], &section)])
}

/// At least 0 and below 1.
fn share_below_one() -> Json {
    json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1})
}

/// From 0 to `max`, both included.
fn number_up_to(max: u32) -> Json {
    json!({"type": "number", "minimum": 0, "maximum": max})
}

/// Each source with the parameters that it has.
fn schema_of_labels() -> Json {
    let zigzag = (
        ZIGZAG_THRESHOLD.name,
        schema_of_parameter(&ZIGZAG_THRESHOLD),
    );

    one_of(&[
        schema_of_source("zigzag", &[zigzag]),
        schema_of_source(
            "zigzag_window",
            &[
                ("threshold", any_fraction()),
                ("lookahead", bars_from(1)),
                ("min_swing_length", bars_from(0)),
            ],
        ),
        schema_of_source("forward_return", &[("horizon", bars_from(1))]),
        schema_of_source(
            "context",
            &[
                ("horizon", bars_from(1)),
                ("bullish_threshold", json!({"type": "number"})),
                ("bearish_threshold", json!({"type": "number"})),
            ],
        ),
        schema_of_source("regime", &regime_parameters()),
        schema_of_source(
            "efficiency_regime",
            &[
                ("horizon", bars_from(2)),
                ("trending_threshold", any_share()),
                ("vol_lookback", bars_from(2)),
                ("vol_crisis_threshold", number_above_zero()),
            ],
        ),
        schema_of_source("triple_barrier", &barrier_parameters()),
    ])
}

fn regime_parameters() -> [(&'static str, Json); 6] {
    [
        ("macro_atr_mult", number_above_zero()),
        ("micro_atr_mult", number_above_zero()),
        ("atr_period", bars_from(2)),
        ("vol_lookback", bars_from(2)),
        ("vol_crisis_threshold", number_above_zero()),
        ("progression_tolerance", any_share()),
    ]
}

fn barrier_parameters() -> [(&'static str, Json); 8] {
    let choice = json!({"type": "boolean", "default": false});

    [
        ("pt_multiplier", number_above_zero()),
        ("sl_multiplier", number_above_zero()),
        ("max_holding_period", bars_from(1)),
        ("vol_span", bars_from(1)),
        ("vol_method", one_word_of(["atr", "std"])),
        ("cusum_threshold", number_above_zero()),
        ("cusum_multiplier", number_above_zero()),
        ("compute_weights", choice),
    ]
}

fn schema_of_source(name: &str, parameters: &[(&str, Json)]) -> Json {
    let source = ("source", only_word(name));
    let properties: Vec<(&str, Json)> = std::iter::once(source)
        .chain(parameters.iter().cloned())
        .collect();
    mapping_with(&["source"], &properties)
}

/// A number of bars.
fn bars_from(min: u32) -> Json {
    integer_within(min, 100_000)
}
