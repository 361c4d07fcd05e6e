//! What the grammar refuses and how it says so: snapshots of findings.

use std::collections::BTreeMap;

use proptest::prelude::*;
use strategies::{Overrides, Signal, Split, Strategy};

/// A small strategy without faults.
const GOOD: &str = r#"name: good
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

/// The findings of `GOOD` after replacements, each of which must apply.
fn findings(edits: &[(&str, &str)]) -> String {
    let text = edits.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in the text");
        text.replacen(from, to, 1)
    });
    match Strategy::parse(&text) {
        Ok(strategy) => format!("accepted; {}", strategy.warnings),
        Err(findings) => findings
            .to_string()
            .replace(&every_type(), "every indicator type"),
    }
}

/// The list of indicator types as findings print it; it grows, and is no part of what a snapshot
/// promises.
fn every_type() -> String {
    strategies::indicators::specs()
        .iter()
        .map(|spec| spec.name)
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn a_strategy_without_faults_is_accepted_with_documented_defaults() {
    let strategy = Strategy::parse(GOOD).unwrap();
    assert!(strategy.warnings.is_empty());
    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    assert_eq!(
        resolved.base.as_str(),
        "1h",
        "the finest timeframe is the base unless the file says otherwise"
    );
    assert_eq!(
        resolved
            .timeframes
            .iter()
            .map(|each| each.as_str())
            .collect::<Vec<_>>(),
        ["1h", "4h"]
    );
    let names: Vec<_> = resolved
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "4h_zone_low",
            "4h_zone_high",
            "1h_zone_low",
            "1h_zone_high",
            "1h_macd_12_26_9.histogram_raw"
        ]
    );
    assert_eq!(resolved.seed, 42);
    // 5·8+8 + 8·3+3 = 75
    assert_eq!(
        resolved
            .network(resolved.feature_columns())
            .parameter_count(),
        75
    );
    insta::assert_json_snapshot!(resolved.settings);
}

#[test]
fn misspelt_keys_types_and_references_come_with_the_nearest_right_one() {
    insta::assert_snapshot!(findings(&[
        ("type: rsi, period", "type: rsii, perod"),
        ("type: macd", "type: macd, fast: 5"),
        ("indicator: rsi_14", "indicator: rsi_15"),
        ("macd_12_26_9.histogram", "macd_12_26_9.histogramm"),
        ("fuzzy_set: zone", "fuzzy_set: zones"),
        ("[\"1h\"], norm", "[\"1hr\"], norm"),
        ("hidden_layers: [8]", "hiden_layers: [8]"),
        ("source: zigzag", "source: zig_zag"),
    ]));
}

#[test]
fn all_stages_report_in_one_run() {
    insta::assert_snapshot!(findings(&[
        ("name: good", "name: Not A Name\nversion: 3.0\nzzz: 1"),
        ("mode: single, symbol: EURUSD", "mode: single"),
        ("period: 14", "period: 1"),
        ("low: [0, 30, 50]", "low: [50, 30, 0]"),
        ("timeframes: all", "timeframes: 1h"),
        ("hidden_layers: [8]", "hidden_layers: [0, x]"),
        (
            "output_format: classification",
            "output_format: probability"
        ),
    ]));
}

#[test]
fn keys_that_did_nothing_are_refused_with_their_real_home() {
    insta::assert_snapshot!(findings(&[
        (
            "  timeframes: {mode",
            "  date_range: {start: \"2020-01-01\"}\n  timeframes: {mode"
        ),
        (
            "type: mlp, architecture: {hidden_layers: [8]}",
            "type: mlp, training: {epochs: 5}, features: {lookback_periods: 2}, architecture: {hidden_layers: [8], output_activation: softmax}"
        ),
        (
            "output_format: classification",
            "output_format: classification, position_awareness: true, num_classes: 3, cost_model: {round_trip_cost: 1}"
        ),
        (
            "labels: {source: zigzag}",
            "labels: {source: zigzag, label_lookahead: 10}, validation_split: 0.2, lr_scheduler: true, huber_delta: 0.1"
        ),
        (
            "model:",
            "scope: universal\ncontext_data: []\ndeployment: {}\nmodel:"
        ),
    ]));
}

#[test]
fn what_is_not_supported_yet_is_refused_and_not_replaced() {
    insta::assert_snapshot!(findings(&[
        ("type: mlp", "type: lstm"),
        ("source: zigzag", "source: zigzag, compute_weights: true"),
        ("training: {", "training: {optimizer: sgd, loss: mae, "),
        ("{type: macd}", "{type: macd, data_source: DGS10}"),
        (
            "indicators:\n",
            "indicators:\n  swing: {type: zigzag}\n  other: {type: ZigZagIndicator, threshold: 0.05}\n"
        ),
    ]));
}

