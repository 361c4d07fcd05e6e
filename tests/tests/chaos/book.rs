//! The book of accepted operations: what was submitted, and what must be there at the end.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use schemas::events::What;
use schemas::ids::OperationId;
use schemas::operation::{NewOperation, OperationRecord, OperationState};
use schemas::requests::Family;
use schemas::subjects;
use system_tests::{Sandbox, new_id, until};
use tokio::sync::Mutex;

use crate::checker::find_faults;
use crate::fleet::{Fleet, is_long, until_connected};

/// How long all accepted operations may take to end after the last fault.
fn ends_max() -> Duration {
    Duration::from_secs(if is_long() { 600 } else { 150 })
}

/// What the driver has submitted to one system.
pub struct Book<'a> {
    sandbox: &'a Sandbox,
    accepted: Vec<OperationId>,
    /// Operations that somebody asked to cancel.
    cancelled: BTreeSet<OperationId>,
    refusals: usize,
    /// What an operation that fails may say.
    may_fail: Option<&'static str>,
    may_lose_events: bool,
    /// Rules of the checker that the fault itself breaks.
    broken_rules: Vec<&'static str>,
}

/// What the book holds at the end.
#[derive(Debug, Default)]
pub struct Ends {
    /// Accepted operations, children not counted.
    pub accepted: usize,
    /// Submissions that were refused or not answered, and sent again.
    pub refusals: usize,
    /// Operations that were cancelled or failed, and completed after a resume.
    pub resumed: usize,
    /// Processes that ended by themselves meanwhile.
    pub restarts: usize,
    /// Most attempts that a step needed.
    pub attempts: u32,
    /// From the last fault to the last end.
    pub waited: Duration,
}

impl<'a> Book<'a> {
    /// An empty book.
    pub fn open(sandbox: &'a Sandbox) -> Self {
        Self {
            sandbox,
            accepted: Vec::new(),
            cancelled: BTreeSet::new(),
            refusals: 0,
            may_fail: None,
            may_lose_events: false,
            broken_rules: Vec::new(),
        }
    }

    /// A failure that says so counts as an end too; a resume must complete it.
    pub fn allow_failures(&mut self, saying: &'static str) {
        self.may_fail = Some(saying);
    }

    /// Somebody has deleted the events.
    pub fn allow_lost_events(&mut self) {
        self.may_lose_events = true;
    }

    /// The fault itself breaks this rule of the checker.
    pub fn break_rule(&mut self, rule: &'static str) {
        self.broken_rules.push(rule);
    }

    /// Submits under one id until it is accepted, as a person does whose command failed.
    pub async fn submit(&mut self, new: &NewOperation) -> OperationId {
        let op = new_id(&new.kind);
        self.submit_as(&op, new).await;
        op
    }

    async fn submit_as(&mut self, op: &OperationId, new: &NewOperation) {
        let operations = self.sandbox.bus().operations();
        let started = Instant::now();
        while let Err(error) = operations.submit(op, new).await {
            self.refusals += 1;
            assert!(started.elapsed() < ends_max(), "{op} is refused: {error}");
            self.sandbox.after(Duration::from_millis(50)).await;
        }
        self.accepted.push(op.clone());
    }

    /// Submits a parent with its lists of children.
    pub async fn submit_family(&mut self, family: &Family) -> OperationId {
        let op = new_id("family");
        let mut keys = Vec::new();

        for stage in family.lists() {
            let mut of_stage = Vec::new();
            for list in stage {
                of_stage.push(self.sandbox.store().reports().put(&list).await.unwrap());
            }
            keys.push(of_stage);
        }
        self.submit_as(&op, &family.operation_with_lists(keys))
            .await;
        op
    }

    /// Asks to cancel one of the accepted operations.
    pub async fn cancel(&mut self, op: &OperationId) {
        let request = self.sandbox.bus().cancels().request(op, "chaos").await;
        if request.is_ok() {
            self.cancelled.insert(op.clone());
        }
    }

