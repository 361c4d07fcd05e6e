//! How much a row of each class counts.

use std::collections::BTreeMap;

use schemas::training::ClassWeights;

use super::schedule::refuse;
use crate::fields::{Fields, number_of};
use crate::yaml::Content;

/// What a weight may be, in words.
const LEGAL_WEIGHT: &str = "a weight from 0.000001 to 1000000";

fn is_legal_weight(weight: f64) -> bool {
    (1e-6..=1e6).contains(&weight)
}

/// `class_weights`, as a word or as a weight for each of `classes`, which are `None` where the
/// labels could not be read.
pub(super) fn read_class_weights(
    fields: &Fields<'_>,
    classes: Option<&'static [&'static str]>,
) -> Option<ClassWeights> {
    let node = fields.node("class_weights")?;

    // A word stands for all classes, a section names each.
    match &node.content {
        Content::Text(_) => {
            let words = [("balanced", true), ("none", false)];
            let is_balanced = fields.word("class_weights", &words)?;
            Some(if is_balanced {
                ClassWeights::Balanced
            } else {
                ClassWeights::None
            })
        }
        Content::Map(_) => {
            let section = fields.section("class_weights")?;
            let weights = match classes {
                Some(names) if !names.is_empty() => read_weights_of(section, names),
                // Numbers have no classes, which is a finding already or will be one.
                _ => read_any_weights(&section),
            };
            weights.map(ClassWeights::ByName)
        }
        _ => {
            let expected = "`balanced`, `none`, or a weight for each class, as in {BUY: 2.0, \
                            HOLD: 1.0, SELL: 2.0}";
            refuse(fields, "class_weights", node, expected, &[])
        }
    }
}

/// A weight for each of `names`, and for nothing else.
fn read_weights_of(
    section: Fields<'_>,
    names: &'static [&'static str],
) -> Option<BTreeMap<String, f64>> {
    let mut weights = BTreeMap::new();
    let mut is_complete = true;

    // Every class is looked at before the first bad one makes the weights unusable.
    for &name in names {
        section.required(name);
        match section.number(name, LEGAL_WEIGHT, is_legal_weight) {
            Some(weight) => {
                weights.insert(name.to_owned(), weight);
            }
            None => is_complete = false,
        }
    }
    section.finish(&[]);
    is_complete.then_some(weights)
}

/// Weights of whatever classes are named.
fn read_any_weights(section: &Fields<'_>) -> Option<BTreeMap<String, f64>> {
    let mut weights = BTreeMap::new();
    let mut is_complete = true;

    // The names cannot be judged without labels, the weights can.
    for entry in section.unread_entries() {
        match number_of(&entry.value.content).filter(|weight| is_legal_weight(*weight)) {
            Some(weight) => {
                weights.insert(entry.key.clone(), weight);
            }
            None => {
                let message = format!("expected {LEGAL_WEIGHT}");
                section.add_error(&entry.key, "value.range", message);
                is_complete = false;
            }
        }
    }
    is_complete.then_some(weights)
}
