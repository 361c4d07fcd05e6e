//! Requests to one host of a provider: paced, timed, tried again, and read as JSON.
//!
//! A pause that the host asks for (429, 418) is waited out and is no attempt. A connection that
//! breaks, an answer that breaks off, a timeout and a status of 500 or more are tried three times.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use runtime::SharedMemory;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::pacer::Pacer;
use crate::remote_error::{Failure, RemoteError};
use crate::request_budget::{BudgetRules, RequestBudget, RequestKind};
use crate::waits::wait_until;

/// Attempts at one request, pauses for a limit not counted.
pub(crate) const ATTEMPTS_MAX: u32 = 3;
/// Pauses that one request sits out.
const PAUSES_MAX: u32 = 5;
/// The longest pause that is sat out.
const PAUSE_MAX: Duration = Duration::from_secs(900);
/// Pause before the second attempt; twice as long before the third.
const BACK_OFF: Duration = Duration::from_millis(500);
/// Bytes of an answer, at most: the longest one lists every instrument of an exchange.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Signs of an answer that are quoted in an error.
const EXCERPT_CHARS: usize = 120;
/// How long a connection stays open without a request.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// Makes the client that all accounts of a process share: it keeps connections open.
///
/// # Errors
/// The system has no certificates to trust.
pub fn http_client() -> Result<Client, reqwest::Error> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();

    Client::builder()
        // In the form that programs on the web have: some hosts answer no other name.
        .user_agent(concat!(
            "Mozilla/5.0 (compatible; ktrdr/",
            env!("CARGO_PKG_VERSION"),
            ")"
        ))
        .pool_idle_timeout(IDLE_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// What holds for all requests to a host.
#[derive(Clone, Copy, Debug)]
pub struct AccountRules {
    /// How much it allows in which time.
    pub budget: BudgetRules,
    /// The header that says which weight was used; empty if it has none.
    pub used_header: &'static str,
    /// The pause after "too many requests" that comes without a time.
    pub pause: Duration,
    /// Reads what only this provider says in its own words.
    pub judge: fn(&Answer) -> Verdict,
}

/// An answer that is JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status below 500.
    pub status: u16,
    /// Address of the request, without its query.
    pub address: String,
    /// What came as its body.
    pub content: Value,
}

/// What an answer means for its request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is the answer.
    Use,
    /// It is the answer, whatever its status.
    Accept,
    /// The host wants a pause.
    Pause,
    /// The request has failed.
    Fail(Failure),
}

/// A reply of the host, before it is read as JSON.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Which wait follows a reply, if it is not the answer.
enum Outcome {
    Answer(Answer),
    Pause(Duration),
    Failed(Failure),
}

/// One host with its limits.
#[derive(Debug)]
pub struct HttpAccount {
    provider: String,
    client: Client,
    url: Url,
    timeout: Duration,
    rules: AccountRules,
    pacer: Pacer,
    /// What the last request counted.
    last_weight: AtomicU32,
    /// The host's clock minus ours in milliseconds, as the last answer showed it; `i64::MAX` before
    /// the first.
    clock_ahead_ms: AtomicI64,
}

impl HttpAccount {
    /// Opens the account of a provider; nothing is sent yet. `setting` is the key of the URL.
    ///
    /// # Errors
    /// The URL cannot be one of a host.
    pub fn open(
        provider: &str,
        client: Client,
        url: &str,
        setting: &str,
        timeout: Duration,
        rules: AccountRules,
    ) -> Result<Self, RemoteError> {
        let refuse = |reason| wrong_setting(provider, setting, reason);
        let parsed = Url::parse(url).map_err(|error| refuse(format!("`{url}`: {error}")))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(refuse(format!("`{url}` is not http or https")));
        }

