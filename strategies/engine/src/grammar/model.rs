//! The `model` section.

use schemas::manifests::{Activation, Architecture, MlpShape};

use super::recurrent::{DROPOUT, read_recurrent};
use super::tsk::read_tsk;
use crate::fields::{Fields, RetiredKey, wrong_type};
use crate::finding::Finding;
use crate::yaml::{Content, Node};

const LAYERS_MAX: usize = 16;
const LAYER_WIDTH_MAX: i64 = 4_096;

const RETIRED_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "training",
        "key.moved",
        "this section had no effect: put epochs, learning_rate, optimizer, early_stopping and the \
         rest in the top-level `training` section",
    ),
    RetiredKey::new(
        "features",
        "key.no_effect",
        "lags and price context were never applied: write `lags: [1, 2]` in the entries of \
         nn_inputs that need them",
    ),
];

const RETIRED_ARCHITECTURE_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "output_activation",
        "key.no_effect",
        "the network emits scores, and softmax is applied when they are read: remove the key",
    ),
    RetiredKey::new(
        "sequence_length",
        "model.key",
        "this is a key of lstm and gru; an mlp sees earlier bars by `lags: [1, 2]` in nn_inputs",
    ),
    RetiredKey::new("hidden_size", "model.key", RECURRENT_KEY),
    RetiredKey::new("num_layers", "model.key", RECURRENT_KEY),
    RetiredKey::new("rules", "model.key", RULES_KEY),
    RetiredKey::new("rules_from", "model.key", RULES_KEY),
];

const RULES_KEY: &str = "this is a key of tsk; an mlp has hidden_layers";
const RECURRENT_KEY: &str = "this is a key of lstm and gru; an mlp has hidden_layers";

/// The word of `type`.
#[derive(Clone, Copy)]
enum Family {
    Mlp,
    Lstm,
    Gru,
    Tsk,
}

/// Reads `model`; `None` after an error.
pub(super) fn read_model(fields: Fields<'_>) -> Option<Architecture> {
    // Both are read before the first `?`, so that every fault is reported at once.
    let words = [
        ("mlp", Family::Mlp),
        ("lstm", Family::Lstm),
        ("gru", Family::Gru),
        ("tsk", Family::Tsk),
    ];
    let family = fields.required_word("type", &words);
    let section = fields.required_section("architecture");
    let architecture = section.and_then(|section| read_architecture(section, family));
    fields.finish(RETIRED_KEYS);

    family?;
    architecture
}

/// Reads the layers of a family; without one those of the family that the keys look like.
fn read_architecture(fields: Fields<'_>, family: Option<Family>) -> Option<Architecture> {
    let likely = if fields.has("sequence_length") {
        Family::Lstm
    } else if fields.has("rules") || fields.has("rules_from") {
        Family::Tsk
    } else {
        Family::Mlp
    };

    match family.unwrap_or(likely) {
        Family::Mlp => read_mlp(fields).map(Architecture::Mlp),
        Family::Lstm => read_recurrent(fields).map(Architecture::Lstm),
        Family::Gru => read_recurrent(fields).map(Architecture::Gru),
        Family::Tsk => read_tsk(fields).map(Architecture::Tsk),
    }
}

fn read_mlp(fields: Fields<'_>) -> Option<MlpShape> {
    let hidden_layers = read_hidden_layers(&fields);
    let dropout = fields.number("dropout", DROPOUT, |value| (0.0..1.0).contains(&value));
    let activations = [
        ("relu", Activation::Relu),
        ("tanh", Activation::Tanh),
        ("sigmoid", Activation::Sigmoid),
        ("leaky_relu", Activation::LeakyRelu),
    ];
    let activation = fields.word("activation", &activations);
    fields.finish(RETIRED_ARCHITECTURE_KEYS);

    Some(MlpShape {
        hidden_layers: hidden_layers?,
        activation: activation.unwrap_or(Activation::Relu),
        dropout: dropout.unwrap_or(0.2),
    })
}

fn read_hidden_layers(fields: &Fields<'_>) -> Option<Vec<usize>> {
    let items = fields.required_list("hidden_layers")?;

    // An empty list is legal: a network without hidden layers is linear.
    if items.len() > LAYERS_MAX {
        let message = format!(
            "{} layers are listed; at most {LAYERS_MAX} are allowed",
            items.len()
        );
        fields.add_error("hidden_layers", "list.long", message);
    }

    let path = fields.path_of("hidden_layers");
    let widths = items.iter().enumerate().map(|(index, item)| {
        let width = read_layer_width(&format!("{path}[{index}]"), item);
        width.map_err(|finding| fields.sink.push(*finding)).ok()
    });
    // Collected twice: every width is checked before the first bad one makes the list unusable.
    widths.collect::<Vec<_>>().into_iter().collect()
}

fn read_layer_width(path: &str, item: &Node) -> Result<usize, Box<Finding>> {
    let expected = format!("an integer from 1 to {LAYER_WIDTH_MAX}");
    let Content::Integer(width) = item.content else {
        return Err(Box::new(wrong_type(path, item, &expected)));
    };

    match usize::try_from(width) {
        Ok(units) if (1..=LAYER_WIDTH_MAX).contains(&width) => Ok(units),
        _ => {
            let message = format!("{width} is not {expected}");
            let finding = Finding::error(path, item.line, "value.range", message);
            Err(Box::new(finding))
        }
    }
}
