//! How the fuzzy sets of a strategy cover the bars of files, and the holes between their members.

use std::path::Path;

use serde_json::json;
use strategies::{Finding, Resolved, SetCoverage, SymbolBars, measure_set_coverage};

use crate::console::{Failure, extended, percent_of};
use crate::context::Context;

const HEADS: [&str; 8] = [
    "  SYMBOL",
    "TF",
    "SET",
    "VALUES",
    "UNCOVERED",
    "MEMBER",
    "MEAN DEGREE",
    "STRONGEST",
];
/// Columns that describe a set as a whole, before those of its members.
const SET_COLUMNS: usize = 5;

/// How one fuzzy set covers the bars of one symbol.
pub(super) struct SymbolCoverage {
    symbol: String,
    set: SetCoverage,
}

/// How each fuzzy set covers the bars of each symbol.
///
/// # Errors
/// An indicator refuses the bars.
pub(super) fn measure_coverage(
    resolved: &Resolved,
    symbols: &[(String, SymbolBars)],
) -> Result<Vec<SymbolCoverage>, Failure> {
    let mut reports = Vec::new();

    for (symbol, bars) in symbols {
        for set in measure_set_coverage(resolved, bars)? {
            reports.push(SymbolCoverage {
                symbol: symbol.clone(),
                set,
            });
        }
    }
    Ok(reports)
}

/// Shows one row per member; what describes the whole set is in the row of its first member.
pub(super) fn show_coverage(path: &Path, reports: &[SymbolCoverage], context: &Context) {
    let mut rows = Vec::new();
    for report in reports {
        let set = &report.set;
        context.output.json(&extended(
            &set.coverage,
            [
                ("type", json!("coverage")),
                ("file", json!(path)),
                ("symbol", json!(report.symbol)),
                ("timeframe", json!(set.timeframe)),
                ("set", json!(set.set)),
            ],
        ));
        rows.extend(coverage_rows(report));
    }

    // Without bars nothing was measured, and a table of heads alone would say so badly.
    if !rows.is_empty() {
        context.output.table(&HEADS, &rows);
    }
}

fn coverage_rows(report: &SymbolCoverage) -> Vec<Vec<String>> {
    let SetCoverage {
        set,
        timeframe,
        coverage,
    } = &report.set;
    let set_cells = vec![
        format!("  {}", report.symbol),
        timeframe.to_string(),
        set.clone(),
        coverage.values.to_string(),
        coverage.uncovered.to_string(),
    ];

    // Only the first row names the set, so that people see where the next one begins.
    let mut rows = Vec::new();
    for (position, member) in coverage.members.iter().enumerate() {
        let mut row = match position {
            0 => set_cells.clone(),
            _ => vec![String::new(); SET_COLUMNS],
        };
        row.push(member.name.clone());
        row.push(format!("{:.3}", member.mean_degree));
        row.push(percent_of(member.strongest, coverage.values));
        rows.push(row);
    }
    rows
}

/// The holes over the bars of each symbol, which is named where there are several.
///
/// # Errors
/// An indicator refuses the bars.
pub(super) fn find_symbol_holes(
    resolved: &Resolved,
    symbols: &[(String, SymbolBars)],
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();

    for (symbol, bars) in symbols {
        for hole in strategies::find_holes(resolved, bars)?.iter() {
            let mut finding = hole.clone();
            if symbols.len() > 1 {
                finding.message = format!("{symbol}: {}", hole.message);
            }
            findings.push(finding);
        }
    }
    Ok(findings)
}