        Ok(Self {
            provider: provider.to_owned(),
            client,
            url: parsed,
            timeout,
            rules,
            pacer: Pacer::new(rules.budget, limit_of(provider)),
            last_weight: AtomicU32::new(1),
            clock_ahead_ms: AtomicI64::new(i64::MAX),
        })
    }

    /// Asks for a path with a query; `weight` is what the request counts.
    ///
    /// # Errors
    /// It cannot be answered: see [`Failure`].
    pub async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
        weight: u32,
    ) -> Result<Answer, RemoteError> {
        let url = self.url_of(path, query);
        let mut attempts = 0;
        let mut pauses = 0;

        loop {
            self.admit(weight).await?;
            let failure = match self.ask(&url).await {
                Outcome::Answer(answer) => return Ok(answer),
                Outcome::Failed(failure) => failure,
                Outcome::Pause(pause) => {
                    self.pacer.pause_for(pause).await;
                    pauses += 1;
                    if pauses > PAUSES_MAX {
                        return Err(self.paused_too_long(pause));
                    }
                    continue;
                }
            };

            attempts += 1;
            let error = self.error(failure);
            if !error.is_transient() || attempts >= ATTEMPTS_MAX {
                return Err(error);
            }
            self.back_off(attempts, &error).await;
        }
    }

    /// The host's clock minus ours; absent before its first answer.
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        let ahead_ms = self.clock_ahead_ms.load(Ordering::Relaxed);
        (ahead_ms != i64::MAX).then(|| SignedDuration::from_millis(ahead_ms))
    }

    /// A failure of this provider.
    pub fn error(&self, failure: Failure) -> RemoteError {
        RemoteError {
            provider: self.provider.clone(),
            failure,
        }
    }

    fn url_of(&self, path: &str, query: &[(&str, String)]) -> Url {
        let mut url = self.url.clone();
        let folder = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{folder}{path}"));

        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Waits until a request may be made, unless a pause is too long to be waited out.
    async fn admit(&self, weight: u32) -> Result<(), RemoteError> {
        self.last_weight.store(weight, Ordering::Relaxed);
        self.refuse_long_pause()?;

        // Another process may have heard of the pause.
        while let Err(earliest) = self.pacer.try_admit(RequestKind::of(weight)).await {
            self.refuse_long_pause()?;
            self.pacer.wait_for(earliest).await;
        }
        Ok(())
    }

    /// How long this number of further requests takes by the limit alone, if each counts what the
    /// last one did.
    pub fn schedule(&self, requests: usize) -> Duration {
        let weight = self.last_weight.load(Ordering::Relaxed).max(1);
        self.pacer.schedule(RequestKind::of(weight), requests)
    }

    /// Shares its limit with all that have the same memory.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<dyn SharedMemory>) -> Self {
        let host = self.url.host_str().unwrap_or_default();
        let account = format!("{} {host}", self.provider);
        let empty = RequestBudget::new(self.rules.budget);
        let reason = limit_of(&self.provider);
        self.pacer = Pacer::shared(memory, &account, empty, move |_| reason.clone());
        self
    }

    /// What it shares with other processes.
    pub fn memory(&self) -> &Arc<dyn SharedMemory> {
        self.pacer.memory()
    }

    /// A pause that is not waited out must not hold up every later request either.
    fn refuse_long_pause(&self) -> Result<(), RemoteError> {
        let pause = self.pacer.pause_left();
        if pause > PAUSE_MAX {
            return Err(self.paused_too_long(pause));
        }
        Ok(())
    }

    fn paused_too_long(&self, pause: Duration) -> RemoteError {
        let until = Timestamp::now().checked_add(pause);
        let until = until.unwrap_or(Timestamp::MAX);
        self.error(Failure::Pacing { until })
    }

    /// Waits before the next attempt, for a time that differs from that of others.
    async fn back_off(&self, attempts: u32, error: &RemoteError) {
        let pause = BACK_OFF * 2_u32.saturating_pow(attempts - 1);
        let pause = pause.mul_f64(rand::random_range(0.5..1.5));
        let next = attempts + 1;

        let reason = format!("attempt {next} of {ATTEMPTS_MAX}: {error}");
        wait_until(Instant::now() + pause, &reason).await;
    }

    /// One attempt at a request.
    async fn ask(&self, url: &Url) -> Outcome {
        let address = address_of(url);
        let sent = Timestamp::now();
        let reply = match timeout(self.timeout, self.read(url, &address)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(failure)) => return Outcome::Failed(failure),
            Err(_) => {
                let seconds = self.timeout.as_secs();
                return Outcome::Failed(Failure::Timeout { address, seconds });
            }
        };

        self.note_headers(&reply.headers, sent);
        self.judge(reply, address)
    }

    async fn read(&self, url: &Url, address: &str) -> Result<Reply, Failure> {
        let broken = |error: reqwest::Error| Failure::Connection {
            address: address.to_owned(),
            reason: innermost(&error),
        };
        let mut response: Response = self.client.get(url.clone()).send().await.map_err(broken)?;

        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(Failure::Protocol {
                    address: address.to_owned(),
                    reason: format!("it is longer than {ANSWER_BYTES_MAX} bytes"),
                });
            }
        }

        Ok(Reply {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }

    /// Takes over the clock and the use of the limit, which every answer shows.
    fn note_headers(&self, headers: &HeaderMap, sent: Timestamp) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());

        // The date has whole seconds: it was true for up to one second before the answer.
        let date = text(DATE.as_str()).and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        if let Some(date) = date {
            let now = Timestamp::now();
            let ahead_of_sent = date.timestamp().as_millisecond() + 999 - sent.as_millisecond();
            let ahead_of_now = date.timestamp().as_millisecond() - now.as_millisecond();
            let is_within = ahead_of_sent >= 0 && ahead_of_now <= 0;
            let ahead = if is_within { 0 } else { ahead_of_now };
            self.clock_ahead_ms.store(ahead, Ordering::Relaxed);
        }

        let used = text(self.rules.used_header).and_then(|text| text.parse().ok());
        if let Some(used) = used {
            self.pacer.note_used(used);
        }
    }

    fn judge(&self, reply: Reply, address: String) -> Outcome {
        let Reply {
            status,
            headers,
            body,
        } = reply;

        match status {
            429 | 418 => return Outcome::Pause(retry_after(&headers).unwrap_or(self.rules.pause)),
            401 | 403 | 451 => {
                let text = excerpt(&body);
                return Outcome::Failed(Failure::Permission {
                    address,
                    status,
                    text,
                });
            }
            300..=399 => return Outcome::Failed(sent_elsewhere(address, status, &headers)),
            500.. => return Outcome::Failed(Failure::Away { address, status }),
            _ => {}
        }

        let answer = match serde_json::from_slice(&body) {
            Ok(content) => Answer {
                status,
                address,
                content,
            },
            Err(error) => return Outcome::Failed(unreadable(address, status, &body, &error)),
        };
        match (self.rules.judge)(&answer) {
            Verdict::Accept => Outcome::Answer(answer),
            Verdict::Use if status == 200 => Outcome::Answer(answer),
            Verdict::Use => Outcome::Failed(Failure::Protocol {
                reason: format!("HTTP {status}: {}", excerpt(&body)),
                address: answer.address,
            }),
            Verdict::Pause => Outcome::Pause(retry_after(&headers).unwrap_or(self.rules.pause)),
            Verdict::Fail(failure) => Outcome::Failed(failure),
        }
    }
}

