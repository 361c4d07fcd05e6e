//! The dummy service's command: n iterations of d seconds, which may fail or crash at the k-th
//! and ignore that they are to stop.

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::ids::Service;

/// Works through `iterations` of `seconds` each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunDummy {
    /// Number of iterations, at least 1.
    pub iterations: u64,
    /// Length of one iteration, in seconds.
    pub seconds: f64,
    /// Fail for good at this iteration (1-based).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_at: Option<u64>,
    /// Kill the worker's process at this iteration (1-based), every time it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_at: Option<u64>,
    /// Iterations between two checkpoints; 0 = none is written.
    pub checkpoint_every: u64,
    /// Go on whatever the stop token says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_cancel: bool,
}

impl Default for RunDummy {
    /// 100 iterations of 2 s.
    fn default() -> Self {
        Self {
            iterations: 100,
            seconds: 2.0,
            fail_at: None,
            crash_at: None,
            checkpoint_every: 0,
            ignore_cancel: false,
        }
    }
}

impl Command for RunDummy {
    const SERVICE: Service = Service::Dummy;
    const VERB: &'static str = "run";
    type Outcome = DummyOutcome;
}

/// What a finished run records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DummyOutcome {
    /// Iterations done, over all attempts.
    pub iterations: u64,
    /// Iteration at which the last attempt began: > 0 after a resume from a checkpoint.
    pub resumed_at: u64,
}
