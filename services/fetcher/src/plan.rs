//! What to ask a provider for, decided without I/O: range, gaps, requests in order.
//!
//! Expected bars come from the calendar. A bar is missing if it is expected, completed, not stored,
//! and not known to be absent at the provider; a stretch without expected bars is never asked for.
//! Requests are cut at fixed instants, so that a repeated run makes the same ones, and each one is
//! committed before the next is made.

use std::ops::Range;

use market::{
    Calendar, Gap, HourAnchor, SeriesKey, Slot, Timeframe, TimeframeUnit, Utc, expected, gaps,
    missing,
};
use schemas::commands::FetchMode;
use schemas::manifests::EmptyInterval;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Age from which "the provider has none" is final, and how long the answer holds before.
const EMPTY_FINAL_AGE: i64 = 7 * DAY;
const EMPTY_HOLDS: i64 = DAY;
/// History that mode `tail` fetches of a series of which nothing is stored.
const TAIL_OF_NOTHING: i64 = 30 * DAY;
/// Time after its close in which a daily or weekly bar may still change.
const CLOSING_CHANGES: i64 = 1_800_000_000;

/// The request of the user for one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchWish {
    /// Which part of the series.
    pub mode: FetchMode,
    /// Earliest label, inclusive.
    pub start: Option<Utc>,
    /// End of the labels, exclusive.
    pub end: Option<Utc>,
    /// Ask for stored and for known-empty bars too.
    pub refetch: bool,
}

/// Everything that a plan depends on besides the wish.
#[derive(Clone, Debug)]
pub struct SeriesFacts<'a> {
    /// Key of the series.
    pub key: &'a SeriesKey,
    /// The calendar that says when bars are expected.
    pub calendar: &'a Calendar,
    /// Where the provider anchors intraday bars.
    pub anchor: HourAnchor,
    /// Labels stored, ascending.
    pub stored: &'a [Utc],
    /// Ranges in which the provider had no bars when it was asked.
    pub empty: &'a [EmptyInterval],
    /// Labels that the provider may have, half-open; `None` if it does not say.
    pub coverage: Option<Range<Utc>>,
    /// Longest request in microseconds; without a limit requests end where the store's files end.
    pub span_max: Option<i64>,
    /// The instant of planning: bars that close later are not complete.
    pub now: Utc,
}

/// One request to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Labels asked for, half-open.
    pub range: Range<Utc>,
    /// Missing bars in it.
    pub bars: u64,
}

/// The requests of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchPlan {
    /// Disjoint, in the order in which they are made.
    pub segments: Vec<Segment>,
    /// Labels looked at, half-open; `None` if the mode has nothing to look at.
    pub range: Option<Range<Utc>>,
    /// Expected bars in the range that are not stored, whether asked for or not.
    pub missing: u64,
    /// Sentences about parts of the wish that cannot be met.
    pub warnings: Vec<String>,
}

/// The range of a wish contains nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range from {start} to {end} is empty")]
pub struct EmptyRange {
    /// Start of the range, inclusive.
    pub start: Utc,
    /// End of the range, exclusive.
    pub end: Utc,
}

/// Plans the requests of one series.
///
/// # Errors
/// The range that the user gave is empty.
pub fn plan(wish: &FetchWish, facts: &SeriesFacts<'_>) -> Result<FetchPlan, EmptyRange> {
    let mut plan = FetchPlan::default();
    let Some(range) = labels_to_look_at(wish, facts, &mut plan.warnings)? else {
        return Ok(plan);
    };

    let slots = completed(facts, range.clone());
    plan.missing = missing(&slots, facts.stored).len() as u64;
    plan.range = Some(range.clone());

    // A refetch asks for everything, stored or known to be absent.
    let mut askable = slots.clone();
    if !wish.refetch {
        askable.retain(|slot| !is_known_absent(slot.open, facts));
    }
    let stored = if wish.refetch { &[] } else { facts.stored };
    for gap in gaps(&askable, stored) {
        if is_worth_asking(&gap, facts) {
            cut(widen(&gap, &slots, &range), facts, &mut plan.segments);
        }
    }

    let absent = missing(&askable, stored);
    for segment in &mut plan.segments {
        segment.bars = count_opens(&absent, &segment.range);
    }
    plan.segments.retain(|segment| segment.bars > 0);

    // Newest first, so that a fetch that is cut short has the most recent history; a tail grows
    // from the stored bars on.
    if wish.mode != FetchMode::Tail {
        plan.segments.reverse();
    }
    Ok(plan)
}

/// A gap up to its neighbouring slots, so that bars outside of every session come along.
fn widen(gap: &Gap, slots: &[Slot], range: &Range<Utc>) -> Range<Utc> {
    let before = slots
        .partition_point(|slot| slot.open < gap.start)
        .checked_sub(1)
        .and_then(|index| slots.get(index));
    let after = slots.get(slots.partition_point(|slot| slot.open < gap.end));

    let start = before.map_or(range.start, |slot| slot.close.min(gap.start));
    let end = after.map_or(range.end.max(gap.end), |slot| slot.open);
    start..end
}

/// The number of slots that open in a range.
fn count_opens(slots: &[Slot], range: &Range<Utc>) -> u64 {
    let start = slots.partition_point(|slot| slot.open < range.start);
    let end = slots.partition_point(|slot| slot.open < range.end);
    (end - start) as u64
}

