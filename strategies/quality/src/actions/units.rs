//! Prices in another unit than the others: pence next to pounds, in single values, in bars, or in
//! stretches of them.

use super::level::{WrongScale, median_of, scale_steps, usual_move};
use std::collections::BTreeMap;

use super::{Fault, Remedy};
use crate::checks::{Row, Rows};
use crate::report::Check;

/// How many small units make a large one.
const UNITS: [f64; 2] = [100.0, 1000.0];
/// A ratio may differ from the number of units by this log, about 25 %.
const TOLERANCE: f64 = 0.22;
/// Prices of neighbouring bars that differ by less than this ratio need no closer look.
const CLOSE_RATIO: f64 = 30.0;
/// Finds prices of another unit.
///
/// A value that differs from the median of its bar and both neighbours by 100 or 1000 times is a
/// fault of its own. Of stretches in two units, that one is right in which more bars were traded,
/// and the newer one of two equals.
pub(crate) fn find_unit_mixups(rows: &Rows<'_>) -> Vec<Fault> {
    // Hardly any series has such a jump; one look through it spares the rest.
    if !has_wide_step(rows) {
        return Vec::new();
    }

    let mut bars: Vec<Row> = rows.iter().filter(Row::is_priced).collect();
    let mut faults = Vec::new();
    let scale = WrongScale {
        check: Check::CurrencyUnit,
        factors: UNITS.iter().flat_map(|unit| [*unit, 1.0 / unit]).collect(),
        tolerance: TOLERANCE,
        scales_volume: false,
    };
    scale.find_values(&mut bars, &mut faults);
    for unit in UNITS {
        faults.extend(find_stretches(&bars, unit, &scale));
    }
    faults
}

/// Whether any two prices of a bar, or of it and the one before it, are far apart.
fn has_wide_step(rows: &Rows<'_>) -> bool {
    let mut last_close = None;
    for row in rows.iter().filter(Row::is_priced) {
        let highest = row.open.max(row.high).max(row.close).max(row.low);
        let lowest = row.open.min(row.low).min(row.close).min(row.high);
        let before = last_close.unwrap_or(row.close);
        if highest.max(before) > CLOSE_RATIO * lowest.min(before) {
            return true;
        }
        last_close = Some(row.close);
    }
    false
}

/// The bars of all stretches but those in the unit that is right.
fn find_stretches(bars: &[Row], unit: f64, scale: &WrongScale) -> Vec<Fault> {
    let levels: Vec<f64> = bars
        .iter()
        .map(|bar| median_of(bar.prices()).ln())
        .collect();
    let later = levels.iter().skip(1).zip(&levels);
    let mut moves = vec![0.0];
    moves.extend(later.map(|(level, before)| level - before));

    let steps = scale_steps(&moves, unit.ln(), usual_move(&moves));
    let right_step = right_step(bars, &steps);
    // Three levels are two jumps in one direction: a price that moved, or a jump that was missed.
    let is_known = steps
        .iter()
        .max()
        .zip(steps.iter().min())
        .is_none_or(|(max, min)| max - min <= 1);
    let wrong = bars
        .iter()
        .zip(&steps)
        .filter(|(_, step)| **step != right_step);
    let faults = wrong.map(|(bar, step)| {
        let remedy = if is_known {
            scale.whole_bar(unit.powi(right_step - step))
        } else {
            Remedy::Unknown
        };
        scale.fault((bar.row, bar.time), remedy)
    });
    faults.collect()
}

/// The step in which most bars were traded; the newest of several.
fn right_step(bars: &[Row], steps: &[i32]) -> i32 {
    let newest = steps.last().copied().unwrap_or(0);
    let lowest = steps.iter().min().copied().unwrap_or(0);
    let highest = steps.iter().max().copied().unwrap_or(0);

    // Where no bar has a volume, every bar counts.
    let counts_volume = bars.iter().any(|bar| bar.volume > 0.0);
    let traded = bars.iter().zip(steps);
    let traded = traded.filter(|(bar, _)| bar.volume > 0.0 || !counts_volume);
    let mut counts: BTreeMap<i32, usize> = (lowest..=highest).map(|step| (step, 0)).collect();
    for (_, step) in traded {
        *counts.entry(*step).or_default() += 1;
    }

    let by_count = counts
        .iter()
        .max_by_key(|(step, count)| (**count, **step == newest));
    by_count.map_or(newest, |(step, _)| *step)
}
