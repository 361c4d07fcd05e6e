//! The schema of the `training` section, labels included.

use serde_json::{Value as Json, json};

use super::indicators::schema_of_parameter;
use super::values::{
    any_fraction, any_share, any_text, integer_within, mapping_with, number_above_zero,
    number_from_zero, one_of, one_word_of, only_word,
};
use crate::indicators::ZIGZAG_THRESHOLD;

pub(super) fn schema_of_training() -> Json {
    let losses = ["cross_entropy", "focal", "huber", "mse"];
    let early_stopping = [
        ("patience", integer_within(1, 100_000)),
        ("min_delta", number_from_zero()),
        ("monitor", only_word("val_loss")),
    ];
    let shares = [
        ("train", any_fraction()),
        ("validation", any_fraction()),
        ("test", any_fraction()),
    ];
    let dates = [("validation_start", any_text()), ("test_start", any_text())];

    mapping_with(
        &["labels"],
        &[
            ("labels", schema_of_labels()),
            ("epochs", integer_within(1, 100_000)),
            ("learning_rate", number_above_zero()),
            ("batch_size", integer_within(1, 1_000_000)),
            ("loss", one_word_of(losses)),
            ("focal_gamma", number_from_zero()),
            ("huber_delta", number_above_zero()),
            ("weight_decay", number_from_zero()),
            ("gradient_clip", number_from_zero()),
            ("early_stopping", mapping_with(&[], &early_stopping)),
            ("threads", integer_within(1, 64)),
            ("optimizer", only_word("adam")),
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
        ],
    )
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
