//! Thirty broken strategies and every finding about each of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use strategies::{Finding, Findings, Overrides, STARTER, Strategy, rules};

use crate::edited_text::{apply_edits, hide_type_list};

/// A way to break the starter strategy.
struct Broken {
    name: &'static str,
    /// The rules that must be named, as often as they are broken.
    rules: &'static [&'static str],
    /// Replacements in the text, each of which must apply.
    edits: &'static [(&'static str, &'static str)],
}

const fn broken(
    name: &'static str,
    rules: &'static [&'static str],
    edits: &'static [(&'static str, &'static str)],
) -> Broken {
    Broken { name, rules, edits }
}

/// One fault each.
const ONE_FAULT: [Broken; 14] = [
    broken(
        "a misspelt indicator type",
        &["indicator.unknown"],
        &[("type: rsi", "type: rsii")],
    ),
    broken(
        "a misspelt parameter",
        &["indicator.parameter"],
        &[("period: 14}\n  macd", "perid: 14}\n  macd")],
    ),
    broken(
        "a parameter out of bounds",
        &["value.range"],
        &[("{type: rsi, period: 14}", "{type: rsi, period: 1}")],
    ),
    broken(
        "a parameter in quotes",
        &["value.type"],
        &[("{type: rsi, period: 14}", "{type: rsi, period: \"14\"}")],
    ),
    broken(
        "an infinite slope",
        &["membership.invalid"],
        &[("[-.inf, -.inf, 25, 35]", "[-.inf, 20, 25, 35]")],
    ),
    broken(
        "a note inside a fuzzy set",
        &["value.type"],
        &[(
            "    indicator: rsi_14\n",
            "    indicator: rsi_14\n    description: where the RSI is\n",
        )],
    ),
    broken(
        "a set over nothing",
        &["reference.unknown"],
        &[("indicator: rsi_14", "indicator: rsi_15")],
    ),
    broken(
        "an output that does not exist",
        &["reference.output"],
        &[("indicator: adx_14.adx", "indicator: adx_14.adxx")],
    ),
    broken(
        "an output of an indicator with one",
        &["reference.output"],
        &[("indicator: rsi_14", "indicator: rsi_14.value")],
    ),
    broken(
        "an input over nothing",
        &["reference.unknown"],
        &[("fuzzy_set: rsi_zone", "fuzzy_set: rsi_zones")],
    ),
    broken(
        "a bare timeframe",
        &["nn_inputs.timeframes"],
        &[(
            "fuzzy_set: rsi_zone, timeframes: all",
            "fuzzy_set: rsi_zone, timeframes: 1h",
        )],
    ),
    broken(
        "a lag of the current bar",
        &["value.range"],
        &[(
            "fuzzy_set: rsi_zone, timeframes: all",
            "fuzzy_set: rsi_zone, timeframes: all, lags: [0, 1]",
        )],
    ),
    broken(
        "shares above one",
        &["split.sum"],
        &[(
            "train: 0.7, validation: 0.15",
            "train: 0.8, validation: 0.25",
        )],
    ),
    broken(
        "a zigzag as an input",
        &["indicator.repaints"],
        &[(
            "{type: rsi, period: 14}",
            "{type: ZigZag, zigzag_threshold: 0.02}",
        )],
    ),
];

