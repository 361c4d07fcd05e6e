//! The `indicators` section: each entry a type with parameters.

use std::collections::BTreeMap;

use super::drafts::IndicatorDraft;
use super::entries::{check_id, read_entries};
use crate::fields::{Fields, wrong_type};
use crate::finding::Finding;
use crate::indicators::{self, Indicator, IndicatorSpec, ParameterError, ParameterKind, Value};
use crate::yaml::{Content, Entry};

/// Ids that would shadow a price column.
const PRICE_COLUMNS: [&str; 5] = ["open", "high", "low", "close", "volume"];

pub(super) fn read_indicators<'a>(section: &Fields<'a>) -> Vec<IndicatorDraft<'a>> {
    let entries = read_entries(section);

    // A section that is not a mapping has no entries either, and is a finding already.
    if entries.is_empty() && section.is_mapping() {
        section.add_own_error("indicators.empty", "the section has no indicator");
    }

    entries
        .into_iter()
        .map(|entry| read_indicator(section, entry))
        .collect()
}

fn read_indicator<'a>(section: &Fields<'a>, entry: &'a Entry) -> IndicatorDraft<'a> {
    check_id(section, entry);
    if PRICE_COLUMNS.contains(&entry.key.as_str()) {
        section.add_error(
            &entry.key,
            "id.price_column",
            "this id is the name of a price column: choose another",
        );
    }

    let fields = Fields::of(&entry.value, section.path_of(&entry.key), section.sink);
    let spec = fields
        .required_text("type")
        .and_then(|name| find_type(&fields, name));
    if fields.node("data_source").is_some() {
        fields.add_error(
            "data_source",
            "feature.unsupported",
            "context series are not supported yet: remove the key",
        );
    }

    // Parameters of an unknown type are read all the same: their kind can be wrong for every type.
    let parameters = read_parameters(&fields);
    let indicator = spec.and_then(|spec| build_indicator(&fields, spec, &parameters));
    IndicatorDraft {
        id: &entry.key,
        spec,
        indicator,
    }
}

/// Everything but `type` and `data_source`; the type decides whether it has such parameters.
fn read_parameters(fields: &Fields<'_>) -> BTreeMap<String, Value> {
    let mut parameters = BTreeMap::new();
    // Parameters have no fixed keys: whatever the entry does not claim itself is one.
    for entry in fields.unread_entries() {
        match value_of(&entry.value.content) {
            Some(value) => {
                parameters.insert(entry.key.clone(), value);
            }
            None => {
                let path = fields.path_of(&entry.key);
                let expected = "a number, a word or a boolean";
                fields.sink.push(wrong_type(&path, &entry.value, expected));
            }
        }
    }

    parameters
}

fn value_of(content: &Content) -> Option<Value> {
    match content {
        Content::Integer(value) => Some(Value::Integer(*value)),
        Content::Float(value) => Some(Value::Float(*value)),
        Content::Boolean(value) => Some(Value::Boolean(*value)),
        Content::Text(value) => Some(Value::Text(value.clone())),
        Content::Null | Content::List(_) | Content::Map(_) => None,
    }
}

fn build_indicator(
    fields: &Fields<'_>,
    spec: &'static IndicatorSpec,
    parameters: &BTreeMap<String, Value>,
) -> Option<Indicator> {
    let errors = match Indicator::new(spec, parameters) {
        Ok(indicator) => return Some(indicator),
        Err(errors) => errors,
    };

    // One run reports every parameter that the type refuses.
    for error in &errors {
        fields.sink.push(parameter_finding(fields, error));
    }
    None
}

/// The type of that name. An unknown name, or one of a label source, is a finding.
fn find_type(fields: &Fields<'_>, name: &str) -> Option<&'static IndicatorSpec> {
    let spec = indicators::find(name);
    if spec.is_some() {
        return spec;
    }

    if let Some(label) = indicators::find_label_only(name) {
        let message = format!(
            "{} is a label source and cannot be an input: {}",
            label.name, label.reason
        );
        fields.add_error("type", "indicator.repaints", message);
        return None;
    }

    let message = format!("`{name}` is not an indicator type");
    let finding = fields.error_at("type", "indicator.unknown", message);
    let type_names = indicators::specs().iter().map(|spec| spec.name);
    // Aliases are not listed, but a misspelt one leads to its type.
    let nearest = indicators::nearest_name(name).map(str::to_owned);
    fields.sink.push(Finding {
        nearest,
        ..finding.allowing(name, type_names)
    });
    None
}

/// The finding for a parameter that its type refuses.
fn parameter_finding(fields: &Fields<'_>, error: &ParameterError) -> Finding {
    let key = error.parameter();
    let message = error.to_string();

    // The rule is the one that the grammar uses for the same fault in other sections.
    match error {
        ParameterError::Unknown {
            nearest,
            known: names,
            ..
        } => {
            let finding = fields.error_at(key, "indicator.parameter", message);
            Finding {
                nearest: nearest.map(str::to_owned),
                ..finding.allowing("", names)
            }
        }
        ParameterError::WrongType { parameter, .. } => {
            let finding = fields.error_at(key, "value.type", message);
            match parameter.kind {
                ParameterKind::Choice { options, .. } => finding.allowing("", options),
                _ => finding,
            }
        }
        ParameterError::OutOfBounds {
            parameter,
            found: value,
            ..
        } => match (&parameter.kind, value) {
            (ParameterKind::Choice { options, .. }, Value::Text(word)) => fields
                .error_at(key, "value.unknown", message)
                .allowing(word, *options),
            _ => fields.error_at(key, "value.range", message),
        },
    }
}
