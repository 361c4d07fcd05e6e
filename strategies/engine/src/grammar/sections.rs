//! The three sections that refer to each other: inputs to fuzzy sets and indicators, fuzzy sets to
//! indicators.

use schemas::manifests::Architecture;

use super::cross_checks;
use super::drafts::{Drafts, InputDraft, Sections};
use super::entries::{ENTRIES_MAX, too_many_entries};
use super::training_data::DraftTimeframes;
use super::{fuzzy_sets, indicators, inputs, tsk};
use crate::fields::Fields;
use crate::strategy::SetColumns;

/// Reads the three sections and checks them against each other; `None` after an error.
/// `model` decides what becomes of the inputs.
pub(super) fn read_sections(
    fields: &Fields<'_>,
    timeframes: &DraftTimeframes,
    model: Option<&Architecture>,
) -> Option<Sections> {
    let mut drafts = Drafts {
        indicators: mapping(fields, "indicators")
            .map(|section| indicators::read_indicators(&section)),
        sets: None,
        inputs: None,
    };

    // Each section refers to those before it, so they are read in this order.
    drafts.sets = mapping(fields, "fuzzy_sets")
        .map(|section| fuzzy_sets::read_fuzzy_sets(&section, drafts.indicators.as_deref()));
    drafts.inputs = read_inputs(fields, &drafts, timeframes);

    cross_checks::warn_unused(fields, &drafts);
    let set_columns = model.map(SetColumns::of).unwrap_or_default();
    cross_checks::check_names(fields, &drafts, &timeframes.listed, set_columns);
    tsk::check_inputs(fields, drafts.inputs.as_deref().unwrap_or_default(), model);
    drafts.finish()
}

/// A section that must be there, and a mapping.
fn mapping<'a>(fields: &Fields<'a>, key: &'static str) -> Option<Fields<'a>> {
    fields.required_section(key).filter(Fields::is_mapping)
}

fn read_inputs<'a>(
    fields: &Fields<'a>,
    drafts: &Drafts<'a>,
    timeframes: &DraftTimeframes,
) -> Option<Vec<InputDraft<'a>>> {
    let items = fields.required_list("nn_inputs")?;
    if items.is_empty() {
        fields.add_error("nn_inputs", "nn_inputs.empty", "the network has no input");
    }
    if items.len() > ENTRIES_MAX {
        fields.add_error("nn_inputs", "list.long", too_many_entries(items.len()));
    }

    // A list that is too long is refused already: the rest of it is not worth reading.
    let items = items.iter().take(ENTRIES_MAX).enumerate();
    let inputs = items.map(|(index, item)| {
        let entry = Fields::of(item, format!("nn_inputs[{index}]"), fields.sink);
        inputs::read_input(entry, drafts, timeframes)
    });
    Some(inputs.collect())
}
