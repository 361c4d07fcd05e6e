//! What each feature is worth to a network: permutation importance (Breiman, 2001; Fisher, Rudin
//! and Dominici, 2019).

use schemas::metrics::{FeatureImportance, Importance};

use super::{mean_of, ratio_or_zero};
use crate::random::Draws;

/// How often each feature is shuffled.
const REPEATS: u32 = 5;
/// Most multiply-adds of all passes together: about a second on one core.
const OPERATIONS_MAX: usize = 2_000_000_000;

/// A part whose features are shuffled, and how to measure a network on it.
pub trait Shuffled {
    /// The error of a measurement that fails or is stopped.
    type Error;

    /// Names of the features, in the network's order.
    fn names(&self) -> Vec<String>;

    /// Number of rows.
    fn rows(&self) -> usize;

    /// The criterion of `rows`, each with the feature `column` of its donor: row `donors[i]` gives
    /// it to row `rows[i]`. Without a column the rows are as they are.
    ///
    /// # Errors
    /// When the network refuses the rows, or the measurement was stopped.
    fn criterion(
        &mut self,
        rows: &[usize],
        column: Option<usize>,
        donors: &[usize],
    ) -> Result<f64, Self::Error>;
}

/// How much the criterion rises when each feature in turn is shuffled among the rows, five times
/// in different orders. A pass costs `operations` multiply-adds a row; where all of them would
/// cost more than 2·10⁹, evenly spread rows are measured instead of all.
///
/// # Errors
/// As [`Shuffled::criterion`].
pub fn importance_of<S: Shuffled>(
    part: &mut S,
    operations: usize,
    seed: u64,
) -> Result<Importance, S::Error> {
    let names = part.names();
    let passes = names.len().max(1) * REPEATS as usize;
    let affordable = OPERATIONS_MAX / (passes * operations.max(1));
    let rows = spread_rows(part.rows(), affordable.max(1));

    let criterion = part.criterion(&rows, None, &rows)?;
    let mut draws = Draws::for_importance(seed);
    let mut features = Vec::with_capacity(names.len());
    for (column, name) in names.into_iter().enumerate() {
        let mut rises = Vec::with_capacity(REPEATS as usize);
        for _ in 0..REPEATS {
            let mut donors = rows.clone();
            draws.shuffle(&mut donors);
            rises.push(part.criterion(&rows, Some(column), &donors)? - criterion);
        }
        features.push(feature_importance(name, &rises));
    }

    Ok(Importance {
        rows: rows.len() as u64,
        repeats: REPEATS,
        seed,
        criterion,
        features,
    })
}

/// `most` of the rows at equal distances, or all.
fn spread_rows(rows: usize, most: usize) -> Vec<usize> {
    let count = rows.min(most);
    let place = |index: usize| (index as u128 * rows as u128 / count as u128) as usize;
    (0..count).map(place).collect()
}

fn feature_importance(name: String, rises: &[f64]) -> FeatureImportance {
    let mean = mean_of(rises.iter().copied());
    let squares: f64 = rises.iter().map(|rise| (rise - mean) * (rise - mean)).sum();
    let freedom = rises.len().saturating_sub(1) as f64;
    FeatureImportance {
        name,
        rise: mean,
        deviation: ratio_or_zero(squares, freedom).sqrt(),
    }
}
