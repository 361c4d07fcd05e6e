//! What to ask a provider for, decided without I/O: range, gaps, requests in order.
//!
//! Expected bars come from the calendar. A bar is missing if it is expected, completed, not stored,
//! and not known to be absent at the provider; a stretch without expected bars is never asked for.
//! Requests are cut at fixed instants, so that a repeated run makes the same ones, and each one is
//! committed before the next is made.

use std::ops::Range;

use market::{Calendar, Gap, HourAnchor, SeriesKey, Slot, Timeframe, Utc, expected, gaps, missing};
use schemas::commands::FetchMode;
use schemas::manifests::EmptyInterval;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Age from which "the provider has none" is final, and how long the answer holds before.
const EMPTY_FINAL_AGE: i64 = 7 * DAY;
const EMPTY_HOLDS: i64 = DAY;

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which part of the series.
    pub mode: FetchMode,
    /// Earliest label, inclusive.
    pub start: Option<Utc>,
    /// End of the labels, exclusive.
    pub end: Option<Utc>,
    /// Ask for stored and for known-empty bars too.
    pub refetch: bool,
}

/// What is known when planning.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The series.
    pub key: &'a SeriesKey,
    /// Its calendar.
    pub calendar: &'a Calendar,
    /// Where the provider anchors intraday bars.
    pub anchor: HourAnchor,
    /// Labels stored, ascending.
    pub stored: &'a [Utc],
    /// What the provider did not have when asked.
    pub empty: &'a [EmptyInterval],
    /// Labels that the provider may have, half-open; unknown if it does not tell.
    pub coverage: Option<Range<Utc>>,
    /// Longest request in microseconds; without a limit requests end where the store's files end.
    pub span_max: Option<i64>,
    /// The present.
    pub now: Utc,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Labels asked for, half-open.
    pub range: Range<Utc>,
    /// Missing bars in it.
    pub bars: u64,
}

/// The requests of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Disjoint, in the order in which they are made.
    pub segments: Vec<Segment>,
    /// Labels looked at, half-open; `None` if the mode has nothing to look at.
    pub range: Option<Range<Utc>>,
    /// Expected bars in the range that are not stored, whether asked for or not.
    pub missing: u64,
    /// What was changed of what the user asked for.
    pub warnings: Vec<String>,
}

/// A range that contains nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range from {start} to {end} is empty")]
pub struct EmptyRange {
    /// Asked for.
    pub start: Utc,
    /// Asked for, exclusive.
    pub end: Utc,
}

/// Plans the requests of one series.
///
/// # Errors
/// The range that the user gave is empty.
pub fn plan(wanted: &Wanted, known: &Known<'_>) -> Result<Plan, EmptyRange> {
    let mut plan = Plan::default();
    let Some(range) = range(wanted, known, &mut plan.warnings)? else {
        return Ok(plan);
    };
    let slots = completed(known, range.clone());
    let askable: Vec<Slot> = if wanted.refetch {
        slots.clone()
    } else {
        slots
            .iter()
            .filter(|slot| !is_empty(slot.open, known))
            .copied()
            .collect()
    };
    let stored = if wanted.refetch { &[] } else { known.stored };
    let absent = missing(&askable, stored);
    plan.missing = missing(&slots, known.stored).len() as u64;
    plan.range = Some(range.clone());
    let worth = gaps(&askable, stored)
        .into_iter()
        .filter(|gap| is_worth_asking(gap, known));
    for gap in worth {
        // Up to the neighbouring slots, so that bars outside of every session come along.
        let before = slots
            .partition_point(|slot| slot.open < gap.start)
            .checked_sub(1)
            .and_then(|index| slots.get(index));
        let after = slots.get(slots.partition_point(|slot| slot.open < gap.end));
        let start = before.map_or(range.start, |slot| slot.close.min(gap.start));
        let end = after.map_or(range.end.max(gap.end), |slot| slot.open);
        cut(start..end, known, &mut plan.segments);
    }
    for segment in &mut plan.segments {
        let before = |instant: Utc| absent.partition_point(|slot| slot.open < instant);
        segment.bars = (before(segment.range.end) - before(segment.range.start)) as u64;
    }
    plan.segments.retain(|segment| segment.bars > 0);
    if wanted.mode != FetchMode::Tail {
        plan.segments.reverse();
    }
    Ok(plan)
}

/// The completed bars that the calendar expects in a range of labels.
pub fn completed(known: &Known<'_>, range: Range<Utc>) -> Vec<Slot> {
    let key = known.key;
    let mut slots = expected(
        known.calendar,
        key.timeframe,
        key.day_boundary,
        known.anchor,
        range,
    );
    slots.retain(|slot| is_final(key.timeframe, slot.close, known.now));
    slots
}

