//! The verdicts on 119 forms of one strategy, compared with those of an earlier grammar, and why
//! they differ where they do.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::golden_data::table;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;
use strategies::{Finding, Overrides, Severity, Strategy, rules};

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

/// Strategy a after edits: each puts raw text at a path, or removes the value there.
fn edit_strategy(edits: &[(&str, &str)]) -> String {
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

    // JSON has no word for what some cases put in, so it is put into the text.
    let mut text = root.to_string();
    for (index, (_, value)) in edits.iter().enumerate() {
        let value = value.replace("-Infinity", "-.inf").replace("NaN", ".nan");
        text = text.replace(&format!("\"@{index}\""), &value);
    }
    text
}

const COSTS: &str = r#"{"output_format": "regression", "cost_model": {"round_trip_cost": 0.001, "min_edge_multiplier": 1.5}}"#;

/// The strategy of one case.
fn text_of(path: &str, value: &str) -> String {
    match (path, value) {
        ("(none)", _) => strategy_a().to_string(),
        ("(whole file)", "a YAML list") => "- 1\n- 2\n".to_owned(),
        ("(whole file)", "malformed YAML") => "name: [1".to_owned(),
        ("(whole file)", "empty") => String::new(),

        // Two edits at once.
        (path, value) if path.contains(" + ") => {
            let (first_path, second_path) = path.split_once(" + ").unwrap();
            let (first_value, second_value) = value.split_once(" + ").unwrap();
            let first_value = match first_value {
                "regression with valid cost_model" => COSTS,
                value => value,
            };
            edit_strategy(&[(first_path, first_value), (second_path, second_value)])
        }
        (path, value) => edit_strategy(&[(path, value.trim_start_matches("unquoted YAML "))]),
    }
}

/// Path and rule of an error.
type PlacedRule = (String, &'static str);

/// The errors of a strategy, each once.
fn errors_of(text: &str) -> BTreeSet<PlacedRule> {
    let Err(findings) =
        Strategy::parse(text).and_then(|strategy| strategy.resolve(&Overrides::default()))
    else {
        return BTreeSet::new();
    };

    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    findings
        .iter()
        .filter(is_error)
        .map(|finding| (finding.path.clone(), finding.rule))
        .collect()
}

/// The strategy has a key that the earlier grammar read and did not use, so the file itself is
/// refused.
fn own_errors() -> BTreeSet<PlacedRule> {
    let own_errors = errors_of(STRATEGY_A);

    let as_json = errors_of(&strategy_a().to_string());
    assert_eq!(own_errors, as_json, "as JSON it is the same strategy");
    let path = "training.labels.label_lookahead".to_owned();
    assert_eq!(own_errors, BTreeSet::from([(path, "key.no_effect")]));
    own_errors
}

/// Why a case that was accepted is refused: the reasons of the rules that it breaks.
fn why_stricter(case: &str, rule_ids: &BTreeSet<&str>) -> String {
    let reasons: Vec<&str> = rules()
        .iter()
        .filter(|rule| rule_ids.contains(rule.id))
        .map(|rule| rule.why)
        .collect();
    let have_reasons = reasons.iter().all(|why| !why.is_empty());
    assert!(have_reasons, "{case}: {rule_ids:?} says no reason");
    reasons.join("; ")
}

/// Why a case that was refused is accepted.
fn why_looser(case: &str, value: &str) -> &'static str {
    let reason = LOOSER.iter().find(|(part, _)| value.contains(part));
    reason.unwrap_or_else(|| panic!("{case} is accepted")).1
}

/// The verdict on an edit is what it adds to the errors of the file: an edit without new errors
/// counts as accepted.
#[test]
fn every_verdict_that_differs_from_the_earlier_has_a_reason() {
    let (_, cases) = table("config_cases");
    assert_eq!(cases.len(), 119);
    let own_errors = own_errors();

    let mut page = String::new();
    let mut stricter = 0;
    let mut looser = 0;
    for columns in &cases {
        let [path, value, earlier_verdict] = [0, 1, 2].map(|column| columns[column].as_str());
        let case = format!("{path} = {value}");
        let errors = errors_of(&text_of(path, value));
        let new_errors = errors
            .iter()
            .filter(|error| path == "(none)" || !own_errors.contains(error));
        let rule_ids: BTreeSet<&str> = new_errors.map(|(_, rule)| *rule).collect();

        let is_accepted = rule_ids.is_empty();
        let verdict = if is_accepted { "accepted" } else { "rejected" };
        let change = match (earlier_verdict, is_accepted) {
            ("accepted", false) => {
                stricter += 1;
                format!(" STRICTER: {}", why_stricter(&case, &rule_ids))
            }
            ("rejected", true) => {
                looser += 1;
                format!(" LOOSER: {}", why_looser(&case, value))
            }
            _ => String::new(),
        };

        let rule_ids: Vec<&str> = rule_ids.into_iter().collect();
        let rule_ids = rule_ids.join(" ");
        writeln!(page, "{case}\n    {verdict} [{rule_ids}]{change}").unwrap();
    }

    let count = cases.len();
    writeln!(page, "{count} cases, {stricter} stricter, {looser} looser").unwrap();
    insta::assert_snapshot!(page);
}
