//! `ktrdr indicators list`: every type in one table, those that only label included.

use strategies::indicators::{IndicatorSpec, LabelOnlySpec, ParameterSpec, label_only, specs};

use super::default_text;
use super::spec_json::{label_only_json, spec_json};
use crate::console::Exit;
use crate::context::Context;

const HEADS: [&str; 4] = ["TYPE", "NEEDS", "PARAMETERS", "OUTPUTS"];

/// Lists the types.
pub(super) fn run(context: &Context) -> Exit {
    let output = &context.output;
    let mut rows = Vec::new();
    for spec in specs() {
        output.json(&spec_json(spec));
        rows.push(indicator_row(spec));
    }
    for spec in label_only() {
        output.json(&label_only_json(spec));
        rows.push(label_only_row(spec));
    }

    output.table_with_remarks(&HEADS, &rows);
    output.note("hint: `ktrdr indicators describe TYPE` shows bounds and the formula");
    Exit::Done
}

fn indicator_row(spec: &IndicatorSpec) -> Vec<String> {
    let volume = if spec.needs_volume { "volume" } else { "" };
    vec![
        spec.name.to_owned(),
        volume.to_owned(),
        join_parameters(spec.parameters),
        spec.outputs.join(" "),
    ]
}

fn label_only_row(spec: &LabelOnlySpec) -> Vec<String> {
    vec![
        spec.name.to_owned(),
        String::new(),
        join_parameters(spec.parameters),
        "labels only".to_owned(),
    ]
}

/// `period=14 source=close`.
fn join_parameters(parameters: &[ParameterSpec]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|each| format!("{}={}", each.name, default_text(each.kind)))
        .collect();
    pairs.join(" ")
}