/// Several faults in several places, some of which used to hide others.
const SEVERAL_FAULTS: [Broken; 16] = [
    broken(
        "a misspelt section, and inputs that are the same",
        &["key.missing", "key.unknown", "nn_inputs.duplicate"],
        &[
            ("\nindicators:", "\nindicator:"),
            ("  - {fuzzy_set: trend, timeframes: all}", TREND_TWICE),
        ],
    ),
    broken(
        "no fuzzy sets although inputs name some",
        &["key.missing", "key.unknown", "value.range", "value.range"],
        &[
            ("\nfuzzy_sets:", "\nsets:"),
            ("hidden_layers: [32, 16]", "hidden_layers: [0, 5000]"),
        ],
    ),
    broken(
        "membership functions of every wrong form",
        &[
            "membership.invalid",
            "membership.invalid",
            "membership.invalid",
            "membership.invalid",
            "value.unknown",
        ],
        &[
            (
                "type: trapezoidal, parameters: [-.inf, -.inf, 25, 35]",
                "type: trapezoid, parameters: [-.inf, -.inf, 25, 35]",
            ),
            ("low: [25, 40, 50]", "low: [.inf, 40, 25]"),
            ("middle: [40, 50, 60]", "middle: [25, 30, 40, 50]"),
            (
                "high: [50, 60, 75]",
                "high: {type: gaussian, parameters: [40, 0]}",
            ),
        ],
    ),
    broken(
        "words for the numbers of sets, lags and layers",
        &[
            "value.type",
            "value.type",
            "value.type",
            "value.range",
            "value.type",
            "value.range",
            "value.type",
        ],
        &[
            ("low: [25, 40, 50]", "low: [x, 40, y]"),
            (
                "fuzzy_set: rsi_zone, timeframes: all",
                "fuzzy_set: rsi_zone, timeframes: all, lags: [x, y, 6000]",
            ),
            ("hidden_layers: [32, 16]", "hidden_layers: [0, x]"),
        ],
    ),
    broken(
        "a set that is not a mapping, and one that nothing uses",
        &["fuzzy_set.unused", "value.type"],
        &[(
            "fuzzy_sets:\n",
            "fuzzy_sets:\n  note: what the words mean\n",
        )],
    ),
    broken(
        "no symbol, and everything that depends on the timeframes",
        &[
            "key.missing",
            "nn_inputs.duplicate",
            "reference.timeframe",
            "timeframe.unknown",
        ],
        &[
            ("mode: single, symbol: EURUSD", "mode: single"),
            (
                "  - {fuzzy_set: macd_side, timeframes: all}",
                "  - {fuzzy_set: macd_side, timeframes: [\"60x\", \"4h\"]}",
            ),
            ("  - {fuzzy_set: trend, timeframes: all}", TREND_TWICE),
        ],
    ),
    broken(
        "one output under two names",
        &["nn_inputs.duplicate", "value.range"],
        &[
            (
                "  - {fuzzy_set: trend, timeframes: all}",
                "  - {raw_indicator: adx_14, timeframes: all}\n  - {raw_indicator: adx_14.adx, timeframes: [\"1h\"]}\n  - {fuzzy_set: trend, timeframes: all}",
            ),
            ("dropout: 0.1", "dropout: 1"),
        ],
    ),
    broken(
        "an unknown timeframe, dates the wrong way round, and a split before both",
        &["date.order", "date.order", "timeframe.unknown"],
        &[
            ("timeframe: \"1h\"", "timeframe: \"60x\""),
            ("end_date: \"2018-12-31\"", "end_date: \"2013-12-31\""),
            (
                "data_split: {train: 0.7, validation: 0.15, test: 0.15}",
                "split: {validation_start: \"2017-01-01\", test_start: \"2016-01-01\"}",
            ),
        ],
    ),
    broken(
        "scaled memberships, lags that do not ascend, a word for a choice",
        &["key.no_effect", "lags.order", "value.unknown"],
        &[
            (
                "fuzzy_set: rsi_zone, timeframes: all",
                "fuzzy_set: rsi_zone, timeframes: all, normalization: zscore, lags: [2, 1]",
            ),
            (
                "{type: rsi, period: 14}",
                "{type: rsi, period: 14, source: closee}",
            ),
        ],
    ),
    broken(
        "a regression on classes without its costs",
        &[
            "format.conflict",
            "format.conflict",
            "key.missing",
            "key.no_effect",
        ],
        &[
            ("output_format: classification", "output_format: regression"),
            ("  seed: 42", "  loss: focal\n  seed: 42"),
        ],
    ),
    broken(
        "an unknown output format, and costs that are not numbers",
        &["key.unknown", "value.type", "value.unknown"],
        &[(
            "output_format: classification",
            "output_format: regresion\n  cost_model: {round_trip_cost: small, min_edge_multiplier: 2, spread: 1}",
        )],
    ),
    broken(
        "an unknown label source, and parameters that no source takes",
        &["key.unknown", "value.range", "value.range", "value.unknown"],
        &[
            ("source: triple_barrier", "source: tripel_barrier"),
            ("pt_multiplier: 3.0", "pt_multiplier: -3.0"),
            ("sl_multiplier: 3.0", "sl_multiplyer: 3.0"),
            ("batch_size: 128", "batch_size: 0"),
        ],
    ),
    broken(
        "a misspelt label source key",
        &["key.missing", "key.unknown", "value.type"],
        &[
            ("source: triple_barrier", "sorce: triple_barrier"),
            ("  seed: 42", "  lr_scheduler: true\n  seed: 42"),
        ],
    ),
    broken(
        "keys of another label source, and limits that contradict each other",
        &[
            "key.missing",
            "key.unknown",
            "key.unknown",
            "key.unknown",
            "labels.order",
            "model.key",
            "model.key",
        ],
        &[
            (
                "    source: triple_barrier\n",
                "    source: context\n    bullish_threshold: -0.01\n    bearish_threshold: 0.01\n",
            ),
            ("type: mlp", "type: lstm"),
        ],
    ),
    broken(
        "both ways to split, each of them wrong",
        &[
            "date.form",
            "key.missing",
            "key.unknown",
            "split.sum",
            "split.twice",
        ],
        &[(
            "data_split: {train: 0.7, validation: 0.15, test: 0.15}",
            "data_split: {train: 0.8, validation: 0.3, tets: 0.1}\n  split: {validation_start: soon}",
        )],
    ),
    broken(
        "everything at once",
        &[
            "indicator.parameter",
            "indicator.unused",
            "key.duplicate",
            "key.no_effect",
            "name.form",
            "value.range",
            "value.range",
            "value.range",
            "value.type",
            "value.type",
        ],
        &[
            ("name: eurusd_rsi_macd", "name: EURUSD!\nscope: universal"),
            ("indicators:\n", "indicators:\n  spare: {type: sma}\n"),
            (
                "type: macd, fast_period",
                "type: macd, fast: 12, slow_period",
            ),
            ("slow_period: 26, ", ""),
            ("middle: [40, 50, 60]", "middle: [40, x, 60]"),
            ("hidden_layers: [32, 16]", "hidden_layers: [32, -1]"),
            ("confidence_threshold: auto", "confidence_threshold: 5"),
            ("epochs: 20", "epochs: 0"),
            ("learning_rate: 0.001", "learning_rate: fast"),
            ("seed: 42", "seed: 42\n  seed: 43"),
        ],
    ),
];

