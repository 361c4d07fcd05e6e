//! The judgement on operations as the transitions of the record leave them: whatever happens to an
//! operation in an order that is allowed, with the events that go with it, breaks no rule.

use jiff::{SignedDuration, Timestamp};
use schemas::events::{Event, What};
use schemas::ids::{Lane, OperationId, Service, StepNumber, WorkerId};
use schemas::operation::{Holder, NewOperation, OperationRecord, Said, StepState, Stopped};
use schemas::plan::{Plan, StepSpec};
use schemas::work_done::WorkDone;
use serde_json::{Value, json};

use super::super::facts::{CommandFacts, Facts, RecordFacts};
use super::super::finding::Finding;
use super::super::rules::Rule;
use super::judge;

/// What [`Story::act`] does, the ways on more often than the ways out.
const ACTIONS: [u8; 14] = [0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8];

/// An operation of two stages, of which the second has two steps, as it is moved on.
struct Story {
    record: OperationRecord,
    events: Vec<Event>,
    now: Timestamp,
    cancels: u64,
}

fn op() -> OperationId {
    "op_dummy_20260301_142233_00000001".parse().unwrap()
}

fn worker() -> WorkerId {
    WorkerId::new(Service::Dummy, "host", 7, 1)
}

fn step(number: usize) -> StepNumber {
    StepNumber::new(number).unwrap()
}

fn spec() -> StepSpec {
    StepSpec {
        service: Service::Dummy,
        verb: "work".to_owned(),
        lane: Lane::Default,
        weight: 1.0,
        command: Value::Null,
    }
}

impl Story {
    fn begin() -> Self {
        let plan = json!([[spec()], [spec(), spec()]]);
        let plan: Plan = serde_json::from_value(plan).unwrap();
        let new = json!({ "kind": "dummy", "plan": plan });
        let new: NewOperation = serde_json::from_value(new).unwrap();
        let now = "2026-03-01T14:22:33Z".parse().unwrap();
        Self {
            record: OperationRecord::create(op(), new, now),
            events: Vec::new(),
            now,
            cancels: 0,
        }
    }

    /// Does one thing; what the record refuses does not happen.
    fn act(&mut self, action: u8, number: usize) {
        self.now += SignedDuration::from_secs(60);
        let now = self.now;
        let step = step(number);
        let before = self.record.clone();
        let of_step = before.step(step).unwrap();
        let submission = of_step.submission;
        let attempt = of_step.attempt;
        let holder = Holder {
            worker: worker(),
            ack_subject: String::new(),
            since: now,
        };

        // Only what is on its queue is claimed.
        let outstanding = before.outstanding_commands();
        let is_queued = outstanding.iter().any(|command| command.step == step);
        let is_held = of_step.holder.is_some();
        let record = &mut self.record;
        let said = Said::default();
        let error = schemas::errors::ErrorRecord::new(schemas::codes::OPS_STEP_FAILED, "no", "");
        let done = match action {
            0 if is_queued => record.claim(step, submission, holder, None).is_ok(),
            1 if is_held => record.complete(step, attempt, Value::Null, now).is_ok(),
            2 if is_held => record.fail(step, attempt, error, now).is_ok(),
            3 if is_held => record.stop(step, attempt, Stopped::default(), now).is_ok(),
            4 if is_held => record.release(step, attempt, now).is_ok(),
            5 if is_held => record
                .record_checkpoint(step, attempt, json!(1), now)
                .is_ok(),
            6 if !record.is_held() => {
                self.cancels += 1;
                record.cancel_unheld(self.cancels, &said, now).is_ok()
            }
            7 => record.resume(self.cancels, &said, now).is_ok(),
            8 => record.requeue(step, submission, now).is_ok(),
            _ => false,
        };
        if done {
            self.announce(action, step, &before);
        }
    }

