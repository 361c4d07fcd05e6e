//! Meters of the queues of a worker, and of commands that went astray.

use bus::QueueView;
use jiff::Timestamp;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Registry, Result};
use schemas::ids::{Lane, Service};

use super::METERS;
use super::definition::{counters, figures, gauges};

pub(super) struct QueueMeters {
    waiting: IntGaugeVec,
    claimed: IntGaugeVec,
    waiting_pulls: IntGaugeVec,
    oldest: GaugeVec,
    redeliveries: IntCounterVec,
    takeovers: IntCounterVec,
    dead_letters: IntCounterVec,
}

impl QueueMeters {
    pub(super) fn define(registry: &Registry) -> Result<Self> {
        let queue = &["service", "lane"];

        Ok(Self {
            waiting: gauges(
                registry,
                "ktrdr_queue_waiting_commands",
                "Commands of the queue that no worker has been given.",
                queue,
            )?,
            claimed: gauges(
                registry,
                "ktrdr_queue_claimed_commands",
                "Commands of the queue that workers have and did not acknowledge yet.",
                queue,
            )?,
            waiting_pulls: gauges(
                registry,
                "ktrdr_queue_waiting_pulls",
                "Free slots that ask the queue for a command.",
                queue,
            )?,
            oldest: figures(
                registry,
                "ktrdr_queue_oldest_command_age_seconds",
                "Age of the oldest command that no worker has been given; 0 without one.",
                queue,
            )?,
            redeliveries: counters(
                registry,
                "ktrdr_redeliveries_total",
                "Commands that came to this worker after an earlier delivery.",
                &["service"],
            )?,
            takeovers: counters(
                registry,
                "ktrdr_takeovers_total",
                "Steps taken from lost workers, by the housekeeper or by the next worker.",
                &["by"],
            )?,
            dead_letters: counters(
                registry,
                "ktrdr_dead_letters_total",
                "Dead letters that this process wrote, by service of the command.",
                &["service"],
            )?,
        })
    }
}

impl QueueMeters {
    /// Shows no queue until it is measured again.
    pub(super) fn forget(&self) {
        for gauges in [&self.waiting, &self.claimed, &self.waiting_pulls] {
            gauges.reset();
        }
        self.oldest.reset();
    }
}

/// Notes the state of one queue.
pub(crate) fn queue_measured(service: Service, lane: Lane, view: &QueueView, now: Timestamp) {
    let Some(meters) = METERS.get() else { return };
    let labels = [service.as_str(), lane.as_str()];
    let queues = &meters.queues;
    let age = view.oldest_at.map(|at| now.duration_since(at));
    let age_s = age.map_or(0.0, |age| age.as_secs_f64().max(0.0));

    for (gauges, count) in [
        (&queues.waiting, view.depth.pending),
        (&queues.claimed, view.depth.claimed),
        (&queues.waiting_pulls, view.depth.waiting_pulls),
    ] {
        let count = count.try_into().unwrap_or(i64::MAX);
        gauges.with_label_values(&labels).set(count);
    }
    queues.oldest.with_label_values(&labels).set(age_s);
}

/// Counts a delivery that is not the first of its command.
pub(crate) fn redelivered(service: Service) {
    let Some(meters) = METERS.get() else { return };
    let redeliveries = &meters.queues.redeliveries;
    redeliveries.with_label_values(&[service.as_str()]).inc();
}

/// Counts a step that was taken from a lost worker: by the `housekeeper`, or by a `worker`.
pub(crate) fn step_taken_over(by: &'static str) {
    let Some(meters) = METERS.get() else { return };
    meters.queues.takeovers.with_label_values(&[by]).inc();
}

/// Counts a dead letter.
pub(crate) fn dead_letter_written(service: Service) {
    let Some(meters) = METERS.get() else { return };
    let dead_letters = &meters.queues.dead_letters;
    dead_letters.with_label_values(&[service.as_str()]).inc();
}
