//! What was recorded of a real operation, held against the transitions and the rules of the model:
//! every revision of its record must come from the one before by one change that a transition of
//! `schemas` makes, and every event must say what a revision says.

use std::fmt;

use schemas::events::{Event, What};
use schemas::ids::StepNumber;
use schemas::operation::{
    NewOperation, OperationRecord, Said, StepFailure, StepRecord, StepState, Stopped,
};

use crate::change::{Change, Write};
use crate::model::{EVERY_END_ANNOUNCED, ONE_END_EVENT};
use crate::rules::broken_by;

/// The record of an operation as it was written, revision after revision, and its events.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Every revision, oldest first.
    pub revisions: Vec<OperationRecord>,
    /// Every stored event, oldest first.
    pub events: Vec<Event>,
}

/// Why a recorded run is none of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The record began as none does.
    Beginning,
    /// No transition leads from the revision before to this one, counted from 1.
    NoTransition(usize),
    /// A transition leads there, and breaks a rule.
    Broken(usize, &'static str),
    /// An event says what no revision says, counted from 1.
    Event(usize),
    /// The events together break a rule.
    Events(&'static str),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => write!(formatter, "the record did not begin as a new one"),
            Self::NoTransition(revision) => {
                write!(formatter, "no transition leads to revision {revision}")
            }
            Self::Broken(revision, rule) => write!(formatter, "revision {revision} breaks: {rule}"),
            Self::Event(event) => write!(formatter, "event {event} says what no revision says"),
            Self::Events(rule) => write!(formatter, "the events break: {rule}"),
        }
    }
}

impl Trace {
    /// The names of the changes that lead from revision to revision.
    ///
    /// # Errors
    /// No system that follows the protocol writes this.
    pub fn replay(&self) -> Result<Vec<&'static str>, Mismatch> {
        let first = self.revisions.first().ok_or(Mismatch::Beginning)?;
        let mut names = vec![beginning_of(first).ok_or(Mismatch::Beginning)?];

        for (index, pair) in self.revisions.windows(2).enumerate() {
            let revision = index + 2;
            names.push(change_between(&pair[0], &pair[1], revision)?);
        }
        self.check_events()?;
        Ok(names)
    }

    fn check_events(&self) -> Result<(), Mismatch> {
        for (index, event) in self.events.iter().enumerate() {
            let is_said = |record: &OperationRecord| says(record, event);
            if !self.revisions.iter().any(is_said) {
                return Err(Mismatch::Event(index + 1));
            }

            let is_same_end = |other: &&Event| {
                other.what.is_terminal()
                    && (other.step, other.submission) == (event.step, event.submission)
            };
            if event.what.is_terminal() && self.events.iter().filter(is_same_end).count() > 1 {
                return Err(Mismatch::Events(ONE_END_EVENT));
            }
        }

        let last = self.revisions.last().filter(|it| it.state.is_terminal());
        let is_silent = last.is_some_and(|last| {
            let mut ended = last.numbers().zip(&last.steps);
            ended.any(|it| it.1.state.is_terminal() && !self.tells_end(it.0, it.1))
        });
        match is_silent {
            true => Err(Mismatch::Events(EVERY_END_ANNOUNCED)),
            false => Ok(()),
        }
    }

    fn tells_end(&self, number: StepNumber, step: &StepRecord) -> bool {
        let mut events = self.events.iter();
        events.any(|event| {
            event.what.is_terminal()
                && (event.step, event.submission) == (number, step.submission)
                && kind_of(step.state) == Some(event.what)
        })
    }
}

/// How the first revision was made: by whoever submits, or by a worker with its claim in it.
fn beginning_of(first: &OperationRecord) -> Option<&'static str> {
    let new = NewOperation {
        kind: first.kind.clone(),
        labels: first.labels.clone(),
        params: first.params.clone(),
        plan: first.plan.clone(),
        parent: first.parent.clone(),
        retries: first.retries,
        retry_of: first.retry_of.clone(),
        by: first.by.clone(),
    };
    let created = OperationRecord::create(first.op.clone(), new, first.created_at);
    if leads_to(&created, first) {
        return Some("create");
    }

    let mut changes = changes_to(&created, first).into_iter();
    let is_claimed = changes.any(|change| {
        let mut record = created.clone();
        matches!(change, Change::Claim { .. })
            && change.apply(&mut record, first.updated_at).is_ok()
            && leads_to(&record, first)
    });
    is_claimed.then_some("create and claim")
}

