//! A provider and a runner that do as a test says.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fetcher::plan::RequestCost;
use fetcher::provider::{AskingRules, Health, Listing, Provider, ProviderError};
use fetcher::remote_error::{Failure, RemoteError};
use market::{Calendar, HourAnchor, Instrument, SeriesKey, Timeframe, Utc, expected};
use runtime::{StepError, StepReporter};
use schemas::errors::ErrorRecord;
use schemas::progress::{Progress, Waiting};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{RawBar, RawBars};
use tokio::sync::Notify;
use tokio::time::Instant;

pub const HOUR: i64 = 3_600_000_000;
pub const DAY: i64 = 24 * HOUR;

pub fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

/// A failure that a test scripts: of the request of that number, from 1, for these labels.
pub type Fault = Box<dyn Fn(usize, &Range<Utc>) -> Option<Failure> + Send + Sync>;

/// Has the given bars, and notes the ranges of its requests.
pub struct Scripted {
    pub bars: RawBars,
    pub tells_coverage: bool,
    /// The newest bars of an answer that come; the others are lost.
    pub answer_bars_max: Option<usize>,
    /// The time that each answer takes.
    pub latency: Duration,
    /// The failures of requests for bars.
    pub fault: Fault,
    /// The failures of questions about its history.
    pub coverage_fault: Fault,
    pub rules: AskingRules,
    questions: AtomicUsize,
    requests: Mutex<Vec<Range<Utc>>>,
    /// When each request was made.
    times: Mutex<Vec<Instant>>,
}

impl Scripted {
    /// With these bars, and without failures.
    pub fn with_bars(bars: RawBars) -> Self {
        Self {
            bars,
            tells_coverage: true,
            answer_bars_max: None,
            latency: Duration::ZERO,
            fault: Box::new(|_, _| None),
            coverage_fault: Box::new(|_, _| None),
            // The longest pauses, always.
            rules: AskingRules {
                jitter: || 1.0,
                ..AskingRules::default()
            },
            questions: AtomicUsize::new(0),
            requests: Mutex::default(),
            times: Mutex::default(),
        }
    }

    /// One bar per expected hour of EURUSD in the range.
    pub fn hourly(range: Range<Utc>) -> Self {
        let key = euro();
        let calendar = Calendar::for_key(&key);
        let slots = expected(
            calendar,
            Timeframe::HOUR_1,
            key.day_boundary,
            HourAnchor::ClockHour,
            range,
        );
        Self::with_bars(slots.iter().map(|slot| bar(slot.open, 1.0)).collect())
    }

    /// The seconds between each two requests, since the last call.
    pub fn take_pauses(&self) -> Vec<f64> {
        let times = std::mem::take(&mut *self.times.lock().unwrap());
        let pauses = times.windows(2).map(|two| (two[1] - two[0]).as_secs_f64());
        // The clock of the tests has whole milliseconds.
        pauses
            .map(|pause| (pause * 100.0).round() / 100.0)
            .collect()
    }

    pub fn take_requests(&self) -> Vec<Range<Utc>> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

pub fn bar(open_time: Utc, close: f64) -> RawBar {
    RawBar {
        open_time,
        prices: [1.0, 2.0, 0.5, close],
        volume: f64::NAN,
    }
}

#[async_trait]
impl Provider for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn span_max(&self, _: Timeframe) -> Option<i64> {
        Some(30 * DAY)
    }

    fn may_truncate(&self) -> bool {
        self.answer_bars_max.is_some()
    }

    fn request_cost(&self, _: Timeframe) -> RequestCost {
        RequestCost {
            per_request: Duration::from_secs(1),
            per_day: Duration::ZERO,
        }
    }

    fn asking_rules(&self) -> AskingRules {
        self.rules
    }

    async fn coverage(&self, _: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        let number = 1 + self.questions.fetch_add(1, Ordering::Relaxed);
        if let Some(failure) = (self.coverage_fault)(number, &(Utc(0)..Utc(0))) {
            return Err(error_of(failure));
        }
        let edges = self.bars.open_time.first().zip(self.bars.open_time.last());
        Ok(edges
            .filter(|_| self.tells_coverage)
            .map(|(first, last)| *first..last.plus_micros(1)))
    }

