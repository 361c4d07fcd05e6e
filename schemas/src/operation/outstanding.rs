//! Which commands must be on their queues for an operation to go on: the only place that knows what
//! follows what.

use super::{OperationRecord, StepState};
use crate::ids::{Lane, Service, StepNumber};

/// A command that must be on its queue now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The step that the command is for.
    pub step: StepNumber,
    /// The service that handles the step.
    pub service: Service,
    /// Queue of that service.
    pub lane: Lane,
    /// Which submission of the step, from 1.
    pub submission: u32,
}

impl OperationRecord {
    /// The commands that must be on their queues for the operation to go on: every unfinished step
    /// of the first unfinished stage. Empty once the operation has ended, is being cancelled, or a
    /// step of it has failed.
    pub fn outstanding_commands(&self) -> Vec<Outstanding> {
        if self.state.is_terminal() || self.cancel.is_some() || self.has_stopped_step() {
            return Vec::new();
        }

        let stage = self.open_stage();
        stage
            .filter(|index| self.is_open(*index))
            .filter_map(|index| self.command_of(index))
            .collect()
    }

    /// 0-based positions of the first stage that has an unfinished step; empty when all are done.
    pub(super) fn open_stage(&self) -> std::ops::Range<usize> {
        self.plan
            .numbered_stages()
            .find(|stage| stage.clone().any(|index| self.is_open(index)))
            .unwrap_or(0..0)
    }

    /// True for a step that is not completed.
    fn is_open(&self, index: usize) -> bool {
        self.steps
            .get(index)
            .is_none_or(|step| step.state != StepState::Completed)
    }

    fn command_of(&self, index: usize) -> Option<Outstanding> {
        let number = StepNumber::new(index + 1).ok()?;
        let spec = self.plan.step(number)?;
        Some(Outstanding {
            step: number,
            service: spec.service,
            lane: spec.lane,
            submission: self.steps.get(index)?.submission,
        })
    }
}