/// The completed bars that the calendar expects in a range of labels.
pub fn completed(facts: &SeriesFacts<'_>, range: Range<Utc>) -> Vec<Slot> {
    let key = facts.key;
    let mut slots = expected(
        facts.calendar,
        key.timeframe,
        key.day_boundary,
        facts.anchor,
        range,
    );

    slots.retain(|slot| is_final(key.timeframe, slot.close, facts.now));
    slots
}

/// True once a bar that closes at `close` does not change any more: at once within the day, half an
/// hour later for daily and weekly bars.
pub fn is_final(timeframe: Timeframe, close: Utc, now: Utc) -> bool {
    let may_change_for = if timeframe.is_intraday() {
        0
    } else {
        CLOSING_CHANGES
    };

    close.plus_micros(may_change_for) <= now
}

/// The labels to look at; `None` if the mode has nothing to look at.
fn labels_to_look_at(
    wish: &FetchWish,
    facts: &SeriesFacts<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<Range<Utc>>, EmptyRange> {
    let Some(default) = default_range(wish.mode, facts) else {
        return Ok(None);
    };
    let mut range = wish.start.unwrap_or(default.start)..wish.end.unwrap_or(default.end);

    // An empty default means that nothing is missing; an empty wish is a mistake.
    let is_wished = wish.start.is_some() || wish.end.is_some();
    if range.start >= range.end && is_wished {
        return Err(EmptyRange {
            start: range.start,
            end: range.end,
        });
    }

    if range.end > facts.now {
        warnings.push(format!(
            "the end {} lies in the future: {} is used",
            range.end, facts.now
        ));
        range.end = facts.now;
    }
    if let Some(coverage) = &facts.coverage {
        if wish.start.is_some() && range.start < coverage.start {
            warnings.push(format!("the provider begins at {}", coverage.start));
        }
        if wish.end.is_some() && range.end > coverage.end {
            warnings.push(format!("the provider ends at {}", coverage.end));
        }
        range = range.start.max(coverage.start)..range.end.min(coverage.end);
    }
    Ok((range.start < range.end).then_some(range))
}

/// The range of a mode when the user gave neither start nor end; `None` for a mode that asks for
/// nothing.
fn default_range(mode: FetchMode, facts: &SeriesFacts<'_>) -> Option<Range<Utc>> {
    let now = facts.now;
    let coverage = facts.coverage.as_ref();
    let newest = coverage.map_or(now, |coverage| coverage.end.min(now));
    let oldest = match coverage {
        Some(coverage) => coverage.start,
        None => now.plus_micros(-history_default(facts.key.timeframe)),
    };

    match mode {
        FetchMode::Local => None,
        FetchMode::Tail => {
            let last = facts.stored.last().copied();
            Some(last.unwrap_or_else(|| newest.plus_micros(-TAIL_OF_NOTHING))..now)
        }
        FetchMode::Backfill => Some(oldest..facts.stored.first().copied().unwrap_or(now)),
        FetchMode::Full => Some(oldest..now),
    }
}

/// How far back a provider is asked that does not tell where it begins: hundreds of bars or
/// more.
const fn history_default(timeframe: Timeframe) -> i64 {
    match timeframe.unit() {
        TimeframeUnit::Minute => match timeframe.minutes() {
            ..5 => DAY,
            5..15 => 7 * DAY,
            15..30 => 14 * DAY,
            _ => 30 * DAY,
        },
        TimeframeUnit::Day => 365 * DAY,
        TimeframeUnit::Week => 730 * DAY,
        TimeframeUnit::Month => 3_650 * DAY,
    }
}

/// True if the provider said that it has no bar there, and the answer still holds.
fn is_known_absent(open: Utc, facts: &SeriesFacts<'_>) -> bool {
    facts.empty.iter().any(|interval| {
        let holds = open.0 + EMPTY_FINAL_AGE < interval.asked_at
            || facts.now.0 - interval.asked_at < EMPTY_HOLDS;
        interval.start <= open.0 && open.0 < interval.end && holds
    })
}

/// Before and after the stored bars one missing bar is enough; between them a few minutes without a
/// trade are normal.
fn is_worth_asking(gap: &Gap, facts: &SeriesFacts<'_>) -> bool {
    let (Some(first), Some(last)) = (facts.stored.first(), facts.stored.last()) else {
        return true;
    };

    let least = match facts.key.timeframe.minutes() {
        ..5 => 5,
        5..60 => 3,
        _ => 1,
    };

    gap.start < *first || gap.end > *last || gap.bars >= least
}

/// Cuts a range at fixed instants and adds the pieces; what lies in one piece with the segment
/// before joins it.
fn cut(range: Range<Utc>, facts: &SeriesFacts<'_>, segments: &mut Vec<Segment>) {
    let mut start = range.start;

    while start < range.end {
        let piece = piece_around(start, facts);
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
fn piece_around(instant: Utc, facts: &SeriesFacts<'_>) -> Range<Utc> {
    match facts.span_max {
        Some(span) => {
            let start = Utc(instant.0 - instant.0.rem_euclid(span));
            start..start.plus_micros(span)
        }
        None => store::file_period(facts.key.timeframe, instant),
    }
}
