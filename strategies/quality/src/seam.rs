//! The seam between stored and new bars of one series: are both on one scale?
//!
//! After a split or a dividend a provider gives all earlier prices again. Joined to the bars of an
//! earlier load they make a series with a jump that no market made.

use market::Utc;

use crate::actions::{is_simple_ratio, median_of, usual_move};
use crate::report::{Check, Finding, Sample, Severity};
use crate::rules::Rules;

/// Bars named in the finding, at most.
const SAMPLES_MAX: usize = 5;
/// Bars further apart than this say nothing about each other's scale: ten days.
const NEAR_MICROS: i64 = 10 * 86_400_000_000;
/// Larger jumps than those of splits: units.
const UNIT_JUMPS: [f64; 2] = [100.0, 1000.0];
/// How near a ratio is to a whole number, to be said as a split.
const WHOLE: f64 = 0.03;

/// Times, opens and closes of bars, oldest first, each time once.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeamBars<'a> {
    /// Label of each bar.
    pub times: &'a [Utc],
    /// First price of each bar.
    pub opens: &'a [f64],
    /// Last price of each bar.
    pub closes: &'a [f64],
}

impl SeamBars<'_> {
    fn bar(&self, index: usize) -> Option<SeamBar> {
        Some(SeamBar {
            row: index,
            time: *self.times.get(index)?,
            open: *self.opens.get(index)?,
            close: *self.closes.get(index)?,
        })
    }

    fn closes_moves(&self) -> impl Iterator<Item = f64> {
        let later = self.closes.iter().skip(1).zip(self.closes);
        later.map(|(close, before)| (close / before).ln())
    }
}

#[derive(Clone, Copy)]
struct SeamBar {
    row: usize,
    time: Utc,
    open: f64,
    close: f64,
}

/// Says that new bars are on another scale than the stored ones; none if they are on one scale, or
/// if nothing can be said.
///
/// `stored` are the stored bars of the same time and some on each side, `stored_count` is the
/// number of all of them: new bars that replace every stored one have no seam.
pub fn check_seam(
    stored: SeamBars<'_>,
    stored_count: usize,
    new: SeamBars<'_>,
    rules: &Rules,
) -> Option<Finding> {
    let shared = shared_bars(stored, new);
    if shared.len() >= stored_count {
        return None;
    }
    if shared.is_empty() {
        return check_ends(stored, new);
    }

    // The median: a few bars that were revised since do not make another scale.
    let ratios = shared.iter().map(|(old, new)| new.close / old.close);
    let ratio = median_of(ratios.filter(|ratio| ratio.is_finite() && *ratio > 0.0));
    let is_one_scale = (rules.seam_ratio_min..=rules.seam_ratio_max).contains(&ratio);
    if ratio.is_nan() || is_one_scale {
        return None;
    }

    let count = shared.len();
    let bars = if count == 1 { "bar is" } else { "bars are" };
    let message = format!(
        "{count} {bars} stored already, with prices of another scale: the new ones are {ratio:.4} \
         times as high{}",
        describe_ratio(ratio)
    );
    let new_bars = shared.iter().map(|(_, new)| *new);
    Some(break_at(new_bars.collect(), message))
}

/// Pairs of stored and new bars of one time.
fn shared_bars(stored: SeamBars<'_>, new: SeamBars<'_>) -> Vec<(SeamBar, SeamBar)> {
    let mut shared = Vec::new();
    let mut index = 0;

    // Both ascend, so one walk over the stored bars serves all new ones.
    for row in 0..new.times.len() {
        let Some(new_bar) = new.bar(row) else {
            break;
        };
        while stored
            .times
            .get(index)
            .is_some_and(|time| *time < new_bar.time)
        {
            index += 1;
        }

        let old_bar = stored.bar(index).filter(|old| old.time == new_bar.time);
        shared.extend(old_bar.map(|old| (old, new_bar)));
    }
    shared
}

/// Without a shared bar, the stored bars next to the new ones must not be a simple ratio away.
fn check_ends(stored: SeamBars<'_>, new: SeamBars<'_>) -> Option<Finding> {
    let first = new.bar(0)?;
    let last = new.bar(new.times.len().checked_sub(1)?)?;
    let next = stored.times.partition_point(|time| *time < first.time);
    let after = stored.times.partition_point(|time| *time <= last.time);
    let before_first = next.checked_sub(1).and_then(|index| stored.bar(index));
    let after_last = stored.bar(after);

    // Of both sides: a load of few new bars alone does not show the usual move.
    let moves: Vec<f64> = stored.closes_moves().chain(new.closes_moves()).collect();
    let noise = usual_move(&moves);
    let joins = [
        before_first.map(|before| (before, first, first)),
        after_last.map(|after| (last, after, last)),
    ];
    joins.into_iter().flatten().find_map(|(earlier, later, at)| {
        let ratio = later.open / earlier.close;
        let is_near = later.time.0 - earlier.time.0 <= NEAR_MICROS;
        if !(is_near && is_break(ratio, noise)) {
            return None;
        }
        let message = format!(
            "the bar of {} opens at {ratio:.4} times the close of the bar before, one stored and \
             one new{}",
            later.time,
            describe_ratio(ratio)
        );
        Some(break_at(vec![at], message))
    })
}

fn is_break(ratio: f64, noise: f64) -> bool {
    let jump = ratio.ln();
    let is_unit = UNIT_JUMPS
        .iter()
        .any(|unit| (jump.abs() - unit.ln()).abs() < 0.22);
    jump.is_finite() && (is_simple_ratio(jump, noise) || is_unit)
}

fn break_at(bars: Vec<SeamBar>, message: String) -> Finding {
    let samples = bars.iter().take(SAMPLES_MAX).map(|bar| Sample {
        row: Some(bar.row),
        time: bar.time,
    });

    // Critical, because the joined series would hold a move that no market made.
    Finding {
        check: Check::AdjustmentBreak,
        severity: Severity::Critical,
        count: bars.len(),
        first: bars.first().map(|bar| bar.time),
        last: bars.last().map(|bar| bar.time),
        rows: samples.collect(),
        message,
    }
}

/// What may have happened, as the end of a sentence.
fn describe_ratio(ratio: f64) -> String {
    let is_whole = |value: f64| value > 1.5 && (value - value.round()).abs() < WHOLE * value;
    if is_whole(1.0 / ratio) {
        format!(", as after a split of {:.0} for 1", (1.0 / ratio).round())
    } else if is_whole(ratio) {
        format!(", as after a consolidation of {:.0} into 1", ratio.round())
    } else if (0.8..1.25).contains(&ratio) {
        ", as after a dividend".to_owned()
    } else {
        String::new()
    }
}
