//! Many operations as one: a parent whose plan has a step for each list of children.

use std::collections::BTreeMap;

use serde_json::Value;

use super::step;
use crate::commands::{CHILDREN_PER_LIST, ChildList, OnFailure, Spread};
use crate::ids::{OperationId, Service};
use crate::operation::{BY_BYTES_MAX, CHILDREN_MAX, InvalidOperation, NewOperation, Parent};
use crate::plan::Plan;

/// Operations that are started, watched and stopped as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Lists of operations. One begins when all of the one before it are completed.
    pub stages: Vec<Vec<NewOperation>>,
    /// Most children on their queues or at work at a time.
    pub limit: u32,
    /// What a failed child means for the others of its list.
    pub on_failure: OnFailure,
    /// For lists and filters, of the parent.
    pub labels: BTreeMap<String, String>,
}

/// Why operations cannot be children of one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidFamily {
    /// Nothing to do.
    #[error("stage {0} names no operation")]
    Empty(usize),
    /// More than [`CHILDREN_MAX`].
    #[error("there are {0} operations; at most {CHILDREN_MAX} fit one family")]
    TooMany(usize),
    /// A child that cannot be submitted.
    #[error("operation {number} of the family is not valid")]
    Child {
        /// Its place among all children, from 1.
        number: usize,
        /// The bound that it breaks.
        source: InvalidOperation,
    },
    /// Its kind does not fit an id.
    #[error("operation {number} of the family has the kind `{kind}`, which no operation has")]
    Kind {
        /// Its place among all children, from 1.
        number: usize,
        /// The kind in its request.
        kind: String,
    },
    /// A child that would have children itself.
    #[error("operation {number} of the family is a family itself; list its operations instead")]
    Nested {
        /// Its place among all children, from 1.
        number: usize,
    },
}

impl Family {
    /// Kind of the operation.
    pub const KIND: &str = "family";

    /// Checks every child as its submission under `parent` will.
    pub fn validate(&self, parent: &OperationId) -> Result<(), InvalidFamily> {
        if let Some(empty) = self.stages.iter().position(Vec::is_empty) {
            return Err(InvalidFamily::Empty(empty + 1));
        }
        let total = self.stages.iter().map(Vec::len).sum();
        if total > CHILDREN_MAX as usize {
            return Err(InvalidFamily::TooMany(total));
        }

        for (index, child) in (0..).zip(self.stages.iter().flatten()) {
            validate_child(parent, index, child)?;
        }
        Ok(())
    }

    /// The operation with all children in its request, which has room for some dozens.
    pub fn operation(&self) -> NewOperation {
        self.operation_of(|stage, spread| spread.children.clone_from(stage))
    }

    /// Each stage in the lists that the store is to keep for [`Self::operation_with_lists`].
    pub fn lists(&self) -> Vec<Vec<ChildList>> {
        self.stages.iter().map(|stage| lists_of(stage)).collect()
    }

    /// The operation with the children of each stage in stored lists, which `keys` names.
    pub fn operation_with_lists(&self, keys: Vec<Vec<String>>) -> NewOperation {
        let mut keys = keys.into_iter();
        self.operation_of(|_, spread| spread.lists = keys.next().unwrap_or_default())
    }

    fn operation_of(&self, mut add: impl FnMut(&Vec<NewOperation>, &mut Spread)) -> NewOperation {
        let mut steps = Vec::with_capacity(self.stages.len());
        let mut first = 0;
        for stage in &self.stages {
            let mut spread = Spread {
                kinds: Spread::kinds_of(stage),
                first,
                limit: self.limit,
                on_failure: self.on_failure,
                children: Vec::new(),
                lists: Vec::new(),
            };
            add(stage, &mut spread);

            // A stage counts by its children in the percent of the whole.
            let total = spread.total();
            steps.push(step(&spread, f64::from(total.max(1))));
            first = first.saturating_add(total);
        }

        NewOperation {
            kind: Self::KIND.to_owned(),
            labels: self.labels.clone(),
            params: Value::Null,
            plan: Plan::sequence(steps),
            ..NewOperation::default()
        }
    }
}

fn lists_of(stage: &[NewOperation]) -> Vec<ChildList> {
    let chunks = stage.chunks(CHILDREN_PER_LIST).map(<[_]>::to_vec);
    chunks.map(|children| ChildList { children }).collect()
}

fn validate_child(
    parent: &OperationId,
    index: u32,
    child: &NewOperation,
) -> Result<(), InvalidFamily> {
    let number = index as usize + 1;
    if child
        .plan
        .steps()
        .any(|step| step.service == Service::Family)
    {
        return Err(InvalidFamily::Nested { number });
    }

    let op = parent.child(&child.kind, index);
    let op = op.map_err(|_| InvalidFamily::Kind {
        number,
        kind: child.kind.clone(),
    })?;
    largest_submission(parent, index, child)
        .validate(&op)
        .map_err(|source| InvalidFamily::Child { number, source })
}

