//! What the grammar refuses and how it says so: a snapshot of the findings about each case.

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy as _};
use strategies::{Overrides, Strategy};

use crate::good_strategy::{Case, GOOD, report_after, report_cases};

#[test]
fn a_strategy_without_faults_has_documented_defaults() {
    let strategy = Strategy::parse(GOOD).unwrap();
    assert!(strategy.warnings.is_empty());

    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    let timeframes: Vec<String> = resolved
        .timeframes
        .iter()
        .map(ToString::to_string)
        .collect();
    let names: Vec<&str> = resolved
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();

    // The finest timeframe is the base unless the file says otherwise.
    assert_eq!(timeframes, ["1h", "4h"]);
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
    let network = resolved.network(resolved.feature_columns());
    assert_eq!(network.parameter_count(), 75);
    insta::assert_json_snapshot!(resolved.settings);
}

const MISSPELT: &[Case] = &[
    Case {
        name: "a type and its parameter",
        edits: &[("type: rsi, period", "type: rsii, perod")],
    },
    Case {
        name: "a parameter",
        edits: &[("type: macd", "type: macd, fast: 5")],
    },
    Case {
        name: "the indicator of a set",
        edits: &[("indicator: rsi_14", "indicator: rsi_15")],
    },
    Case {
        name: "an output",
        edits: &[("macd_12_26_9.histogram", "macd_12_26_9.histogramm")],
    },
    Case {
        name: "the set of an input",
        edits: &[("fuzzy_set: zone", "fuzzy_set: zones")],
    },
    Case {
        name: "a key",
        edits: &[("hidden_layers: [8]", "hiden_layers: [8]")],
    },
    Case {
        name: "a label source",
        edits: &[("source: zigzag", "source: zig_zag")],
    },
];

#[test]
fn a_misspelt_word_comes_with_the_nearest_right_one() {
    insta::assert_snapshot!(report_cases(MISSPELT));
}

