//! Membership functions give the published degrees, corner points and infinities included: straight ones exactly, Gaussians
//! to one rounding of `exp`, which libraries do differently (exp(-1/8) is published 0.53 units off, ours is 0.47 off).
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
        let tolerance = if row[0] == "gaussian" { f64::EPSILON * expected } else { 0.0 };
        if !((degree - expected).abs() <= tolerance || (degree.is_nan() && expected.is_nan())) {
            misses.push(format!("{} {} at {}: {degree:?}, expected {expected:?}", row[0], row[1], row[2]));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}
