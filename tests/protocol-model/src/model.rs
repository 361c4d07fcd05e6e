//! The protocol as a machine: who may do what next, and which rules hold.

use std::cell::RefCell;
use std::fmt::{self, Display};

use schemas::command::Command as _;
use schemas::commands::{RunDummy, Spread};
use schemas::ids::{Lane, OperationId, Service};
use schemas::messages::CommandMessage;
use schemas::operation::{NewOperation, OperationRecord, OperationState, Parent, StepState};
use schemas::plan::{Plan, StepSpec};
use schemas::subjects::CommandAddress;

use crate::checker::{Machine, Move};
use crate::ledger::{AT, Applied, Edit, Flaw, Ledger, RecordId, step_number};
use crate::world::{Chances, Duty, Resumer, SUBMISSIONS, Submitter, Unmark, Worker, World};
use crate::world::{Job, Phase};

/// A family ends after its children.
pub const CHILDREN_FIRST: &str = "a parent is completed only when all its children are";
/// What is announced is announced once.
pub const ONE_END_EVENT: &str = "a submission of a step has one terminal event";
/// Nobody who listens misses an end.
pub const EVERY_END_ANNOUNCED: &str =
    "an operation that has ended and is forgotten has announced its end";
/// A request that was noted keeps work from beginning.
pub const NO_WORK_AFTER_CANCEL: &str = "no work begins after a cancel was noted";
/// A step's end is written by whoever claimed it last.
pub const ONE_WRITER: &str = "the end of a step is written by the worker that claimed it last";
/// The model counts few submissions.
pub(crate) const TOO_MANY_SUBMISSIONS: &str = "a step has more submissions than the model counts";

/// The operations of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One step after the other, this many.
    Steps(u8),
    /// This many steps side by side.
    SideBySide(u8),
    /// A parent of two children of one step each.
    Family,
}

/// What is searched: operations, workers and chances.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The operations that run.
    pub shape: Shape,
    /// Workers; of a family, this number for parents and again for children.
    pub workers: u8,
    /// Checkpoints of a step that is no parent.
    pub checkpoints: u8,
    /// How often each kind of chance may happen.
    pub chances: Chances,
    /// A mistake made on purpose.
    pub flaw: Flaw,
}

/// A step of an operation.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) op: u8,
    pub(crate) step: u8,
    pub(crate) address: CommandAddress,
}

/// The protocol of operations.
pub struct Model {
    pub(crate) setup: Setup,
    pub(crate) cells: Vec<Cell>,
    pub(crate) requests: Vec<NewOperation>,
    pub(crate) ids: Vec<OperationId>,
    pub(crate) ledger: RefCell<Ledger>,
}

/// What happens, who does it, and to which step.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    pub(crate) who: Who,
    pub(crate) what: &'static str,
    pub(crate) op: u8,
    pub(crate) step: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Worker(u8),
    Housekeeper,
    Client,
    Server,
}

impl Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = self.op;
        let step = self.step + 1;
        match self.who {
            Who::Worker(number) => write!(formatter, "worker {number}")?,
            Who::Housekeeper => write!(formatter, "housekeeper")?,
            Who::Client => write!(formatter, "client")?,
            Who::Server => write!(formatter, "server")?,
        }
        write!(formatter, ": {} (operation {op}, step {step})", self.what)
    }
}

impl Model {
    /// The protocol for these operations.
    pub fn new(setup: Setup) -> Self {
        let ids = ids_of(setup.shape);
        let requests = requests_of(setup.shape, &ids);
        let mut cells = Vec::new();
        for (op, request) in requests.iter().enumerate() {
            for (step, spec) in request.plan.steps().enumerate() {
                let step = u8::try_from(step).expect("plans are short");
                cells.push(Cell {
                    op: u8::try_from(op).expect("few operations"),
                    step,
                    address: CommandAddress {
                        service: spec.service,
                        lane: Lane::Default,
                        op: ids[op].clone(),
                        step: step_number(step),
                    },
                });
            }
        }

        Self {
            setup,
            cells,
            requests,
            ids,
            ledger: RefCell::new(Ledger::new(setup.flaw)),
        }
    }

    pub(crate) fn is_family(&self) -> bool {
        self.setup.shape == Shape::Family
    }

    /// Numbers of the children of an operation.
    pub(crate) fn children_of(&self, op: u8) -> std::ops::Range<u8> {
        match self.is_family() && op == 0 {
            true => 1..3,
            false => 0..0,
        }
    }

