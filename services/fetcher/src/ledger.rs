//! The ledger of what the provider did not have: which entries hold, and what an answer adds.

use std::ops::Range;

use market::{Slot, Utc};
use schemas::manifests::EmptyInterval;

use crate::gap_settings::GapSettings;

/// Expected bars that may be absent at the beginning of an answer that is whole.
const LATE_BARS_MAX: usize = 5;

/// The labels, ascending and disjoint, for which an entry of the ledger holds: for ever if the bar
/// was old when the provider was asked, else for a day.
pub fn holding_ranges(
    ledger: &[EmptyInterval],
    settings: &GapSettings,
    now: Utc,
) -> Vec<Range<Utc>> {
    let mut ranges: Vec<Range<Utc>> = Vec::with_capacity(ledger.len());

    for entry in ledger {
        let asked_at = Utc(entry.asked_at);

        // A bar that was young when it was asked for may have come late: only the old part holds.
        let end = if settings.holds(asked_at, now) {
            Utc(entry.end)
        } else {
            Utc(entry.end).min(settings.final_before(asked_at))
        };

        if Utc(entry.start) < end {
            ranges.push(Utc(entry.start)..end);
        }
    }
    ranges
}

/// True if an answer has lost its beginning: its first bar is more than five expected bars later
/// than the first one asked for. `slots` are the expected bars of the request.
pub fn is_truncated(slots: &[Slot], first_label: Option<Utc>) -> bool {
    let Some(first_label) = first_label else {
        // No bar at all is an answer: the provider has none there.
        return false;
    };

    slots
        .get(LATE_BARS_MAX)
        .is_some_and(|slot| slot.close <= first_label)
}