/// True once a bar that closes at `close` does not change any more: at once within the day, half an
/// hour later for daily and weekly bars.
pub fn is_final(timeframe: Timeframe, close: Utc, now: Utc) -> bool {
    let settles = if timeframe.is_intraday() {
        0
    } else {
        1_800_000_000
    };
    close.plus_micros(settles) <= now
}

/// The labels to look at; `None` if the mode has nothing to look at.
fn range(
    wanted: &Wanted,
    known: &Known<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<Range<Utc>>, EmptyRange> {
    let newest = known
        .coverage
        .as_ref()
        .map_or(known.now, |coverage| coverage.end.min(known.now));
    let oldest = known.coverage.as_ref().map(|coverage| coverage.start);
    let history =
        || oldest.unwrap_or_else(|| known.now.plus_micros(-history_default(known.key.timeframe)));
    let (first, last) = (known.stored.first().copied(), known.stored.last().copied());
    let (start, end) = match wanted.mode {
        FetchMode::Local => return Ok(None),
        FetchMode::Tail => (
            last.unwrap_or_else(|| newest.plus_micros(-30 * DAY)),
            known.now,
        ),
        FetchMode::Backfill => (history(), first.unwrap_or(known.now)),
        FetchMode::Full => (history(), known.now),
    };
    let mut range = wanted.start.unwrap_or(start)..wanted.end.unwrap_or(end);
    if range.start >= range.end && (wanted.start.is_some() || wanted.end.is_some()) {
        return Err(EmptyRange {
            start: range.start,
            end: range.end,
        });
    }
    if range.end > known.now {
        warnings.push(format!(
            "the end {} lies in the future: {} is used",
            range.end, known.now
        ));
        range.end = known.now;
    }
    if let Some(coverage) = &known.coverage {
        if wanted.start.is_some() && range.start < coverage.start {
            warnings.push(format!("the provider begins at {}", coverage.start));
        }
        if wanted.end.is_some() && range.end > coverage.end {
            warnings.push(format!("the provider ends at {}", coverage.end));
        }
        range = range.start.max(coverage.start)..range.end.min(coverage.end);
    }
    Ok((range.start < range.end).then_some(range))
}

/// How far back a provider is asked that does not tell where it begins.
const fn history_default(timeframe: Timeframe) -> i64 {
    match timeframe {
        Timeframe::Minute1 => DAY,
        Timeframe::Minute5 => 7 * DAY,
        Timeframe::Minute15 => 14 * DAY,
        Timeframe::Minute30 | Timeframe::Hour1 | Timeframe::Hour4 => 30 * DAY,
        Timeframe::Day1 => 365 * DAY,
        Timeframe::Week1 => 730 * DAY,
    }
}

/// True if the provider said that it has no bar there, and the answer still holds.
fn is_empty(open: Utc, known: &Known<'_>) -> bool {
    known.empty.iter().any(|interval| {
        let holds = open.0 + EMPTY_FINAL_AGE < interval.asked_at
            || known.now.0 - interval.asked_at < EMPTY_HOLDS;
        interval.start <= open.0 && open.0 < interval.end && holds
    })
}

/// Before and after the stored bars one missing bar is enough; between them a few minutes without a
/// trade are normal.
fn is_worth_asking(gap: &Gap, known: &Known<'_>) -> bool {
    let (Some(first), Some(last)) = (known.stored.first(), known.stored.last()) else {
        return true;
    };
    let least = match known.key.timeframe {
        Timeframe::Minute1 => 5,
        Timeframe::Minute5 | Timeframe::Minute15 | Timeframe::Minute30 => 3,
        _ => 1,
    };
    gap.start < *first || gap.end > *last || gap.bars >= least
}

/// Cuts a range at fixed instants and adds the pieces; what lies in one piece with the segment
/// before joins it.
fn cut(range: Range<Utc>, known: &Known<'_>, segments: &mut Vec<Segment>) {
    let mut start = range.start;
    while start < range.end {
        let piece = piece(start, known);
        let end = range.end.min(piece.end);
        match segments.last_mut() {
            Some(last) if last.range.start >= piece.start => last.range.end = end,
            _ => segments.push(Segment {
                range: start..end,
                bars: 0,
            }),
        }
        start = end;
    }
}

/// The piece of time that one request may cover, around an instant.
fn piece(instant: Utc, known: &Known<'_>) -> Range<Utc> {
    match known.span_max {
        Some(span) => {
            let start = Utc(instant.0 - instant.0.rem_euclid(span));
            start..start.plus_micros(span)
        }
        None => store::file_period(known.key.timeframe, instant),
    }
}
