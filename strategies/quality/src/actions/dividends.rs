//! Dividends and capital gains against the prices and the adjusted close of their dates.
//!
//! On an ex-date the price falls by about the dividend, and a vendor lowers every earlier adjusted
//! close by the share of the price that was paid. Where column, fall and adjustment contradict each
//! other, two of the three say what is right.

use super::level::median_of;
use super::payment::Payment;
use super::{Day, Fault, Remedy};
use crate::report::Check;

/// Dividends of this distance and less can be one that is given twice.
const PHANTOM_DAYS: i64 = 17;
/// Amounts of such a pair differ by this share at most.
const PHANTOM_RATIO: f64 = 0.08;
/// A company that pays at this distance or less pays often: no pair is one dividend.
const OFTEN_DAYS: i64 = 20;
/// Ratio of a dividend to both of its neighbours, or to its adjustment, that is a unit.
const UNIT_RATIO: std::ops::Range<f64> = 60.0..150.0;
/// The smallest share of the price whose lack in the adjusted close is seen.
const UNADJUSTED_SHARE: f64 = 0.001;
/// The smallest adjustment without a dividend that is seen; less is rounding of low prices.
const STRAY_SHARE: f64 = 0.003;
/// Share of the capital gains that must be counted twice: a single fall is chance.
const GAINS_SHARE: f64 = 0.66;
/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Finds faults of dividends. `tolerance` is the share of the price by which an adjustment may
/// differ from its dividend.
pub(crate) fn find_dividend_faults(days: &[Day], tolerance: f64) -> Vec<Fault> {
    let has_adjusted = days.iter().any(|day| day.adjusted.is_finite());
    let payments: Vec<Payment> = (1..days.len())
        .filter_map(|index| Payment::of(days, index))
        .collect();
    let (with_gain, plain): (Vec<_>, Vec<_>) = payments
        .into_iter()
        .partition(|payment| days.get(payment.index).is_some_and(|day| day.gain > 0.0));

    let mut faults = find_double_gains(days, &with_gain);
    let phantoms = find_phantoms(days, &plain);
    for index in &phantoms {
        faults.extend(phantom_faults(days, *index, has_adjusted));
    }

    // Phantoms go first: a dividend is also judged by its neighbours, which must have been paid.
    let real: Vec<Payment> = plain
        .into_iter()
        .filter(|payment| !phantoms.contains(&payment.index))
        .collect();
    let judge = Judge {
        days,
        has_adjusted,
        tolerance,
        hundredths_are_right: are_hundredths_right(&real),
    };
    for (position, payment) in real.iter().enumerate() {
        let before = position.checked_sub(1).and_then(|before| real.get(before));
        let after = real.get(position + 1);
        faults.extend(judge.judge(payment, before, after));
    }

    if has_adjusted {
        faults.extend(find_stray_adjustments(days));
    }
    faults
}

/// What one dividend is judged by.
struct Judge<'a> {
    days: &'a [Day],
    has_adjusted: bool,
    tolerance: f64,
    /// Where the adjusted close is lowered by a hundredth of the dividend, the dividend is wrong.
    hundredths_are_right: bool,
}

impl Judge<'_> {
    fn judge(
        &self,
        payment: &Payment,
        before: Option<&Payment>,
        after: Option<&Payment>,
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        let Some(at) = self.days.get(payment.index).map(Day::place) else {
            return faults;
        };
        let mut add = |check: Check, remedy: Remedy| faults.push(Fault { check, at, remedy });

        // Which amount was paid: as given, or in the other unit?
        let mut amount = payment.amount;
        let is_hundredth = self.hundredths_are_right && is_adjusted_by_hundredth(payment);
        if is_hundredth || payment.is_too_large() {
            if !is_hundredth && payment.is_on_wrong_date() {
                add(Check::DividendDate, Remedy::Unknown);
                return faults;
            }
            amount = self.smaller_amount(payment);
            add(
                Check::DividendUnit,
                Remedy::ScaleDividend(amount / payment.amount),
            );
        } else if is_too_small(payment, before, after) {
            amount *= 100.0;
            add(
                Check::DividendUnit,
                Remedy::ScaleDividend(amount / payment.amount),
            );
        }

        if !self.has_adjusted || !payment.applied.is_finite() {
            return faults;
        }
        let share = amount / payment.close_before;
        if self.is_misapplied(share, payment.applied) {
            let factor = (1.0 - share) / (1.0 - payment.applied);
            add(
                Check::DividendAdjustment,
                Remedy::ScaleAdjustedBefore(factor),
            );
        }
        faults
    }

    /// What was paid instead of so large a dividend: a hundredth, or, on the date of a split, the
    /// dividend of a new share.
    fn smaller_amount(&self, payment: &Payment) -> f64 {
        let split = self.days.get(payment.index).map_or(1.0, |day| day.split);
        let hundredth = payment.amount / 100.0;
        let per_new_share = payment.amount / split;

        let paid = payment.fall * payment.close_before;
        let is_nearer = (per_new_share - paid).abs() < (hundredth - paid).abs();
        if split > 1.0 && is_nearer {
            per_new_share
        } else {
            hundredth
        }
    }

    /// Whether the adjusted close is lowered by another share than that of the dividend.
    fn is_misapplied(&self, share: f64, applied: f64) -> bool {
        let is_left_out = share > UNADJUSTED_SHARE && applied.abs() < 0.05 * share;
        is_left_out || (share - applied).abs() > self.tolerance.max(0.1 * share)
    }
}

