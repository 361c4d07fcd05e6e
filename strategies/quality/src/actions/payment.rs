//! One dividend with what the prices around it say.

use super::Day;
use super::level::median_of;

/// Bars on each side that show the usual move.
const NOISE_SIDE: usize = 20;
/// Bars before and after an ex-date in which the price may have fallen for it.
const DATE_SIDE: usize = 10;
/// A dividend of this share of the price and more must show in the price.
pub(super) const LARGE_SHARE: f64 = 0.035;
/// Without any trade the price does not move: then only such a share is impossible.
const UNTRADED_SHARE: f64 = 0.25;

/// A dividend with what the prices around it say. Shares are of the close before the ex-date.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payment {
    /// Its day; at least 1.
    pub(super) index: usize,
    pub(super) amount: f64,
    /// Close before the ex-date.
    pub(super) close_before: f64,
    /// Share that the adjusted close is lowered by before the ex-date; NaN without one.
    pub(super) applied: f64,
    /// Fall from the close before to the low of the ex-date.
    pub(super) fall: f64,
    /// The larger one of that and the fall of the next bar.
    fall_of_two: f64,
    /// Fall from close to close.
    pub(super) fall_of_close: f64,
    /// Median absolute move from close to close around the ex-date.
    noise: f64,
    /// The largest fall from close to low of the days around, but for the ex-date and the next one.
    fall_elsewhere: f64,
    is_untraded: bool,
}

impl Payment {
    /// The dividend of day `index`; none without a dividend, or before the second day.
    pub(super) fn of(days: &[Day], index: usize) -> Option<Self> {
        let day = days.get(index).filter(|day| day.dividend > 0.0)?;
        let before = days.get(index.checked_sub(1)?)?;
        let close_before = before.row.close;

        let fall_of = |at: usize| Some(fall_into(days, at)? / close_before);
        let fall = fall_of(index).unwrap_or(0.0);

        // The bar after the ex-date may still fall for the dividend, so it is no other date.
        let around = index.saturating_sub(DATE_SIDE).max(1)..index + DATE_SIDE;
        let elsewhere = around.filter(|at| *at < index || *at > index + 1);
        let fall_elsewhere = elsewhere.filter_map(fall_of).fold(0.0, f64::max);

        Some(Self {
            index,
            amount: day.dividend,
            close_before,
            applied: 1.0 - before.adjustment() / day.adjustment(),
            fall,
            fall_of_two: fall.max(fall_of(index + 1).unwrap_or(0.0)),
            fall_of_close: 1.0 - day.row.close / close_before,
            noise: noise_around(days, index),
            fall_elsewhere,
            is_untraded: fall == 0.0 && day.row.volume == 0.0,
        })
    }

    /// Share of the price that is paid.
    pub(super) fn share(&self) -> f64 {
        self.amount / self.close_before
    }

    /// Whether the price moved between two units on the ex-date, so that it says nothing.
    fn is_between_units(&self) -> bool {
        self.fall.abs() > 0.9
    }

    /// Whether so large a dividend cannot have been paid: it exceeds the price, or the price did
    /// not fall for it.
    pub(super) fn is_too_large(&self) -> bool {
        let share = self.share();
        if share >= 1.0 {
            return true;
        }
        if self.is_between_units() || share < LARGE_SHARE {
            return false;
        }
        if self.is_untraded {
            return share > UNTRADED_SHARE;
        }

        let is_unseen = 3.0 * self.fall_of_two < share;
        is_unseen && share - self.fall_of_two > 3.0 * self.noise
    }

    /// Whether the price fell for this dividend on another date nearby.
    pub(super) fn is_on_wrong_date(&self) -> bool {
        let share = self.share();
        let is_seen_elsewhere =
            self.fall_elsewhere > 0.8 * share && self.fall_elsewhere < 2.0 * share;
        let is_fall = self.fall_elsewhere > 8.0 * self.noise;
        share < 0.5 && is_seen_elsewhere && is_fall
    }

    /// Whether the price fell for a hundred times as much.
    pub(super) fn is_too_small(&self) -> bool {
        let hundredfold = 100.0 * self.share();
        let fits = (0.6..1.6).contains(&(hundredfold / self.fall));
        !self.is_between_units() && fits && self.fall > 5.0 * self.noise && self.fall > 0.01
    }
}

/// The fall of the price from the close before day `at` to its low.
fn fall_into(days: &[Day], at: usize) -> Option<f64> {
    let close = days.get(at.checked_sub(1)?)?.row.close;
    Some(close - days.get(at)?.row.low)
}

fn noise_around(days: &[Day], index: usize) -> f64 {
    let start = index.saturating_sub(NOISE_SIDE);
    let around = days.get(start..(index + NOISE_SIDE).min(days.len()));
    let around = around.unwrap_or_default();

    let later = around.iter().skip(1).zip(around);
    let moves = later.map(|(day, before)| (day.row.close / before.row.close - 1.0).abs());
    let noise = median_of(moves);
    if noise.is_finite() { noise } else { 0.0 }
}