const TREND_TWICE: &str =
    "  - {fuzzy_set: trend, timeframes: all}\n  - {fuzzy_set: trend, timeframes: all, lags: [1]}";

/// The section that a finding is in.
fn section_of(finding: &Finding) -> &str {
    finding.path.split(['.', '[']).next().unwrap()
}

/// The findings about one case, after the checks that hold for every case.
fn check_broken(case: &Broken) -> Findings {
    let text = apply_edits(STARTER, case.edits);
    let findings =
        Strategy::parse(&text).and_then(|strategy| strategy.resolve(&Overrides::default()));
    let findings = findings.map(|_| ()).expect_err(case.name);

    for finding in &findings {
        let is_registered = rules().iter().any(|rule| rule.id == finding.rule);
        assert!(is_registered, "{}: {}", case.name, finding.rule);
        let has_line = (1..=text.lines().count()).contains(&finding.line);
        assert!(has_line, "{}: {finding}", case.name);
    }

    let mut rules_broken: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    let mut rules_expected = case.rules.to_vec();
    rules_broken.sort_unstable();
    rules_expected.sort_unstable();
    assert_eq!(rules_broken, rules_expected, "{}: {findings}", case.name);
    findings
}

#[test]
fn thirty_broken_strategies_get_every_finding() {
    let mut page = String::new();
    let mut broken_across_sections = 0;
    for case in ONE_FAULT.iter().chain(&SEVERAL_FAULTS) {
        let findings = check_broken(case);
        let sections: BTreeSet<&str> = findings.iter().map(section_of).collect();
        broken_across_sections += usize::from(sections.len() > 1);

        let findings = hide_type_list(&findings.to_string());
        writeln!(page, "# {}\n{findings}\n", case.name).unwrap();
    }

    assert!(
        broken_across_sections >= 10,
        "only {broken_across_sections} are broken in several sections"
    );
    insta::assert_snapshot!(page);
}

