//! Numbers of a stored network are bounded where they are read: a forged manifest must not ask for
//! more memory than any host has, nor for sums that no number holds.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Most units of a stored layer: 16 times what a strategy may ask for.
const WIDTH_MAX: usize = 65_536;
/// Most layers of a stored network: four times what a strategy may ask for.
const LAYERS_MAX: usize = 64;
/// Most rows of the window of a stored network.
const ROWS_MAX: usize = 65_536;

pub(super) fn read_width<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    bounded(usize::deserialize(from)?, "units of a layer", WIDTH_MAX)
}

pub(super) fn read_layers<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    bounded(usize::deserialize(from)?, "layers", LAYERS_MAX)
}

pub(super) fn read_rows<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    bounded(usize::deserialize(from)?, "rows of a window", ROWS_MAX)
}

pub(super) fn read_widths<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<usize>, D::Error> {
    let widths = Vec::<usize>::deserialize(from)?;
    bounded::<D::Error>(widths.len(), "layers", LAYERS_MAX)?;
    for width in &widths {
        bounded::<D::Error>(*width, "units of a layer", WIDTH_MAX)?;
    }
    Ok(widths)
}

fn bounded<E: Error>(number: usize, what: &str, most: usize) -> Result<usize, E> {
    if number > most {
        return Err(E::custom(format_args!(
            "{number} {what} are more than any network has; at most {most} are read"
        )));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::manifests::{MlpShape, RecurrentShape};

    fn refusal_of_recurrent(key: &str, number: u64) -> Option<String> {
        let mut shape = json!({
            "sequence_length": 20, "hidden_size": 64, "num_layers": 2, "dropout": 0.2,
        });
        shape[key] = json!(number);
        let read = serde_json::from_value::<RecurrentShape>(shape);
        read.err().map(|error| error.to_string())
    }

    #[test]
    fn a_recurrent_network_is_read_up_to_its_bounds() {
        let bounds = [
            ("hidden_size", 65_536),
            ("num_layers", 64),
            ("sequence_length", 65_536),
        ];
        for (key, most) in bounds {
            assert_eq!(refusal_of_recurrent(key, most), None, "{key}");
            let refusal = refusal_of_recurrent(key, most + 1).unwrap();
            assert!(refusal.contains("more than any network has"), "{refusal}");
        }

        assert_eq!(
            refusal_of_recurrent("num_layers", 1_000_000_000_000).unwrap(),
            "1000000000000 layers are more than any network has; at most 64 are read"
        );
    }

    fn is_read(layers: Vec<u64>) -> bool {
        let shape = json!({ "hidden_layers": layers, "activation": "relu", "dropout": 0.2 });
        serde_json::from_value::<MlpShape>(shape).is_ok()
    }

    #[test]
    fn an_mlp_is_read_up_to_its_bounds() {
        assert!(is_read(vec![65_536; 64]));
        assert!(!is_read(vec![65_537]));
        assert!(!is_read(vec![8; 65]));
    }
}