/// Whether the prices fell by so little, where the adjusted close is lowered by a hundredth of the
/// dividend, that the dividends are wrong and not the adjusted close. All of them together say so:
/// a single fall is chance.
fn are_hundredths_right(payments: &[Payment]) -> bool {
    let mut shares = 0.0;
    let mut falls = 0.0;
    for payment in payments
        .iter()
        .filter(|payment| is_adjusted_by_hundredth(payment))
    {
        shares += payment.share();
        falls += payment.fall.max(0.0);
    }
    3.0 * falls < shares
}

fn is_adjusted_by_hundredth(payment: &Payment) -> bool {
    payment.applied > 0.0 && UNIT_RATIO.contains(&(payment.share() / payment.applied))
}

/// A hundredth of what the price fell by, or of both dividends next to it.
fn is_too_small(payment: &Payment, before: Option<&Payment>, after: Option<&Payment>) -> bool {
    let is_hundredth_of = |other: &Payment| UNIT_RATIO.contains(&(other.share() / payment.share()));
    match (before, after) {
        (Some(before), Some(after)) => is_hundredth_of(before) && is_hundredth_of(after),
        (Some(other), None) | (None, Some(other)) => {
            is_hundredth_of(other) && payment.is_too_small()
        }
        (None, None) => payment.is_too_small(),
    }
}

/// The days of dividends that are given twice: of each pair the one for which the price fell less.
fn find_phantoms(days: &[Day], payments: &[Payment]) -> Vec<usize> {
    let time_of = |payment: &Payment| days.get(payment.index).map_or(0, |day| day.row.time.0);
    let pairs = || payments.iter().zip(payments.iter().skip(1));

    // A fund that pays every week has near equal amounts within days, all of them real.
    let usual_distance = median_of(
        pairs()
            .map(|(first, second)| (time_of(second) - time_of(first)) as f64 / DAY_MICROS as f64),
    );
    if payments.len() > 3 && usual_distance <= OFTEN_DAYS as f64 {
        return Vec::new();
    }

    let mut phantoms = Vec::new();
    for (first, second) in pairs() {
        let is_near = time_of(second) - time_of(first) <= PHANTOM_DAYS * DAY_MICROS;
        if is_near && is_same_amount(first.amount, second.amount) {
            let phantom = if first.fall < second.fall {
                first
            } else {
                second
            };
            phantoms.push(phantom.index);
        }
    }
    phantoms
}

/// Equal amounts, in one unit or in two.
fn is_same_amount(first: f64, second: f64) -> bool {
    let ratio = first / second;
    let ratios = [ratio, ratio / 100.0, ratio * 100.0];
    ratios
        .iter()
        .any(|ratio| (ratio - 1.0).abs() < PHANTOM_RATIO)
}

/// A dividend that was not paid, and the adjustment for it.
fn phantom_faults(days: &[Day], index: usize, has_adjusted: bool) -> Vec<Fault> {
    let Some((day, payment)) = days.get(index).zip(Payment::of(days, index)) else {
        return Vec::new();
    };
    let phantom = |remedy: Remedy| Fault {
        check: Check::DividendPhantom,
        at: day.place(),
        remedy,
    };

    // A vendor that did not adjust for the phantom gives a factor of 1, which changes nothing.
    let mut faults = vec![phantom(Remedy::ScaleDividend(0.0))];
    if has_adjusted && payment.applied.is_finite() {
        let factor = 1.0 / (1.0 - payment.applied);
        faults.push(phantom(Remedy::ScaleAdjustedBefore(factor)));
    }
    faults
}

/// Adjustments on dates without any action.
fn find_stray_adjustments(days: &[Day]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (before, day) in days.iter().zip(days.iter().skip(1)) {
        let has_action = day.dividend > 0.0 || day.gain > 0.0 || day.split != 1.0;
        let applied = 1.0 - before.adjustment() / day.adjustment();

        // A jump of the prices between two units is reported as that.
        let is_stray = !has_action && applied.abs() > STRAY_SHARE && applied.abs() < 0.9;
        if is_stray {
            faults.push(Fault {
                check: Check::DividendMissing,
                at: day.place(),
                remedy: Remedy::Unknown,
            });
        }
    }
    faults
}

/// Capital gains that are part of their dividend and adjusted for once more.
///
/// A vendor may also give them apart; then the price falls by the sum. So most of the falls must be
/// nearer to the dividend alone.
fn find_double_gains(days: &[Day], payments: &[Payment]) -> Vec<Fault> {
    let mut doubled: Vec<(&Day, &Payment)> = Vec::new();
    let mut near_dividend = 0_usize;
    let mut judged = 0_usize;

    for payment in payments {
        let Some(day) = days.get(payment.index) else {
            continue;
        };
        // A gain above its dividend cannot be a part of it.
        if day.gain > payment.amount {
            continue;
        }

        let gain_share = day.gain / payment.close_before;
        let from_dividend = (payment.fall_of_close - payment.share()).abs();
        let from_sum = (payment.fall_of_close - payment.share() - gain_share).abs();
        judged += 1;
        near_dividend += usize::from(from_dividend < from_sum);

        let excess = payment.applied - payment.share();
        if (excess - gain_share).abs() < 0.25 * gain_share {
            doubled.push((day, payment));
        }
    }

    if (near_dividend as f64) < GAINS_SHARE * judged as f64 {
        return Vec::new();
    }
    let faults = doubled.into_iter().map(|(day, payment)| Fault {
        check: Check::CapitalGains,
        at: day.place(),
        remedy: Remedy::ScaleAdjustedBefore((1.0 - payment.share()) / (1.0 - payment.applied)),
    });
    faults.collect()
}
