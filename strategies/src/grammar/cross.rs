//! Checks over all three input sections together: what nothing uses, what is given twice, what would collide.

use std::collections::BTreeMap;

use market::Timeframe;

use super::inputs::Sections;
use super::{Input, InputSource};
use crate::features::{FeatureName, feature_names};
use crate::fields::Fields;
use crate::finding::Finding;

/// Most feature columns.
const FEATURES_MAX: usize = 1_024;

/// Warns of indicators and fuzzy sets that nothing uses.
pub(super) fn warn_unused(fields: &Fields<'_>, (indicators, sets, inputs): &Sections) {
    let warn = |section: &str, id: &str, rule, message: String| {
        let line = fields.section_line(section, id);
        fields.sink.push(Finding::warning(format!("{section}.{id}"), line, rule, message));
    };
    for (index, named) in indicators.iter().enumerate() {
        let raw = |input: &Input| matches!(&input.source, InputSource::Raw { of, .. } if of.indicator == index);
        if !sets.iter().any(|set| set.of.indicator == index) && !inputs.iter().any(raw) {
            warn("indicators", &named.id, "indicator.unused", "nothing uses this indicator".to_owned());
        }
    }
    for (index, set) in sets.iter().enumerate() {
        if !inputs.iter().any(|input| input.source == InputSource::Fuzzy(index)) {
            warn("fuzzy_sets", &set.id, "fuzzy_set.unused", "no input uses this fuzzy set".to_owned());
        }
    }
}

/// Repeated inputs, and different inputs whose columns would have one name.
pub(super) fn check_names(fields: &Fields<'_>, (_, sets, inputs): &Sections, timeframes: &[Timeframe]) {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut reported = Vec::new();
    let mut columns = 0;
    for (index, input) in inputs.iter().enumerate() {
        for FeatureName { timeframe, name, .. } in feature_names(input, sets, timeframes) {
            columns += 1;
            let Some(&earlier) = first.get(&name) else {
                first.insert(name, index);
                continue;
            };
            let same = inputs.get(earlier).is_some_and(|other| same_source(&other.source, &input.source));
            if same && reported.contains(&(earlier, index)) {
                continue;
            }
            reported.push((earlier, index));
            let (rule, message) = if same {
                (
                    "nn_inputs.duplicate",
                    format!("the same input was already given for {timeframe} by nn_inputs[{earlier}]"),
                )
            } else {
                (
                    "feature.collision",
                    format!("its column `{name}` is also one of nn_inputs[{earlier}]: rename a set or a membership"),
                )
            };
            fields.sink.push(Finding::error(format!("nn_inputs[{index}]"), input.line, rule, message));
        }
    }
    if columns > FEATURES_MAX {
        fields.finding("nn_inputs", "list.long", format!("{columns} feature columns, the most is {FEATURES_MAX}"));
    }
}

fn same_source(left: &InputSource, right: &InputSource) -> bool {
    match (left, right) {
        (InputSource::Raw { of: left, .. }, InputSource::Raw { of: right, .. }) => left == right,
        _ => left == right,
    }
}
