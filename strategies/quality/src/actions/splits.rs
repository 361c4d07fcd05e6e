//! Splits that the file names, and prices that they were not applied to, or were applied to twice.

use std::collections::BTreeMap;

use super::level::{WrongScale, median_of, scale_steps, usual_move};
use super::{Day, Fault};
use crate::checks::Row;
use crate::report::Check;

/// Smaller splits, as log ratios, drown in the usual moves: a share dividend of 10 % and less.
const SIZE_MIN: f64 = 0.1;
/// A split must be this multiple of the usual move larger than [`SIZE_MIN`].
const NOISE_MULTIPLE: f64 = 6.0;

/// Share of the split's log ratio that a single price may be away from its level.
const VALUE_TOLERANCE: f64 = 0.2;
/// Single prices are looked at for splits of this ratio and more: a wick can be half as long.
const VALUE_RATIO: f64 = 1.8;

/// Bars from a split on whose scale decides.
const AFTER_SPLIT: usize = 10;

/// Finds prices that are a split away from those at its date, up to that date, and corrects them in
/// `days`: a dividend is one of the prices as they should be.
pub(crate) fn find_split_faults(days: &mut [Day]) -> Vec<Fault> {
    let has_split = days.iter().any(|day| day.split != 1.0);
    if !has_split {
        return Vec::new();
    }

    let mut bars: Vec<Row> = days.iter().map(|day| day.row).collect();
    let noise = usual_move(&moves_of(&bars, days));
    let mut faults = Vec::new();

    // Oldest first: each split is compared with prices that the earlier ones have put right.
    for (index, day) in days.iter().enumerate() {
        let size = day.split.ln().abs();
        if size > 0.0 && size >= SIZE_MIN + NOISE_MULTIPLE * noise {
            find_before(&mut bars, days, index, noise, &mut faults);
        }
    }

    // The adjusted close is made from the close, so it is off by the same factor.
    for (day, bar) in days.iter_mut().zip(bars) {
        day.adjusted *= bar.close / day.row.close;
        day.row = bar;
    }
    faults
}

/// The faults of the split on day `index`. Most prices from it on are right, and what the others
/// must fit; the first ones may be as old as those before it.
fn find_before(bars: &mut [Row], days: &[Day], index: usize, noise: f64, faults: &mut Vec<Fault>) {
    let split = days.get(index).map_or(1.0, |day| day.split);
    let size = split.ln();
    let scale = WrongScale {
        check: Check::Split,
        factors: vec![split, 1.0 / split],
        tolerance: VALUE_TOLERANCE * size.abs(),
        scales_volume: true,
    };

    // Two wrong prices of a bar move its median and could pass for a step of the whole scale.
    if size.abs() >= VALUE_RATIO.ln() {
        scale.find_values(bars.get_mut(..index).unwrap_or_default(), faults);
    }

    let steps = scale_steps(&moves_of(bars, days), size, noise);
    let after_split = steps.get(index..).unwrap_or_default();
    let right_step = most_frequent(after_split.iter().take(AFTER_SPLIT));
    let first_right = after_split.iter().position(|step| *step == right_step);
    let end = index + first_right.unwrap_or(0);
    for (bar, step) in bars.iter_mut().zip(&steps).take(end) {
        if *step != right_step {
            let factor = split.powi(right_step - step);
            faults.push(scale.fault((bar.row, bar.time), scale.whole_bar(factor)));
            *bar = bar.scaled(factor);
        }
    }
}

/// The step that most bars are on; 0 of none.
fn most_frequent<'a>(steps: impl Iterator<Item = &'a i32>) -> i32 {
    let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(*step).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(_, count)| **count);
    most.map_or(0, |(step, _)| *step)
}

/// The log move into each bar, without what a dividend takes from the price; 0 for the first.
fn moves_of(bars: &[Row], days: &[Day]) -> Vec<f64> {
    let level_of = |bar: &Row| median_of(bar.prices());
    let mut moves = vec![0.0];

    let pairs = bars.iter().zip(bars.iter().skip(1));
    for ((before, bar), day) in pairs.zip(days.iter().skip(1)) {
        // A dividend of more than the price is wrong itself.
        let ex_level = level_of(before) - day.dividend;
        let level_before = if ex_level > 0.0 {
            ex_level
        } else {
            level_of(before)
        };
        moves.push((level_of(bar) / level_before).ln());
    }
    moves
}
