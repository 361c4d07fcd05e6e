//! The plan that travels with an operation: stages in order, each of one or more steps.
//!
//! Which command comes next is decided by
//! [`crate::operation::OperationRecord::outstanding_commands`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{Lane, STEPS_MAX, Service, StepNumber};

/// Longest verb, in bytes.
const VERB_BYTES_MAX: usize = 32;

/// One command for one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// The service that handles it.
    pub service: Service,
    /// The name of the command type within the service.
    pub verb: String,
    /// The queue of that service that it goes to.
    #[serde(default = "default_lane")]
    pub lane: Lane,
    /// Share of the operation's percent, relative to the other steps; > 0.
    #[serde(default = "default_weight")]
    pub weight: f64,
    /// The command's own parameters; what several steps need is in the operation's `params`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub command: Value,
}

fn default_lane() -> Lane {
    Lane::Default
}

fn default_weight() -> f64 {
    1.0
}

/// Steps that may run side by side.
pub type Stage = Vec<StepSpec>;

/// Stages in order. Steps are numbered through all stages from 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    /// One list of steps per stage.
    pub stages: Vec<Stage>,
}

/// Why a plan cannot be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidPlan {
    /// No stage, or a stage without steps.
    #[error("stage {0} of the plan has no step")]
    EmptyStage(usize),
    /// More steps than [`STEPS_MAX`].
    #[error(
        "the plan has {0} steps; at most {STEPS_MAX} are allowed, \
         put more work into one step over a list"
    )]
    TooLong(usize),
    /// A weight that is not a positive number.
    #[error("step {step} has the weight {weight}; it must be a positive number")]
    Weight {
        /// Number of the step, from 1.
        step: usize,
        /// The weight as given.
        weight: f64,
    },
    /// A verb that is not a short lowercase word.
    #[error("step {step} has the verb `{verb}`; it must be 1 to 32 of [a-z0-9_]")]
    Verb {
        /// Number of the step, from 1.
        step: usize,
        /// The verb as given.
        verb: String,
    },
}

impl StepSpec {
    /// Checks weight and verb; `step` is its 1-based number, for the error.
    fn validate(&self, step: usize) -> Result<(), InvalidPlan> {
        if !(self.weight.is_finite() && self.weight > 0.0) {
            return Err(InvalidPlan::Weight {
                step,
                weight: self.weight,
            });
        }

        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_short = (1..=VERB_BYTES_MAX).contains(&self.verb.len());
        if !is_short || !self.verb.bytes().all(is_allowed) {
            return Err(InvalidPlan::Verb {
                step,
                verb: self.verb.clone(),
            });
        }
        Ok(())
    }
}

impl Plan {
    /// One step per stage.
    pub fn sequence(steps: Vec<StepSpec>) -> Self {
        Self {
            stages: steps.into_iter().map(|step| vec![step]).collect(),
        }
    }

    /// Checks the bounds that every other function relies on.
    pub fn validate(&self) -> Result<(), InvalidPlan> {
        if self.stages.is_empty() {
            return Err(InvalidPlan::EmptyStage(1));
        }
        if let Some(stage) = self.stages.iter().position(Vec::is_empty) {
            return Err(InvalidPlan::EmptyStage(stage + 1));
        }
        if self.len() > STEPS_MAX {
            return Err(InvalidPlan::TooLong(self.len()));
        }

        // Percent ranges divide by the sum of the weights.
        for (step, spec) in (1..).zip(self.steps()) {
            spec.validate(step)?;
        }
        Ok(())
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.stages.iter().map(Vec::len).sum()
    }

    /// True without any step.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All steps in order.
    pub fn steps(&self) -> impl Iterator<Item = &StepSpec> {
        self.stages.iter().flatten()
    }

    /// The step of that number.
    pub fn step(&self, number: StepNumber) -> Option<&StepSpec> {
        self.steps().nth(number.index())
    }

    /// 0-based stage of a step.
    pub fn stage_of(&self, number: StepNumber) -> Option<usize> {
        self.numbered_stages()
            .position(|steps| steps.contains(&number.index()))
    }

    /// True for a step of the first stage: its command carries the whole operation.
    pub fn is_first_stage(&self, number: StepNumber) -> bool {
        self.stage_of(number) == Some(0)
    }

    /// 0-based positions of the steps of each stage.
    pub fn numbered_stages(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.stages.iter().scan(0, |next, stage| {
            let start = *next;
            *next += stage.len();
            Some(start..*next)
        })
    }

    /// The share of the operation in percent, from start to end, that a step covers.
    pub fn percent_range(&self, number: StepNumber) -> (f64, f64) {
        let total: f64 = self.steps().map(|step| step.weight).sum();
        // Added to zero: a sum of nothing is negative zero, which people would see.
        let weights = self.steps().map(|step| step.weight);
        let before = weights
            .take(number.index())
            .fold(0.0, |sum, weight| sum + weight);
        let weight = self.step(number).map_or(0.0, |step| step.weight);

        let start = percent_of(before, total);
        let end = percent_of(before + weight, total);
        (start, end)
    }
}

/// A part in percent of the whole; 0 where a forged plan gives no number.
fn percent_of(part: f64, whole: f64) -> f64 {
    let percent = 100.0 * part / whole;

    if percent.is_nan() {
        0.0
    } else {
        percent.clamp(0.0, 100.0) + 0.0
    }
}
