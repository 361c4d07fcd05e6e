//! What a request changes in a strategy, when it is refused, and what identifies the data set.

use std::collections::BTreeMap;

use strategies::{Findings, Overrides, Resolved, Split, Strategy, canonical_sha256};

use crate::good_strategy::{GOOD, report_after, resolve_after};

/// The strategy without faults, with a request in JSON.
fn resolve_request(request: &str) -> Result<Resolved, Findings> {
    let overrides: Overrides = serde_json::from_str(request).unwrap();
    Strategy::parse(GOOD).unwrap().resolve(&overrides)
}

#[test]
fn a_request_that_does_not_fit_the_strategy_is_refused() {
    let request = r#"{
        "symbols": ["AAPL", "stk:AAPL"],
        "timeframes": ["4h"],
        "start": 5,
        "end": 5,
        "epochs": 0,
        "learning_rate": -1.0
    }"#;

    insta::assert_snapshot!(resolve_request(request).unwrap_err());
}

#[test]
fn dates_of_a_request_replace_the_split_of_the_strategy() {
    let resolved = resolve_request(r#"{"validation_start": 5, "test_start": 9}"#).unwrap();
    let untouched = resolve_request("{}").unwrap();

    let split_by_dates = Split::Dates {
        validation_start: market::Utc(5),
        test_start: market::Utc(9),
    };
    assert_eq!(resolved.split, split_by_dates);
    assert_eq!(
        untouched.split,
        Strategy::parse(GOOD).unwrap().training.split
    );
}

#[test]
fn dates_of_a_request_come_in_pairs_and_ascend() {
    let cases = [
        (
            r#"{"validation_start": 5}"#,
            "[key.missing] request.test_start: ",
        ),
        (
            r#"{"test_start": 9}"#,
            "[key.missing] request.validation_start: ",
        ),
        (
            r#"{"validation_start": 9, "test_start": 9}"#,
            "[date.order] request.test_start: ",
        ),
    ];

    for (request, rule_and_path) in cases {
        let findings = resolve_request(request).unwrap_err().to_string();
        assert!(findings.contains(rule_and_path), "{request}: {findings}");
    }
}

#[test]
fn a_share_of_validation_is_taken_from_the_training_part() {
    // The strategy without faults splits 0.7, 0.15, 0.15.
    let resolved = resolve_request(r#"{"validation_split": 0.25}"#).unwrap();

    let Split::Fractions {
        train,
        validation,
        test,
    } = resolved.split
    else {
        panic!("{:?}", resolved.split);
    };
    assert!((train - 0.6).abs() < 1e-12, "{train}");
    assert_eq!(validation, 0.25);
    assert!((test - 0.15).abs() < 1e-12, "{test}");
}

#[test]
fn a_share_of_validation_leaves_something_to_train_on() {
    for request in [
        r#"{"validation_split": 0.0}"#,
        r#"{"validation_split": 0.85}"#,
        r#"{"validation_split": 0.2, "validation_start": 5, "test_start": 9}"#,
    ] {
        let findings = resolve_request(request).unwrap_err().to_string();
        assert!(
            findings.contains("request.validation_split: "),
            "{findings}"
        );
    }
}

fn symbols(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("S{number}")).collect()
}

#[test]
fn a_strategy_has_at_most_256_symbols() {
    let single = "mode: single, symbol: EURUSD";
    let list_of = |count| format!("mode: multi_symbol, list: [{}]", symbols(count).join(", "));

    let resolved = resolve_after(&[(single, &list_of(256))], &Overrides::default());
    let report = report_after(&[(single, &list_of(257))]);

    assert_eq!(resolved.symbols.len(), 256);
    let finding = "[list.long] line 3, training_data.symbols.list: 257 entries are listed; at most \
                   256 are allowed";
    assert!(report.contains(finding), "{report}");
}

#[test]
fn a_request_has_at_most_256_symbols() {
    let request_of = |count| serde_json::json!({ "symbols": symbols(count) }).to_string();

    let resolved = resolve_request(&request_of(256)).unwrap();
    let findings = resolve_request(&request_of(257)).unwrap_err().to_string();

    assert_eq!(resolved.symbols.len(), 256);
    let finding = "[list.long] request.symbols: 257 entries are listed; at most 256 are allowed";
    assert!(findings.contains(finding), "{findings}");
}

/// The key of the data set.
fn key_of(resolved: &Resolved) -> String {
    let series = BTreeMap::from([("series".to_owned(), "00".to_owned())]);
    canonical_sha256(&resolved.data_part(&series))
}

#[test]
fn the_key_of_a_data_set_ignores_how_a_network_is_trained() {
    let key = key_of(&resolve_after(&[], &Overrides::default()));

    let other_training = Overrides {
        epochs: Some(7),
        learning_rate: Some(0.1),
        seed: Some(1),
        ..Overrides::default()
    };
    let other_network = [
        ("hidden_layers: [8]", "hidden_layers: [9]"),
        ("name: good", "name: better"),
    ];
    assert_eq!(key, key_of(&resolve_after(&other_network, &other_training)));

    // A default that is written out changes nothing.
    let written_default = [("{type: rsi, period: 14}", "{type: rsi}")];
    let resolved = resolve_after(&written_default, &Overrides::default());
    assert_eq!(key, key_of(&resolved));
}

#[test]
fn the_key_of_a_data_set_depends_on_all_that_decides_its_rows() {
    let unchanged = Overrides::default();
    let key = key_of(&resolve_after(&[], &unchanged));

    let edits = [
        ("period: 14", "period: 15"),
        ("source: zigzag", "source: zigzag, zigzag_threshold: 0.03"),
        ("low: [0, 30, 50]", "low: [0, 30, 51]"),
    ];
    for edit in edits {
        assert_ne!(key, key_of(&resolve_after(&[edit], &unchanged)), "{edit:?}");
    }

    let later_start = Overrides {
        start: Some(market::Utc(1)),
        ..Overrides::default()
    };
    assert_ne!(key, key_of(&resolve_after(&[], &later_start)));
}

#[test]
fn weights_of_labels_are_part_of_the_key_of_a_data_set() {
    let resolve_labels = |labels: &str| {
        let edits = [("source: zigzag", labels)];
        resolve_after(&edits, &Overrides::default())
    };
    let part_of = |resolved: &Resolved| resolved.data_part(&BTreeMap::new());

    let plain = resolve_labels("source: triple_barrier");
    let off = resolve_labels("source: triple_barrier, compute_weights: false");
    let on = resolve_labels("source: triple_barrier, compute_weights: true");

    assert_eq!(
        [plain.weighted, off.weighted, on.weighted],
        [false, false, true]
    );
    assert_eq!(part_of(&plain), part_of(&off));
    assert_eq!(part_of(&plain).get("weights"), None);
    assert_eq!(part_of(&on)["weights"], "uniqueness");
}

#[test]
fn dates_without_a_zone_are_utc_and_keep_their_time_of_day() {
    let dates = "training_data:\n  start_date: \"2020-01-01 06:30\"\n  \
                 end_date: 2020-04-01T02:00\n";
    let edits = [("training_data:\n", dates)];

    let resolved = resolve_after(&edits, &Overrides::default());

    assert_eq!(resolved.start.unwrap().to_string(), "2020-01-01T06:30:00Z");
    assert_eq!(resolved.end.unwrap().to_string(), "2020-04-01T02:00:00Z");
}
