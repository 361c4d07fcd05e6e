//! Gaps: the stretches of time in which a series has no bars, each with the reason why.
//!
//! The grid says which bars are expected. A stretch without an expected bar is closed time; a run
//! of expected bars that are not stored is a gap. Nothing is guessed from the length of a gap.
//!
//! | class | asked for | rule, the first that fits |
//! |---|---|---|
//! | `expected_weekend` | no | no expected bar; its whole local dates are weekdays without trading |
//! | `expected_holiday` | no | no expected bar; a dated exception closes or shortens a date |
//! | `expected_trading_hours` | no | no expected bar; between two sessions |
//! | `before_history` | no | ends at or before the first bar that the provider has |
//! | `provider_empty` | until it expires | the provider was asked and had no bar |
//! | `unlisted_closure` | yes | at least one whole session |
//! | `missing_data` | yes | anything else |

mod closed;
mod reason;
pub(crate) mod walk;

use std::ops::Range;

pub use schemas::gaps::{GapClass, GapCount, GapCounts};

use crate::calendar::{Calendar, TradingSession};
use crate::grid::Slot;
use crate::series::{DayBoundary, SeriesKey};
use crate::time::{DAY_MICROS, FIRST_DATE, LAST_DATE, Utc};

pub use reason::{GapPlace, explain_gap};
pub use walk::missing_slots;

use closed::closed_stretches;
use walk::{SlotState, walk_slots};

/// Everything that the gaps of a series follow from.
#[derive(Clone, Debug)]
pub struct GapFacts<'a> {
    /// Key of the series.
    pub key: &'a SeriesKey,
    /// The calendar that says when bars are expected.
    pub calendar: &'a Calendar,
    /// The labels looked at, half-open.
    pub range: Range<Utc>,
    /// The expected and completed bars of the range, as [`expected`](crate::expected) gives them.
    pub slots: &'a [Slot],
    /// Labels of the stored bars, ascending.
    pub stored: &'a [Utc],
    /// Labels for which the provider said that it has no bar, half-open, ascending, disjoint.
    pub known_empty: &'a [Range<Utc>],
    /// Label of the first bar that the provider has; `None` if it does not say.
    pub head: Option<Utc>,
}

/// A stretch without bars: closed time, or a run of expected bars that are not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Why there is no bar.
    pub class: GapClass,
    /// Label of the first missing bar; of closed time its first instant.
    pub start: Utc,
    /// End of the last missing bar; of closed time the first instant after it.
    pub end: Utc,
    /// Missing bars; 0 in closed time.
    pub bars: u64,
}

/// The gaps of a series in a range of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapAnalysis {
    /// Completed bars that the calendar expects.
    pub expected: u64,
    /// Of these, bars that are stored.
    pub present: u64,
    /// Every stretch, by its start. Closed time inside of a gap is a stretch of its own.
    pub stretches: Vec<Stretch>,
}

impl GapAnalysis {
    /// Stretches and bars by class; classes that do not occur are left out.
    pub fn counts(&self) -> GapCounts {
        let mut counts = GapCounts::new();
        for stretch in &self.stretches {
            let count = counts.entry(stretch.class).or_default();
            count.stretches += 1;
            count.bars += stretch.bars;
        }
        counts
    }

    /// The gaps that a provider is asked for, by their start.
    pub fn fetched(&self) -> impl Iterator<Item = &Stretch> {
        let stretches = self.stretches.iter();
        stretches.filter(|stretch| stretch.class.is_fetched())
    }

    /// Expected bars that are not stored, whatever the reason.
    pub const fn missing(&self) -> u64 {
        self.expected - self.present
    }

    /// Share of the bars that can be there which are there, from 0 to 1: bars before the
    /// provider's history and bars that it does not have cannot; 1 if none can be there.
    pub fn completeness(&self) -> f64 {
        let unavailable: u64 = self
            .stretches
            .iter()
            .filter(|stretch| !stretch.class.is_fetched())
            .map(|stretch| stretch.bars)
            .sum();

        match self.expected.saturating_sub(unavailable) {
            0 => 1.0,
            available => self.present as f64 / available as f64,
        }
    }
}

