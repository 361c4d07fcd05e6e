//! How an indicator runs: one bar at a time through a small state, so that no value can see a later bar.
//!
//! A [`Kernel`] is the formula; a [`Reader`] takes its input from the bars. A missing input (NaN or infinite) makes the
//! row undefined and restarts the kernel: a value depends only on the unbroken run of inputs that ends at its row.
//! Whole series and single bars go through the same step, so they give the same bits.

use std::borrow::Cow;
use std::mem::ManuallyDrop;

use market::Bars;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The prices and the volume of one bar; NaN = missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded volume; NaN = not available.
    pub volume: f64,
}

/// What a kernel reads from a bar.
pub(super) trait Reader: Clone + Send + Sync + 'static {
    type Input: Copy;
    type Columns<'a>;

    /// The input, given or missing.
    fn raw(&self, bar: &Bar) -> Self::Input;

    /// False when the input is missing.
    fn is_given(&self, input: &Self::Input) -> bool;

    /// What [`Reader::inputs`] walks over.
    fn columns<'a>(&self, bars: &'a Bars) -> Self::Columns<'a>;

    /// True when no input is missing.
    fn are_given(&self, columns: &Self::Columns<'_>) -> bool;

    /// All inputs as they lie in memory, where they do.
    fn slice<'a>(&self, _columns: &'a Self::Columns<'_>) -> Option<&'a [Self::Input]> {
        None
    }

    /// The inputs of all bars, given or missing.
    fn inputs<'a, 'b: 'a>(&self, columns: &'a Self::Columns<'b>) -> impl Iterator<Item = Self::Input> + 'a;
}

#[inline(always)]
fn rows(bars: &Bars) -> impl Iterator<Item = Bar> + '_ {
    let prices = bars.open.iter().zip(&bars.high).zip(&bars.low).zip(&bars.close).zip(&bars.volume);
    prices.map(|((((&open, &high), &low), &close), &volume)| Bar { open, high, low, close, volume })
}

/// Without an early end, which lets the compiler look at several values at once.
fn are_finite(values: &[f64]) -> bool {
    values.iter().fold(true, |all, value| all & value.is_finite())
}

/// The formula: takes the next input, yields one value per output, NaN = not defined yet. Its whole state is what serde
/// writes.
pub(super) trait Kernel<Input, const OUTPUTS: usize>:
    Clone + Send + Sync + Serialize + DeserializeOwned + 'static
{
    fn step(&mut self, input: Input) -> [f64; OUTPUTS];

    /// A shortcut through a whole series without gaps, from a fresh state: fills the columns (each as long as the inputs)
    /// with, bit for bit, what the steps give, and says true; false where there is none.
    fn whole(&self, _inputs: &[Input], _columns: &mut [Vec<f64>]) -> bool {
        false
    }
}

/// A running computation with its types erased.
pub(super) trait Engine: Send + Sync {
    /// Takes every bar, once and for all; leaves one column per output, in output order, in whatever memory `columns` has.
    fn run(self: Box<Self>, bars: &Bars, columns: &mut Vec<Vec<f64>>);
    /// Takes one bar; fills one cell per output.
    fn push(&mut self, bar: &Bar, outputs: &mut [f64]);
    /// The state after the bars so far, as MessagePack.
    fn save(&self) -> Result<Vec<u8>, rmp_serde::encode::Error>;
    /// Goes on from a state that [`Engine::save`] gave for the same indicator.
    fn load(&mut self, state: &[u8]) -> Result<(), rmp_serde::decode::Error>;
    /// A copy with its own state.
    fn copy(&self) -> Box<dyn Engine>;
}

/// A kernel with its reader, ready to run.
pub(super) fn engine<R, K, const OUTPUTS: usize>(reader: R, kernel: K) -> Box<dyn Engine>
where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
{
    Box::new(Runner { reader, fresh: kernel.clone(), state: State { kernel, started: false } })
}

