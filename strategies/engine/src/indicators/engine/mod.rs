//! How any indicator runs: what it reads of the bars, one bar at a time or in blocks, over a whole
//! series or as a stream that can be saved. Knows no formula.

mod bar;
mod indicator;
mod inputs;
mod kernel;
mod parameter_spec;
mod parameters;
mod reader;
mod runner;
mod spec;
mod stream;

pub use bar::Bar;
pub use indicator::{Indicator, IndicatorError};
pub(crate) use inputs::{BarAndValue, BarRows, Rows, first_mut, gap_bits, slice_of};
#[cfg(test)]
pub(crate) use kernel::HISTORY;
pub(crate) use kernel::{BLOCK, BlockKernel, Kernel, Scratch};
pub(crate) use parameter_spec::{DDOF, SOURCE, above, bars, choice, flag, period};
pub use parameter_spec::{ParameterKind, ParameterSpec};
pub use parameters::{ParameterError, Value};
pub(crate) use reader::{
    CLOSE_VOLUME, HIGH_LOW, HIGH_LOW_CLOSE, HIGH_LOW_CLOSE_VOLUME, OPEN_HIGH_LOW_CLOSE,
    RangeAndSource, Reader, Source,
};
pub(crate) use runner::{Engine, Walk, finite_or_nan, run_blocks, run_steps};
pub use spec::IndicatorSpec;
pub use stream::{Stream, StreamError, StreamState};
