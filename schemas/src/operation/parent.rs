//! A family: operations that another one has made, and that go on, stop and are counted with it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{OperationRecord, OperationState, Refusal, Said};
use crate::ids::OperationId;

/// Most children of one operation.
pub const CHILDREN_MAX: u32 = 100_000;

/// The place of a child in its family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The operation that made it: a cancel of the parent is one of the child.
    pub op: OperationId,
    /// Its place among all children, from 0.
    pub index: u32,
    /// The submission of the parent's step that last put it on its queue. A child that ended in an
    /// earlier round is put there again, once.
    pub round: u32,
    /// Cancel requests up to this stream sequence were over before the child was made.
    #[serde(default)]
    pub cancel_floor: u64,
}

/// What a child still means to its parent in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStatus {
    /// It waits on its queue, or for its next attempt.
    Waiting,
    /// A worker has begun with it.
    Running,
    /// It failed or was cancelled in an earlier round: this one tries it again.
    Resumable,
    /// It has ended in this round, or is completed for good.
    Ended(OperationState),
}

impl OperationRecord {
    /// What this child means to its parent in `round`.
    pub fn status_in(&self, round: u32) -> ChildStatus {
        let is_of_round = self
            .parent
            .as_ref()
            .is_none_or(|parent| parent.round >= round);

        match self.state {
            OperationState::Completed => ChildStatus::Ended(self.state),
            state if state.is_terminal() && is_of_round => ChildStatus::Ended(state),
            state if state.is_terminal() => ChildStatus::Resumable,
            OperationState::Running | OperationState::Cancelling => ChildStatus::Running,
            _ => ChildStatus::Waiting,
        }
    }

    /// Takes a child that failed or was cancelled in an earlier round into `round`: resumed, once a
    /// round however often it is asked for.
    pub fn resume_in(&mut self, round: u32, floor: u64, at: Timestamp) -> Result<(), Refusal> {
        if self.status_in(round) != ChildStatus::Resumable {
            return Err(Refusal::NotResumable(self.state));
        }

        // Whoever resumed the parent is named there.
        self.resume(floor, &Said::default(), at)?;
        if let Some(parent) = &mut self.parent {
            parent.round = round;
        }
        Ok(())
    }
}