/// Faults in places of their own, each a replacement in the starter strategy.
const APART: [(&str, &str); 26] = [
    ("name: eurusd_rsi_macd", "name: EURUSD!"),
    ("mode: single, symbol: EURUSD", "mode: single"),
    ("end_date: \"2018-12-31\"", "end_date: \"2013-12-31\""),
    ("history_required: 2000", "history_required: 20"),
    ("{type: rsi, period: 14}", "{type: rsii, period: 14}"),
    ("fast_period: 12", "fast_period: 0"),
    (
        "{type: adx, period: 14}",
        "{type: adx, period: 14, source: close}",
    ),
    ("low: [25, 40, 50]", "low: [50, 40, 25]"),
    ("middle: [40, 50, 60]", "middle: [40, x, 60]"),
    (
        "type: trapezoidal, parameters: [-.inf, -.inf, -0.001, 0]",
        "type: trapezoid, parameters: [-.inf, -.inf, -0.001, 0]",
    ),
    (
        "indicator: macd_12_26_9.histogram",
        "indicator: macd_12_26_9.histo",
    ),
    ("indicator: adx_14.adx", "indicator: adx_15.adx"),
    (
        "fuzzy_set: rsi_zone, timeframes: all",
        "fuzzy_set: rsi_zone, timeframes: 1h",
    ),
    (
        "fuzzy_set: macd_side, timeframes: all",
        "fuzzy_set: macd_side, timeframes: all, lags: [2, 1, x]",
    ),
    (
        "fuzzy_set: macd_turn, timeframes: all",
        "fuzzy_set: macd_turns, timeframes: [\"4h\"]",
    ),
    ("  - {fuzzy_set: trend, timeframes: all}", TREND_TWICE),
    ("hidden_layers: [32, 16]", "hidden_layers: [0, x]"),
    ("dropout: 0.1", "dropout: 1"),
    ("output_format: classification", "output_format: classes"),
    ("confidence_threshold: auto", "confidence_threshold: 5"),
    ("source: triple_barrier", "source: tripel_barrier"),
    ("pt_multiplier: 3.0", "pt_multiplier: -3.0"),
    (
        "train: 0.7, validation: 0.15",
        "train: 0.8, validation: 0.25",
    ),
    ("epochs: 20", "epochs: 0"),
    ("patience: 5", "patience: 0"),
    ("seed: 42", "seed: x"),
];

/// Path, rule and message of a finding.
type PlacedMessage = (String, &'static str, String);

/// What is reported after these replacements.
fn report_after(edits: &[(&str, &str)]) -> BTreeSet<PlacedMessage> {
    let text = apply_edits(STARTER, edits);
    let findings = Strategy::parse(&text).expect_err("a fault is refused");
    findings
        .iter()
        .map(|finding| (finding.path.clone(), finding.rule, finding.message.clone()))
        .collect()
}

#[test]
fn no_fault_hides_another_or_makes_one_up() {
    let alone = APART.map(|fault| report_after(&[fault]));

    for (first, fault) in APART.iter().enumerate() {
        for second in 0..first {
            let other_fault = APART[second];
            let both: BTreeSet<_> = alone[first].union(&alone[second]).cloned().collect();
            assert_eq!(
                report_after(&[*fault, other_fault]),
                both,
                "{fault:?} and {other_fault:?}"
            );
        }
    }

    let all: BTreeSet<_> = alone.into_iter().flatten().collect();
    assert_eq!(report_after(&APART), all, "all of them at once");
}
