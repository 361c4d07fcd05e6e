//! Kaufman's adaptive moving average.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::{Delay, RollingFlow};
use crate::indicators::engine::{
    BlockKernel, IndicatorSpec, Kernel, SOURCE, Scratch, bars, first_mut, period, run_blocks,
    slice_of,
};

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "kama",
    aliases: &["kamaindicator"],
    parameters: &[
        period(2, 200, 10),
        bars(
            "fast_period",
            "bars of the average in a straight move",
            1,
            100,
            2,
        ),
        bars(
            "slow_period",
            "bars of the average in a sideways move",
            1,
            200,
            30,
        ),
        SOURCE,
    ],
    outputs: &[],
    needs_volume: false,
    formula: "y = y + s^2 (x - y), s = e (2/(fast+1) - 2/(slow+1)) + 2/(slow+1), e = |x[i] - \
              x[i-n]| over the sum of the last n |x[j] - x[j-1]|, 1 where nothing has moved; \
              seeded with x[n-1], first value at row n",
    source: "Kaufman (1995); TA-Lib KAMA",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let period = parameters.count("period");
        let weight = |name: &str| 2.0 / (parameters.count(name) as f64 + 1.0);
        let kernel = Kama {
            fast: weight("fast_period"),
            slow: weight("slow_period"),
            previous: f64::NAN,
            delay: Delay::new(period),
            path: RollingFlow::new(period),
            average: AdaptiveAverage::starting_at(f64::NAN),
            is_seeded: false,
        };
        run_blocks(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Kama {
    fast: f64,
    slow: f64,
    /// The input one step ago.
    previous: f64,
    delay: Delay,
    path: RollingFlow,
    average: AdaptiveAverage,
    /// Whether the average has its first value. Its value does not say so, as it may have
    /// overflowed to NaN since.
    is_seeded: bool,
}

impl Kama {
    /// One row of the formula: with the weight w = s², y becomes (1 − w)·y + w·x.
    #[inline(always)]
    fn smoothing(&self, value: f64, value_n_ago: f64, path: f64) -> Smoothing {
        let change = (value - value_n_ago).abs();
        // Rounding may leave a path a little shorter than the change it contains.
        let efficiency = if path <= change { 1.0 } else { change / path };
        let root = efficiency * (self.fast - self.slow) + self.slow;
        let weight = root * root;
        Smoothing {
            keep: 1.0 - weight,
            add: weight * value,
        }
    }
}

impl Kernel<f64, 1> for Kama {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let previous = std::mem::replace(&mut self.previous, value);
        let value_n_ago = self.delay.push(value);
        // The first row has no move, so the path starts at the second one.
        if previous.is_nan() {
            return [f64::NAN];
        }
        let path = self.path.push((value - previous).abs());
        if value_n_ago.is_nan() {
            return [f64::NAN];
        }

        // The seed is the value before the first smoothed row, x[n-1].
        if !self.is_seeded {
            self.average = AdaptiveAverage::starting_at(previous);
            self.is_seeded = true;
        }
        let smoothing = self.smoothing(value, value_n_ago, path);
        [self.average.push(smoothing)]
    }
}

/// Without it: 2.79 ns per row instead of 1.36.
impl BlockKernel<f64, 1> for Kama {
    #[inline(always)]
    fn is_warm(&self) -> bool {
        self.is_seeded
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        [moves, paths, keeps, adds]: &mut Scratch,
    ) {
        let length = self.delay.length();
        let rows = cells.len();
        let moves = first_mut(moves, length + rows);
        let paths = first_mut(paths, rows);
        let keeps = first_mut(keeps, rows);
        let adds = first_mut(adds, rows);

        // The moves of the window before the block and those of the block.
        let first_move = from - length;
        let values = slice_of(run, first_move..run.len());
        let previous = slice_of(run, first_move - 1..run.len());
        for (cell, (value, previous)) in moves.iter_mut().zip(values.iter().zip(previous)) {
            *cell = (value - previous).abs();
        }

        // Row 0 has no move, so one move fewer than rows came before the block.
        self.path.fill_sums(moves, length, from - 1, paths);

        // `values` begins n rows before the block, so its pairs are a value and the one n before.
        let changes = slice_of(run, from..run.len()).iter().zip(values);
        let smoothings = keeps.iter_mut().zip(&mut *adds);
        for ((keep, add), ((value, value_n_ago), path)) in smoothings.zip(changes.zip(paths)) {
            let smoothing = self.smoothing(*value, *value_n_ago, *path);
            *keep = smoothing.keep;
            *add = smoothing.add;
        }
        self.average.fill(keeps, adds, cells);
    }
}

