//! Reads the sections of a strategy file in their order, and joins them.

use super::{costs, decisions, model, recurrent, sections, training, training_data};
use crate::fields::{Fields, RetiredKey};
use crate::finding::Findings;
use crate::strategy::{Decisions, NAME_LENGTH_MAX, Strategy, TrainingSection, is_name, signals_of};

const RETIRED_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "scope",
        "key.no_effect",
        "this key had no effect in earlier versions either: remove it",
    ),
    RetiredKey::new(
        "deployment",
        "key.no_effect",
        "nothing reads this section: remove it",
    ),
    RetiredKey::new(
        "context_data",
        "feature.unsupported",
        "context series are not supported yet",
    ),
    RetiredKey::new(
        "feature_id",
        "grammar.version",
        "this is a key of grammar version 1 or 2: write version 3",
    ),
];

/// Reads all sections. `None` when one of them cannot be used, in which case there is a finding.
pub(super) fn read_strategy(fields: Fields<'_>) -> Option<Strategy> {
    let name = read_name(&fields);
    let version = fields.text("version").unwrap_or("3.0").to_owned();
    let description = fields.text("description").map(str::to_owned);

    // Every section is read before the first unusable one ends the work: an author wants to see the
    // findings of all of them.
    let data = fields
        .required_section("training_data")
        .map(training_data::read_training_data)
        .unwrap_or_default();
    let model = fields.required_section("model").and_then(model::read_model);
    let sections = sections::read_sections(&fields, &data.timeframes, model.as_ref());
    let decisions = fields
        .required_section("decisions")
        .map(decisions::read_decisions)
        .unwrap_or_default();
    let symbols = data.data.as_ref().map(|data| data.symbols.as_slice());
    let costs = fields
        .section("costs")
        .map(|section| costs::read_costs(section, symbols.unwrap_or_default()));
    let training = fields
        .required_section("training")
        .and_then(|section| training::read_training(section, decisions.output_format));
    training_data::check_sealed_split(&fields, data.data.as_ref(), training.as_ref());
    recurrent::check_windows(&fields, model.as_ref(), training.as_ref());
    fields.finish(RETIRED_KEYS);

    let sections = sections?;
    let training = training?;
    let costs = match costs {
        None => None,
        Some(costs) => Some(costs?),
    };
    Some(Strategy {
        name: name?.to_owned(),
        version,
        description,
        data: data.data?,
        indicators: sections.indicators,
        fuzzy_sets: sections.fuzzy_sets,
        inputs: sections.inputs,
        model: model?,
        decisions: with_signals_of_labels(decisions.decisions?, &training),
        costs,
        training,
        warnings: Findings::default(),
    })
}

fn read_name<'a>(fields: &Fields<'a>) -> Option<&'a str> {
    let name = fields.required_text("name")?;
    if !is_name(name) {
        let message = format!(
            "`{name}` is not a valid name: use 1 to {NAME_LENGTH_MAX} characters of a-z, 0-9, _ \
             and -, starting with a letter or a digit"
        );
        fields.add_error("name", "name.form", message);
    }

    // An invalid name is used as it is: the finding alone makes the strategy unusable.
    Some(name)
}

/// What a class suggests depends on the label source, which another section names.
fn with_signals_of_labels(decisions: Decisions, training: &TrainingSection) -> Decisions {
    match decisions {
        Decisions::Classification {
            confidence_threshold,
            ..
        } => Decisions::Classification {
            confidence_threshold,
            signals: signals_of(&training.labels),
        },
        regression @ Decisions::Regression { .. } => regression,
    }
}
