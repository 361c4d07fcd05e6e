//! What follows from the end of a step: events, next commands, children, and the answer last.

use schemas::operation::OperationState;

use crate::ledger::{Applied, Edit};
use crate::model::{Moves, Next};
use crate::world::{Job, Phase, Unmark};

impl Moves<'_> {
    pub(crate) fn conclude(&mut self, number: u8, job: &Job) {
        let op = self.op_of(job);
        let mut next = self.next();

        let what = match job.phase {
            Phase::Announcing => {
                next.announce(self.model, op, job.record, Some(self.step_of(job)));
                next.set(number, with(job, Phase::Continuing));
                "announce the end"
            }
            Phase::Continuing => {
                next.publish_outstanding(self.model, op, job.record);
                next.set(number, with(job, self.after_commands(job)));
                "publish the next commands"
            }
            Phase::Children(child) => {
                self.cancel_child(&mut next, number, job, child);
                "cancel a child"
            }
            Phase::ChildCancelled(child) => {
                next.conclude_child(self.model, child);
                next.set(number, with(job, Phase::Children(child + 1)));
                "announce the cancel of a child"
            }
            Phase::Unmarking(at) => return self.unmark(number, job, at),
            _ => return self.ack(number, job),
        };
        self.add(self.label(number, job, what), next, false);
    }

    /// Only a cancelled parent has children to cancel.
    fn after_commands(&self, job: &Job) -> Phase {
        let state = self.model.read(job.record, |record| record.state);
        let children = self.model.children_of(self.op_of(job));

        match state == Some(OperationState::Cancelled) && !children.is_empty() {
            true => Phase::Children(children.start),
            false => Phase::Acking,
        }
    }

    fn cancel_child(&self, next: &mut Next, number: u8, job: &Job, child: u8) {
        let phase = if next.cancel_unheld_child(self.model, child) {
            Phase::ChildCancelled(child)
        } else {
            Phase::Children(child + 1)
        };

        let is_last = phase == Phase::Children(self.model.children_of(0).end);
        let phase = if is_last { Phase::Acking } else { phase };
        next.set(number, with(job, phase));
    }

    fn unmark(&mut self, number: u8, job: &Job, at: Unmark) {
        let mut next = self.next();
        match next.go_on_unmarking(self.model, self.op_of(job), at) {
            Some(after) => next.set(number, with(job, Phase::Unmarking(after))),
            None => next.leave(number),
        }
        self.add(self.label(number, job, at.name()), next, false);
    }

    fn ack(&mut self, number: u8, job: &Job) {
        let has_ended = self.model.is_terminal(job.record);
        let mut next = self.next();
        match has_ended {
            true => next.set(number, with(job, Phase::Unmarking(Unmark::Begun))),
            false => next.leave(number),
        }
        let mut lost = Next {
            world: next.world,
            breaks: None,
        };

        next.world.ack(job);
        self.add(self.label(number, job, "answer the message"), next, false);
        lost.world.hand_back(job);
        let label = self.label(number, job, "answer the message, and that is lost");
        self.add_chance(label, lost, |chances| &mut chances.lost_acks);
    }
}

impl Next {
    /// Cancels a marked child that nobody holds; true if it was cancelled.
    pub(crate) fn cancel_unheld_child(&mut self, model: &crate::model::Model, child: u8) -> bool {
        let is_marked = self.world.marks.get(usize::from(child)) == Some(&true);
        if !is_marked {
            return false;
        }

        let request = model.cancel_in_force(&self.world, child);
        request.is_some_and(|sequence| {
            let cancelled = self.edit(model, child, Edit::CancelUnheld(sequence));
            matches!(cancelled, Applied::Written { .. })
        })
    }

    /// Tells the end of a cancelled child and takes its command off the queue.
    pub(crate) fn conclude_child(&mut self, model: &crate::model::Model, child: u8) {
        let record = self.world.records[usize::from(child)];
        if !model.is_terminal(record) {
            return;
        }

        self.announce(model, child, record, None);
        self.world.queue[usize::from(child)] = Default::default();
        self.unmark(model, child);
    }
}

fn with(job: &Job, phase: Phase) -> Job {
    Job { phase, ..*job }
}
