//! Traces: what became of one operation across all processes, as connected spans for a collector
//! that speaks OTLP. Off unless a variable names one.
//!
//! Ids follow from those of operations, as in the headers of messages: one trace per operation, one
//! span per attempt. Whoever concludes an operation sends its root span, so that there is one, and
//! a span sent twice after a crash is the same span.

mod exporter;
mod otlp;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::{OperationRecord, OperationState};
use schemas::trace;
use store::{RequestEnd, StoreRequest};

pub(crate) use self::exporter::is_on;
use self::exporter::send;
pub use self::exporter::{begin, flush};
pub use self::otlp::Value;
use self::otlp::{Event, Span};
use crate::meters::StepEnd;

/// Spans and events within one attempt, at most. The rest is counted on the span of the attempt.
const DETAILS_MAX: usize = 500;

tokio::task_local! {
    /// The attempt that this task works on.
    static ATTEMPT: Arc<AttemptTrace>;
}

/// An attempt whose span is sent at its end, with what happened in it.
#[derive(Debug)]
pub(crate) struct AttemptTrace {
    op: OperationId,
    step: StepNumber,
    attempt: u32,
    name: String,
    began: Timestamp,
    /// Spans and events so far, those beyond the limit included.
    details: AtomicUsize,
    events: Mutex<Vec<Event>>,
}

impl AttemptTrace {
    /// Begins where spans are sent; costs nothing where they are not.
    pub(crate) fn begin(
        record: &OperationRecord,
        step: StepNumber,
        attempt: u32,
    ) -> Option<Arc<Self>> {
        if !is_on() {
            return None;
        }

        let spec = record.plan.step(step);
        let name = spec.map(|spec| format!("{}.{}", spec.service, spec.verb));
        Some(Arc::new(Self {
            op: record.op.clone(),
            step,
            attempt,
            name: name.unwrap_or_default(),
            began: Timestamp::now(),
            details: AtomicUsize::new(0),
            events: Mutex::default(),
        }))
    }

    /// True while there is room for one more detail.
    fn admit(&self) -> bool {
        self.details.fetch_add(1, Ordering::Relaxed) < DETAILS_MAX
    }

    fn id(&self) -> u64 {
        trace::span_id(&self.op, self.step, self.attempt)
    }

    /// Notes something that happened at this instant.
    pub(crate) fn note(&self, name: &str, attributes: Vec<(&'static str, Value)>) {
        if self.admit() {
            let event = Event {
                name: name.to_owned(),
                at: Timestamp::now(),
                attributes,
            };
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.push(event);
        }
    }

    /// Sends a span within the attempt, which has just ended after `took`.
    fn send_detail(
        &self,
        name: String,
        took: Duration,
        error: Option<String>,
        attributes: Vec<(&'static str, Value)>,
    ) {
        if !self.admit() {
            return;
        }

        let ended = Timestamp::now();
        let took = SignedDuration::try_from(took).unwrap_or_default();
        send(Span {
            trace: trace::trace_id(&self.op),
            id: rand::random::<u64>().max(1),
            parent: Some(self.id()),
            name,
            began: ended.checked_sub(took).unwrap_or(ended),
            ended,
            attributes,
            events: Vec::new(),
            error,
            link: None,
        });
    }

    /// Sends the span of the attempt.
    pub(crate) fn end(&self, worker: &str, end: StepEnd, error: Option<String>) {
        let details = self.details.load(Ordering::Relaxed);
        let left_out = details.saturating_sub(DETAILS_MAX);
        let events =
            std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));

        send(Span {
            trace: trace::trace_id(&self.op),
            id: self.id(),
            parent: Some(root_id(&self.op)),
            name: self.name.clone(),
            began: self.began,
            ended: Timestamp::now(),
            attributes: vec![
                ("ktrdr.operation", self.op.as_str().into()),
                ("ktrdr.step", u64::from(self.step.get()).into()),
                ("ktrdr.attempt", u64::from(self.attempt).into()),
                ("ktrdr.worker", worker.into()),
                ("ktrdr.outcome", end.label().into()),
                ("ktrdr.details_left_out", (left_out as u64).into()),
            ],
            events,
            error,
            link: None,
        });
    }
}

/// Runs the work of an attempt; what it asks of providers and of the store belongs to its trace.
pub(crate) async fn within<F: Future>(attempt: Option<Arc<AttemptTrace>>, work: F) -> F::Output {
    match attempt {
        Some(attempt) => ATTEMPT.scope(attempt, work).await,
        None => work.await,
    }
}

/// Sends the span of a request to a provider that has just ended, within the attempt at work.
pub fn provider_asked(provider: &str, outcome: &'static str, took: Duration, waited: Duration) {
    let _ = ATTEMPT.try_with(|attempt| {
        let error = (outcome == "failed").then(|| "the provider did not answer".to_owned());
        let attributes = vec![
            ("ktrdr.provider", provider.into()),
            ("ktrdr.outcome", outcome.into()),
            ("ktrdr.waited_s", waited.as_secs_f64().into()),
        ];
        attempt.send_detail(format!("ask {provider}"), took, error, attributes);
    });
}

/// Sends the span of a write to the store. Reads are many, and say little.
pub(crate) fn store_asked(request: &StoreRequest) {
    let is_write = request.operation == "put";
    let _ = ATTEMPT.try_with(|attempt| {
        if is_write {
            let is_failed = request.end == RequestEnd::Failed;
            let error = is_failed.then(|| "the store did not answer".to_owned());
            let attributes = vec![("ktrdr.bytes", request.bytes_written.into())];
            attempt.send_detail("store put".to_owned(), request.took, error, attributes);
        }
    });
}

/// Sends the span of a submission, by whoever submitted.
pub fn submitted(op: &OperationId, began: Timestamp) {
    if !is_on() {
        return;
    }

    send(Span {
        trace: trace::trace_id(op),
        id: rand::random::<u64>().max(1),
        parent: Some(root_id(op)),
        name: "submit".to_owned(),
        began,
        ended: Timestamp::now(),
        attributes: vec![("ktrdr.operation", op.as_str().into())],
        events: Vec::new(),
        error: None,
        link: None,
    });
}

/// Sends the root span of an operation that has ended.
pub(crate) fn operation_ended(record: &OperationRecord) {
    if !is_on() {
        return;
    }

    let failure = record.failure.as_ref();
    let error = failure.map(|failure| failure.error.message.clone());
    let is_failed = record.state == OperationState::Failed;
    let parent = record.parent.as_ref();
    send(Span {
        trace: trace::trace_id(&record.op),
        id: root_id(&record.op),
        parent: None,
        name: format!("operation {}", record.op.kind()),
        began: record.created_at,
        ended: record.finished_at.unwrap_or(record.updated_at),
        attributes: vec![
            ("ktrdr.operation", record.op.as_str().into()),
            ("ktrdr.state", record.state.as_str().into()),
        ],
        events: Vec::new(),
        error: error.filter(|_| is_failed),
        link: parent.map(|parent| (trace::trace_id(&parent.op), root_id(&parent.op))),
    });
}

/// The span of the whole operation: that of its first command, before any attempt.
fn root_id(op: &OperationId) -> u64 {
    trace::span_id(op, StepNumber::FIRST, 0)
}

/// The variables of this process that begin with `OTEL_`.
fn otel_variables() -> BTreeMap<String, String> {
    let text = |value: std::ffi::OsString| value.into_string().ok();
    let variables = std::env::vars_os();
    let texts = variables.filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    texts
        .filter(|(name, _)| name.starts_with("OTEL_"))
        .collect()
}
