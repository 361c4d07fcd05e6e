//! How long the steps of a plan may be expected to take, from those of earlier operations, and how
//! long the rest of the plan: pure functions of a moment.

use std::time::Duration;

use bus::TimingKey;
use jiff::Timestamp;
use schemas::ids::StepNumber;
use schemas::operation::{OperationRecord, StepState};
use schemas::plan::StepSpec;
use schemas::progress::ProgressRecord;
use schemas::timings::{TimedStep, Timings, expected_seconds, size_class};

use super::StepProgress;
use crate::console::durations::after;

/// A step without a history counts as nothing if its share of the plan is smaller than this.
const NEGLIGIBLE_SHARE: f64 = 0.1;

/// The durations of earlier steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectations {
    histories: Vec<(TimingKey, Timings)>,
}

impl Expectations {
    /// What the workers noted.
    pub(super) fn new(histories: Vec<(TimingKey, Timings)>) -> Self {
        Self { histories }
    }

    /// How long a step takes that works on `items` items; 0 where nobody knows their number yet.
    pub(super) fn of_step(&self, spec: &StepSpec, items: u64, now: Timestamp) -> Option<Duration> {
        let size = size_class(items);
        let alike = |key: &TimingKey| key.service == spec.service && key.verb == spec.verb;
        let of_size = self.steps_of(|key| alike(key) && key.size == size);

        // Before a step has said how large it is, all sizes count.
        let seconds = expected_seconds(&of_size, now)
            .or_else(|| expected_seconds(&self.steps_of(alike), now))?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn steps_of(&self, is_alike: impl Fn(&TimingKey) -> bool) -> Vec<TimedStep> {
        self.histories
            .iter()
            .filter(|(key, _)| is_alike(key))
            .flat_map(|(_, timings)| timings.steps.iter().copied())
            .collect()
    }
}

/// Time left of one step at `now`; none where nobody knows.
pub(super) fn time_left_of_step(
    expectations: &Expectations,
    record: &OperationRecord,
    progress: &StepProgress,
    number: StepNumber,
    now: Timestamp,
) -> Option<Duration> {
    let step = record.step(number)?;
    let spec = record.plan.step(number)?;
    if step.state.is_terminal() {
        return Some(Duration::ZERO);
    }

    // Only what this attempt reports says how far it is.
    let report = progress
        .get(&number)
        .filter(|report| step.state == StepState::Running && report.attempt == step.attempt);
    if let Some(remaining) = report.and_then(|report| reported_time_left(report, now)) {
        return Some(remaining);
    }

    let items = report
        .and_then(|report| report.items)
        .map_or(0, |items| items.total);
    let expected = expectations.of_step(spec, items, now)?;
    let worked = report.map_or(Duration::ZERO, |report| after(report.started_at, now));
    Some(expected.saturating_sub(worked))
}

/// The worker's estimate, less the time since it was made.
pub(super) fn reported_time_left(report: &ProgressRecord, now: Timestamp) -> Option<Duration> {
    let estimate = Duration::try_from_secs_f64(report.eta_s?).ok()?;
    Some(estimate.saturating_sub(after(report.at, now)))
}

/// Time left of the whole plan: of each stage its longest step. None while nobody knows how long a
/// large step takes.
pub(super) fn time_left_of_plan(
    expectations: &Expectations,
    record: &OperationRecord,
    progress: &StepProgress,
    now: Timestamp,
) -> Option<Duration> {
    let weight_of_plan: f64 = record.plan.steps().map(|spec| spec.weight).sum();
    let numbers: Vec<StepNumber> = record.numbers().collect();
    let mut remaining = Duration::ZERO;

    for stage in record.plan.numbered_stages() {
        let mut longest = Duration::ZERO;
        for number in numbers.get(stage).unwrap_or_default() {
            let of_step = time_left_of_step(expectations, record, progress, *number, now);
            let weight = record.plan.step(*number)?.weight;
            let is_negligible = weight < NEGLIGIBLE_SHARE * weight_of_plan;
            let of_step = of_step.or(is_negligible.then_some(Duration::ZERO))?;
            longest = longest.max(of_step);
        }
        remaining += longest;
    }
    Some(remaining)
}
