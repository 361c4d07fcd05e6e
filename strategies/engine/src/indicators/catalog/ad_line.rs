//! Accumulation and distribution line.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{
    Delay, RollingSum, fill_money_flows, money_flow_multiplier, sum_of,
};
use crate::indicators::engine::{
    BLOCK, Bar, BarRows, BlockKernel, HIGH_LOW_CLOSE_VOLUME, IndicatorSpec, Kernel, Rows, Scratch,
    finite_or_nan, first_mut, run_blocks, slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "adline",
    aliases: &["adlineindicator"],
    parameters: &[],
    outputs: &[
        "line",
        "mf_multiplier",
        "mf_volume",
        "roc_10",
        "momentum_21",
        "relative_strength",
    ],
    needs_volume: true,
    formula: "mf_multiplier = ((close - low) - (high - close))/(high - low), 0 without range; \
              mf_volume = mf_multiplier times volume; line = running sum of mf_volume, from row 0; \
              roc_10 = 100 (line[i]/line[i-10] - 1), momentum_21 = line[i] - line[i-21]; \
              relative_strength = 100 (line[i]/mean of the last 50, or of the at least 20 there \
              are - 1)",
    source: "Chaikin; TA-Lib AD",
    warm_up: |_| 21,
    start: |_| {
        let kernel = AdLine {
            line: 0.0,
            line_10_ago: Delay::new(10),
            line_21_ago: Delay::new(21),
            line_sum: RollingSum::new(MEAN_ROWS_MAX),
            rows: 0,
        };
        run_blocks(HIGH_LOW_CLOSE_VOLUME, kernel)
    },
};

/// Rows that the mean of the line needs at least.
const MEAN_ROWS_MIN: u8 = 20;

/// Rows that the mean of the line takes at most.
const MEAN_ROWS_MAX: usize = 50;

#[derive(Clone, Serialize, Deserialize)]
struct AdLine {
    line: f64,
    line_10_ago: Delay,
    line_21_ago: Delay,
    line_sum: RollingSum,
    /// Rows in the sum, up to [`MEAN_ROWS_MAX`].
    rows: u8,
}

impl Kernel<Bar, 6> for AdLine {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 6] {
        let multiplier = money_flow_multiplier(bar.high, bar.low, bar.close);
        let money = multiplier * bar.volume;
        self.line += money;

        let line = self.line;
        let roc = rate_of_change(line, self.line_10_ago.push(line));
        let momentum = line - self.line_21_ago.push(line);

        if usize::from(self.rows) < MEAN_ROWS_MAX {
            self.rows += 1;
        }
        let sum = self.line_sum.push_partial(line);
        let strength = if self.rows < MEAN_ROWS_MIN {
            f64::NAN
        } else {
            relative_strength(line, sum, f64::from(self.rows))
        };
        [line, multiplier, money, roc, momentum, strength]
    }
}

/// Without it: 5.02 ns per row instead of 2.11.
impl BlockKernel<Bar, 6> for AdLine {
    const TRY_ROWS: usize = BLOCK;

    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.line_sum.is_full()
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        mut cells: [&mut [f64]; 6],
        scratch: &mut Scratch,
    ) {
        let [_, multipliers, flows, ..] = &mut cells;
        fill_money_flows(run.slice(from..run.len()), multipliers, flows);
        self.fill_from_flows(from, cells, scratch);
    }

    #[inline(always)]
    fn try_block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        mut cells: [&mut [f64]; 6],
        scratch: &mut Scratch,
    ) -> bool {
        let [_, multipliers, flows, ..] = &mut cells;
        if !fill_money_flows(run.slice(from..run.len()), multipliers, flows) {
            return false;
        }
        self.fill_from_flows(from, cells, scratch);
        true
    }
}

impl AdLine {
    /// Fills the other columns of a block whose multipliers and flows are filled.
    #[inline(always)]
    fn fill_from_flows(&mut self, from: usize, cells: [&mut [f64]; 6], scratch: &mut Scratch) {
        let [line, _, flows, rocs, momentums, strengths] = cells;
        let [lines, ..] = scratch;
        let lines = first_mut(lines, MEAN_ROWS_MAX + line.len());
        self.fill_lines(flows, from, lines, strengths);

        // The line is needed again up to 50 rows later, so it was put behind the values before it.
        let values = slice_of(lines, MEAN_ROWS_MAX..lines.len());
        let values_10_ago = slice_of(lines, MEAN_ROWS_MAX - 10..lines.len());
        let values_21_ago = slice_of(lines, MEAN_ROWS_MAX - 21..lines.len());
        for (cell, value) in line.iter_mut().zip(values) {
            *cell = finite_or_nan(*value);
        }
        for ((roc, value), before) in rocs.iter_mut().zip(values).zip(values_10_ago) {
            *roc = finite_or_nan(rate_of_change(*value, *before));
        }
        for ((momentum, value), before) in momentums.iter_mut().zip(values).zip(values_21_ago) {
            *momentum = finite_or_nan(value - before);
        }
        for (strength, value) in strengths.iter_mut().zip(values) {
            *strength = finite_or_nan(relative_strength(*value, *strength, MEAN_ROWS_MAX as f64));
        }
    }

    /// Puts the last lines before the block and those of the block into `lines`, and the sums that
    /// the strengths are made of into `sums`.
    #[inline(always)]
    fn fill_lines(&mut self, flows: &[f64], from: usize, lines: &mut [f64], sums: &mut [f64]) {
        first_mut(lines, MEAN_ROWS_MAX).copy_from_slice(self.line_sum.window());
        let mut line = self.line;
        let mut sum = self.line_sum.sum();
        let mut start = 0;

        while start < flows.len() {
            // A line that leaves the sum must exist before the loop, so 50 rows at most.
            let recomputed = start + self.line_sum.rows_until_recomputed(from + start);
            let end = recomputed.min(start + MEAN_ROWS_MAX).min(flows.len());
            let (before, new_lines) = lines.split_at_mut(MEAN_ROWS_MAX + start);
            let moves = slice_of(flows, start..end)
                .iter()
                .zip(slice_of(before, start..end));
            let sums = sums.get_mut(start..end).unwrap_or_default();

            // Line and sum in one loop: the processor adds to one while the other one waits.
            for ((new_line, new_sum), (flow, leaving)) in
                new_lines.iter_mut().zip(&mut *sums).zip(moves)
            {
                line += flow;
                sum += line - leaving;
                *new_line = line;
                *new_sum = sum;
            }

            if end == recomputed {
                sum = sum_of(slice_of(lines, end..end + MEAN_ROWS_MAX));
                if let Some(last) = sums.last_mut() {
                    *last = sum;
                }
            }
            start = end;
        }

        self.line = line;
        let window = slice_of(lines, flows.len()..flows.len() + MEAN_ROWS_MAX);
        self.line_sum.replace_window(window, sum);
    }
}

#[inline(always)]
fn rate_of_change(line: f64, before: f64) -> f64 {
    100.0 * (line / before - 1.0)
}

/// How far the line is above its mean over `rows` rows, in percent.
#[inline(always)]
fn relative_strength(line: f64, sum: f64, rows: f64) -> f64 {
    100.0 * (line * rows / sum - 1.0)
}
