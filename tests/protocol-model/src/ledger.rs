//! The records that a search meets, each once, and what every change makes of them.

use std::collections::HashMap;

use jiff::Timestamp;
use schemas::codec;
use schemas::ids::{Service, StepNumber, WorkerId};
use schemas::operation::{
    Holder, OperationRecord, OperationState, Refusal, Said, StepState, Stopped,
};
use serde_json::json;

use crate::change::{Change, Write, failure};
use crate::rules::broken_by;

/// A record by its number; 0 is none.
pub(crate) type RecordId = u16;

/// A change in few bytes, by the numbers of steps and workers, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Edit {
    Claim {
        step: u8,
        submission: u8,
        worker: u8,
        lost: Option<u8>,
    },
    End {
        step: u8,
        attempt: u8,
        ending: Ending,
    },
    Checkpoint {
        step: u8,
        attempt: u8,
        place: u8,
    },
    ClearHold {
        step: u8,
        worker: u8,
    },
    Forgive {
        step: u8,
        worker: u8,
    },
    SeeCancel(u8),
    CancelUnheld(u8),
    Resume(u8),
    ResumeIn {
        round: u8,
        floor: u8,
    },
    Requeue {
        step: u8,
        submission: u8,
    },
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    Complete,
    Fail,
    Retry,
    Stop,
    Release,
}

/// Mistakes that are made on purpose, to see that they are caught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// None: the protocol as it is.
    #[default]
    None,
    /// A claim is written over whatever is stored, not over the revision that was read.
    ClaimWithoutComparing,
    /// Whoever takes a step over goes on under the attempt of the worker that was thought lost.
    TakeoverWithoutAttempt,
    /// A cancel by the housekeeping ends what has ended already.
    CancelOverAnEnd,
    /// A resume is written over whatever is stored, not over the record that was read before the
    /// mark was set.
    ResumeWithoutComparing,
}

/// What became of a change.
#[derive(Clone, Copy)]
pub(crate) enum Applied {
    Written {
        record: RecordId,
        breaks: Option<&'static str>,
    },
    Fenced,
    Refused,
}

/// All records so far, and what became of every change to them.
pub(crate) struct Ledger {
    flaw: Flaw,
    records: Vec<OperationRecord>,
    numbers: HashMap<Vec<u8>, RecordId>,
    applied: HashMap<(RecordId, Edit), Applied>,
}

pub(crate) const AT: Timestamp = Timestamp::UNIX_EPOCH;

impl Ledger {
    pub(crate) fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            records: Vec::new(),
            numbers: HashMap::new(),
            applied: HashMap::new(),
        }
    }

    pub(crate) fn get(&self, id: RecordId) -> Option<&OperationRecord> {
        self.records.get(usize::from(id).checked_sub(1)?)
    }

    /// The number of the record, whose bytes tell it from others.
    pub(crate) fn add(&mut self, record: OperationRecord) -> RecordId {
        let bytes = codec::encode(&record).expect("records fit their bound");
        let next = RecordId::try_from(self.records.len() + 1).expect("few records");
        let id = *self.numbers.entry(bytes).or_insert(next);

        if id == next {
            self.records.push(record);
        }
        id
    }

    pub(crate) fn apply(&mut self, id: RecordId, edit: Edit) -> Applied {
        if let Some(applied) = self.applied.get(&(id, edit)) {
            return *applied;
        }

        let applied = self.apply_first(id, edit);
        self.applied.insert((id, edit), applied);
        applied
    }

    fn apply_first(&mut self, id: RecordId, edit: Edit) -> Applied {
        let before = self.get(id).expect("only records of the ledger").clone();
        let mut after = before.clone();
        let change = change_of(edit, &before);

        match change.apply(&mut after, AT) {
            Ok(()) => {}
            Err(_) if self.overrides(edit, &mut after) => {}
            Err(Refusal::Fenced { .. }) => return Applied::Fenced,
            Err(_) => return Applied::Refused,
        }
        if self.flaw == Flaw::TakeoverWithoutAttempt {
            keep_attempt(&before, &mut after, edit);
        }
        let breaks = match self.flaw {
            // Its counterexample is to be a consequence, and not the missing number itself.
            Flaw::TakeoverWithoutAttempt if matches!(edit, Edit::Claim { .. }) => None,
            _ => broken_by(&before, &after, &change),
        };

        let record = self.add(after);
        Applied::Written { record, breaks }
    }

    /// The rule that going from one record to the other breaks, if it is this change that does it.
    pub(crate) fn broken_by(
        &self,
        before: RecordId,
        after: RecordId,
        edit: Edit,
    ) -> Option<&'static str> {
        let before = self.get(before)?;
        broken_by(before, self.get(after)?, &change_of(edit, before))
    }

    /// The mistake that ends what has ended.
    fn overrides(&self, edit: Edit, record: &mut OperationRecord) -> bool {
        let is_wrong = self.flaw == Flaw::CancelOverAnEnd
            && matches!(edit, Edit::CancelUnheld(_))
            && record.state == OperationState::Completed;

        if is_wrong {
            record.state = OperationState::Cancelled;
            for step in &mut record.steps {
                step.state = StepState::Cancelled;
            }
        }
        is_wrong
    }
}

