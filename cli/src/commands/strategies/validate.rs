//! `ktrdr strategies validate`: every finding of a strategy file, and how its fuzzy sets cover bars
//! in files.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use strategies::{Finding, Findings, Resolved, Strategy};

use super::coverage::{find_symbol_holes, measure_coverage, show_coverage};
use crate::console::{Exit, Failure, path_json};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::inputs::strategy_files::{find_strategy, in_file, parse_and_resolve};

/// `ktrdr strategies validate`.
#[derive(Clone, Debug, Args)]
pub(super) struct ValidateArgs {
    /// Names of strategies, or .yaml files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// File of bars to measure how the fuzzy sets cover the values, and to warn of values that no
    /// member covers, as in EURUSD:1h=bars.csv or EURUSD_1h.csv; one for each symbol and timeframe
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse)]
    bars: Vec<NamedFile>,
    /// How the times of the files are read.
    #[command(flatten)]
    times: TimeArgs,
}

/// Checks every strategy, also those after one that fails.
///
/// # Errors
/// A strategy cannot be found, or the bars do not fit one. The findings of a strategy are not an
/// error but the answer; the exit code says whether one of them is.
pub(super) fn run(args: &ValidateArgs, context: &Context) -> Result<Exit, Failure> {
    let mut all_usable = true;
    let mut last_failure = None;

    for name in &args.files {
        match check_strategy(name, args, context) {
            Ok(is_usable) => all_usable &= is_usable,
            Err(failure) => {
                // The last one is printed by the program as it ends.
                if let Some(earlier) = last_failure.replace(failure) {
                    context.output.failure(&earlier);
                }
            }
        }
    }

    match last_failure {
        Some(failure) => Err(failure),
        None if all_usable => Ok(Exit::Done),
        None => Ok(Exit::Usage),
    }
}

/// Shows all findings of one strategy; false if it cannot be used.
fn check_strategy(name: &str, args: &ValidateArgs, context: &Context) -> Result<bool, Failure> {
    let (path, text) = find_strategy(name, context)?;

    match parse_and_resolve(&text) {
        Ok((strategy, resolved)) => {
            show_usable(&path, &strategy, &resolved, args, context).map_err(|failure| {
                // With one file it is clear which one is meant.
                match args.files.len() {
                    1 => failure,
                    _ => in_file(&path, failure),
                }
            })?;
            Ok(true)
        }
        Err(findings) => {
            show_broken(&path, &findings, context);
            Ok(false)
        }
    }
}

fn show_usable(
    path: &Path,
    strategy: &Strategy,
    resolved: &Resolved,
    args: &ValidateArgs,
    context: &Context,
) -> Result<(), Failure> {
    // What can fail comes before the first line: a failure follows no `valid`.
    let symbols = read_symbols(
        &args.bars,
        &resolved.timeframes,
        &args.times,
        &context.working_directory,
        &context.output,
    )?;
    let holes = find_symbol_holes(resolved, &symbols)?;
    let coverage = measure_coverage(resolved, &symbols)?;

    let warnings = strategy.warnings.iter().cloned();
    let findings = Findings::new(warnings.chain(holes).collect());
    let output = &context.output;
    output.json(&verdict_json(path, &findings, false));
    output.line(&format!(
        "{}: valid, {} feature columns, {} labels",
        path.display(),
        resolved.features.len(),
        resolved.labels.name()
    ));
    for warning in findings.iter() {
        output.line(&format!("  {warning}"));
    }
    show_coverage(path, &coverage, context);
    Ok(())
}

fn show_broken(path: &Path, findings: &Findings, context: &Context) {
    let output = &context.output;
    output.json(&verdict_json(path, findings, true));
    output.line(&format!("{}: {findings}", path.display()));
    output.note(&format!("hint: {}", findings.hint()));
}

/// The result of a check as programs read it.
pub(super) fn verdict_json(path: &Path, findings: &Findings, is_broken: bool) -> Value {
    let findings: Vec<&Finding> = findings.iter().collect();
    json!({
        "type": "validation",
        "file": path_json(path),
        "valid": !is_broken,
        "findings": findings,
    })
}
