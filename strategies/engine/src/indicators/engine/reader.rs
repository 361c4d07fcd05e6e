//! What a kernel reads of the bars: one column, a mean of prices, the fields it names, or fields
//! and a column. The reader also decides when an input is missing.

use std::borrow::Cow;

use market::BarSlice;

use super::bar::Bar;
use super::inputs::{BarAndValue, BarAndValueRows, BarRows, Input, Rows, gap_bits, has_gap};
use crate::ties::as_decimal;

/// What a kernel reads from a bar.
pub(crate) trait Reader: Clone + Send + Sync + 'static {
    type Input: Input;

    /// What the rows borrow from: the bars, or a column made of them.
    type Columns<'a>;

    /// The input of one bar, present or missing.
    fn read(&self, bar: &Bar) -> Self::Input;

    /// False when the input is missing.
    fn is_present(&self, input: &Self::Input) -> bool;

    /// Makes the columns that the bars do not hold as such.
    fn make_columns<'a>(&self, bars: BarSlice<'a>) -> Self::Columns<'a>;

    /// The inputs of all bars, present or missing.
    fn rows<'a>(&self, columns: &'a Self::Columns<'_>) -> <Self::Input as Input>::Rows<'a>;

    /// True when no input of these rows is missing.
    fn are_present(&self, rows: <Self::Input as Input>::Rows<'_>) -> bool;
}

/// One value per bar: a column, or a mean of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
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
    pub(crate) fn from_name(name: &str) -> Self {
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
    fn read(&self, bar: &Bar) -> f64 {
        match self {
            Self::Open => bar.open,
            Self::High => bar.high,
            Self::Low => bar.low,
            Self::Close => bar.close,
            // Some feeds mark a bar without volume by a negative number.
            Self::Volume if bar.volume < 0.0 => f64::NAN,
            Self::Volume => bar.volume,
            // Of the sum as a decimal, so that equal means are the same number.
            Self::HighLow => as_decimal(bar.high + bar.low) / 2.0,
            Self::HighLowClose => as_decimal(bar.high + bar.low + bar.close) / 3.0,
            Self::OpenHighLowClose => as_decimal(bar.open + bar.high + bar.low + bar.close) / 4.0,
        }
    }

    #[inline(always)]
    fn is_present(&self, input: &f64) -> bool {
        input.is_finite()
    }

    /// Always a slice, so that one compiled loop per kernel serves every source.
    fn make_columns<'a>(&self, bars: BarSlice<'a>) -> Cow<'a, [f64]> {
        match self {
            Self::Open => Cow::Borrowed(bars.open),
            Self::High => Cow::Borrowed(bars.high),
            Self::Low => Cow::Borrowed(bars.low),
            Self::Close => Cow::Borrowed(bars.close),
            Self::Volume | Self::HighLow | Self::HighLowClose | Self::OpenHighLowClose => {
                let bars = BarRows::from(bars).iter();
                bars.map(|bar| self.read(&bar)).collect()
            }
        }
    }

    fn rows<'a>(&self, columns: &'a Cow<'_, [f64]>) -> &'a [f64] {
        columns
    }

    #[inline(always)]
    fn are_present(&self, rows: &[f64]) -> bool {
        !has_gap(rows)
    }
}

const OPEN: u8 = 1;
const HIGH: u8 = 2;
const LOW: u8 = 4;
const CLOSE: u8 = 8;
const VOLUME: u8 = 16;

/// The bar itself; missing when one of the fields in the bit set `NAMED` is. A negative volume
/// means that the feed has none, so it is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<const NAMED: u8>;

pub(crate) const HIGH_LOW: Fields<{ HIGH | LOW }> = Fields;
pub(crate) const HIGH_LOW_CLOSE: Fields<{ HIGH | LOW | CLOSE }> = Fields;
pub(crate) const OPEN_HIGH_LOW_CLOSE: Fields<{ OPEN | HIGH | LOW | CLOSE }> = Fields;
pub(crate) const CLOSE_VOLUME: Fields<{ CLOSE | VOLUME }> = Fields;
pub(crate) const HIGH_LOW_CLOSE_VOLUME: Fields<{ HIGH | LOW | CLOSE | VOLUME }> = Fields;

impl<const NAMED: u8> Fields<NAMED> {
    /// 0 if no named field is missing, else some other number. Bits instead of an early answer, so
    /// that several bars can be looked at together.
    #[inline(always)]
    fn missing_bits(bar: &Bar) -> u64 {
        Self::bits_if_named(OPEN, gap_bits(bar.open))
            | Self::bits_if_named(HIGH, gap_bits(bar.high))
            | Self::bits_if_named(LOW, gap_bits(bar.low))
            | Self::bits_if_named(CLOSE, gap_bits(bar.close))
            | Self::bits_if_named(VOLUME, gap_bits(bar.volume))
            | Self::bits_if_named(VOLUME, u64::from(bar.volume < 0.0))
    }

    #[inline(always)]
    fn bits_if_named(field: u8, bits: u64) -> u64 {
        if NAMED & field == 0 { 0 } else { bits }
    }
}

impl<const NAMED: u8> Reader for Fields<NAMED> {
    type Input = Bar;
    type Columns<'a> = BarRows<'a>;

    #[inline(always)]
    fn read(&self, bar: &Bar) -> Bar {
        *bar
    }

    #[inline(always)]
    fn is_present(&self, bar: &Bar) -> bool {
        Self::missing_bits(bar) == 0
    }

    fn make_columns<'a>(&self, bars: BarSlice<'a>) -> BarRows<'a> {
        BarRows::from(bars)
    }

    fn rows<'a>(&self, columns: &'a BarRows<'_>) -> BarRows<'a> {
        *columns
    }

    #[inline(always)]
    fn are_present(&self, rows: BarRows<'_>) -> bool {
        // Bar by bar and not column by column, so that the processor fetches all columns at once.
        let mut missing = 0;
        for bar in rows.iter() {
            missing |= Self::missing_bits(&bar);
        }
        missing == 0
    }
}

/// A bar with its high, low and close, and one more value of it; missing when any of them is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeAndSource(pub(crate) Source);

/// The columns that [`RangeAndSource`] reads.
pub(crate) struct RangeAndSourceColumns<'a> {
    bars: BarRows<'a>,
    values: Cow<'a, [f64]>,
}

impl Reader for RangeAndSource {
    type Input = BarAndValue;
    type Columns<'a> = RangeAndSourceColumns<'a>;

    #[inline(always)]
    fn read(&self, bar: &Bar) -> BarAndValue {
        BarAndValue {
            bar: *bar,
            value: self.0.read(bar),
        }
    }

    #[inline(always)]
    fn is_present(&self, input: &BarAndValue) -> bool {
        HIGH_LOW_CLOSE.is_present(&input.bar) && self.0.is_present(&input.value)
    }

    fn make_columns<'a>(&self, bars: BarSlice<'a>) -> RangeAndSourceColumns<'a> {
        RangeAndSourceColumns {
            bars: BarRows::from(bars),
            values: self.0.make_columns(bars),
        }
    }

    fn rows<'a>(&self, columns: &'a RangeAndSourceColumns<'_>) -> BarAndValueRows<'a> {
        BarAndValueRows {
            bars: columns.bars,
            values: &columns.values,
        }
    }

    #[inline(always)]
    fn are_present(&self, rows: BarAndValueRows<'_>) -> bool {
        HIGH_LOW_CLOSE.are_present(rows.bars) && self.0.are_present(rows.values)
    }
}
