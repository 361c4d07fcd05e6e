//! What a kernel reads of the bars: one column, a mean of prices, the fields it names, or fields
//! and a column.
//!
//! Inputs lie in columns; [`Rows`] is a stretch of them that can be walked over input by input or,
//! where a formula runs faster on whole columns, read as slices.

use std::borrow::Cow;
use std::ops::Range;

use market::BarSlice;

use super::kernel::Bar;

/// A stretch of inputs.
pub(super) trait Rows: Copy {
    type Input;

    fn len(self) -> usize;

    /// The inputs of these rows; none of those that do not exist.
    fn part(self, rows: Range<usize>) -> Self;

    /// Each input in turn.
    fn each(self) -> impl Iterator<Item = Self::Input>;
}

/// An input and how many of them lie in memory.
pub(super) trait Input: Copy {
    type Rows<'a>: Rows<Input = Self>;
}

/// What a kernel reads from a bar.
pub(super) trait Reader: Clone + Send + Sync + 'static {
    type Input: Input;
    /// What the rows borrow from: the bars, or a column made of them.
    type Columns<'a>;

    /// The input, given or missing.
    fn raw(&self, bar: &Bar) -> Self::Input;

    /// False when the input is missing.
    fn is_given(&self, input: &Self::Input) -> bool;

    fn columns<'a>(&self, bars: BarSlice<'a>) -> Self::Columns<'a>;

    /// The inputs of all bars, given or missing.
    fn rows<'a>(&self, columns: &'a Self::Columns<'_>) -> <Self::Input as Input>::Rows<'a>;

    /// True when none of the inputs is missing.
    fn are_given(&self, rows: <Self::Input as Input>::Rows<'_>) -> bool;
}

/// 1 for a value that is not finite. A number to be added up and no early end lets the compiler
/// look at several at once.
#[inline(always)]
pub(super) fn gap(value: f64) -> u64 {
    const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
    u64::from(value.to_bits() & EXPONENT == EXPONENT)
}

/// How many of the values are not finite.
#[inline(always)]
pub(super) fn gaps(values: &[f64]) -> u64 {
    let mut gaps = 0;
    for value in values {
        gaps += gap(*value);
    }
    gaps
}

/// The values of these rows; none where they do not exist.
#[inline(always)]
pub(super) fn part(values: &[f64], rows: Range<usize>) -> &[f64] {
    values.get(rows).unwrap_or_default()
}

/// The first so many values; none if there are fewer.
#[inline(always)]
pub(super) fn part_mut(values: &mut [f64], rows: usize) -> &mut [f64] {
    values.get_mut(..rows).unwrap_or_default()
}

impl Input for f64 {
    type Rows<'a> = &'a [f64];
}

impl Rows for &[f64] {
    type Input = f64;

    #[inline(always)]
    fn len(self) -> usize {
        <[f64]>::len(self)
    }

    #[inline(always)]
    fn part(self, rows: Range<usize>) -> Self {
        part(self, rows)
    }

    #[inline(always)]
    fn each(self) -> impl Iterator<Item = f64> {
        self.iter().copied()
    }
}

/// Bars as columns of one length.
#[derive(Clone, Copy)]
pub(super) struct BarRows<'a> {
    pub(super) open: &'a [f64],
    pub(super) high: &'a [f64],
    pub(super) low: &'a [f64],
    pub(super) close: &'a [f64],
    pub(super) volume: &'a [f64],
}

impl<'a> BarRows<'a> {
    fn of(bars: BarSlice<'a>) -> Self {
        let BarSlice {
            open,
            high,
            low,
            close,
            volume,
            ..
        } = bars;
        Self {
            open,
            high,
            low,
            close,
            volume,
        }
    }
}

impl Input for Bar {
    type Rows<'a> = BarRows<'a>;
}

impl Rows for BarRows<'_> {
    type Input = Bar;

    #[inline(always)]
    fn len(self) -> usize {
        self.close.len()
    }

    #[inline(always)]
    fn part(self, rows: Range<usize>) -> Self {
        Self {
            open: part(self.open, rows.clone()),
            high: part(self.high, rows.clone()),
            low: part(self.low, rows.clone()),
            close: part(self.close, rows.clone()),
            volume: part(self.volume, rows),
        }
    }

    #[inline(always)]
    fn each(self) -> impl Iterator<Item = Bar> {
        let prices = self
            .open
            .iter()
            .zip(self.high)
            .zip(self.low)
            .zip(self.close)
            .zip(self.volume);
        prices.map(|((((&open, &high), &low), &close), &volume)| Bar {
            open,
            high,
            low,
            close,
            volume,
        })
    }
}

impl Input for (Bar, f64) {
    type Rows<'a> = (BarRows<'a>, &'a [f64]);
}

impl Rows for (BarRows<'_>, &[f64]) {
    type Input = (Bar, f64);

    #[inline(always)]
    fn len(self) -> usize {
        self.1.len()
    }

    #[inline(always)]
    fn part(self, rows: Range<usize>) -> Self {
        (self.0.part(rows.clone()), part(self.1, rows))
    }

    #[inline(always)]
    fn each(self) -> impl Iterator<Item = (Bar, f64)> {
        self.0.each().zip(self.1.iter().copied())
    }
}

/// One value per bar: a column, or a mean of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Open,
    High,
    Low,
    Close,
    Volume,
    HighLow,
    HighLowClose,
    OpenHighLowClose,
}

