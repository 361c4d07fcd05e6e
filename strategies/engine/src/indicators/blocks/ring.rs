//! The last n values, each in the slot of the one that it replaces.
//!
//! Rings are read with `get`, never by index: without a way to panic the compiler keeps their state
//! in registers.

/// Puts a value into a slot; returns the one it replaces, or nothing if there is no such slot.
#[inline(always)]
pub(crate) fn replace_at<T: Copy>(ring: &mut [T], slot: usize, value: T) -> Option<T> {
    ring.get_mut(slot)
        .map(|cell| std::mem::replace(cell, value))
}

/// The slot after this one, in turns around a ring of that length.
#[inline(always)]
pub(crate) fn next_slot(slot: usize, length: usize) -> usize {
    if slot + 1 == length { 0 } else { slot + 1 }
}
