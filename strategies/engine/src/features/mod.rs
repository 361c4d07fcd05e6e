//! From bars to feature columns: the one path that training, back-testing and prediction share.
//!
//! A row is a bar of the base timeframe and is known at that bar's close. Every indicator is
//! computed on the bars of its own timeframe with fresh state; a value of another timeframe
//! becomes visible at the close of its bar and stays until the next one closes. Nothing is filled
//! backwards: before the first closed bar there is no value, and a row without a value in every
//! column is dropped and counted.
//!
//! [`known_bars`] is what goes in, [`columns`] the computation, [`join`] what brings timeframes
//! together, [`matrix`] what a network takes.

mod columns;
mod error;
mod join;
mod known_bars;
mod matrix;

pub use columns::{ColumnSink, Columns, CompleteRows, compute_columns};
pub use error::FeatureError;
pub use known_bars::{KnownBars, SymbolBars, borrow_bars};
pub use matrix::{FeatureMatrix, compute_features};

pub(crate) use columns::{fill_outputs, stream_columns};
pub(crate) use known_bars::{bars_known_at, check_volumes, get_series};
