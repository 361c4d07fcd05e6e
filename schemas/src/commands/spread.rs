//! The family service's command: make the operations of a list, and wait for their ends.

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::ids::{OperationId, Service};
use crate::operation::{CHILDREN_MAX, NewOperation};

/// Children on their queues at a time where nobody says otherwise.
pub const CHILDREN_AT_ONCE: u32 = 64;
/// Children in one stored list.
pub const CHILDREN_PER_LIST: usize = 500;

/// What a failed child means for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The others run to their end; the step fails after the last of them.
    #[default]
    KeepGoing,
    /// What has not ended is cancelled.
    FailFast,
}

/// A number of children of one kind that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindRun {
    /// Kind of the operations.
    pub kind: String,
    /// How many of them.
    pub count: u32,
}

/// Makes the operations of a list as children of the step's operation, at most `limit` at a time,
/// and ends when all of them have ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Kinds of the children in their order: with the parent's id they give every child's id.
    pub kinds: Vec<KindRun>,
    /// Place of the step's first child among all children of the operation.
    #[serde(default)]
    pub first: u32,
    /// Most children on their queues or at work at a time.
    #[serde(default = "children_at_once")]
    pub limit: u32,
    /// What a failed child means for the others.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The children, where the request has room for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<NewOperation>,
    /// Keys of stored [`ChildList`]s, each of [`CHILDREN_PER_LIST`] but for the last, where it has
    /// not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<String>,
}

/// A list that reaches beyond [`CHILDREN_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command lists children up to number {0}; at most {CHILDREN_MAX} fit one family")]
pub struct TooManyChildren(pub u32);

/// Part of a long list of children, as an object of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChildList {
    /// Operations in order.
    pub children: Vec<NewOperation>,
}

fn children_at_once() -> u32 {
    CHILDREN_AT_ONCE
}

impl Spread {
    /// The kinds of `children` in their order.
    pub fn kinds_of(children: &[NewOperation]) -> Vec<KindRun> {
        let mut kinds: Vec<KindRun> = Vec::new();
        for child in children {
            match kinds.last_mut().filter(|run| run.kind == child.kind) {
                Some(run) => run.count += 1,
                None => kinds.push(KindRun {
                    kind: child.kind.clone(),
                    count: 1,
                }),
            }
        }
        kinds
    }

    /// Checks that its children are among the first [`CHILDREN_MAX`] of their parent: whoever wrote
    /// the command may have skipped the checks of the client.
    pub fn validate(&self) -> Result<(), TooManyChildren> {
        let end = self.first.saturating_add(self.total());
        if end > CHILDREN_MAX {
            return Err(TooManyChildren(end));
        }
        Ok(())
    }

    /// Number of children of this step.
    pub fn total(&self) -> u32 {
        let counts = self.kinds.iter().map(|run| run.count);
        counts.fold(0, u32::saturating_add)
    }

    /// The step's children in their order: the place of each among all children of `parent`, and
    /// its id. None beyond [`CHILDREN_MAX`], whatever the command says.
    pub fn child_ids(&self, parent: &OperationId) -> impl Iterator<Item = (u32, OperationId)> {
        let kinds = self
            .kinds
            .iter()
            .flat_map(|run| std::iter::repeat_n(&run.kind, run.count as usize));

        // A kind that fits no id is refused before anything of its family is submitted.
        let children = (self.first..CHILDREN_MAX).zip(kinds);
        children.filter_map(|(index, kind)| Some((index, parent.child(kind, index).ok()?)))
    }
}

impl Command for Spread {
    const SERVICE: Service = Service::Family;
    const VERB: &'static str = "spread";
    type Outcome = SpreadOutcome;
}

/// What a finished step records: every child of it is completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpreadOutcome {
    /// Children that are completed.
    pub completed: u32,
}
