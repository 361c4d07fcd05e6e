//! The housekeeper: it takes steps from silent workers, cancels what nobody holds, concludes what
//! was left half-done, and puts lost commands on their queues again.
//!
//! In the model it waits for nothing: what it does after a time, it may do at once.

use crate::ledger::{Applied, Edit, worker};
use crate::model::{Label, Moves, Who};
use crate::queue::outstanding;
use crate::world::{CELLS, Conclusion, Duty, Submitter, Unmark, WORKERS};

impl Moves<'_> {
    pub(crate) fn of_housekeeper(&mut self) {
        if self.from.duty == Duty::Free {
            self.look_at_holders();
            for op in 0..u8::try_from(self.model.ids.len()).unwrap_or(0) {
                self.sweep(op);
            }
            return;
        }

        self.go_on();
        let mut dies = self.next();
        dies.world.duty = Duty::Free;
        let label = duty_label("die, and another begins", 0, 0);
        self.add_chance(label, dies, |chances| &mut chances.housekeeper_crashes);
    }

    /// Takeovers, of the dead and by mistake of the living; and the mistake taken back.
    fn look_at_holders(&mut self) {
        for (cell, place) in self.model.cells.iter().enumerate() {
            let stored = self.from.records[usize::from(place.op)];
            let step = usize::from(place.step);
            let workers = self.model.read(stored, |record| {
                let holder = record.steps[step].holder.as_ref();
                let taken_from = record.steps[step].taken_from.clone();
                (holder.map(|holder| holder.worker.clone()), taken_from)
            });
            let Some(workers) = workers else { continue };

            for number in (0..WORKERS).filter_map(|number| u8::try_from(number).ok()) {
                let is_alive = self.from.is_alive(number);
                if workers.0.as_ref() == Some(&worker(number)) {
                    self.take_over(cell, number, is_alive);
                }
                if workers.1.as_ref() == Some(&worker(number)) && is_alive {
                    let mut next = self.next();
                    let step = place.step;
                    let edit = Edit::Forgive {
                        step,
                        worker: number,
                    };
                    next.edit(self.model, place.op, edit);
                    let label = duty_label("forgive a takeover", place.op, step);
                    self.add(label, next, false);
                }
            }
        }
    }

    fn take_over(&mut self, cell: usize, number: u8, is_alive: bool) {
        let place = &self.model.cells[cell];
        let mut next = self.next();
        let edit = Edit::ClearHold {
            step: place.step,
            worker: number,
        };
        next.edit(self.model, place.op, edit);
        next.world.duty = Duty::HandOn(u8::try_from(cell).unwrap_or(0));

        match is_alive {
            false => {
                let label = duty_label("take a step from a dead worker", place.op, place.step);
                self.add(label, next, false);
            }
            true => {
                let label = duty_label("take a step from a late worker", place.op, place.step);
                self.add_chance(label, next, |chances| &mut chances.silences);
            }
        }
    }

    /// Everything that is marked, and every request that is heard.
    fn sweep(&mut self, op: u8) {
        let index = usize::from(op);
        let stored = self.from.records[index];
        let is_marked = self.from.marks[index];
        let mut next = self.next();
        if stored == 0 {
            return self.sweep_without_record(op);
        }

        if self.model.is_terminal(stored) {
            if is_marked {
                next.world.duty = Duty::Announce(Conclusion {
                    op,
                    record: stored,
                    queued: [0; CELLS],
                });
                self.add(duty_label("find an end", op, 0), next, false);
            }
            return;
        }

        let is_held = self.model.read(stored, |record| record.is_held());
        let request = self.model.cancel_in_force(&self.from, op);
        if let Some(sequence) = request.filter(|_| is_held == Some(false)) {
            next.world.duty = Duty::Cancel {
                op,
                sequence,
                queued: self.queued(op),
            };
            self.add(duty_label("find a request", op, 0), next, false);
        }
        if is_marked {
            self.requeue_lost(op);
        }
    }

    /// A submit that died early; one that is under way has its mark for a short time only.
    fn sweep_without_record(&mut self, op: u8) {
        let index = usize::from(op);
        let is_under_way = match op {
            0 => self.from.submitter != Submitter::Done,
            _ => self.from.jobs().any(|job| job.cell == 0),
        };
        let has_message = self.from.queue[index].submission > 0;

        let is_creating = self.from.jobs().any(|job| usize::from(job.cell) == index);
        if self.from.marks[index] && !is_under_way && !has_message && !is_creating {
            let mut next = self.next();
            next.world.marks[index] = false;
            self.add(duty_label("remove a stale mark", op, 0), next, false);
        }
    }

    /// Submissions of all unfinished steps, whose commands may be on their queues.
    fn queued(&self, op: u8) -> [u8; CELLS] {
        let mut queued = [0; CELLS];
        let stored = self.from.records[usize::from(op)];

        for (cell, place) in self.model.cells.iter().enumerate() {
            let submission = self.model.read(stored, |record| {
                let step = &record.steps.get(usize::from(place.step))?;
                let is_open = step.state != schemas::operation::StepState::Completed;
                is_open.then_some(step.submission)
            });
            if let Some(submission) = submission.flatten().filter(|_| place.op == op) {
                queued[cell] = u8::try_from(submission).unwrap_or(u8::MAX);
            }
        }
        queued
    }

    fn requeue_lost(&mut self, op: u8) {
        let stored = self.from.records[usize::from(op)];
        for command in outstanding(self.model, op, stored) {
            if self.from.queue[command.cell].submission > 0 {
                continue;
            }

            let step = self.model.cells[command.cell].step;
            let mut next = self.next();
            let submission = command.submission;
            let requeued = next.edit(self.model, op, Edit::Requeue { step, submission });
            if let Applied::Written { record, .. } = requeued {
                next.world.duty = Duty::Publish { op, record };
                let label = duty_label("give a lost command a new submission", op, step);
                self.add(label, next, false);
            }
        }
    }

    fn go_on(&mut self) {
        let mut next = self.next();
        next.world.duty = Duty::Free;
        let model = self.model;

        let label = match self.from.duty {
            Duty::Free => return,
            Duty::HandOn(cell) => {
                let place = &model.cells[usize::from(cell)];
                next.world.queue[usize::from(cell)].is_available = true;
                next.world.duty = Duty::CheckCancel(place.op);
                duty_label("hand the message on", place.op, place.step)
            }
            Duty::CheckCancel(op) => {
                if let Some(sequence) = model.cancel_in_force(&self.from, op) {
                    next.world.duty = Duty::Cancel {
                        op,
                        sequence,
                        queued: self.queued(op),
                    };
                }
                duty_label("look for a request", op, 0)
            }
            Duty::Cancel {
                op,
                sequence,
                queued,
            } => {
                let cancelled = next.edit(model, op, Edit::CancelUnheld(sequence));
                if let Applied::Written { record, .. } = cancelled {
                    next.world.duty = Duty::Announce(Conclusion { op, record, queued });
                }
                duty_label("cancel what nobody holds", op, 0)
            }
            Duty::Publish { op, record } => {
                next.publish_outstanding(model, op, record);
                duty_label("publish the command", op, 0)
            }
            Duty::Unmark { op, unmark } => {
                if let Some(unmark) = next.go_on_unmarking(model, op, unmark) {
                    next.world.duty = Duty::Unmark { op, unmark };
                }
                duty_label(unmark.name(), op, 0)
            }
            duty => return self.conclude_duty(duty),
        };
        self.add(label, next, false);
    }

    fn conclude_duty(&mut self, duty: Duty) {
        let mut next = self.next();

        let label = match duty {
            Duty::Announce(end) => {
                next.announce(self.model, end.op, end.record, None);
                next.world.duty = Duty::Withdraw(end);
                duty_label("announce the end", end.op, 0)
            }
            Duty::Withdraw(end) => {
                for (cell, until) in end.queued.into_iter().enumerate() {
                    if next.world.queue[cell].submission <= until {
                        next.world.queue[cell] = Default::default();
                    }
                }
                next.world.duty = Duty::Children(end);
                duty_label("withdraw the commands", end.op, 0)
            }
            Duty::Children(end) => {
                let state = self.model.read(end.record, |record| record.state);
                let is_cancelled = state == Some(schemas::operation::OperationState::Cancelled);
                for child in self.model.children_of(end.op).filter(|_| is_cancelled) {
                    if next.cancel_unheld_child(self.model, child) {
                        next.conclude_child(self.model, child);
                    }
                }
                next.world.duty = Duty::Unmark {
                    op: end.op,
                    unmark: Unmark::Begun,
                };
                duty_label("cancel the children", end.op, 0)
            }
            _ => return,
        };
        self.add(label, next, false);
    }
}

fn duty_label(what: &'static str, op: u8, step: u8) -> Label {
    Label {
        who: Who::Housekeeper,
        what,
        op,
        step,
    }
}
