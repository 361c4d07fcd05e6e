//! What to ask a provider for, decided without I/O: range, gaps, requests in order.
//!
//! Expected bars come from the calendar. A bar is missing if it is expected, completed, not stored,
//! and not known to be absent at the provider; a stretch without expected bars is never asked for.
//! Requests are cut at fixed instants, so that a repeated run makes the same ones, and each one is
//! committed before the next is made.

use std::ops::Range;
use std::time::Duration;

use market::{
    Adjustment, Calendar, GapAnalysis, GapClass, GapFacts, HourAnchor, SeriesKey, Slot, Stretch,
    Timeframe, TimeframeUnit, Utc, analyse_gaps, expected, missing_slots,
};
use schemas::commands::FetchMode;
use schemas::manifests::EmptyInterval;
use schemas::names::MICROS_PER_DAY;

use crate::gap_settings::GapSettings;
use crate::ledger::holding_ranges;
use crate::segments::{cut, length, request_ranges};

/// Microseconds of a day.
const DAY: i64 = MICROS_PER_DAY;

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
    /// Ranges in which the provider had no bars when it was asked; ascending and disjoint.
    pub empty: &'a [EmptyInterval],
    /// Labels that the provider may have, half-open; `None` if it does not say.
    pub coverage: Option<Range<Utc>>,
    /// Longest request in microseconds; without a limit requests end where the store's files end.
    pub span_max: Option<i64>,
    /// Which gaps are worth a request.
    pub settings: &'a GapSettings,
    /// The instant of planning: bars that close later are not complete.
    pub now: Utc,
}

impl SeriesFacts<'_> {
    /// The piece of time that one request may cover, around an instant.
    pub(crate) fn piece_around(&self, instant: Utc) -> Range<Utc> {
        match self.span_max {
            Some(span) => {
                let start = Utc(instant.0 - instant.0.rem_euclid(span));
                start..start.plus_micros(span)
            }
            None => store::file_period(self.key.timeframe, instant),
        }
    }
}

/// One request to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Labels asked for, half-open.
    pub range: Range<Utc>,
    /// Missing bars in it; 0 for a request that only fetches the last stored bar again.
    pub bars: u64,
}

/// The requests of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchPlan {
    /// Disjoint, in the order in which they are made.
    pub segments: Vec<Segment>,
    /// Labels looked at, half-open; `None` if the mode has nothing to look at.
    pub range: Option<Range<Utc>>,
    /// Label of the first bar that the provider has; `None` if it does not say.
    pub head: Option<Utc>,
    /// Expected bars of the provider's history that are not stored, whether asked for or not.
    pub missing: u64,
    /// Every stretch without bars of the range, with its class.
    pub gaps: GapAnalysis,
    /// Sentences about parts of the wish that cannot be met.
    pub warnings: Vec<String>,
}

/// How long a provider takes for a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestCost {
    /// Time of a request, however short its range.
    pub per_request: Duration,
    /// Time for each day of its range.
    pub per_day: Duration,
}

