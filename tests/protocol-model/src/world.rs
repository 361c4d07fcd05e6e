//! One state of the whole system: records, queues, marks, requests and events on the bus, and
//! whoever works on them.

use crate::ledger::{Ending, RecordId};

pub(crate) const OPERATIONS: usize = 3;
pub(crate) const CELLS: usize = 3;
pub(crate) const WORKERS: usize = 4;
/// Submissions of a step that a search may meet.
pub(crate) const SUBMISSIONS: usize = 6;

/// How often each kind of chance may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chances {
    /// A worker dies, at any moment.
    pub crashes: u8,
    /// The housekeeper dies, and another begins with nothing in mind.
    pub housekeeper_crashes: u8,
    /// Whoever submits or resumes dies half-way.
    pub client_crashes: u8,
    /// A worker that lives counts as lost: its signs of life are late.
    pub silences: u8,
    /// A message comes again although its worker works on it, or after it was answered.
    pub redeliveries: u8,
    /// The answer to a message is lost.
    pub lost_acks: u8,
    /// A record was written and the reply is lost.
    pub lost_replies: u8,
    /// Somebody asks for a cancel.
    pub cancels: u8,
    /// Somebody resumes what failed or was cancelled.
    pub resumes: u8,
    /// Somebody submits the same operation again.
    pub resubmits: u8,
    /// A step fails for good.
    pub failures: u8,
    /// A step fails in a way that may pass.
    pub retries: u8,
    /// A worker shuts down and hands its step back.
    pub releases: u8,
}

/// What is on the queue of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    /// Submission of the step; 0 is no message.
    pub(crate) submission: u8,
    /// Tells a message from a later one of the same submission.
    pub(crate) copy: u8,
    /// True for a message that may create the record.
    pub(crate) has_operation: bool,
    /// False while the server waits for an answer.
    pub(crate) is_available: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Worker {
    Gone,
    Idle,
    Busy(Job),
}

/// A delivery that a worker handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) cell: u8,
    pub(crate) message: Message,
    pub(crate) attempt: u8,
    /// The last checkpoint of this attempt, or the one that it began with.
    pub(crate) place: u8,
    /// The record that it goes by.
    pub(crate) record: RecordId,
    /// True while nobody has written since `record` was read or written.
    pub(crate) is_newest: bool,
    /// A parent that has heard of a cancel.
    pub(crate) is_stopping: bool,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Received,
    Claiming { lost: Option<u8> },
    ClaimUnsure { lost: Option<u8> },
    Claimed,
    Working,
    Noting(Ending),
    Ending(Ending),
    EndingUnsure(Ending),
    Forgiving,
    Announcing,
    Continuing,
    Children(u8),
    ChildCancelled(u8),
    Acking,
    Unmarking(Unmark),
}

/// How far the mark of an end is taken away. A mark that is put again is another one, which whoever
/// has read the one before does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unmark {
    Begun,
    MarkRead { is_same: bool },
    TermWritten { is_same: bool },
}

/// What the housekeeper is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Duty {
    Free,
    HandOn(u8),
    CheckCancel(u8),
    Cancel {
        op: u8,
        sequence: u8,
        queued: [u8; CELLS],
    },
    Announce(Conclusion),
    Withdraw(Conclusion),
    Children(Conclusion),
    Unmark {
        op: u8,
        unmark: Unmark,
    },
    Publish {
        op: u8,
        record: RecordId,
    },
}

/// What is left to do after the end of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Conclusion {
    pub(crate) op: u8,
    pub(crate) record: RecordId,
    /// Submissions up to these are taken off their queues.
    pub(crate) queued: [u8; CELLS],
}

/// Whoever submits the first operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Submitter {
    Before,
    Marked,
    Published,
    Done,
}

/// Whoever resumes the first operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resumer {
    Free,
    /// The requests that are void, and whether the record is as it was read.
    RecordRead {
        floor: u8,
        is_newest: bool,
    },
    Marked {
        floor: u8,
        is_newest: bool,
    },
    Written(RecordId),
}

/// One state of the whole system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) records: [RecordId; OPERATIONS],
    pub(crate) marks: [bool; OPERATIONS],
    pub(crate) queue: [Message; CELLS],
    /// The newest submission whose message id was used.
    pub(crate) used: [u8; CELLS],
    pub(crate) cancels: [u8; OPERATIONS],
    pub(crate) newest_cancel: u8,
    /// Kinds of terminal events, as bits, by cell and submission.
    pub(crate) events: [[u8; SUBMISSIONS]; CELLS],
    pub(crate) workers: [Worker; WORKERS],
    /// Whoever claimed the step last: what a fence must come to.
    pub(crate) claimants: [u8; CELLS],
    pub(crate) duty: Duty,
    pub(crate) submitter: Submitter,
    pub(crate) resumer: Resumer,
    pub(crate) chances: Chances,
}

impl World {
    pub(crate) fn start(workers: usize, chances: Chances) -> Self {
        let worker = |index| match index < workers {
            true => Worker::Idle,
            false => Worker::Gone,
        };

        Self {
            records: [0; OPERATIONS],
            marks: [false; OPERATIONS],
            queue: [Message::default(); CELLS],
            used: [0; CELLS],
            cancels: [0; OPERATIONS],
            newest_cancel: 0,
            events: [[0; SUBMISSIONS]; CELLS],
            workers: std::array::from_fn(worker),
            claimants: [0; CELLS],
            duty: Duty::Free,
            submitter: Submitter::Before,
            resumer: Resumer::Free,
            chances,
        }
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.workers.iter().filter_map(|worker| match worker {
            Worker::Busy(job) => Some(job),
            Worker::Gone | Worker::Idle => None,
        })
    }

    pub(crate) fn is_alive(&self, worker: u8) -> bool {
        self.workers[usize::from(worker)] != Worker::Gone
    }

    /// Takes this very message off its queue, and no later one.
    pub(crate) fn ack(&mut self, job: &Job) {
        let queued = &mut self.queue[usize::from(job.cell)];
        if is_same(queued, &job.message) {
            *queued = Message::default();
        }
    }

    /// The message comes again, to whoever asks first.
    pub(crate) fn hand_back(&mut self, job: &Job) {
        let queued = &mut self.queue[usize::from(job.cell)];
        if is_same(queued, &job.message) {
            queued.is_available = true;
        }
    }

    /// True while a worker that lives handles this message.
    pub(crate) fn is_handled(&self, cell: u8, message: &Message) -> bool {
        self.jobs()
            .any(|job| job.cell == cell && is_same(message, &job.message))
    }
}

fn is_same(queued: &Message, other: &Message) -> bool {
    queued.submission == other.submission && queued.copy == other.copy
}
