//! Notes how long a step took, so that the next one like it has an estimate from its beginning.

use std::time::{Duration, Instant};

use bus::TimingKey;
use jiff::Timestamp;
use schemas::timings::{TimedStep, size_class};

use crate::step_context::StepContext;

/// Shorter steps need no estimate, and a synced write for each would be felt.
const NOTED_MIN: Duration = Duration::from_secs(2);

/// The duration of an attempt that has begun.
pub(crate) struct StepDuration<'a> {
    context: &'a StepContext,
    device: &'a str,
    began: Instant,
}

impl<'a> StepDuration<'a> {
    /// Begins to count.
    pub(crate) fn begin(context: &'a StepContext, device: &'a str) -> Self {
        Self {
            context,
            device,
            began: Instant::now(),
        }
    }

    /// Notes the duration of a step that has completed, in the background: nothing waits for it,
    /// and losing one is harmless. A step that was interrupted took longer than one like it will.
    pub(crate) fn note(&self, is_completed: bool) {
        let duration = self.began.elapsed();
        let context = self.context;
        let Some(spec) = context.record.plan.step(context.step()) else {
            return;
        };
        if !is_completed || duration < NOTED_MIN || context.attempt() > 1 {
            return;
        }

        let key = TimingKey {
            service: spec.service,
            verb: spec.verb.clone(),
            size: size_class(context.progress.items_total()).to_owned(),
            device: self.device.to_owned(),
        };
        let step = TimedStep {
            seconds: duration.as_secs_f64(),
            at: Timestamp::now(),
        };
        let bus = context.bus.clone();
        tokio::spawn(async move {
            if let Err(error) = bus.timings().add(&key, step).await {
                tracing::debug!(%error, "the duration of the step was not noted");
            }
        });
    }
}
