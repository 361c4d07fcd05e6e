//! A run of the dummy as an operation of one step.

use super::step;
use crate::commands::RunDummy;
use crate::operation::NewOperation;
use crate::plan::Plan;

impl RunDummy {
    /// The operation, kind `dummy`.
    pub fn operation(&self) -> NewOperation {
        NewOperation {
            kind: "dummy".to_owned(),
            labels: [("iterations".to_owned(), self.iterations.to_string())].into(),
            plan: Plan::sequence(vec![step(self, 1.0)]),
            ..NewOperation::default()
        }
    }
}
