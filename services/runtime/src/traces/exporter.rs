//! Sends finished spans to a collector in the background. Work never waits for it: a full queue
//! drops spans, and a collector that is away loses them.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use schemas::errors::chain;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::otel_variables;
use super::otlp::{Span, request};

/// Spans that wait for the collector, at most.
const QUEUE_MAX: usize = 4_096;
/// Spans of one request, at most.
const BATCH_MAX: usize = 512;
/// Spans are gathered for this long before they are sent.
const GATHER: Duration = Duration::from_millis(500);
/// How long the collector may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a command or of a process waits for its last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// What the exporter is asked for.
enum Wish {
    Send(Box<Span>),
    /// To be answered once all spans before it are sent.
    Flush(oneshot::Sender<()>),
}

struct Exporter {
    wishes: mpsc::Sender<Wish>,
    dropped: AtomicU64,
}

static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// Where spans go, and with which headers.
#[derive(Debug)]
struct Target {
    url: String,
    headers: HeaderMap,
}

/// True in a process that sends spans.
pub(crate) fn is_on() -> bool {
    EXPORTER.get().is_some()
}

/// Sends spans from now on, if the variables of OpenTelemetry name a collector. The exporter ends
/// with the executor.
pub fn begin(service: &str, instance: &str) {
    let Some(target) = target_of(&otel_variables()) else {
        return;
    };

    let (wishes, asked_for) = mpsc::channel(QUEUE_MAX);
    let exporter = Exporter {
        wishes,
        dropped: AtomicU64::new(0),
    };
    if EXPORTER.set(exporter).is_ok() {
        tracing::debug!(url = target.url, "spans are sent to a collector");
        let sender = Sender {
            target,
            client: client(),
            service: service.to_owned(),
            instance: instance.to_owned(),
            has_warned: AtomicBool::new(false),
        };
        tokio::spawn(sender.run(asked_for));
    }
}

/// Puts a span into the queue, if there is room.
pub(super) fn send(span: Span) {
    let Some(exporter) = EXPORTER.get() else {
        return;
    };
    if exporter
        .wishes
        .try_send(Wish::Send(Box::new(span)))
        .is_err()
    {
        exporter.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until the spans so far are sent, but not for long.
pub async fn flush() {
    let Some(exporter) = EXPORTER.get() else {
        return;
    };
    let (sender, is_sent) = oneshot::channel();
    if exporter.wishes.try_send(Wish::Flush(sender)).is_ok() {
        let _ = timeout(FLUSH_TIMEOUT, is_sent).await;
    }

    let dropped = exporter.dropped.load(Ordering::Relaxed);
    if dropped > 0 {
        tracing::warn!(dropped, "the collector is too slow: spans were dropped");
    }
}

/// The collector that the variables of OpenTelemetry name.
fn target_of(variables: &BTreeMap<String, String>) -> Option<Target> {
    let value = |name: &str| variables.get(name).filter(|text| !text.is_empty());
    let url = match value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        Some(url) => url.clone(),
        None => {
            let base = value("OTEL_EXPORTER_OTLP_ENDPOINT")?;
            format!("{}/v1/traces", base.trim_end_matches('/'))
        }
    };

    let headers = value("OTEL_EXPORTER_OTLP_HEADERS").map(String::as_str);
    Some(Target {
        url,
        headers: headers_of(headers.unwrap_or_default()),
    })
}

/// `name=value,name=value`; what is no header is left out.
fn headers_of(text: &str) -> HeaderMap {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let headers = pairs.filter_map(|(name, value)| {
        let name: HeaderName = name.trim().parse().ok()?;
        let mut value: HeaderValue = value.trim().parse().ok()?;
        value.set_sensitive(true);
        Some((name, value))
    });
    headers.collect()
}

fn client() -> Option<Client> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let client = Client::builder().timeout(SEND_TIMEOUT).build();
    client
        .inspect_err(|error| tracing::warn!(error = %chain(error), "no spans can be sent"))
        .ok()
}

struct Sender {
    target: Target,
    client: Option<Client>,
    service: String,
    instance: String,
    has_warned: AtomicBool,
}

impl Sender {
    async fn run(self, mut asked_for: mpsc::Receiver<Wish>) {
        let mut wishes = Vec::new();

        while asked_for.recv_many(&mut wishes, BATCH_MAX).await > 0 {
            // A few more may come, unless somebody waits.
            let is_awaited = wishes.iter().any(|wish| matches!(wish, Wish::Flush(_)));
            if !is_awaited {
                tokio::select! {
                    () = sleep(GATHER) => {}
                    _ = asked_for.recv_many(&mut wishes, BATCH_MAX) => {}
                }
            }

            self.serve(std::mem::take(&mut wishes)).await;
        }
    }

    async fn serve(&self, wishes: Vec<Wish>) {
        let mut spans = Vec::new();
        let mut waiting = Vec::new();
        for wish in wishes {
            match wish {
                Wish::Send(span) => spans.push(*span),
                Wish::Flush(sender) => waiting.push(sender),
            }
        }

        if !spans.is_empty() {
            self.post(&spans).await;
        }
        for sender in waiting {
            let _ = sender.send(());
        }
    }

    async fn post(&self, spans: &[Span]) {
        let Some(client) = &self.client else { return };
        let body = request(&self.service, &self.instance, spans).to_string();

        let sent = client
            .post(&self.target.url)
            .headers(self.target.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        match sent {
            Ok(_) => self.has_warned.store(false, Ordering::Relaxed),
            Err(error) => self.warn_lost(&chain(&error), spans.len()),
        }
    }

    /// Once for each time that the collector goes away: the log must not fill with it.
    fn warn_lost(&self, error: &str, spans: usize) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error,
                spans,
                "the collector does not take spans; they are lost"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_of(variables: &[(&str, &str)]) -> Option<String> {
        let pairs = variables.iter();
        let variables = pairs.map(|pair| (pair.0.to_owned(), pair.1.to_owned()));
        target_of(&variables.collect()).map(|target| target.url)
    }

    #[test]
    fn the_variables_of_opentelemetry_name_the_collector() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/traces");

        assert_eq!(url_of(&[]), None);
        assert_eq!(url_of(&[(all.0, "")]), None);
        let url = url_of(&[all]);
        assert_eq!(url.as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(url_of(&[all, traces]).as_deref(), Some(traces.1));
    }

    #[test]
    fn headers_are_read_from_pairs_and_never_shown() {
        let headers = headers_of("authorization=Bearer abc, x-team=quant,nonsense");

        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-team"], "quant");
        assert!(!format!("{headers:?}").contains("abc"));
    }
}