    /// The events that go with what was done.
    fn announce(&mut self, action: u8, number: StepNumber, before: &OperationRecord) {
        match action {
            0 => self.emit(number, What::Started),
            5 => self.emit(number, What::Checkpointed),
            _ => {}
        }

        for number in self.record.numbers() {
            let state = self.record.step(number).unwrap().state;
            let is_new = before.step(number).unwrap().state != state;
            let what = match state {
                StepState::Completed => What::Completed,
                StepState::Failed => What::Failed,
                StepState::Cancelled => What::Cancelled,
                _ => continue,
            };
            if is_new {
                self.emit(number, what);
            }
        }
    }

    fn emit(&mut self, number: StepNumber, what: What) {
        let step = self.record.step(number).unwrap();
        let event = Event {
            v: 1,
            op: op(),
            step: number,
            steps: 3,
            service: Service::Dummy,
            what,
            submission: step.submission,
            attempt: step.attempt,
            state: self.record.state,
            at: self.record.updated_at,
            worker: None,
            result: Value::Null,
            error: None,
            by: None,
            reason: None,
            done: WorkDone::new(),
            due: None,
        };

        // The server stores a message id once.
        let id = event.message_id();
        if !self.events.iter().any(|other| other.message_id() == id) {
            self.events.push(event);
        }
    }

    /// What a reading finds once everybody has done what follows.
    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        facts.workers.insert(worker());
        let operation = facts.operations.entry(op()).or_default();
        for event in &self.events {
            operation.note_event(event, event.at);
        }

        operation.record = Some(RecordFacts::of(&self.record));
        let commands = self.record.outstanding_commands();
        operation.commands = commands
            .into_iter()
            .map(|command| CommandFacts {
                step: command.step,
                submission: command.submission,
                carries_operation: false,
                at: self.now,
            })
            .collect();
        if !self.record.state.is_terminal() {
            operation.marked_at = Some(self.now);
        }
        facts
    }

    fn findings(&self) -> Vec<Finding> {
        judge(&self.facts())
    }
}

/// Numbers that look drawn at random, the same in each run.
fn draws(seed: u64) -> impl Iterator<Item = u64> {
    let next = |state: &u64| {
        Some(
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1),
        )
    };
    std::iter::successors(Some(seed), next).map(|state| state >> 33)
}

#[test]
fn whatever_is_allowed_breaks_no_rule() {
    let mut states = std::collections::BTreeSet::new();
    for seed in 0..2_000 {
        let mut story = Story::begin();
        let mut drawn = draws(seed);
        for _ in 0..30 {
            let action = ACTIONS[usize::try_from(drawn.next().unwrap() % 14).unwrap()];
            let number = usize::try_from(drawn.next().unwrap() % 3).unwrap() + 1;
            story.act(action, number);

            assert_eq!(story.findings(), [], "{seed}: {:#?}", story.record);
        }
        states.insert(story.record.state.as_str());
    }
    assert!(
        states.contains("completed") && states.len() >= 6,
        "{states:?}"
    );
}

/// The rules that the facts of a claimed first step break after a change of them.
fn broken_by(change: impl Fn(&mut Facts)) -> Vec<Rule> {
    let mut story = Story::begin();
    story.act(0, 1);
    let mut facts = story.facts();
    change(&mut facts);
    judge(&facts).iter().map(|finding| finding.rule).collect()
}

#[test]
fn a_claim_needs_its_worker_and_its_mark() {
    let lost = |facts: &mut Facts| facts.workers.clear();
    assert_eq!(broken_by(lost), [Rule::ClaimWithoutWorker]);

    let unmarked = |facts: &mut Facts| {
        facts.operations.get_mut(&op()).unwrap().marked_at = None;
    };
    assert_eq!(broken_by(unmarked), [Rule::MarkMissing]);
}

#[test]
fn a_record_that_went_back_is_behind_its_events() {
    let back = |facts: &mut Facts| {
        let operation = facts.operations.get_mut(&op()).unwrap();
        operation.record.as_mut().unwrap().steps[0].attempt = 0;
    };
    assert_eq!(broken_by(back), [Rule::NumberWentBack]);
}
