//! What a reading of the bus has found, small enough to be held for every operation at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemas::command::Command as _;
use schemas::commands::Spread;
use schemas::events::{Event, What};
use schemas::ids::{OperationId, Service, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, OperationState, StepState};
use serde_json::Value;
use store::report_sha256;

use super::rules::Rule;

/// Everything that one reading has found.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// What there is of each operation, be it a record or only an event.
    pub(super) operations: BTreeMap<OperationId, OperationFacts>,
    /// Workers whose keys exist.
    pub(super) workers: BTreeSet<WorkerId>,
    /// Schedules by name.
    pub(super) schedules: BTreeMap<String, ScheduleFacts>,
    /// When the reading began.
    pub(super) read_at: Timestamp,
    /// When the oldest event was stored; what happened before has none any more.
    pub(super) events_from: Option<Timestamp>,
    /// What is wrong without looking at anything else: rule, subject, what.
    pub(super) faults: Vec<(Rule, String, String)>,
    /// Messages and values that were read.
    pub(super) count: Count,
}

/// How much a reading has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Records of operations.
    pub(super) records: u64,
    /// Events of all steps.
    pub(super) events: u64,
    /// Commands on their queues.
    pub(super) commands: u64,
    /// Other messages, and values of buckets.
    pub(super) others: u64,
    /// Objects of the store.
    pub(super) objects: u64,
    /// Bytes of their content that were read.
    pub(super) bytes: u64,
}

/// One schedule and its timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScheduleFacts {
    /// When it is due.
    pub(super) next: Option<Timestamp>,
    /// The operation that it started last.
    pub(super) last: Option<OperationId>,
    /// Whether the server will say that it is due, or has said so.
    pub(super) has_timer: bool,
}

/// What there is of one operation.
#[derive(Debug, Default)]
pub(super) struct OperationFacts {
    /// Its record, where it can be read.
    pub(super) record: Option<RecordFacts>,
    /// Whether there is a record that cannot be read.
    pub(super) is_unreadable: bool,
    /// When its active mark was stored.
    pub(super) marked_at: Option<Timestamp>,
    /// Its commands on queues.
    pub(super) commands: Vec<CommandFacts>,
    /// The sequence of its cancel request, and when it was stored.
    pub(super) cancel_request: Option<(u64, Timestamp)>,
    /// What its events say, by steps.
    pub(super) events: BTreeMap<StepNumber, StepEvents>,
    /// Whether an event says that the operation has ended.
    pub(super) has_announced_end: bool,
    /// When its newest event was stored, but for those of commands that could not be read.
    pub(super) last_event_at: Option<Timestamp>,
    /// The newest progress of its cancelled steps: attempt and time.
    pub(super) progress: BTreeMap<StepNumber, (u32, Timestamp)>,
}

/// A record without what the rules do not look at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RecordFacts {
    /// The operation that it names.
    pub(super) op: OperationId,
    /// Its state, as written.
    pub(super) state: OperationState,
    /// Its steps in order.
    pub(super) steps: Vec<StepFacts>,
    /// Whether it has noted a cancel request.
    pub(super) has_cancel: bool,
    /// Requests up to this one are void.
    pub(super) cancel_floor: u64,
    /// Its parent, and its place among all children of it.
    pub(super) parent: Option<(OperationId, u32)>,
    /// The children that its plan makes, without their requests.
    pub(super) spreads: Vec<Spread>,
    /// Keys of the reports that its results name.
    pub(super) reports: Vec<String>,
    /// When it was written last.
    pub(super) updated_at: Timestamp,
    /// When it ended.
    pub(super) finished_at: Option<Timestamp>,
}

/// One step of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StepFacts {
    /// Place of its stage in the plan.
    pub(super) stage: usize,
    pub(super) service: Service,
    pub(super) state: StepState,
    pub(super) submission: u32,
    pub(super) attempt: u32,
    pub(super) has_checkpoint: bool,
    /// Key of its checkpoint, where that is an object.
    pub(super) checkpoint: Option<String>,
    pub(super) holder: Option<WorkerId>,
    pub(super) finished_at: Option<Timestamp>,
}

/// One command on a queue.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CommandFacts {
    pub(super) step: StepNumber,
    pub(super) submission: u32,
    /// Whether a worker can make the record from it.
    pub(super) carries_operation: bool,
    pub(super) at: Timestamp,
}

