//! `infra/monitoring` and its documentation: every expression reads metrics that exist, every alert
//! has its paragraph, every metric its row.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use crate::promtool::run_promtool;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// All that a pattern captures in a text.
fn captured(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let all_captures = pattern.captures_iter(text);
    all_captures
        .map(|captures| captures[1].to_owned())
        .collect()
}

/// The metrics that the program defines.
fn defined_metrics() -> BTreeSet<String> {
    let folder = root().join("services/runtime/src/meters");
    let files = std::fs::read_dir(folder).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());

    texts
        .flat_map(|text| captured(r#""((?:ktrdr|process)_[a-z_]+)","#, &text))
        .collect()
}

/// The metrics of an expression, without the suffixes of histograms.
fn used_metrics(expression: &str) -> BTreeSet<String> {
    let names = captured(r"\b((?:ktrdr|process)_[a-z_]+)\b", expression);
    let plain = |name: String| match defined_metrics().contains(&name) {
        true => name,
        false => Regex::new("_(bucket|sum|count)$")
            .unwrap()
            .replace(&name, "")
            .into_owned(),
    };
    names.into_iter().map(plain).collect()
}

fn assert_defined(used: &BTreeSet<String>) {
    let defined = defined_metrics();
    let missing: Vec<_> = used.difference(&defined).collect();
    assert!(
        missing.is_empty(),
        "no program has these metrics: {missing:?}"
    );
}

#[test]
fn every_expression_of_the_dashboard_reads_what_exists() {
    let dashboard: Value = serde_json::from_str(&read("infra/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    let mut used = BTreeSet::new();

    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(places.insert(panel["gridPos"].to_string()), "{panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty());
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            used.extend(used_metrics(expression));
            // Where Prometheus is installed it reads each expression itself.
            let group = format!(
                "groups: [{{name: a, rules: [{{record: x, expr: '{}'}}]}}]",
                expression.replace('\'', "''")
            );
            run_promtool(&["check", "rules"], &group, Path::new("."));
        }
    }
    assert_defined(&used);

    // The dashboard shows everything that there is to see.
    let not_shown = [
        "ktrdr_build_info",
        "ktrdr_housekeeper",
        "process_start_time_seconds",
    ];
    let left_out = ["ktrdr_bus_connected", "process_threads"];
    let unused: Vec<_> = defined_metrics().difference(&used).cloned().collect();
    let expected: BTreeSet<_> = not_shown
        .iter()
        .chain(&left_out)
        .map(|name| name.to_string())
        .collect();
    assert_eq!(BTreeSet::from_iter(unused), expected);
}

#[test]
fn every_alert_has_a_paragraph_and_reads_what_exists() {
    let alerts = read("infra/monitoring/alerts.yaml");
    assert_defined(&used_metrics(&alerts));

    let names = captured(r"- alert: (\w+)", &alerts);
    let runbooks = captured(r"runbook: docs/operating.md#(\w+)", &alerts);
    let anchors: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(anchors, runbooks);

    let page = read("docs/operating.md");
    let paragraphs = captured(r"(?m)^#### (Ktrdr\w+)\n\n\S", &page);
    assert_eq!(names, paragraphs);
}

#[test]
fn promtool_accepts_rules_their_tests_and_targets() {
    let folder = root().join("infra/monitoring");

    run_promtool(&["check", "config", "prometheus.yaml"], "", &folder);
    run_promtool(&["test", "rules", "alerts_test.yaml"], "", &folder);
}

#[test]
fn every_metric_has_a_row_in_the_documentation() {
    let page = read("docs/operating.md");
    let rows = captured(r"(?m)^\| `((?:ktrdr|process)_[a-z_]+)` \|", &page);

    assert_eq!(rows, defined_metrics());
}
