//! Accumulation and distribution line.

use serde::{Deserialize, Serialize};

use super::cmf::money_flow_multiplier;
use super::kernel::{Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE_VOLUME, Rows, part};
use super::spec::IndicatorSpec;
use super::window::{Delay, RollingSum, lane_sum};

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
            recent: vec![0.0; MEAN_MAX].into(),
            recent_sum: 0.0,
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
    /// The last 50 values of the line, of the blocks.
    #[serde(skip)]
    recent: Box<[f64]>,
    /// Their sum.
    #[serde(skip)]
    recent_sum: f64,
}

impl Kernel<Bar, 6> for AdLine {
    #[inline(always)]
    fn step(&mut self, bar: Bar) -> [f64; 6] {
        let multiplier = money_flow_multiplier(bar.high, bar.low, bar.close);
        let money = multiplier * bar.volume;
        self.line += money;
        if usize::from(self.rows) < MEAN_MAX {
            self.rows += 1;
        }
        let roc = 100.0 * (self.line / self.ten.push(self.line) - 1.0);
        let sum = self.fifty.partial(self.line);
        let relative = 100.0 * (self.line * f64::from(self.rows) / sum - 1.0);
        let strength = if self.rows < MEAN_MIN { f64::NAN } else { relative };
        [self.line, multiplier, money, roc, self.line - self.twenty_one.push(self.line), strength]
    }

    #[inline(always)]
    fn block(&mut self, run: BarRows<'_>, from: usize, cells: [&mut [f64]; 6], [lines, ..]: &mut Scratch) {
        let [line, multiplier, money, roc, momentum, strength] = cells;
        let rows = run.part(from..run.len());
        let prices = rows.high.iter().zip(rows.low).zip(rows.close).zip(rows.volume);
        for (((multiplier, money), line), (((high, low), close), volume)) in
            multiplier.iter_mut().zip(money).zip(&mut *line).zip(prices)
        {
            *multiplier = money_flow_multiplier(*high, *low, *close);
            *money = *multiplier * volume;
            *line = *money;
        }
        // The line of the block after the last ones before it; the sum of 50 beside it, as one waits while the other is added.
        lines.iter_mut().zip(&*self.recent).for_each(|(cell, value)| *cell = *value);
        let (mut at, mut line_rest, mut strength_rest) = (0, &mut *line, &mut *strength);
        while !line_rest.is_empty() {
            let fresh = at + self.fifty.until_fresh(from + at);
            let end = fresh.min(at + MEAN_MAX).min(at + line_rest.len());
            let line = line_rest.split_off_mut(..end - at).unwrap_or_default();
            let sums = strength_rest.split_off_mut(..end - at).unwrap_or_default();
            let (earlier, new) = lines.split_at_mut(MEAN_MAX + at);
            let (mut level, mut total) = (self.line, self.recent_sum);
            let cells = line.iter_mut().zip(&mut *sums).zip(new).zip(part(earlier, at..end));
            for (((line, sum), new), oldest) in cells {
                level += *line;
                total += level - oldest;
                (*line, *new, *sum) = (level, level, total);
            }
            if let (true, Some(last)) = (end == fresh, sums.last_mut()) {
                total = lane_sum(part(lines, end..end + MEAN_MAX), |value| *value);
                *last = total;
            }
            (self.line, self.recent_sum, at) = (level, total, end);
        }
        self.recent.iter_mut().zip(part(lines, line.len()..lines.len())).for_each(|(cell, value)| *cell = *value);
        let before = |rows: usize| part(lines, MEAN_MAX - rows..lines.len());
        for (((roc, momentum), line), (ten, twenty_one)) in
            roc.iter_mut().zip(&mut *momentum).zip(&*line).zip(before(10).iter().zip(before(21)))
        {
            *roc = 100.0 * (line / ten - 1.0);
            *momentum = line - twenty_one;
        }
        let (growing, whole) = strength.split_at_mut((MEAN_MAX - from.min(MEAN_MAX)).min(strength.len()));
        let (growing_line, whole_line) = line.split_at(growing.len());
        let place = |line: f64, sum: f64, rows: f64| 100.0 * (line * rows / sum - 1.0);
        for ((cell, line), row) in growing.iter_mut().zip(growing_line).zip(from..) {
            *cell = place(*line, *cell, (row + 1) as f64);
        }
        for (cell, line) in whole.iter_mut().zip(whole_line) {
            *cell = place(*line, *cell, MEAN_MAX as f64);
        }
        for (cells, first) in [(roc, 10), (momentum, 21), (strength, usize::from(MEAN_MIN) - 1)] {
            cells.iter_mut().take(first.saturating_sub(from)).for_each(|cell| *cell = f64::NAN);
        }
    }
}
