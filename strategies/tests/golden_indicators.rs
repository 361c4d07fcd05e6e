//! Indicators meet TA-Lib on every row of two real series, and an earlier implementation's variants by their parameters.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod golden_data;

use golden_data::{assert_meets, bars, columns, indicator};

/// Computes the indicator and compares each output with column `<name>` or `<name>.<output>` from a row on.
fn check(series: &str, file: &str, cases: &[(&str, &str, usize)]) {
    let expected = columns(file);
    let rows = expected.values().next().unwrap().len();
    let bars = bars(series).slice(0..rows);
    for &(name, line, from) in cases {
        let indicator = indicator(line);
        let computed = indicator.compute(&bars).unwrap();
        let outputs = indicator.spec().outputs;
        assert_eq!(computed.len(), indicator.spec().output_count());
        for (index, column) in computed.iter().enumerate() {
            let name = outputs.get(index).map_or_else(|| name.to_owned(), |output| format!("{name}.{output}"));
            let expected = expected.get(&name).unwrap_or_else(|| panic!("{file} has no column {name}"));
            assert_meets(&format!("{file} {name} ({line})"), column, expected, from);
        }
        let first = |column: &Vec<f64>| column.iter().position(|value| !value.is_nan()).unwrap();
        assert_eq!(computed.iter().map(first).min().unwrap(), indicator.warm_up(), "{line}: warm-up");
    }
}

const TALIB: &[(&str, &str, usize)] = &[
    ("sma_20", "sma", 0),
    ("ema_20", "ema", 0),
    ("wma_20", "wma", 0),
    ("rsi_14", "rsi", 0),
    ("roc_10", "roc", 0),
    ("stochastic_14_3_3", "stochastic", 0),
    ("atr_14", "atr", 0),
    ("bbands_20_2", "bbands", 0),
    ("macd_12_26_9", "macd", 0),
    ("adx_14", "adx", 0),
];

#[test]
fn defaults_are_talibs_on_every_row_of_daily_apple() {
    check("aapl_1d", "talib_aapl_1d", TALIB);
}

#[test]
fn defaults_are_talibs_on_every_row_of_hourly_eurusd() {
    check("eurusd_1h", "talib_eurusd_1h", TALIB);
}

const VARIANTS: &[(&str, &str, usize)] = &[
    ("atr", "atr smoothing=sma", 0),
    ("bollingerbands", "bollingerbands ddof=1", 0),
    ("exponentialmovingaverage", "ema adjust=true", 0),
];

#[test]
fn parameters_reach_the_earlier_variants() {
    check("aapl_1d", "indicators_aapl_1d_default", VARIANTS);
    check("eurusd_1h", "indicators_eurusd_1h_default", VARIANTS);
}

/// Averages that were seeded otherwise (macd, adx, ema) agree once the seed is forgotten; the stochastic from the row on
/// at which no disguised warm-up value is in its means any more.
const OTHER_PARAMETERS: &[(&str, &str, usize)] = &[
    ("rsi_alt", "rsi period=7 source=open", 0),
    ("roc_alt", "roc period=3 source=high", 0),
    ("atr_alt", "atr period=10 smoothing=sma", 0),
    ("bollingerbands_alt", "bbands period=10 multiplier=1.5 source=high ddof=1", 0),
    ("simplemovingaverage_alt", "sma period=5 source=open", 0),
    ("weightedmovingaverage_alt", "wma period=7", 0),
    ("exponentialmovingaverage_alt", "ema period=9", 500),
    ("macd_alt", "macd fast_period=5 slow_period=13 signal_period=4", 500),
    ("adx_alt", "adx period=7", 500),
    ("stochastic_alt", "stochastic k_period=5 d_period=4 smooth_k=1", 7),
];

#[test]
fn other_parameters_and_sources_give_the_earlier_values() {
    check("aapl_1d", "indicators_aapl_1d_alt_first2000", OTHER_PARAMETERS);
    check("eurusd_1h", "indicators_eurusd_1h_alt_first2000", OTHER_PARAMETERS);
}

#[test]
fn a_flat_market_gives_the_earlier_values() {
    let cases =
        [("rsi", "rsi", 0), ("roc", "roc", 0), ("simplemovingaverage", "sma", 0), ("weightedmovingaverage", "wma", 0)];
    check("edge_flat", "indicators_edge_flat_default", &cases);
    check("edge_flat", "indicators_edge_flat_default", VARIANTS);
}
