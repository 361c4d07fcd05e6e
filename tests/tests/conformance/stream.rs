//! The schema of the JSON lines that following an operation prints.

use serde_json::Value;

/// The fields that each type of line has, and what they are.
const FIELDS: &[(&str, &[(&str, fn(&Value) -> bool)])] = &[
    (
        "started",
        &[("op", Value::is_string), ("kind", Value::is_string)],
    ),
    (
        "progress",
        &[
            ("op", Value::is_string),
            ("step", Value::is_u64),
            ("steps", Value::is_u64),
            ("service", Value::is_string),
            ("percent", Value::is_number),
            ("step_percent", Value::is_number),
        ],
    ),
    (
        "event",
        &[
            ("op", Value::is_string),
            ("step", Value::is_u64),
            ("what", Value::is_string),
            ("attempt", Value::is_u64),
        ],
    ),
    (
        "result",
        &[
            ("op", Value::is_string),
            ("kind", Value::is_string),
            ("state", Value::is_string),
            ("duration_s", Value::is_number),
            ("results", Value::is_object),
            ("exit", Value::is_u64),
        ],
    ),
];

/// Fails on a line that is not as programs may expect it.
pub fn assert_conforms(line: &Value) {
    let kind = line["type"].as_str().unwrap_or_default();
    let fields = FIELDS.iter().find(|(name, _)| *name == kind);
    let (_, fields) = fields.unwrap_or_else(|| panic!("no such type: {line}"));

    for (name, is_right) in *fields {
        assert!(is_right(&line[*name]), "{name} of {line}");
    }
}

/// Fails where the percent of the operation falls, or leaves 0 to 100.
pub fn assert_monotonic(lines: &[Value]) {
    let mut before = 0.0;
    for line in lines.iter().filter(|line| line["type"] == "progress") {
        let percent = line["percent"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&percent), "{line}");
        assert!(percent >= before, "{percent} after {before}: {line}");
        before = percent;
    }
}