impl FetchPlan {
    /// The time that the requests take.
    pub fn estimated_time(&self, cost: &RequestCost) -> Duration {
        let count = self.segments.len() as f64;
        let spans = self.segments.iter().map(|segment| length(&segment.range));
        let days = spans.map(|micros| micros as f64 / DAY as f64).sum::<f64>();

        Duration::from_secs_f64(
            count * cost.per_request.as_secs_f64() + days * cost.per_day.as_secs_f64(),
        )
    }
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

/// Refuses a wish that begins after its end or after the present, before anybody is asked.
///
/// # Errors
/// The range that the user gave is empty.
pub fn require_time(wish: &FetchWish, now: Utc) -> Result<(), EmptyRange> {
    let end = wish.end.map_or(now, |end| end.min(now));
    match wish.start {
        Some(start) if start >= end => Err(EmptyRange { start, end }),
        _ => Ok(()),
    }
}

/// The labels that a wish is about.
struct LookedAt {
    /// What was asked for, up to the present and to the end of the provider's history.
    analysed: Range<Utc>,
    /// Of these, what the provider may have.
    askable: Range<Utc>,
}

/// Plans the requests of one series.
///
/// # Errors
/// The range that the user gave is empty.
pub fn plan(wish: &FetchWish, facts: &SeriesFacts<'_>) -> Result<FetchPlan, EmptyRange> {
    let mut plan = FetchPlan::default();
    let Some(labels) = labels_to_look_at(wish, facts, &mut plan.warnings)? else {
        return Ok(plan);
    };

    let slots = completed(facts, labels.analysed.clone());
    let known_empty = holding_ranges(facts.empty, facts.settings, facts.now);
    plan.gaps = find_gaps(facts, &labels.analysed, &slots, &known_empty);
    plan.missing = obtainable(&plan.gaps);
    plan.head = facts.coverage.as_ref().map(|coverage| coverage.start);
    plan.range = Some(labels.analysed);

    // A refetch asks for everything, stored or known to be absent.
    let slots = askable_slots(&slots, facts);
    if wish.refetch {
        let everything = SeriesFacts {
            stored: &[],
            empty: &[],
            ..facts.clone()
        };
        let gaps = find_gaps(&everything, &labels.askable, slots, &[]);
        plan.segments = make_segments(&gaps, slots, slots, &labels.askable, &everything);
    } else {
        let missing = missing_slots(slots, facts.stored, &known_empty);
        plan.segments = make_segments(&plan.gaps, slots, &missing, &labels.askable, facts);
        add_overlap(&mut plan.segments, wish, facts);
        add_neighbours(&mut plan.segments, facts);
    }

    order_segments(&mut plan.segments, wish.mode, facts);
    Ok(plan)
}

/// The gaps of the completed bars `slots` of a range.
pub fn find_gaps(
    facts: &SeriesFacts<'_>,
    range: &Range<Utc>,
    slots: &[Slot],
    known_empty: &[Range<Utc>],
) -> GapAnalysis {
    analyse_gaps(&GapFacts {
        key: facts.key,
        calendar: facts.calendar,
        range: range.clone(),
        slots,
        stored: facts.stored,
        known_empty,
        head: facts.coverage.as_ref().map(|coverage| coverage.start),
    })
}

/// Expected bars that are not stored and not older than the provider's history.
pub(crate) fn obtainable(gaps: &GapAnalysis) -> u64 {
    let counts = gaps.counts();
    let before_history = counts.get(&GapClass::BeforeHistory);
    gaps.missing() - before_history.map_or(0, |count| count.bars)
}

/// The slots that may hold a bar of the provider.
fn askable_slots<'s>(slots: &'s [Slot], facts: &SeriesFacts<'_>) -> &'s [Slot] {
    let head = facts.coverage.as_ref().map(|coverage| coverage.start);
    let first = head.map_or(0, |head| slots.partition_point(|slot| slot.close <= head));
    slots.get(first..).unwrap_or_default()
}

/// The requests for the gaps that are worth one, oldest first, with the number of `missing` bars.
fn make_segments(
    gaps: &GapAnalysis,
    slots: &[Slot],
    missing: &[Slot],
    range: &Range<Utc>,
    facts: &SeriesFacts<'_>,
) -> Vec<Segment> {
    let fetched: Vec<Stretch> = gaps.fetched().copied().collect();

    let mut segments = Vec::new();
    for piece in request_ranges(&fetched, slots, range, facts) {
        let first = missing.partition_point(|slot| slot.open < piece.start);
        let end = missing.partition_point(|slot| slot.open < piece.end);
        let missing_in_piece = missing.get(first..end).unwrap_or_default();

        let piece = trim(piece, missing_in_piece, slots);
        // A first bar may be labelled inside of its slot, which then begins before the range.
        let start = piece.start.max(range.start);
        if !missing_in_piece.is_empty() && start < piece.end {
            segments.push(Segment {
                range: start..piece.end,
                bars: missing_in_piece.len() as u64,
            });
        }
    }
    segments
}

/// Takes the slots before the first and after the last missing one off a piece: between joined gaps
/// a piece may begin or end with stored bars.
fn trim(piece: Range<Utc>, missing: &[Slot], slots: &[Slot]) -> Range<Utc> {
    let Some(first) = missing.first() else {
        return piece;
    };
    let Some(last) = missing.last() else {
        return piece;
    };

    let before = slots.partition_point(|slot| slot.open < first.open);
    let before = before.checked_sub(1).and_then(|index| slots.get(index));
    let after = slots.get(slots.partition_point(|slot| slot.open <= last.open));

    let start = before.map_or(piece.start, |slot| slot.close.min(first.open));
    let end = after.map_or(piece.end, |slot| slot.open);
    start.max(piece.start)..end.min(piece.end)
}

/// Lets a tail begin with the last stored bar, so that the seam can be compared, where that costs
/// no request of several pieces.
fn add_overlap(segments: &mut Vec<Segment>, wish: &FetchWish, facts: &SeriesFacts<'_>) {
    if wish.mode != FetchMode::Tail || wish.start.is_some() {
        return;
    }
    let Some(last) = facts.stored.last() else {
        return;
    };
    let Some(first) = segments.first_mut() else {
        return;
    };

    // Within one request the overlap is free; else it costs one request more, never several.
    let longest = length(&facts.piece_around(*last));
    if *last < first.range.start && first.range.end.0 - last.0 <= longest {
        first.range.start = *last;
        return;
    }

    let overlap = cut(*last..first.range.start, facts);
    if let [overlap] = overlap.as_slice() {
        let overlap = Segment {
            range: overlap.clone(),
            bars: 0,
        };
        segments.insert(0, overlap);
    }
}

/// Lets each request for prices that are adjusted for dividends hold the stored bar next to it:
/// every dividend changes all earlier prices, and no answer may be joined to stored ones unseen.
fn add_neighbours(segments: &mut [Segment], facts: &SeriesFacts<'_>) {
    if facts.key.adjustment != Adjustment::SplitDividend {
        return;
    }
    let planned: Vec<Range<Utc>> = segments.iter().map(|each| each.range.clone()).collect();

    for segment in segments {
        let range = &segment.range;
        let after = facts.stored.partition_point(|open| *open < range.start);
        let next = facts.stored.get(after).map(|open| open.plus_micros(1));
        let last = after
            .checked_sub(1)
            .and_then(|index| facts.stored.get(index));

        let longest = length(&facts.piece_around(range.start));
        let fits = |wider: &Range<Utc>| length(wider) <= longest;
        let is_request = |wider: &Range<Utc>| fits(wider) && is_free(wider, range, &planned);

        // The bar before, else the one after; a request that holds a stored bar stays as it is.
        let held = next
            .filter(|next| *next <= range.end)
            .map(|_| range.clone());
        let from_last = last.map(|last| *last..range.end).filter(is_request);
        let to_next = next.map(|next| range.start..next).filter(is_request);
        if let Some(wider) = held.or(from_last).or(to_next) {
            segment.range = wider;
        }
    }
}

/// True if a wider range of a request holds nothing that another one asks for.
fn is_free(wider: &Range<Utc>, range: &Range<Utc>, planned: &[Range<Utc>]) -> bool {
    let mut others = planned.iter().filter(|other| *other != range);
    others.all(|other| other.end <= wider.start || wider.end <= other.start)
}

/// Orders requests away from the stored bars: a tail from the oldest on, everything else from the
/// newest on, so that a fetch that is cut short leaves one block with the most recent history.
fn order_segments(segments: &mut [Segment], mode: FetchMode, facts: &SeriesFacts<'_>) {
    if mode == FetchMode::Tail {
        return;
    }

    segments.reverse();
    if let Some(last) = facts.stored.last() {
        let after_last = segments.partition_point(|segment| segment.range.start > *last);
        if let Some(trailing) = segments.get_mut(..after_last) {
            trailing.reverse();
        }
    }
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
    final_at(timeframe, close) <= now
}

/// When a bar that closes at `close` does not change any more.
pub fn final_at(timeframe: Timeframe, close: Utc) -> Utc {
    let may_change_for = if timeframe.is_intraday() {
        0
    } else {
        CLOSING_CHANGES
    };
    close.plus_micros(may_change_for)
}

/// The labels to look at; `None` if the mode has nothing to look at.
fn labels_to_look_at(
    wish: &FetchWish,
    facts: &SeriesFacts<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<LookedAt>, EmptyRange> {
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
    let mut askable = range.clone();
    if let Some(coverage) = &facts.coverage {
        if wish.start.is_some() && range.start < coverage.start {
            warnings.push(format!("the provider begins at {}", coverage.start));
        }
        if wish.end.is_some() && range.end > coverage.end {
            warnings.push(format!("the provider ends at {}", coverage.end));
        }
        askable = range.start.max(coverage.start)..range.end.min(coverage.end);
    }

    // Bars before the provider's history are counted; nobody knows which there are after its end.
    let analysed = range.start..askable.end;
    Ok((askable.start < askable.end).then_some(LookedAt { analysed, askable }))
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

    // Ranges reach to now whatever the provider covers: what it cannot have is cut off later.
    match mode {
        FetchMode::Local => None,
        FetchMode::Tail => {
            let last = facts.stored.last().copied();
            Some(last.unwrap_or_else(|| facts.settings.tail_start(newest))..now)
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
