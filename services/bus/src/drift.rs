//! Differences between what is declared and what the server has, field by field.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::BusError;

/// One difference between what is declared and what the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The stream, bucket or consumer.
    pub what: String,
    /// The setting, as the server names it; empty when the whole thing is missing.
    pub field: String,
    /// As declared here.
    pub declared: String,
    /// As found on the server.
    pub found: String,
}

impl Drift {
    pub(crate) fn missing(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            field: String::new(),
            declared: "present".to_owned(),
            found: "missing".to_owned(),
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            field,
            declared,
            found: on_server,
        } = self;

        if field.is_empty() {
            write!(formatter, "{what} is {on_server}")
        } else {
            write!(
                formatter,
                "{what} has {field} {on_server} instead of {declared}"
            )
        }
    }
}

/// Compares the wire forms field by field, so that what is declared and what is compared cannot
/// diverge.
pub(crate) fn differences<T: Serialize>(
    what: &str,
    fields: &[&str],
    declared: &T,
    on_server: &T,
) -> Vec<Drift> {
    let declared = json(declared);
    let on_server = json(on_server);

    let mut drifts = Vec::new();
    for field in fields {
        let declared = declared.get(*field);
        let on_server = on_server.get(*field);

        // A duplicate window left open is the server's to choose.
        let is_left_open = *field == "duplicate_window" && is_unset(declared);
        let are_unset = is_unset(declared) && is_unset(on_server);
        if !is_left_open && !are_unset && declared != on_server {
            drifts.push(Drift {
                what: what.to_owned(),
                field: (*field).to_owned(),
                declared: describe_value(field, declared),
                found: describe_value(field, on_server),
            });
        }
    }
    drifts
}

/// The settings of the server with the declared `fields` in place of its own.
pub(crate) fn merge_fields<T: Serialize + DeserializeOwned>(
    on_server: &T,
    declared: &T,
    fields: &[&str],
) -> Result<T, BusError> {
    let declared = json(declared);
    let mut merged = json(on_server);

    if let Some(merged) = merged.as_object_mut() {
        for field in fields {
            match declared.get(*field) {
                Some(value) => {
                    merged.insert((*field).to_owned(), value.clone());
                }
                None => {
                    merged.remove(*field);
                }
            }
        }
    }
    serde_json::from_value(merged).map_err(BusError::request("combine the settings of a stream"))
}

fn json<T: Serialize>(config: &T) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(Value::String(text)) => text.is_empty() || text == "none" || text == "default",
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

/// Durations travel as nanoseconds; people read seconds.
fn describe_value(field: &str, value: Option<&Value>) -> String {
    let durations = [
        "max_age",
        "duplicate_window",
        "ack_wait",
        "subject_delete_marker_ttl",
    ];
    let is_duration = durations.contains(&field);

    match value {
        Some(Value::Number(nanos)) if is_duration => {
            format!("{} s", nanos.as_f64().unwrap_or_default() / 1e9)
        }
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "unset".to_owned(),
    }
}
