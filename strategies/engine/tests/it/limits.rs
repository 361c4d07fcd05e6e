//! Every limit of a strategy, at it and one above.

use std::fmt::Write as _;

use strategies::{Expression, Strategy, is_name};

use crate::good_strategy::{GOOD, report_after};

const INDICATOR: &str = "  rsi_14: {type: rsi, period: 14}\n";
const FIRST_INPUT: &str = "  - {fuzzy_set: zone, timeframes: all}\n";
const MLP: &str = "type: mlp, architecture: {hidden_layers: [8]}";

/// What is reported about limits when `from` is replaced by the text for `count`.
#[track_caller]
fn assert_limit(from: &str, text_for: impl Fn(usize) -> String, most: usize, finding: &str) {
    let at_limit = report_after(&[(from, &text_for(most))]);
    assert!(!at_limit.contains(finding), "{most}: {at_limit}");
    assert!(at_limit.starts_with("accepted"), "{most}: {at_limit}");

    let above = report_after(&[(from, &text_for(most + 1))]);
    assert!(above.contains(finding), "{}: {above}", most + 1);
}

#[test]
fn a_text_has_at_most_32_kibibytes() {
    // Comments are bytes like others.
    let text_of = |bytes: usize| format!("{GOOD}#{}\n", "x".repeat(bytes - GOOD.len() - 2));

    Strategy::parse(&text_of(32_768)).unwrap();
    let refusal = Strategy::parse(&text_of(32_769)).unwrap_err().to_string();

    let finding = "the file has 32769 bytes; at most 32768 are allowed";
    assert!(refusal.contains(finding), "{refusal}");
}

#[test]
fn a_text_is_nested_at_most_16_levels_deep() {
    let refusal_of = |levels: usize| {
        let text = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        Strategy::parse(&text).unwrap_err().to_string()
    };

    assert!(!refusal_of(16).contains("nested deeper"));
    assert!(refusal_of(17).contains("nested deeper than 16 levels"));
}

#[test]
fn a_section_has_at_most_256_entries() {
    // Two indicators are in the text.
    let indicators = |count: usize| {
        let mut text = INDICATOR.to_owned();
        for number in 0..count - 2 {
            writeln!(text, "  sma_{number}: {{type: sma}}").unwrap();
        }
        text
    };

    let finding = "there are 257 entries; at most 256 are allowed";
    assert_limit(INDICATOR, indicators, 256, finding);
}

#[test]
fn an_id_has_at_most_64_characters() {
    let text_for = |length: usize| format!("{INDICATOR}  {}: {{type: sma}}\n", "s".repeat(length));

    assert_limit(INDICATOR, text_for, 64, "an id has 1 to 64 letters");
}

#[test]
fn a_name_has_at_most_64_characters() {
    assert!(is_name(&"n".repeat(64)));
    assert!(!is_name(&"n".repeat(65)));

    let text_for = |length: usize| format!("name: {}\n", "n".repeat(length));
    assert_limit("name: good\n", text_for, 64, "use 1 to 64 characters");
}

#[test]
fn a_strategy_has_at_most_1024_feature_columns() {
    // `low` and `high` of one timeframe without a lag and with each of them, and the histogram.
    let columns_of = |count: usize| {
        let lags: Vec<String> = (1..=(count - 3) / 2).map(|lag| lag.to_string()).collect();
        let zone = format!(
            "fuzzy_set: zone, timeframes: [\"1h\"], lags: [{}]",
            lags.join(", ")
        );

        let is_even = count.is_multiple_of(2);
        let raw = "raw_indicator: rsi_14, timeframes: [\"1h\"], normalization: zscore";
        let last = if is_even {
            format!("  - {{{raw}}}\n")
        } else {
            String::new()
        };
        format!("  - {{{zone}}}\n{last}")
    };

    let finding = "there are 1025 feature columns; at most 1024 are allowed";
    assert_limit(FIRST_INPUT, columns_of, 1_024, finding);
}

#[test]
fn a_lag_is_at_most_1000_bars() {
    let text_for =
        |lag: usize| format!("  - {{fuzzy_set: zone, timeframes: all, lags: [{lag}]}}\n");

    assert_limit(FIRST_INPUT, text_for, 1_000, "1001 is outside 1 to 1000");
}

#[test]
fn an_mlp_has_at_most_16_layers() {
    let text_for = |count: usize| {
        let layers = vec!["8"; count].join(", ");
        format!("type: mlp, architecture: {{hidden_layers: [{layers}]}}")
    };

    let finding = "17 layers are listed; at most 16 are allowed";
    assert_limit(MLP, text_for, 16, finding);
}

#[test]
fn a_layer_has_at_most_4096_units() {
    let text_for = |width: usize| format!("type: mlp, architecture: {{hidden_layers: [{width}]}}");

    assert_limit(MLP, text_for, 4_096, "1 to 4096");
}

#[test]
fn a_recurrent_network_has_bounds_of_its_own() {
    let gru = |keys: String| format!("type: gru, architecture: {{{keys}}}");

    let length = |count| gru(format!("sequence_length: {count}"));
    assert_limit(MLP, length, 1_000, "1 to 1000");
    let hidden = |count| gru(format!("sequence_length: 8, hidden_size: {count}"));
    assert_limit(MLP, hidden, 1_024, "1 to 1024");
    let layers = |count| gru(format!("sequence_length: 8, num_layers: {count}"));
    assert_limit(MLP, layers, 8, "1 to 8");
}

#[test]
fn a_rule_base_has_at_most_256_rules() {
    // Rules speak of fuzzy sets alone.
    let raw = "  - {raw_indicator: macd_12_26_9.histogram, timeframes: [\"1h\"], \
               normalization: zscore}\n";
    let report_of = |rules: usize| {
        let tsk = format!("type: tsk, architecture: {{rules: {rules}}}");
        report_after(&[(MLP, &tsk), (raw, "")])
    };

    let at_limit = report_of(256);
    assert!(at_limit.starts_with("accepted"), "{at_limit}");
    let above = report_of(257);
    assert!(above.contains("257 is outside 1 to 256"), "{above}");
}

#[test]
fn a_strategy_has_at_most_eight_timeframes() {
    let listed = "list: [\"4h\", \"1h\"]";
    let text_for = |count: usize| {
        let names = ["4h", "1h", "2h", "3h", "6h", "8h", "12h", "30m", "15m"];
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        format!("list: [{}]", quoted[..count].join(", "))
    };

    let finding = "9 entries are listed; at most 8 are allowed";
    assert_limit(listed, text_for, 8, finding);
}

#[test]
fn an_expression_has_at_most_1000_characters() {
    let text_of = |length: usize| format!("rsi(period=14){}", " ".repeat(length - 14));

    Expression::parse(&text_of(1_000)).unwrap();
    let refusal = Expression::parse(&text_of(1_001)).unwrap_err().to_string();

    assert!(refusal.contains("at most 1000 characters"), "{refusal}");
}
