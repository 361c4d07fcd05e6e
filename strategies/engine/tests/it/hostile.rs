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

/// Open, high, low, close and volume.
fn bar(fields: [f64; 5]) -> Bar {
    let [open, high, low, close, volume] = fields;
    Bar {
        open,
        high,
        low,
        close,
        volume,
    }
}

fn series_of(rows: &[Bar]) -> Bars {
    let column = |field: fn(&Bar) -> f64| rows.iter().map(field).collect();
    let count = i64::try_from(rows.len()).unwrap();

    Bars {
        open_time: (0..count).map(Utc).collect(),
        close_time: (1..=count).map(Utc).collect(),
        open: column(|bar| bar.open),
        high: column(|bar| bar.high),
        low: column(|bar| bar.low),
        close: column(|bar| bar.close),
        volume: column(|bar| bar.volume),
    }
}

/// A type with its defaults, with its least and with its greatest parameters.
fn extremes_of(spec: &'static IndicatorSpec) -> [Indicator; 3] {
    let defaults = Indicator::new(spec, &[].into()).unwrap();
    [
        defaults,
        with_parameters(spec, least_value),
        with_parameters(spec, greatest_value),
    ]
}

fn with_parameters(
    spec: &'static IndicatorSpec,
    value_of: fn(&ParameterKind) -> Value,
) -> Indicator {
    let parameters = spec
        .parameters
        .iter()
        .map(|each| (each.name.to_owned(), value_of(&each.kind)));
    Indicator::new(spec, &parameters.collect()).unwrap()
}

fn least_value(kind: &ParameterKind) -> Value {
    match *kind {
        ParameterKind::Integer { min, .. } => Value::Integer(min),
        // The bound itself may be excluded.
        ParameterKind::Float { min, max, .. } => Value::Float(min + (max - min) * 1e-12),
        ParameterKind::Boolean { .. } => Value::Boolean(false),
        ParameterKind::Choice { options, .. } => Value::Text(options[0].to_owned()),
    }
}

fn greatest_value(kind: &ParameterKind) -> Value {
    match *kind {
        ParameterKind::Integer { max, .. } => Value::Integer(max),
        ParameterKind::Float { max, .. } => Value::Float(max),
        ParameterKind::Boolean { .. } => Value::Boolean(true),
        ParameterKind::Choice { options, .. } => Value::Text(options[options.len() - 1].to_owned()),
    }
}

/// Every cell is finite or undefined, some cell of each row of the warm-up is undefined, and a
/// stream gives the same values.
fn check(indicator: &Indicator, rows: &[Bar]) {
    let case = || format!("{indicator} over {rows:?}");
    let columns = match indicator.compute(&series_of(rows)) {
        Ok(columns) => columns,
        Err(IndicatorError::VolumeMissing { .. }) => {
            let has_volume = rows.iter().any(|bar| !bar.volume.is_nan());
            let is_justified = indicator.needs_volume() && !has_volume && !rows.is_empty();
            assert!(is_justified, "{}", case());
            return;
        }
        Err(error) => panic!("{error}: {}", case()),
    };

    assert_eq!(columns.len(), indicator.spec().output_count(), "{}", case());
    for column in &columns {
        assert_eq!(column.len(), rows.len(), "{}", case());
        let is_harmless = |value: &f64| value.is_finite() || value.is_nan();
        assert!(column.iter().all(is_harmless), "{columns:?}: {}", case());
    }
    for row in 0..rows.len().min(indicator.warm_up()) {
        let is_undefined = columns.iter().any(|column| column[row].is_nan());
        assert!(is_undefined, "row {row} is warm-up: {}", case());
    }

    let mut stream = indicator.stream();
    for (row, bar) in rows.iter().enumerate() {
        for (value, column) in stream.push(bar).iter().zip(&columns) {
            let is_same = value.to_bits() == column[row].to_bits();
            assert!(is_same, "row {row} of the stream: {}", case());
        }
    }
}

#[test]
fn a_series_without_a_row_gives_columns_without_a_row() {
    for indicator in specs().iter().flat_map(extremes_of) {
        assert_eq!(
            indicator.compute(&series_of(&[])).unwrap(),
            vec![Vec::<f64>::new(); indicator.spec().output_count()]
        );

        check(&indicator, &[]);
    }
}

#[test]
fn one_row_with_any_hostile_number_in_any_field_is_harmless() {
    for indicator in specs().iter().flat_map(extremes_of) {
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
    for indicator in specs().iter().flat_map(extremes_of) {
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

/// A number that is hostile once in `rarity` times.
fn any_number(random: &mut Random, rarity: usize) -> f64 {
    if random.below(rarity) == 0 {
        HOSTILE[random.below(HOSTILE.len())]
    } else {
        50.0 + 50.0 * random.share()
    }
}

fn any_bar(random: &mut Random, rarity: usize) -> Bar {
    bar([0; 5].map(|_| any_number(random, rarity)))
}

/// A thousand series of up to 80 rows for every type; numbers are hostile in every second, in every
/// ninth or in all cells.
#[test]
fn a_thousand_hostile_series_are_harmless_to_each_type() {
    let mut random = Random(7);
    for spec in specs() {
        for case in 0..1_000 {
            let indicator = random.indicator(spec);
            let rarity = [1, 2, 9][case % 3];
            let row_count = case * 80 / 1_000;

            let rows: Vec<Bar> = (0..row_count)
                .map(|_| any_bar(&mut random, rarity))
                .collect();
            check(&indicator, &rows);
        }
    }
}

/// After the numbers of a broken feed an indicator that starts again at a missing bar is as good as
/// new.
#[test]
fn a_missing_bar_ends_the_influence_of_hostile_numbers() {
    let clean_rows: Vec<Bar> = (0..60)
        .map(|row| f64::from(row).sin())
        .map(|x| bar([50.0 + x, 52.0 + x, 48.0 + x, 50.5 + x, 9.0 - x]))
        .collect();

    let mut random = Random(11);
    for spec in specs() {
        for _ in 0..100 {
            let indicator = random.indicator(spec);
            let mut rows: Vec<Bar> = (0..30).map(|_| any_bar(&mut random, 1)).collect();
            rows.push(bar([f64::NAN; 5]));
            let first_clean = rows.len();
            rows.extend(&clean_rows);

            let after_hostile = indicator.compute(&series_of(&rows)).unwrap();
            let alone = indicator.compute(&series_of(&clean_rows)).unwrap();
            for (after_hostile, alone) in after_hostile.iter().zip(&alone) {
                let after_hostile = bits_of(&after_hostile[first_clean..]);
                assert_eq!(after_hostile, bits_of(alone), "{indicator}");
            }
        }
    }
}

fn bits_of(column: &[f64]) -> Vec<u64> {
    column.iter().map(|value| value.to_bits()).collect()
}