#[derive(Clone)]
struct Runner<R, K, const OUTPUTS: usize> {
    reader: R,
    fresh: K,
    state: State<K>,
}

#[derive(Clone, Serialize, Deserialize)]
struct State<K> {
    kernel: K,
    /// True when the kernel has taken an input since it was fresh.
    started: bool,
}

#[cold]
#[inline(never)]
fn restart<K: Clone>(fresh: &K) -> K {
    fresh.clone()
}

/// What is not finite is undefined.
#[inline(always)]
pub(super) fn defined<const OUTPUTS: usize>(row: [f64; OUTPUTS]) -> [f64; OUTPUTS] {
    row.map(|value| if value.is_finite() { value } else { f64::NAN })
}

impl<K> State<K> {
    #[inline(always)]
    fn advance<Input, const OUTPUTS: usize>(&mut self, fresh: &K, input: Option<Input>) -> [f64; OUTPUTS]
    where
        K: Kernel<Input, OUTPUTS>,
    {
        if let Some(input) = input {
            self.started = true;
            defined(self.kernel.step(input))
        } else {
            if self.started {
                drop(std::mem::replace(&mut self.kernel, restart(fresh)));
                self.started = false;
            }
            [f64::NAN; OUTPUTS]
        }
    }
}

impl<R: Reader, K: Kernel<R::Input, OUTPUTS>, const OUTPUTS: usize> Engine for Runner<R, K, OUTPUTS> {
    /// The state is a local variable meanwhile, whose address nothing takes, not even a clean-up after a panic: so it lives
    /// in registers. A series without a gap, which most are, is looked through once and then needs no check a row.
    fn run(self: Box<Self>, bars: &Bars, columns: &mut Vec<Vec<f64>>) {
        columns.resize_with(OUTPUTS, Vec::new);
        columns.iter_mut().for_each(|column| column.resize(bars.len(), f64::NAN));
        let source = self.reader.columns(bars);
        let given = self.reader.are_given(&source);
        if given && self.reader.slice(&source).is_some_and(|inputs| self.fresh.whole(inputs, columns)) {
            return;
        }
        let mut whole = columns.iter_mut();
        let mut cells: [_; OUTPUTS] =
            std::array::from_fn(|_| whole.next().map_or(&mut [][..], Vec::as_mut_slice).iter_mut());
        let mut write = |row: [f64; OUTPUTS]| {
            for (cells, value) in cells.iter_mut().zip(row) {
                if let Some(cell) = cells.next() {
                    *cell = value;
                }
            }
        };
        let mut state = ManuallyDrop::new(self.state);
        if given {
            for input in self.reader.inputs(&source) {
                write(defined(state.kernel.step(input)));
            }
        } else {
            for input in self.reader.inputs(&source) {
                write(state.advance(&self.fresh, self.reader.is_given(&input).then_some(input)));
            }
        }
        drop(ManuallyDrop::into_inner(state));
    }

    fn push(&mut self, bar: &Bar, outputs: &mut [f64]) {
        let input = self.reader.raw(bar);
        let row: [f64; OUTPUTS] = self.state.advance(&self.fresh, self.reader.is_given(&input).then_some(input));
        outputs.iter_mut().zip(row).for_each(|(cell, value)| *cell = value);
    }

