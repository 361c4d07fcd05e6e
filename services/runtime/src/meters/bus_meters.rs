//! Meters of the connection to the server, and of what else a worker depends on.

use bus::ServerClock;
use prometheus::{GaugeVec, HistogramVec, IntCounter, IntGauge, IntGaugeVec, Registry, Result};

use super::METERS;
use super::definition::{counter, durations, figures, gauge, gauges};

/// Bounds of round trips: 0.5 ms to 5 s.
const ROUND_TRIP_BOUNDS: [f64; 9] = [0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

pub(super) struct BusMeters {
    connected: IntGauge,
    reconnects: IntCounter,
    round_trips: HistogramVec,
    clock_skew: GaugeVec,
    conditions: IntGaugeVec,
    free_space: IntGauge,
}

impl BusMeters {
    pub(super) fn define(registry: &Registry) -> Result<Self> {
        Ok(Self {
            connected: gauge(
                registry,
                "ktrdr_bus_connected",
                "1 while the connection to the server stands, else 0.",
            )?,
            reconnects: counter(
                registry,
                "ktrdr_bus_reconnects_total",
                "How often the connection to the server came back.",
            )?,
            round_trips: durations(
                registry,
                "ktrdr_bus_round_trip_seconds",
                "Round trips of questions to JetStream, one for each look at the conditions.",
                &[],
                &ROUND_TRIP_BOUNDS,
            )?,
            clock_skew: figures(
                registry,
                "ktrdr_clock_skew_seconds",
                "How far the clock of the server is ahead of ours; negative when behind.",
                &[],
            )?,
            conditions: gauges(
                registry,
                "ktrdr_condition_ok",
                "1 while the worker can use what the label names, else 0.",
                &["condition"],
            )?,
            free_space: gauge(
                registry,
                "ktrdr_free_space_bytes",
                "Free space of the disk that the worker writes to.",
            )?,
        })
    }
}

/// Shows how often the connection came back, as its own count has it.
pub(crate) struct Reconnects {
    pub(crate) is_connected: bool,
    pub(crate) count: u64,
}

impl Reconnects {
    pub(crate) fn note(self) {
        let Some(meters) = METERS.get() else { return };
        meters.bus.connected.set(i64::from(self.is_connected));

        let reconnects = &meters.bus.reconnects;
        reconnects.inc_by(self.count.saturating_sub(reconnects.get()));
    }
}

/// Notes the clock of the server, and how long the question took.
pub(crate) fn clock_measured(clock: &ServerClock) {
    let Some(meters) = METERS.get() else { return };
    let nothing: [&str; 0] = [];

    let round_trips = meters.bus.round_trips.with_label_values(&nothing);
    round_trips.observe(clock.round_trip.as_secs_f64());
    let skew = meters.bus.clock_skew.with_label_values(&nothing);
    skew.set(clock.ahead.as_secs_f64());
}

/// Notes whether the worker can use something that it depends on.
pub(crate) fn condition_measured(condition: &'static str, is_ok: bool) {
    let Some(meters) = METERS.get() else { return };
    let conditions = &meters.bus.conditions;
    conditions
        .with_label_values(&[condition])
        .set(i64::from(is_ok));
}

/// Notes the free space of the disk that the worker writes to.
pub(crate) fn space_measured(bytes: u64) {
    let Some(meters) = METERS.get() else { return };
    meters
        .bus
        .free_space
        .set(bytes.try_into().unwrap_or(i64::MAX));
}
