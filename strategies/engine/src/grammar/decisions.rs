//! The `decisions` section: what a prediction is, and when it suggests something.

use crate::fields::{Fields, RetiredKey};
use crate::strategy::{CLASS_SIGNALS, Decisions};
use crate::yaml::Content;

/// The probability that a decision needs unless the strategy says another one.
const CONFIDENCE_THRESHOLD: f64 = 0.5;

const RETIRED_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "position_awareness",
        "decisions.unsupported",
        POSITION_DEPENDENT,
    ),
    RetiredKey::new(
        "allow_short_from_flat",
        "decisions.unsupported",
        POSITION_DEPENDENT,
    ),
    RetiredKey::new(
        "filters",
        "decisions.unsupported",
        "filters between signals come with back-tests, which are not supported yet: remove the \
         section",
    ),
    RetiredKey::new(
        "num_classes",
        "key.no_effect",
        "the label source decides the number of classes: remove the key",
    ),
];

const POSITION_DEPENDENT: &str = "decisions that depend on a position come with back-tests, \
     which are not supported yet: remove the key";

/// What the network puts out.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum OutputFormat {
    Classification,
    Regression,
}

/// The `decisions` section as far as it could be read.
#[derive(Default)]
pub(super) struct DecisionsDraft {
    /// The output format, even of decisions that are incomplete: the labels and the loss must fit
    /// it.
    pub(super) output_format: Option<OutputFormat>,
    pub(super) decisions: Option<Decisions>,
}

/// Reads the section `decisions`.
pub(super) fn read_decisions(fields: Fields<'_>) -> DecisionsDraft {
    let output_format = read_output_format(&fields);
    let confidence_threshold = read_confidence_threshold(&fields);

    let cost_model = match output_format {
        Some(OutputFormat::Regression) => {
            if fields.has("confidence_threshold") {
                let message = "a regression has no confidence: remove the key";
                fields.add_error("confidence_threshold", "key.no_effect", message);
            }
            fields.required_section("cost_model")
        }
        Some(OutputFormat::Classification) => {
            // The whole section has to go, so its content does not matter.
            if fields.node("cost_model").is_some() {
                let message = "only a regression is compared with its costs: remove the section";
                fields.add_error("cost_model", "key.no_effect", message);
            }
            None
        }
        None => fields.section("cost_model"),
    };
    let regression = cost_model.and_then(read_cost_model);
    fields.finish(RETIRED_KEYS);

    let decisions = match output_format {
        Some(OutputFormat::Regression) => regression,
        Some(OutputFormat::Classification) => Some(Decisions::Classification {
            confidence_threshold,
            signals: CLASS_SIGNALS,
        }),
        None => None,
    };
    DecisionsDraft {
        output_format,
        decisions,
    }
}

/// A probability; absent for `auto`.
fn read_confidence_threshold(fields: &Fields<'_>) -> Option<f64> {
    let key = "confidence_threshold";
    if let Some(Content::Text(word)) = fields.node(key).map(|node| &node.content)
        && word == "auto"
    {
        return None;
    }

    let legal = "a probability from 0 to 1, or auto";
    let threshold = fields.number(key, legal, |value| (0.0..=1.0).contains(&value));
    Some(threshold.unwrap_or(CONFIDENCE_THRESHOLD))
}

/// Classification unless the key is written; `None` when it is written and cannot be read.
fn read_output_format(fields: &Fields<'_>) -> Option<OutputFormat> {
    let formats = [
        ("classification", OutputFormat::Classification),
        ("regression", OutputFormat::Regression),
    ];
    let output_format = fields.word("output_format", &formats);

    // A word that could not be read leaves the format open: nothing is checked against it.
    if fields.has("output_format") || !fields.is_mapping() {
        output_format
    } else {
        Some(OutputFormat::Classification)
    }
}

fn read_cost_model(section: Fields<'_>) -> Option<Decisions> {
    section.required("round_trip_cost");
    section.required("min_edge_multiplier");

    // Without costs every prediction would be worth a trade, so neither has a default.
    let round_trip_cost =
        section.positive_number("round_trip_cost", "a fraction of the price above 0");
    let min_edge_multiplier = section.positive_number("min_edge_multiplier", "a number above 0");
    section.finish(&[]);

    Some(Decisions::Regression {
        round_trip_cost: round_trip_cost?,
        min_edge_multiplier: min_edge_multiplier?,
    })
}

/// Reports a word that belongs to the other output format, with those that would fit.
pub(super) fn report_wrong_format(
    fields: &Fields<'_>,
    key: &str,
    message: &str,
    fitting_words: &[&str],
) {
    let finding = fields.error_at(key, "format.conflict", message);
    fields.sink.push(finding.allowing("", fitting_words));
}
