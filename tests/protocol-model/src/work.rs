//! A worker and its one slot: from a delivery to its answer, one step on the bus at a time.

use schemas::delivery::{Decision, decide};
use schemas::operation::BARREN_ATTEMPTS_MAX;

use crate::ledger::{Applied, Edit, Ending, Flaw, worker};
use crate::model::{Label, Moves, NO_WORK_AFTER_CANCEL, Next, ONE_WRITER, Who};
use crate::world::{Job, Message, Phase, WORKERS, Worker};

impl Moves<'_> {
    pub(crate) fn of_workers(&mut self) {
        for (number, worker) in self.from.workers.into_iter().enumerate() {
            let number = u8::try_from(number).unwrap_or(0);

            match worker {
                Worker::Gone => {}
                Worker::Idle => self.deliver(number),
                Worker::Busy(job) => {
                    self.of_job(number, &job);
                    let mut dies = self.next();
                    dies.world.workers[usize::from(number)] = Worker::Gone;
                    let label = self.label(number, &job, "die");
                    self.add_chance(label, dies, |chances| &mut chances.crashes);
                }
            }
        }
    }

    fn deliver(&mut self, number: u8) {
        for cell in 0..self.model.cells.len() {
            let message = self.from.queue[cell];
            let is_for_it = self.model.serves(number, cell);
            if message.submission == 0 || !message.is_available || !is_for_it {
                continue;
            }

            let mut next = self.next();
            next.world.queue[cell].is_available = false;
            let job = Job {
                cell: u8::try_from(cell).unwrap_or(0),
                message: Message {
                    is_available: false,
                    ..message
                },
                attempt: 0,
                place: 0,
                record: 0,
                is_newest: false,
                is_stopping: false,
                phase: Phase::Received,
            };
            next.world.workers[usize::from(number)] = Worker::Busy(job);
            self.add(self.label(number, &job, "get the command"), next, false);
        }
    }

    fn of_job(&mut self, number: u8, job: &Job) {
        match job.phase {
            Phase::Received => self.decide(number, job),
            Phase::Claiming { lost } => self.claim(number, job, lost),
            Phase::ClaimUnsure { lost } => self.find_claim(number, job, lost),
            Phase::Claimed => self.begin(number, job),
            Phase::Working if self.model.is_family() && job.cell == 0 => {
                self.work_on_family(number, job);
            }
            Phase::Working => self.work(number, job),

            Phase::Noting(ending) => self.note_cancel(number, job, ending),
            Phase::Ending(ending) => self.end(number, job, ending),
            Phase::EndingUnsure(ending) => self.find_end(number, job, ending),
            Phase::Forgiving => {
                let mut next = self.next();
                let step = self.step_of(job);
                let forgiven = Edit::Forgive {
                    step,
                    worker: number,
                };
                next.edit(self.model, self.op_of(job), forgiven);
                next.leave(number);
                self.add(self.label(number, job, "say that it lives"), next, false);
            }
            _ => self.conclude(number, job),
        }
    }

    pub(crate) fn label(&self, number: u8, job: &Job, what: &'static str) -> Label {
        let cell = &self.model.cells[usize::from(job.cell)];
        Label {
            who: Who::Worker(number),
            what,
            op: cell.op,
            step: cell.step,
        }
    }

    pub(crate) fn op_of(&self, job: &Job) -> u8 {
        self.model.cells[usize::from(job.cell)].op
    }

    pub(crate) fn step_of(&self, job: &Job) -> u8 {
        self.model.cells[usize::from(job.cell)].step
    }

    /// Another phase of the same job, and nothing else.
    pub(crate) fn go_to(&mut self, number: u8, job: &Job, phase: Phase, what: &'static str) {
        let mut next = self.next();
        next.set(number, Job { phase, ..*job });
        self.add(self.label(number, job, what), next, false);
    }

    /// Reads the record and decides, once for a holder that seems to live, once for one that is
    /// thought lost although it lives.
    fn decide(&mut self, number: u8, job: &Job) {
        let op = usize::from(self.op_of(job));
        let cell = usize::from(job.cell);
        let stored = self.from.records[op];
        let record = self.model.record(stored);
        let message = job.message;
        let command = self
            .model
            .command(cell, message.submission, message.has_operation);
        let address = &self.model.cells[cell].address;

        let alive: Vec<_> = (0..WORKERS)
            .filter_map(|other| u8::try_from(other).ok())
            .filter(|other| *other != number && self.from.is_alive(*other))
            .map(worker)
            .collect();
        let decision = decide(address, &command, record.as_ref(), |it| alive.contains(it));
        let is_held = decision == Decision::HandBack;
        let next = self.carry_out(number, job, decision);
        self.add(self.label(number, job, "read and decide"), next, false);

        if is_held {
            let decision = decide(address, &command, record.as_ref(), |_| false);
            let next = self.carry_out(number, job, decision);
            let label = self.label(number, job, "take the holder for lost");
            self.add_chance(label, next, |chances| &mut chances.silences);
        }
    }

    fn carry_out(&self, number: u8, job: &Job, decision: Decision) -> Next {
        let op = self.op_of(job);
        let stored = self.from.records[usize::from(op)];
        let number_of = |lost: schemas::ids::WorkerId| {
            (0..WORKERS)
                .filter_map(|other| u8::try_from(other).ok())
                .find(|other| worker(*other) == lost)
        };

        let mut next = self.next();
        let read = Job {
            record: stored,
            ..*job
        };
        match decision {
            Decision::Create => self.create(&mut next, number, job),
            Decision::Claim { lost } => next.set(
                number,
                Job {
                    phase: Phase::Claiming {
                        lost: lost.and_then(number_of),
                    },
                    is_newest: true,
                    ..read
                },
            ),
            Decision::Conclude | Decision::Continue => next.set(
                number,
                Job {
                    phase: Phase::Announcing,
                    ..read
                },
            ),
            Decision::Void | Decision::DeadLetter(_) => {
                next.world.ack(job);
                next.leave(number);
            }
            Decision::ClearHold { lost } => {
                if let Some(lost) = number_of(lost) {
                    let step = self.step_of(job);
                    next.edit(self.model, op, Edit::ClearHold { step, worker: lost });
                }
                next.give_back(number, job);
            }
            Decision::HandBack => next.give_back(number, job),
        }
        next
    }

    /// Mark, and record with the claim in it.
    fn create(&self, next: &mut Next, number: u8, job: &Job) {
        let op = self.op_of(job);
        self.model.mark(&mut next.world, op);

        let record = self.model.create(op);
        self.model.store(&mut next.world, op, record);
        self.write_claim(next, number, job, None);
    }

    fn claim_of(&self, number: u8, job: &Job, lost: Option<u8>) -> Edit {
        Edit::Claim {
            step: self.step_of(job),
            submission: job.message.submission,
            worker: number,
            lost,
        }
    }

    /// Claims in the record as it is stored; false if that is refused.
    fn write_claim(&self, next: &mut Next, number: u8, job: &Job, lost: Option<u8>) -> bool {
        let edit = self.claim_of(number, job, lost);
        let Applied::Written { record, .. } = next.edit(self.model, self.op_of(job), edit) else {
            return false;
        };

        next.world.claimants[usize::from(job.cell)] = number + 1;
        let claimed = Job { record, ..*job };
        next.set(number, self.claimed(&claimed));
        true
    }

    /// The job with the attempt and the resume point of the claim in its record.
    fn claimed(&self, job: &Job) -> Job {
        let step = usize::from(self.step_of(job));
        let attempt = self.model.read(job.record, |record| {
            let checkpoint = record.steps[step].checkpoint.as_u64().unwrap_or(0);
            (record.steps[step].attempt, checkpoint)
        });
        let attempt = attempt.unwrap_or_default();

        Job {
            attempt: u8::try_from(attempt.0).unwrap_or(u8::MAX),
            place: u8::try_from(attempt.1).unwrap_or(u8::MAX),
            is_newest: false,
            phase: Phase::Claimed,
            ..*job
        }
    }

    /// Writes the claim over the revision that was read; after a conflict it is read again.
    fn claim(&mut self, number: u8, job: &Job, lost: Option<u8>) {
        if !job.is_newest && self.model.setup.flaw == Flaw::ClaimWithoutComparing {
            return self.claim_blindly(number, job, lost);
        }

        let mut next = self.next();
        if !self.write_claim(&mut next, number, job, lost) {
            next.give_back(number, job);
            let label = self.label(number, job, "be refused the claim");
            return self.add(label, next, false);
        }
        self.add(self.label(number, job, "claim"), next, false);

        let mut unsure = self.next();
        if self.write_claim(&mut unsure, number, job, lost) {
            let claimed = Job {
                record: unsure.world.records[usize::from(self.op_of(job))],
                is_newest: true,
                phase: Phase::ClaimUnsure { lost },
                ..*job
            };
            unsure.set(number, claimed);
            let label = self.label(number, job, "claim, and the reply is lost");
            self.add_chance(label, unsure, |chances| &mut chances.lost_replies);
        }
    }

    /// The mistake: the claim replaces whatever was written since the record was read.
    fn claim_blindly(&mut self, number: u8, job: &Job, lost: Option<u8>) {
        let op = self.op_of(job);
        let mut next = self.next();
        let newest = self.from.records[usize::from(op)];
        self.model.store(&mut next.world, op, job.record);

        if self.write_claim(&mut next, number, job, lost) {
            let written = next.world.records[usize::from(op)];
            let edit = self.claim_of(number, job, lost);
            let ledger = self.model.ledger.borrow();
            next.breaks = next.breaks.or(ledger.broken_by(newest, written, edit));
        }
        self.add(self.label(number, job, "claim blindly"), next, false);
    }

    /// The own nonce in the stored record shows that the write won; otherwise it is tried again.
    fn find_claim(&mut self, number: u8, job: &Job, lost: Option<u8>) {
        let mut next = self.next();
        if job.is_newest {
            next.set(number, self.claimed(job));
        } else if !self.write_claim(&mut next, number, job, lost) {
            next.give_back(number, job);
        }
        self.add(self.label(number, job, "look for its claim"), next, false);
    }

    /// Commands of the stage, then the control subject, then the work.
    fn begin(&mut self, number: u8, job: &Job) {
        let op = self.op_of(job);
        let step = usize::from(self.step_of(job));
        let mut next = self.next();
        next.publish_outstanding(self.model, op, job.record);

        let attempts = self
            .model
            .read(job.record, |record| record.steps[step].barren_attempts);
        let is_exhausted = attempts > Some(BARREN_ATTEMPTS_MAX);
        let request = self.model.cancel_in_force(&self.from, op);
        let phase = match (is_exhausted, request) {
            (true, _) => Phase::Ending(Ending::Fail),
            (false, Some(_)) => Phase::Noting(Ending::Stop),
            (false, None) => Phase::Working,
        };

        let stored = self.from.records[usize::from(op)];
        let is_cancelled = self.model.read(stored, |record| record.cancel.is_some());
        if phase == Phase::Working && is_cancelled == Some(true) {
            next.breaks = Some(NO_WORK_AFTER_CANCEL);
        }
        next.set(number, Job { phase, ..*job });
        self.add(self.label(number, job, "begin"), next, false);
    }

    fn work(&mut self, number: u8, job: &Job) {
        self.leave_if_fenced(number, job);
        if job.place < self.model.setup.checkpoints {
            self.checkpoint(number, job);
        } else {
            let phase = Phase::Ending(Ending::Complete);
            self.go_to(number, job, phase, "finish the work");
        }

        if self
            .model
            .cancel_in_force(&self.from, self.op_of(job))
            .is_some()
        {
            let phase = Phase::Noting(Ending::Stop);
            self.go_to(number, job, phase, "hear of the cancel");
            if job.place == self.model.setup.checkpoints {
                let phase = Phase::Noting(Ending::Complete);
                self.go_to(number, job, phase, "finish in spite of the cancel");
            }
        }
        self.end_by_chance(number, job);
    }

    fn end_by_chance(&mut self, number: u8, job: &Job) {
        let label = |what| self.label(number, job, what);
        let [fails, tries_again, leaves] = ["fail", "fail for now", "shut down"].map(label);
        let [failed, retried, released] = [Ending::Fail, Ending::Retry, Ending::Release]
            .map(|ending| self.ending(number, job, ending));
        self.add_chance(fails, failed, |chances| &mut chances.failures);
        self.add_chance(tries_again, retried, |chances| &mut chances.retries);
        self.add_chance(leaves, released, |chances| &mut chances.releases);
    }

    fn ending(&self, number: u8, job: &Job, ending: Ending) -> Next {
        let mut next = self.next();
        let phase = Phase::Ending(ending);
        next.set(number, Job { phase, ..*job });
        next
    }

    /// An attempt looks at its record now and then.
    pub(crate) fn leave_if_fenced(&mut self, number: u8, job: &Job) {
        let step = usize::from(self.step_of(job));
        let stored = self.from.records[usize::from(self.op_of(job))];
        let is_ours = self.model.read(stored, |record| {
            let step = &record.steps[step];
            step.attempt == u32::from(job.attempt) && !step.state.is_terminal()
        });

        if is_ours == Some(false) {
            self.go_to(number, job, Phase::Forgiving, "see that it is fenced off");
        }
    }

    fn checkpoint(&mut self, number: u8, job: &Job) {
        let mut next = self.next();
        let edit = Edit::Checkpoint {
            step: self.step_of(job),
            attempt: job.attempt,
            place: job.place + 1,
        };

        let job_after = match next.edit(self.model, self.op_of(job), edit) {
            Applied::Written { .. } => Job {
                place: job.place + 1,
                ..*job
            },
            Applied::Fenced | Applied::Refused => Job {
                phase: Phase::Forgiving,
                ..*job
            },
        };
        next.set(number, job_after);
        self.add(self.label(number, job, "record a checkpoint"), next, false);
    }

    fn note_cancel(&mut self, number: u8, job: &Job, ending: Ending) {
        let op = self.op_of(job);
        let mut next = self.next();
        if let Some(sequence) = self.model.cancel_in_force(&self.from, op) {
            next.edit(self.model, op, Edit::SeeCancel(sequence));
        }

        let phase = Phase::Ending(ending);
        next.set(number, Job { phase, ..*job });
        self.add(self.label(number, job, "note the cancel"), next, false);
    }

    fn end(&mut self, number: u8, job: &Job, ending: Ending) {
        let mut next = self.next();
        let has_written = self.write_end(&mut next, number, job, ending);
        let what = match ending {
            Ending::Complete => "record completed",
            Ending::Fail => "record failed",
            Ending::Retry => "record retrying",
            Ending::Stop => "record cancelled",
            Ending::Release => "record released",
        };
        self.add(self.label(number, job, what), next, false);

        if has_written {
            let mut unsure = self.next();
            self.write_end(&mut unsure, number, job, ending);
            let job_after = Job {
                record: unsure.world.records[usize::from(self.op_of(job))],
                is_newest: true,
                phase: Phase::EndingUnsure(ending),
                ..*job
            };
            unsure.set(number, job_after);
            let label = self.label(number, job, "record its end, and the reply is lost");
            self.add_chance(label, unsure, |chances| &mut chances.lost_replies);
        }
    }

    fn find_end(&mut self, number: u8, job: &Job, ending: Ending) {
        let mut next = self.next();
        if job.is_newest {
            self.after_end(&mut next, number, job);
        } else {
            self.write_end(&mut next, number, job, ending);
        }
        self.add(self.label(number, job, "look for its end"), next, false);
    }

    /// Writes the end and goes on from it; true if it was written.
    fn write_end(&self, next: &mut Next, number: u8, job: &Job, ending: Ending) -> bool {
        let op = self.op_of(job);
        let edit = Edit::End {
            step: self.step_of(job),
            attempt: job.attempt,
            ending,
        };

        let applied = next.edit(self.model, op, edit);
        let job = Job {
            record: next.world.records[usize::from(op)],
            ..*job
        };
        match applied {
            Applied::Fenced => next.leave(number),
            // It ended under us: go on from the record as it is.
            Applied::Refused => self.after_end(next, number, &job),
            Applied::Written { .. } => {
                if next.world.claimants[usize::from(job.cell)] != number + 1 {
                    next.breaks = next.breaks.or(Some(ONE_WRITER));
                }
                self.after_end(next, number, &job);
            }
        }
        matches!(applied, Applied::Written { .. })
    }

    fn after_end(&self, next: &mut Next, number: u8, job: &Job) {
        let step = usize::from(self.step_of(job));
        let has_ended = self
            .model
            .read(job.record, |record| record.steps[step].state.is_terminal());

        match has_ended {
            Some(true) => next.set(
                number,
                Job {
                    is_newest: false,
                    phase: Phase::Announcing,
                    ..*job
                },
            ),
            _ => next.give_back(number, job),
        }
    }
}

impl Next {
    pub(crate) fn set(&mut self, number: u8, job: Job) {
        self.world.workers[usize::from(number)] = Worker::Busy(job);
    }

    pub(crate) fn leave(&mut self, number: u8) {
        self.world.workers[usize::from(number)] = Worker::Idle;
    }

    /// The message comes back to whoever is free.
    fn give_back(&mut self, number: u8, job: &Job) {
        self.world.hand_back(job);
        self.leave(number);
    }
}