/// What the events of a step say together.
#[derive(Debug, Default)]
pub(super) struct StepEvents {
    pub(super) submission_max: u32,
    pub(super) attempt_max: u32,
    pub(super) has_checkpoint: bool,
    /// When the newest claim was written.
    pub(super) started_at: Option<Timestamp>,
    /// Terminal events, in the order in which they were stored.
    pub(super) ends: Vec<End>,
}

/// A terminal event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) what: What,
    pub(super) submission: u32,
    pub(super) attempt: u32,
}

impl OperationFacts {
    /// Notes an event that was stored at this time.
    pub(super) fn note_event(&mut self, event: &Event, at: Timestamp) {
        // Nothing was attempted at a command that could not be read.
        if event.what == What::Rejected {
            return;
        }
        self.last_event_at = Some(at);
        self.has_announced_end |= event.state.is_terminal();

        let step = self.events.entry(event.step).or_default();
        step.submission_max = step.submission_max.max(event.submission);
        step.attempt_max = step.attempt_max.max(event.attempt);
        match event.what {
            What::Started => step.started_at = step.started_at.max(Some(event.at)),
            What::Checkpointed => step.has_checkpoint = true,
            what if what.is_terminal() => step.ends.push(End {
                what,
                submission: event.submission,
                attempt: event.attempt,
            }),
            _ => {}
        }
    }
}

impl RecordFacts {
    /// What the rules need of a record.
    pub(super) fn of(record: &OperationRecord) -> Self {
        let stages = record.plan.numbered_stages().enumerate();
        let stages = stages.flat_map(|stage| stage.1.map(move |_| stage.0));
        let specs = record.plan.steps().zip(stages);
        let steps = specs.zip(&record.steps).map(|planned| {
            let step = planned.1;
            StepFacts {
                stage: planned.0.1,
                service: planned.0.0.service,
                state: step.state,
                submission: step.submission,
                attempt: step.attempt,
                has_checkpoint: !step.checkpoint.is_null(),
                checkpoint: checkpoint_key(&step.checkpoint),
                holder: step.holder.as_ref().map(|holder| holder.worker.clone()),
                finished_at: step.finished_at,
            }
        });

        let parent = record.parent.as_ref();
        Self {
            op: record.op.clone(),
            state: record.state,
            steps: steps.collect(),
            has_cancel: record.cancel.is_some(),
            cancel_floor: record.cancel_floor,
            parent: parent.map(|parent| (parent.op.clone(), parent.index)),
            spreads: spreads_of(record),
            reports: reports_of(record),
            updated_at: record.updated_at,
            finished_at: record.finished_at,
        }
    }

    /// The steps with their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (StepNumber, &StepFacts)> {
        let steps = self.steps.iter().enumerate();
        steps.filter_map(|(index, step)| Some((StepNumber::new(index + 1).ok()?, step)))
    }

    /// The steps of the first stage that is not completed: those that may be worked on.
    pub(super) fn open_steps(&self) -> impl Iterator<Item = (StepNumber, &StepFacts)> {
        let open = |step: &&StepFacts| step.state != StepState::Completed;
        let stage = self.steps.iter().find(open).map(|step| step.stage);
        let steps = self.numbered();
        steps.filter(move |step| open(&step.1) && Some(step.1.stage) == stage)
    }
}

/// The reports that results consist of, or name at their first level.
fn reports_of(record: &OperationRecord) -> Vec<String> {
    let results = record.steps.iter().map(|step| &step.result);
    let fields = results.filter_map(Value::as_object);
    let texts = fields.flat_map(|fields| fields.values().filter_map(Value::as_str));
    let reports = texts.filter(|text| report_sha256(text).is_some());
    reports.map(str::to_owned).collect()
}

/// The checkpoint, if it is the key of an object and no value of its own.
fn checkpoint_key(checkpoint: &Value) -> Option<String> {
    let key = checkpoint.as_str()?;
    key.starts_with("checkpoints/").then(|| key.to_owned())
}

/// The steps that make children, without the requests of these, which may be long.
fn spreads_of(record: &OperationRecord) -> Vec<Spread> {
    let specs = record.plan.steps();
    let specs = specs.filter(|spec| spec.service == Spread::SERVICE);
    let spreads = specs.filter_map(|spec| serde_json::from_value(spec.command.clone()).ok());
    spreads
        .map(|spread| Spread {
            children: Vec::new(),
            lists: Vec::new(),
            ..spread
        })
        .collect()
}
