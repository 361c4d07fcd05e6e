//! The step of a parent: it starts children, a limited number at a time, until all have ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Bus, CancelRequest};
use runtime::{StepContext, StepError, StepHandler, StopReason};
use schemas::codes;
use schemas::commands::{OnFailure, Spread, SpreadOutcome, TooManyChildren};
use schemas::ids::OperationId;
use schemas::operation::Parent;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::child::{Abandoned, Child, Siblings};
use crate::listed::Listed;
use crate::roster::Roster;

/// How often the parent shows its children.
const REPORT: Duration = Duration::from_millis(200);
/// How often it records how many are completed: after a takeover only the others are looked at.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// The first checkpoint of an attempt. It says that the children are on their way, so that a worker
/// lost after it does not count as an attempt in vain.
const FIRST_CHECKPOINT: Duration = Duration::from_secs(1);
/// Children that are submitted, looked up or cancelled at a time.
const REQUESTS_AT_ONCE: usize = 64;

/// Cancelled children that are announced at a time, beside the cancels of others.
const CONCLUSIONS_AT_ONCE: usize = 4;

/// Starts the children of operations and waits for their ends.
pub struct Family {
    bus: Bus,
}

impl Family {
    /// Works on the operations of this bus.
    pub fn new(bus: Bus) -> Self {
        Self { bus }
    }
}

/// Where the next attempt goes on.
#[derive(Debug, Serialize, Deserialize)]
struct FamilyCheckpoint {
    /// Children of the step that are completed, counted from the first one without a gap.
    completed: u32,
}

impl StepHandler for Family {
    type Command = Spread;

    async fn handle(
        &self,
        command: Spread,
        step: &StepContext,
    ) -> Result<SpreadOutcome, StepError> {
        command.validate().map_err(refuse_command)?;
        let completed = step.resume_point::<FamilyCheckpoint>();
        let completed = completed.map_or(0, |checkpoint| checkpoint.completed);

        FamilyStep::new(self.bus.clone(), Arc::new(command), step, completed)
            .run()
            .await
    }
}

fn refuse_command(error: TooManyChildren) -> StepError {
    let hint = "submit several families, each with a part of the list";
    StepError::permanent(codes::OPS_INVALID_COMMAND, error.to_string(), hint)
}

/// One attempt at the step of a parent.
struct FamilyStep<'a> {
    step: &'a StepContext,
    command: Arc<Spread>,
    siblings: Arc<Siblings>,
    /// Children that have not been begun with.
    waiting: std::iter::Skip<std::vec::IntoIter<(u32, OperationId)>>,
    /// One for each child under way; a child that failed ends with its id.
    tasks: JoinSet<Option<OperationId>>,
    checkpoint_due: Instant,
}

impl<'a> FamilyStep<'a> {
    fn new(bus: Bus, command: Arc<Spread>, step: &'a StepContext, completed: u32) -> Self {
        let roster = Roster::new(command.total(), completed);
        let siblings = Siblings {
            bus,
            listed: Listed::new(command.clone(), step.store().clone()),
            roster: Mutex::new(roster),
            requests: Semaphore::new(REQUESTS_AT_ONCE),
            conclusions: Semaphore::new(CONCLUSIONS_AT_ONCE),
            abandoned: watch::Sender::new(None),
            by: step.record().by.clone(),
            retries: step.record().retries,
        };

        let ids: Vec<(u32, OperationId)> = command.child_ids(step.op()).collect();
        Self {
            step,
            command,
            siblings: Arc::new(siblings),
            waiting: ids.into_iter().skip(completed as usize),
            tasks: JoinSet::new(),
            checkpoint_due: Instant::now() + FIRST_CHECKPOINT,
        }
    }

    async fn run(mut self) -> Result<SpreadOutcome, StepError> {
        let mut reports = interval(REPORT);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);

