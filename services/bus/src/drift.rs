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
            found,
        } = self;
        if field.is_empty() {
            write!(formatter, "{what} is {found}")
        } else {
            write!(
                formatter,
                "{what} has {field} {found} instead of {declared}"
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
    found: &T,
) -> Vec<Drift> {
    let (declared, found) = (json(declared), json(found));
    let differing = fields.iter().filter_map(|field| {
        let (declared, found) = (declared.get(*field), found.get(*field));
        // A duplicate window left open is the server's to choose.
        let left_open = *field == "duplicate_window" && is_unset(declared);
        let same = left_open || declared == found || (is_unset(declared) && is_unset(found));
        (!same).then(|| Drift {
            what: what.to_owned(),
            field: (*field).to_owned(),
            declared: shown(field, declared),
            found: shown(field, found),
        })
    });
    differing.collect()
}

pub(crate) fn merged<T: Serialize + DeserializeOwned>(
    found: &T,
    declared: &T,
    fields: &[&str],
) -> Result<T, BusError> {
    let (mut merged, declared) = (json(found), json(declared));
    if let Some(merged) = merged.as_object_mut() {
        for field in fields {
            match declared.get(*field) {
                Some(value) => drop(merged.insert((*field).to_owned(), value.clone())),
                None => drop(merged.remove(*field)),
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
fn shown(field: &str, value: Option<&Value>) -> String {
    let is_duration = [
        "max_age",
        "duplicate_window",
        "ack_wait",
        "subject_delete_marker_ttl",
    ]
    .contains(&field);
    match value {
        Some(Value::Number(nanos)) if is_duration => {
            format!("{} s", nanos.as_f64().unwrap_or_default() / 1e9)
        }
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "unset".to_owned(),
    }
}
