//! Meters of the work that every service does: steps, slots, operations, progress.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::{
    HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, Result,
};
use schemas::ids::{OperationId, Service};
use schemas::operation::{OperationRecord, OperationState};

use super::METERS;
use super::definition::{counter, counters, durations, gauge, gauges};

/// Kinds of operations that are a label of their own. An id may be made up: all others are `other`.
const KINDS: [&str; 5] = ["confirm", "data", "dummy", "family", "train"];
/// Bounds of the durations of steps: 10 ms to 6 hours.
const STEP_BOUNDS: [f64; 12] = [
    0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 10_800.0, 21_600.0,
];

pub(super) struct WorkMeters {
    steps: IntCounterVec,
    step_durations: HistogramVec,
    slots: IntGauge,
    slots_in_use: IntGauge,
    operations_ended: IntCounterVec,
    operations_active: IntGaugeVec,
    housekeeper: IntGauge,
    progress_records: IntCounter,
    progress_superseded: IntCounter,
}

impl WorkMeters {
    pub(super) fn define(registry: &Registry) -> Result<Self> {
        Ok(Self {
            steps: counters(
                registry,
                "ktrdr_steps_total",
                "Attempts at steps that ended here, by kind of the operation and outcome.",
                &["service", "kind", "outcome"],
            )?,
            step_durations: durations(
                registry,
                "ktrdr_step_duration_seconds",
                "Durations of the attempts at steps, from the claim to the end.",
                &["service", "kind"],
                &STEP_BOUNDS,
            )?,
            slots: gauge(
                registry,
                "ktrdr_slots",
                "Steps that the worker may work on.",
            )?,
            slots_in_use: gauge(
                registry,
                "ktrdr_slots_in_use",
                "Steps that the worker works on now.",
            )?,

            operations_ended: counters(
                registry,
                "ktrdr_operations_ended_total",
                "Operations whose last step was concluded here, by kind and final state.",
                &["kind", "state"],
            )?,
            operations_active: gauges(
                registry,
                "ktrdr_operations_active",
                "Operations that have not ended; counted by the housekeeper alone.",
                &["kind", "state"],
            )?,
            housekeeper: gauge(
                registry,
                "ktrdr_housekeeper",
                "1 in the one process that does the housekeeping, else 0.",
            )?,

            progress_records: counter(
                registry,
                "ktrdr_progress_records_total",
                "Progress records that were published.",
            )?,
            progress_superseded: counter(
                registry,
                "ktrdr_progress_superseded_total",
                "Progress reports that a newer one replaced before they were published.",
            )?,
        })
    }
}

/// How an attempt at a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepEnd {
    /// It did its work.
    Completed,
    /// It failed for good.
    Failed,
    /// It failed for now.
    Retrying,
    /// A cancel stopped it.
    Cancelled,
    /// The process ended; another worker goes on.
    Released,
    /// Another worker had taken the step.
    Fenced,
}

impl StepEnd {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Retrying => "retrying",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
            Self::Fenced => "fenced",
        }
    }
}

fn kind_label(op: &OperationId) -> &'static str {
    let kind = KINDS.iter().find(|kind| **kind == op.kind());
    kind.copied().unwrap_or("other")
}

/// Counts an attempt that ended.
pub(crate) fn step_ended(service: Service, op: &OperationId, end: StepEnd, took: Duration) {
    let Some(meters) = METERS.get() else { return };
    let kind = kind_label(op);
    let service = service.as_str();

    let steps = meters
        .work
        .steps
        .with_label_values(&[service, kind, end.label()]);
    steps.inc();
    let durations = meters
        .work
        .step_durations
        .with_label_values(&[service, kind]);
    durations.observe(took.as_secs_f64());
}

/// Notes how many steps a worker may work on, and how many it does.
pub(crate) fn slots_measured(slots: u16, in_use: usize) {
    let Some(meters) = METERS.get() else { return };
    meters.work.slots.set(i64::from(slots));
    meters
        .work
        .slots_in_use
        .set(in_use.try_into().unwrap_or(i64::MAX));
}

/// Counts an operation whose last step was concluded by this process.
pub(crate) fn operation_ended(record: &OperationRecord) {
    let Some(meters) = METERS.get() else { return };
    let labels = [kind_label(&record.op), record.state.as_str()];
    meters
        .work
        .operations_ended
        .with_label_values(&labels)
        .inc();
}

/// Notes that this process does the housekeeping.
pub(crate) fn housekeeping_begun() {
    let Some(meters) = METERS.get() else { return };
    meters.work.housekeeper.set(1);
}

/// Notes that another process may do the housekeeping: what it counts is not ours to show.
pub(crate) fn housekeeping_left() {
    let Some(meters) = METERS.get() else { return };
    meters.work.housekeeper.set(0);
    meters.work.operations_active.reset();
    meters.queues.forget();
}

/// True in the process that does the housekeeping.
pub(crate) fn keeps_house() -> bool {
    METERS
        .get()
        .is_some_and(|meters| meters.work.housekeeper.get() == 1)
}

/// An operation that a sweep found, and its state.
pub(crate) type SeenOperation = (OperationId, OperationState);

/// Notes the operations that a sweep found, by kind and state.
pub(crate) fn active_measured(operations: &[SeenOperation]) {
    let Some(meters) = METERS.get() else { return };
    let mut counts: BTreeMap<[&str; 2], i64> = BTreeMap::new();
    for seen in operations {
        let labels = [kind_label(&seen.0), seen.1.as_str()];
        *counts.entry(labels).or_default() += 1;
    }

    // What is not there any more has no figure.
    let active = &meters.work.operations_active;
    active.reset();
    for (labels, count) in counts {
        active.with_label_values(&labels).set(count);
    }
}

/// Counts a published progress record, and the reports that it stands for beyond one.
pub(crate) fn progress_published(superseded: u64) {
    let Some(meters) = METERS.get() else { return };
    meters.work.progress_records.inc();
    meters.work.progress_superseded.inc_by(superseded);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_made_up_makes_no_label() {
        let kind_of = |text: &str| kind_label(&text.parse().unwrap());

        assert_eq!(kind_of("op_train_20260301_142233_9f3a01bc"), "train");
        assert_eq!(kind_of("op_made7up_20260301_142233_9f3a01bc"), "other");
    }
}
