//! JSON as nodes of a strategy file and back: requests are JSON, and their values are read by the
//! functions that read a file.

use serde_json::{Map, Value as Json};

use crate::yaml::{Content, Entry, Node, parse};

/// The mapping as a node; its lines are 0, as those of everything in a request.
pub(crate) fn node_of_map(map: &Map<String, Json>) -> Node {
    let entries = map.iter().map(|(key, value)| Entry {
        key: key.clone(),
        line: 0,
        value: node_of(value),
    });
    new_node(Content::Map(entries.collect()))
}

fn node_of(value: &Json) -> Node {
    let content = match value {
        Json::Null => Content::Null,
        Json::Bool(value) => Content::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Content::Integer(value),
            None => Content::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Content::Text(text.clone()),
        Json::Array(items) => Content::List(items.iter().map(node_of).collect()),
        Json::Object(map) => return node_of_map(map),
    };
    new_node(content)
}

fn new_node(content: Content) -> Node {
    Node { line: 0, content }
}

/// What `text` would be as the value of a key of a strategy file: `{type: step, gamma: 0.5}` is a
/// mapping, `cosine` a text. A text that is no value of YAML, or holds a number that JSON lacks, is
/// itself.
pub fn value_of_text(text: &str) -> Json {
    let value = parse(text, &mut Vec::new()).and_then(|node| json_of(&node));
    value.unwrap_or_else(|| Json::from(text))
}

fn json_of(node: &Node) -> Option<Json> {
    match &node.content {
        Content::Null => Some(Json::Null),
        Content::Boolean(value) => Some(Json::from(*value)),
        Content::Integer(value) => Some(Json::from(*value)),
        // Infinities have no form in JSON.
        Content::Float(value) => serde_json::Number::from_f64(*value).map(Json::Number),
        Content::Text(text) => Some(Json::from(text.as_str())),
        Content::List(items) => items.iter().map(json_of).collect(),
        Content::Map(entries) => {
            let values = entries
                .iter()
                .map(|entry| Some((entry.key.clone(), json_of(&entry.value)?)));
            values.collect::<Option<Map<_, _>>>().map(Json::Object)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_read_as_the_value_of_a_key() {
        assert_eq!(value_of_text("cosine"), json!("cosine"));
        assert_eq!(value_of_text("0.5"), json!(0.5));
        assert_eq!(value_of_text("7"), json!(7));
        assert_eq!(value_of_text("true"), json!(true));
        assert_eq!(
            value_of_text("{type: step, gamma: 0.5}"),
            json!({"type": "step", "gamma": 0.5})
        );
        assert_eq!(value_of_text(r#"{"BUY": 2}"#), json!({"BUY": 2}));
    }

    #[test]
    fn what_has_no_form_in_json_stays_a_text() {
        assert_eq!(value_of_text(".inf"), json!(".inf"));
        assert_eq!(value_of_text("{a: [1"), json!("{a: [1"));
        assert_eq!(value_of_text(""), json!(""));
    }

    #[test]
    fn a_mapping_in_json_reads_like_one_in_a_file() {
        let map = json!({"type": "step", "gamma": 0.5, "names": ["x", null, true, 3]});
        let node = node_of_map(map.as_object().unwrap());
        assert_eq!(json_of(&node), Some(map));
    }
}