        loop {
            self.start_children();
            if self.tasks.is_empty() {
                break;
            }

            let is_abandoned = self.siblings.abandoned.borrow().is_some();
            tokio::select! {
                Some(ended) = self.tasks.join_next() => self.note_end(ended),
                () = self.step.stop().requested(), if !is_abandoned => self.obey_stop().await?,
                _ = reports.tick() => {
                    self.step.report(self.siblings.roster().progress());
                    self.checkpoint_if_due().await?;
                }
            }
            self.leave_if_fenced()?;
        }

        self.step.report(self.siblings.roster().progress());
        self.outcome()
    }

    /// Begins with as many children as may be under way.
    fn start_children(&mut self) {
        while self.tasks.len() < self.command.limit.max(1) as usize {
            if self.siblings.abandoned.borrow().is_some() {
                return;
            }
            let Some((index, op)) = self.waiting.next() else {
                return;
            };
            let child = self.child(index, op);
            self.tasks.spawn(child.run());
        }
    }

    fn child(&self, index: u32, op: OperationId) -> Child {
        let record = self.step.record();
        let round = record
            .step(self.step.step())
            .map_or(1, |step| step.submission);

        Child {
            op,
            parent: Parent {
                op: self.step.op().clone(),
                index,
                round,
                cancel_floor: record.cancel_floor,
            },
            place: index - self.command.first,
            siblings: self.siblings.clone(),
        }
    }

    /// A child that failed ends the others where the command says so.
    fn note_end(&self, ended: Result<Option<OperationId>, JoinError>) {
        match ended {
            Ok(Some(failed)) if self.command.on_failure == OnFailure::FailFast => {
                self.abandon(format!("child {failed} of the same parent failed"));
            }
            Ok(_) => {}
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }

    fn abandon(&self, reason: String) {
        self.siblings.abandoned.send_if_modified(|abandoned| {
            let is_first = abandoned.is_none();
            abandoned.get_or_insert(Abandoned::ForSibling(reason));
            is_first
        });
    }

    /// A cancel is that of all children; a shutdown leaves them to the next attempt.
    async fn obey_stop(&self) -> Result<(), StepError> {
        if self.step.stop().reason() != Some(StopReason::Cancelled) {
            return Err(StepError::Stopped);
        }

        // Heard of an instant before it is stored. Without it the children wait for their workers
        // and the housekeeping, which read it themselves.
        let cancels = self.siblings.bus.cancels();
        let request = cancels.await_announced(self.step.record()).await;
        let request = request.ok().flatten().unwrap_or(CancelRequest {
            sequence: 0,
            reason: String::new(),
            ..CancelRequest::default()
        });
        let abandoned = Abandoned::WithParent(request.for_child());
        self.siblings.abandoned.send_replace(Some(abandoned));
        Ok(())
    }

    /// Nothing that we do counts once another attempt has the step: its children are its own.
    fn leave_if_fenced(&self) -> Result<(), StepError> {
        match self.step.stop().reason() {
            Some(StopReason::Fenced | StopReason::ShuttingDown) => Err(StepError::Stopped),
            _ => Ok(()),
        }
    }

    async fn checkpoint_if_due(&mut self) -> Result<(), StepError> {
        if Instant::now() < self.checkpoint_due || self.step.stop().is_requested() {
            return Ok(());
        }

        self.checkpoint_due = Instant::now() + CHECKPOINT;
        let completed = self.siblings.roster().completed_to();
        self.step.checkpoint(&FamilyCheckpoint { completed }).await
    }

    fn outcome(self) -> Result<SpreadOutcome, StepError> {
        let roster = self.siblings.roster();
        let counts = roster.counts();

        // All of them done is all that was asked for, whatever was requested meanwhile.
        if counts.completed == counts.total {
            return Ok(SpreadOutcome {
                completed: counts.completed,
            });
        }
        self.step.check_stop()?;
        Err(roster.error(self.step.op()).into())
    }
}
