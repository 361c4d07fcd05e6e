//! A provider and a runner that do as a test says.

use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use fetcher::plan::RequestCost;
use fetcher::provider::{Health, Listing, Provider, ProviderError};
use market::{Calendar, HourAnchor, Instrument, SeriesKey, Timeframe, Utc, expected};
use runtime::{StepError, StepReporter};
use schemas::progress::Progress;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{RawBar, RawBars};
use tokio::sync::Notify;

pub const HOUR: i64 = 3_600_000_000;
pub const DAY: i64 = 24 * HOUR;

pub fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

/// Has the given bars, and notes the ranges of its requests.
pub struct Scripted {
    pub bars: RawBars,
    pub tells_coverage: bool,
    /// The newest bars of an answer that come; the others are lost.
    pub answer_bars_max: Option<usize>,
    requests: Mutex<Vec<Range<Utc>>>,
}

impl Scripted {
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
        let bars = slots.iter().map(|slot| bar(slot.open, 1.0)).collect();

        Self {
            bars,
            tells_coverage: true,
            answer_bars_max: None,
            requests: Mutex::default(),
        }
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

    async fn coverage(&self, _: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        let edges = self.bars.open_time.first().zip(self.bars.open_time.last());
        Ok(edges
            .filter(|_| self.tells_coverage)
            .map(|(first, last)| *first..last.plus_micros(1)))
    }

    async fn bars(&self, _: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        self.requests.lock().unwrap().push(range.clone());
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

/// Stands in for the runtime; dies at the n-th checkpoint, before it is recorded.
#[derive(Default)]
pub struct Runner {
    pub fractions: Mutex<Vec<f64>>,
    pub messages: Mutex<Vec<String>>,
    pub recorded: Mutex<Option<Value>>,
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
        self.messages.lock().unwrap().push(progress.message);
    }

    fn check_stop(&self) -> Result<(), StepError> {
        Ok(())
    }

    async fn until_stop(&self) {
        self.stop.notified().await;
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