    async fn bars(&self, _: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(range.clone());
            requests.len()
        };
        self.times.lock().unwrap().push(Instant::now());
        tokio::time::sleep(self.latency).await;
        if let Some(failure) = (self.fault)(number, &range) {
            return Err(error_of(failure));
        }

        let answer = self.bars.between(&range);
        let bars_max = self.answer_bars_max.unwrap_or(answer.len());
        let lost = answer.len().saturating_sub(bars_max);
        Ok(answer.iter().skip(lost).collect())
    }

    async fn search(&self, _: &str) -> Result<Vec<Listing>, ProviderError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<Health, ProviderError> {
        Ok(Health::default())
    }
}

/// The server says that it is away.
pub fn away() -> Failure {
    Failure::Away {
        address: "https://scripted".to_owned(),
        status: 503,
    }
}

/// The server says nothing.
pub fn silent() -> Failure {
    Failure::Timeout {
        address: "https://scripted".to_owned(),
        seconds: 30,
    }
}

fn error_of(failure: Failure) -> ProviderError {
    let provider = "scripted".to_owned();
    RemoteError { provider, failure }.into()
}

/// Stands in for the runtime; dies at the n-th checkpoint, before it is recorded.
#[derive(Default)]
pub struct Runner {
    pub fractions: Mutex<Vec<f64>>,
    pub messages: Mutex<Vec<String>>,
    pub reports: Mutex<Vec<Progress>>,
    pub warnings: Mutex<Vec<ErrorRecord>>,
    pub recorded: Mutex<Option<Value>>,
    pub waitings: Mutex<Vec<Waiting>>,
    /// What others were told of stored bars.
    pub stored: Mutex<Vec<Value>>,
    pub checkpoints_to_live: Mutex<Option<usize>>,
    /// Notified when the work must be left.
    pub stop: Notify,
}

impl Runner {
    pub fn dying_at(checkpoint: usize) -> Self {
        Self {
            checkpoints_to_live: Mutex::new(Some(checkpoint)),
            ..Self::default()
        }
    }

    pub fn live_on(&self) {
        *self.checkpoints_to_live.lock().unwrap() = None;
    }

    fn record(&self, checkpoint: &impl Serialize) -> Result<(), StepError> {
        match self.checkpoints_to_live.lock().unwrap().as_mut() {
            Some(0) => return Err(StepError::Stopped),
            Some(count) => *count -= 1,
            None => {}
        }

        let value = serde_json::to_value(checkpoint).unwrap();
        let size = value.to_string().len();
        assert!(
            size <= schemas::operation::CHECKPOINT_BYTES_MAX,
            "a checkpoint of {size} bytes"
        );
        *self.recorded.lock().unwrap() = Some(value);
        Ok(())
    }
}

impl StepReporter for Runner {
    fn report(&self, progress: Progress) {
        self.fractions.lock().unwrap().push(progress.fraction);
        self.messages.lock().unwrap().push(progress.message.clone());
        let waiting = progress.waiting.clone();
        self.waitings.lock().unwrap().extend(waiting);
        self.reports.lock().unwrap().push(progress);
    }

    async fn warn(&self, warning: &ErrorRecord) {
        self.warnings.lock().unwrap().push(warning.clone());
    }

    fn check_stop(&self) -> Result<(), StepError> {
        Ok(())
    }

    async fn until_stop(&self) {
        self.stop.notified().await;
    }

    async fn announce_stored<T: Serialize + Sync>(&self, stored: &T) -> Result<(), StepError> {
        let value = serde_json::to_value(stored).unwrap();
        self.stored.lock().unwrap().push(value);
        Ok(())
    }

    fn resume_point<T: DeserializeOwned>(&self) -> Option<T> {
        let recorded = self.recorded.lock().unwrap().clone()?;
        serde_json::from_value(recorded).unwrap()
    }

    async fn checkpoint<T: Serialize + Sync>(&self, checkpoint: &T) -> Result<(), StepError> {
        self.record(checkpoint)
    }
}

pub fn euro() -> SeriesKey {
    SeriesKey::standard(
        "scripted",
        Instrument::parse("EURUSD").unwrap(),
        Timeframe::HOUR_1,
    )
    .unwrap()
}
