//! Meters of the store: its requests, and the bytes of its objects.

use prometheus::{HistogramVec, IntCounterVec, Registry, Result};
use store::{RequestEnd, StoreRequest};

use super::METERS;
use super::definition::{counters, durations};

/// Bounds of the durations of requests: 1 ms to 30 s.
const REQUEST_BOUNDS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

pub(super) struct StoreMeters {
    requests: HistogramVec,
    bytes: IntCounterVec,
}

impl StoreMeters {
    pub(super) fn define(registry: &Registry) -> Result<Self> {
        Ok(Self {
            requests: durations(
                registry,
                "ktrdr_store_request_duration_seconds",
                "Durations of requests to the object store, of reads until the first byte.",
                &["operation", "outcome"],
                &REQUEST_BOUNDS,
            )?,
            bytes: counters(
                registry,
                "ktrdr_store_bytes_total",
                "Bytes of objects that were read from the store or written to it.",
                &["direction"],
            )?,
        })
    }
}

/// Counts a request to the store that ended.
pub(crate) fn store_asked(request: &StoreRequest) {
    let Some(meters) = METERS.get() else { return };
    let outcome = match request.end {
        RequestEnd::Done => "done",
        RequestEnd::Absent => "absent",
        RequestEnd::Exists => "exists",
        RequestEnd::Failed => "failed",
    };
    let store = &meters.store;

    let requests = store
        .requests
        .with_label_values(&[request.operation, outcome]);
    requests.observe(request.took.as_secs_f64());
    let read = store.bytes.with_label_values(&["read"]);
    read.inc_by(request.bytes_read);
    let written = store.bytes.with_label_values(&["written"]);
    written.inc_by(request.bytes_written);
}
