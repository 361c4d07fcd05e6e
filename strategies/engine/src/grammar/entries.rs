//! What the sections `indicators` and `fuzzy_sets` have in common: entries by id, and references to
//! an indicator or to one of its outputs.

use super::drafts::IndicatorDraft;
use crate::fields::Fields;
use crate::indicators::IndicatorSpec;
use crate::strategy::OutputRef;
use crate::yaml::Entry;

/// Most entries of each of the sections `indicators`, `fuzzy_sets` and `nn_inputs`.
pub(super) const ENTRIES_MAX: usize = 256;

/// Longest id, in characters.
const ID_LENGTH_MAX: usize = 64;

/// The message for a list that is longer than its limit.
pub(super) fn too_many_entries(count: usize) -> String {
    format!("there are {count} entries; at most {ENTRIES_MAX} are allowed")
}

/// The entries of a section, up to the limit.
pub(super) fn read_entries<'a>(section: &Fields<'a>) -> Vec<&'a Entry> {
    let mut entries: Vec<&Entry> = section.unread_entries().collect();
    if entries.len() > ENTRIES_MAX {
        section.add_own_error("list.long", too_many_entries(entries.len()));
    }
    entries.truncate(ENTRIES_MAX);
    entries
}

/// Reports an id that no reference could name.
pub(super) fn check_id(section: &Fields<'_>, entry: &Entry) {
    let length = entry.key.len();
    let is_plain = entry
        .key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');

    // In bytes, which are characters where the id is plain.
    if !(1..=ID_LENGTH_MAX).contains(&length) || !is_plain {
        section.add_error(
            &entry.key,
            "id.form",
            "an id has 1 to 64 letters, digits, `_` or `-`; a dot would make it unreachable",
        );
    }
}

/// Finds the output that `id` or `id.output` at `key` refers to. A reference that leads nowhere is
/// a finding.
pub(super) fn resolve_output(
    fields: &Fields<'_>,
    key: &str,
    reference: &str,
    indicators: Option<&[IndicatorDraft<'_>]>,
) -> Option<OutputRef> {
    // A section that is missing or empty is a finding already.
    let indicators = indicators.filter(|indicators| !indicators.is_empty())?;

    let id = id_of_reference(reference);
    let Some(indicator) = indicators.iter().position(|each| each.id == id) else {
        let message = format!("there is no indicator `{id}`");
        let finding = fields.error_at(key, "reference.unknown", message);
        let ids = indicators.iter().map(|each| each.id);
        fields.sink.push(finding.allowing(id, ids));
        return None;
    };

    let Some((_, output)) = reference.split_once('.') else {
        return Some(OutputRef {
            indicator,
            output: 0,
        });
    };

    // An unknown type has unknown outputs; it is a finding already.
    let spec = indicators.get(indicator)?.spec?;
    let position = spec.outputs.iter().position(|name| *name == output);
    if position.is_none() {
        let message = format!("{} has no output `{output}`", spec.name);
        let finding = fields.error_at(key, "reference.output", message);
        let references = references_to(id, spec);
        fields.sink.push(finding.allowing(reference, references));
    }
    position.map(|output| OutputRef { indicator, output })
}

/// The part before the dot, which names the indicator.
pub(super) fn id_of_reference(reference: &str) -> &str {
    reference.split_once('.').map_or(reference, |(id, _)| id)
}

/// Every reference to an indicator of that id; one with a single output has no dotted form.
fn references_to(id: &str, spec: &IndicatorSpec) -> Vec<String> {
    if spec.outputs.is_empty() {
        return vec![id.to_owned()];
    }
    spec.outputs
        .iter()
        .map(|name| format!("{id}.{name}"))
        .collect()
}