#[test]
fn weights_are_a_choice_of_triple_barrier_labels_and_part_of_the_data_set_s_key() {
    let of = |labels: &str| Strategy::parse(&GOOD.replace("source: zigzag", labels));
    let resolved = |labels: &str| of(labels).unwrap().resolve(&Overrides::default()).unwrap();
    let (plain, off) = (
        resolved("source: triple_barrier"),
        resolved("source: triple_barrier, compute_weights: false"),
    );
    let on = resolved("source: triple_barrier, compute_weights: true");
    assert_eq!(
        [plain.weighted, off.weighted, on.weighted],
        [false, false, true]
    );
    let part = |resolved: &strategies::Resolved| resolved.data_part(&BTreeMap::new());
    assert_eq!(part(&plain), part(&off));
    assert_eq!(
        (part(&plain).get("weights"), &part(&on)["weights"]),
        (None, &serde_json::json!("uniqueness"))
    );
    let findings = of("source: triple_barrier, compute_weights: maybe").unwrap_err();
    assert_eq!(
        findings.to_string().lines().nth(1).unwrap(),
        "  error[value.type] line 18, training.labels.compute_weights: expected true or false, found a text"
    );
}

#[test]
fn inputs_that_would_give_two_equal_columns_are_refused() {
    insta::assert_snapshot!(findings(&[
        (
            "fuzzy_sets:\n",
            "fuzzy_sets:\n  a_b:\n    indicator: rsi_14\n    c: [0, 1, 2]\n  a:\n    indicator: rsi_14\n    b_c: [0, 1, 2]\n"
        ),
        (
            "nn_inputs:\n",
            "nn_inputs:\n  - {fuzzy_set: a_b, timeframes: all}\n  - {fuzzy_set: a, timeframes: [\"1h\"]}\n  - {fuzzy_set: zone, timeframes: [\"1h\"]}\n"
        ),
    ]));
}

#[test]
fn one_output_under_two_names_is_one_input() {
    insta::assert_snapshot!(findings(&[(
        "nn_inputs:\n",
        "nn_inputs:\n  - {raw_indicator: macd_12_26_9, timeframes: all}\n  - {raw_indicator: macd_12_26_9.line, timeframes: [\"4h\"], normalization: minmax}\n  - {raw_indicator: rsi_14, timeframes: [\"1h\", \"1h\"], lags: [1, 1]}\n"
    )]));
}

#[test]
fn a_member_that_is_named_like_a_lag_of_another_collides_with_it() {
    insta::assert_snapshot!(findings(&[
        (
            "    high: [50, 70, 100]\n",
            "    high: [50, 70, 100]\n    low_lag_1: [0, 1, 2]\n"
        ),
        (
            "{fuzzy_set: zone, timeframes: all}",
            "{fuzzy_set: zone, timeframes: [\"1h\"], lags: [1]}"
        ),
    ]));
}