/// What people read while a request waits.
fn limit_of(provider: &str) -> String {
    format!("the limit of {provider}")
}

fn wrong_setting(provider: &str, setting: &str, reason: String) -> RemoteError {
    RemoteError {
        provider: provider.to_owned(),
        failure: Failure::Setting {
            key: format!("fetcher.providers.{provider}.{setting}"),
            reason,
        },
    }
}

/// A host that has moved, or something in between that wants a login. Where to is not followed: it
/// may be anywhere.
fn sent_elsewhere(address: String, status: u16, headers: &HeaderMap) -> Failure {
    let place = headers.get(LOCATION).and_then(|place| place.to_str().ok());
    let place = place.unwrap_or("another address");
    let reason = format!("it sends us to {place} (HTTP {status})");
    Failure::Protocol { address, reason }
}

/// A body that is not JSON: one that ends too early was cut off on its way.
fn unreadable(address: String, status: u16, body: &[u8], error: &serde_json::Error) -> Failure {
    if status == 200 && error.is_eof() {
        let reason = "the answer broke off".to_owned();
        return Failure::Connection { address, reason };
    }

    let reason = format!("HTTP {status}, not JSON: {}", excerpt(body));
    Failure::Protocol { address, reason }
}

/// `https://host/path` without the query.
fn address_of(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// Seconds or a date, as HTTP has both.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }

    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let rest = date.timestamp().duration_since(Timestamp::now());
    Some(Duration::try_from(rest).unwrap_or_default())
}

/// What a body says, for an error: the message of a JSON object, or the beginning of the text.
fn excerpt(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let message = parsed.as_ref().and_then(|content| {
        let message = content.get("msg").or_else(|| content.get("message"))?;
        message.as_str().map(str::to_owned)
    });

    let text = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(EXCERPT_CHARS).collect()
}

/// The cause of all causes: "connection refused" rather than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
