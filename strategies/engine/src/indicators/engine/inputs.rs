//! Inputs of a kernel as they lie in memory: columns of numbers, or bars as five columns.
//!
//! [`Rows`] is a stretch of consecutive inputs. It can be walked over input by input, or, where a
//! formula runs faster on whole columns, be read as slices.

use std::ops::Range;

use market::BarSlice;

use super::bar::Bar;

/// A stretch of consecutive inputs.
pub(crate) trait Rows: Copy {
    /// One of the inputs.
    type Input;

    fn len(self) -> usize;

    /// The inputs of these rows; no rows at all if some of them do not exist.
    fn slice(self, rows: Range<usize>) -> Self;

    fn iter(self) -> impl Iterator<Item = Self::Input>;
}

/// What a kernel takes at each step, and how a stretch of it lies in memory.
pub(crate) trait Input: Copy {
    type Rows<'a>: Rows<Input = Self>;
}

/// 0 for a finite value, else some other number: infinity less itself and NaN less itself are NaN.
#[inline(always)]
#[expect(
    clippy::eq_op,
    reason = "what is not finite, less itself, is NaN and not 0"
)]
pub(crate) fn gap_bits(value: f64) -> u64 {
    (value - value).to_bits()
}

/// True if one of the values is not finite. Looks at all of them, because a loop without an early
/// end can look at several at once.
#[inline(always)]
pub(crate) fn has_gap(values: &[f64]) -> bool {
    let mut bits = 0;
    for value in values {
        bits |= gap_bits(*value);
    }
    bits != 0
}

/// The values of these rows; none if some of the rows do not exist.
///
/// Kernels slice with this and never by index: without a way to panic the compiler keeps their
/// state in registers.
#[inline(always)]
pub(crate) fn slice_of(values: &[f64], rows: Range<usize>) -> &[f64] {
    values.get(rows).unwrap_or_default()
}

/// The first `count` values; none if there are fewer.
#[inline(always)]
pub(crate) fn first_mut(values: &mut [f64], count: usize) -> &mut [f64] {
    values.get_mut(..count).unwrap_or_default()
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
    fn slice(self, rows: Range<usize>) -> Self {
        slice_of(self, rows)
    }

    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = f64> {
        <[f64]>::iter(self).copied()
    }
}

/// Bars as columns of one length.
#[derive(Clone, Copy)]
pub(crate) struct BarRows<'a> {
    pub(crate) open: &'a [f64],
    pub(crate) high: &'a [f64],
    pub(crate) low: &'a [f64],
    pub(crate) close: &'a [f64],
    pub(crate) volume: &'a [f64],
}

impl<'a> From<BarSlice<'a>> for BarRows<'a> {
    fn from(bars: BarSlice<'a>) -> Self {
        Self {
            open: bars.open,
            high: bars.high,
            low: bars.low,
            close: bars.close,
            volume: bars.volume,
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
    fn slice(self, rows: Range<usize>) -> Self {
        Self {
            open: slice_of(self.open, rows.clone()),
            high: slice_of(self.high, rows.clone()),
            low: slice_of(self.low, rows.clone()),
            close: slice_of(self.close, rows.clone()),
            volume: slice_of(self.volume, rows),
        }
    }

    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = Bar> {
        let columns = self
            .open
            .iter()
            .zip(self.high)
            .zip(self.low)
            .zip(self.close)
            .zip(self.volume);

        columns.map(|((((&open, &high), &low), &close), &volume)| Bar {
            open,
            high,
            low,
            close,
            volume,
        })
    }
}

/// A bar and one more value of it, say its volume or a mean of its prices.
#[derive(Clone, Copy)]
pub(crate) struct BarAndValue {
    pub(crate) bar: Bar,
    pub(crate) value: f64,
}

/// Bars with one more column, all of one length.
#[derive(Clone, Copy)]
pub(crate) struct BarAndValueRows<'a> {
    pub(crate) bars: BarRows<'a>,
    pub(crate) values: &'a [f64],
}

impl Input for BarAndValue {
    type Rows<'a> = BarAndValueRows<'a>;
}

impl Rows for BarAndValueRows<'_> {
    type Input = BarAndValue;

    #[inline(always)]
    fn len(self) -> usize {
        self.values.len()
    }

    #[inline(always)]
    fn slice(self, rows: Range<usize>) -> Self {
        Self {
            bars: self.bars.slice(rows.clone()),
            values: slice_of(self.values, rows),
        }
    }

    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = BarAndValue> {
        let pairs = self.bars.iter().zip(self.values);
        pairs.map(|(bar, &value)| BarAndValue { bar, value })
    }
}
