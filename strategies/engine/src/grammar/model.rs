//! The `model` and `decisions` sections.

use schemas::manifests::{Activation, NetworkKind};

use crate::fields::{Fields, Retired, wrong_type};
use crate::finding::Finding;
use crate::strategy::{CLASS_SIGNALS, Decisions, Model};
use crate::yaml::Content;

const LAYERS_MAX: usize = 16;
const LAYER_WIDTH_MAX: i64 = 4_096;

const RETIRED: &[Retired] = &[
    (
        "training",
        "key.moved",
        "this section had no effect: epochs, learning_rate, optimizer, early_stopping and the rest belong into the top-level `training` section",
    ),
    (
        "features",
        "key.no_effect",
        "lags and price context were never applied: write `lags: [1, 2]` in the entries of nn_inputs that need them",
    ),
];

const RETIRED_ARCHITECTURE: &[Retired] = &[
    (
        "output_activation",
        "key.no_effect",
        "the network emits scores and softmax is applied when they are read: remove the key",
    ),
    (
        "sequence_length",
        "model.unsupported",
        "sequences need lstm or gru, which are not supported yet",
    ),
    (
        "hidden_size",
        "model.unsupported",
        "this is a key of lstm and gru, which are not supported yet; an mlp has hidden_layers",
    ),
    (
        "num_layers",
        "model.unsupported",
        "this is a key of lstm and gru, which are not supported yet; an mlp has hidden_layers",
    ),
];

const RETIRED_DECISIONS: &[Retired] = &[
    (
        "position_awareness",
        "decisions.unsupported",
        "decisions that depend on a position come with back-tests, which are not supported yet: remove the key",
    ),
    (
        "allow_short_from_flat",
        "decisions.unsupported",
        "decisions that depend on a position come with back-tests, which are not supported yet: remove the key",
    ),
    (
        "filters",
        "decisions.unsupported",
        "filters between signals come with back-tests, which are not supported yet: remove the section",
    ),
    (
        "num_classes",
        "key.no_effect",
        "the label source decides the number of classes: remove the key",
    ),
];

/// Reads `model`; `None` after an error.
pub(super) fn read(fields: Fields<'_>) -> Option<Model> {
    let message = "recurrent networks are not supported yet: use mlp";
    let kind = fields.required("type").and_then(|_| {
        let unsupported =
            fields.is_unsupported("type", &["lstm", "gru"], "model.unsupported", message);
        if unsupported {
            None
        } else {
            fields.word("type", &[("mlp", ())])
        }
    });
    let architecture = fields
        .required_section("architecture")
        .and_then(architecture);
    fields.finish(RETIRED);
    kind.and(architecture)
}

fn architecture(fields: Fields<'_>) -> Option<Model> {
    let hidden_layers = fields
        .required("hidden_layers")
        .and_then(|_| hidden_layers(&fields));
    let dropout = fields.number("dropout", "a number of at least 0 and below 1", |value| {
        (0.0..1.0).contains(&value)
    });
    let activations = [
        ("relu", Activation::Relu),
        ("tanh", Activation::Tanh),
        ("sigmoid", Activation::Sigmoid),
        ("leaky_relu", Activation::LeakyRelu),
    ];
    let activation = fields.word("activation", &activations);
    fields.finish(RETIRED_ARCHITECTURE);
    Some(Model {
        kind: NetworkKind::Mlp,
        hidden_layers: hidden_layers?,
        activation: activation.unwrap_or(Activation::Relu),
        dropout: dropout.unwrap_or(0.2),
    })
}

fn hidden_layers(fields: &Fields<'_>) -> Option<Vec<usize>> {
    let items = fields.list("hidden_layers")?;
    if items.len() > LAYERS_MAX {
        fields.finding(
            "hidden_layers",
            "list.long",
            format!("{} layers, the most is {LAYERS_MAX}", items.len()),
        );
    }
    let wanted = format!("an integer from 1 to {LAYER_WIDTH_MAX}");
    let widths = items.iter().enumerate().map(|(index, item)| {
        let path = format!("{}[{index}]", fields.at("hidden_layers"));
        match item.content {
            Content::Integer(width) if (1..=LAYER_WIDTH_MAX).contains(&width) => {
                usize::try_from(width).ok()
            }
            Content::Integer(width) => {
                let message = format!("{width} is not {wanted}");
                fields
                    .sink
                    .push(Finding::error(path, item.line, "value.range", message));
                None
            }
            _ => {
                fields.sink.push(wrong_type(&path, item, &wanted));
                None
            }
        }
    });
    // Every width is looked at before the first bad one makes the list unusable.
    widths.collect::<Vec<_>>().into_iter().collect()
}

/// The `decisions` section as far as it could be read.
#[derive(Default)]
pub(super) struct DecisionsDraft {
    /// The output format, even of decisions that are incomplete: the labels and the loss must fit
    /// it.
    pub(super) regression: Option<bool>,
    pub(super) decisions: Option<Decisions>,
}

/// Reads `decisions`.
pub(super) fn read_decisions(fields: Fields<'_>) -> DecisionsDraft {
    let formats = [("classification", false), ("regression", true)];
    let regression = match fields.word("output_format", &formats) {
        None if fields.has("output_format") || !fields.is_mapping() => None,
        None => Some(false),
        written => written,
    };
    let share = |value: f64| (0.0..=1.0).contains(&value);
    let confidence = fields.number("confidence_threshold", "a probability from 0 to 1", share);
    let (misplaced, why) = if regression == Some(true) {
        (
            "confidence_threshold",
            "a regression has no confidence: remove the key",
        )
    } else {
        (
            "cost_model",
            "only a regression is compared with its costs: remove the section",
        )
    };
    if regression.is_some() && fields.has(misplaced) {
        fields.finding(misplaced, "key.no_effect", why);
    }
    let costs = match regression {
        Some(true) => fields.required_section("cost_model"),
        // It has to go, so that what it holds does not matter.
        Some(false) => {
            fields.node("cost_model");
            None
        }
        None => fields.section("cost_model"),
    };
    let costs = costs.and_then(cost_model);
    fields.finish(RETIRED_DECISIONS);
    let decisions = match regression {
        Some(true) => costs,
        Some(false) => Some(Decisions::Classification {
            confidence_threshold: confidence.unwrap_or(0.5),
            signals: CLASS_SIGNALS,
        }),
        None => None,
    };
    DecisionsDraft {
        regression,
        decisions,
    }
}

fn cost_model(section: Fields<'_>) -> Option<Decisions> {
    let positive = |key, wanted| {
        section
            .required(key)
            .and_then(|_| section.number(key, wanted, |value| value > 0.0))
    };
    let cost = positive("round_trip_cost", "a fraction of the price above 0");
    let edge = positive("min_edge_multiplier", "a number above 0");
    section.finish(&[]);
    Some(Decisions::Regression {
        round_trip_cost: cost?,
        min_edge_multiplier: edge?,
    })
}

/// The finding for a name that belongs to the other output format.
pub(super) fn wrong_format(fields: &Fields<'_>, key: &str, message: &str, allowed: &[&str]) {
    let finding = Finding::error(
        fields.at(key),
        fields.line_of(key),
        "format.conflict",
        message,
    );
    fields.sink.push(finding.allowing("", allowed));
}
