//! Reads the golden files: bars, expected columns, and the comparison rule that they are published
//! with.

use std::collections::BTreeMap;
use std::path::Path;

use flate2::read::GzDecoder;
use market::{Bars, Utc};
use strategies::indicators::{Indicator, Value, find};

/// A file's header and rows, as text.
pub fn table(name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(format!("{name}.csv.gz"));
    let file =
        std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));

    let mut reader = csv::Reader::from_reader(GzDecoder::new(file));
    let header = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    (header, rows)
}

/// Columns by name; an empty cell is NaN.
pub fn columns(name: &str) -> BTreeMap<String, Vec<f64>> {
    let (header, rows) = table(name);

    let mut columns = BTreeMap::new();
    for (index, name) in header.into_iter().enumerate() {
        let column = rows.iter().map(|row| parse_cell(&row[index])).collect();
        columns.insert(name, column);
    }
    columns
}

fn parse_cell(text: &str) -> f64 {
    if text.is_empty() {
        f64::NAN
    } else {
        text.parse().unwrap()
    }
}

/// The bars of a series; each is known when the next one starts.
pub fn bars(name: &str) -> Bars {
    let (_, rows) = table(name);
    let column = |index: usize| rows.iter().map(|row| row[index].parse().unwrap()).collect();
    let open_time: Vec<Utc> = rows
        .iter()
        .map(|row| Utc::from_timestamp(row[0].parse().unwrap()))
        .collect();

    // The last bar has no next one: it lasts a day.
    let mut close_time = open_time[1..].to_vec();
    close_time.push(open_time[open_time.len() - 1].plus_micros(86_400_000_000));

    Bars {
        open_time,
        close_time,
        open: column(1),
        high: column(2),
        low: column(3),
        close: column(4),
        volume: column(5),
    }
}

/// An indicator from a line such as `bbands period=10 multiplier=1.5 source=high`.
pub fn indicator(line: &str) -> Indicator {
    let mut words = line.split_whitespace();
    let spec = find(words.next().unwrap()).unwrap_or_else(|| panic!("{line}: no such type"));

    let parameters = words.map(|word| {
        let (name, text) = word.split_once('=').unwrap();
        (name.to_owned(), parse_value(text))
    });
    Indicator::new(spec, &parameters.collect())
        .unwrap_or_else(|errors| panic!("{line}: {errors:?}"))
}

fn parse_value(text: &str) -> Value {
    if let Ok(value) = text.parse() {
        return Value::Integer(value);
    }
    if let Ok(value) = text.parse() {
        return Value::Float(value);
    }
    match text.parse() {
        Ok(value) => Value::Boolean(value),
        Err(_) => Value::Text(text.to_owned()),
    }
}

/// Panics where a value at or after row `from` misses the expected one; undefined rows must be
/// undefined.
pub fn assert_meets(what: &str, actual: &[f64], expected: &[f64], from: usize) {
    assert_eq!(actual.len(), expected.len(), "{what}: rows");
    let largest = expected
        .iter()
        .filter(|value| value.is_finite())
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));

    for (row, (actual, expected)) in actual.iter().zip(expected).enumerate().skip(from) {
        let meets = if expected.is_nan() {
            actual.is_nan()
        } else {
            (actual - expected).abs() <= 1e-9 * expected.abs() + 5e-9 * largest
        };
        assert!(
            meets,
            "{what}: row {row} is {actual:?}, expected {expected:?}"
        );
    }
}
