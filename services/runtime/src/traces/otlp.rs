//! Finished spans in the JSON form of OTLP, which every collector reads at `/v1/traces`.
//!
//! Written by hand: the form is small and fixed, and our ids follow from those of operations, which
//! the usual libraries would choose themselves.

use jiff::Timestamp;
use serde_json::json;

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any UTF-8 text.
    Text(String),
    /// A whole number from 0.
    Whole(u64),
    /// A figure with a fraction.
    Figure(f64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Value {
    fn from(figure: f64) -> Self {
        Self::Figure(figure)
    }
}

impl Value {
    fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => json!({ "stringValue": text }),
            // 64 bits have no room in the numbers of JSON.
            Self::Whole(number) => json!({ "intValue": number.to_string() }),
            Self::Figure(figure) if figure.is_finite() => json!({ "doubleValue": figure }),
            Self::Figure(figure) => json!({ "stringValue": figure.to_string() }),
        }
    }
}

/// Something that happened at an instant of a span.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) at: Timestamp,
    pub(super) attributes: Vec<(&'static str, Value)>,
}

/// A span that has ended.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: String,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) events: Vec<Event>,
    /// What failed, if something did.
    pub(super) error: Option<String>,
    /// Trace and span of the operation that made this one.
    pub(super) link: Option<(u128, u64)>,
}

/// A request with these spans, all of one process.
pub(super) fn request(service: &str, instance: &str, spans: &[Span]) -> serde_json::Value {
    let resource = attributes(&[
        ("service.name", service.into()),
        ("service.version", env!("CARGO_PKG_VERSION").into()),
        ("service.instance.id", instance.into()),
    ]);
    let spans: Vec<_> = spans.iter().map(span_json).collect();

    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "ktrdr" }, "spans": spans }],
    }] })
}

fn span_json(span: &Span) -> serde_json::Value {
    let events: Vec<_> = span.events.iter().map(event_json).collect();
    let links: Vec<_> = span.link.iter().map(link_json).collect();
    let status = match &span.error {
        Some(message) => json!({ "code": 2, "message": message }),
        None => json!({ "code": 1 }),
    };

    json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "parentSpanId": span.parent.map_or_else(String::new, |id| format!("{id:016x}")),
        "name": span.name,
        "kind": 1,
        "startTimeUnixNano": nanoseconds(span.began),
        "endTimeUnixNano": nanoseconds(span.ended.max(span.began)),
        "attributes": attributes(&span.attributes),
        "events": events,
        "links": links,
        "status": status,
    })
}

fn event_json(event: &Event) -> serde_json::Value {
    json!({
        "timeUnixNano": nanoseconds(event.at),
        "name": event.name,
        "attributes": attributes(&event.attributes),
    })
}

fn link_json(link: &(u128, u64)) -> serde_json::Value {
    json!({
        "traceId": format!("{:032x}", link.0),
        "spanId": format!("{:016x}", link.1),
    })
}

fn attributes(pairs: &[(&'static str, Value)]) -> Vec<serde_json::Value> {
    let pairs = pairs.iter();
    pairs
        .map(|pair| json!({ "key": pair.0, "value": pair.1.json() }))
        .collect()
}

fn nanoseconds(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_form_of_the_specification() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let span = Span {
            trace: 0xabc,
            id: 0x12,
            parent: Some(0x11),
            name: "fetcher.fetch".to_owned(),
            began: at("2026-03-01T12:00:00Z"),
            ended: at("2026-03-01T12:00:00.5Z"),
            attributes: vec![("ktrdr.step", 1.into()), ("ktrdr.waited_s", 0.5.into())],
            events: vec![Event {
                name: "epoch".to_owned(),
                at: at("2026-03-01T12:00:00.25Z"),
                attributes: Vec::new(),
            }],
            error: Some("no answer".to_owned()),
            link: Some((0xdef, 0x34)),
        };

        assert_eq!(
            span_json(&span),
            json!({
                "traceId": "00000000000000000000000000000abc",
                "spanId": "0000000000000012",
                "parentSpanId": "0000000000000011",
                "name": "fetcher.fetch",
                "kind": 1,
                "startTimeUnixNano": "1772366400000000000",
                "endTimeUnixNano": "1772366400500000000",
                "attributes": [
                    { "key": "ktrdr.step", "value": { "intValue": "1" } },
                    { "key": "ktrdr.waited_s", "value": { "doubleValue": 0.5 } },
                ],
                "events": [{
                    "timeUnixNano": "1772366400250000000",
                    "name": "epoch",
                    "attributes": [],
                }],
                "links": [{
                    "traceId": "00000000000000000000000000000def",
                    "spanId": "0000000000000034",
                }],
                "status": { "code": 2, "message": "no answer" },
            })
        );
    }
}
