//! Notes how long a step took, so that the next one like it has an estimate from its beginning.

use std::time::Duration;

use bus::TimingKey;
use jiff::Timestamp;
use schemas::timings::{TimedStep, size_class};

use crate::step_context::StepContext;

/// Shorter steps need no estimate, and a synced write for each would be felt.
const NOTED_MIN: Duration = Duration::from_secs(2);

/// Notes the duration of a step that has completed, in the background: nothing waits for it, and
/// losing one is harmless. A step that was interrupted took longer than one like it will.
pub(crate) fn note(context: &StepContext, device: &str, took: Duration) {
    let record = &context.record;
    let Some(spec) = record.plan.step(context.step()) else {
        return;
    };
    if took < NOTED_MIN || context.attempt() > 1 {
        return;
    }

    let key = TimingKey {
        service: spec.service,
        verb: spec.verb.clone(),
        size: size_class(context.progress.items_total()).to_owned(),
        device: device.to_owned(),
    };
    let step = TimedStep {
        seconds: took.as_secs_f64(),
        at: Timestamp::now(),
    };
    let bus = context.bus.clone();
    tokio::spawn(async move {
        if let Err(error) = bus.timings().add(&key, step).await {
            tracing::debug!(%error, "the duration of the step was not noted");
        }
    });
}