/// The request of a child when it is as large as it can get: whoever starts the family, and in
/// whichever round.
fn largest_submission(parent: &OperationId, index: u32, child: &NewOperation) -> NewOperation {
    let place = Parent {
        op: parent.clone(),
        index,
        round: u32::MAX,
        cancel_floor: u64::MAX,
    };

    let by = "b".repeat(BY_BYTES_MAX);
    child.clone().into_child(place, Some(by), Some(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::RunDummy;
    use crate::ids::StepNumber;
    use crate::operation::REQUEST_BYTES_MAX;

    fn dummies(count: usize) -> Vec<NewOperation> {
        vec![RunDummy::default().operation(); count]
    }

    fn family(stages: Vec<Vec<NewOperation>>) -> Family {
        Family {
            stages,
            limit: 4,
            on_failure: OnFailure::KeepGoing,
            labels: BTreeMap::new(),
        }
    }

    fn parent() -> OperationId {
        "op_family_20260301_142233_00000010".parse().unwrap()
    }

    /// The command of a step, counted from 0.
    fn spread(operation: &NewOperation, index: usize) -> Spread {
        let step = operation.plan.steps().nth(index).unwrap();
        serde_json::from_value(step.command.clone()).unwrap()
    }

    #[test]
    fn a_step_for_each_stage_counts_by_its_children() {
        let operation = family(vec![dummies(3), dummies(1)]).operation();
        operation.validate(&parent()).unwrap();

        let second = spread(&operation, 1);
        assert_eq!((second.first, second.total()), (3, 1));
        let ids: Vec<_> = second.child_ids(&parent()).collect();
        let id = "op_dummy_20260301_142233_f0000014".parse().unwrap();
        assert_eq!(ids, [(3, id)]);
        let range = operation.plan.percent_range(StepNumber::new(2).unwrap());
        assert_eq!(range, (75.0, 100.0));
    }

    #[test]
    fn the_id_and_the_request_agree_on_who_is_a_child() {
        let dummy = RunDummy::default().operation();
        let child_id = parent().child("dummy", 0).unwrap();

        let error = dummy.validate(&child_id).unwrap_err();
        assert_eq!(
            error.to_string(),
            "op_dummy_20260301_142233_f0000011 is the id of a child, since its number begins with \
             f, and no parent is named"
        );

        let child = largest_submission(&parent(), 0, &dummy);
        child.validate(&child_id).unwrap();
        let other_id = "op_dummy_20260301_142233_00000011".parse().unwrap();
        let error = child.validate(&other_id).unwrap_err();
        assert!(
            error.to_string().starts_with("a parent is named"),
            "{error}"
        );
    }

    #[test]
    fn ten_thousand_children_fit_a_request_as_twenty_lists() {
        let family = family(vec![dummies(10_000)]);
        family.validate(&parent()).unwrap();
        let lists = family.lists();
        assert_eq!(lists[0].len(), 20);

        // The key of a report: its folder, a SHA-256 in hexadecimal, and `.json`.
        let key = format!("reports/{:064}.json", 7);
        let operation = family.operation_with_lists(vec![vec![key; 20]]);

        operation.validate(&parent()).unwrap();
        assert_eq!(spread(&operation, 0).total(), 10_000);
        assert_eq!(spread(&operation, 0).child_ids(&parent()).count(), 10_000);
    }

    #[test]
    fn a_child_that_could_not_be_submitted_is_named() {
        let mut stage = dummies(2);
        stage[1].plan.stages.clear();
        let error = family(vec![dummies(1), stage])
            .validate(&parent())
            .unwrap_err();
        assert_eq!(error.to_string(), "operation 3 of the family is not valid");
    }

    #[test]
    fn a_child_needs_room_for_its_parent_and_for_who_started_it() {
        let mut child = RunDummy::default().operation();
        let size = rmp_serde::to_vec_named(&child).unwrap().len();
        // The text takes the place of a null of one byte, after a head of three.
        child.params = Value::from("x".repeat(REQUEST_BYTES_MAX + 1 - size - 3));
        let alone = "op_dummy_20260301_142233_00000011".parse().unwrap();
        child.validate(&alone).unwrap();

        let error = family(vec![vec![child]]).validate(&parent()).unwrap_err();

        assert!(
            matches!(error, InvalidFamily::Child { number: 1, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_family_has_no_families_and_no_empty_stages() {
        let nested = vec![vec![family(vec![dummies(1)]).operation()]];
        let nested = family(nested).validate(&parent());
        assert_eq!(nested, Err(InvalidFamily::Nested { number: 1 }));
        let empty = family(vec![dummies(1), Vec::new()]).validate(&parent());
        assert_eq!(empty, Err(InvalidFamily::Empty(2)));
    }
}
