//! What holds for every indicator type: bounds, warm-up, causality, restart after a gap, no panic
//! on any input.

use std::collections::BTreeMap;

use market::{Bars, Utc};
use proptest::prelude::*;

use super::*;

fn named(line: &str) -> Indicator {
    let mut words = line.split_whitespace();
    let spec = find(words.next().unwrap()).unwrap();
    let parameters = words.map(|word| {
        let (name, text) = word.split_once('=').unwrap();
        let value = text
            .parse()
            .map_or_else(|_| Value::Text(text.to_owned()), Value::Integer);
        (name.to_owned(), value)
    });
    Indicator::new(spec, &parameters.collect()).unwrap()
}

/// Bars from rows of open, high, low, close, volume.
fn bars(rows: &[[f64; 5]]) -> Bars {
    let column = |index: usize| rows.iter().map(|row| row[index]).collect();
    let time = |offset: i64| {
        (0..)
            .take(rows.len())
            .map(|row| Utc((row + offset) * 3_600_000_000))
            .collect()
    };

    Bars {
        open_time: time(0),
        close_time: time(1),
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: column(4),
    }
}

fn closes(values: &[f64]) -> Bars {
    bars(
        &values
            .iter()
            .map(|&value| [value, value, value, value, 1.0])
            .collect::<Vec<_>>(),
    )
}

fn bits(columns: &[Vec<f64>], rows: std::ops::Range<usize>) -> Vec<Vec<u64>> {
    columns
        .iter()
        .map(|column| {
            column[rows.clone()]
                .iter()
                .map(|value| value.to_bits())
                .collect()
        })
        .collect()
}

#[test]
fn no_window_is_longer_than_the_history_of_a_block() {
    let parameters = specs().iter().flat_map(|spec| {
        spec.parameters
            .iter()
            .map(move |parameter| (spec.name, parameter))
    });
    for (name, parameter) in parameters {
        if let ParameterKind::Integer { max, .. } = parameter.kind {
            assert!(max <= engine::HISTORY as i64, "{name} {}", parameter.name);
        }
    }
}

#[test]
fn an_average_of_two_is_the_mean_of_neighbours() {
    let columns = named("sma period=2")
        .compute(&closes(&[1.0, 2.0, 4.0]))
        .unwrap();
    assert!(columns[0][0].is_nan());
    assert_eq!(columns[0][1..], [1.5, 3.0]);
}

#[test]
fn a_flat_market_has_a_neutral_rsi_and_no_stochastic() {
    let flat = closes(&[7.0; 40]);

    assert_eq!(named("rsi").compute(&flat).unwrap()[0][14..], [50.0; 26]);
    assert!(
        named("stochastic")
            .compute(&flat)
            .unwrap()
            .iter()
            .flatten()
            .all(|value| value.is_nan())
    );
    let bands = named("bbands").compute(&flat).unwrap();
    assert!(bands.iter().all(|band| band[19..] == [7.0; 21]));
}

#[test]
fn sources_are_columns_and_means_of_prices() {
    // open 1, high 8, low 2, close 5, volume 9: hl2 = 10/2, hlc3 = 15/3, ohlc4 = 16/4.
    let bars = bars(&[[1.0, 8.0, 2.0, 5.0, 9.0]]);
    let of = |source: &str| {
        named(&format!("ema period=1 source={source}"))
            .compute(&bars)
            .unwrap()[0][0]
    };
    let values = [
        "open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4",
    ]
    .map(of);
    assert_eq!(values, [1.0, 8.0, 2.0, 5.0, 9.0, 5.0, 5.0, 4.0]);
}

#[test]
fn an_indicator_of_volume_refuses_bars_without_volume() {
    let bars = bars(&[[1.0, 1.0, 1.0, 1.0, f64::NAN]; 3]);
    let error = named("sma period=2 source=volume")
        .compute(&bars)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "sma needs volume and none of the 3 bars has one"
    );
    assert!(named("sma period=2").compute(&bars).is_ok());
}

#[test]
fn names_are_unique_lower_case_and_found_in_any_case() {
    let mut names = std::collections::BTreeSet::new();
    for spec in specs() {
        for name in std::iter::once(spec.name).chain(spec.aliases.iter().copied()) {
            assert!(names.insert(name), "{name} names two types");
            assert_eq!(name, name.to_ascii_lowercase());
            assert_eq!(
                find(&name.to_ascii_uppercase()).map(|spec| spec.name),
                Some(spec.name)
            );
        }
    }

    assert!(find("bollinger").is_none());
    assert_eq!(nearest_name("bolinger"), Some("bollingerbands"));
    assert_eq!(nearest_name("stoch"), Some("stochastic"));
    assert_eq!(nearest_name("zigzg"), Some("zigzag"));
    assert_eq!(nearest_name("qqq"), None);
}

