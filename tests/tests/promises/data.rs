//! Loading data with the real services: killed, cancelled or repeated, the stored series is the
//! same to the last bit.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use market::Timeframe;
use runtime::{StepContext, StepError, StepHandler};
use schemas::codec;
use schemas::commands::fetch::SERIES_MAX;
use schemas::commands::{
    FetchBars, FetchCounts, FetchMode, FetchOutcome, FetchState, FetchedSeries, SeriesRequest,
    ValidateBars, ValidateOutcome, ValidatedSeries,
};
use schemas::events::What;
use schemas::gaps::FetchedGaps;
use schemas::ids::OperationId;
use schemas::operation::NewOperation;
use schemas::operation::OperationState;
use schemas::progress::SegmentCounts;
use schemas::requests::DataLoad;
use system_tests::{Process, Sandbox, until};

/// 2023-11-13T00:00:00Z: a Monday of a week without a holiday.
const MONDAY: Timestamp = Timestamp::constant(1_699_833_600, 0);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The sample files.
fn bars() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bars")
}

/// A load of everything that the sample files or others have of these series.
fn load_of(series: Vec<SeriesRequest>, start: Timestamp, end: Timestamp) -> DataLoad {
    DataLoad {
        fetch: FetchBars {
            provider: "file".to_owned(),
            series,
            mode: FetchMode::Full,
            start: Some(start),
            end: Some(end),
            refetch: false,
            calendar: None,
            accept_finer: false,
            accept_stored: false,
        },
        labels: [].into(),
    }
}

/// Five years of hourly EURUSD.
fn five_years() -> NewOperation {
    let eurusd = SeriesRequest {
        symbol: "EURUSD".to_owned(),
        timeframe: "1h".to_owned(),
    };
    let start = "2014-01-01T00:00:00Z".parse().unwrap();
    let end = "2019-01-01T00:00:00Z".parse().unwrap();

    load_of(vec![eurusd], start, end).operation()
}

fn start_fetcher(sandbox: &Sandbox) -> Process {
    let files = format!("files={}", bars().display());
    sandbox.spawn_with("ktrdr-fetcher", &["--set", &files])
}

/// Waits for the end of a load; returns the outcome of its fetch.
async fn fetch_outcome(sandbox: &Sandbox, op: &OperationId) -> FetchOutcome {
    sandbox.only_completion_of(op).await;
    let record = sandbox.record(op).await;
    serde_json::from_value(record.steps[0].result.clone()).unwrap()
}

