//! What a process counts and measures for those who watch a fleet: plain functions for whoever does
//! something that counts, and the page that Prometheus reads.
//!
//! Nothing is counted in a process without `metrics_address`: a call is then one look at a flag.
//! Names follow the rules of Prometheus, with base units. Labels have few values: neither an
//! operation, a worker nor a symbol is one.

mod bus_meters;
mod definition;
mod process_meters;
mod queue_meters;
mod service_meters;
mod store_meters;
mod work_meters;

use std::sync::OnceLock;

use prometheus::{Registry, TextEncoder};

pub(crate) use self::bus_meters::{Reconnects, clock_measured, condition_measured, space_measured};
pub(crate) use self::queue_meters::{
    dead_letter_written, queue_measured, redelivered, step_taken_over,
};
pub(crate) use self::service_meters::device_measured;
pub use self::service_meters::{epoch_trained, provider_asked, provider_waited};
pub(crate) use self::store_meters::store_asked;
pub(crate) use self::work_meters::{
    SeenOperation, StepEnd, active_measured, housekeeping_begun, housekeeping_left, keeps_house,
    operation_ended, progress_published, slots_measured, step_ended,
};

/// All that is counted in this process.
struct Meters {
    registry: Registry,
    bus: bus_meters::BusMeters,
    process: process_meters::ProcessMeters,
    queues: queue_meters::QueueMeters,
    services: service_meters::ServiceMeters,
    store: store_meters::StoreMeters,
    work: work_meters::WorkMeters,
}

static METERS: OnceLock<Meters> = OnceLock::new();

impl Meters {
    fn define() -> prometheus::Result<Self> {
        let registry = Registry::new();

        Ok(Self {
            bus: bus_meters::BusMeters::define(&registry)?,
            process: process_meters::ProcessMeters::define(&registry)?,
            queues: queue_meters::QueueMeters::define(&registry)?,
            services: service_meters::ServiceMeters::define(&registry)?,
            store: store_meters::StoreMeters::define(&registry)?,
            work: work_meters::WorkMeters::define(&registry)?,
            registry,
        })
    }
}

/// Counts from now on, until the process ends.
///
/// # Errors
/// Two meters have the same name: a defect of the program.
pub(crate) fn begin(service: &str) -> prometheus::Result<()> {
    if METERS.get().is_none() {
        let meters = Meters::define()?;
        meters.process.name_build(service);
        let _ = METERS.set(meters);
    }
    Ok(())
}

/// True in a process that counts.
pub(crate) fn is_on() -> bool {
    METERS.get().is_some()
}

/// The page as Prometheus reads it, text format 0.0.4.
pub(crate) fn page() -> String {
    let Some(meters) = METERS.get() else {
        return String::new();
    };

    meters.process.measure();
    TextEncoder::new()
        .encode_to_string(&meters.registry.gather())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meters_have_different_names() {
        let meters = Meters::define().unwrap();
        meters.process.name_build("dummy");

        assert!(!meters.registry.gather().is_empty());
    }
}
