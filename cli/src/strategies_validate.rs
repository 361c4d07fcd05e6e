//! `ktrdr strategies validate`: every finding of a strategy file, and of its fuzzy sets over bars of files.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use strategies::{Finding, Findings, Resolved, SymbolBars, holes};

use crate::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::strategies::read;
use crate::train_strategy::{VARIABLE, find, in_file};

/// `ktrdr strategies validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateArgs {
    /// Names or .yaml files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Look for values that no fuzzy set covers in these bars, as in EURUSD:1h=bars.csv or EURUSD_1h.csv; once for each
    /// symbol and timeframe
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse)]
    pub bars: Vec<NamedFile>,
    /// How times are read.
    #[command(flatten)]
    pub times: TimeArgs,
}

/// Runs the command.
///
/// # Errors
/// A strategy is nowhere, or the bars do not fit one. Findings of a strategy are no error: they are the answer.
pub fn run(args: &ValidateArgs, context: &Context) -> Result<Exit, Failure> {
    let (mut broken, mut failed) = (false, None);
    for name in &args.files {
        match judge(name, args, context) {
            Ok(usable) => broken |= !usable,
            Err(failure) => {
                // The last one is shown by the program as it ends.
                if let Some(earlier) = failed.replace(failure) {
                    context.output.failure(&earlier);
                }
            }
        }
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(if broken { Exit::Usage } else { Exit::Done }),
    }
}

/// Shows all findings of one strategy; false when it cannot be used.
fn judge(name: &str, args: &ValidateArgs, context: &Context) -> Result<bool, Failure> {
    let folder = context.environment.get(VARIABLE).map(String::as_str);
    let (path, text) = find(name, &context.working_directory, folder)?;
    let (output, shown) = (&context.output, path.display());
    match read(&text) {
        Ok((strategy, resolved)) => {
            let found = with_holes(&strategy.warnings, &resolved, args, context);
            let several = args.files.len() > 1;
            let findings = found.map_err(|failure| if several { in_file(&path, failure) } else { failure })?;
            output.json(&verdict(&path, &findings, false));
            let columns = resolved.features.len();
            output.line(&format!("{shown}: valid, {columns} feature columns, {} labels", resolved.labels.name()));
            findings.iter().for_each(|warning| output.line(&format!("  {warning}")));
            Ok(true)
        }
        Err(findings) => {
            output.json(&verdict(&path, &findings, true));
            output.line(&format!("{shown}: {findings}"));
            output.note(&format!("hint: {}", findings.hint()));
            Ok(false)
        }
    }
}

/// The warnings, with those of the holes over the bars given among them.
fn with_holes(
    warnings: &Findings,
    resolved: &Resolved,
    args: &ValidateArgs,
    context: &Context,
) -> Result<Findings, Failure> {
    if args.bars.is_empty() {
        return Ok(warnings.clone());
    }
    let symbols = read_symbols(&args.bars, &resolved.timeframes, &args.times, &context.working_directory)?;
    Ok(Findings::new(warnings.iter().cloned().chain(holes_of(resolved, &symbols)?).collect()))
}

/// The holes over the bars of each symbol, which is named where there are several.
///
/// # Errors
/// An indicator refuses the bars.
pub fn holes_of(resolved: &Resolved, symbols: &[(String, SymbolBars)]) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    for (symbol, bars) in symbols {
        let of = if symbols.len() > 1 { format!("{symbol}: ") } else { String::new() };
        let named = |hole: &Finding| Finding { message: format!("{of}{}", hole.message), ..hole.clone() };
        found.extend(holes(resolved, bars)?.iter().map(named));
    }
    Ok(found)
}

/// What programs read of a check.
pub fn verdict(path: &Path, findings: &Findings, broken: bool) -> Value {
    let findings: Vec<&Finding> = findings.iter().collect();
    json!({"type": "validation", "file": path, "valid": !broken, "findings": findings})
}
