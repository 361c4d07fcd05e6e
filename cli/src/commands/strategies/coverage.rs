//! How the fuzzy sets of a strategy cover the bars of files, and the holes between their members.

use std::path::Path;

use serde_json::json;
use strategies::{Finding, Resolved, SetCoverage, SymbolBars, find_holes, measure_set_coverage};

use crate::console::{Failure, extended};
use crate::context::Context;

/// How each fuzzy set covers the bars of each symbol.
pub(super) fn cover(
    resolved: &Resolved,
    symbols: &[(String, SymbolBars)],
) -> Result<Vec<(String, SetCoverage)>, Failure> {
    let mut reports = Vec::new();
    for (symbol, bars) in symbols {
        reports.extend(
            measure_set_coverage(resolved, bars)?
                .into_iter()
                .map(|report| (symbol.clone(), report)),
        );
    }
    Ok(reports)
}

/// A row a member; what is said of a whole set stands in its first row.
pub(super) fn show_coverage(path: &Path, reports: &[(String, SetCoverage)], context: &Context) {
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
pub(super) fn holes_of(
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
        found.extend(find_holes(resolved, bars)?.iter().map(named));
    }
    Ok(found)
}
