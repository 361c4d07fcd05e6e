//! Membership functions give the published degrees, exactly, corner points and infinities included.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod golden_data;

use strategies::fuzzy::Membership;

#[test]
fn every_published_degree_is_met() {
    let (_, rows) = golden_data::table("membership");
    assert_eq!(rows.len(), 338);
    let mut misses = Vec::new();
    for row in rows {
        let parameters: Vec<f64> = row[1].split(';').map(|number| number.parse().unwrap()).collect();
        let (x, expected): (f64, f64) = (row[2].parse().unwrap(), row[3].parse().unwrap());
        let degree = Membership::new(&row[0], &parameters).unwrap().degree(x);
        if !(degree == expected || (degree.is_nan() && expected.is_nan())) {
            misses.push(format!("{} {} at {}: {degree:?}, expected {expected:?}", row[0], row[1], row[2]));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}