#[test]
fn all_stages_report_in_one_run() {
    insta::assert_snapshot!(report_after(&[
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

const WITHOUT_EFFECT: &[Case] = &[
    Case {
        name: "a range of dates",
        edits: &[(
            "  timeframes: {mode",
            "  date_range: {start: \"2020-01-01\"}\n  timeframes: {mode",
        )],
    },
    Case {
        name: "training and features in the model",
        edits: &[(
            "type: mlp, ",
            "type: mlp, training: {epochs: 5}, features: {lookback_periods: 2}, ",
        )],
    },
    Case {
        name: "an activation of the outputs",
        edits: &[(
            "hidden_layers: [8]",
            "hidden_layers: [8], output_activation: softmax",
        )],
    },
    Case {
        name: "decisions of other formats",
        edits: &[(
            "output_format: classification",
            "output_format: classification, position_awareness: true, num_classes: 3, cost_model: {round_trip_cost: 1}",
        )],
    },
    Case {
        name: "a look-ahead of zigzag labels",
        edits: &[("source: zigzag", "source: zigzag, label_lookahead: 10")],
    },
    Case {
        name: "training keys that belong elsewhere",
        edits: &[(
            "labels: {source: zigzag}",
            "labels: {source: zigzag}, validation_split: 0.2, lr_scheduler: true, huber_delta: 0.1",
        )],
    },
    Case {
        name: "sections that nothing reads",
        edits: &[(
            "model:",
            "scope: universal\ncontext_data: []\ndeployment: {}\nmodel:",
        )],
    },
];

#[test]
fn keys_without_effect_are_refused_with_their_real_home() {
    insta::assert_snapshot!(report_cases(WITHOUT_EFFECT));
}

const NOT_SUPPORTED: &[Case] = &[
    Case {
        name: "windows of bars beside events",
        edits: &[
            (
                "type: mlp, architecture: {hidden_layers: [8]}",
                "type: gru, architecture: {sequence_length: 8}",
            ),
            (
                "source: zigzag",
                "source: triple_barrier, cusum_multiplier: 0.5",
            ),
        ],
    },
    Case {
        name: "weights of zigzag labels",
        edits: &[("source: zigzag", "source: zigzag, compute_weights: true")],
    },
    Case {
        name: "another optimiser and loss",
        edits: &[("training: {", "training: {optimizer: lion, loss: mae, ")],
    },
    Case {
        name: "a series of another provider",
        edits: &[("{type: macd}", "{type: macd, data_source: DGS10}")],
    },
    Case {
        name: "label sources as indicators",
        edits: &[(
            "indicators:\n",
            "indicators:\n  swing: {type: zigzag}\n  other: {type: ZigZagIndicator, threshold: 0.05}\n",
        )],
    },
];

#[test]
fn what_is_not_supported_yet_is_refused_and_not_replaced() {
    insta::assert_snapshot!(report_cases(NOT_SUPPORTED));
}

const EQUAL_COLUMNS: &[Case] = &[
    Case {
        name: "two sets whose columns have one name, and a set twice",
        edits: &[
            (
                "fuzzy_sets:\n",
                "fuzzy_sets:\n  a_b:\n    indicator: rsi_14\n    c: [0, 1, 2]\n  a:\n    indicator: rsi_14\n    b_c: [0, 1, 2]\n",
            ),
            (
                "nn_inputs:\n",
                "nn_inputs:\n  - {fuzzy_set: a_b, timeframes: all}\n  - {fuzzy_set: a, timeframes: [\"1h\"]}\n  - {fuzzy_set: zone, timeframes: [\"1h\"]}\n",
            ),
        ],
    },
    Case {
        name: "one output under two names",
        edits: &[(
            "nn_inputs:\n",
            "nn_inputs:\n  - {raw_indicator: macd_12_26_9, timeframes: all}\n  - {raw_indicator: macd_12_26_9.line, timeframes: [\"4h\"], normalization: minmax}\n",
        )],
    },
    Case {
        name: "a timeframe and a lag twice",
        edits: &[(
            "nn_inputs:\n",
            "nn_inputs:\n  - {raw_indicator: rsi_14, timeframes: [\"1h\", \"1h\"], lags: [1, 1]}\n",
        )],
    },
    Case {
        name: "a member that is named like a lag of another",
        edits: &[
            (
                "    high: [50, 70, 100]\n",
                "    high: [50, 70, 100]\n    low_lag_1: [0, 1, 2]\n",
            ),
            (
                "{fuzzy_set: zone, timeframes: all}",
                "{fuzzy_set: zone, timeframes: [\"1h\"], lags: [1]}",
            ),
        ],
    },
];

#[test]
fn inputs_with_equal_columns_are_refused() {
    insta::assert_snapshot!(report_cases(EQUAL_COLUMNS));
}

const UNREADABLE_SECTIONS: &[Case] = &[
    Case {
        name: "no fuzzy sets",
        edits: &[("fuzzy_sets:\n", "fuzzy_sets: none\nsets:\n")],
    },
    Case {
        name: "indicators as a list",
        edits: &[("indicators:\n", "indicators: [rsi]\nsets:\n")],
    },
    Case {
        name: "inputs as a word",
        edits: &[("nn_inputs:\n", "nn_inputs: all\ninputs:\n")],
    },
    Case {
        name: "a fuzzy set as a list",
        edits: &[(
            "    indicator: rsi_14\n    low: [0, 30, 50]\n    high: [50, 70, 100]\n",
            "    - rsi_14\n",
        )],
    },
    Case {
        name: "an input as a word",
        edits: &[("  - {fuzzy_set: zone, timeframes: all}", "  - zone")],
    },
    Case {
        name: "decisions as a word",
        edits: &[(
            "decisions: {output_format: classification}",
            "decisions: regression",
        )],
    },
    Case {
        name: "both splits as words",
        edits: &[("training: {", "training: {data_split: even, split: never, ")],
    },
    Case {
        name: "timeframes as a word",
        edits: &[("list: [\"4h\", \"1h\"]", "timeframes: 1h")],
    },
];

#[test]
fn an_unreadable_section_is_one_finding() {
    insta::assert_snapshot!(report_cases(UNREADABLE_SECTIONS));
}

const WRONG_WORDS: &[Case] = &[
    Case {
        name: "a source",
        edits: &[("type: rsi, period: 14", "type: rsi, source: closee")],
    },
    Case {
        name: "a number as a source",
        edits: &[("{type: macd}", "{type: macd, source: 5}")],
    },
    Case {
        name: "a kind of average",
        edits: &[(
            "indicators:\n",
            "indicators:\n  far: {type: distancefromma, ma_type: smaa}\n",
        )],
    },
    Case {
        name: "a type that is a label source",
        edits: &[("indicators:\n", "indicators:\n  swing: {type: zigzg}\n")],
    },
    Case {
        name: "a membership function",
        edits: &[(
            "high: [50, 70, 100]",
            "high: {type: gausian, parameters: [50, x]}",
        )],
    },
    Case {
        name: "timeframes of an input",
        edits: &[(
            "timeframes: [\"1h\"], norm",
            "timeframes: [\"1h\", \"1x\", \"1d\"], norm",
        )],
    },
    Case {
        name: "a word as a choice of yes and no",
        edits: &[(
            "source: zigzag",
            "source: triple_barrier, compute_weights: maybe",
        )],
    },
    Case {
        name: "a number as an output format",
        edits: &[("output_format: classification", "output_format: 3")],
    },
];

#[test]
fn a_wrong_word_comes_with_those_that_are_allowed() {
    insta::assert_snapshot!(report_cases(WRONG_WORDS));
}

const CONTRADICTIONS: &[Case] = &[
    Case {
        name: "an end that is not a date",
        edits: &[(
            "training_data:\n",
            "training_data:\n  start_date: \"2020-01-01\"\n  end_date: soon\n",
        )],
    },
    Case {
        name: "an end before the start",
        edits: &[(
            "training_data:\n",
            "training_data:\n  start_date: \"2020-01-01\"\n  end_date: \"2019-12-30\"\n",
        )],
    },
    Case {
        name: "timeframes that do not fit each other",
        edits: &[(
            "list: [\"4h\", \"1h\"]",
            "list: [\"4h\", \"1h\", \"4h\"], base_timeframe: \"1d\", timeframe: \"1h\"",
        )],
    },
    Case {
        name: "a regression on classes",
        edits: &[
            (
                "output_format: classification",
                "output_format: regression, confidence_threshold: 0.5, cost_model: {round_trip_cost: 0}",
            ),
            (
                "training: {",
                "training: {loss: cross_entropy, early_stopping: {patience: 0}, ",
            ),
        ],
    },
    Case {
        name: "a classification on numbers",
        edits: &[
            ("source: zigzag", "source: forward_return"),
            ("training: {", "training: {loss: mse, "),
        ],
    },
    Case {
        name: "a split by shares and by dates",
        edits: &[(
            "training: {",
            "training: {data_split: {train: 0.8, validation: 0.3}, split: {validation_start: \"2020-01-01\", test_start: \"2019-01-01\"}, ",
        )],
    },
];

#[test]
fn dates_shares_and_formats_must_fit_each_other() {
    insta::assert_snapshot!(report_cases(CONTRADICTIONS));
}

const BROKEN_ENTRIES: &[Case] = &[
    Case {
        name: "an id that is a price column",
        edits: &[("indicators:\n", "indicators:\n  close: {type: rsi}\n")],
    },
    Case {
        name: "an id with a dot",
        edits: &[("indicators:\n", "indicators:\n  a.b: {type: rsi}\n")],
    },
    Case {
        name: "an id twice",
        edits: &[(
            "indicators:\n",
            "indicators:\n  rsi_14: {type: rsi, period: 7}\n",
        )],
    },
    Case {
        name: "members that are not functions",
        edits: &[(
            "    high: [50, 70, 100]\n",
            "    high: {type: sigmoid, parameters: [0, 1]}\n    top: {type: triangular}\n    note: hello\n",
        )],
    },
    Case {
        name: "a set without members",
        edits: &[("nn_inputs:\n", "  empty: {indicator: rsi_14}\nnn_inputs:\n")],
    },
    Case {
        name: "a section twice",
        edits: &[("decisions:", "decisions: {}\ndecisions:")],
    },
];

#[test]
fn broken_ids_and_entries_are_refused() {
    insta::assert_snapshot!(report_cases(BROKEN_ENTRIES));
}

#[test]
fn a_text_that_is_not_yaml_is_one_finding_with_its_line() {
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
    insta::assert_snapshot!(report_after(&[(
        "indicators:\n",
        "indicators:\n  spare: {type: sma}\n"
    )]));
}

/// One change of one line, at a column that may be past its end.
#[derive(Clone, Debug)]
enum Damage {
    Drop,
    Double,
    Cut { column: usize },
    Insert { column: usize, text: String },
}

fn any_damage() -> impl proptest::strategy::Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Drop),
        Just(Damage::Double),
        (0usize..80).prop_map(|column| Damage::Cut { column }),
        (0usize..80, any::<char>()).prop_map(|(column, character)| Damage::Insert {
            column,
            text: character.to_string(),
        }),
        (0usize..80).prop_map(|column| Damage::Insert {
            column,
            text: "[{: ".to_owned(),
        }),
    ]
}

fn apply_damage(lines: &mut Vec<String>, number: usize, damage: Damage) {
    let number = number % lines.len();
    let line = lines[number].clone();
    let places: Vec<usize> = line.char_indices().map(|(place, _)| place).collect();
    let place_of = |column: usize| places.get(column).copied().unwrap_or(line.len());

    match damage {
        Damage::Drop => {
            lines.remove(number);
        }
        Damage::Double => lines.insert(number, line),
        Damage::Cut { column } => lines[number].truncate(place_of(column)),
        Damage::Insert { column, text } => lines[number].insert_str(place_of(column), &text),
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Lines dropped, doubled, cut or changed: the answer is a strategy that resolves, or findings
    /// that each name a place.
    #[test]
    fn a_damaged_file_is_refused_with_places_and_never_crashes(
        damages in proptest::collection::vec((0usize..16, any_damage()), 1..4)
    ) {
        let mut lines: Vec<String> = GOOD.lines().map(str::to_owned).collect();
        for (number, damage) in damages {
            apply_damage(&mut lines, number, damage);
        }

        // An inserted character may break a line, in YAML's way.
        let text = lines.join("\n");
        let breaks_line = |c: &char| ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'].contains(c);
        let last_line = text.chars().filter(breaks_line).count() + 2;
        match Strategy::parse(&text) {
            Ok(strategy) => prop_assert!(strategy.resolve(&Overrides::default()).is_ok()),
            Err(findings) => {
                prop_assert!(findings.has_errors());
                let has_line = |line: usize| (1..=last_line).contains(&line);
                prop_assert!(findings.iter().all(|finding| has_line(finding.line)), "{}", findings);
            }
        }
    }
}

#[test]
fn timeframes_are_any_length_in_any_spelling() {
    let text = GOOD
        .replace("\"1h\"", "\"90min\"")
        .replace("\"4h\"", "\"1M\"");

    let strategy = Strategy::parse(&text).unwrap_or_else(|findings| panic!("{findings}"));

    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    assert_eq!(resolved.base.to_string(), "90m");
    let names: Vec<&str> = resolved
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    assert_eq!(names[0], "1mo_zone_low");
    assert_eq!(names[4], "90m_macd_12_26_9.histogram_raw");
}
