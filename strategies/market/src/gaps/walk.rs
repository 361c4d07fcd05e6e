//! One walk over what is expected, what is stored, and what is known to be absent: all three are
//! sorted, so no slot is searched for.

use std::iter::Peekable;
use std::ops::Range;
use std::slice::Iter;

use crate::grid::Slot;
use crate::time::Utc;

/// What is known of an expected bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotState {
    /// A stored bar falls into the slot.
    Present,
    /// It is not stored, and the provider said that it has none.
    KnownEmpty,
    /// It is not stored.
    Missing,
}

/// The slots in order, each with its state. A bar falls into the last slot that opens at or before
/// its label, if the label lies before that slot's close.
pub(super) fn walk_slots<'a>(
    slots: &'a [Slot],
    stored: &'a [Utc],
    known_empty: &'a [Range<Utc>],
) -> SlotWalk<'a> {
    SlotWalk {
        slots: slots.iter().peekable(),
        stored: stored.iter().peekable(),
        known_empty: known_empty.iter().peekable(),
    }
}

/// The slots that are neither stored nor known to be empty, in order. `stored` and `known_empty`
/// ascend.
pub fn missing_slots(slots: &[Slot], stored: &[Utc], known_empty: &[Range<Utc>]) -> Vec<Slot> {
    let states = walk_slots(slots, stored, known_empty);
    let missing = states.filter(|(_, state)| *state == SlotState::Missing);
    missing.map(|(slot, _)| slot).collect()
}

/// See [`walk_slots`].
pub(super) struct SlotWalk<'a> {
    slots: Peekable<Iter<'a, Slot>>,
    stored: Peekable<Iter<'a, Utc>>,
    known_empty: Peekable<Iter<'a, Range<Utc>>>,
}

impl Iterator for SlotWalk<'_> {
    type Item = (Slot, SlotState);

    fn next(&mut self) -> Option<Self::Item> {
        let slot = *self.slots.next()?;
        let next_open = self.slots.peek().map_or(slot.close, |next| next.open);
        let end = slot.close.min(next_open);

        // Bars outside of every slot lie before this one.
        while self.stored.next_if(|bar| **bar < slot.open).is_some() {}
        let mut state = SlotState::Missing;
        while self.stored.next_if(|bar| **bar < end).is_some() {
            state = SlotState::Present;
        }

        let is_past = |empty: &&Range<Utc>| empty.end <= slot.open;
        while self.known_empty.next_if(is_past).is_some() {}
        let is_empty = self
            .known_empty
            .peek()
            .is_some_and(|empty| empty.start <= slot.open);
        if is_empty && state == SlotState::Missing {
            state = SlotState::KnownEmpty;
        }
        Some((slot, state))
    }
}