    /// Forgets what was accepted after the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.accepted.truncate(count);
    }

    /// Everything that was accepted so far.
    pub fn accepted(&self) -> &[OperationId] {
        &self.accepted
    }

    /// Waits until all accepted operations have ended, and checks that each did so once and that
    /// nothing is left of them.
    ///
    /// Processes of the fleet that end meanwhile are started again.
    pub async fn close(self, fleet: &mut Fleet<'_>) -> Ends {
        until_connected(self.sandbox).await;
        let mut ends = Ends {
            accepted: self.accepted.len(),
            refusals: self.refusals,
            ..Ends::default()
        };
        let started = Instant::now();

        for op in &self.accepted {
            let record = self.end_of(op, fleet, &mut ends, started).await;
            let attempts = record.steps.iter().map(|step| step.attempt).max();
            ends.attempts = ends.attempts.max(attempts.unwrap_or_default());
        }
        ends.waited = started.elapsed();
        self.assert_nothing_is_left().await;
        self.assert_no_faults().await;
        ends
    }

    /// No command is queued, no operation is marked as active. Operations that are not in the book,
    /// such as a message with a flipped bit may have started, are cancelled.
    async fn assert_nothing_is_left(&self) {
        let cancelled = Mutex::new(BTreeSet::new());
        let bus = self.sandbox.bus();

        until("queues and marks to be empty", || async {
            let marked = bus.active().list().await.ok()?;
            for op in marked.iter().filter(|op| !self.accepted.contains(op)) {
                if cancelled.lock().await.insert(op.clone()) {
                    bus.cancels().request(op, "a stranger").await.ok()?;
                }
            }
            let stored = self
                .sandbox
                .stored(subjects::COMMANDS, subjects::ALL_COMMANDS);
            (marked.is_empty() && stored.await.is_empty()).then_some(())
        })
        .await;
    }

    fn says_as_it_may(&self, record: &OperationRecord) -> bool {
        let failure = record.failure.as_ref().zip(self.may_fail);
        failure.is_some_and(|(failure, saying)| failure.error.message.contains(saying))
    }

    /// The independent checker finds nothing but what the fault has broken.
    async fn assert_no_faults(&self) {
        let mut faults = find_faults(self.sandbox).await;
        let is_broken = |fault: &String| {
            let mut rules = self.broken_rules.iter();
            rules.any(|rule| fault.starts_with(rule))
        };
        faults.retain(|fault| !is_broken(fault));
        assert!(faults.is_empty(), "the checker finds: {faults:#?}");
    }

    /// Waits for the end of one operation, and for its completion if it was cancelled or failed as
    /// it may.
    async fn end_of(
        &self,
        op: &OperationId,
        fleet: &mut Fleet<'_>,
        ends: &mut Ends,
        started: Instant,
    ) -> OperationRecord {
        let mut record = self.terminal_record(op, fleet, ends, started).await;
        let may_be_other = match record.state {
            OperationState::Cancelled => self.cancelled.contains(op),
            OperationState::Failed => self.says_as_it_may(&record),
            _ => true,
        };
        assert!(may_be_other, "{record:#?}");

        let was_other = record.state != OperationState::Completed;
        if was_other {
            ends.resumed += 1;
            self.sandbox.bus().operations().resume(op).await.unwrap();
            record = self.terminal_record(op, fleet, ends, started).await;
        }
        assert_eq!(record.state, OperationState::Completed, "{record:#?}");
        // From lost messages a dead letter may follow that an older record caused.
        if !was_other && !self.may_lose_events {
            let letters = self.sandbox.dead_letters(op).await.len();
            assert_eq!(letters, 0, "dead letters of {op}");
        }
        self.assert_announced_once(op, &record).await;
        record
    }

    async fn terminal_record(
        &self,
        op: &OperationId,
        fleet: &mut Fleet<'_>,
        ends: &mut Ends,
        started: Instant,
    ) -> OperationRecord {
        loop {
            ends.restarts += fleet.replace_ended();
            let stored = self.sandbox.bus().operations().get(op).await;
            let record = stored.ok().flatten().map(|stored| stored.record);
            match record {
                Some(record) if record.state.is_terminal() => return record,
                record => assert!(
                    started.elapsed() < ends_max(),
                    "{op} has not ended: {record:#?}"
                ),
            }
            self.sandbox.after(Duration::from_millis(50)).await;
        }
    }

    /// Each step of a completed operation has one event that says so.
    async fn assert_announced_once(&self, op: &OperationId, record: &OperationRecord) {
        let expected: Vec<_> = record.numbers().collect();

        // The event follows the record.
        until(format!("the events of {op}"), || async {
            let events = self.sandbox.events(op).await;
            let completed = events.iter().filter(|event| event.what == What::Completed);
            let mut steps: Vec<_> = completed.map(|event| event.step).collect();
            steps.sort();
            assert!(steps.len() <= expected.len(), "{op}: {events:#?}");
            (self.may_lose_events || steps == expected).then_some(())
        })
        .await;
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} accepted, all completed within {:.0} s after the last fault; at most {} attempts a step",
            self.accepted,
            self.waited.as_secs_f64().ceil(),
            self.attempts
        )?;

        let counts = [
            (self.resumed, "after a resume"),
            (self.refusals, "submits sent again"),
            (self.restarts, "processes started again"),
        ];
        for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
            write!(formatter, "; {count} {what}")?;
        }
        Ok(())
    }
}
