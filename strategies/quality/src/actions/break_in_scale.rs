//! A jump by a simple ratio that lasts: a split that the file does not name, or two files of
//! different adjustment joined into one.

use std::ops::Range;

use super::level::{median_of, usual_move};
use crate::checks::Rows;
use crate::draft::{Draft, Place};
use crate::report::{Check, Severity};
use market::{Adjustment, SeriesKey, Utc};

/// New shares per old one of the splits that happen.
const RATIOS: [f64; 13] = [
    1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 50.0,
];
/// Ratio of neighbouring prices below which no split is looked for.
const WIDE: f64 = 1.35;
/// Bars on each side that show whether a jump lasts.
const SIDE: usize = 3;
/// A jump may differ from the ratio by this log at most, and by this multiple of the usual move.
const TOLERANCE_MAX: f64 = 0.06;
const TOLERANCE_MOVES: f64 = 4.0;
/// A jump is at least this multiple of the usual move.
const JUMP_MOVES: f64 = 10.0;

/// Reports lasting jumps by a simple ratio. `is_next` says whether a bar follows the one before it
/// without missing bars between them, `split_times` at which bars the file names a split, and
/// `explained_times`, ascending, which bars have another scale for a known reason.
pub(crate) fn find_breaks(
    rows: &Rows<'_>,
    is_next: impl Fn(usize) -> bool,
    split_times: &[Utc],
    explained_times: &[Utc],
    key: &SeriesKey,
    draft: &mut Draft<'_>,
) {
    let mut places: Vec<Place> = Vec::new();
    let mut noise = None;

    for (index, (before, bar)) in (1..).zip(rows.iter().zip(rows.iter().skip(1))) {
        // Nearly all bars end here.
        let is_wide = bar.open > WIDE * before.close || before.close > WIDE * bar.open;
        if !(is_wide && before.is_priced() && bar.is_priced()) {
            continue;
        }
        let jump = (bar.open / before.close).ln();
        let is_explained = |time: &Utc| explained_times.binary_search(time).is_ok();
        let is_named = split_times.contains(&bar.time);
        if !is_next(index) || is_named || is_explained(&before.time) || is_explained(&bar.time) {
            continue;
        }

        let noise = *noise.get_or_insert_with(|| usual_move(&close_moves(rows.closes())));
        if is_simple_ratio(jump, noise) && lasts(rows, index, jump) {
            places.push((bar.row, bar.time));
        }
    }

    // Prices as they were traded do jump at a split.
    let severity = if key.adjustment == Adjustment::Raw {
        Severity::Info
    } else {
        Severity::High
    };
    let text = "opening at a simple ratio of the close before, as after a split or where two \
                files meet";
    draft.rows(Check::AdjustmentBreak, severity, &places, text);
}

fn close_moves(closes: &[f64]) -> Vec<f64> {
    let later = closes.iter().skip(1).zip(closes);
    let moves = later.map(|(close, before)| (close / before).ln());
    moves.collect()
}

/// Whether a log move is one of a split, and far beyond the usual ones.
pub(crate) fn is_simple_ratio(jump: f64, noise: f64) -> bool {
    let tolerance = (TOLERANCE_MOVES * noise).clamp(0.01, TOLERANCE_MAX);
    jump.abs() >= JUMP_MOVES * noise
        && RATIOS
            .into_iter()
            .any(|ratio| (jump.abs() - ratio.ln()).abs() <= tolerance)
}

/// Whether the bars after the jump stay where it led.
fn lasts(rows: &Rows<'_>, index: usize, jump: f64) -> bool {
    let before = median_close(rows, index.saturating_sub(SIDE)..index);
    let after = median_close(rows, index..(index + SIDE).min(rows.len()));
    ((after / before).ln() - jump).abs() < 0.3 * jump.abs()
}

fn median_close(rows: &Rows<'_>, range: Range<usize>) -> f64 {
    median_of(rows.closes_in(range).iter().copied())
}
