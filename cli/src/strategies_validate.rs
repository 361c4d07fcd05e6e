//! `ktrdr strategies validate`: every finding of a strategy file, and how its fuzzy sets cover bars
//! of files.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use strategies::{Finding, Findings, Resolved, SetCoverage, SymbolBars, holes, set_coverage};

use crate::bar_files::{NamedFile, TimeArgs, read_symbols};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::extended;
use crate::strategies::read;
use crate::train_strategy::{VARIABLE, find, in_file};

/// `ktrdr strategies validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateArgs {
    /// Names or .yaml files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Tell how the fuzzy sets cover the values in these bars, and warn of values that none covers,
    /// as in EURUSD:1h=bars.csv or EURUSD_1h.csv; once for each symbol and timeframe
    #[arg(long, value_name = "SYMBOL:TF=FILE", value_parser = NamedFile::parse)]
    pub bars: Vec<NamedFile>,
    /// How times are read.
    #[command(flatten)]
    pub times: TimeArgs,
}

/// Runs the command.
///
/// # Errors
/// A strategy is nowhere, or the bars do not fit one. Findings of a strategy are no error: they are
/// the answer.
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

/// How each fuzzy set covers the bars of each symbol.
fn cover(
    resolved: &Resolved,
    symbols: &[(String, SymbolBars)],
) -> Result<Vec<(String, SetCoverage)>, Failure> {
    let mut reports = Vec::new();
    for (symbol, bars) in symbols {
        reports.extend(
            set_coverage(resolved, bars)?
                .into_iter()
                .map(|report| (symbol.clone(), report)),
        );
    }
    Ok(reports)
}

/// A row a member; what is said of a whole set stands in its first row.
fn show_coverage(path: &Path, reports: &[(String, SetCoverage)], context: &Context) {
    let mut rows = Vec::new();
    for (
        symbol,
        SetCoverage {
            set,
            timeframe,
            coverage,
        },
    ) in reports
    {
        let own = [
            ("type", json!("coverage")),
            ("file", json!(path)),
            ("symbol", json!(symbol)),
        ];
        let of = [("timeframe", json!(timeframe)), ("set", json!(set))];
        context
            .output
            .json(&extended(coverage, own.into_iter().chain(of)));
        let share = |count: usize| {
            format!(
                "{:.1} %",
                count as f64 * 1e2 / coverage.values.max(1) as f64
            )
        };
        let whole = [
            format!("  {symbol}"),
            timeframe.to_string(),
            set.clone(),
            coverage.values.to_string(),
        ];
        let mut whole = whole
            .into_iter()
            .chain([coverage.uncovered.to_string()])
            .collect();
        for member in &coverage.members {
            let mut row: Vec<String> = std::mem::replace(&mut whole, vec![String::new(); 5]);
            row.extend([
                member.name.clone(),
                format!("{:.3}", member.mean_degree),
                share(member.strongest),
            ]);
            rows.push(row);
        }
    }
    if !rows.is_empty() {
        let heads = [
            "  SYMBOL",
            "TF",
            "SET",
            "VALUES",
            "UNCOVERED",
            "MEMBER",
            "MEAN DEGREE",
            "STRONGEST",
        ];
        context.output.table(&heads, &rows);
    }
}

/// The holes over the bars of each symbol, which is named where there are several.
///
/// # Errors
/// An indicator refuses the bars.
pub fn holes_of(
    resolved: &Resolved,
    symbols: &[(String, SymbolBars)],
) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    for (symbol, bars) in symbols {
        let of = if symbols.len() > 1 {
            format!("{symbol}: ")
        } else {
            String::new()
        };
        let named = |hole: &Finding| Finding {
            message: format!("{of}{}", hole.message),
            ..hole.clone()
        };
        found.extend(holes(resolved, bars)?.iter().map(named));
    }
    Ok(found)
}

/// What programs read of a check.
pub fn verdict(path: &Path, findings: &Findings, broken: bool) -> Value {
    let findings: Vec<&Finding> = findings.iter().collect();
    json!({"type": "validation", "file": path, "valid": !broken, "findings": findings})
}
