//! The rank information coefficient of a signal, and whether it is more than chance.
//!
//! Returns over several bars overlap, and symbols move together at one instant: rows are far fewer
//! observations than they seem. Standard errors that know this are those of Newey and West (1987)
//! within each symbol, and of Driscoll and Kraay (1998) over the sums of each instant.

use std::collections::BTreeMap;

use crate::distributions::student_beyond;
use crate::ranks::{mean_product, standard_ranks};

/// Lags of a test of n instants are at least this many times √n (Lazarus, Lewis, Stock and Watson:
/// HAR inference, Journal of Business & Economic Statistics, 2018).
const LAG_RULE: f64 = 1.3;
/// Fewer instants than this many per lag say nothing about the variance of their mean.
const INSTANTS_PER_LAG_MIN: usize = 5;
/// Degrees of freedom of a Bartlett kernel of bandwidth b: 1.5 · n / b, by the integral of its
/// square, 2/3.
const DEGREES_RULE: f64 = 1.5;
/// Coefficients of the regression: a constant, and the slope.
const COEFFICIENTS: f64 = 2.0;

/// A row of a panel: what a model expected of an instrument at an instant, and what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PanelRow {
    /// The higher, the more it expected a rise.
    pub signal: f64,
    /// Its forward return.
    pub forward: f64,
    /// Number of the instrument.
    pub symbol: u32,
    /// When the signal was known.
    pub instant: i64,
}

/// How well a signal orders forward returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankIc {
    /// Spearman's correlation of signal and forward return, −1 to 1.
    pub value: f64,
    /// Whether it is more than chance; none for too few instants.
    pub test: Option<RankIcTest>,
}

/// A test of a rank information coefficient against 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankIcTest {
    /// The coefficient in standard errors.
    pub t: f64,
    /// Probability of a coefficient at least as far from 0 by chance.
    pub p: f64,
    /// Lags over which rows may be correlated.
    pub lags: usize,
    /// Degrees of freedom of Student's distribution.
    pub degrees: f64,
    /// Distinct instants of the rows.
    pub instants: usize,
}

/// The rank information coefficient over all rows, with a test for forward returns over `horizon`
/// bars. Rows are grouped by symbol, and ascend in time within it. None where signal or returns do
/// not vary.
///
/// Ranks are regressed on ranks, x and y being both in deviations from their mean: the slope is the
/// coefficient, e = y − slope · x, and its scores are u = x · e. With weights
/// w(l) = 1 − l / (L + 1), the variance of Σu is Σu² + 2 Σ w(l) Σ u(i) u(i − l) within symbols
/// (Newey and West), or the same over the sums of the scores of each instant (Driscoll and Kraay);
/// the larger one counts. The standard error of the slope is √(n / (n − 2) · variance) / n.
///
/// L is twice the horizon or 1.3 · √instants, whichever is more; p is that of Student's
/// distribution with 1.5 · instants / (L + 1) degrees of freedom. There is a test from five
/// instants per lag on, which are 45 instants, and ten horizons.
pub fn rank_ic(rows: &[PanelRow], horizon: usize) -> Option<RankIc> {
    let signals: Vec<f64> = rows.iter().map(|row| row.signal).collect();
    let returns: Vec<f64> = rows.iter().map(|row| row.forward).collect();
    let signal = standard_ranks(&signals)?;
    let outcome = standard_ranks(&returns)?;
    let value = mean_product(&signal, &outcome);

    let pairs = signal.iter().zip(&outcome);
    let scores: Vec<f64> = pairs.map(|(x, y)| x * (y - value * x)).collect();
    let panel = Panel { rows, scores };
    Some(RankIc {
        value,
        test: panel.test(value, horizon),
    })
}

struct Panel<'a> {
    rows: &'a [PanelRow],
    /// Of the slope, `[rows]`.
    scores: Vec<f64>,
}

impl Panel<'_> {
    fn test(&self, value: f64, horizon: usize) -> Option<RankIcTest> {
        let by_instant = self.sums_by_instant();
        let instants = by_instant.len();
        let lags = lags_of(instants, horizon);
        if lags.saturating_mul(INSTANTS_PER_LAG_MIN) > instants {
            return None;
        }

        let variance = self
            .variance_by_symbol(lags)
            .max(long_run(&by_instant, lags));
        let rows = self.rows.len() as f64;
        let error = (rows / (rows - COEFFICIENTS) * variance).sqrt() / rows;
        let degrees = DEGREES_RULE * instants as f64 / (lags as f64 + 1.0);
        let t = value / error;
        t.is_finite().then(|| RankIcTest {
            t,
            p: student_beyond(t, degrees),
            lags,
            degrees,
            instants,
        })
    }

    /// The sum of the scores of each instant, in their order.
    fn sums_by_instant(&self) -> Vec<f64> {
        let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
        for (row, score) in self.rows.iter().zip(&self.scores) {
            *sums.entry(row.instant).or_default() += score;
        }
        sums.into_values().collect()
    }

    fn variance_by_symbol(&self, lags: usize) -> f64 {
        let mut variance = 0.0;
        let mut first = 0;
        for symbol in self.rows.chunk_by(|one, other| one.symbol == other.symbol) {
            let end = first + symbol.len();
            variance += long_run(self.scores.get(first..end).unwrap_or_default(), lags);
            first = end;
        }
        variance
    }
}

