//! One walk over what is expected, what is stored, and what is known to be absent: all three are
//! sorted, so no slot is searched for.

use std::ops::Range;

use crate::grid::Slot;
use crate::time::Utc;

/// What is known of an expected bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// A stored bar falls into the slot.
    Present,
    /// It is not stored, and the provider said that it has none.
    KnownEmpty,
    /// It is not stored.
    Missing,
}

/// The slots in order, each with its state. A bar falls into the last slot that opens at or before
/// its label, if the label lies before that slot's close.
pub(crate) const fn walk_slots<'a>(
    slots: &'a [Slot],
    stored: &'a [Utc],
    known_empty: &'a [Range<Utc>],
) -> SlotWalk<'a> {
    SlotWalk {
        slots,
        stored,
        known_empty,
    }
}

/// The slots that are neither stored nor known to be empty, in order. `stored` and `known_empty`
/// ascend.
pub fn missing_slots(slots: &[Slot], stored: &[Utc], known_empty: &[Range<Utc>]) -> Vec<Slot> {
    let states = walk_slots(slots, stored, known_empty);
    let missing = states.filter(|(_, state)| *state == SlotState::Missing);
    missing.map(|(slot, _)| slot).collect()
}

/// The parts of the three lists that were not walked yet; see [`walk_slots`].
pub(crate) struct SlotWalk<'a> {
    slots: &'a [Slot],
    stored: &'a [Utc],
    known_empty: &'a [Range<Utc>],
}

impl Iterator for SlotWalk<'_> {
    type Item = (Slot, SlotState);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (slot, later_slots) = self.slots.split_first()?;
        self.slots = later_slots;

        // Almost every bar has the label of its slot. A second bar in it is passed over as one
        // before the next slot.
        if let Some((bar, later_bars)) = self.stored.split_first()
            && *bar == slot.open
        {
            self.stored = later_bars;
            return Some((*slot, SlotState::Present));
        }
        Some((*slot, self.search(slot)))
    }
}

impl SlotWalk<'_> {
    /// The state of a slot whose label is not the next stored one.
    fn search(&mut self, slot: &Slot) -> SlotState {
        let next_open = self.slots.first().map_or(slot.close, |next| next.open);
        let end = slot.close.min(next_open);

        // Bars outside of every slot lie before this one.
        while let Some((bar, later_bars)) = self.stored.split_first()
            && *bar < end
        {
            self.stored = later_bars;
            if *bar >= slot.open {
                return SlotState::Present;
            }
        }

        while let Some((empty, later_ranges)) = self.known_empty.split_first()
            && empty.end <= slot.open
        {
            self.known_empty = later_ranges;
        }
        let next_empty = self.known_empty.first();
        if next_empty.is_some_and(|empty| empty.start <= slot.open) {
            SlotState::KnownEmpty
        } else {
            SlotState::Missing
        }
    }
}
