//! Meters of what only some services do: requests to providers, epochs, GPUs.

use std::time::Duration;

use prometheus::{CounterVec, HistogramVec, IntCounter, IntGaugeVec, Opts, Registry, Result};
use schemas::progress::GpuFacts;

use super::METERS;
use super::definition::{counter, durations, gauges};

/// Bounds of the durations of provider requests: 50 ms to 2 minutes.
const REQUEST_BOUNDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

pub(super) struct ServiceMeters {
    provider_waits: CounterVec,
    provider_requests: HistogramVec,
    epochs: IntCounter,
    device_memory: IntGaugeVec,
    device_memory_used: IntGaugeVec,
}

impl ServiceMeters {
    pub(super) fn define(registry: &Registry) -> Result<Self> {
        let waits = Opts::new(
            "ktrdr_provider_wait_seconds_total",
            "Seconds that requests waited for a limit of their provider.",
        );
        let provider_waits = CounterVec::new(waits, &["provider"])?;
        registry.register(Box::new(provider_waits.clone()))?;

        Ok(Self {
            provider_waits,
            provider_requests: durations(
                registry,
                "ktrdr_provider_request_duration_seconds",
                "Durations of requests to providers of bars, waits for limits included.",
                &["provider", "outcome"],
                &REQUEST_BOUNDS,
            )?,
            epochs: counter(
                registry,
                "ktrdr_trained_epochs_total",
                "Epochs that trainings of this process have finished.",
            )?,
            device_memory: gauges(
                registry,
                "ktrdr_device_memory_bytes",
                "Memory of the GPU.",
                &["model"],
            )?,
            device_memory_used: gauges(
                registry,
                "ktrdr_device_memory_used_bytes",
                "Memory of the GPU in use, by whichever process.",
                &["model"],
            )?,
        })
    }
}

/// Counts a request to a provider that ended: `answered`, `failed` or `left`.
pub fn provider_asked(provider: &str, outcome: &'static str, took: Duration) {
    let Some(meters) = METERS.get() else { return };
    let requests = &meters.services.provider_requests;
    let requests = requests.with_label_values(&[provider, outcome]);
    requests.observe(took.as_secs_f64());
}

/// Counts the time that a request waited for a limit of its provider.
pub fn provider_waited(provider: &str, waited: Duration) {
    let Some(meters) = METERS.get() else { return };
    let waits = meters
        .services
        .provider_waits
        .with_label_values(&[provider]);
    waits.inc_by(waited.as_secs_f64());
}

/// Counts an epoch of a training.
pub fn epoch_trained() {
    let Some(meters) = METERS.get() else { return };
    meters.services.epochs.inc();
}

/// Notes what the driver of the device says.
pub(crate) fn device_measured(facts: &GpuFacts) {
    let Some(meters) = METERS.get() else { return };
    let used = facts.memory_used_bytes.try_into().unwrap_or(i64::MAX);
    let all = facts.memory_bytes.try_into().unwrap_or(i64::MAX);
    let model = [facts.model.as_str()];
    let services = &meters.services;
    let in_use = services.device_memory_used.with_label_values(&model);
    in_use.set(used);
    services.device_memory.with_label_values(&model).set(all);
}
