//! Bars as they are stored: opens and prices, without the derived close times.

use std::ops::Range;

use market::{Bars, Utc};

/// Every instant: the range to pass for a whole series.
pub const ALL_TIME: Range<Utc> = Utc(i64::MIN)..Utc(i64::MAX);

/// OHLCV columns, all of one length. Stored bars strictly increase in `open_time` and have finite
/// prices; bars read from a file that somebody else wrote may do neither.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawBars {
    /// Start of each bar, UTC.
    pub open_time: Vec<Utc>,
    /// First price of each bar.
    pub open: Vec<f64>,
    /// Highest price of each bar.
    pub high: Vec<f64>,
    /// Lowest price of each bar.
    pub low: Vec<f64>,
    /// Last price of each bar.
    pub close: Vec<f64>,
    /// Traded volume; NaN if it is not available.
    pub volume: Vec<f64>,
}

/// One row of [`RawBars`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawBar {
    /// Start of the bar, UTC.
    pub open_time: Utc,
    /// Open, high, low, close.
    pub prices: [f64; 4],
    /// Traded volume; NaN if it is not available.
    pub volume: f64,
}

impl RawBar {
    /// Equal values, unknown volumes being equal.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let volume = self.volume == other.volume || (self.volume.is_nan() && other.volume.is_nan());
        self.open_time == other.open_time && self.prices == other.prices && volume
    }
}

impl RawBars {
    /// Number of bars.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// True without any bar.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// Row `index`, `None` beyond the end.
    pub fn get(&self, index: usize) -> Option<RawBar> {
        Some(RawBar {
            open_time: *self.open_time.get(index)?,
            prices: [
                *self.open.get(index)?,
                *self.high.get(index)?,
                *self.low.get(index)?,
                *self.close.get(index)?,
            ],
            volume: *self.volume.get(index)?,
        })
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = RawBar> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Appends a row.
    pub fn push(&mut self, bar: RawBar) {
        let [open, high, low, close] = bar.prices;
        self.open_time.push(bar.open_time);
        self.open.push(open);
        self.high.push(high);
        self.low.push(low);
        self.close.push(close);
        self.volume.push(bar.volume);
    }

    /// Makes room for `rows` more rows, and no more than that: a series may fill the memory.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.open_time.reserve_exact(rows);
        for column in [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.close,
            &mut self.volume,
        ] {
            column.reserve_exact(rows);
        }
    }

    /// Appends every row of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.open_time.extend_from_slice(&other.open_time);
        self.open.extend_from_slice(&other.open);
        self.high.extend_from_slice(&other.high);
        self.low.extend_from_slice(&other.low);
        self.close.extend_from_slice(&other.close);
        self.volume.extend_from_slice(&other.volume);
    }

    /// The rows whose open lies in `range`, half-open; the rows are in order.
    #[must_use]
    pub fn between(&self, range: &Range<Utc>) -> Self {
        let start = self.open_time.partition_point(|open| *open < range.start);
        let end = self.open_time.partition_point(|open| *open < range.end);

        // An inverted range has no rows.
        let rows = start..end.max(start);

        Self {
            open_time: part_of(&self.open_time, &rows),
            open: part_of(&self.open, &rows),
            high: part_of(&self.high, &rows),
            low: part_of(&self.low, &rows),
            close: part_of(&self.close, &rows),
            volume: part_of(&self.volume, &rows),
        }
    }

    /// Leaves the rows that are marked.
    pub fn keep_rows(&mut self, rows: &[bool]) {
        keep_rows(&mut self.open_time, rows);
        for column in [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.close,
            &mut self.volume,
        ] {
            keep_rows(column, rows);
        }
    }

    /// Rows sorted by open; of several with one open the last one stays.
    #[must_use]
    pub fn sorted(self) -> Self {
        let opens = &self.open_time;
        if opens.is_sorted_by(|earlier, later| earlier < later) {
            return self;
        }

        // A stable sort keeps bars of one open in the order in which they were given.
        let mut order: Vec<RawBar> = self.iter().collect();
        order.sort_by_key(|bar| bar.open_time);

        let mut sorted = Self::default();
        let mut rows = order.into_iter().peekable();
        while let Some(bar) = rows.next() {
            let next_open = rows.peek().map(|next| next.open_time);
            if next_open != Some(bar.open_time) {
                sorted.push(bar);
            }
        }
        sorted
    }

    /// The same bars with their closes, the instants from which they are known; both of one length.
    pub fn with_close_times(self, close_time: Vec<Utc>) -> Bars {
        Bars {
            open_time: self.open_time,
            close_time,
            open: self.open,
            high: self.high,
            low: self.low,
            close: self.close,
            volume: self.volume,
        }
    }
}

/// Leaves the values of the rows that are marked.
pub fn keep_rows<T: Copy>(values: &mut Vec<T>, rows: &[bool]) {
    let mut marks = rows.iter();
    values.retain(|_| marks.next().copied().unwrap_or(false));
}

fn part_of<T: Clone>(column: &[T], rows: &Range<usize>) -> Vec<T> {
    column.get(rows.clone()).unwrap_or_default().to_vec()
}

impl FromIterator<RawBar> for RawBars {
    fn from_iter<I: IntoIterator<Item = RawBar>>(rows: I) -> Self {
        let mut bars = Self::default();
        for bar in rows {
            bars.push(bar);
        }
        bars
    }
}

impl From<Bars> for RawBars {
    fn from(bars: Bars) -> Self {
        Self {
            open_time: bars.open_time,
            open: bars.open,
            high: bars.high,
            low: bars.low,
            close: bars.close,
            volume: bars.volume,
        }
    }
}

impl From<&Bars> for RawBars {
    fn from(bars: &Bars) -> Self {
        Self {
            open_time: bars.open_time.clone(),
            open: bars.open.clone(),
            high: bars.high.clone(),
            low: bars.low.clone(),
            close: bars.close.clone(),
            volume: bars.volume.clone(),
        }
    }
}
