//! JSON Schema, as far as the schemas of `docs/schemas` use it: what each keyword means is said by
//! the draft 2020-12. A keyword that is not here is refused, so that none is passed over.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Keywords that say nothing about a value.
const REMARKS: [&str; 4] = ["$schema", "$defs", "title", "description"];

/// A schema with everything that its references mean.
pub(crate) struct Schema {
    document: Value,
}

impl Schema {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            document: serde_json::from_str(text).unwrap(),
        }
    }

    /// Where `value` is not as the schema says; nothing if it is.
    pub(crate) fn mistakes(&self, value: &Value) -> Vec<String> {
        let mut mistakes = Vec::new();
        self.check(&self.document, value, "", &mut mistakes);
        mistakes
    }

    fn check(&self, schema: &Value, value: &Value, place: &str, mistakes: &mut Vec<String>) {
        for (keyword, rule) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "$ref" => {
                    let pointer = rule.as_str().unwrap().trim_start_matches('#');
                    let target = self.document.pointer(pointer).unwrap();
                    self.check(target, value, place, mistakes);
                }
                "oneOf" => self.check_alternatives(rule, value, place, mistakes),
                "properties" | "additionalProperties" => {}
                "items" => {
                    let items = value.as_array().into_iter().flatten();
                    for (index, item) in items.enumerate() {
                        self.check(rule, item, &format!("{place}[{index}]"), mistakes);
                    }
                }
                remark if REMARKS.contains(&remark) => {}
                _ if holds(keyword, rule, value) => {}
                _ => mistakes.push(format!("{place}: {value} breaks {keyword} {rule}")),
            }
        }

        if let Some(fields) = value.as_object() {
            self.check_fields(schema, fields, place, mistakes);
        }
    }

    fn check_fields(
        &self,
        schema: &Value,
        fields: &Map<String, Value>,
        place: &str,
        mistakes: &mut Vec<String>,
    ) {
        for (name, field) in fields {
            let named = schema.get("properties").and_then(|all| all.get(name));
            let place = format!("{place}.{name}");
            match named.or_else(|| schema.get("additionalProperties")) {
                Some(Value::Bool(false)) => mistakes.push(format!("{place} is not in the schema")),
                Some(schema) if schema.is_object() => self.check(schema, field, &place, mistakes),
                _ => {}
            }
        }
    }

    /// Exactly one alternative must hold. Of a line of a known type its own mistakes are named.
    fn check_alternatives(
        &self,
        alternatives: &Value,
        value: &Value,
        place: &str,
        mistakes: &mut Vec<String>,
    ) {
        let mut of_each = Vec::new();
        for alternative in alternatives.as_array().unwrap() {
            let mut mistakes = Vec::new();
            self.check(alternative, value, place, &mut mistakes);
            of_each.push(mistakes);
        }
        if of_each.iter().filter(|each| each.is_empty()).count() == 1 {
            return;
        }

        of_each.sort_by_key(Vec::len);
        mistakes.extend(of_each.into_iter().next().unwrap_or_default());
        mistakes.push(format!("{place}: not exactly one alternative holds"));
    }
}

/// Whether a value fulfils a keyword that looks at nothing below it.
fn holds(keyword: &str, rule: &Value, value: &Value) -> bool {
    match keyword {
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "minimum" => value.as_f64() >= rule.as_f64(),
        "format" => value
            .as_str()
            .is_none_or(|text| text.parse::<Timestamp>().is_ok()),
        "required" => {
            let mut names = rule.as_array().unwrap().iter();
            names.all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "type" => match rule {
            Value::Array(types) => types.iter().any(|one| is_of(one, value)),
            one => is_of(one, value),
        },
        other => panic!("this program does not know the keyword {other}"),
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}

#[test]
fn a_value_that_is_not_as_its_schema_says_is_named() {
    let schema = Schema::new(
        r##"{"oneOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {
            "type": "object", "required": ["n", "at"], "additionalProperties": false,
            "properties": {"n": {"type": ["integer", "null"], "minimum": 1},
                "at": {"type": "string", "format": "date-time"},
                "list": {"type": "array", "items": {"enum": ["x", "y"]}}}}}}"##,
    );
    let mistakes_of = |text: &str| schema.mistakes(&serde_json::from_str(text).unwrap()).len();

    assert_eq!(
        mistakes_of(r#"{"n": 1, "at": "2024-01-02T10:00:00Z", "list": ["x"]}"#),
        0
    );
    // Each has its own mistake, and that no alternative holds.
    for text in [
        r#"{"n": 0, "at": "2024-01-02T10:00:00Z"}"#,
        r#"{"n": 1.5, "at": "2024-01-02T10:00:00Z"}"#,
        r#"{"n": 1}"#,
        r#"{"n": 1, "at": "yesterday"}"#,
        r#"{"n": 1, "at": "2024-01-02T10:00:00Z", "other": 1}"#,
        r#"{"n": 1, "at": "2024-01-02T10:00:00Z", "list": ["x", "z"]}"#,
    ] {
        assert_eq!(mistakes_of(text), 2, "{text}");
    }
}
