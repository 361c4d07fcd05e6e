//! Accumulation and distribution line.

use serde::{Deserialize, Serialize};

use super::cmf::money_flow_multiplier;
use super::kernel::{Bar, HIGH_LOW_CLOSE_VOLUME, Kernel, engine};
use super::spec::IndicatorSpec;
use super::window::{Delay, RollingSum};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "adline",
    aliases: &["adlineindicator"],
    parameters: &[],
    outputs: &["line", "mf_multiplier", "mf_volume", "roc_10", "momentum_21", "relative_strength"],
    needs_volume: true,
    formula: "mf_multiplier = ((close - low) - (high - close))/(high - low), 0 without range; mf_volume = mf_multiplier times \
              volume; line = running sum of mf_volume, from row 0; roc_10 = 100 (line[i]/line[i-10] - 1), momentum_21 = \
              line[i] - line[i-21]; relative_strength = 100 (line[i]/mean of the last 50, or of the at least 20 there are - 1)",
    source: "Chaikin; TA-Lib AD",
    warm_up: |_| 21,
    start: |_| {
        let kernel = AdLine {
            line: 0.0,
            ten: Delay::new(10),
            twenty_one: Delay::new(21),
            fifty: RollingSum::new(MEAN_MAX),
            rows: 0,
        };
        engine(HIGH_LOW_CLOSE_VOLUME, kernel)
    },
};

const MEAN_MIN: u8 = 20;
const MEAN_MAX: usize = 50;

#[derive(Clone, Serialize, Deserialize)]
struct AdLine {
    line: f64,
    ten: Delay,
    twenty_one: Delay,
    fifty: RollingSum,
    /// Rows in the mean, up to 50.
    rows: u8,
}

impl Kernel<Bar, 6> for AdLine {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 6] {
        let multiplier = money_flow_multiplier(&bar);
        let money = multiplier * bar.volume;
        self.line += money;
        if usize::from(self.rows) < MEAN_MAX {
            self.rows += 1;
        }
        let roc = 100.0 * (self.line / self.ten.push(self.line) - 1.0);
        let mean = self.fifty.partial(self.line) / f64::from(self.rows);
        let strength = if self.rows < MEAN_MIN { f64::NAN } else { 100.0 * (self.line / mean - 1.0) };
        [self.line, multiplier, money, roc, self.line - self.twenty_one.push(self.line), strength]
    }
}
