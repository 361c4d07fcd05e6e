//! What an operation is about, in a few words for lists.

use std::collections::BTreeMap;

use crate::errors::shortened;
use crate::sweep;

/// Longest text, in bytes.
const BYTES_MAX: usize = 60;
/// The labels that say most, in the order in which they are read.
const TELLING: [&str; 4] = ["strategy", "model", "symbol", "timeframe"];

/// What an operation with these labels is about: `AAPL 1d`, `eurusd_rsi_macd EURUSD 1h`. Without
/// any of the usual labels it is all of them with their names. A training of a sweep is its place
/// there: `training 7 seed 42 fold 2 learning_rate=1e-3`, `15 trainings fold 2`.
pub fn about(labels: &BTreeMap<String, String>) -> String {
    let mut words: Vec<&str> = Vec::new();
    if labels.contains_key(sweep::TRAINING) || labels.contains_key(sweep::BUNDLE) {
        for (key, name) in sweep::PLACE {
            if let Some(value) = labels.get(key) {
                words.extend([name, value].into_iter().filter(|word| !word.is_empty()));
            }
        }
        return shortened(&words.join(" "), BYTES_MAX);
    }

    for key in TELLING {
        // A model that is called like its strategy would only say the same again.
        let value = labels.get(key).map(String::as_str);
        words.extend(value.filter(|value| !words.contains(value)));
    }

    if words.is_empty() {
        for (key, value) in labels {
            words.extend([key.as_str(), value.as_str()]);
        }
    }
    shortened(&words.join(" "), BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about_of(labels: &[(&str, &str)]) -> String {
        let labels = labels.iter();
        about(
            &labels
                .map(|label| (label.0.to_owned(), label.1.to_owned()))
                .collect(),
        )
    }

    #[test]
    fn the_labels_that_say_most_come_without_their_names() {
        let labels = [("mode", "tail"), ("symbol", "AAPL"), ("timeframe", "1d")];
        assert_eq!(about_of(&labels), "AAPL 1d");
        let labels = [("model", "rsi"), ("strategy", "rsi"), ("symbol", "EURUSD")];
        assert_eq!(about_of(&labels), "rsi EURUSD");
        assert_eq!(about_of(&[("iterations", "100")]), "iterations 100");
    }

    #[test]
    fn a_training_of_a_sweep_is_its_place_there() {
        let labels = [
            ("strategy", "rsi"),
            ("training", "7"),
            ("combination", "epochs=5"),
            ("seed", "42"),
            ("fold", "2"),
        ];
        assert_eq!(about_of(&labels), "training 7 seed 42 fold 2 epochs=5");
        assert_eq!(about_of(&labels[..2]), "training 7");

        let bundle = [
            ("strategy", "rsi"),
            ("bundle", "15 trainings"),
            ("fold", "2"),
        ];
        assert_eq!(about_of(&bundle), "15 trainings fold 2");
    }
}
