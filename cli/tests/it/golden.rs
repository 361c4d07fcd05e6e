//! The golden tables that the values of indicators and features are compared with.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The path of a golden file.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../strategies/engine/tests/data")
        .join(name)
}

/// The columns of a CSV file in their order; an empty cell is NaN.
pub(crate) struct CsvColumns {
    pub(crate) names: Vec<String>,
    pub(crate) values: BTreeMap<String, Vec<f64>>,
}

impl CsvColumns {
    pub(crate) fn read(path: &Path) -> Self {
        let file = std::fs::File::open(path).unwrap();
        let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
        let reader: Box<dyn Read> = if is_compressed {
            Box::new(flate2::read::GzDecoder::new(file))
        } else {
            Box::new(file)
        };

        let mut reader = csv::Reader::from_reader(reader);
        let heads = reader.headers().unwrap();
        let names: Vec<String> = heads.iter().map(str::to_owned).collect();
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for row in reader.records() {
            for (name, cell) in names.iter().zip(row.unwrap().iter()) {
                let column = values.entry(name.clone()).or_default();
                column.push(cell.parse().unwrap_or(f64::NAN));
            }
        }
        Self { names, values }
    }
}

/// The comparison rule that the golden files are published with.
pub(crate) fn assert_meets(name: &str, actual: &[f64], expected: &[f64], from: usize) {
    let largest = expected
        .iter()
        .filter(|value| value.is_finite())
        .fold(0.0_f64, |most, value| most.max(value.abs()));

    for (row, (a, b)) in actual.iter().zip(expected).enumerate().skip(from) {
        let meets = if b.is_nan() {
            a.is_nan()
        } else {
            (a - b).abs() <= 1e-9 * b.abs() + 5e-9 * largest
        };
        assert!(meets, "{name}: row {row} is {a}, expected {b}");
    }
}
