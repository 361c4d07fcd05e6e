//! Clients: somebody submits, cancels, resumes, and may die in the middle of it.

use crate::ledger::{Applied, Edit, Flaw};
use crate::model::{Label, Moves, Next, Who};
use crate::world::{Resumer, Submitter};

fn label(what: &'static str, op: u8) -> Label {
    Label {
        who: Who::Client,
        what,
        op,
        step: 0,
    }
}

impl Moves<'_> {
    pub(crate) fn of_clients(&mut self) {
        self.of_submitter();
        self.of_canceller();
        self.of_resumer();
    }

    /// Mark, commands of the first stage, record.
    fn of_submitter(&mut self) {
        let mut next = self.next();
        let what = match self.from.submitter {
            Submitter::Before => {
                self.model.mark(&mut next.world, 0);
                next.world.submitter = Submitter::Marked;
                "mark"
            }
            Submitter::Marked => {
                next.publish_first(self.model, 0);
                next.world.submitter = Submitter::Published;
                "publish the first commands"
            }
            Submitter::Published => {
                self.finish_submit(&mut next);
                "create the record"
            }
            Submitter::Done => {
                next.world.submitter = Submitter::Before;
                let label = label("submit again", 0);
                return self.add_chance(label, next, |chances| &mut chances.resubmits);
            }
        };
        self.add(label(what, 0), next, false);

        let mut dies = self.next();
        dies.world.submitter = Submitter::Done;
        let label = label("die while submitting", 0);
        self.add_chance(label, dies, |chances| &mut chances.client_crashes);
    }

    fn finish_submit(&self, next: &mut Next) {
        if next.world.records[0] == 0 {
            next.world.records[0] = self.model.create(0);
        } else {
            // Submitted again after its end: no worker would take the mark away.
            next.unmark(self.model, 0);
        }
        next.world.submitter = Submitter::Done;
    }

    /// A request counts as soon as it is stored, whatever state the operation is in.
    fn of_canceller(&mut self) {
        if self.from.submitter == Submitter::Before {
            return;
        }
        let operations = u8::try_from(self.model.ids.len()).unwrap_or(0);
        for op in 0..operations {
            let mut next = self.next();
            next.world.newest_cancel += 1;
            next.world.cancels[usize::from(op)] = next.world.newest_cancel;
            self.add_chance(label("ask for a cancel", op), next, |chances| {
                &mut chances.cancels
            });
        }
    }

    /// Newest request and record, mark, record over the revision that was read, commands. After a
    /// conflict it begins again: the mark must be newer than the record that it goes by.
    fn of_resumer(&mut self) {
        let mut next = self.next();
        let what = match self.from.resumer {
            Resumer::Free => {
                if self.model.is_terminal(self.from.records[0]) {
                    next.world.resumer = Resumer::RecordRead {
                        floor: self.from.cancels[0],
                        is_newest: true,
                    };
                    self.add_chance(label("begin to resume", 0), next, |chances| {
                        &mut chances.resumes
                    });
                }
                return;
            }
            Resumer::RecordRead { floor, is_newest } => {
                self.model.mark(&mut next.world, 0);
                next.world.resumer = Resumer::Marked { floor, is_newest };
                "mark"
            }
            Resumer::Marked {
                floor,
                is_newest: false,
            } if self.model.setup.flaw != Flaw::ResumeWithoutComparing => {
                let has_ended = self.model.is_terminal(self.from.records[0]);
                next.world.resumer = match has_ended {
                    true => Resumer::RecordRead {
                        floor,
                        is_newest: true,
                    },
                    false => Resumer::Free,
                };
                "find a newer record"
            }
            Resumer::Marked { floor, .. } => {
                next.world.resumer = match next.edit(self.model, 0, Edit::Resume(floor)) {
                    Applied::Written { record, .. } => Resumer::Written(record),
                    Applied::Fenced | Applied::Refused => Resumer::Free,
                };
                "resume"
            }
            Resumer::Written(record) => {
                next.publish_outstanding(self.model, 0, record);
                next.world.resumer = Resumer::Free;
                "publish the commands"
            }
        };
        self.add(label(what, 0), next, false);

        let mut dies = self.next();
        dies.world.resumer = Resumer::Free;
        self.add_chance(label("die while resuming", 0), dies, |chances| {
            &mut chances.client_crashes
        });
    }
}