/// The hash of the series that an undisturbed load in a system of its own stores.
async fn undisturbed_hash() -> String {
    let sandbox = Sandbox::start().await;
    let _services = [start_fetcher(&sandbox), sandbox.spawn("ktrdr-validator")];

    let op = sandbox.submit(&five_years()).await;
    fetch_outcome(&sandbox, &op).await.series[0]
        .content_sha256
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn loading_twice_stores_once() {
    let sandbox = Sandbox::start().await;
    let _services = [start_fetcher(&sandbox), sandbox.spawn("ktrdr-validator")];

    let op = sandbox.submit(&five_years()).await;
    let first = fetch_outcome(&sandbox, &op).await.series.remove(0);
    let op = sandbox.submit(&five_years()).await;
    let second = fetch_outcome(&sandbox, &op).await.series.remove(0);

    assert!(first.rows > 30_000, "{first:?}");
    assert_eq!(first.work.new, first.rows);
    assert_eq!(second.work.fetched, 0);
    assert_eq!(second.revision, first.revision);
    assert_eq!(second.content_sha256, first.content_sha256);
}

/// The command of a load, published again beside its first message and after its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_delivered_twice_has_one_effect() {
    let sandbox = Sandbox::start().await;
    let op = sandbox.submit(&five_years()).await;
    let command = sandbox.commands_of(&op).await.remove(0);
    let deliver_again = async || {
        let payload = command.payload.clone().into();
        let client = sandbox.jetstream();
        let stored = client.publish(command.subject.clone(), payload).await;
        stored.unwrap().await
    };

    // The queue takes no second message of a step that waits.
    let refusal = deliver_again().await.unwrap_err().to_string();
    assert!(
        refusal.contains("maximum messages per subject"),
        "{refusal}"
    );
    let _services = [start_fetcher(&sandbox), sandbox.spawn("ktrdr-validator")];
    let first = fetch_outcome(&sandbox, &op).await.series.remove(0);
    let record = sandbox.until_concluded(&op).await;
    let story = sandbox.story(&op).await;

    // One that comes after the end is delivered, and changes nothing.
    deliver_again().await.unwrap();
    until("an empty queue", async || {
        sandbox.commands_of(&op).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(sandbox.record(&op).await, record);
    assert_eq!(sandbox.story(&op).await, story);

    // The next load finds the same revision and nothing to fetch.
    let again = sandbox.submit(&five_years()).await;
    let second = fetch_outcome(&sandbox, &again).await.series.remove(0);
    assert_eq!((second.revision, second.work.fetched), (first.revision, 0));
}

/// The first `count` currency pairs.
fn symbols(count: usize) -> Vec<String> {
    let currencies = [
        "AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "JPY", "MXN", "NOK", "NZD",
        "PLN", "SEK", "SGD", "USD",
    ];

    currencies
        .iter()
        .flat_map(|base| currencies.iter().map(move |quote| (base, quote)))
        .filter(|(base, quote)| base != quote)
        .map(|(base, quote)| format!("{base}{quote}"))
        .take(count)
        .collect()
}

/// Each symbol in every timeframe.
fn in_every_timeframe(symbols: &[String]) -> Vec<SeriesRequest> {
    symbols
        .iter()
        .flat_map(|symbol| {
            Timeframe::COMMON.map(|timeframe| SeriesRequest {
                symbol: symbol.clone(),
                timeframe: timeframe.to_string(),
            })
        })
        .collect()
}

/// Writes the first bar of the week of each series as a file of a new folder.
fn write_one_bar_each(series: &[SeriesRequest]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("timestamp,open,high,low,close,volume\n{MONDAY},1.0,1.2,0.9,1.1,0\n");
    for SeriesRequest { symbol, timeframe } in series {
        let name = format!("{symbol}_{timeframe}.csv");
        std::fs::write(folder.path().join(name), &text).unwrap();
    }
    folder
}

/// The outcomes of a load whose results were too large for the record.
async fn stored_outcomes(sandbox: &Sandbox, op: &OperationId) -> (FetchOutcome, ValidateOutcome) {
    let record = sandbox.record(op).await;
    let [fetched, validated] = [0, 1].map(|step| {
        let result = &record.steps[step].result;
        let key = result["result_object"].as_str();
        key.expect("the key of an object").to_owned()
    });

    let store = sandbox.store();
    (
        store.reports().get(&fetched).await.unwrap(),
        store.reports().get(&validated).await.unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn results_too_long_for_the_record_are_objects() {
    let series = in_every_timeframe(&symbols(10));
    let count = series.len();
    let folder = write_one_bar_each(&series);
    let sandbox = Sandbox::start().await;
    let files = format!("files={}", folder.path().display());
    let _services = [
        sandbox.spawn_with("ktrdr-fetcher", &["--set", &files]),
        sandbox.spawn("ktrdr-validator"),
    ];

    let load = load_of(series, MONDAY, MONDAY + WEEK);
    let op = sandbox.submit(&load.operation()).await;
    sandbox.only_completion_of(&op).await;

    // The validator followed the key in the fetcher's result.
    let (fetched, validated) = stored_outcomes(&sandbox, &op).await;
    assert_eq!(fetched.series.len(), count);
    assert_eq!(validated.series.len(), count);
    for (fetched, validated) in fetched.series.iter().zip(&validated.series) {
        assert_eq!(fetched.series, validated.series);
    }
}

/// Reports every series as fetched, and fetches none: two thousand take minutes.
struct PretendedFetcher;

impl StepHandler for PretendedFetcher {
    type Command = FetchBars;

    async fn handle(&self, command: FetchBars, _: &StepContext) -> Result<FetchOutcome, StepError> {
        let series = command.series.into_iter().map(|request| FetchedSeries {
            series: format!(
                "bars/file/{}/mid-all-raw-ny17/{}",
                request.symbol, request.timeframe
            ),
            revision: 1,
            content_sha256: "a".repeat(64),
            rows: 1_000_000,
            first: Some(MONDAY.as_microsecond()),
            last: Some(MONDAY.as_microsecond()),
            work: FetchCounts::default(),
            missing: 0,
            remaining: 0,
            state: FetchState::Completed,
            segments: SegmentCounts::default(),
            unanswered: Vec::new(),
            gaps: FetchedGaps::default(),
            warnings: Vec::new(),
        });

        Ok(FetchOutcome {
            series: series.collect(),
        })
    }
}

/// Reports every fetched series as healthy, and reads none.
struct PretendedValidator;

impl StepHandler for PretendedValidator {
    type Command = ValidateBars;

    async fn handle(
        &self,
        _: ValidateBars,
        step: &StepContext,
    ) -> Result<ValidateOutcome, StepError> {
        let fetched = step.outcome_of::<FetchBars>().await?;
        let series = fetched.series.into_iter().map(|fetched| ValidatedSeries {
            series: fetched.series,
            revision: fetched.revision,
            content_sha256: fetched.content_sha256,
            report: format!("reports/{}.json", "b".repeat(64)),
            bars: fetched.rows,
            score: 100.0,
            healthy: true,
            serious: 0,
            findings: Vec::new(),
        });

        Ok(ValidateOutcome {
            series: series.collect(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_symbol_in_every_timeframe_is_one_operation() {
    let series = in_every_timeframe(&symbols(256));
    assert_eq!(series.len(), SERIES_MAX);
    let sandbox = Sandbox::start().await;
    let _fetcher = sandbox.run(PretendedFetcher).await;
    let _validator = sandbox.run(PretendedValidator).await;

    let load = load_of(series, MONDAY, MONDAY + WEEK);
    let op = sandbox.submit(&load.operation()).await;
    sandbox.only_completion_of(&op).await;

    // Encoding fails for a record above 64 KiB.
    codec::encode(&sandbox.record(&op).await).unwrap();
    let (fetched, validated) = stored_outcomes(&sandbox, &op).await;
    assert_eq!(fetched.series.len(), SERIES_MAX);
    assert_eq!(validated.series.len(), SERIES_MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_killed_again_and_again_stores_the_same() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _validator = sandbox.spawn("ktrdr-validator");
    let op = sandbox.submit(&five_years()).await;

    for attempt in 1..=5 {
        let mut fetcher = start_fetcher(&sandbox);
        sandbox
            .until_event(&op, "a checkpoint", |event| match event.what {
                What::Checkpointed => event.attempt == attempt,
                what => what.is_terminal(),
            })
            .await;
        fetcher.kill();
    }
    let _last = start_fetcher(&sandbox);

    let disturbed = fetch_outcome(&sandbox, &op).await;
    assert_eq!(disturbed.series[0].content_sha256, undisturbed_hash().await);
    let attempts = sandbox.record(&op).await.steps[0].attempt;
    assert!(attempts > 1, "the fetch was never interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_cancelled_again_and_again_stores_the_same() {
    let sandbox = Sandbox::start().await;
    let _services = [start_fetcher(&sandbox), sandbox.spawn("ktrdr-validator")];
    let op = sandbox.submit(&five_years()).await;

    let mut cancelled = 0;
    let mut slowest = Duration::ZERO;
    for round in 1..=20 {
        sandbox.until_working(&op, round).await;
        let moment = Duration::from_millis(rand::random_range(0..60));
        sandbox.after(moment).await;

        let requested = Instant::now();
        sandbox.bus().cancels().request(&op, "").await.unwrap();
        let record = sandbox.until_ended(&op).await;
        slowest = slowest.max(requested.elapsed());
        if record.state == OperationState::Completed {
            break;
        }

        assert_eq!(record.state, OperationState::Cancelled);
        cancelled += 1;
        sandbox.bus().operations().resume(&op).await.unwrap();
    }

    let outcome = fetch_outcome(&sandbox, &op).await;
    assert_eq!(outcome.series[0].content_sha256, undisturbed_hash().await);
    assert!(cancelled > 0, "it was never cancelled in time");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
