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
    let cell = |text: &String| {
        if text.is_empty() {
            f64::NAN
        } else {
            text.parse().unwrap()
        }
    };
    let column = |index: usize| rows.iter().map(|row| cell(&row[index])).collect();
    header
        .into_iter()
        .enumerate()
        .map(|(index, name)| (name, column(index)))
        .collect()
}

/// The bars of a series; each is known when the next one starts.
pub fn bars(name: &str) -> Bars {
    let (_, rows) = table(name);
    let number = |index: usize| {
        rows.iter()
            .map(|row| row[index].parse().unwrap())
            .collect::<Vec<f64>>()
    };
    let open_time: Vec<Utc> = rows
        .iter()
        .map(|row| Utc::from_timestamp(row[0].parse().unwrap()))
        .collect();
    let mut close_time = open_time[1..].to_vec();
    close_time.push(open_time[open_time.len() - 1].plus_micros(86_400_000_000));
    let (open, high, low, close, volume) = (number(1), number(2), number(3), number(4), number(5));
    Bars {
        open_time,
        close_time,
        open,
        high,
        low,
        close,
        volume,
    }
}

/// An indicator from a line such as `bbands period=10 multiplier=1.5 source=high`.
pub fn indicator(line: &str) -> Indicator {
    let mut words = line.split_whitespace();
    let spec = find(words.next().unwrap()).unwrap_or_else(|| panic!("{line}: no such type"));
    let parameters = words.map(|word| {
        let (name, text) = word.split_once('=').unwrap();
        let value = text
            .parse()
            .map(Value::Integer)
            .or_else(|_| text.parse().map(Value::Float));
        let value = value
            .or_else(|_| text.parse().map(Value::Boolean))
            .unwrap_or_else(|_| Value::Text(text.to_owned()));
        (name.to_owned(), value)
    });
    Indicator::new(spec, &parameters.collect())
        .unwrap_or_else(|errors| panic!("{line}: {errors:?}"))
}

/// Panics where a value at or after row `from` misses the expected one; undefined rows must be
/// undefined.
pub fn assert_meets(what: &str, actual: &[f64], expected: &[f64], from: usize) {
    assert_eq!(actual.len(), expected.len(), "{what}: rows");
    let largest = expected
        .iter()
        .filter(|value| value.is_finite())
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for (row, (&a, &b)) in actual.iter().zip(expected).enumerate().skip(from) {
        let meets = if b.is_nan() {
            a.is_nan()
        } else {
            (a - b).abs() <= 1e-9 * b.abs() + 5e-9 * largest
        };
        assert!(meets, "{what}: row {row} is {a:?}, expected {b:?}");
    }
}
