//! Instruments, timeframes, calendars, bars, and the grid of bars that a calendar expects. Pure: no I/O, no clock.

mod bars;
mod instrument;
mod series;
mod time;
mod timeframe;

pub use bars::Bars;
pub use instrument::{AssetClass, Instrument, InstrumentError, SYMBOL_LENGTH_MAX};
pub use series::{Adjustment, DayBoundary, PriceKind, SeriesKey, SeriesKeyError, Session};
pub use time::Utc;
pub use timeframe::{Timeframe, UnknownTimeframe};