    /// True if the worker is of the service that handles the cell.
    pub(crate) fn serves(&self, worker: u8, cell: usize) -> bool {
        !self.is_family() || (worker < self.setup.workers) == (cell == 0)
    }

    pub(crate) fn record(&self, id: RecordId) -> Option<OperationRecord> {
        self.ledger.borrow().get(id).cloned()
    }

    /// Reads something off a record of the ledger, without a copy of it.
    pub(crate) fn read<T>(
        &self,
        id: RecordId,
        read: impl FnOnce(&OperationRecord) -> T,
    ) -> Option<T> {
        self.ledger.borrow().get(id).map(read)
    }

    pub(crate) fn create(&self, op: u8) -> RecordId {
        let op = usize::from(op);
        let record = OperationRecord::create(self.ids[op].clone(), self.requests[op].clone(), AT);
        self.ledger.borrow_mut().add(record)
    }

    /// Changes the record that is stored now: what reading, writing over the revision that was
    /// read, and doing both again after a conflict come to.
    pub(crate) fn edit(&self, world: &mut World, op: u8, edit: Edit) -> Applied {
        let applied = self
            .ledger
            .borrow_mut()
            .apply(world.records[usize::from(op)], edit);
        if let Applied::Written { record, .. } = applied {
            self.store(world, op, record);
        }
        applied
    }

    /// Stores a record: what others have read of it is not the newest any more.
    pub(crate) fn store(&self, world: &mut World, op: u8, record: RecordId) {
        world.records[usize::from(op)] = record;
        for worker in &mut world.workers {
            if let Worker::Busy(job) = worker
                && self.cells[usize::from(job.cell)].op == op
            {
                job.is_newest = false;
            }
        }

        match &mut world.resumer {
            Resumer::RecordRead { is_newest, .. } | Resumer::Marked { is_newest, .. }
                if op == 0 =>
            {
                *is_newest = false;
            }
            _ => {}
        }
    }

    /// Puts the mark of an operation: whoever has read the one before does not take this one.
    pub(crate) fn mark(&self, world: &mut World, op: u8) {
        world.marks[usize::from(op)] = true;

        for worker in &mut world.workers {
            if let Worker::Busy(Job {
                cell,
                phase: Phase::Unmarking(unmark),
                ..
            }) = worker
                && self.cells[usize::from(*cell)].op == op
            {
                unmark.see_another();
            }
        }
        if let Duty::Unmark { op: of, unmark } = &mut world.duty
            && *of == op
        {
            unmark.see_another();
        }
    }

    /// The request that counts for an operation: its own, or that of its parent.
    pub(crate) fn cancel_in_force(&self, world: &World, op: u8) -> Option<u8> {
        let floor = self.read(world.records[usize::from(op)], |record| record.cancel_floor)?;
        let is_in_force = |sequence: &u8| u64::from(*sequence) > floor;
        let of_parent = (self.is_family() && op > 0).then_some(world.cancels[0]);

        let of_itself = Some(world.cancels[usize::from(op)]).filter(is_in_force);
        of_itself.or(of_parent.filter(is_in_force))
    }

    pub(crate) fn is_terminal(&self, id: RecordId) -> bool {
        self.read(id, |record| record.state.is_terminal()) == Some(true)
    }

    /// The command of a cell, as it is published.
    pub(crate) fn command(
        &self,
        cell: usize,
        submission: u8,
        has_operation: bool,
    ) -> CommandMessage {
        let cell = &self.cells[cell];

        let operation = has_operation.then(|| self.requests[usize::from(cell.op)].clone());
        CommandMessage::new(
            &cell.address.op,
            cell.address.step,
            submission.into(),
            operation,
        )
    }

    fn find_unannounced(&self, world: &World, op: u8) -> bool {
        let id = world.records[usize::from(op)];
        let is_forgotten = !world.marks[usize::from(op)] && self.is_at_rest(world, op);
        if !is_forgotten || !self.is_terminal(id) {
            return false;
        }

        let submissions = self.read(id, submissions_that_ended);
        let cells = (0..self.cells.len()).filter(|cell| self.cells[*cell].op == op);
        let mut ends = cells.zip(submissions.unwrap_or_default());
        ends.any(|end| end.1 > 0 && world.events[end.0][end.1 - 1] == 0)
    }

