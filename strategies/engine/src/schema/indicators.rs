//! The schema of an entry of `indicators`, from the specifications of the types.

use serde_json::{Value as Json, json};

use super::values::{add_description, mapping_with, one_word_of};
use crate::indicators::{IndicatorSpec, ParameterKind, ParameterSpec, specs};

/// Any type with its parameters.
pub(super) fn schema_of_indicators() -> Json {
    let types: Vec<Json> = specs().iter().map(schema_of_type).collect();
    json!({ "oneOf": types })
}

/// One type with its parameters. Names and words are compared without regard to case in a file;
/// here they are lower case.
fn schema_of_type(spec: &IndicatorSpec) -> Json {
    let names: Vec<&str> = std::iter::once(spec.name)
        .chain(spec.aliases.iter().copied())
        .collect();
    let parameters = spec
        .parameters
        .iter()
        .map(|parameter| (parameter.name, schema_of_parameter(parameter)));
    let properties: Vec<(&str, Json)> = std::iter::once(("type", one_word_of(names)))
        .chain(parameters)
        .collect();

    // The formula is what an editor shows next to the type.
    let mut schema = mapping_with(&["type"], &properties);
    add_description(&mut schema, spec.formula);
    schema
}

/// One parameter with its bounds, its default value and what it does.
pub(super) fn schema_of_parameter(parameter: &ParameterSpec) -> Json {
    let mut schema = match parameter.kind {
        ParameterKind::Integer { min, max, default } => {
            json!({"type": "integer", "minimum": min, "maximum": max, "default": default})
        }
        ParameterKind::Float {
            min,
            min_exclusive,
            max,
            max_exclusive,
            default,
        } => {
            let lower_bound = if min_exclusive {
                "exclusiveMinimum"
            } else {
                "minimum"
            };
            let upper_bound = if max_exclusive {
                "exclusiveMaximum"
            } else {
                "maximum"
            };
            json!({"type": "number", lower_bound: min, upper_bound: max, "default": default})
        }
        ParameterKind::Boolean { default } => json!({"type": "boolean", "default": default}),
        ParameterKind::Choice { options, default } => json!({"enum": options, "default": default}),
    };

    // An editor shows it next to the parameter.
    add_description(&mut schema, parameter.description);
    schema
}
