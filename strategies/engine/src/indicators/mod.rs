//! Indicators: every type the grammar knows, its parameters, and its values over bars.
//!
//! Definitions are the field's standard ones, as TA-Lib computes them, undefined rows included;
//! where a type has a well-known variant a parameter reaches it.
//!
//! Rules that hold for all types: the value at row i uses rows up to i only; rows before the
//! warm-up is over are NaN; a missing (NaN or infinite) input makes its row undefined and starts
//! the warm-up again; outputs are finite or NaN.
//!
//! Three rooms: `engine` runs any formula over bars, `blocks` holds the parts that formulas are
//! made of (windows, averages, extremes), `catalog` holds the types. A new type is one file in
//! `catalog` and two lines in `catalog/mod.rs`.

mod blocks;
mod catalog;
mod engine;

pub use catalog::{
    LabelOnlySpec, ZIGZAG_THRESHOLD, find, find_label_only, label_only, nearest_name, specs,
};
pub(crate) use engine::Walk;
pub use engine::{
    Bar, Indicator, IndicatorError, IndicatorSpec, ParameterError, ParameterKind, ParameterSpec,
    Stream, StreamError, StreamState, Value,
};

#[cfg(test)]
mod tests;
