//! The reference page of the indicators is generated from their specifications; this test fails
//! while it is out of date.
//!
//! To write it again: `KTRDR_WRITE_DOCS=1 cargo test -p strategies --test it indicators_page`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use strategies::indicators::{
    Indicator, IndicatorSpec, LabelOnlySpec, ParameterKind, ParameterSpec, label_only, specs,
};

const HEAD: &str = "Indicators: every type that a strategy file may name, with its parameters, outputs and formula.

This page is generated from the program's own specifications by the test `indicators_page`.

Rules for all types: the value at a row uses bars up to that row only. Rows before the warm-up is over are undefined, and a
row with an undefined input never trains or trades. A missing price or volume makes its row undefined and starts the warm-up
again. `i` is the row, `n` the period, row 0 the first bar. The warm-up is given for the default parameters: the first row at
which every output is defined. Names are not case-sensitive.

";

fn default_text(kind: &ParameterKind) -> String {
    match kind {
        ParameterKind::Integer { default, .. } => default.to_string(),
        ParameterKind::Float { default, .. } => default.to_string(),
        ParameterKind::Boolean { default } => default.to_string(),
        ParameterKind::Choice { default, .. } => (*default).to_owned(),
    }
}

fn write_section(page: &mut String, spec: &'static IndicatorSpec) {
    writeln!(page, "\n## {}\n", spec.name).unwrap();
    writeln!(
        page,
        "Also {}. Outputs: {}.\n",
        quoted_names(spec.aliases),
        outputs_text(spec)
    )
    .unwrap();
    writeln!(page, "{}.\n\nSource: {}.", spec.formula, spec.source).unwrap();
    if spec.needs_volume {
        writeln!(
            page,
            "\nNeeds traded volume; a series without it is refused."
        )
        .unwrap();
    }

    write_parameters(page, spec.parameters);
}

fn write_label_section(page: &mut String, spec: &LabelOnlySpec) {
    writeln!(page, "\n## {}\n", spec.name).unwrap();
    writeln!(
        page,
        "Also {}. A source of labels, never an input: {}.\n",
        quoted_names(spec.aliases),
        spec.reason
    )
    .unwrap();
    writeln!(page, "{}.\n\nSource: {}.", spec.formula, spec.source).unwrap();
    write_parameters(page, spec.parameters);
}

fn quoted_names(aliases: &[&str]) -> String {
    aliases
        .iter()
        .map(|alias| format!("`{alias}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn write_parameters(page: &mut String, parameters: &[ParameterSpec]) {
    if !parameters.is_empty() {
        writeln!(
            page,
            "\n| parameter | default | legal | meaning |\n|---|---|---|---|"
        )
        .unwrap();
    }

    for parameter in parameters {
        let name = parameter.name;
        let kind = &parameter.kind;
        let meaning = parameter.description;
        writeln!(
            page,
            "| `{name}` | {} | {kind} | {meaning} |",
            default_text(kind)
        )
        .unwrap();
    }
}

fn outputs_text(spec: &IndicatorSpec) -> String {
    if spec.outputs.is_empty() {
        return "one, unnamed".to_owned();
    }
    spec.outputs
        .iter()
        .map(|output| format!("`{output}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn render_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| type | outputs | warm-up | volume |\n|---|---|---|---|\n");

    let mut specs: Vec<&'static IndicatorSpec> = specs().iter().collect();
    specs.sort_by_key(|spec| spec.name);
    for spec in &specs {
        let warm_up = Indicator::new(spec, &BTreeMap::new()).unwrap().warm_up();
        let volume = if spec.needs_volume { "yes" } else { "" };
        writeln!(
            page,
            "| [{0}](#{0}) | {1} | {warm_up} | {volume} |",
            spec.name,
            outputs_text(spec)
        )
        .unwrap();
    }

    for spec in label_only() {
        writeln!(
            page,
            "| [{0}](#{0}) | labels only, never an input | | |",
            spec.name
        )
        .unwrap();
    }

    for spec in specs {
        write_section(&mut page, spec);
    }
    for spec in label_only() {
        write_label_section(&mut page, spec);
    }
    page
}

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/indicators.md");
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        std::fs::write(&path, render_page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == render_page(),
        "docs/indicators.md is out of date: run the command at the top of this test"
    );
}
