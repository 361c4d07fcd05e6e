//! How far figures can be trusted.
//!
//! How far one would differ on other rows of the same kind says the circular block bootstrap
//! (Politis and Romano, 1992): rows are drawn in blocks of neighbours, the first row following the
//! last, because neighbours resemble each other. How likely the best of many candidates is best
//! by chance says combinatorially symmetric cross-validation.

mod bootstrap;
mod moments;
mod overfitting;
mod paired;

pub use bootstrap::{DRAWS, LEVEL, ROWS_MIN, block_length, count_runs, draw_rows, interval_of};
pub use moments::{Moments, moments};
pub use overfitting::{BLOCKS_MAX, BLOCKS_MIN, Overfitting, backtest_overfitting};
pub use paired::mean_interval;
