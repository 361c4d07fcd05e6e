//! Average directional index with its two directional indicators.

use serde::{Deserialize, Serialize};

use super::average::{SeededAverage, true_range, true_ranges};
use super::kernel::{Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE, Rows, part_mut};
use super::spec::{IndicatorSpec, period};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "adx",
    aliases: &["adxindicator"],
    parameters: &[period(2, 200, 14)],
    outputs: &["adx", "plus_di", "minus_di"],
    needs_volume: false,
    formula: "DM+ = rise of the high where it exceeds the fall of the low, else 0, DM- mirrored; Wilder sums s - s/n + x of \
              DM+, DM- and true range, seeded with rows 1..n-1; DI = 100 DM/TR from row n; DX = 100 |DI+ - DI-|/(DI+ + \
              DI-); adx from row 2n-1 = Wilder average of DX, seeded with the mean of the first n",
    source: "Wilder (1978); TA-Lib ADX, PLUS_DI, MINUS_DI",
    warm_up: |parameters| (2 * parameters.count("period")).saturating_sub(1),
    start: |parameters| {
        let period = parameters.count("period");
        let (sum, index) = (
            SeededAverage::wilder_sum(period),
            SeededAverage::wilder(period),
        );
        engine(
            HIGH_LOW_CLOSE,
            Adx {
                previous: None,
                sums: [sum.clone(), sum.clone(), sum],
                index,
                adx: f64::NAN,
            },
        )
    },
};

/// Below this a sum of ranges or of indicators counts as zero, as in TA-Lib.
const ZERO: f64 = 1e-14;

#[derive(Clone, Serialize, Deserialize)]
struct Adx {
    previous: Option<Bar>,
    /// Of DM+, DM- and true range.
    sums: [SeededAverage; 3],
    index: SeededAverage,
    adx: f64,
}

/// DM+ and DM- from the rise of the high and the fall of the low.
#[inline(always)]
fn movement(rise: f64, fall: f64) -> (f64, f64) {
    (
        if rise > 0.0 && rise > fall { rise } else { 0.0 },
        if fall > 0.0 && fall > rise { fall } else { 0.0 },
    )
}

/// DI+ and DI- from the sums.
#[inline(always)]
fn directions(plus: f64, minus: f64, range: f64) -> (f64, f64) {
    if range > ZERO {
        (100.0 * plus / range, 100.0 * minus / range)
    } else {
        (0.0, 0.0)
    }
}

/// DX.
#[inline(always)]
fn index(plus: f64, minus: f64) -> f64 {
    100.0 * (plus - minus).abs() / (plus + minus)
}

impl Adx {
    /// The next value of the average of DX.
    #[inline(always)]
    fn push(&mut self, plus: f64, minus: f64) -> f64 {
        if plus + minus > ZERO {
            self.adx = self.index.push(index(plus, minus));
        } else if !self.index.is_seeded() {
            // While the seed is being gathered a bar without direction counts as 0; later it leaves
            // the average as it is.
            self.adx = self.index.push(0.0);
        }
        self.adx
    }
}

impl Kernel<Bar, 3> for Adx {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let Some(previous) = self.previous.replace(bar) else {
            return [f64::NAN; 3];
        };
        let [plus, minus, range] = &mut self.sums;
        let is_seeded = range.is_seeded();
        let (rise, fall) = movement(bar.high - previous.high, previous.low - bar.low);
        let (rise, fall, range) = (
            plus.push(rise),
            minus.push(fall),
            range.push(true_range(&bar, previous.close)),
        );
        if !is_seeded {
            return [f64::NAN; 3];
        }
        let (plus, minus) = directions(rise, fall, range);
        [self.push(plus, minus), plus, minus]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        cells: [&mut [f64]; 3],
        [rises, falls, ranges, sums]: &mut Scratch,
    ) {
        if !self.index.is_seeded() {
            return self.steps(run, from, cells);
        }
        let [adx, plus, minus] = cells;
        let rows = adx.len();
        let [rises, falls, ranges, sums] =
            [rises, falls, ranges, sums].map(|column| part_mut(column, rows));
        let (now, before) = (
            run.part(from..run.len()),
            run.part(from.saturating_sub(1)..run.len()),
        );
        let pairs = now
            .high
            .iter()
            .zip(before.high)
            .zip(now.low.iter().zip(before.low));
        for ((rise, fall), ((high, high_before), (low, low_before))) in
            rises.iter_mut().zip(&mut *falls).zip(pairs)
        {
            (*rise, *fall) = movement(high - high_before, low_before - low);
        }
        true_ranges(run, from, ranges);
        let [plus_sum, minus_sum, range_sum] = &mut self.sums;
        plus_sum.block(rises, plus);
        minus_sum.block(falls, minus);
        range_sum.block(ranges, sums);
        let (indices, mut directed) = (rises, true);
        for ((dx, range), (plus, minus)) in indices
            .iter_mut()
            .zip(sums)
            .zip(plus.iter_mut().zip(&mut *minus))
        {
            (*plus, *minus) = directions(*plus, *minus, *range);
            *dx = index(*plus, *minus);
            directed &= *plus + *minus > ZERO;
        }
        if directed {
            self.index.block(indices, adx);
            self.adx = adx.last().copied().unwrap_or(self.adx);
        } else {
            for (adx, (plus, minus)) in adx.iter_mut().zip(plus.iter().zip(&*minus)) {
                *adx = self.push(*plus, *minus);
            }
        }
    }
}
