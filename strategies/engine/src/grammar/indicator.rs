//! The `indicators` section: each entry a type with parameters.

use std::collections::BTreeMap;

use super::inputs::{check_id, entries};
use crate::fields::{Fields, wrong_type};
use crate::finding::Finding;
use crate::indicators::{self, Indicator, IndicatorSpec, ParameterError, ParameterKind, Value};
use crate::yaml::{Content, Entry};

/// Ids that would shadow a price column.
const PRICE_COLUMNS: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// An indicator as far as it could be read: references to a broken one are still checked.
pub(super) struct IndicatorDraft<'a> {
    pub(super) id: &'a str,
    pub(super) spec: Option<&'static IndicatorSpec>,
    pub(super) indicator: Option<Indicator>,
}

pub(super) fn read<'a>(section: &Fields<'a>) -> Vec<IndicatorDraft<'a>> {
    let entries = entries(section);
    if entries.is_empty() && section.is_mapping() {
        section.sink.push(Finding::error(
            &section.path,
            section.line,
            "indicators.empty",
            "there is no indicator",
        ));
    }
    entries
        .into_iter()
        .map(|entry| read_indicator(section, entry))
        .collect()
}

fn read_indicator<'a>(section: &Fields<'a>, entry: &'a Entry) -> IndicatorDraft<'a> {
    check_id(section, entry);
    if PRICE_COLUMNS.contains(&entry.key.as_str()) {
        section.finding(
            &entry.key,
            "id.price_column",
            "this id is the name of a price column: choose another",
        );
    }
    let fields = Fields::of(&entry.value, section.at(&entry.key), section.sink);
    let name = fields.required("type").and_then(|_| fields.text("type"));
    let spec = name.and_then(|name| known_type(&fields, name));
    if fields.has("data_source") {
        fields.node("data_source");
        fields.finding(
            "data_source",
            "feature.unsupported",
            "context series are not supported yet: remove the key",
        );
    }
    let mut parameters = BTreeMap::new();
    for parameter in fields.rest() {
        let value = match &parameter.value.content {
            Content::Integer(value) => Value::Integer(*value),
            Content::Float(value) => Value::Float(*value),
            Content::Boolean(value) => Value::Boolean(*value),
            Content::Text(value) => Value::Text(value.clone()),
            Content::Null | Content::List(_) | Content::Map(_) => {
                section.sink.push(wrong_type(
                    &fields.at(&parameter.key),
                    &parameter.value,
                    "a number, a word or a boolean",
                ));
                continue;
            }
        };
        parameters.insert(parameter.key.clone(), value);
    }
    let indicator = spec.and_then(|spec| match Indicator::new(spec, &parameters) {
        Ok(indicator) => Some(indicator),
        Err(errors) => {
            errors
                .iter()
                .for_each(|error| section.sink.push(parameter_finding(&fields, error)));
            None
        }
    });
    IndicatorDraft {
        id: &entry.key,
        spec,
        indicator,
    }
}

fn known_type(fields: &Fields<'_>, name: &str) -> Option<&'static IndicatorSpec> {
    let spec = indicators::find(name);
    if spec.is_some() {
        return spec;
    }
    let line = fields.line_of("type");
    if let Some(label) = indicators::find_label_only(name) {
        let message = format!(
            "{} is a label source and never an input: {}",
            label.name, label.reason
        );
        fields.sink.push(Finding::error(
            fields.at("type"),
            line,
            "indicator.repaints",
            message,
        ));
        return None;
    }
    let finding = Finding::error(
        fields.at("type"),
        line,
        "indicator.unknown",
        format!("`{name}` is no indicator type"),
    );
    let known = indicators::specs().iter().map(|spec| spec.name);
    let nearest = indicators::nearest_name(name).map(str::to_owned);
    fields.sink.push(Finding {
        nearest,
        ..finding.allowing(name, known)
    });
    None
}

fn parameter_finding(fields: &Fields<'_>, error: &ParameterError) -> Finding {
    let key = error.parameter();
    let finding =
        |rule| Finding::error(fields.at(key), fields.line_of(key), rule, error.to_string());
    match error {
        ParameterError::Unknown { nearest, known, .. } => {
            let nearest = nearest.map(str::to_owned);
            Finding {
                nearest,
                ..finding("indicator.parameter").allowing("", known)
            }
        }
        ParameterError::WrongType { parameter, .. } => match parameter.kind {
            ParameterKind::Choice { options, .. } => finding("value.type").allowing("", options),
            _ => finding("value.type"),
        },
        ParameterError::OutOfBounds {
            parameter, found, ..
        } => match (&parameter.kind, found) {
            (ParameterKind::Choice { options, .. }, Value::Text(word)) => {
                finding("value.unknown").allowing(word, *options)
            }
            _ => finding("value.range"),
        },
    }
}