    /// True when nobody works on the operation and no message of it is on a queue.
    fn is_at_rest(&self, world: &World, op: u8) -> bool {
        let is_of_op = |cell: usize| self.cells[cell].op == op;
        let has_message =
            (0..self.cells.len()).any(|cell| is_of_op(cell) && world.queue[cell].submission > 0);
        let has_job = world.jobs().any(|job| is_of_op(usize::from(job.cell)));

        // A housekeeper or a parent may be about to tell it.
        let is_nobody_busy = world.duty == Duty::Free && world.resumer == Resumer::Free;
        let has_parent_at_work = op > 0 && world.jobs().any(|job| job.cell == 0);
        !has_message && !has_job && is_nobody_busy && !has_parent_at_work
    }
}

impl Machine for Model {
    type State = World;
    type Label = Label;

    fn start(&self) -> World {
        let services = if self.is_family() { 2 } else { 1 };
        World::start(
            usize::from(self.setup.workers) * services,
            self.setup.chances,
        )
    }

    fn moves(&self, from: &World) -> Vec<Move<World, Label>> {
        let mut moves = Moves {
            model: self,
            from: *from,
            list: Vec::new(),
        };
        moves.of_clients();
        moves.of_server();
        moves.of_workers();
        moves.of_housekeeper();
        moves.list
    }

    fn broken_rule(&self, world: &World) -> Option<&'static str> {
        let states: Vec<Option<OperationState>> = world
            .records
            .iter()
            .map(|id| self.read(*id, |record| record.state))
            .collect();
        let is_completed = |op: usize| states[op] == Some(OperationState::Completed);
        let mut children = self.children_of(0);
        if is_completed(0) && !children.all(|child| is_completed(usize::from(child))) {
            return Some(CHILDREN_FIRST);
        }

        let mut events = world.events.iter().flatten();
        if events.any(|kinds| kinds.count_ones() > 1) {
            return Some(ONE_END_EVENT);
        }
        let operations = 0..u8::try_from(self.ids.len()).unwrap_or(0);
        let mut operations = operations.filter(|op| self.find_unannounced(world, *op));
        operations.next().map(|_| EVERY_END_ANNOUNCED)
    }

    fn is_quiet(&self, world: &World) -> bool {
        let has_ended = |id: &RecordId| *id == 0 || self.is_terminal(*id);
        let is_submitted = matches!(world.submitter, Submitter::Done);

        is_submitted
            && world.resumer == Resumer::Free
            && world.duty == Duty::Free
            && world.jobs().next().is_none()
            && world.records.iter().all(has_ended)
            && world.queue.iter().all(|message| message.submission == 0)
            && world.marks.iter().all(|is_marked| !is_marked)
    }
}

/// The moves from one state, as they are gathered.
pub(crate) struct Moves<'m> {
    pub(crate) model: &'m Model,
    pub(crate) from: World,
    pub(crate) list: Vec<Move<World, Label>>,
}

/// A state that is made from another one.
pub(crate) struct Next {
    pub(crate) world: World,
    pub(crate) breaks: Option<&'static str>,
}

impl Moves<'_> {
    pub(crate) fn add(&mut self, label: Label, next: Next, is_chance: bool) {
        self.list.push(Move {
            label,
            to: next.world,
            is_chance,
            breaks: next.breaks,
        });
    }

    /// A move that nothing may depend on, while there are chances left for it.
    pub(crate) fn add_chance(
        &mut self,
        label: Label,
        mut next: Next,
        count: impl Fn(&mut Chances) -> &mut u8,
    ) {
        let remaining = count(&mut next.world.chances);
        if *remaining > 0 {
            *remaining -= 1;
            self.add(label, next, true);
        }
    }

    pub(crate) fn next(&self) -> Next {
        Next {
            world: self.from,
            breaks: None,
        }
    }
}

impl Next {
    /// Changes the record as it is stored now.
    pub(crate) fn edit(&mut self, model: &Model, op: u8, edit: Edit) -> Applied {
        let applied = model.edit(&mut self.world, op, edit);
        if let Applied::Written { breaks, .. } = applied {
            self.breaks = self.breaks.or(breaks);
        }
        applied
    }

    /// Tells the ends of steps of this record, each under the id of its submission.
    pub(crate) fn announce(&mut self, model: &Model, op: u8, record: RecordId, of: Option<u8>) {
        let Some(record) = model.record(record) else {
            return;
        };
        for (cell, place) in model.cells.iter().enumerate() {
            if place.op != op {
                continue;
            }

            let step = &record.steps[usize::from(place.step)];
            let is_announced = match of {
                Some(step_of) => step_of == place.step || step.state == StepState::Cancelled,
                None => true,
            };
            if let Some(kind) = kind_of(step.state).filter(|_| is_announced) {
                match usize::try_from(step.submission) {
                    Ok(submission) if submission <= SUBMISSIONS => {
                        self.world.events[cell][submission - 1] |= kind;
                    }
                    _ => self.breaks = Some(TOO_MANY_SUBMISSIONS),
                }
            }
        }
    }