/// Finds the gaps of a series and says of each why it is there. One walk over slots, stored labels
/// and known emptiness.
pub fn analyse_gaps(facts: &GapFacts<'_>) -> GapAnalysis {
    let sessions = sessions_around(facts.calendar, &facts.range);
    let mut runs = Runs::default();
    let mut present = 0;

    for (slot, state) in walk_slots(facts.slots, facts.stored, facts.known_empty) {
        match state {
            SlotState::Present => {
                present += 1;
                runs.end();
            }
            // Nobody can load a bar from before the history, whether it was asked for or not.
            _ if facts.head.is_some_and(|head| slot.close <= head) => {
                runs.add_unavailable(GapClass::BeforeHistory, slot);
            }
            SlotState::KnownEmpty => runs.add_unavailable(GapClass::ProviderEmpty, slot),
            SlotState::Missing => runs.add_missing(slot),
        }
    }
    runs.end();

    // Only a whole session without a bar hints at a closure; a part of one is lost data.
    let mut stretches = runs.ended;
    for gap in &mut stretches {
        if gap.class == GapClass::MissingData && holds_session(gap, facts.key, &sessions) {
            gap.class = GapClass::UnlistedClosure;
        }
    }

    let timeframe = facts.key.timeframe;
    stretches.extend(closed_stretches(
        facts.calendar,
        timeframe,
        &sessions,
        &facts.range,
    ));
    stretches.sort_by_key(|stretch| (stretch.start, stretch.end));
    GapAnalysis {
        expected: facts.slots.len() as u64,
        present,
        stretches,
    }
}

/// The sessions of a range, and those around it: closed time is judged as a whole, however much of
/// it lies in the range.
fn sessions_around(calendar: &Calendar, range: &Range<Utc>) -> Vec<TradingSession> {
    let start = range.start.max(Utc::midnight(FIRST_DATE));
    let end = range.end.min(Utc::midnight(LAST_DATE));
    if start >= end {
        return Vec::new();
    }

    let margin = 8 * DAY_MICROS;
    calendar.sessions_between(start.plus_micros(-margin)..end.plus_micros(margin))
}

/// True if a whole session lies in a gap.
fn holds_session(gap: &Stretch, key: &SeriesKey, sessions: &[TradingSession]) -> bool {
    // Labels that are trading dates are no times of the session, but each stands for one.
    if !key.timeframe.is_intraday() && key.day_boundary == DayBoundary::SessionClose {
        return true;
    }

    let first = sessions.partition_point(|session| session.open < gap.start);
    let session = sessions.get(first);
    session.is_some_and(|session| session.close <= gap.end)
}

/// Runs of slots without a bar, gathered slot by slot.
#[derive(Default)]
struct Runs {
    /// The run of missing bars since the last stored one. A bar known to be absent does not end it:
    /// there is no stored bar in between.
    missing: Option<Stretch>,
    /// The run of bars that cannot be there, which any other slot ends.
    unavailable: Option<Stretch>,
    ended: Vec<Stretch>,
}

impl Runs {
    fn add_missing(&mut self, slot: Slot) {
        self.ended.extend(self.unavailable.take());
        extend_run(&mut self.missing, GapClass::MissingData, slot);
    }

    fn add_unavailable(&mut self, class: GapClass, slot: Slot) {
        if self.unavailable.is_some_and(|run| run.class != class) {
            self.ended.extend(self.unavailable.take());
        }
        extend_run(&mut self.unavailable, class, slot);
    }

    /// A stored bar, or the end of the slots, ends every run.
    #[inline]
    fn end(&mut self) {
        // Most stored bars follow a stored bar.
        if self.missing.is_some() || self.unavailable.is_some() {
            self.ended.extend(self.missing.take());
            self.ended.extend(self.unavailable.take());
        }
    }
}

fn extend_run(run: &mut Option<Stretch>, class: GapClass, slot: Slot) {
    let run = run.get_or_insert(Stretch {
        class,
        start: slot.open,
        end: slot.close,
        bars: 0,
    });
    run.end = slot.close;
    run.bars += 1;
}
