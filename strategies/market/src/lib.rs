//! Instruments, timeframes, calendars, bars, and the grid of bars that a calendar expects. Pure: no
//! I/O, no clock.
//!
//! Time is [`Utc`] everywhere; civil time and zones exist inside [`Calendar`] only. A bar is
//! labelled by its start and is known from its close time on, which [`close_times`] derives from
//! the calendar.

mod bars;
mod calendar;
mod calendar_file;
mod calendar_names;
mod gaps;
mod grid;
mod hours_check;
mod instrument;
mod moment;
mod resample;
mod series;
mod slot_runs;
mod time;
mod timeframe;
mod timeframe_text;

pub use bars::{BarSlice, Bars};
pub use calendar::{Calendar, CalendarException, ExceptionKind, TradingSession};
pub use calendar_file::CalendarError;
pub use calendar_names::CalendarName;
pub use gaps::{
    GapAnalysis, GapClass, GapCount, GapCounts, GapFacts, GapPlace, Stretch, analyse_gaps,
    explain_gap, missing_slots,
};
pub use grid::{
    CloseTimeError, Gap, HourAnchor, Slot, close_times, expected, gaps, missing, slot_index,
};
pub use hours_check::{WrongHours, check_hours};
pub use instrument::{
    AssetClass, Explanation, Instrument, InstrumentError, SPELLINGS, SYMBOL_LENGTH_MAX, Spelling,
};
pub use moment::Moment;
pub use resample::{ResampleError, Resampled, Resampling, can_resample};
pub use series::{Adjustment, DayBoundary, PriceKind, SeriesKey, SeriesKeyError, Session};
pub use time::Utc;
pub use timeframe::{Timeframe, TimeframeUnit};
pub use timeframe_text::{UnknownTimeframe, timeframe_pattern};