    /// Removes the mark of what has ended, all at once: the record is written again as it is, with
    /// its last term.
    pub(crate) fn unmark(&mut self, model: &Model, op: u8) {
        let record = self.world.records[usize::from(op)];
        if model.is_terminal(record) {
            model.store(&mut self.world, op, record);
            self.world.marks[usize::from(op)] = false;
        }
    }

    /// The next access to the bus on the way to a removed mark: none once it is removed, or is not
    /// to be.
    pub(crate) fn go_on_unmarking(&mut self, model: &Model, op: u8, at: Unmark) -> Option<Unmark> {
        let is_marked = &mut self.world.marks[usize::from(op)];

        match at {
            Unmark::Begun => is_marked.then_some(Unmark::MarkRead { is_same: true }),
            Unmark::MarkRead { is_same } => {
                let record = self.world.records[usize::from(op)];
                let has_ended = model.is_terminal(record);
                if has_ended {
                    model.store(&mut self.world, op, record);
                }
                has_ended.then_some(Unmark::TermWritten { is_same })
            }
            Unmark::TermWritten { is_same } => {
                *is_marked &= !is_same;
                None
            }
        }
    }
}

impl Unmark {
    fn see_another(&mut self) {
        match self {
            Self::Begun => {}
            Self::MarkRead { is_same } | Self::TermWritten { is_same } => *is_same = false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Begun => "read the mark",
            Self::MarkRead { .. } => "write the record with its last term",
            Self::TermWritten { .. } => "take the mark away",
        }
    }
}

/// The submission of each step that has ended, and 0 for the others.
fn submissions_that_ended(record: &OperationRecord) -> Vec<usize> {
    let steps = record.steps.iter();
    let ended = steps.map(|step| match step.state.is_terminal() {
        true => step.submission as usize,
        false => 0,
    });
    ended.collect()
}

fn kind_of(state: StepState) -> Option<u8> {
    match state {
        StepState::Completed => Some(1),
        StepState::Failed => Some(2),
        StepState::Cancelled => Some(4),
        StepState::Pending | StepState::Running | StepState::Retrying => None,
    }
}

fn ids_of(shape: Shape) -> Vec<OperationId> {
    let kind = if shape == Shape::Family {
        "family"
    } else {
        "dummy"
    };
    let first = OperationId::new(kind, AT, 1).expect("a short kind");
    let child = |index| first.child("dummy", index).expect("a short kind");

    match shape {
        Shape::Family => vec![first.clone(), child(0), child(1)],
        Shape::Steps(_) | Shape::SideBySide(_) => vec![first],
    }
}

fn requests_of(shape: Shape, ids: &[OperationId]) -> Vec<NewOperation> {
    let dummy = RunDummy::default().operation();
    let spec = dummy.plan.stages[0][0].clone();

    match shape {
        Shape::Steps(steps) => vec![NewOperation {
            plan: Plan::sequence(vec![spec; usize::from(steps)]),
            ..dummy
        }],
        Shape::SideBySide(steps) => vec![NewOperation {
            plan: Plan {
                stages: vec![vec![spec; usize::from(steps)]],
            },
            ..dummy
        }],
        Shape::Family => family_of(&dummy, ids),
    }
}

fn family_of(child: &NewOperation, ids: &[OperationId]) -> Vec<NewOperation> {
    let children = vec![child.clone(); 2];
    let spread = serde_json::json!({ "kinds": Spread::kinds_of(&children), "limit": 2 });
    let step = StepSpec {
        service: Service::Family,
        verb: Spread::VERB.to_owned(),
        lane: Lane::Default,
        weight: 1.0,
        command: spread,
    };
    let parent = NewOperation {
        kind: "family".to_owned(),
        plan: Plan::sequence(vec![step]),
        ..NewOperation::default()
    };

    let children = [0, 1].map(|index| {
        child
            .clone()
            .into_child(place_of(&ids[0], index), None, None)
    });
    let [first, second] = children;
    vec![parent, first, second]
}

fn place_of(parent: &OperationId, index: u32) -> Parent {
    Parent {
        op: parent.clone(),
        index,
        round: 1,
        cancel_floor: 0,
    }
}
