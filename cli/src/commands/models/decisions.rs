//! How often a strategy makes each decision by the predictions of its model.

use std::collections::BTreeMap;

use schemas::decision_report::{DecisionReport, PartDecisions};
use schemas::names::PARTS;

use super::show_tables::short_number;

/// A line for each part: `test: BUY 12 (0.3 %), HOLD 4200 (98.5 %), SELL 52 (1.2 %); 43.8 % of BUY
/// and SELL right`.
pub(super) fn describe_decisions(parts: &BTreeMap<String, PartDecisions>) -> Vec<String> {
    let mut lines = Vec::new();
    for part in PARTS {
        if let Some(counts) = parts.get(part) {
            lines.push(format!("{part}: {}", describe_counts(counts)));
        }
    }
    lines
}

/// The same lines below the threshold that they were made with.
pub(super) fn describe_report(report: &DecisionReport) -> Vec<String> {
    let threshold = report.threshold;
    let mut first = format!("by {} {}", threshold.key(), short_number(threshold.value()));
    if report.is_chosen {
        first.push_str(", chosen by the validation part");
    }
    if let Some(suggestion) = report.suggestion {
        let percent = 100.0 * suggestion.share;
        first = format!(
            "{first}; {} would make {percent:.1} % of the validation part BUY or SELL",
            short_number(suggestion.threshold)
        );
    }

    let mut lines = vec![first];
    lines.extend(describe_decisions(&report.parts));
    lines
}

/// `BUY 12 (0.3 %), HOLD 4200 (98.5 %), SELL 52 (1.2 %); 43.8 % of BUY and SELL right`.
pub(super) fn describe_counts(counts: &PartDecisions) -> String {
    let rows = counts.rows().max(1) as f64;
    let decisions = [
        ("BUY", counts.buy),
        ("HOLD", counts.hold),
        ("SELL", counts.sell),
    ];
    let decisions = decisions.map(|(name, count)| {
        let percent = 100.0 * count as f64 / rows;
        format!("{name} {count} ({percent:.1} %)")
    });

    let text = decisions.join(", ");
    match counts.precision {
        None => text,
        Some(share) => format!("{text}; {:.1} % of BUY and SELL right", 100.0 * share),
    }
}
