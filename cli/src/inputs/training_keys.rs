//! Keys of a strategy's section `training`, as `--set training.optimizer=sgd` changes them.

use serde_json::{Map, Value, json};
use strategies::value_of_text;

/// What keys of the section begin with where `--set` of a training names them. No setting of the
/// program does.
pub(crate) const TRAINING_PREFIX: &str = "training.";

/// Puts what `text` means in a strategy file at `key`: a key of the section, or one of a section in
/// it, as in `early_stopping.patience`. Whether the section has such a key, the grammar decides.
pub(crate) fn put_training_key(changes: &mut Map<String, Value>, key: &str, text: &str) {
    let value = value_of_text(text);
    let Some((section, key)) = key.split_once('.') else {
        changes.insert(key.to_owned(), value);
        return;
    };

    // A schedule that was named before is the type of its section.
    let entry = changes.entry(section).or_insert_with(|| json!({}));
    if let Value::String(word) = entry {
        *entry = json!({ "type": word });
    }
    match entry {
        Value::Object(fields) => {
            fields.insert(key.to_owned(), value);
        }
        other => *other = json!({ key: value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes_of(pairs: &[(&str, &str)]) -> Value {
        let mut changes = Map::new();
        for (key, text) in pairs {
            put_training_key(&mut changes, key, text);
        }
        Value::Object(changes)
    }

    #[test]
    fn a_text_is_the_value_that_a_file_would_have() {
        let changes = changes_of(&[
            ("optimizer", "sgd"),
            ("momentum", "0.8"),
            ("class_weights", "{BUY: 2, HOLD: 1, SELL: 2}"),
        ]);
        let expected = json!({
            "optimizer": "sgd", "momentum": 0.8, "class_weights": {"BUY": 2, "HOLD": 1, "SELL": 2},
        });
        assert_eq!(changes, expected);
    }

    #[test]
    fn keys_of_a_section_come_together() {
        let changes = changes_of(&[
            ("early_stopping.patience", "3"),
            ("early_stopping.monitor", "val_accuracy"),
            ("lr_scheduler", "step"),
            ("lr_scheduler.gamma", "0.5"),
        ]);
        let expected = json!({
            "early_stopping": {"patience": 3, "monitor": "val_accuracy"},
            "lr_scheduler": {"type": "step", "gamma": 0.5},
        });
        assert_eq!(changes, expected);
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let changes = changes_of(&[("lr_scheduler.gamma", "0.5"), ("lr_scheduler", "cosine")]);
        assert_eq!(changes, json!({"lr_scheduler": "cosine"}));
    }
}
