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
            let output = outputs.get(index).map(|output| format!("{name}.{output}"));
            let full = output.filter(|full| expected.contains_key(full));
            let column_name = match full {
                Some(full) => full,
                None if index == 0 => name.to_owned(),
                None if expected.contains_key(name) => continue, // one column for a type with further outputs of ours
                None => panic!("{file} has no column for output {index} of {name}"),
            };
            let expected = expected.get(&column_name).unwrap_or_else(|| panic!("{file} has no column {column_name}"));
            assert_meets(&format!("{file} {column_name} ({line})"), column, expected, from);
        }
        let first = |column: &Vec<f64>| column.iter().position(|value| !value.is_nan());
        let firsts: Option<Vec<usize>> = computed.iter().map(first).collect();
        if let Some(firsts) = firsts {
            assert_eq!(firsts.into_iter().max(), Some(indicator.warm_up()), "{line}: warm-up");
        }
    }
}

const TALIB: &[(&str, &str, usize)] = &[
    ("sma_20", "sma", 0),
    ("ema_20", "ema", 0),
    ("wma_20", "wma", 0),
    ("rsi_14", "rsi", 0),
    ("roc_10", "roc", 0),
    ("momentum_10", "momentum", 0),
    ("cci_20", "cci", 0),
    ("williamsr_14", "williamsr", 0),
    ("stochastic_14_3_3", "stochastic", 0),
    ("aroon_14", "aroon", 0),
    ("atr_14", "atr", 0),
    ("natr_14", "natr", 0),
    ("bbands_20_2", "bbands", 0),
    ("macd_12_26_9", "macd", 0),
    ("adx_14", "adx", 0),
    ("parabolicsar_002_02", "parabolicsar", 0),
    ("true_range", "true_range", 0),
    ("stddev_20", "stddev", 0),
    ("trix_15", "trix", 0),
    ("kama_10", "kama", 0),
    ("ultosc_7_14_28", "ultosc", 0),
    ("dema_20", "dema", 0),
    ("tema_20", "tema", 0),
];

const TALIB_VOLUME: &[(&str, &str, usize)] = &[("obv", "obv", 0), ("mfi_14", "mfi", 0), ("adline", "adline", 0)];

#[test]
fn defaults_are_talibs_on_every_row_of_daily_apple() {
    check("aapl_1d", "talib_aapl_1d", TALIB);
    check("aapl_1d", "talib_aapl_1d", TALIB_VOLUME);
}

#[test]
fn defaults_are_talibs_on_every_row_of_hourly_eurusd() {
    check("eurusd_1h", "talib_eurusd_1h", TALIB);
}

/// Types that TA-Lib lacks. The band width and the squeeze from the row on at which the earlier values are no longer
/// disguised warm-up.
const EARLIER: &[(&str, &str, usize)] = &[
    ("rvi", "rvi", 0),
    ("fishertransform", "fishertransform", 0),
    ("keltnerchannels", "keltnerchannels", 0),
    ("donchianchannels", "donchianchannels", 0),
    ("ichimoku", "ichimoku", 0),
    ("distancefromma", "distancefromma", 0),
    ("squeezeintensity", "squeezeintensity", 19),
    ("bollingerbandwidth", "bollingerbandwidth ddof=1", 19),
    ("atr", "atr smoothing=sma", 0),
    ("bollingerbands", "bollingerbands ddof=1", 0),
    ("exponentialmovingaverage", "ema adjust=true", 0),
];

const EARLIER_VOLUME: &[(&str, &str, usize)] =
    &[("vwap", "vwap", 0), ("cmf", "cmf", 0), ("adline", "adline", 0), ("volumeratio", "volumeratio", 19)];

#[test]
fn types_that_talib_lacks_and_variants_give_the_earlier_values() {
    check("aapl_1d", "indicators_aapl_1d_default", EARLIER);
    check("aapl_1d", "indicators_aapl_1d_default", EARLIER_VOLUME);
    check("eurusd_1h", "indicators_eurusd_1h_default", EARLIER);
}

/// Averages that were seeded otherwise (macd, adx, ema) agree once the seed is forgotten; the others with a row from the
/// one on at which no disguised warm-up value is in them any more.
const OTHER_PARAMETERS: &[(&str, &str, usize)] = &[
    ("rsi_alt", "rsi period=7 source=open", 0),
    ("roc_alt", "roc period=3 source=high", 0),
    ("momentum_alt", "momentum period=5 source=low", 0),
    ("cci_alt", "cci period=14", 0),
    ("williamsr_alt", "williamsr period=10", 9),
    ("rvi_alt", "rvi period=6 signal_period=3", 0),
    ("fishertransform_alt", "fishertransform period=14 smoothing=5", 0),
    ("atr_alt", "atr period=10 smoothing=sma", 0),
    ("bollingerbands_alt", "bbands period=10 multiplier=1.5 source=high ddof=1", 0),
    ("bollingerbandwidth_alt", "bollingerbandwidth period=10 multiplier=1.5 ddof=1", 9),
    ("keltnerchannels_alt", "keltnerchannels period=10 atr_period=14 multiplier=1.5", 0),
    ("donchianchannels_alt", "donchianchannels period=10", 0),
    ("simplemovingaverage_alt", "sma period=5 source=open", 0),
    ("weightedmovingaverage_alt", "wma period=7", 0),
    ("exponentialmovingaverage_alt", "ema period=9", 500),
    ("macd_alt", "macd fast_period=5 slow_period=13 signal_period=4", 500),
    ("adx_alt", "adx period=7", 500),
    ("stochastic_alt", "stochastic k_period=5 d_period=4 smooth_k=1", 7),
    ("ichimoku_alt", "ichimoku tenkan_period=5 kijun_period=13 senkou_b_period=26", 0),
    ("distancefromma_alt", "distancefromma period=10 ma_type=EMA", 0),
    ("squeezeintensity_alt", "squeezeintensity bb_period=10 bb_multiplier=1.5 kc_period=15 kc_multiplier=1.0", 9),
];

const OTHER_VOLUME: &[(&str, &str, usize)] = &[
    ("vwap_alt", "vwap period=0 use_typical_price=false", 0),
    ("mfi_alt", "mfi period=7", 0),
    ("cmf_alt", "cmf period=10", 0),
    ("volumeratio_alt", "volumeratio period=10", 9),
];

#[test]
fn other_parameters_and_sources_give_the_earlier_values() {
    check("aapl_1d", "indicators_aapl_1d_alt_first2000", OTHER_PARAMETERS);
    check("aapl_1d", "indicators_aapl_1d_alt_first2000", OTHER_VOLUME);
    check("eurusd_1h", "indicators_eurusd_1h_alt_first2000", OTHER_PARAMETERS);
}

#[test]
fn a_flat_market_without_volume_gives_the_earlier_values() {
    let cases = [
        ("rsi", "rsi", 0),
        ("roc", "roc", 0),
        ("momentum", "momentum", 0),
        ("cci", "cci", 0),
        ("simplemovingaverage", "sma", 0),
        ("weightedmovingaverage", "wma", 0),
    ];
    check("edge_flat", "indicators_edge_flat_default", &cases);
    check("edge_flat", "indicators_edge_flat_default", EARLIER);
    check("edge_flat", "indicators_edge_flat_default", EARLIER_VOLUME);
}
