//! `ktrdr strategies validate`: every finding of a strategy file, and how its fuzzy sets cover bars
//! of files.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use strategies::{Finding, Findings};

use super::coverage::{cover, holes_of, show_coverage};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::inputs::strategy_files::{find_strategy, in_file, parse_and_resolve};

/// `ktrdr strategies validate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Names or .yaml files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Tell how the fuzzy sets cover the values in these bars, and warn of values that none covers,
    /// as in EURUSD:1h=bars.csv or EURUSD_1h.csv; once for each symbol and timeframe
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse)]
    pub(crate) bars: Vec<NamedFile>,
    /// How times are read.
    #[command(flatten)]
    pub(crate) times: TimeArgs,
}

/// Runs the command.
///
/// # Errors
/// A strategy is nowhere, or the bars do not fit one. Findings of a strategy are no error: they are
/// the answer.
pub(crate) fn run(args: &ValidateArgs, context: &Context) -> Result<Exit, Failure> {
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
    let (path, text) = find_strategy(name, context)?;
    let (output, shown) = (&context.output, path.display());
    match parse_and_resolve(&text) {
        Ok((strategy, resolved)) => {
            let read = || {
                read_symbols(
                    &args.bars,
                    &resolved.timeframes,
                    &args.times,
                    &context.working_directory,
                )
            };
            let covered = read().and_then(|symbols| {
                Ok((holes_of(&resolved, &symbols)?, cover(&resolved, &symbols)?))
            });
            let several = args.files.len() > 1;
            let (holes, reports) = covered.map_err(|failure| {
                if several {
                    in_file(&path, failure)
                } else {
                    failure
                }
            })?;
            let findings = Findings::new(strategy.warnings.iter().cloned().chain(holes).collect());
            output.json(&verdict(&path, &findings, false));
            let columns = resolved.features.len();
            output.line(&format!(
                "{shown}: valid, {columns} feature columns, {} labels",
                resolved.labels.name()
            ));
            findings
                .iter()
                .for_each(|warning| output.line(&format!("  {warning}")));
            show_coverage(&path, &reports, context);
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

/// What programs read of a check.
pub(crate) fn verdict(path: &Path, findings: &Findings, broken: bool) -> Value {
    let findings: Vec<&Finding> = findings.iter().collect();
    json!({"type": "validation", "file": path, "valid": !broken, "findings": findings})
}
