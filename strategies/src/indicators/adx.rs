//! Average directional index with its two directional indicators.

use serde::{Deserialize, Serialize};

use super::average::{SeededAverage, true_range};
use super::kernel::{Bar, Kernel, engine};
use super::reader::HIGH_LOW_CLOSE;
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
        let kernel = Adx {
            period,
            seen: 0,
            previous: None,
            sums: [0.0; 3],
            index: SeededAverage::wilder(period),
            adx: f64::NAN,
        };
        engine(HIGH_LOW_CLOSE, kernel)
    },
};

/// Below this a sum of ranges or of indicators counts as zero, as in TA-Lib.
const ZERO: f64 = 1e-14;

#[derive(Clone, Serialize, Deserialize)]
struct Adx {
    period: usize,
    seen: usize,
    previous: Option<Bar>,
    /// Wilder sums of DM+, DM- and true range.
    sums: [f64; 3],
    index: SeededAverage,
    adx: f64,
}

impl Kernel<Bar, 3> for Adx {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 3] {
        let Some(previous) = self.previous.replace(bar) else {
            return [f64::NAN; 3];
        };
        let (rise, fall) = (bar.high - previous.high, previous.low - bar.low);
        let plus = if rise > 0.0 && rise > fall { rise } else { 0.0 };
        let minus = if fall > 0.0 && fall > rise { fall } else { 0.0 };
        self.seen += 1;
        let decay = if self.seen < self.period { 0.0 } else { 1.0 / self.period as f64 };
        for (sum, new) in self.sums.iter_mut().zip([plus, minus, true_range(&bar, previous.close)]) {
            *sum += new - *sum * decay;
        }
        if self.seen < self.period {
            return [f64::NAN; 3];
        }
        let [plus, minus, range] = self.sums;
        let (plus, minus) = if range > ZERO { (100.0 * plus / range, 100.0 * minus / range) } else { (0.0, 0.0) };
        let total = plus + minus;
        if total > ZERO {
            self.adx = self.index.push(100.0 * (plus - minus).abs() / total);
        } else if self.adx.is_nan() {
            // While the seed is being gathered a bar without direction counts as 0; later it leaves the average as it is.
            self.adx = self.index.push(0.0);
        }
        [self.adx, plus, minus]
    }
}