fn change_between(
    before: &OperationRecord,
    after: &OperationRecord,
    revision: usize,
) -> Result<&'static str, Mismatch> {
    // Whoever takes the mark away writes what has ended again, with its last term.
    if before == after && before.state.is_terminal() {
        return Ok("last term");
    }

    let mut broken = None;
    for change in changes_to(before, after) {
        let mut record = before.clone();
        if change.apply(&mut record, after.updated_at).is_err() {
            continue;
        }
        // The error of a second step that fails is not in the record, and its note is of it.
        if let Change::Write {
            step,
            write: Write::Fail(_),
            ..
        } = &change
        {
            record.steps[step.index()].note = after.steps[step.index()].note.clone();
        }
        if !leads_to(&record, after) {
            continue;
        }

        match broken_by(before, after, &change) {
            None => return Ok(change.name()),
            rule => broken = rule,
        }
    }
    match broken {
        Some(rule) => Err(Mismatch::Broken(revision, rule)),
        None => Err(Mismatch::NoTransition(revision)),
    }
}

/// True if nothing but the mark of the writer is another.
fn leads_to(record: &OperationRecord, after: &OperationRecord) -> bool {
    let nonce = after.nonce.clone();
    let record = OperationRecord {
        nonce,
        ..record.clone()
    };
    record == *after
}

/// Every change that may lead to `after`, with what `after` says of it.
fn changes_to(before: &OperationRecord, after: &OperationRecord) -> Vec<Change> {
    let mut changes = changes_of_whole(after);
    let steps = before.steps.iter().zip(&after.steps);

    for (number, step) in before.numbers().zip(steps) {
        changes.extend(changes_of_step(number, step.0, step.1));
        let attempt = step.0.attempt;
        let writes = writes_of(step.1, after.failure.as_ref());
        changes.extend(writes.into_iter().map(|write| Change::Write {
            step: number,
            attempt,
            write,
        }));
    }
    changes
}

fn changes_of_whole(after: &OperationRecord) -> Vec<Change> {
    let mut changes = Vec::new();
    let floor = after.cancel_floor;

    if let Some(cancel) = &after.cancel {
        let sequence = cancel.sequence;
        let said = Said {
            by: cancel.by.clone(),
            reason: Some(cancel.reason.clone()),
        };
        let unheld = said.clone();
        changes.push(Change::CancelUnheld {
            sequence,
            said: unheld,
        });
        changes.push(Change::SeeCancel { sequence, said });
    }
    if let Some(resumed) = &after.resumed {
        let said = Said {
            by: resumed.by.clone(),
            reason: resumed.reason.clone(),
        };
        changes.push(Change::Resume { floor, said });
    }
    if let Some(parent) = &after.parent {
        let round = parent.round;
        changes.push(Change::ResumeIn { round, floor });
    }
    changes
}

fn changes_of_step(step: StepNumber, before: &StepRecord, after: &StepRecord) -> Vec<Change> {
    let submission = before.submission;
    let mut changes = vec![Change::Requeue { step, submission }];

    let lost = before.holder.as_ref().map(|holder| holder.worker.clone());
    if let Some(holder) = &after.holder {
        changes.push(Change::Claim {
            step,
            submission,
            holder: holder.clone(),
            lost: lost.clone(),
        });
    }
    changes.extend(lost.map(|worker| Change::ClearHold { step, worker }));
    let taken_from = before.taken_from.clone();
    changes.extend(taken_from.map(|worker| Change::Forgive { step, worker }));
    changes
}

fn writes_of(after: &StepRecord, failure: Option<&StepFailure>) -> Vec<Write> {
    let mut writes = vec![
        Write::Complete(after.result.clone()),
        Write::Stop(Stopped {
            done: after.done.clone(),
            forced: after.forced,
        }),
        Write::Release,
        Write::Checkpoint(after.checkpoint.clone()),
    ];

    writes.extend(failure.map(|failure| Write::Fail(failure.error.clone())));
    if let Some(note) = &after.note {
        writes.push(Write::Warning(note.clone()));
    }
    if let Some(due) = after.retry_at {
        let note = after.note.clone().unwrap_or_default();
        writes.push(Write::Retry { note, due });
    }
    writes
}

/// True if this revision is the one that the event tells of.
fn says(record: &OperationRecord, event: &Event) -> bool {
    let Some(step) = record.step(event.step) else {
        return false;
    };
    if step.submission != event.submission {
        return false;
    }

    let holder = step.holder.as_ref().map(|holder| &holder.worker);
    match event.what {
        What::Started => step.attempt == event.attempt && holder == event.worker.as_ref(),
        What::Completed => kind_of(step.state) == Some(event.what) && step.result == event.result,
        What::Failed | What::Cancelled => kind_of(step.state) == Some(event.what),
        What::Cancelling => record.cancel.is_some(),
        What::Checkpointed | What::Warned | What::Stored | What::Retrying => {
            step.attempt == event.attempt
        }
        What::Rejected => true,
    }
}

fn kind_of(state: StepState) -> Option<What> {
    match state {
        StepState::Completed => Some(What::Completed),
        StepState::Failed => Some(What::Failed),
        StepState::Cancelled => Some(What::Cancelled),
        StepState::Pending | StepState::Running | StepState::Retrying => None,
    }
}
