//! The time that a load which is held to a limit will still take, in virtual time.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fetcher::GapSettings;
use fetcher::fetch::fetch;
use fetcher::ib::pacing::{IbPacer, PacedRequest, PacingRules};
use fetcher::plan::RequestCost;
use fetcher::provider::{Health, Listing, Provider, ProviderError};
use market::{SeriesKey, Timeframe, Utc};
use runtime::{OwnMemory, Schedule, StepError, StepReporter, TimeLeft};
use schemas::commands::{FetchBars, FetchMode, SeriesRequest};
use schemas::progress::{Progress, Waiting};
use store::RawBars;
use tokio::time::{Instant, sleep};

use crate::fetching::memory;
use crate::scripted::{DAY, bar, utc};

/// A bar a day, one to a request, each of which is paced as those of ib and takes two seconds.
struct Paced(IbPacer);

impl Paced {
    fn new() -> Self {
        let memory = Arc::new(OwnMemory::default());
        Self(IbPacer::new(PacingRules::default(), memory, "gateway"))
    }
}

#[async_trait]
impl Provider for Paced {
    fn name(&self) -> &'static str {
        "paced"
    }

    fn span_max(&self, _: Timeframe) -> Option<i64> {
        Some(DAY)
    }

    fn request_cost(&self, _: Timeframe) -> RequestCost {
        RequestCost {
            per_request: Duration::from_secs(2),
            per_day: Duration::ZERO,
        }
    }

    fn scheduled_time(&self, _: &SeriesKey, requests: usize) -> Duration {
        self.0.schedule(requests)
    }

    async fn coverage(&self, _: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        Ok(Some(
            utc("2000-01-01T00:00:00Z")..utc("2024-01-01T00:00:00Z"),
        ))
    }

    async fn bars(&self, _: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        let request = PacedRequest {
            identity: format!("{range:?}"),
            tick: String::new(),
            weight: 1,
        };
        self.0.admit(&request).await;
        sleep(Duration::from_secs(2)).await;
        Ok([bar(range.start, 1.0)].into_iter().collect())
    }

    async fn search(&self, _: &str) -> Result<Vec<Listing>, ProviderError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<Health, ProviderError> {
        Ok(Health::default())
    }
}

/// What was said when.
#[derive(Clone, Debug)]
struct Said {
    at: Instant,
    fraction: f64,
    seconds_left: Option<f64>,
    waiting: Option<Waiting>,
}

/// Stands in for the runtime: estimates as it does.
#[derive(Default)]
struct Onlooker {
    time_left: Mutex<TimeLeft>,
    said: Mutex<Vec<Said>>,
}

impl StepReporter for Onlooker {
    fn report(&self, progress: Progress) {
        let now = Instant::now();
        let mut time_left = self.time_left.lock().unwrap();
        time_left.observe(&progress, progress.fraction, now);
        self.said.lock().unwrap().push(Said {
            at: now,
            fraction: progress.fraction,
            seconds_left: time_left.remaining(now),
            waiting: progress.waiting,
        });
    }

    fn schedule(&self, schedule: Schedule) {
        let mut time_left = self.time_left.lock().unwrap();
        time_left.note_schedule(schedule, Instant::now());
    }

    fn check_stop(&self) -> Result<(), StepError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn three_hours_of_pacing_are_foreseen() {
    // Six days of the week from then on are 888 requests: 18 windows of ten minutes.
    let store = memory().await;
    let provider = Paced::new();
    let onlooker = Onlooker::default();
    let request = FetchBars {
        provider: "paced".to_owned(),
        series: vec![SeriesRequest {
            symbol: "EURUSD".to_owned(),
            timeframe: "1d".to_owned(),
        }],
        mode: FetchMode::Full,
        start: Some("2021-03-01T00:00:00Z".parse().unwrap()),
        end: None,
        refetch: false,
        calendar: None,
        accept_finer: false,
        accept_stored: false,
    };
    let settings = GapSettings::default();
    let now = utc("2024-01-01T00:00:00Z");
    let began = Instant::now();

    let outcome = fetch(&store, &provider, &request, &settings, now, &onlooker);
    let segments = outcome.await.unwrap().series[0].work.segments;
    let segments = usize::try_from(segments).unwrap();
    let foreseen = Paced::new().0.schedule(segments);

    let end = Instant::now();
    let took = end - began;
    assert!((880..900).contains(&segments), "{segments}");
    assert!(took > Duration::from_secs(3 * 3_600), "{took:?}");
    assert!(took.abs_diff(foreseen) < took / 10, "{foreseen:?} {took:?}");

    let said = onlooker.said.lock().unwrap();
    // From 5 to 95 percent of the requests: those are asked for from a tenth of the step on.
    let looked_at = said
        .iter()
        .filter(|said| (0.142..0.898).contains(&said.fraction));
    let worst = looked_at
        .map(|said| error_of(said, end))
        .fold(0.0, f64::max);
    assert!(worst < 0.05, "{worst}");
    let waits = said.iter().filter_map(|said| said.waiting.as_ref());
    let reason = "the limit of ib: 48 of 60 requests in 10 minutes were made";
    assert!(waits.clone().any(|wait| wait.reason == reason));
    assert!(waits.clone().all(|wait| wait.until.is_some()));
}

/// What an estimate was wrong by, as a share of the truth.
fn error_of(said: &Said, end: Instant) -> f64 {
    let truth = (end - said.at).as_secs_f64();
    said.seconds_left
        .map_or(f64::INFINITY, |seconds| (seconds - truth).abs() / truth)
}
