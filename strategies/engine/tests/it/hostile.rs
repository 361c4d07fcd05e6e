//! No bars make an indicator panic or give a value that looks like data: no row, one, two and more,
//! of every hostile number.

use crate::random_walk::Random;
use market::{Bars, Utc};
use strategies::indicators::{
    Bar, Indicator, IndicatorError, IndicatorSpec, ParameterKind, Value, specs,
};

const HOSTILE: [f64; 18] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1.0,
    -1.0,
    100.0,
    f64::EPSILON,
    f64::MIN_POSITIVE,
    5e-324,
    -5e-324,
    1e300,
    -1e300,
    1e308,
    -1e308,
    f64::MAX,
    f64::MIN,
];

fn bar([open, high, low, close, volume]: [f64; 5]) -> Bar {
    Bar {
        open,
        high,
        low,
        close,
        volume,
    }
}

fn series(rows: &[Bar]) -> Bars {
    let column = |of: fn(&Bar) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    let time = |offset: i64| {
        (0..)
            .take(rows.len())
            .map(|row| Utc(row + offset))
            .collect()
    };
    Bars {
        open_time: time(0),
        close_time: time(1),
        open: column(|bar| bar.open),
        high: column(|bar| bar.high),
        low: column(|bar| bar.low),
        close: column(|bar| bar.close),
        volume: column(|bar| bar.volume),
    }
}

/// A type with its defaults, with its least and with its greatest parameters.
fn extremes(spec: &'static IndicatorSpec) -> Vec<Indicator> {
    let with = |value: &dyn Fn(&ParameterKind) -> Value| {
        let written = spec
            .parameters
            .iter()
            .map(|each| (each.name.to_owned(), value(&each.kind)));
        Indicator::new(spec, &written.collect()).unwrap()
    };
    let least = with(&|kind| match *kind {
        ParameterKind::Integer { min, .. } => Value::Integer(min),
        ParameterKind::Float { min, max, .. } => Value::Float(min + (max - min) * 1e-12),
        ParameterKind::Boolean { .. } => Value::Boolean(false),
        ParameterKind::Choice { options, .. } => Value::Text(options[0].to_owned()),
    });
    let greatest = with(&|kind| match *kind {
        ParameterKind::Integer { max, .. } => Value::Integer(max),
        ParameterKind::Float { max, .. } => Value::Float(max),
        ParameterKind::Boolean { .. } => Value::Boolean(true),
        ParameterKind::Choice { options, .. } => Value::Text(options[options.len() - 1].to_owned()),
    });
    vec![Indicator::new(spec, &[].into()).unwrap(), least, greatest]
}

/// Every cell is finite or undefined, some cell of each row of the warm-up is undefined, and a
/// stream says the same.
fn check(indicator: &Indicator, rows: &[Bar]) {
    let what = || format!("{indicator} over {rows:?}");
    let columns = match indicator.compute(&series(rows)) {
        Ok(columns) => columns,
        Err(IndicatorError::VolumeMissing { .. }) => {
            let silent = rows.iter().all(|bar| bar.volume.is_nan());
            assert!(
                indicator.needs_volume() && silent && !rows.is_empty(),
                "{}",
                what()
            );
            return;
        }
        Err(error) => panic!("{error}: {}", what()),
    };
    assert_eq!(columns.len(), indicator.spec().output_count(), "{}", what());
    assert!(
        columns.iter().all(|column| column.len() == rows.len()),
        "{}",
        what()
    );
    assert!(
        columns
            .iter()
            .flatten()
            .all(|value| value.is_finite() || value.is_nan()),
        "{columns:?}: {}",
        what()
    );
    for row in 0..rows.len().min(indicator.warm_up()) {
        assert!(
            columns.iter().any(|column| column[row].is_nan()),
            "row {row} is warm-up: {}",
            what()
        );
    }
    let mut stream = indicator.stream();
    for (row, bar) in rows.iter().enumerate() {
        for (value, column) in stream.push(bar).iter().zip(&columns) {
            assert_eq!(
                value.to_bits(),
                column[row].to_bits(),
                "row {row} of the stream: {}",
                what()
            );
        }
    }
}

#[test]
fn a_series_without_a_row_gives_columns_without_a_row() {
    for indicator in specs().iter().flat_map(extremes) {
        assert_eq!(
            indicator.compute(&series(&[])).unwrap(),
            vec![Vec::<f64>::new(); indicator.spec().output_count()]
        );
        check(&indicator, &[]);
    }
}

#[test]
fn one_row_with_any_hostile_number_in_any_field_is_harmless() {
    for indicator in specs().iter().flat_map(extremes) {
        for value in HOSTILE {
            check(&indicator, &[bar([value; 5])]);
            for field in 0..5 {
                let mut row = [2.0, 3.0, 1.0, 2.5, 10.0];
                row[field] = value;
                check(&indicator, &[bar(row)]);
            }
        }
    }
}

#[test]
fn two_rows_of_any_two_hostile_numbers_are_harmless() {
    for indicator in specs().iter().flat_map(extremes) {
        for one in HOSTILE {
            for other in HOSTILE {
                check(&indicator, &[bar([one; 5]), bar([other; 5])]);
                check(
                    &indicator,
                    &[
                        bar([2.0, 3.0, 1.0, one, 10.0]),
                        bar([one, other, other, 2.0, other]),
                    ],
                );
            }
        }
    }
}

/// A thousand series of up to 80 rows for every type; numbers are hostile in every second, in every
/// ninth or in all cells.
#[test]
fn a_thousand_series_of_hostile_numbers_are_harmless_to_each_type() {
    let mut random = Random(7);
    for spec in specs() {
        for case in 0..1_000 {
            let indicator = random.indicator(spec);
            let rare = [1, 2, 9][case % 3];
            let mut number = || {
                if random.below(rare) == 0 {
                    HOSTILE[random.below(HOSTILE.len())]
                } else {
                    50.0 + 50.0 * random.share()
                }
            };
            let mut row = || bar([number(), number(), number(), number(), number()]);
            let rows: Vec<Bar> = (0..case * 80 / 1_000).map(|_| row()).collect();
            check(&indicator, &rows);
        }
    }
}

/// After the numbers of a broken feed an indicator that starts again at a missing bar is as good as
/// new.
#[test]
fn a_missing_bar_ends_the_influence_of_hostile_numbers() {
    let mut random = Random(11);
    for spec in specs() {
        for _ in 0..100 {
            let indicator = random.indicator(spec);
            let number = |random: &mut Random| HOSTILE[random.below(HOSTILE.len())];
            let mut rows: Vec<Bar> = (0..30)
                .map(|_| bar([0; 5].map(|_| number(&mut random))))
                .collect();
            rows.push(bar([f64::NAN; 5]));
            let before = rows.len();
            let clean: Vec<Bar> = (0..60)
                .map(|row| f64::from(row).sin())
                .map(|x| bar([50.0 + x, 52.0 + x, 48.0 + x, 50.5 + x, 9.0 - x]))
                .collect();
            rows.extend(&clean);
            let (joined, alone) = (
                indicator.compute(&series(&rows)).unwrap(),
                indicator.compute(&series(&clean)).unwrap(),
            );
            for (joined, alone) in joined.iter().zip(&alone) {
                let bits = |column: &[f64]| {
                    column
                        .iter()
                        .map(|value| value.to_bits())
                        .collect::<Vec<u64>>()
                };
                assert_eq!(bits(&joined[before..]), bits(alone), "{indicator}");
            }
        }
    }
}