fn keep_attempt(before: &OperationRecord, after: &mut OperationRecord, edit: Edit) {
    let Edit::Claim { step, .. } = edit else {
        return;
    };
    let attempt = before.steps[usize::from(step)].attempt;
    after.steps[usize::from(step)].attempt = attempt.max(1);
}

/// The worker of a number.
pub(crate) fn worker(number: u8) -> WorkerId {
    WorkerId::new(Service::Dummy, "host", 1, u16::from(number))
}

pub(crate) fn step_number(step: u8) -> StepNumber {
    StepNumber::new(usize::from(step) + 1).expect("plans are short")
}

fn change_of(edit: Edit, record: &OperationRecord) -> Change {
    let said = Said::default();
    match edit {
        Edit::Claim {
            step,
            submission,
            worker: by,
            lost,
        } => Change::Claim {
            step: step_number(step),
            submission: submission.into(),
            holder: Holder {
                worker: worker(by),
                ack_subject: String::new(),
                since: AT,
            },
            lost: lost.map(worker),
        },
        Edit::End {
            step,
            attempt,
            ending,
        } => write(step, attempt, write_of(ending, step, record)),
        Edit::Checkpoint {
            step,
            attempt,
            place,
        } => write(step, attempt, Write::Checkpoint(json!(place))),

        Edit::ClearHold { step, worker: lost } => Change::ClearHold {
            step: step_number(step),
            worker: worker(lost),
        },
        Edit::Forgive { step, worker: by } => Change::Forgive {
            step: step_number(step),
            worker: worker(by),
        },
        _ => change_of_whole(edit, said),
    }
}

fn change_of_whole(edit: Edit, said: Said) -> Change {
    match edit {
        Edit::SeeCancel(sequence) => Change::SeeCancel {
            sequence: sequence.into(),
            said,
        },
        Edit::CancelUnheld(sequence) => Change::CancelUnheld {
            sequence: sequence.into(),
            said,
        },

        Edit::Resume(floor) => Change::Resume {
            floor: floor.into(),
            said,
        },
        Edit::ResumeIn { round, floor } => Change::ResumeIn {
            round: round.into(),
            floor: floor.into(),
        },
        Edit::Requeue { step, submission } => Change::Requeue {
            step: step_number(step),
            submission: submission.into(),
        },
        _ => unreachable!("changes of steps have their own place"),
    }
}

fn write(step: u8, attempt: u8, write: Write) -> Change {
    Change::Write {
        step: step_number(step),
        attempt: attempt.into(),
        write,
    }
}

/// As the end of an attempt is written: one retry, and no release of what is being cancelled.
fn write_of(ending: Ending, step: u8, record: &OperationRecord) -> Write {
    match ending {
        Ending::Complete => Write::Complete(json!("done")),
        Ending::Fail => Write::Fail(failure()),
        Ending::Retry if record.steps[usize::from(step)].retries > 0 => Write::Fail(failure()),
        Ending::Retry => Write::Retry {
            note: "again".to_owned(),
            due: AT,
        },
        Ending::Release if record.cancel.is_none() => Write::Release,
        Ending::Release | Ending::Stop => Write::Stop(Stopped::default()),
    }
}
