//! Requests that tests submit: ids, and plans of several dummy steps.

use jiff::Timestamp;
use schemas::commands::RunDummy;
use schemas::ids::OperationId;
use schemas::operation::NewOperation;
use schemas::plan::{Plan, Stage};

/// A new id, as the CLI makes it.
pub fn new_id(kind: &str) -> OperationId {
    OperationId::new(kind, Timestamp::now(), rand::random()).unwrap()
}

/// One dummy step after the other.
pub fn steps(commands: &[RunDummy]) -> NewOperation {
    stages(
        commands
            .iter()
            .map(|command| vec![command.clone()])
            .collect(),
    )
}

/// One stage of dummy steps, then one more stage with `last`.
pub fn side_by_side(first: &[RunDummy], last: RunDummy) -> NewOperation {
    stages(vec![first.to_vec(), vec![last]])
}

fn stages(stages: Vec<Vec<RunDummy>>) -> NewOperation {
    let stages: Vec<Stage> = stages
        .iter()
        .map(|commands| {
            commands
                .iter()
                .map(|command| command.operation().plan.stages[0][0].clone())
                .collect()
        })
        .collect();

    NewOperation {
        plan: Plan { stages },
        ..RunDummy::default().operation()
    }
}
