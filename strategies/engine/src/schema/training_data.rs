//! The schema of the `training_data` section.

use serde_json::{Value as Json, json};

use super::values::{
    any_text, any_timeframe, integer_within, list_from, mapping_with, one_of, only_word,
};
use crate::strategy::SYMBOLS_MAX;

pub(super) fn schema_of_training_data() -> Json {
    mapping_with(
        &["symbols", "timeframes"],
        &[
            ("symbols", schema_of_symbols()),
            ("timeframes", schema_of_timeframes()),
            ("history_required", integer_within(50, 10_000_000)),
            ("start_date", any_text()),
            ("end_date", any_text()),
            ("sealed_from", any_text()),
        ],
    )
}

/// One symbol, or a list under one of its two names.
fn schema_of_symbols() -> Json {
    let list = json!({
        "type": "array",
        "minItems": 1,
        "maxItems": SYMBOLS_MAX,
        "items": any_text(),
    });
    let single = [("mode", only_word("single")), ("symbol", any_text())];
    let several = ["list", "symbols"].map(|key| {
        let properties = [("mode", only_word("multi_symbol")), (key, list.clone())];
        mapping_with(&["mode", key], &properties)
    });

    let [list, symbols] = several;
    one_of(&[mapping_with(&["mode", "symbol"], &single), list, symbols])
}

/// One timeframe, or a list under one of its two names.
fn schema_of_timeframes() -> Json {
    let single = [
        ("mode", only_word("single")),
        ("timeframe", any_timeframe()),
        ("base_timeframe", any_timeframe()),
    ];

    // Two or more: a list of one is written with mode single.
    let several = ["list", "timeframes"].map(|key| {
        let properties = [
            ("mode", only_word("multi_timeframe")),
            (key, list_from(2, any_timeframe())),
            ("base_timeframe", any_timeframe()),
        ];
        mapping_with(&["mode", key], &properties)
    });

    let [list, timeframes] = several;
    let single = mapping_with(&["mode", "timeframe"], &single);
    one_of(&[single, list, timeframes])
}