impl Source {
    /// The source of that name in a strategy file; the close for any other word (the specification
    /// refuses those).
    pub(super) fn named(name: &str) -> Self {
        match name {
            "open" => Self::Open,
            "high" => Self::High,
            "low" => Self::Low,
            "volume" => Self::Volume,
            "hl2" => Self::HighLow,
            "hlc3" => Self::HighLowClose,
            "ohlc4" => Self::OpenHighLowClose,
            _ => Self::Close,
        }
    }
}

impl Reader for Source {
    type Input = f64;
    type Columns<'a> = Cow<'a, [f64]>;

    #[inline(always)]
    fn raw(&self, bar: &Bar) -> f64 {
        match self {
            Self::Open => bar.open,
            Self::High => bar.high,
            Self::Low => bar.low,
            Self::Close => bar.close,
            Self::Volume if bar.volume < 0.0 => f64::NAN,
            Self::Volume => bar.volume,
            Self::HighLow => (bar.high + bar.low) / 2.0,
            Self::HighLowClose => (bar.high + bar.low + bar.close) / 3.0,
            Self::OpenHighLowClose => (bar.open + bar.high + bar.low + bar.close) / 4.0,
        }
    }

    #[inline(always)]
    fn is_given(&self, input: &f64) -> bool {
        input.is_finite()
    }

    /// One slice, so that there is one loop; what no column holds is made beforehand.
    fn columns<'a>(&self, bars: BarSlice<'a>) -> Cow<'a, [f64]> {
        match self {
            Self::Open => Cow::Borrowed(bars.open),
            Self::High => Cow::Borrowed(bars.high),
            Self::Low => Cow::Borrowed(bars.low),
            Self::Close => Cow::Borrowed(bars.close),
            other => BarRows::of(bars)
                .each()
                .map(|bar| other.raw(&bar))
                .collect(),
        }
    }

    fn rows<'a>(&self, columns: &'a Cow<'_, [f64]>) -> &'a [f64] {
        columns
    }

    #[inline(always)]
    fn are_given(&self, rows: &[f64]) -> bool {
        gaps(rows) == 0
    }
}

const OPEN: u8 = 1;
const HIGH: u8 = 2;
const LOW: u8 = 4;
const CLOSE: u8 = 8;
const VOLUME: u8 = 16;

/// The bar itself; missing when one of the named fields is. A negative volume is a marker for
/// "none", so missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<const NAMED: u8>;

pub(super) const HIGH_LOW: Fields<{ HIGH | LOW }> = Fields;
pub(super) const HIGH_LOW_CLOSE: Fields<{ HIGH | LOW | CLOSE }> = Fields;
pub(super) const OPEN_HIGH_LOW_CLOSE: Fields<{ OPEN | HIGH | LOW | CLOSE }> = Fields;
pub(super) const CLOSE_VOLUME: Fields<{ CLOSE | VOLUME }> = Fields;
pub(super) const HIGH_LOW_CLOSE_VOLUME: Fields<{ HIGH | LOW | CLOSE | VOLUME }> = Fields;

impl<const NAMED: u8> Reader for Fields<NAMED> {
    type Input = Bar;
    type Columns<'a> = BarRows<'a>;

    #[inline(always)]
    fn raw(&self, bar: &Bar) -> Bar {
        *bar
    }

    #[inline(always)]
    fn is_given(&self, bar: &Bar) -> bool {
        let given = |field: u8, value: f64| NAMED & field == 0 || value.is_finite();
        given(OPEN, bar.open)
            && given(HIGH, bar.high)
            && given(LOW, bar.low)
            && given(CLOSE, bar.close)
            && given(VOLUME, bar.volume)
            && (NAMED & VOLUME == 0 || bar.volume >= 0.0)
    }

    fn columns<'a>(&self, bars: BarSlice<'a>) -> BarRows<'a> {
        BarRows::of(bars)
    }

    fn rows<'a>(&self, columns: &'a BarRows<'_>) -> BarRows<'a> {
        *columns
    }

    #[inline(always)]
    fn are_given(&self, rows: BarRows<'_>) -> bool {
        // All columns side by side, so that the memory is asked for all of them at once.
        let gap = |field: u8, value: f64| if NAMED & field == 0 { 0 } else { gap(value) };
        let mut gaps = 0;
        for bar in rows.each() {
            gaps += gap(OPEN, bar.open)
                + gap(HIGH, bar.high)
                + gap(LOW, bar.low)
                + gap(CLOSE, bar.close);
            gaps += gap(VOLUME, bar.volume) + u64::from(NAMED & VOLUME != 0 && bar.volume < 0.0);
        }
        gaps == 0
    }
}

/// A bar with its high, low and close, and one more value of it; missing when any of them is.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeAndSource(pub(super) Source);

impl Reader for RangeAndSource {
    type Input = (Bar, f64);
    type Columns<'a> = (BarRows<'a>, Cow<'a, [f64]>);

    #[inline(always)]
    fn raw(&self, bar: &Bar) -> (Bar, f64) {
        (*bar, self.0.raw(bar))
    }

    #[inline(always)]
    fn is_given(&self, (bar, value): &(Bar, f64)) -> bool {
        HIGH_LOW_CLOSE.is_given(bar) && self.0.is_given(value)
    }

    fn columns<'a>(&self, bars: BarSlice<'a>) -> (BarRows<'a>, Cow<'a, [f64]>) {
        (BarRows::of(bars), self.0.columns(bars))
    }

    fn rows<'a>(
        &self,
        (bars, values): &'a (BarRows<'_>, Cow<'_, [f64]>),
    ) -> (BarRows<'a>, &'a [f64]) {
        (*bars, values)
    }

    #[inline(always)]
    fn are_given(&self, (bars, values): (BarRows<'_>, &[f64])) -> bool {
        HIGH_LOW_CLOSE.are_given(bars) && gaps(values) == 0
    }
}
