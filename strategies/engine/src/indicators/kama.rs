//! Kaufman's adaptive moving average.

use serde::{Deserialize, Serialize};

use super::kernel::{BLOCK, HISTORY, Kernel, Scratch, define, engine};
use super::reader::{gaps, part, part_mut};
use super::spec::{IndicatorSpec, SOURCE, bars, period};
use super::window::{Delay, RollingFlow};

const PERIOD_MAX: i64 = 200;

/// Rows of a block.
const ROWS: usize = 3 * BLOCK;

// A column of the scratch holds the moves of a block and those of the longest window before it.
const _: () = assert!(PERIOD_MAX as usize + ROWS <= HISTORY + BLOCK);

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "kama",
    aliases: &["kamaindicator"],
    parameters: &[
        period(2, PERIOD_MAX, 10),
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
    formula: "y = y + s^2 (x - y), s = e (2/(fast+1) - 2/(slow+1)) + 2/(slow+1), e = |x[i] - x[i-n]| over the sum of the last \
              n |x[j] - x[j-1]|, 1 where nothing has moved; seeded with x[n-1], first value at row n",
    source: "Kaufman (1995); TA-Lib KAMA",
    warm_up: |parameters| parameters.count("period"),
    start: |parameters| {
        let period = parameters.count("period");
        let weight = |name: &str| 2.0 / (parameters.count(name) as f64 + 1.0);
        let kernel = Kama {
            fast: weight("fast_period"),
            slow: weight("slow_period"),
            before: f64::NAN,
            delay: Delay::new(period),
            path: RollingFlow::new(period),
            average: Adaptive::new(),
            seeded: false,
        };
        engine(parameters.source(), kernel)
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Kama {
    fast: f64,
    slow: f64,
    /// The input one step ago.
    before: f64,
    delay: Delay,
    path: RollingFlow,
    average: Adaptive,
    /// Of steps: whether the average has its first value. Not told by the value, which may have
    /// overflowed since.
    seeded: bool,
}

/// Steps that an average takes together.
const TOGETHER: usize = 4;

/// y ← (1 − w)·y + w·x with another w at every step. [`TOGETHER`] steps are each taken from the
/// value before all of them, which is the same number and lets the processor work on several rows
/// at once.
#[derive(Clone, Serialize, Deserialize)]
struct Adaptive {
    /// Before the first of the steps; NaN before the first value.
    value: f64,
    /// How many of them there were.
    steps: usize,
    /// What these make of the value: they keep so much of it, and add so much.
    joint: [f64; 2],
}

impl Adaptive {
    fn new() -> Self {
        Self {
            value: f64::NAN,
            steps: 0,
            joint: [1.0, 0.0],
        }
    }

    #[inline(always)]
    fn push(&mut self, step: [f64; 2]) -> f64 {
        self.joint = after(self.joint, step);
        let value = self.joint[0].mul_add(self.value, self.joint[1]);
        self.steps += 1;
        if self.steps == TOGETHER {
            *self = Self {
                value,
                ..Self::new()
            };
        }
        value
    }

    /// What [`Adaptive::push`] gives for each pair of weights for which there is a cell.
    #[inline(always)]
    fn each(&mut self, keeps: &[f64], news: &[f64], cells: &mut [f64]) {
        for (cell, (keep, new)) in cells.iter_mut().zip(keeps.iter().zip(news)) {
            *cell = self.push([*keep, *new]);
        }
    }

    /// As [`Adaptive::each`], but of many pairs.
    #[inline(always)]
    fn block(&mut self, keeps: &[f64], news: &[f64], cells: &mut [f64]) {
        let begun = (TOGETHER - self.steps) % TOGETHER;
        let (head, cells) = cells.split_at_mut(begun.min(cells.len()));
        self.each(keeps, news, head);
        let (keeps, news) = (
            part(keeps, head.len()..keeps.len()),
            part(news, head.len()..news.len()),
        );
        let (groups, tail) = cells.as_chunks_mut::<TOGETHER>();
        let whole = groups.len() * TOGETHER;
        let weights = keeps
            .as_chunks::<TOGETHER>()
            .0
            .iter()
            .zip(news.as_chunks::<TOGETHER>().0);
        let mut value = self.value;
        for (group, (keeps, news)) in groups.iter_mut().zip(weights) {
            let (before, mut joint) = (value, [1.0, 0.0]);
            for ((cell, keep), new) in group.iter_mut().zip(keeps).zip(news) {
                joint = after(joint, [*keep, *new]);
                value = joint[0].mul_add(before, joint[1]);
                *cell = value;
            }
        }
        self.value = value;
        self.each(
            part(keeps, whole..keeps.len()),
            part(news, whole..news.len()),
            tail,
        );
    }
}

/// Steps and one more.
#[inline(always)]
fn after([keep, new]: [f64; 2], [keep_next, new_next]: [f64; 2]) -> [f64; 2] {
    [keep_next * keep, keep_next.mul_add(new, new_next)]
}

#[inline(always)]
fn weights(value: f64, before: f64, path: f64, [fast, slow]: [f64; 2]) -> [f64; 2] {
    let change = (value - before).abs();
    let efficiency = if path <= change { 1.0 } else { change / path };
    let weight = efficiency * (fast - slow) + slow;
    [1.0 - weight * weight, weight * weight * value]
}

impl Kernel<f64, 1> for Kama {
    #[inline(always)]
    fn step(&mut self, value: f64) -> [f64; 1] {
        let before = std::mem::replace(&mut self.before, value);
        let earlier = self.delay.push(value);
        if before.is_nan() {
            return [f64::NAN];
        }
        let path = self.path.push((value - before).abs());
        if earlier.is_nan() {
            return [f64::NAN];
        }
        if !self.seeded {
            (self.average.value, self.seeded) = (before, true);
        }
        [self
            .average
            .push(weights(value, earlier, path, [self.fast, self.slow]))]
    }

    #[inline(always)]
    fn block(&mut self, run: &[f64], from: usize, [cells]: [&mut [f64]; 1], scratch: &mut Scratch) {
        self.moves(run, from, &mut scratch[0]);
        self.block_with_moves(run, from, cells, scratch);
    }

    const UNSEEN: usize = ROWS;

    #[inline(always)]
    fn unseen_block(
        &mut self,
        run: &[f64],
        from: usize,
        [cells]: [&mut [f64]; 1],
        scratch: &mut Scratch,
    ) -> bool {
        // A missing input has no move.
        if from == 0 || self.moves(run, from, &mut scratch[0]) > 0 {
            return false;
        }
        self.block_with_moves(run, from, cells, scratch);
        // Every row, as one that overflows may come before one that does not.
        define(cells);
        true
    }
}

impl Kama {
    /// Moves from the bar before: those of the n rows before the block, 0 where there was none, and
    /// those of the block. How many are not finite.
    #[inline(always)]
    fn moves(&self, run: &[f64], from: usize, moves: &mut [f64]) -> u64 {
        let (length, first) = (self.delay.length(), from.max(1));
        let start = first.saturating_sub(length).max(1);
        let waiting = length - (first - start);
        part_mut(moves, waiting).fill(0.0);
        let pairs = part(run, start..run.len())
            .iter()
            .zip(part(run, start - 1..run.len()));
        let moves = moves
            .get_mut(waiting..waiting + run.len() - start)
            .unwrap_or_default();
        for (cell, (value, before)) in moves.iter_mut().zip(pairs) {
            *cell = (value - before).abs();
        }
        gaps(moves)
    }

    /// A block whose moves are in the first column of `scratch`.
    #[inline(always)]
    fn block_with_moves(
        &mut self,
        run: &[f64],
        from: usize,
        cells: &mut [f64],
        [moves, paths, keeps, news]: &mut Scratch,
    ) {
        let (length, first) = (self.delay.length(), from.max(1));
        let (undefined, cells) = cells.split_at_mut((length.saturating_sub(from)).min(cells.len()));
        undefined.fill(f64::NAN);
        let paths = part_mut(paths, run.len() - first.min(run.len()));
        self.path.partials(moves, first - 1, paths);
        // The first row with a whole window behind it.
        let row = from.max(length);
        let Some(before) = row.checked_sub(length).filter(|_| row < run.len()) else {
            return;
        };
        if row == length {
            self.average.value = part(run, row - 1..row).iter().sum();
        }
        let paths = part(paths, row - first..paths.len());
        let changes = part(run, row..run.len())
            .iter()
            .zip(part(run, before..run.len()));
        let limits = [self.fast, self.slow];
        for (((keep, new), (value, before)), path) in
            keeps.iter_mut().zip(&mut *news).zip(changes).zip(paths)
        {
            [*keep, *new] = weights(*value, *before, *path, limits);
        }
        self.average.block(keeps, news, cells);
    }
}
