//! Bars as columns: the in-memory form of a series.

use std::ops::Range;

use crate::time::Utc;

/// OHLCV columns of one series, oldest first, all of one length.
///
/// `open_time` strictly increases. `close_time[i]` is the instant at which bar `i` became known:
/// nothing may be computed from the bar before it. `volume` is NaN where the provider has none (an
/// FX feed), never 0 for "unknown".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Start of each bar.
    pub open_time: Vec<Utc>,
    /// Instant from which each bar is known.
    pub close_time: Vec<Utc>,
    /// First price of each bar.
    pub open: Vec<f64>,
    /// Highest price of each bar.
    pub high: Vec<f64>,
    /// Lowest price of each bar.
    pub low: Vec<f64>,
    /// Last price of each bar.
    pub close: Vec<f64>,
    /// Traded volume, NaN = not available.
    pub volume: Vec<f64>,
}

impl Bars {
    /// Number of bars.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// True without any bar.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// All bars, borrowed.
    pub fn as_slice(&self) -> BarSlice<'_> {
        BarSlice {
            open_time: &self.open_time,
            close_time: &self.close_time,
            open: &self.open,
            high: &self.high,
            low: &self.low,
            close: &self.close,
            volume: &self.volume,
        }
    }

    /// A copy of the rows in `range`, clamped to what exists.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);

        Self {
            open_time: copy_rows(&self.open_time, start..end),
            close_time: copy_rows(&self.close_time, start..end),
            open: copy_rows(&self.open, start..end),
            high: copy_rows(&self.high, start..end),
            low: copy_rows(&self.low, start..end),
            close: copy_rows(&self.close, start..end),
            volume: copy_rows(&self.volume, start..end),
        }
    }

    /// Appends every row of `other`; the caller keeps the order.
    pub fn extend(&mut self, other: &Self) {
        self.open_time.extend_from_slice(&other.open_time);
        self.close_time.extend_from_slice(&other.close_time);
        self.open.extend_from_slice(&other.open);
        self.high.extend_from_slice(&other.high);
        self.low.extend_from_slice(&other.low);
        self.close.extend_from_slice(&other.close);
        self.volume.extend_from_slice(&other.volume);
    }
}

/// The columns of [`Bars`], borrowed: a whole series, or what was known of it at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BarSlice<'a> {
    /// Start of each bar.
    pub open_time: &'a [Utc],
    /// Instant from which each bar is known.
    pub close_time: &'a [Utc],
    /// First price of each bar.
    pub open: &'a [f64],
    /// Highest price of each bar.
    pub high: &'a [f64],
    /// Lowest price of each bar.
    pub low: &'a [f64],
    /// Last price of each bar.
    pub close: &'a [f64],
    /// Traded volume, NaN = not available.
    pub volume: &'a [f64],
}

impl<'a> BarSlice<'a> {
    /// Number of bars.
    pub const fn len(&self) -> usize {
        self.open_time.len()
    }

    /// True without any bar.
    pub const fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// The bars that were known at `instant`, one that closes just then included.
    pub fn known_at(&self, instant: Utc) -> Self {
        let rows = self.close_time.partition_point(|close| *close <= instant);

        Self {
            open_time: first_rows(self.open_time, rows),
            close_time: first_rows(self.close_time, rows),
            open: first_rows(self.open, rows),
            high: first_rows(self.high, rows),
            low: first_rows(self.low, rows),
            close: first_rows(self.close, rows),
            volume: first_rows(self.volume, rows),
        }
    }
}

fn copy_rows<T: Clone>(column: &[T], rows: Range<usize>) -> Vec<T> {
    column.get(rows).unwrap_or_default().to_vec()
}

fn first_rows<T>(column: &[T], rows: usize) -> &[T] {
    column.get(..rows).unwrap_or(column)
}