/// Lags that cover what horizons overlap twice, and more with more instants.
fn lags_of(instants: usize, horizon: usize) -> usize {
    let by_rule = libm::ceil(LAG_RULE * libm::sqrt(instants as f64)) as usize;
    by_rule.max(horizon.saturating_mul(2))
}

/// The variance of the sum of `scores` whose neighbours up to `lags` apart are correlated.
fn long_run(scores: &[f64], lags: usize) -> f64 {
    let mut variance: f64 = scores.iter().map(|score| score * score).sum();
    for lag in 1..=lags {
        let weight = 1.0 - lag as f64 / (lags as f64 + 1.0);
        let pairs = scores.iter().zip(scores.iter().skip(lag));
        let products = pairs.map(|pair| pair.0 * pair.1).sum::<f64>();
        variance += 2.0 * weight * products;
    }
    variance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{Panel as GoldenPanel, assert_near, panels};

    fn rows_of(panel: &GoldenPanel) -> Vec<PanelRow> {
        let rows = (0..panel.signal.len()).map(|row| PanelRow {
            signal: panel.signal[row],
            forward: panel.forward[row],
            symbol: panel.symbol[row],
            instant: panel.instant[row],
        });
        rows.collect()
    }

    #[test]
    fn the_test_is_the_careful_one_of_two_of_statsmodels() {
        let panels = panels();
        assert_eq!(panels.len(), 7);
        for panel in &panels {
            let rank_ic = rank_ic(&rows_of(panel), panel.horizon).unwrap();
            let test = rank_ic.test.unwrap();

            assert_near(rank_ic.value, panel.spearman);
            assert_eq!(test.lags, panel.lags);
            let careful = panel.t_by_symbol.abs().min(panel.t_by_instant.abs());
            assert_near(test.t.abs(), careful);
            assert_near(test.p, panel.p);
        }
    }

    #[test]
    fn both_standard_errors_are_the_larger_one_somewhere() {
        let panels = panels();
        let by_symbol = |panel: &&GoldenPanel| panel.t_by_symbol.abs() < panel.t_by_instant.abs();
        let by_instant = |panel: &&GoldenPanel| panel.t_by_symbol.abs() > panel.t_by_instant.abs();
        assert!(panels.iter().filter(by_symbol).count() > 0);
        assert!(panels.iter().filter(by_instant).count() > 0);
    }

    fn row(row: i64) -> PanelRow {
        PanelRow {
            signal: ((row * 7) % 11) as f64,
            forward: ((row * 5) % 13) as f64,
            symbol: 0,
            instant: row,
        }
    }

    fn single(count: i64) -> Vec<PanelRow> {
        (0..count).map(row).collect()
    }

    fn test_of(rows: i64, horizon: usize) -> Option<RankIcTest> {
        rank_ic(&single(rows), horizon).unwrap().test
    }

    #[test]
    fn lags_cover_two_horizons_or_grow_with_the_rows() {
        // 1.3 · √100 = 13, 1.3 · √1000 = 41.1.
        assert_eq!(test_of(100, 1).unwrap().lags, 13);
        assert_eq!(test_of(100, 9).unwrap().lags, 18);
        assert_eq!(test_of(1_000, 1).unwrap().lags, 42);
    }

    #[test]
    fn too_few_instants_have_a_coefficient_without_a_test() {
        // 1.3 · √44 = 8.6, so 9 lags, which need 45 instants.
        assert_eq!(test_of(44, 1), None);
        assert!(test_of(45, 1).is_some());
        assert!(test_of(100, 10).is_some());
        assert_eq!(test_of(100, 11), None);
    }

    #[test]
    fn a_signal_that_never_varies_has_no_coefficient() {
        let mut rows = single(100);
        rows.iter_mut().for_each(|row| row.signal = 0.5);
        assert_eq!(rank_ic(&rows, 1), None);
    }
}
