//! Accumulation and distribution line.

use serde::{Deserialize, Serialize};

use super::cmf::money_flow_multiplier;
use super::kernel::{BLOCK, Bar, Kernel, Scratch, defined, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE_VOLUME, Rows, gap, part};
use super::spec::IndicatorSpec;
use super::window::{Delay, RollingSum, lane_sum};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
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
        let line = self.line;
        if usize::from(self.rows) < MEAN_MAX {
            self.rows += 1;
        }
        let roc = 100.0 * (line / self.ten.push(line) - 1.0);
        let relative = strength(line, self.fifty.partial(line), f64::from(self.rows));
        let strength = if self.rows < MEAN_MIN {
            f64::NAN
        } else {
            relative
        };
        [
            line,
            multiplier,
            money,
            roc,
            line - self.twenty_one.push(line),
            strength,
        ]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        mut cells: [&mut [f64]; 6],
        scratch: &mut Scratch,
    ) {
        money_flows(run.part(from..run.len()), &mut cells);
        self.block_with_flows(from, cells, scratch);
    }

    const UNSEEN: usize = BLOCK / 2;

    #[inline(always)]
    fn unseen_block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        mut cells: [&mut [f64]; 6],
        scratch: &mut Scratch,
    ) -> bool {
        if money_flows(run.part(from..run.len()), &mut cells) > 0 {
            return false;
        }
        self.block_with_flows(from, cells, scratch);
        true
    }
}

/// Line over mean, in percent.
#[inline(always)]
fn strength(line: f64, sum: f64, rows: f64) -> f64 {
    100.0 * (line * rows / sum - 1.0)
}

/// Multiplier and volume of the money flow; how many of the rows lack an input or have a flow that
/// is not finite, any number but 0 where there are some.
#[inline(always)]
fn money_flows(rows: BarRows<'_>, [_, multipliers, flows, ..]: &mut [&mut [f64]; 6]) -> u64 {
    let mut missing = 0;
    let prices = rows
        .high
        .iter()
        .zip(rows.low)
        .zip(rows.close)
        .zip(rows.volume);
    for ((multiplier, money), (((high, low), close), volume)) in
        multipliers.iter_mut().zip(&mut **flows).zip(prices)
    {
        *multiplier = money_flow_multiplier(*high, *low, *close);
        *money = *multiplier * volume;
        // Without a range the close is not looked at.
        missing += gap(*money) + gap(*close) + u64::from(*volume < 0.0);
    }
    missing
}

impl AdLine {
    /// A block whose money flows are made. The line is put behind the last values before it.
    #[inline(always)]
    fn block_with_flows(&mut self, from: usize, cells: [&mut [f64]; 6], [lines, ..]: &mut Scratch) {
        let [line, _, money, roc, momentum, strengths] = cells;
        let rows = line.len();
        lines
            .iter_mut()
            .zip(&*self.recent)
            .for_each(|(cell, value)| *cell = *value);
        let (mut at, mut money_rest, mut sum_rest) = (0, &*money, &mut *strengths);
        while !money_rest.is_empty() {
            let fresh = at + self.fifty.until_fresh(from + at);
            let end = fresh.min(at + MEAN_MAX).min(at + money_rest.len());
            let money = money_rest.split_off(..end - at).unwrap_or_default();
            let sums = sum_rest.split_off_mut(..end - at).unwrap_or_default();
            let (earlier, new) = lines.split_at_mut(MEAN_MAX + at);
            let (mut level, mut total) = (self.line, self.recent_sum);
            // One waits while the other is added to.
            for ((sum, new), (money, oldest)) in sums
                .iter_mut()
                .zip(new)
                .zip(money.iter().zip(part(earlier, at..end)))
            {
                level += money;
                total += level - oldest;
                (*new, *sum) = (level, total);
            }
            if let (true, Some(last)) = (end == fresh, sums.last_mut()) {
                total = lane_sum(part(lines, end..end + MEAN_MAX), |value| *value);
                *last = total;
            }
            (self.line, self.recent_sum, at) = (level, total, end);
        }
        let lines = part(lines, 0..MEAN_MAX + rows);
        self.recent.copy_from_slice(part(lines, rows..lines.len()));
        for (cell, value) in line.iter_mut().zip(part(lines, MEAN_MAX..lines.len())) {
            *cell = defined(*value);
        }
        let line = part(lines, MEAN_MAX..lines.len());
        let before = |bars: usize| part(lines, MEAN_MAX - bars..lines.len()).iter();
        for (((roc, momentum), line), (ten, twenty_one)) in roc
            .iter_mut()
            .zip(&mut *momentum)
            .zip(line)
            .zip(before(10).zip(before(21)))
        {
            *roc = defined(100.0 * (line / ten - 1.0));
            *momentum = defined(line - twenty_one);
        }
        let (growing, whole) = strengths.split_at_mut((MEAN_MAX - from.min(MEAN_MAX)).min(rows));
        let (growing_line, whole_line) = line.split_at(growing.len());
        for ((cell, line), row) in growing.iter_mut().zip(growing_line).zip(from..) {
            *cell = defined(strength(*line, *cell, (row + 1) as f64));
        }
        for (cell, line) in whole.iter_mut().zip(whole_line) {
            *cell = defined(strength(*line, *cell, MEAN_MAX as f64));
        }
        for (cells, first) in [
            (roc, 10),
            (momentum, 21),
            (strengths, usize::from(MEAN_MIN) - 1),
        ] {
            cells
                .iter_mut()
                .take(first.saturating_sub(from))
                .for_each(|cell| *cell = f64::NAN);
        }
    }
}
