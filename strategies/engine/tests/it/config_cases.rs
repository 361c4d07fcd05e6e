//! The verdicts on 119 forms of one strategy: those of an earlier grammar beside ours, and why they
//! differ where they do.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::golden_data::table;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;
use strategies::{Finding, Overrides, Severity, Strategy, rule_of};

/// Accepted here although the earlier grammar refused it, with the reason.
const LOOSER: &[(&str, &str)] = &[
    (
        r#"{"type": "distancefromma", "ma_type": "sma"}"#,
        "words are compared without regard to case",
    ),
    (
        "unquoted YAML 2024-01-01",
        "in YAML 1.2 this is a text, and the same one as in quotes",
    ),
];

/// Golden strategy a, as it was written for the earlier grammar; the cases are edits of it.
const STRATEGY_A: &str = include_str!("../data/strategy_a.yaml");

/// Strategy a as JSON, which is YAML too.
fn strategy_a() -> Value {
    let mut documents = Yaml::load_from_str(STRATEGY_A).unwrap();
    json_of(documents.remove(0))
}

fn json_of(yaml: Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => value.into(),
        Yaml::Value(Scalar::Integer(value)) => value.into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.into(),
        Yaml::Sequence(items) => items.into_iter().map(json_of).collect(),
        Yaml::Mapping(entries) => entries
            .into_iter()
            .map(|(key, value)| (key.as_str().unwrap().to_owned(), json_of(value)))
            .collect(),
        other => panic!("strategy a holds {other:?}"),
    }
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
    edits
        .iter()
        .enumerate()
        .fold(text, |text, (index, (_, value))| {
            text.replace(
                &format!("\"@{index}\""),
                &value.replace("-Infinity", "-.inf").replace("NaN", ".nan"),
            )
        })
}

/// The strategy of one case.
fn text_of(path: &str, value: &str) -> String {
    let costs = r#"{"output_format": "regression", "cost_model": {"round_trip_cost": 0.001, "min_edge_multiplier": 1.5}}"#;
    match (path, value) {
        ("(none)", _) => strategy_a().to_string(),
        ("(whole file)", "a YAML list") => "- 1\n- 2\n".to_owned(),
        ("(whole file)", "malformed YAML") => "name: [1".to_owned(),
        ("(whole file)", "empty") => String::new(),
        (path, value) if path.contains(" + ") => {
            let (one, two) = path.split_once(" + ").unwrap();
            let (first, second) = value.split_once(" + ").unwrap();
            let first = if first == "regression with valid cost_model" {
                costs
            } else {
                first
            };
            edited(&[(one, first), (two, second)])
        }
        (path, value) => edited(&[(path, value.trim_start_matches("unquoted YAML "))]),
    }
}

/// Errors by path and rule, each once.
fn errors(text: &str) -> BTreeSet<(String, &'static str)> {
    match Strategy::parse(text).and_then(|strategy| strategy.resolve(&Overrides::default())) {
        Ok(_) => BTreeSet::new(),
        Err(findings) => {
            let is_error = |finding: &&Finding| finding.severity == Severity::Error;
            findings
                .iter()
                .filter(is_error)
                .map(|finding| (finding.path.clone(), finding.rule))
                .collect()
        }
    }
}

/// Golden strategy a has a key that the earlier grammar read and did not use, so the file itself is
/// refused. The verdict on an edit is what it adds to that: an edit without new errors counts as
/// accepted.
#[test]
fn every_case_has_a_verdict_and_where_it_differs_from_the_earlier_one_a_reason() {
    let (_, cases) = table("config_cases");
    assert_eq!(cases.len(), 119);
    let own = errors(STRATEGY_A);
    assert_eq!(
        own,
        errors(&strategy_a().to_string()),
        "as JSON it is the same strategy"
    );
    assert_eq!(
        own,
        BTreeSet::from([(
            "training.labels.label_lookahead".to_owned(),
            "key.no_effect"
        )])
    );
    let mut page = String::new();
    let (mut stricter, mut looser) = (0, 0);
    for case in &cases {
        let (path, value, earlier) = (case[0].as_str(), case[1].as_str(), case[2].as_str());
        let found = errors(&text_of(path, value));
        let added = found
            .iter()
            .filter(|error| path == "(none)" || !own.contains(error));
        let rules: BTreeSet<&str> = added.map(|(_, rule)| *rule).collect();
        let ours = if rules.is_empty() {
            "accepted"
        } else {
            "rejected"
        };
        let listed = rules.iter().copied().collect::<Vec<_>>().join(" ");
        let change = match (earlier, ours) {
            ("accepted", "rejected") => {
                stricter += 1;
                let reasons: Vec<&str> = rules
                    .iter()
                    .map(|rule| rule_of(rule).unwrap().why)
                    .collect();
                assert!(
                    reasons.iter().all(|why| !why.is_empty()),
                    "{path} {value}: {listed} says no reason"
                );
                format!(" STRICTER: {}", reasons.join("; "))
            }
            ("rejected", "accepted") => {
                looser += 1;
                let reason = LOOSER.iter().find(|(part, _)| value.contains(part));
                format!(
                    " LOOSER: {}",
                    reason
                        .unwrap_or_else(|| panic!("{path} {value} is accepted"))
                        .1
                )
            }
            _ => String::new(),
        };
        writeln!(page, "{path} = {value}\n    {ours} [{listed}]{change}").unwrap();
    }
    writeln!(
        page,
        "{} cases, {stricter} stricter, {looser} looser",
        cases.len()
    )
    .unwrap();
    insta::assert_snapshot!(page);
}
