//! Schemas of single values, and of a mapping with certain keys.

use market::timeframe_pattern;
use serde_json::{Map, Value as Json, json};

/// A text that is not empty.
pub(super) fn any_text() -> Json {
    json!({"type": "string", "minLength": 1})
}

/// An id of an indicator, a fuzzy set or a member.
pub(super) fn any_id() -> Json {
    json!({"pattern": "^[A-Za-z0-9_-]{1,64}$"})
}

pub(super) fn integer_within(min: u32, max: u32) -> Json {
    json!({"type": "integer", "minimum": min, "maximum": max})
}

pub(super) fn number_above_zero() -> Json {
    json!({"type": "number", "exclusiveMinimum": 0})
}

pub(super) fn number_from_zero() -> Json {
    json!({"type": "number", "minimum": 0})
}

/// From 0 to 1, both included.
pub(super) fn any_share() -> Json {
    json!({"type": "number", "minimum": 0, "maximum": 1})
}

/// Above 0 and below 1.
pub(super) fn any_fraction() -> Json {
    json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})
}

/// One of these words or numbers.
pub(super) fn one_word_of<T: serde::Serialize>(words: T) -> Json {
    json!({ "enum": words })
}

/// This word and no other.
pub(super) fn only_word(word: &str) -> Json {
    json!({ "const": word })
}

/// What the definition of `$defs/timeframe` allows.
pub(super) fn any_timeframe() -> Json {
    json!({"$ref": "#/$defs/timeframe"})
}

/// The definition to which [`any_timeframe`] refers.
pub(super) fn define_timeframe() -> Json {
    json!({"type": "string", "pattern": timeframe_pattern()})
}

pub(super) fn list_from(count_min: usize, items: Json) -> Json {
    json!({"type": "array", "minItems": count_min, "items": items})
}

/// A value that fits exactly one of the schemas.
pub(super) fn one_of(schemas: &[Json]) -> Json {
    json!({ "oneOf": schemas })
}

/// A mapping with these keys and no others.
pub(super) fn mapping_with(required: &[&str], properties: &[(&str, Json)]) -> Json {
    let properties: Map<String, Json> = properties
        .iter()
        .map(|(key, schema)| ((*key).to_owned(), schema.clone()))
        .collect();

    // A key that is not listed is refused, as the grammar does.
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Adds what an editor shows for the value.
pub(super) fn add_description(schema: &mut Json, text: &str) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(text));
    }
}
