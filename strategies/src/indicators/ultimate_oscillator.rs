//! Ultimate oscillator: buying pressure over three spans.

use serde::{Deserialize, Serialize};

use super::average::{true_range, true_ranges};
use super::kernel::{Bar, Kernel, Scratch, engine};
use super::reader::{BarRows, HIGH_LOW_CLOSE, Rows, part, part_mut};
use super::rolling_pair::{RollingPair, block};
use super::spec::{IndicatorSpec, bars};
use super::window::larger;

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ultosc",
    aliases: &["ultoscindicator", "ultimateoscillator"],
    parameters: &[
        bars("short_period", "bars of the span with weight 4", 1, 100, 7),
        bars("medium_period", "bars of the span with weight 2", 1, 200, 14),
        bars("long_period", "bars of the span with weight 1", 1, 400, 28),
    ],
    outputs: &[],
    needs_volume: false,
    formula: "r(n) = sum of (close - min(low, previous close)) over sum of true range, both over n bars; 100 (4 r(short) + \
              2 r(medium) + r(long))/7; undefined where a span has not moved; first value at row max(periods)",
    source: "Williams (1985); TA-Lib ULTOSC, which sorts the periods and skips a span that has not moved",
    warm_up: |parameters| {
        ["short_period", "medium_period", "long_period"].iter().map(|name| parameters.count(name)).max().unwrap_or(0)
    },
    start: |parameters| {
        let spans =
            ["short_period", "medium_period", "long_period"].map(|name| RollingPair::new(parameters.count(name)));
        engine(HIGH_LOW_CLOSE, Ultimate { close: f64::NAN, spans })
    },
};

#[derive(Clone, Serialize, Deserialize)]
struct Ultimate {
    close: f64,
    /// Buying pressure and true range of each span.
    spans: [RollingPair; 3],
}

/// How far the bar closed above its low, or above the close before it if that is lower.
#[inline(always)]
fn pressure(low: f64, close: f64, previous: f64) -> f64 {
    close - if low < previous { low } else { previous }
}

/// Pressure over range, of which rounding may leave a little below 0.
#[inline(always)]
fn share([pressure, range]: [f64; 2]) -> f64 {
    larger(0.0, pressure) / larger(0.0, range)
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
        let pressure = pressure(bar.low, bar.close, previous);
        let range = true_range(&bar, previous);
        let [short, medium, long] = self.spans.each_mut().map(|span| share(span.push([pressure, range])));
        [together(short, medium, long)]
    }

    #[inline(always)]
    fn block(
        &mut self,
        run: BarRows<'_>,
        from: usize,
        [cells]: [&mut [f64]; 1],
        [pressures, ranges, pressure_sums, range_sums]: &mut Scratch,
    ) {
        // Row 0 has no bar before it.
        let first = from.max(1);
        let longest = self.spans.iter().map(RollingPair::length).max().unwrap_or(0);
        let start = first.saturating_sub(longest).max(1);
        let rows = run.part(start..run.len());
        let before = part(run.close, start - 1..run.len());
        let bars = rows.low.iter().zip(rows.close).zip(before);
        for (cell, ((low, close), before)) in pressures.iter_mut().zip(bars) {
            *cell = pressure(*low, *close, *before);
        }
        true_ranges(run, start, part_mut(ranges, rows.len()));
        let (undefined, cells) = cells.split_at_mut((first - from).min(cells.len()));
        undefined.fill(f64::NAN);
        let (history, rows) = (first - start, cells.len());
        let values = [part(pressures, 0..history + rows), part(ranges, 0..history + rows)];
        let (mut pressures, mut ranges) = (thirds(pressure_sums, rows), thirds(range_sums, rows));
        let sums = [&mut pressures, &mut ranges].map(|sums| sums.each_mut().map(|sums| &mut **sums));
        block(&mut self.spans, values, history, first - 1, sums);
        let mut spans = pressures.into_iter().zip(ranges);
        let mut next = || {
            let (pressures, ranges) = spans.next().unwrap_or_default();
            pressures.iter().zip(ranges).map(|(pressure, range)| share([*pressure, *range]))
        };
        let (short, medium, long) = (next(), next(), next());
        for (((cell, short), medium), long) in cells.iter_mut().zip(short).zip(medium).zip(long) {
            *cell = together(short, medium, long);
        }
    }
}

/// Three columns of so many rows in the place of one.
fn thirds(column: &mut [f64], rows: usize) -> [&mut [f64]; 3] {
    let (one, rest) = column.split_at_mut(rows);
    let (two, rest) = rest.split_at_mut(rows);
    [one, two, part_mut(rest, rows)]
}
