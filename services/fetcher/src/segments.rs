//! From gaps to requests: which gaps are worth one, which neighbours share one, and where the
//! ranges are cut.

use std::ops::Range;

use market::{Slot, Stretch, Utc};

use crate::plan::SeriesFacts;

/// A piece shorter than this share of a whole one joins its neighbour if both fit into one request.
const LEFTOVER_SHARE: i64 = 10;

/// The ranges of labels to ask for, ascending and disjoint, no longer than a request may be.
///
/// `slots` are the completed bars of `range`, `gaps` the runs of them that are missing.
pub(crate) fn request_ranges(
    gaps: &[Stretch],
    slots: &[Slot],
    range: &Range<Utc>,
    facts: &SeriesFacts<'_>,
) -> Vec<Range<Utc>> {
    let runs = gaps
        .iter()
        .filter(|gap| is_worth_asking(gap, facts))
        .map(|gap| index_of(slots, gap.start)..index_of(slots, gap.end));

    // Asking again for a few stored bars is cheaper than one more request.
    let joined = join_until_few(runs.collect(), slots, facts);
    joined
        .into_iter()
        .flat_map(|run| cut(widen(&run, slots, range), facts))
        .collect()
}

/// Before and after the stored bars one missing bar is enough; between them a few minutes without a
/// trade are normal.
fn is_worth_asking(gap: &Stretch, facts: &SeriesFacts<'_>) -> bool {
    let Some(first) = facts.stored.first() else {
        return true;
    };
    let Some(last) = facts.stored.last() else {
        return true;
    };

    let least = facts
        .settings
        .min_bars(facts.key.instrument.class(), facts.key.timeframe);
    gap.start < *first || gap.end > *last || gap.bars >= least
}

/// The number of slots that open before an instant.
fn index_of(slots: &[Slot], instant: Utc) -> usize {
    slots.partition_point(|slot| slot.open < instant)
}

/// Joins runs that are closer than half a request, then over doubled distances until there are no
/// more than the settings allow. Nothing is dropped.
fn join_until_few(
    mut runs: Vec<Range<usize>>,
    slots: &[Slot],
    facts: &SeriesFacts<'_>,
) -> Vec<Range<usize>> {
    let count_max = usize::try_from(facts.settings.ranges_max).unwrap_or(usize::MAX);
    let mut factor = 1;

    // A distance beyond all slots joins everything, so that the loop ends for any setting.
    loop {
        runs = join_neighbours(runs, factor, slots, facts);
        if runs.len() <= count_max.max(1) || factor > slots.len() {
            return runs;
        }
        factor *= 2;
    }
}

/// Joins runs with fewer stored bars between them than half a request holds, times `factor`.
fn join_neighbours(
    runs: Vec<Range<usize>>,
    factor: usize,
    slots: &[Slot],
    facts: &SeriesFacts<'_>,
) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(runs.len());

    for run in runs {
        // Bars count here, not time: a weekend between two runs makes no request larger.
        match joined.last_mut() {
            Some(last) if run.start - last.end < factor * half_request(run.start, slots, facts) => {
                last.end = run.end;
            }
            _ => joined.push(run),
        }
    }
    joined
}

/// Half of the bars that one request around a slot holds, at least 1.
fn half_request(index: usize, slots: &[Slot], facts: &SeriesFacts<'_>) -> usize {
    let Some(slot) = slots.get(index) else {
        return 1;
    };

    let piece = facts.piece_around(slot.open);
    let bars = index_of(slots, piece.end) - index_of(slots, piece.start);
    (bars / 2).max(1)
}

/// A run of slots up to its neighbouring slots, so that bars outside of every session come along.
fn widen(run: &Range<usize>, slots: &[Slot], range: &Range<Utc>) -> Range<Utc> {
    let before = run.start.checked_sub(1).and_then(|index| slots.get(index));
    let first = slots.get(run.start);
    let last = run.end.checked_sub(1).and_then(|index| slots.get(index));
    let after = slots.get(run.end);

    let first_open = first.map_or(range.start, |slot| slot.open);
    let last_close = last.map_or(range.end, |slot| slot.close);
    let start = before.map_or(range.start.min(first_open), |slot| {
        slot.close.min(first_open)
    });
    let end = after.map_or(range.end.max(last_close), |slot| slot.open);
    start..end
}

/// Cuts a range at fixed instants, so that a repeated run asks for the same pieces.
pub(crate) fn cut(range: Range<Utc>, facts: &SeriesFacts<'_>) -> Vec<Range<Utc>> {
    let mut pieces: Vec<Range<Utc>> = Vec::new();
    let mut start = range.start;

    while start < range.end {
        let whole = facts.piece_around(start);
        let piece = start..range.end.min(whole.end);

        // What is left over at an end is rarely worth a request of its own.
        match pieces.last_mut() {
            Some(last) if is_leftover(last, &piece, length(&whole)) => last.end = piece.end,
            _ => pieces.push(piece.clone()),
        }
        start = piece.end;
    }
    pieces
}

/// True if one of two neighbours is short and both fit into one request.
fn is_leftover(piece: &Range<Utc>, next: &Range<Utc>, longest: i64) -> bool {
    let shorter = length(piece).min(length(next));
    shorter * LEFTOVER_SHARE < longest && length(piece) + length(next) <= longest
}

/// Microseconds of a range.
pub(crate) const fn length(range: &Range<Utc>) -> i64 {
    range.end.0 - range.start.0
}
