//! Thirty broken strategies and everything that is said about each of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail loudly"
)]

use std::fmt::Write as _;

use strategies::{Overrides, STARTER, Strategy, rule_of};

/// What is broken, and the replacements in the starter strategy that break it.
const BROKEN: [(&str, &[(&str, &str)]); 30] = [
    ("a misspelt section", &[("\nindicators:", "\nindicator:")]),
    ("a misspelt indicator type", &[("type: rsi", "type: rsii")]),
    ("a misspelt parameter", &[("period: 14}\n  macd", "perid: 14}\n  macd")]),
    ("a parameter out of bounds", &[("{type: rsi, period: 14}", "{type: rsi, period: 1}")]),
    ("a parameter in quotes", &[("{type: rsi, period: 14}", "{type: rsi, period: \"14\"}")]),
    ("a descending triangle", &[("low: [25, 40, 50]", "low: [50, 40, 25]")]),
    ("a triangle of four numbers", &[("low: [25, 40, 50]", "low: [25, 30, 40, 50]")]),
    (
        "an unknown membership type",
        &[(
            "type: trapezoidal, parameters: [-.inf, -.inf, 25, 35]",
            "type: trapezoid, parameters: [-.inf, -.inf, 25, 35]",
        )],
    ),
    ("a flat gaussian", &[("low: [25, 40, 50]", "low: {type: gaussian, parameters: [40, 0]}")]),
    ("an infinite slope", &[("parameters: [-.inf, -.inf, 25, 35]", "parameters: [-.inf, 20, 25, 35]")]),
    (
        "a note inside a fuzzy set",
        &[("    indicator: rsi_14\n", "    indicator: rsi_14\n    description: where the RSI is\n")],
    ),
    ("a set over nothing", &[("indicator: rsi_14", "indicator: rsi_15")]),
    ("an output that is not there", &[("indicator: adx_14.adx", "indicator: adx_14.adxx")]),
    ("an output of an indicator with one", &[("indicator: rsi_14", "indicator: rsi_14.value")]),
    ("an input over nothing", &[("fuzzy_set: rsi_zone", "fuzzy_set: rsi_zones")]),
    (
        "the same input twice",
        &[(
            "  - {fuzzy_set: trend, timeframes: all}",
            "  - {fuzzy_set: trend, timeframes: all}\n  - {fuzzy_set: trend, timeframes: [\"1h\"]}",
        )],
    ),
    ("a bare timeframe", &[("fuzzy_set: rsi_zone, timeframes: all", "fuzzy_set: rsi_zone, timeframes: 1h")]),
    (
        "a timeframe that is not loaded",
        &[("fuzzy_set: rsi_zone, timeframes: all", "fuzzy_set: rsi_zone, timeframes: [\"4h\"]")],
    ),
    ("an unknown timeframe", &[("timeframe: \"1h\"", "timeframe: \"60m\"")]),
    (
        "scaled memberships",
        &[("fuzzy_set: rsi_zone, timeframes: all", "fuzzy_set: rsi_zone, timeframes: all, normalization: zscore")],
    ),
    (
        "lags that do not ascend",
        &[("fuzzy_set: rsi_zone, timeframes: all", "fuzzy_set: rsi_zone, timeframes: all, lags: [2, 1]")],
    ),
    (
        "a lag of the current bar",
        &[("fuzzy_set: rsi_zone, timeframes: all", "fuzzy_set: rsi_zone, timeframes: all, lags: [0, 1]")],
    ),
    ("no symbol", &[("mode: single, symbol: EURUSD", "mode: single")]),
    ("dates the wrong way round", &[("end_date: \"2018-12-31\"", "end_date: \"2013-12-31\"")]),
    ("shares above one", &[("train: 0.7, validation: 0.15", "train: 0.8, validation: 0.25")]),
    ("a regression on classes", &[("output_format: classification", "output_format: regression")]),
    ("an unknown label source", &[("source: triple_barrier", "source: tripel_barrier")]),
    ("keys of another label source", &[("    source: triple_barrier\n", "    source: regime\n")]),
    (
        "parameters of labels that contradict each other",
        &[(
            "    source: triple_barrier\n    pt_multiplier: 3.0\n    sl_multiplier: 3.0\n    max_holding_period: 12\n",
            "    source: context\n    bullish_threshold: -0.01\n    bearish_threshold: 0.01\n",
        )],
    ),
    (
        "everything at once",
        &[
            ("name: eurusd_rsi_macd", "name: EURUSD!\nscope: universal"),
            ("type: macd, fast_period", "type: macd, fast: 12, slow_period"),
            ("slow_period: 26, ", ""),
            ("middle: [40, 50, 60]", "middle: [40, x, 60]"),
            ("hidden_layers: [32, 16]", "hidden_layers: [32, -1]"),
            ("confidence_threshold: 0.5", "confidence_threshold: 5"),
            ("epochs: 20", "epochs: 0"),
            ("learning_rate: 0.001", "learning_rate: fast"),
            ("seed: 42", "seed: 42\n  seed: 43"),
        ],
    ),
];

#[test]
fn thirty_broken_strategies_get_every_finding_with_its_place() {
    let every_type = strategies::indicators::specs().iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ");
    let mut page = String::new();
    for (what, edits) in BROKEN {
        let text = edits.iter().fold(STARTER.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{what}: `{from}` is not in the text");
            text.replacen(from, to, 1)
        });
        let findings = Strategy::parse(&text).and_then(|strategy| strategy.resolve(&Overrides::default()));
        let findings = findings.map(|_| ()).expect_err(what);
        for finding in &findings {
            assert!(rule_of(finding.rule).is_some(), "{what}: {}", finding.rule);
            assert!((1..=text.lines().count()).contains(&finding.line), "{what}: {finding}");
        }
        writeln!(page, "# {what}\n{}\n", findings.to_string().replace(&every_type, "every indicator type")).unwrap();
    }
    insta::assert_snapshot!(page);
}
