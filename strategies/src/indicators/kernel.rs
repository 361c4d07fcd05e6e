//! How an indicator runs: one bar at a time through a small state, so that no value can see a later bar.
//!
//! A [`Kernel`] is the formula; a [`Reader`] takes its input from a bar. A missing input (NaN or infinite) makes the
//! row undefined and restarts the kernel: a value depends only on the unbroken run of inputs that ends at its row.

use market::Bars;

/// The prices and the volume of one bar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: f64,
}

/// What a kernel reads from a bar; `None` = missing.
pub(super) trait Reader: Send + 'static {
    type Input: Copy;
    fn read(&self, bar: &Bar) -> Option<Self::Input>;
}

/// The formula: takes the next input, yields one value per output, NaN = not defined yet.
pub(super) trait Kernel<Input, const OUTPUTS: usize>: Clone + Send + 'static {
    fn step(&mut self, input: Input) -> [f64; OUTPUTS];
}

/// A running computation with its types erased.
pub(super) trait Engine: Send {
    /// Takes every bar; one column per output, in output order.
    fn run(&mut self, bars: &Bars) -> Vec<Vec<f64>>;
}

/// A kernel with its reader, ready to run.
pub(super) fn engine<R, K, const OUTPUTS: usize>(reader: R, kernel: K) -> Box<dyn Engine>
where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
{
    Box::new(Runner { reader, fresh: kernel.clone(), kernel, started: false })
}

struct Runner<R, K, const OUTPUTS: usize> {
    reader: R,
    kernel: K,
    fresh: K,
    started: bool,
}

impl<R: Reader, K: Kernel<R::Input, OUTPUTS>, const OUTPUTS: usize> Runner<R, K, OUTPUTS> {
    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; OUTPUTS] {
        if let Some(input) = self.reader.read(bar) {
            self.started = true;
            self.kernel.step(input).map(|value| if value.is_finite() { value } else { f64::NAN })
        } else {
            if self.started {
                self.kernel = self.fresh.clone();
                self.started = false;
            }
            [f64::NAN; OUTPUTS]
        }
    }
}

impl<R: Reader, K: Kernel<R::Input, OUTPUTS>, const OUTPUTS: usize> Engine for Runner<R, K, OUTPUTS> {
    fn run(&mut self, bars: &Bars) -> Vec<Vec<f64>> {
        let mut columns: [Vec<f64>; OUTPUTS] = std::array::from_fn(|_| vec![f64::NAN; bars.len()]);
        let mut cells = columns.each_mut().map(|column| column.iter_mut());
        let prices = bars.open.iter().zip(&bars.high).zip(&bars.low).zip(&bars.close).zip(&bars.volume);
        for ((((&open, &high), &low), &close), &volume) in prices {
            let row = self.push(&Bar { open, high, low, close, volume });
            for (cells, value) in cells.iter_mut().zip(row) {
                if let Some(cell) = cells.next() {
                    *cell = value;
                }
            }
        }
        columns.into()
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
            Self::Volume => bar.volume,
            Self::HighLow => (bar.high + bar.low) / 2.0,
            Self::HighLowClose => (bar.high + bar.low + bar.close) / 3.0,
            Self::OpenHighLowClose => (bar.open + bar.high + bar.low + bar.close) / 4.0,
        };
        value.is_finite().then_some(value)
    }
}

/// The bar itself; missing when its high, low or close is.
#[derive(Clone, Copy, Debug)]
pub(super) struct HighLowClose;

impl Reader for HighLowClose {
    type Input = Bar;

    #[inline]
    fn read(&self, bar: &Bar) -> Option<Bar> {
        (bar.high.is_finite() && bar.low.is_finite() && bar.close.is_finite()).then_some(*bar)
    }
}
