//! The level of prices, and jumps of it that have a known size: the common part of the detectors of
//! units and of splits.

use super::{Fault, Field, Remedy};
use crate::checks::Row;
use crate::report::Check;
use crate::rolling::median;

/// Jumps of this share of the known size and more can be that size.
const SIZE_MIN: f64 = 0.6;
/// A jump may differ from the known size by this multiple of the usual move, but by 15 % of the
/// size at least and by 35 % at most.
const NOISE_MULTIPLE: f64 = 5.0;

/// The prices of a bar, in the order of [`Row::prices`].
const FIELDS: [Field; 4] = [Field::Open, Field::High, Field::Low, Field::Close];

/// Factors by which single prices can be wrong.
pub(crate) struct WrongScale {
    pub(crate) check: Check,
    /// A price that must be multiplied by one of these is wrong.
    pub(crate) factors: Vec<f64>,
    /// Greatest difference of a price from its level, as a log ratio, after the correction.
    pub(crate) tolerance: f64,
    /// Whether volumes are wrong by the same factor.
    pub(crate) scales_volume: bool,
}

impl WrongScale {
    /// Finds prices that differ from the median of their bar and both neighbours by a factor, and
    /// corrects them in `bars`, so that later bars are compared with right ones.
    pub(crate) fn find_values(&self, bars: &mut [Row], faults: &mut Vec<Fault>) {
        for index in 0..bars.len() {
            let level = level_around(bars, index);
            if let Some((bar, level)) = bars.get_mut(index).zip(level) {
                self.correct(bar, level, faults);
            }
        }
    }

    fn correct(&self, bar: &mut Row, level: f64, faults: &mut Vec<Fault>) {
        let place = (bar.row, bar.time);
        let factors = bar.prices().map(|price| self.factor_of(level / price));

        // A whole bar is one fault: its adjusted close is wrong with it.
        if let [Some(factor), ..] = factors
            && factors.iter().all(|other| *other == Some(factor))
        {
            *bar = bar.scaled(factor);
            faults.push(self.fault(place, self.whole_bar(factor)));
            return;
        }

        for (field, factor) in FIELDS.into_iter().zip(factors) {
            if let Some(factor) = factor {
                bar.scale_price(field, factor);
                faults.push(self.fault(place, Remedy::ScaleField(field, factor)));
            }
        }
    }

    /// The factor that `ratio` is about.
    fn factor_of(&self, ratio: f64) -> Option<f64> {
        let mut factors = self.factors.iter().copied();
        factors.find(|factor| (ratio / factor).ln().abs() <= self.tolerance)
    }

    pub(crate) const fn fault(&self, at: (usize, market::Utc), remedy: Remedy) -> Fault {
        Fault {
            check: self.check,
            at,
            remedy,
        }
    }

    pub(crate) const fn whole_bar(&self, factor: f64) -> Remedy {
        let volume_factor = if self.scales_volume { factor } else { 1.0 };
        Remedy::ScaleBar(factor, volume_factor)
    }
}

/// The median price of a bar and its neighbours; none where they are too few to say which is wrong.
fn level_around(bars: &[Row], index: usize) -> Option<f64> {
    let start = index.saturating_sub(1);
    let neighbours = bars.get(start..(index + 2).min(bars.len()))?;
    let level = median_of(neighbours.iter().flat_map(Row::prices));
    (neighbours.len() > 2).then_some(level)
}

/// The median of a few values; NaN without values.
pub(crate) fn median_of(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    median(&mut values)
}

/// The usual move from bar to bar: the median of absolute log moves.
pub(crate) fn usual_move(moves: &[f64]) -> f64 {
    let sizes = moves.iter().map(|value| value.abs());
    let size = median_of(sizes.filter(|size| size.is_finite()));
    if size.is_finite() { size } else { 0.0 }
}

/// For each bar how many steps of `size` (a log ratio) its prices lie above those of the first bar.
/// `moves` are the log moves into each bar, that into the first one being 0.
pub(crate) fn scale_steps(moves: &[f64], size: f64, noise: f64) -> Vec<i32> {
    let tolerance = (NOISE_MULTIPLE * noise).clamp(0.15 * size.abs(), 0.35 * size.abs());
    let mut step = 0;

    let steps = moves.iter().map(|value| {
        let is_jump = value.abs() >= SIZE_MIN * size.abs();
        if is_jump && (value - size).abs() <= tolerance {
            step += 1;
        } else if is_jump && (value + size).abs() <= tolerance {
            step -= 1;
        }
        step
    });
    steps.collect()
}
