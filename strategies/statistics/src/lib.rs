//! How far a figure would differ on other rows of the same kind: the circular block bootstrap
//! (Politis and Romano, 1992). Rows are drawn in blocks of neighbours, the first row following the
//! last, because neighbours resemble each other.

mod bootstrap;
mod paired;

pub use bootstrap::{DRAWS, LEVEL, ROWS_MIN, block_length, count_runs, draw_rows, interval_of};
pub use paired::mean_interval;
