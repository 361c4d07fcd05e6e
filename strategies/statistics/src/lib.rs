//! How far figures can be trusted.
//!
//! How far one would differ on other rows of the same kind says the circular block bootstrap
//! (Politis and Romano, 1992): rows are drawn in blocks of neighbours, the first row following the
//! last, because neighbours resemble each other. How likely the best of many candidates is best
//! by chance says combinatorially symmetric cross-validation. Whether there is an edge at all say
//! the rank information coefficient, with a test that knows that returns overlap, and the deflated
//! Sharpe ratio.

mod bootstrap;
mod choice;
mod distributions;
#[cfg(test)]
mod golden;
mod moments;
mod multiple;
mod overfitting;
mod paired;
mod rank_ic;
mod ranks;
mod sharpe;

pub use bootstrap::{DRAWS, LEVEL, ROWS_MIN, block_length, count_runs, draw_rows, interval_of};
pub use choice::{Candidate, Deflated, LuckOfChoice, luck_of_choice};
pub use distributions::{normal_below, normal_exceeded_by, student_beyond};
pub use moments::{Moments, moments};
pub use multiple::holm;
pub use overfitting::{BLOCKS_MAX, BLOCKS_MIN, Overfitting, backtest_overfitting};
pub use paired::mean_interval;
pub use rank_ic::{PanelRow, RankIc, RankIcTest, rank_ic};
pub use ranks::{decile_spread, rank_correlation};
pub use sharpe::{Sharpe, expected_maximum};
