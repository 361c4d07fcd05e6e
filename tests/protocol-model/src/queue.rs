//! Commands on their queues, as `bus` puts them there, and what the server does by itself.

use schemas::operation::{OperationRecord, Outstanding, StepRecord, StepState};

use crate::ledger::{Applied, Edit, RecordId};
use crate::model::{Cell, Label, Model, Moves, Next, TOO_MANY_SUBMISSIONS, Who};
use crate::world::{Message, SUBMISSIONS};

/// What became of a published command.
#[derive(PartialEq, Eq)]
enum Published {
    Queued,
    /// Its id was used, its message is gone, and nobody took it.
    Consumed,
}

impl Next {
    /// Puts the commands of the first stage on their queues, with the operation in them.
    pub(crate) fn publish_first(&mut self, model: &Model, op: u8) {
        let record = model.create(op);
        for command in outstanding(model, op, record) {
            self.publish(model, command, true);
        }
    }

    /// Puts every outstanding command of the record on its queue. One whose id was consumed gets a
    /// new submission, written first.
    pub(crate) fn publish_outstanding(&mut self, model: &Model, op: u8, record: RecordId) {
        for command in outstanding(model, op, record) {
            if self.publish(model, command, false) == Published::Queued {
                continue;
            }

            let step = model.cells[command.cell].step;
            let submission = command.submission;
            let requeued = self.edit(model, op, Edit::Requeue { step, submission });
            if let Applied::Written { record, .. } = requeued {
                let commands = outstanding(model, op, record);
                for again in commands.into_iter().filter(|it| it.cell == command.cell) {
                    self.publish(model, again, false);
                }
            }
        }
    }

    fn publish(&mut self, model: &Model, command: Command, has_operation: bool) -> Published {
        let Command { cell, submission } = command;
        let queued = self.world.queue[cell];
        if usize::from(submission) > SUBMISSIONS {
            self.breaks = Some(TOO_MANY_SUBMISSIONS);
        }

        let is_used = self.world.used[cell] >= submission;
        if queued.submission == submission && submission > 0 {
            return Published::Queued;
        }
        if is_used {
            return self.find_consumed(model, command);
        }

        // What is there is of an earlier submission, which is void.
        self.world.queue[cell] = Message {
            submission,
            copy: 0,
            has_operation,
            is_available: true,
        };
        self.world.used[cell] = submission;
        Published::Queued
    }

    fn find_consumed(&self, model: &Model, command: Command) -> Published {
        let place = &model.cells[command.cell];
        let id = self.world.records[usize::from(place.op)];
        let step = usize::from(place.step);
        let was_taken = model.read(id, |record| was_taken(&record.steps[step], command));

        match was_taken {
            Some(true) => Published::Queued,
            _ => Published::Consumed,
        }
    }
}

/// A command that must be on its queue.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    pub(crate) cell: usize,
    pub(crate) submission: u8,
}

/// The outstanding commands of a record whose steps nobody holds.
pub(crate) fn outstanding(model: &Model, op: u8, record: RecordId) -> Vec<Command> {
    let commands = model.read(record, OperationRecord::outstanding_commands);
    let commands = commands.unwrap_or_default().into_iter();

    let unheld = commands.filter(|command| {
        let holds = |record: &OperationRecord| record.steps[command.step.index()].holder.is_some();
        model.read(record, holds) == Some(false)
    });
    unheld.filter_map(|it| command_of(model, op, it)).collect()
}

fn command_of(model: &Model, op: u8, outstanding: Outstanding) -> Option<Command> {
    let mut cells = model.cells.iter();
    let cell = cells.position(|it| it.op == op && it.address.step == outstanding.step)?;
    let submission = u8::try_from(outstanding.submission).ok()?;
    Some(Command { cell, submission })
}

fn was_taken(step: &StepRecord, command: Command) -> bool {
    step.submission > u32::from(command.submission)
        || step.state != StepState::Pending
        || step.attempt > 0
}

impl Moves<'_> {
    /// Messages come again: because nobody answers, or although somebody works on them or has
    /// answered them long ago.
    pub(crate) fn of_server(&mut self) {
        for (cell, place) in self.model.cells.iter().enumerate() {
            let label = |what| label(what, place);
            let queued = self.from.queue[cell];
            let number = u8::try_from(cell).unwrap_or(0);
            let is_handled = self.from.is_handled(number, &queued);

            let mut next = self.next();
            next.world.queue[cell].is_available = true;
            if queued.submission > 0 && !queued.is_available && is_handled {
                let label = label("message comes again too early");
                self.add_chance(label, next, |chances| &mut chances.redeliveries);
            } else if queued.submission > 0 && !queued.is_available {
                self.add(label("message comes again"), next, false);
            } else if queued.submission == 0 && self.from.used[cell] > 0 {
                let submission = self.from.used[cell];
                next.world.queue[cell] = Message {
                    submission,
                    copy: 1,
                    has_operation: submission == 1 && place.step == 0,
                    is_available: true,
                };
                let label = label("answered message is stored a second time");
                self.add_chance(label, next, |chances| &mut chances.redeliveries);
            }
        }
    }
}

fn label(what: &'static str, cell: &Cell) -> Label {
    Label {
        who: Who::Server,
        what,
        op: cell.op,
        step: cell.step,
    }
}
