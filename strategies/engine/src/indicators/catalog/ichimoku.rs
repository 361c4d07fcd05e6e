//! Ichimoku cloud, unshifted.

use serde::{Deserialize, Serialize};

use crate::indicators::blocks::RollingRange;
use crate::indicators::engine::{Bar, HIGH_LOW_CLOSE, IndicatorSpec, Kernel, bars, run_steps};

const PERIODS: [&str; 3] = ["tenkan_period", "kijun_period", "senkou_b_period"];

pub(crate) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ichimoku",
    aliases: &["ichimokuindicator"],
    parameters: &[
        bars("tenkan_period", "bars of the conversion line", 1, 50, 9),
        bars("kijun_period", "bars of the base line", 1, 100, 26),
        bars(
            "senkou_b_period",
            "bars of the second leading span",
            1,
            200,
            52,
        ),
    ],
    outputs: &["tenkan", "kijun", "senkou_a", "senkou_b", "chikou"],
    needs_volume: false,
    formula: "mid(n) = (highest high + lowest low)/2 over n bars; tenkan = mid(9), kijun = \
              mid(26), senkou_a = (tenkan + kijun)/2, senkou_b = mid(52), chikou = close. Each \
              from the row at which its window is full; nothing is displaced, so a value is known \
              at its row",
    source: "Hosoda (1969), without the displacement that charts draw with",
    warm_up: |parameters| {
        let periods = PERIODS.map(|name| parameters.count(name));
        periods.into_iter().max().unwrap_or(0).saturating_sub(1)
    },
    start: |parameters| {
        let windows = PERIODS.map(|name| RollingRange::new(parameters.count(name)));
        run_steps(HIGH_LOW_CLOSE, Ichimoku(windows))
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Ichimoku([RollingRange; 3]);

impl Kernel<Bar, 5> for Ichimoku {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 5] {
        let windows = self.0.each_mut();
        let [tenkan, kijun, senkou_b] =
            windows.map(|window| window.push(bar.high, bar.low).middle());
        [tenkan, kijun, (tenkan + kijun) / 2.0, senkou_b, bar.close]
    }
}
