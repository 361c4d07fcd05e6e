//! Ultimate oscillator: buying pressure over three spans.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::average::{true_range, true_ranges};
use super::kernel::{Bar, Kernel, Scratch, defined, engine};
use super::prefix_sums::PrefixSums;
use super::reader::{BarRows, HIGH_LOW_CLOSE, Rows, part, part_mut};
use super::spec::{IndicatorSpec, bars};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ultosc",
    aliases: &["ultoscindicator", "ultimateoscillator"],
    parameters: &[
        bars("short_period", "bars of the span with weight 4", 1, 100, 7),
        bars(
            "medium_period",
            "bars of the span with weight 2",
            1,
            200,
            14,
        ),
        bars("long_period", "bars of the span with weight 1", 1, 400, 28),
    ],
    outputs: &[],
    needs_volume: false,
    formula: "r(n) = sum of (close - min(low, previous close)) over sum of true range, both over n bars; 100 (4 r(short) + \
              2 r(medium) + r(long))/7; undefined where a span has not moved; first value at row max(periods)",
    source: "Williams (1985); TA-Lib ULTOSC, which sorts the periods and skips a span that has not moved",
    warm_up: |parameters| {
        ["short_period", "medium_period", "long_period"]
            .iter()
            .map(|name| parameters.count(name))
            .max()
            .unwrap_or(0)
    },
    start: |parameters| {
        let spans =
            ["short_period", "medium_period", "long_period"].map(|name| parameters.count(name));
        let longest = spans.into_iter().max().unwrap_or(1);
        engine(
            HIGH_LOW_CLOSE,
            Ultimate {
                close: f64::NAN,
                spans,
                rows: 0,
                sums: PrefixSums::new(longest),
            },
        )
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Ultimate {
    close: f64,
    spans: [usize; 3],
    /// Rows so far with a bar before them, as many as count.
    rows: usize,
    /// Buying pressure and true range.
    sums: PrefixSums,
}

/// How far the bar closed above its low, or above the close before it if that is lower.
#[inline(always)]
fn pressure(low: f64, close: f64, previous: f64) -> f64 {
    close - if low < previous { low } else { previous }
}

#[inline(always)]
fn together(short: f64, medium: f64, long: f64) -> f64 {
    (100.0 / 7.0) * (4.0 * short + 2.0 * medium + long)
}

impl Kernel<Bar, 1> for Ultimate {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let previous = std::mem::replace(&mut self.close, bar.close);
        if previous.is_nan() {
            return [f64::NAN];
        }
        self.sums.push([
            pressure(bar.low, bar.close, previous),
            true_range(&bar, previous),
        ]);
        if self.rows + 1 < self.sums.longest() {
            self.rows += 1;
            return [f64::NAN];
        }
        let [short, medium, long] = self.spans.map(|span| {
            let [pressure, range] = self.sums.sum(span);
            pressure / range
        });
        [together(short, medium, long)]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        scratch: &mut Scratch,
    ) {
        let rows = run.len() - from.max(1).min(run.len());
        true_ranges(run, run.len() - rows, part_mut(&mut scratch[1], rows));
        self.block_with_ranges(run, from, cells, scratch);
    }

    #[inline(always)]
    fn unseen_block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        scratch: &mut Scratch,
    ) -> bool {
        let rows = cells.len();
        if from == 0 || true_ranges(run, from, part_mut(&mut scratch[1], rows)) > 0 {
            return false;
        }
        self.block_with_ranges(run, from, cells, scratch);
        true
    }
}

impl Ultimate {
    /// A block whose true ranges are in the second column of `scratch`, but for row 0, which has no
    /// bar before it.
    #[inline(always)]
    fn block_with_ranges(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        cells: &mut [f64],
        [pressures, ranges, old_pressures, old_ranges]: &mut Scratch,
    ) {
        let (undefined, cells) = cells.split_at_mut(usize::from(from == 0).min(cells.len()));
        undefined.fill(f64::NAN);
        let first = from.max(1);
        pressures_of(run, first..run.len(), pressures);
        let (mut at, mut rest) = (first, cells);
        while !rest.is_empty() {
            if self.sums.left() == 0 {
                let start = (at - self.sums.longest().min(at)).max(1);
                pressures_of(run, start..at, old_pressures);
                true_ranges(run.part(0..at), start, part_mut(old_ranges, at - start));
                self.sums.begin([
                    part(old_pressures, 0..at - start),
                    part(old_ranges, 0..at - start),
                ]);
            }
            let rows = self.sums.left().min(rest.len());
            let own = at - first..at - first + rows;
            self.sums
                .extend([part(pressures, own.clone()), part(ranges, own)]);
            let cells = rest.split_off_mut(..rows).unwrap_or_default();
            self.oscillate(cells);
            part_mut(cells, self.sums.longest().saturating_sub(at).min(rows)).fill(f64::NAN);
            at += rows;
        }
    }

    /// The values at the last rows of the era.
    #[inline(always)]
    fn oscillate(&self, cells: &mut [f64]) {
        let rows = cells.len();
        let [short, medium, long] = self.spans.map(|span| {
            let [[pressures, old_pressures], [ranges, old_ranges]] = self.sums.last(rows, span);
            let pressures = pressures
                .iter()
                .zip(old_pressures)
                .map(|(now, before)| now - before);
            let ranges = ranges
                .iter()
                .zip(old_ranges)
                .map(|(now, before)| now - before);
            pressures
                .zip(ranges)
                .map(|(pressure, range)| pressure / range)
        });
        for (((cell, short), medium), long) in cells.iter_mut().zip(short).zip(medium).zip(long) {
            *cell = defined(together(short, medium, long));
        }
    }
}

/// The buying pressures of these rows of a run, none of which is row 0.
#[inline(always)]
fn pressures_of(run: BarRows<'_>, rows: Range<usize>, pressures: &mut [f64]) {
    let before = part(run.close, rows.start - 1..run.len());
    let rows = run.part(rows);
    for (cell, ((low, close), before)) in pressures
        .iter_mut()
        .zip(rows.low.iter().zip(rows.close).zip(before))
    {
        *cell = pressure(*low, *close, *before);
    }
}
