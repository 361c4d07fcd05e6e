//! The verdicts on 119 forms of one strategy: those of an earlier grammar beside ours, and why they differ where they do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod golden_data;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use golden_data::table;
use serde_json::{Value, json};
use strategies::{Finding, Overrides, Severity, Strategy, rule_of};

/// Accepted here although the earlier grammar refused it, with the reason.
const LOOSER: &[(&str, &str)] = &[
    (r#"{"type": "distancefromma", "ma_type": "sma"}"#, "words are compared without regard to case"),
    ("unquoted YAML 2024-01-01", "in YAML 1.2 this is a text, and the same one as in quotes"),
];

/// Strategy a as JSON, which is YAML; the cases are edits of it.
fn strategy_a() -> Value {
    json!({
        "name": "golden_a_multi_output", "version": "3.0", "description": "ADX in words",
        "training_data": {
            "symbols": {"mode": "single", "symbol": "EURUSD"},
            "timeframes": {"mode": "single", "timeframe": "1h"},
            "history_required": 200,
        },
        "indicators": {"adx_14": {"type": "adx", "period": 14}},
        "fuzzy_sets": {
            "up_move": {"indicator": "adx_14.plus_di", "low": [0, 15, 25], "mid": [20, 35, 50]},
            "down_move": {"indicator": "adx_14.minus_di", "low": [0, 15, 25]},
        },
        "nn_inputs": [{"fuzzy_set": "up_move", "timeframes": "all"}, {"fuzzy_set": "down_move", "timeframes": ["1h"]}],
        "model": {"type": "mlp", "architecture": {"hidden_layers": [64, 32]}},
        "decisions": {"output_format": "classification", "confidence_threshold": 0.6},
        "training": {"labels": {"source": "zigzag", "zigzag_threshold": 0.025}},
    })
}

/// Edits of strategy a: each puts raw text at a path, or removes what stands there.
fn edited(edits: &[(&str, &str)]) -> String {
    let mut root = strategy_a();
    for (index, (path, value)) in edits.iter().enumerate() {
        let mut keys: Vec<&str> = path.split('/').collect();
        let last = keys.pop().unwrap();
        let parent = keys.iter().fold(&mut root, |node, key| &mut node[*key]);
        if *value == "(removed)" {
            parent.as_object_mut().unwrap().remove(last);
        } else {
            parent[last] = format!("@{index}").into();
        }
    }
    let text = root.to_string();
    edits.iter().enumerate().fold(text, |text, (index, (_, value))| {
        text.replace(&format!("\"@{index}\""), &value.replace("-Infinity", "-.inf").replace("NaN", ".nan"))
    })
}

/// The strategy of one case.
fn text_of(path: &str, value: &str) -> String {
    let costs =
        r#"{"output_format": "regression", "cost_model": {"round_trip_cost": 0.001, "min_edge_multiplier": 1.5}}"#;
    match (path, value) {
        ("(none)", _) => strategy_a().to_string(),
        ("(whole file)", "a YAML list") => "- 1\n- 2\n".to_owned(),
        ("(whole file)", "malformed YAML") => "name: [1".to_owned(),
        ("(whole file)", "empty") => String::new(),
        (path, value) if path.contains(" + ") => {
            let (one, two) = path.split_once(" + ").unwrap();
            let (first, second) = value.split_once(" + ").unwrap();
            let first = if first == "regression with valid cost_model" { costs } else { first };
            edited(&[(one, first), (two, second)])
        }
        (path, value) => edited(&[(path, value.trim_start_matches("unquoted YAML "))]),
    }
}

/// Rules of the errors, each once.
fn refused(text: &str) -> BTreeSet<&'static str> {
    let errors = |findings: strategies::Findings| -> BTreeSet<&'static str> {
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        findings.iter().filter(is_error).map(|finding| finding.rule).collect()
    };
    match Strategy::parse(text).and_then(|strategy| strategy.resolve(&Overrides::default())) {
        Ok(_) => BTreeSet::new(),
        Err(findings) => errors(findings),
    }
}

#[test]
fn every_case_has_a_verdict_and_where_it_differs_from_the_earlier_one_a_reason() {
    let (_, cases) = table("config_cases");
    assert_eq!(cases.len(), 119);
    let mut page = String::new();
    let (mut stricter, mut looser) = (0, 0);
    for case in &cases {
        let (path, value, earlier) = (case[0].as_str(), case[1].as_str(), case[2].as_str());
        let rules = refused(&text_of(path, value));
        let ours = if rules.is_empty() { "accepted" } else { "rejected" };
        let listed = rules.iter().copied().collect::<Vec<_>>().join(" ");
        let change = match (earlier, ours) {
            ("accepted", "rejected") => {
                stricter += 1;
                let reasons: Vec<&str> = rules.iter().map(|rule| rule_of(rule).unwrap().why).collect();
                assert!(reasons.iter().all(|why| !why.is_empty()), "{path} {value}: {listed} says no reason");
                format!(" STRICTER: {}", reasons.join("; "))
            }
            ("rejected", "accepted") => {
                looser += 1;
                let reason = LOOSER.iter().find(|(part, _)| value.contains(part));
                format!(" LOOSER: {}", reason.unwrap_or_else(|| panic!("{path} {value} is accepted")).1)
            }
            _ => String::new(),
        };
        writeln!(page, "{path} = {value}\n    {ours} [{listed}]{change}").unwrap();
    }
    writeln!(page, "{} cases, {stricter} stricter, {looser} looser", cases.len()).unwrap();
    insta::assert_snapshot!(page);
}