#[test]
fn every_wrong_parameter_is_reported_with_a_hint() {
    let written = BTreeMap::from([
        ("fast".to_owned(), Value::Integer(5)),
        ("fast_period".to_owned(), Value::Float(14.0)),
        ("slow_period".to_owned(), Value::Integer(201)),
        ("source".to_owned(), Value::Text("hl3".to_owned())),
        ("zzz".to_owned(), Value::Boolean(true)),
    ]);

    let errors = Indicator::new(find("macd").unwrap(), &written).unwrap_err();
    let lines: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {error}; hint: {}", error.parameter(), error.hint()))
        .collect();
    assert_eq!(
        lines,
        [
            "fast: macd has no parameter \"fast\"; hint: did you mean \"fast_period\"?",
            "zzz: macd has no parameter \"zzz\"; hint: remove the key; macd takes fast_period, \
             slow_period, signal_period, source",
            "fast_period: macd.fast_period is the number 14.0 but must be an integer from 1 to \
             100; hint: fast_period is: bars of the fast average; write an integer from 1 to 100",
            "slow_period: macd.slow_period is the integer 201, outside of what is legal: an \
             integer from 1 to 200; hint: slow_period is: bars of the slow average; write an \
             integer from 1 to 200",
            "source: macd.source is the text \"hl3\", outside of what is legal: one of open, high, \
             low, close, volume, hl2, hlc3, ohlc4; hint: source is: column the values are taken \
             from; hl2, hlc3 and ohlc4 are means of the bar's prices; write one of open, high, low, \
             close, volume, hl2, hlc3, ohlc4",
        ]
    );
}

#[test]
fn bounds_hold_and_floats_take_integers() {
    let bbands = |value| {
        Indicator::new(
            find("bbands").unwrap(),
            &BTreeMap::from([("multiplier".to_owned(), value)]),
        )
    };

    assert!(bbands(Value::Integer(2)).is_ok());
    assert!(bbands(Value::Float(10.0)).is_ok());
    for refused in [
        Value::Float(0.0),
        Value::Integer(11),
        Value::Float(f64::NAN),
        Value::Text("2".to_owned()),
    ] {
        assert!(bbands(refused.clone()).is_err(), "{refused} is refused");
    }
}

/// Any legal parameters of any type; integers stay small enough for a short series.
fn any_indicator() -> impl Strategy<Value = Indicator> {
    (0..specs().len(), prop::collection::vec(any::<u32>(), 8)).prop_map(|(index, draws)| {
        let spec = &specs()[index];
        let value = |parameter: &ParameterSpec, draw: u32| match parameter.kind {
            ParameterKind::Integer { min, max, .. } => {
                Value::Integer((min + i64::from(draw % 9)).min(max))
            }
            ParameterKind::Float { min, max, .. } => Value::Float(
                min + (max - min) * (f64::from(draw) + 1.0) / (f64::from(u32::MAX) + 1.0),
            ),
            ParameterKind::Boolean { .. } => Value::Boolean(draw.is_multiple_of(2)),
            ParameterKind::Choice { options, .. } => {
                Value::Text(options[draw as usize % options.len()].to_owned())
            }
        };
        let written = spec
            .parameters
            .iter()
            .zip(draws)
            .map(|(parameter, draw)| (parameter.name.to_owned(), value(parameter, draw)));
        Indicator::new(spec, &written.collect()).unwrap()
    })
}

const EXTREME_NUMBERS: &[f64] = &[
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1e308,
    -1e308,
    5e-324,
];

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.5..200.0,
        1 => any::<f64>(),
        1 => prop::sample::select(EXTREME_NUMBERS),
    ]
}

fn plausible_row() -> impl Strategy<Value = [f64; 5]> {
    (90.0..110.0, 0.0..3.0, 0.0..3.0, 0.0..=1.0, 1.0..1e6).prop_map(
        |(low, up, more, share, volume): (f64, _, _, _, _)| {
            [low + up * share, low + up + more, low, low + up, volume]
        },
    )
}

proptest! {
    #[test]
    fn every_output_of_any_input_is_finite_or_undefined(
        indicator in any_indicator(),
        rows in prop::collection::vec(prop::array::uniform5(any_number()), 0..60),
    ) {
        if let Ok(columns) = indicator.compute(&bars(&rows)) {
            prop_assert_eq!(columns.len(), indicator.spec().output_count());
            for column in columns {
                prop_assert_eq!(column.len(), rows.len());
                prop_assert!(column.iter().all(|value| value.is_finite() || value.is_nan()));
            }
        }
    }

    #[test]
    fn later_bars_change_no_earlier_value(
        indicator in any_indicator(),
        rows in prop::collection::vec(prop::array::uniform5(any_number()), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(rows.len() + 1);
        let short = indicator.compute(&bars(&rows[..cut]));
        let long = indicator.compute(&bars(&rows));

        if let (Ok(short), Ok(long)) = (short, long) {
            prop_assert_eq!(bits(&short, 0..cut), bits(&long, 0..cut));
        }
    }

    #[test]
    fn every_output_is_defined_after_the_warm_up(
        indicator in any_indicator(),
        rows in prop::collection::vec(plausible_row(), 60),
    ) {
        let columns = indicator.compute(&bars(&rows)).unwrap();

        let first_defined = |column: &Vec<f64>| column.iter().position(|value| value.is_finite());
        let first_rows = columns.iter().map(|column| first_defined(column).unwrap_or(usize::MAX));
        prop_assert_eq!(first_rows.max(), Some(indicator.warm_up()));
    }

    #[test]
    fn after_a_missing_bar_an_indicator_starts_again(
        indicator in any_indicator(),
        before in prop::collection::vec(plausible_row(), 0..40),
        after in prop::collection::vec(plausible_row(), 1..40),
    ) {
        let mut rows = before.clone();
        rows.push([f64::NAN; 5]);
        rows.extend(&after);

        let alone = indicator.compute(&bars(&after)).unwrap();
        let joined = indicator.compute(&bars(&rows)).unwrap();

        prop_assert_eq!(bits(&joined, before.len() + 1..rows.len()), bits(&alone, 0..after.len()));
        prop_assert!(joined.iter().all(|column| column[before.len()].is_nan()));
    }
}