    fn save(&self) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        rmp_serde::to_vec(&self.state)
    }

    fn load(&mut self, state: &[u8]) -> Result<(), rmp_serde::decode::Error> {
        self.state = rmp_serde::from_slice(state)?;
        Ok(())
    }

    fn copy(&self) -> Box<dyn Engine> {
        Box::new(self.clone())
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
    /// The source of that name in a strategy file; the close for any other word (the specification refuses those).
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

    /// One slice, so that there is one loop; means of prices are made beforehand.
    fn columns<'a>(&self, bars: &'a Bars) -> Cow<'a, [f64]> {
        match self {
            Self::Open => Cow::Borrowed(&bars.open),
            Self::High => Cow::Borrowed(&bars.high),
            Self::Low => Cow::Borrowed(&bars.low),
            Self::Close => Cow::Borrowed(&bars.close),
            other => rows(bars).map(|bar| other.raw(&bar)).collect(),
        }
    }

    fn are_given(&self, columns: &Cow<'_, [f64]>) -> bool {
        are_finite(columns)
    }

    fn slice<'a>(&self, columns: &'a Cow<'_, [f64]>) -> Option<&'a [f64]> {
        Some(columns)
    }

    #[inline(always)]
    fn inputs<'a, 'b: 'a>(&self, columns: &'a Cow<'b, [f64]>) -> impl Iterator<Item = f64> + 'a {
        columns.iter().copied()
    }
}

const OPEN: u8 = 1;
const HIGH: u8 = 2;
const LOW: u8 = 4;
const CLOSE: u8 = 8;
const VOLUME: u8 = 16;

/// The bar itself; missing when one of the named fields is. A negative volume is a marker for "none", so missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<const NAMED: u8>;

pub(super) const HIGH_LOW: Fields<{ HIGH | LOW }> = Fields;
pub(super) const HIGH_LOW_CLOSE: Fields<{ HIGH | LOW | CLOSE }> = Fields;
pub(super) const OPEN_HIGH_LOW_CLOSE: Fields<{ OPEN | HIGH | LOW | CLOSE }> = Fields;
pub(super) const CLOSE_VOLUME: Fields<{ CLOSE | VOLUME }> = Fields;
pub(super) const HIGH_LOW_CLOSE_VOLUME: Fields<{ HIGH | LOW | CLOSE | VOLUME }> = Fields;

impl<const NAMED: u8> Reader for Fields<NAMED> {
    type Input = Bar;
    type Columns<'a> = &'a Bars;

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

    fn columns<'a>(&self, bars: &'a Bars) -> &'a Bars {
        bars
    }

    fn are_given(&self, bars: &&Bars) -> bool {
        let given = |field: u8, values: &[f64]| NAMED & field == 0 || are_finite(values);
        let traded = |values: &[f64]| values.iter().fold(true, |all, value| all & (*value >= 0.0));
        given(OPEN, &bars.open)
            && given(HIGH, &bars.high)
            && given(LOW, &bars.low)
            && given(CLOSE, &bars.close)
            && given(VOLUME, &bars.volume)
            && (NAMED & VOLUME == 0 || traded(&bars.volume))
    }

    #[inline(always)]
    fn inputs<'a, 'b: 'a>(&self, bars: &'a &'b Bars) -> impl Iterator<Item = Bar> + 'a {
        rows(bars)
    }
}

/// A bar with its high, low and close, and one more value of it; missing when any of them is.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeAndSource(pub(super) Source);

impl Reader for RangeAndSource {
    type Input = (Bar, f64);
    type Columns<'a> = (&'a Bars, Cow<'a, [f64]>);

    #[inline(always)]
    fn raw(&self, bar: &Bar) -> (Bar, f64) {
        (*bar, self.0.raw(bar))
    }

    #[inline(always)]
    fn is_given(&self, (bar, value): &(Bar, f64)) -> bool {
        HIGH_LOW_CLOSE.is_given(bar) && self.0.is_given(value)
    }

    fn columns<'a>(&self, bars: &'a Bars) -> (&'a Bars, Cow<'a, [f64]>) {
        (bars, self.0.columns(bars))
    }

    fn are_given(&self, (bars, values): &(&Bars, Cow<'_, [f64]>)) -> bool {
        HIGH_LOW_CLOSE.are_given(bars) && self.0.are_given(values)
    }

    #[inline(always)]
    fn inputs<'a, 'b: 'a>(
        &self,
        (bars, values): &'a (&'b Bars, Cow<'b, [f64]>),
    ) -> impl Iterator<Item = (Bar, f64)> + 'a {
        rows(bars).zip(values.iter().copied())
    }
}
