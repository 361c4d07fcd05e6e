//! Named moments in the life of an attempt, where tests may stop a worker as if its process had
//! been killed.

/// A moment between two steps of "Life of a step" in ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The step is claimed; the handler has not begun.
    Claimed,
    /// The effect is in the store; the record does not know yet.
    Done,
    /// The record knows how the step ended; no event yet.
    Recorded,
    /// Dead letter (if any) and event are out; no next command.
    Announced,
    /// The next commands are on their queues; the message is not acknowledged.
    Continued,
    /// The message is acknowledged; the active mark is still there.
    Acked,
}

/// Decides whether the worker dies at a moment. The default never does.
pub trait Probe: Send + Sync + 'static {
    /// True where the worker must stop for good, without any cleaning up.
    fn dies_at(&self, moment: Moment) -> bool;
}

/// The probe of every real process.
#[derive(Clone, Copy, Debug, Default)]
pub struct NeverDies;

impl Probe for NeverDies {
    fn dies_at(&self, _: Moment) -> bool {
        false
    }
}
