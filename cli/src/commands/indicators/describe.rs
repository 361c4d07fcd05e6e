//! `ktrdr indicators describe`: parameters, outputs, formula and source of one type.

use clap::Args;
use schemas::codes;
use strategies::indicators::{
    IndicatorSpec, LabelOnlySpec, ParameterSpec, find, find_label_only, nearest_name,
};

use super::default_text;
use super::spec_json::{default_warm_up, label_only_json, spec_json};
use crate::console::{Exit, Failure, count_of, print_pairs};
use crate::context::Context;

const HEADS: [&str; 4] = ["  PARAMETER", "DEFAULT", "LEGAL", "MEANING"];

/// `ktrdr indicators describe`.
#[derive(Clone, Debug, Args)]
pub(super) struct DescribeArgs {
    /// Name of the type, as in rsi
    name: String,
}

/// Describes the type, which may be one that only labels.
///
/// # Errors
/// There is no such type.
pub(super) fn run(args: &DescribeArgs, context: &Context) -> Result<Exit, Failure> {
    let name = &args.name;
    if let Some(spec) = find(name) {
        describe_indicator(spec, context);
        return Ok(Exit::Done);
    }
    if let Some(spec) = find_label_only(name) {
        describe_label_only(spec, context);
        return Ok(Exit::Done);
    }

    // A typing error is the likeliest cause, so the nearest name comes before the list.
    let list = "`ktrdr indicators list` shows every type";
    let hint = match nearest_name(name) {
        Some(nearest) => format!("did you mean `{nearest}`? {list}"),
        None => list.to_owned(),
    };
    let message = format!("there is no indicator type `{name}`");
    Err(Failure::new(Exit::NotFound, codes::INDICATOR_NOT_FOUND, message).with_hint(hint))
}

fn describe_indicator(spec: &'static IndicatorSpec, context: &Context) {
    let outputs = match spec.outputs {
        [] => "one, without a name".to_owned(),
        names => names.join(", "),
    };
    let volume = if spec.needs_volume {
        "needed"
    } else {
        "not needed"
    };

    // The warm-up depends on the parameters, so only that of the defaults can be named.
    let mut lines = alias_lines(spec.aliases);
    lines.push(line("outputs", outputs));
    lines.push(line("volume", volume));
    if let Some(bars) = default_warm_up(spec) {
        let bars = count_of(bars, "bar");
        lines.push(line("warm-up", format!("{bars} with the parameters below")));
    }
    lines.extend(formula_lines(spec.formula));
    lines.push(line("source", spec.source));

    let output = &context.output;
    output.json(&spec_json(spec));
    output.line(spec.name);
    print_pairs(output, &lines);
    print_parameters(spec.parameters, context);
}

fn describe_label_only(spec: &LabelOnlySpec, context: &Context) {
    let outputs = format!("labels only, as `source: {}` of training.labels", spec.name);
    let mut lines = alias_lines(spec.aliases);
    lines.push(line("outputs", outputs));
    lines.push(line("no input", spec.reason));
    lines.extend(formula_lines(spec.formula));
    lines.push(line("source", spec.source));

    let output = &context.output;
    output.json(&label_only_json(spec));
    output.line(spec.name);
    print_pairs(output, &lines);
    print_parameters(spec.parameters, context);
}

fn line(name: &str, text: impl Into<String>) -> (String, String) {
    (name.to_owned(), text.into())
}

fn alias_lines(aliases: &[&str]) -> Vec<(String, String)> {
    match aliases {
        [] => Vec::new(),
        names => vec![line("also called", names.join(", "))],
    }
}

/// The formula, named on its first line only.
fn formula_lines(text: &str) -> impl Iterator<Item = (String, String)> {
    let names = std::iter::once("formula").chain(std::iter::repeat(""));
    names
        .zip(text.lines())
        .map(|(name, text)| line(name, text.trim()))
}

fn print_parameters(parameters: &[ParameterSpec], context: &Context) {
    if parameters.is_empty() {
        context.output.line("  it takes no parameters");
        return;
    }

    let mut rows = Vec::new();
    for parameter in parameters {
        rows.push(vec![
            format!("  {}", parameter.name),
            default_text(parameter.kind),
            parameter.kind.to_string(),
            parameter.description.to_owned(),
        ]);
    }
    context.output.table(&HEADS, &rows);
}
