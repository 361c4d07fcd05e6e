//! The step of a parent: it begins its children, and ends after the last of them.

use schemas::operation::{ChildStatus, OperationState};

use crate::ledger::{Edit, Ending};
use crate::model::{Label, Moves, Next};
use crate::world::{Job, Phase};

impl Moves<'_> {
    pub(crate) fn work_on_family(&mut self, number: u8, job: &Job) {
        self.leave_if_fenced(number, job);
        let is_cancelled = self.model.cancel_in_force(&self.from, 0);
        if let Some(sequence) = is_cancelled.filter(|_| !job.is_stopping) {
            let mut next = self.next();
            next.edit(self.model, 0, Edit::SeeCancel(sequence));
            let is_stopping = true;
            next.set(
                number,
                Job {
                    is_stopping,
                    ..*job
                },
            );
            self.add(self.label(number, job, "hear of the cancel"), next, false);
        }

        let children = self.model.children_of(0);
        let mut ends = Vec::new();
        for child in children {
            ends.push(self.look_at(number, job, child));
        }
        if ends.iter().all(|end| *end != End::None) {
            let ending = match () {
                () if ends.iter().all(|end| *end == End::Completed) => Ending::Complete,
                () if job.is_stopping => Ending::Stop,
                () => Ending::Fail,
            };
            self.go_to(number, job, Phase::Ending(ending), "see the last child end");
        }
    }

    /// Brings a child a step further; says whether it has ended.
    fn look_at(&mut self, number: u8, job: &Job, child: u8) -> End {
        let stored = self.from.records[usize::from(child)];
        let round = self
            .model
            .read(job.record, |record| record.steps[0].submission);
        let round = round.unwrap_or(1);
        let status = self.model.read(stored, |record| record.status_in(round));

        match status {
            None if job.is_stopping => return End::Other,
            None => self.submit(number, job, child),
            Some(ChildStatus::Ended(OperationState::Completed)) => return End::Completed,
            Some(ChildStatus::Ended(_)) => return End::Other,
            Some(ChildStatus::Resumable) if job.is_stopping => return End::Other,
            Some(ChildStatus::Resumable) => self.resume_child(number, job, child, round),

            Some(ChildStatus::Waiting | ChildStatus::Running) => {
                self.finish_resume(number, job, child);
                if job.is_stopping {
                    self.stop_child(number, job, child);
                }
            }
        }
        End::None
    }

    fn child_label(&self, number: u8, job: &Job, child: u8, what: &'static str) -> Label {
        Label {
            op: child,
            ..self.label(number, job, what)
        }
    }

    /// Mark and command first, the record afterwards.
    fn submit(&mut self, number: u8, job: &Job, child: u8) {
        let mut next = self.next();
        let what = if self.from.used[usize::from(child)] == 0 {
            self.model.mark(&mut next.world, child);
            next.publish_first(self.model, child);
            "publish the command of a child"
        } else {
            let record = self.model.create(child);
            self.model.store(&mut next.world, child, record);
            "create the record of a child"
        };
        self.add(self.child_label(number, job, child, what), next, false);
    }

    fn resume_child(&mut self, number: u8, job: &Job, child: u8, round: u32) {
        let floor = self.model.read(job.record, |record| record.cancel_floor);
        let floor = u8::try_from(floor.unwrap_or(0)).unwrap_or(u8::MAX);
        let floor = floor.max(self.from.cancels[usize::from(child)]);

        let mut next = self.next();
        self.model.mark(&mut next.world, child);
        let round = u8::try_from(round).unwrap_or(u8::MAX);
        next.edit(self.model, child, Edit::ResumeIn { round, floor });
        let label = self.child_label(number, job, child, "resume a child");
        self.add(label, next, false);
    }

    /// The commands of a resumed child; whoever wrote the resume may have died before.
    fn finish_resume(&mut self, number: u8, job: &Job, child: u8) {
        let stored = self.from.records[usize::from(child)];
        let state = self.model.read(stored, |record| record.state);
        if state != Some(OperationState::Resuming) {
            return;
        }

        let mut next = self.next();
        next.publish_outstanding(self.model, child, stored);
        if next.world != self.from {
            let label = self.child_label(number, job, child, "publish what a child resumes with");
            self.add(label, next, false);
        }
    }

    /// Its end is announced beside the others; if that is lost, the housekeeper does it.
    fn stop_child(&mut self, number: u8, job: &Job, child: u8) {
        let mut next: Next = self.next();
        if next.cancel_unheld_child(self.model, child) {
            let label = self.child_label(number, job, child, "cancel a child");
            self.add(label, next, false);
        }
    }
}

/// Whether a child has ended, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    None,
    Completed,
    Other,
}
