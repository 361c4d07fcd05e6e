//! Average true range.

use serde::{Deserialize, Serialize};

use super::average::{SeededAverage, true_range, true_ranges};
use super::kernel::{BLOCK, Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE, gaps, part, part_mut};
use super::spec::{IndicatorSpec, ParameterKind, ParameterSpec, period};
use super::window::RollingSum;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "atr",
    aliases: &["atrindicator"],
    parameters: &[
        period(1, 100, 14),
        ParameterSpec {
            name: "smoothing",
            kind: ParameterKind::Choice {
                options: &["wilder", "sma"],
                default: "wilder",
            },
            description: "how true ranges are averaged",
        },
    ],
    outputs: &[],
    needs_volume: false,
    formula: "true range = max(high - low, |high - previous close|, |low - previous close|); wilder: y + (x - y)/n from \
              row n, seeded with the mean of rows 1..n; sma: mean of the last n from row n-1, row 0 counting high - low",
    source: "Wilder (1978); TA-Lib ATR",
    warm_up: |parameters| match parameters.choice("smoothing") {
        "sma" => parameters.count("period").saturating_sub(1),
        _ => parameters.count("period"),
    },
    start: |parameters| {
        let period = parameters.count("period");
        match parameters.choice("smoothing") {
            "sma" => engine(
                HIGH_LOW_CLOSE,
                Simple {
                    close: f64::NAN,
                    ranges: RollingSum::new(period),
                },
            ),
            _ => engine(HIGH_LOW_CLOSE, Wilder::new(period)),
        }
    },
};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Wilder {
    close: f64,
    average: SeededAverage,
}

impl Wilder {
    pub(super) fn new(period: usize) -> Self {
        Self {
            close: f64::NAN,
            average: SeededAverage::wilder(period),
        }
    }
}

impl Kernel<Bar, 1> for Wilder {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let previous = std::mem::replace(&mut self.close, bar.close);
        [if previous.is_nan() {
            f64::NAN
        } else {
            self.average.push(true_range(&bar, previous))
        }]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        [ranges, ..]: &mut Scratch,
    ) {
        let ranges = part_mut(ranges, cells.len());
        true_ranges(run, from, ranges);
        // Row 0 has no true range.
        let (undefined, cells) = cells.split_at_mut(usize::from(from == 0).min(cells.len()));
        undefined.fill(f64::NAN);
        self.average
            .block(part(ranges, undefined.len()..ranges.len()), cells);
    }

    const UNSEEN: usize = 2 * BLOCK;

    #[inline(always)]
    fn unseen_block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        [ranges, ..]: &mut Scratch,
    ) -> bool {
        let ranges = part_mut(ranges, cells.len());
        if !self.average.is_seeded() || true_ranges(run, from, ranges) > 0 {
            return false;
        }
        let before = self.average.clone();
        self.average.block(ranges, cells);
        let finite = gaps(cells) == 0;
        if !finite {
            self.average = before;
        }
        finite
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Simple {
    close: f64,
    ranges: RollingSum,
}

impl Kernel<Bar, 1> for Simple {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 1] {
        let previous = std::mem::replace(&mut self.close, bar.close);
        [self.ranges.mean(true_range(&bar, previous))]
    }
}