#[test]
fn what_depends_on_a_section_that_is_missing_or_no_mapping_is_not_reported_as_well() {
    let of = |edits| {
        findings(edits)
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let pages = [
        of(&[("fuzzy_sets:\n", "fuzzy_sets: none\nsets:\n")]),
        of(&[("indicators:\n", "indicators: [rsi]\nsets:\n")]),
        of(&[("nn_inputs:\n", "nn_inputs: all\ninputs:\n")]),
        of(&[(
            "    indicator: rsi_14\n    low: [0, 30, 50]\n    high: [50, 70, 100]\n",
            "    - rsi_14\n",
        )]),
        of(&[("  - {fuzzy_set: zone, timeframes: all}", "  - zone")]),
        of(&[(
            "decisions: {output_format: classification}",
            "decisions: regression",
        )]),
        of(&[("training: {", "training: {data_split: even, split: never, ")]),
        of(&[("list: [\"4h\", \"1h\"]", "timeframes: 1h")]),
    ];
    insta::assert_snapshot!(pages.join("\n\n"));
}

#[test]
fn a_word_that_is_none_of_those_allowed_comes_with_all_of_them_and_the_nearest() {
    insta::assert_snapshot!(findings(&[
        ("type: rsi, period: 14", "type: rsi, source: closee"),
        ("{type: macd}", "{type: macd, source: 5}"),
        (
            "indicators:\n",
            "indicators:\n  far: {type: distancefromma, ma_type: smaa}\n  swing: {type: zigzg}\n"
        ),
        (
            "high: [50, 70, 100]",
            "high: {type: gausian, parameters: [50, x]}"
        ),
        (
            "timeframes: [\"1h\"], norm",
            "timeframes: [\"1h\", \"1hour\", \"1d\"], norm"
        ),
        ("output_format: classification", "output_format: 3"),
    ]));
}

#[test]
fn dates_shares_and_formats_must_fit_each_other() {
    insta::assert_snapshot!(findings(&[
        (
            "training_data:\n",
            "training_data:\n  start_date: \"2020-01-01\"\n  end_date: soon\n"
        ),
        (
            "list: [\"4h\", \"1h\"]",
            "list: [\"4h\", \"1h\", \"4h\"], base_timeframe: \"1d\", timeframe: \"1h\""
        ),
        (
            "output_format: classification",
            "output_format: regression, confidence_threshold: 0.5, cost_model: {round_trip_cost: 0}"
        ),
        (
            "training: {",
            "training: {data_split: {train: 0.8, validation: 0.3}, split: {validation_start: \"2020-01-01\", test_start: \"2019-01-01\"}, loss: cross_entropy, early_stopping: {patience: 0}, "
        ),
    ]));
}

#[test]
fn repeated_keys_ids_of_prices_and_broken_sets_are_refused() {
    insta::assert_snapshot!(findings(&[
        (
            "indicators:\n",
            "indicators:\n  close: {type: rsi}\n  a.b: {type: rsi}\n  rsi_14: {type: rsi, period: 7}\n"
        ),
        (
            "    high: [50, 70, 100]\n",
            "    high: {type: sigmoid, parameters: [0, 1]}\n    top: {type: triangular}\n    note: hello\n  empty: {indicator: rsi_14}\n"
        ),
        ("decisions:", "decisions: {}\ndecisions:"),
    ]));
}

#[test]
fn a_text_that_is_no_yaml_is_one_finding_with_its_line() {
    let texts = [
        "name: [1",
        "",
        "- 1\n- 2\n",
        "a: &x 1\nb: *x\n",
        "a: 1\n---\nb: 2\n",
        &"[".repeat(99),
        &"x".repeat(40_000),
    ];
    let findings = texts.map(|text| Strategy::parse(text).unwrap_err().to_string());
    insta::assert_snapshot!(findings.join("\n"));
}

#[test]
fn an_indicator_that_nothing_uses_is_a_warning() {
    insta::assert_snapshot!(findings(&[(
        "indicators:\n",
        "indicators:\n  spare: {type: sma}\n"
    )]));
}

#[test]
fn a_request_that_does_not_fit_the_strategy_is_refused() {
    let strategy = Strategy::parse(GOOD).unwrap();
    let overrides: Overrides = serde_json::from_value(serde_json::json!({
        "symbols": ["AAPL", "stk:AAPL"], "timeframes": ["4h"], "start": 5, "end": 5, "epochs": 0, "learning_rate": -1.0,
    }))
    .unwrap();
    insta::assert_snapshot!(strategy.resolve(&overrides).unwrap_err());
}

#[test]
fn the_dates_of_a_split_in_a_request_stand_for_the_split_of_the_strategy() {
    let strategy = Strategy::parse(GOOD).unwrap();
    let resolve = |request: &str| strategy.resolve(&serde_json::from_str(request).unwrap());
    let (validation_start, test_start) = (market::Utc(5), market::Utc(9));
    let resolved = resolve(r#"{"validation_start": 5, "test_start": 9}"#).unwrap();
    assert_eq!(
        resolved.split,
        Split::Dates {
            validation_start,
            test_start
        }
    );
    assert_eq!(resolve("{}").unwrap().split, strategy.training.split);
    let refused = |request: &str, rule: &str| {
        let findings = resolve(request).unwrap_err().to_string();
        assert!(findings.contains(rule), "{request}: {findings}");
    };
    refused(
        r#"{"validation_start": 5}"#,
        "[key.missing] request.test_start: ",
    );
    refused(
        r#"{"test_start": 9}"#,
        "[key.missing] request.validation_start: ",
    );
    refused(
        r#"{"validation_start": 9, "test_start": 9}"#,
        "[date.order] request.test_start: ",
    );
}

#[test]
fn a_strategy_may_have_256_symbols_and_not_one_more() {
    let listed = |count: usize| {
        (0..count)
            .map(|number| format!("S{number}"))
            .collect::<Vec<_>>()
    };
    let multi = |count| format!("mode: multi_symbol, list: [{}]", listed(count).join(", "));
    let strategy =
        Strategy::parse(&GOOD.replace("mode: single, symbol: EURUSD", &multi(256))).unwrap();
    assert_eq!(
        strategy
            .resolve(&Overrides::default())
            .unwrap()
            .symbols
            .len(),
        256
    );
    let long = findings(&[("mode: single, symbol: EURUSD", &multi(257))]);
    assert!(
        long.contains("[list.long] line 3, training_data.symbols.list: 257 entries are listed; at most 256 are allowed"),
        "{long}"
    );
    // A request is bounded in the same way.
    let request =
        |count| serde_json::from_value(serde_json::json!({ "symbols": listed(count) })).unwrap();
    assert_eq!(strategy.resolve(&request(256)).unwrap().symbols.len(), 256);
    let long = strategy.resolve(&request(257)).unwrap_err().to_string();
    assert!(
        long.contains(
            "[list.long] request.symbols: 257 entries are listed; at most 256 are allowed"
        ),
        "{long}"
    );
}

#[test]
fn the_data_part_ignores_how_the_network_is_trained_and_notices_everything_else() {
    let key = |edits: &[(&str, &str)], overrides: &Overrides| {
        let text = edits.iter().fold(GOOD.to_owned(), |text, (from, to)| {
            text.replacen(from, to, 1)
        });
        let resolved = Strategy::parse(&text).unwrap().resolve(overrides).unwrap();
        strategies::canonical_sha256(
            &resolved.data_part(&BTreeMap::from([("series".to_owned(), "00".to_owned())])),
        )
    };
    let none = Overrides::default();
    let usual = key(&[], &none);
    let other = Overrides {
        epochs: Some(7),
        learning_rate: Some(0.1),
        seed: Some(1),
        ..Overrides::default()
    };
    assert_eq!(
        usual,
        key(
            &[
                ("hidden_layers: [8]", "hidden_layers: [9]"),
                ("name: good", "name: better")
            ],
            &other
        )
    );
    assert_eq!(
        usual,
        key(&[("{type: rsi, period: 14}", "{type: rsi}")], &none),
        "a default that is written out is no change"
    );
    assert_ne!(usual, key(&[("period: 14", "period: 15")], &none));
    assert_ne!(
        usual,
        key(
            &[("source: zigzag", "source: zigzag, zigzag_threshold: 0.03")],
            &none
        )
    );
    assert_ne!(
        usual,
        key(&[("low: [0, 30, 50]", "low: [0, 30, 51]")], &none)
    );
    assert_ne!(
        usual,
        key(
            &[],
            &Overrides {
                start: Some(market::Utc(1)),
                ..Overrides::default()
            }
        )
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Lines dropped, doubled, cut or changed: the answer is a strategy that resolves, or findings
    /// that each name a place.
    #[test]
    fn a_damaged_file_is_refused_with_places_and_never_crashes(
        edits in proptest::collection::vec((0usize..16, 0usize..5, 0usize..80, any::<char>()), 1..4)
    ) {
        let mut lines: Vec<String> = GOOD.lines().map(str::to_owned).collect();
        for (line, kind, column, with) in edits {
            let line = line % lines.len();
            let at = lines[line].char_indices().nth(column).map_or(lines[line].len(), |(at, _)| at);
            match kind {
                0 => { lines.remove(line); }
                1 => lines.insert(line, lines[line].clone()),
                2 => lines[line].truncate(at),
                3 => lines[line].insert(at, with),
                _ => lines[line].insert_str(at, "[{: "),
            }
            if lines.is_empty() { lines.push(String::new()); }
        }
        match Strategy::parse(&lines.join("\n")) {
            Ok(strategy) => prop_assert!(strategy.resolve(&Overrides::default()).is_ok()),
            Err(findings) => {
                prop_assert!(findings.has_errors());
                prop_assert!(findings.iter().all(|finding| (1..=lines.len() + 1).contains(&finding.line)), "{}", findings);
            }
        }
    }
}

#[test]
fn a_signal_is_the_surest_class_or_a_return_beyond_its_costs() {
    let classes = Strategy::parse(
        &GOOD.replace("output_format: classification", "confidence_threshold: 0.6"),
    )
    .unwrap()
    .decisions;
    let signals = [
        [0.7, 0.2, 0.1],
        [0.5, 0.4, 0.1],
        [0.1, 0.2, 0.7],
        [0.1, 0.8, 0.1],
    ]
    .map(|row| classes.signal(&row));
    assert_eq!(
        signals,
        [Signal::Buy, Signal::Hold, Signal::Sell, Signal::Hold]
    );
    // 0.001 × 1.5 = 0.0015 must be exceeded.
    let costs =
        "output_format: regression, cost_model: {round_trip_cost: 0.001, min_edge_multiplier: 1.5}";
    let text = GOOD
        .replace("output_format: classification", costs)
        .replace("source: zigzag", "source: forward_return");
    let returns = Strategy::parse(&text).unwrap().decisions;
    assert_eq!(
        [0.0016, 0.0015, -0.0016].map(|value| returns.signal(&[value])),
        [Signal::Buy, Signal::Hold, Signal::Sell]
    );
    assert_eq!(returns.signal(&[f64::NAN]), Signal::Hold);
}
