//! The small HTTP server of a process that is watched: `/metrics`, `/livez` and `/readyz`, for as
//! long as the process lives.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::ticks::unhurried_ticks;
use crate::vitals::Vitals;

/// Connections at a time; the next one waits.
const CONNECTIONS_MAX: usize = 32;
/// How long a client may take to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a connection that the system could not accept.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
/// The text format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// A server that answers until it is dropped.
pub(crate) struct Exposition {
    _serving: AbortOnDropHandle<()>,
}

impl Exposition {
    /// Listens, and answers from what `vitals` shares.
    pub(crate) async fn start(address: SocketAddr, vitals: Vitals) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        tracing::info!(address = %bound, "metrics are served at http://{bound}/metrics");

        let serving = tokio::spawn(accept(listener, vitals));
        Ok(Self {
            _serving: AbortOnDropHandle::new(serving),
        })
    }
}

async fn accept(listener: TcpListener, vitals: Vitals) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut pauses = unhurried_ticks(REFUSED_PAUSE);

    // It is never closed.
    while let Ok(permit) = permits.clone().acquire_owned().await {
        match listener.accept().await {
            Ok(accepted) => {
                let vitals = vitals.clone();
                tokio::spawn(async move {
                    serve_connection(accepted.0, vitals).await;
                    drop(permit);
                });
            }
            // Out of files, perhaps: it may pass.
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                pauses.tick().await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, vitals: Vitals) {
    let answers = service_fn(move |request| {
        let vitals = vitals.clone();
        async move { Ok::<_, Infallible>(answer(&request, &vitals).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answers)
        .await;

    if let Err(error) = served {
        tracing::debug!(%error, "a client of the metrics went away");
    }
}

async fn answer(request: &Request<Incoming>, vitals: &Vitals) -> Response<Full<Bytes>> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refusal = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD\n".to_owned(),
        );
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }

    match request.uri().path() {
        "/metrics" => page(StatusCode::OK, METRICS_TYPE, vitals.page().await),
        "/livez" => verdict("alive", vitals.stuck().into_iter().collect()),
        "/readyz" => verdict("ready", vitals.reasons_against().await),
        _ => {
            let paths = "there are /metrics, /livez and /readyz\n";
            text(StatusCode::NOT_FOUND, paths.to_owned())
        }
    }
}

/// 200 with the word, or 503 with one line for each reason.
fn verdict(word: &str, reasons: Vec<String>) -> Response<Full<Bytes>> {
    if reasons.is_empty() {
        return text(StatusCode::OK, format!("{word}\n"));
    }

    let lines = reasons.iter().map(|reason| format!("{reason}\n"));
    text(StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    page(status, TEXT_TYPE, body)
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
