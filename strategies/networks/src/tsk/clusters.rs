//! Groups of similar rows: k-means, with the same result everywhere.
//!
//! S. P. Lloyd, *Least Squares Quantization in PCM* (1982), from the seeds of D. Arthur and S.
//! Vassilvitskii, *k-means++* (2007).

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Rows that are looked at, spread evenly over all of them: more would not move a centre by much.
const ROWS_MAX: usize = 5_000;
/// Rounds after which the centres stay where they are.
const ROUNDS_MAX: usize = 50;
/// Starts, of which the one with the closest rows wins.
const STARTS: usize = 4;
/// Values of the upper 53 bits of a random word: as many as a double holds without rounding.
const DOUBLE_STEPS: f64 = 9_007_199_254_740_992.0;

/// Rows that are closer to the centre of this group than to that of any other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster {
    /// Rows in it, of those that were looked at.
    pub(super) rows: usize,
    /// Mean of each input.
    pub(super) centre: Vec<f64>,
    /// Variance of each input around the mean.
    pub(super) variance: Vec<f64>,
}

/// At most `count` groups of the rows of `inputs`, `[rows, width]`; none is empty.
pub(super) fn find_clusters(inputs: &[f32], width: usize, count: usize, seed: u64) -> Vec<Cluster> {
    let rows = sample_rows(inputs, width);
    let mut generator = ChaCha8Rng::seed_from_u64(seed);

    let mut best: Option<Grouping> = None;
    for _ in 0..STARTS {
        let mut grouping = Grouping::new(choose_seeds(&rows, count, &mut generator));
        grouping.improve(&rows);
        if best
            .as_ref()
            .is_none_or(|best| grouping.spread < best.spread)
        {
            best = Some(grouping);
        }
    }

    best.map(|grouping| grouping.describe(&rows))
        .unwrap_or_default()
}

fn sample_rows(inputs: &[f32], width: usize) -> Vec<Vec<f64>> {
    let width = width.max(1);
    let step = (inputs.len() / width).div_ceil(ROWS_MAX).max(1);
    let rows = inputs.chunks_exact(width).step_by(step);
    rows.map(|row| row.iter().map(|value| f64::from(*value)).collect())
        .collect()
}

/// Each further seed is a row, drawn in proportion to its squared distance from the seeds so far.
fn choose_seeds(rows: &[Vec<f64>], count: usize, generator: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let mut distances = vec![f64::INFINITY; rows.len()];
    let mut seeds: Vec<Vec<f64>> = Vec::new();
    let first = random_fraction(generator) * rows.len() as f64;
    let mut next = rows.get(first as usize);

    while let Some(seed) = next
        && seeds.len() < count
    {
        for (distance, row) in distances.iter_mut().zip(rows) {
            *distance = distance.min(squared_distance(row, seed));
        }
        seeds.push(seed.clone());

        // Without a distance above 0 every row is a seed already.
        let target = random_fraction(generator) * distances.iter().sum::<f64>();
        let mut sum = 0.0;
        let chosen = distances.iter().position(|distance| {
            sum += distance;
            sum > target
        });
        next = chosen.and_then(|chosen| rows.get(chosen));
    }
    seeds
}

/// A number in [0, 1).
fn random_fraction(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / DOUBLE_STEPS
}

fn squared_distance(row: &[f64], centre: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (value, centre) in row.iter().zip(centre) {
        sum += (value - centre) * (value - centre);
    }
    sum
}

/// Centres, and which of them each row is closest to.
struct Grouping {
    centres: Vec<Vec<f64>>,
    members: Vec<usize>,
    /// Σ of the squared distances of rows from their centre.
    spread: f64,
}

impl Grouping {
    fn new(centres: Vec<Vec<f64>>) -> Self {
        Self {
            centres,
            members: Vec::new(),
            spread: f64::INFINITY,
        }
    }

    /// Moves each centre to the mean of its rows until no row changes its group.
    fn improve(&mut self, rows: &[Vec<f64>]) {
        for _ in 0..ROUNDS_MAX {
            if !self.assign(rows) {
                return;
            }
            for (cluster, centre) in self.clusters(rows).into_iter().zip(&mut self.centres) {
                // A group without rows stays where it is.
                if cluster.rows > 0 {
                    *centre = cluster.centre;
                }
            }
        }
        self.assign(rows);
    }

    /// True if a row has changed its group.
    fn assign(&mut self, rows: &[Vec<f64>]) -> bool {
        let mut spread = 0.0;
        let mut members = Vec::with_capacity(rows.len());
        for row in rows {
            let mut nearest = 0;
            let mut smallest = f64::INFINITY;
            for (index, centre) in self.centres.iter().enumerate() {
                let distance = squared_distance(row, centre);
                if distance < smallest {
                    smallest = distance;
                    nearest = index;
                }
            }
            members.push(nearest);
            spread += smallest;
        }

        self.spread = spread;
        let has_changed = members != self.members;
        self.members = members;
        has_changed
    }

    /// Means and variances of all groups.
    fn clusters(&self, rows: &[Vec<f64>]) -> Vec<Cluster> {
        let width = self.centres.first().map_or(0, Vec::len);
        let empty = Cluster {
            rows: 0,
            centre: vec![0.0; width],
            variance: vec![0.0; width],
        };
        let mut clusters = vec![empty; self.centres.len()];

        // Deviations from the last centre are small, so their squares cancel little.
        for (row, member) in rows.iter().zip(&self.members) {
            let Some((cluster, origin)) = clusters.get_mut(*member).zip(self.centres.get(*member))
            else {
                continue;
            };
            cluster.rows += 1;
            let sums = cluster.centre.iter_mut().zip(&mut cluster.variance);
            for ((sum, square), (value, origin)) in sums.zip(row.iter().zip(origin)) {
                *sum += value - origin;
                *square += (value - origin) * (value - origin);
            }
        }

        for (cluster, origin) in clusters.iter_mut().zip(&self.centres) {
            let count = cluster.rows.max(1) as f64;
            let sums = cluster.centre.iter_mut().zip(&mut cluster.variance);
            for ((centre, variance), origin) in sums.zip(origin) {
                let shift = *centre / count;
                *variance = (*variance / count - shift * shift).max(0.0);
                *centre = origin + shift;
            }
        }
        clusters
    }

    fn describe(&self, rows: &[Vec<f64>]) -> Vec<Cluster> {
        let mut clusters = self.clusters(rows);
        clusters.retain(|cluster| cluster.rows > 0);
        clusters
    }
}
