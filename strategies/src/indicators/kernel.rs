//! How an indicator runs: one bar at a time through a small state, so that no value can see a later bar.
//!
//! A [`Kernel`] is the formula; a [`Reader`] takes its input from a bar. A missing input (NaN or infinite) makes the
//! row undefined and restarts the kernel: a value depends only on the unbroken run of inputs that ends at its row.
//! Whole series and single bars go through the same step, so they give the same bits.

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

/// What a kernel reads from a bar; `None` = missing.
pub(super) trait Reader: Send + Sync + 'static {
    type Input: Copy;

    fn read(&self, bar: &Bar) -> Option<Self::Input>;

    /// Reads every bar in order.
    #[inline]
    fn each(&self, bars: &Bars, mut visit: impl FnMut(Option<Self::Input>)) {
        let prices = bars.open.iter().zip(&bars.high).zip(&bars.low).zip(&bars.close).zip(&bars.volume);
        for ((((&open, &high), &low), &close), &volume) in prices {
            visit(self.read(&Bar { open, high, low, close, volume }));
        }
    }
}

/// The formula: takes the next input, yields one value per output, NaN = not defined yet. Its whole state is what serde
/// writes.
pub(super) trait Kernel<Input, const OUTPUTS: usize>:
    Clone + Send + Sync + Serialize + DeserializeOwned + 'static
{
    fn step(&mut self, input: Input) -> [f64; OUTPUTS];
}

/// A running computation with its types erased.
pub(super) trait Engine: Send + Sync {
    /// Takes every bar; one column per output, in output order.
    fn run(&mut self, bars: &Bars) -> Vec<Vec<f64>>;
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
    R: Reader + Clone,
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

impl<K> State<K> {
    #[inline]
    fn advance<Input, const OUTPUTS: usize>(&mut self, fresh: &K, input: Option<Input>) -> [f64; OUTPUTS]
    where
        K: Kernel<Input, OUTPUTS>,
    {
        if let Some(input) = input {
            self.started = true;
            self.kernel.step(input).map(|value| if value.is_finite() { value } else { f64::NAN })
        } else {
            if self.started {
                self.kernel = fresh.clone();
                self.started = false;
            }
            [f64::NAN; OUTPUTS]
        }
    }
}

impl<R: Reader + Clone, K: Kernel<R::Input, OUTPUTS>, const OUTPUTS: usize> Engine for Runner<R, K, OUTPUTS> {
    /// The state is a local variable meanwhile, so that it can live in registers.
    fn run(&mut self, bars: &Bars) -> Vec<Vec<f64>> {
        let mut columns: [Vec<f64>; OUTPUTS] = std::array::from_fn(|_| vec![0.0; bars.len()]);
        let mut cells = columns.each_mut().map(|column| column.iter_mut());
        let mut state = self.state.clone();
        self.reader.each(bars, |input| {
            let row = state.advance(&self.fresh, input);
            for (cells, value) in cells.iter_mut().zip(row) {
                if let Some(cell) = cells.next() {
                    *cell = value;
                }
            }
        });
        self.state = state;
        columns.into()
    }

    fn push(&mut self, bar: &Bar, outputs: &mut [f64]) {
        let row: [f64; OUTPUTS] = self.state.advance(&self.fresh, self.reader.read(bar));
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

    #[inline]
    fn read(&self, bar: &Bar) -> Option<f64> {
        let value = match self {
            Self::Open => bar.open,
            Self::High => bar.high,
            Self::Low => bar.low,
            Self::Close => bar.close,
            Self::Volume if bar.volume < 0.0 => f64::NAN,
            Self::Volume => bar.volume,
            Self::HighLow => (bar.high + bar.low) / 2.0,
            Self::HighLowClose => (bar.high + bar.low + bar.close) / 3.0,
            Self::OpenHighLowClose => (bar.open + bar.high + bar.low + bar.close) / 4.0,
        };
        value.is_finite().then_some(value)
    }

    /// A price column is walked as the slice that it is.
    #[inline]
    fn each(&self, bars: &Bars, mut visit: impl FnMut(Option<f64>)) {
        let column = match self {
            Self::Open => &bars.open,
            Self::High => &bars.high,
            Self::Low => &bars.low,
            Self::Close => &bars.close,
            mean => {
                let prices = bars.open.iter().zip(&bars.high).zip(&bars.low).zip(&bars.close).zip(&bars.volume);
                for ((((&open, &high), &low), &close), &volume) in prices {
                    visit(mean.read(&Bar { open, high, low, close, volume }));
                }
                return;
            }
        };
        for &value in column {
            visit(value.is_finite().then_some(value));
        }
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

    #[inline]
    fn read(&self, bar: &Bar) -> Option<Bar> {
        let given = |field: u8, value: f64| NAMED & field == 0 || value.is_finite();
        let complete = given(OPEN, bar.open)
            && given(HIGH, bar.high)
            && given(LOW, bar.low)
            && given(CLOSE, bar.close)
            && given(VOLUME, bar.volume)
            && (NAMED & VOLUME == 0 || bar.volume >= 0.0);
        complete.then_some(*bar)
    }
}

/// A bar with its high, low and close, and one more value of it; missing when any of them is.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeAndSource(pub(super) Source);

impl Reader for RangeAndSource {
    type Input = (Bar, f64);

    #[inline]
    fn read(&self, bar: &Bar) -> Option<(Bar, f64)> {
        HIGH_LOW_CLOSE.read(bar).zip(self.0.read(bar))
    }
}