/// Rows of a group.
const GROUP: usize = 4;

/// What one row, or several rows one after another, make of the average: y becomes keep·y + add.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Smoothing {
    keep: f64,
    add: f64,
}

impl Smoothing {
    /// Leaves the average as it is.
    const NONE: Self = Self {
        keep: 1.0,
        add: 0.0,
    };

    /// First this and then `next`: next.keep·(keep·y + add) + next.add.
    #[inline(always)]
    fn compose(self, next: Self) -> Self {
        Self {
            keep: next.keep * self.keep,
            add: next.keep.mul_add(self.add, next.add),
        }
    }

    #[inline(always)]
    fn apply(self, average: f64) -> f64 {
        self.keep.mul_add(average, self.add)
    }
}

/// An average whose weight changes from row to row.
///
/// Row by row, each average would wait for a multiplication and an addition of the one before. So
/// the rows of a group of four are composed first, which does not need the average, and each is
/// applied to the average before the group. The bits differ from those row by row, so the steps of
/// a stream are composed in the same groups.
#[derive(Clone, Serialize, Deserialize)]
struct AdaptiveAverage {
    /// The average before the unfinished group.
    value: f64,
    /// Rows of the unfinished group, 0 to 3.
    rows: usize,
    /// These rows composed.
    composed: Smoothing,
}

impl AdaptiveAverage {
    fn starting_at(value: f64) -> Self {
        Self {
            value,
            rows: 0,
            composed: Smoothing::NONE,
        }
    }

    /// Takes a row; returns the average after it.
    #[inline(always)]
    fn push(&mut self, smoothing: Smoothing) -> f64 {
        self.composed = self.composed.compose(smoothing);
        let value = self.composed.apply(self.value);
        self.rows += 1;
        if self.rows == GROUP {
            *self = Self::starting_at(value);
        }
        value
    }

    /// What [`AdaptiveAverage::push`] gives for each row.
    #[inline(always)]
    fn fill(&mut self, keeps: &[f64], adds: &[f64], cells: &mut [f64]) {
        // The rest of the unfinished group.
        let head = ((GROUP - self.rows) % GROUP).min(cells.len());
        let (head_cells, cells) = cells.split_at_mut(head);
        self.fill_by_steps(keeps, adds, head_cells);

        // Whole groups from here on, which need no state but the average before them.
        let keeps = slice_of(keeps, head..keeps.len());
        let adds = slice_of(adds, head..adds.len());
        let (keep_groups, rest_keeps) = keeps.as_chunks::<GROUP>();
        let (add_groups, rest_adds) = adds.as_chunks::<GROUP>();
        let (cell_groups, rest_cells) = cells.as_chunks_mut::<GROUP>();

        // A local, whose address nothing takes, lives in a register.
        let mut average = self.value;
        let groups = keep_groups.iter().zip(add_groups);
        for (cells, (keeps, adds)) in cell_groups.iter_mut().zip(groups) {
            let before_group = average;
            let mut composed = Smoothing::NONE;
            for (cell, (keep, add)) in cells.iter_mut().zip(keeps.iter().zip(adds)) {
                composed = composed.compose(Smoothing {
                    keep: *keep,
                    add: *add,
                });
                average = composed.apply(before_group);
                *cell = average;
            }
        }
        self.value = average;

        // A last group that the block does not complete stays open for the next rows.
        self.fill_by_steps(rest_keeps, rest_adds, rest_cells);
    }

    #[inline(always)]
    fn fill_by_steps(&mut self, keeps: &[f64], adds: &[f64], cells: &mut [f64]) {
        for (cell, (keep, add)) in cells.iter_mut().zip(keeps.iter().zip(adds)) {
            *cell = self.push(Smoothing {
                keep: *keep,
                add: *add,
            });
        }
    }
}
