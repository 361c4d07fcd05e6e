//! Moving average convergence and divergence.

use serde::{Deserialize, Serialize};

use super::average::SeededAverage;
use super::kernel::{Kernel, Scratch, engine};
use super::reader::{part, part_mut};
use super::spec::{IndicatorSpec, SOURCE, bars};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "macd",
    aliases: &["macdindicator"],
    parameters: &[
        bars("fast_period", "bars of the fast average", 1, 100, 12),
        bars("slow_period", "bars of the slow average", 1, 200, 26),
        bars("signal_period", "bars of the average of the line", 1, 50, 9),
        SOURCE,
    ],
    outputs: &["line", "signal", "histogram"],
    needs_volume: false,
    formula: "line = EMA(fast) - EMA(slow), signal = EMA(signal) of the line, histogram = line - signal; both averages \
              are seeded at row max(fast, slow)-1 with the mean of the values that end there, the signal with the mean \
              of the first lines; all outputs start with the signal",
    source: "TA-Lib MACD (which swaps the periods when fast > slow; here the line then has the opposite sign)",
    warm_up: |parameters| {
        let longest = parameters
            .count("fast_period")
            .max(parameters.count("slow_period"));
        (longest + parameters.count("signal_period")).saturating_sub(2)
    },
    start: |parameters| {
        let (fast, slow) = (
            parameters.count("fast_period"),
            parameters.count("slow_period"),
        );
        let kernel = Macd {
            fast_wait: slow.saturating_sub(fast),
            slow_wait: fast.saturating_sub(slow),
            fast: SeededAverage::exponential(fast),
            slow: SeededAverage::exponential(slow),
            signal: SeededAverage::exponential(parameters.count("signal_period")),
        };
        engine(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Macd {
    fast_wait: usize,
    slow_wait: usize,
    fast: SeededAverage,
    slow: SeededAverage,
    signal: SeededAverage,
}

#[inline(always)]
fn push_after(wait: &mut usize, average: &mut SeededAverage, value: f64) -> f64 {
    if *wait > 0 {
        *wait -= 1;
        return f64::NAN;
    }
    average.push(value)
}

impl Kernel<f64, 3> for Macd {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 3] {
        let fast = push_after(&mut self.fast_wait, &mut self.fast, value);
        let slow = push_after(&mut self.slow_wait, &mut self.slow, value);
        // By what has begun and not by NaN, which is also what an overflow leaves.
        if !self.fast.is_seeded() || !self.slow.is_seeded() {
            return [f64::NAN; 3];
        }
        let line = fast - slow;
        let signal = self.signal.push(line);
        if self.signal.is_seeded() {
            [line, signal, line - signal]
        } else {
            [f64::NAN; 3]
        }
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        cells: [&mut [f64]; 3],
        [slow, ..]: &mut Scratch,
    ) {
        // The signal begins last.
        if !self.signal.is_seeded() {
            return self.steps(run, from, cells);
        }
        let [line, signal, histogram] = cells;
        let (values, slow) = (part(run, from..run.len()), part_mut(slow, line.len()));
        self.fast.block(values, line);
        self.slow.block(values, slow);
        for (line, slow) in line.iter_mut().zip(slow) {
            *line -= *slow;
        }
        self.signal.block(line, signal);
        for ((histogram, line), signal) in histogram.iter_mut().zip(line).zip(signal) {
            *histogram = *line - *signal;
        }
    }
}
