//! A small strategy without faults, for tests that change something in it.

use std::fmt::Write as _;

use strategies::{Overrides, Resolved, Strategy};

use crate::edited_text::{apply_edits, hide_type_list};

/// The strategy, in 18 lines.
pub const GOOD: &str = r#"name: good
training_data:
  symbols: {mode: single, symbol: EURUSD}
  timeframes: {mode: multi_timeframe, list: ["4h", "1h"]}
indicators:
  rsi_14: {type: rsi, period: 14}
  macd_12_26_9: {type: macd}
fuzzy_sets:
  zone:
    indicator: rsi_14
    low: [0, 30, 50]
    high: [50, 70, 100]
nn_inputs:
  - {fuzzy_set: zone, timeframes: all}
  - {raw_indicator: macd_12_26_9.histogram, timeframes: ["1h"], normalization: zscore}
model: {type: mlp, architecture: {hidden_layers: [8]}}
decisions: {output_format: classification}
training: {labels: {source: zigzag}}
"#;

/// Replacements in [`GOOD`] under a name that says what they are.
pub struct Case {
    pub name: &'static str,
    pub edits: &'static [(&'static str, &'static str)],
}

/// What is reported after replacements in [`GOOD`].
pub fn report_after(edits: &[(&str, &str)]) -> String {
    match Strategy::parse(&apply_edits(GOOD, edits)) {
        Ok(strategy) => format!("accepted; {}", strategy.warnings),
        Err(findings) => hide_type_list(&findings.to_string()),
    }
}

/// The report of each case below its name.
pub fn report_cases(cases: &[Case]) -> String {
    let mut page = String::new();
    for case in cases {
        let report = report_after(case.edits);
        let findings = report
            .split_once('\n')
            .map_or(report.as_str(), |(_, rest)| rest);
        writeln!(page, "# {}\n{findings}\n", case.name).unwrap();
    }
    page
}

/// [`GOOD`] after replacements, with a request.
pub fn resolve_after(edits: &[(&str, &str)], overrides: &Overrides) -> Resolved {
    Strategy::parse(&apply_edits(GOOD, edits))
        .unwrap_or_else(|findings| panic!("{findings}"))
        .resolve(overrides)
        .unwrap()
}
