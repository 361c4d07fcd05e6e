//! `ktrdr strategies schema` and `ktrdr strategies rules`: the grammar for editors and for people.

use serde_json::json;

use crate::console::Exit;
use crate::context::Context;

/// Prints the JSON Schema: one line with `--json`, indented otherwise.
pub(super) fn print_schema(context: &Context) -> Exit {
    let schema = strategies::schema();
    let indented = serde_json::to_string_pretty(&schema).unwrap_or_default();
    context.output.json(&schema);
    context.output.line(&indented);
    Exit::Done
}

/// Lists the rules that findings name.
pub(super) fn list_rules(context: &Context) -> Exit {
    let mut rows = Vec::new();
    for rule in strategies::rules() {
        context.output.json(
            &json!({"type": "rule", "id": rule.id, "refuses": rule.refuses, "why": rule.why}),
        );
        rows.push([rule.id, rule.refuses, rule.why].map(str::to_owned).into());
    }

    context.output.table(&["RULE", "REFUSES", "WHY"], &rows);
    Exit::Done
}
