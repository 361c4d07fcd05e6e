//! Loading data with the real services: killed, cancelled or repeated, the stored series is the
//! same to the last bit.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use schemas::command::NewOperation;
use schemas::commands::{FetchBars, FetchMode, FetchOutcome, SeriesRequest, ValidateOutcome};
use schemas::events::What;
use schemas::ids::OperationId;
use schemas::operation::OperationState;
use schemas::requests::DataLoad;
use system_tests::{Process, Sandbox};

/// 2023-11-15T00:00:00Z: a day of trade, and no summer time anywhere.
const WEDNESDAY: Timestamp = Timestamp::constant(1_700_006_400, 0);

/// The sample files.
fn bars() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bars")
}

/// Five years of hourly EURUSD; `refetch` asks for every bar again.
fn load(refetch: bool) -> NewOperation {
    let fetch = FetchBars {
        provider: "file".to_owned(),
        series: vec![SeriesRequest {
            symbol: "EURUSD".to_owned(),
            timeframe: "1h".to_owned(),
        }],
        mode: FetchMode::Full,
        start: Some("2014-01-01T00:00:00Z".parse().unwrap()),
        end: Some("2019-01-01T00:00:00Z".parse().unwrap()),
        refetch,
    };
    DataLoad {
        fetch,
        labels: [].into(),
    }
    .operation()
}

fn fetcher(sandbox: &Sandbox) -> Process {
    sandbox.spawn_with(
        "ktrdr-fetcher",
        &["--set", &format!("files={}", bars().display())],
    )
}

async fn fetched(sandbox: &Sandbox, op: &OperationId) -> FetchOutcome {
    sandbox.only_completion_of(op).await;
    serde_json::from_value(sandbox.record(op).await.steps[0].result.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn loading_twice_stores_once() {
    let sandbox = Sandbox::start().await;
    let _services = (fetcher(&sandbox), sandbox.spawn("ktrdr-validator"));
    let first = fetched(&sandbox, &sandbox.submit(&load(false)).await).await;
    assert!(first.series[0].rows > 30_000, "{first:?}");
    assert_eq!(first.series[0].work.new, first.series[0].rows);
    let second = fetched(&sandbox, &sandbox.submit(&load(false)).await).await;
    assert_eq!(
        (second.series[0].work.fetched, second.series[0].revision),
        (0, first.series[0].revision)
    );
    assert_eq!(
        second.series[0].content_sha256,
        first.series[0].content_sha256
    );
}

/// Ten bars of each of these series as files of a new folder.
fn some_bars(series: &[SeriesRequest]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for SeriesRequest { symbol, timeframe } in series {
        let minutes: i64 = timeframe.trim_end_matches('m').parse().unwrap();
        let opens = (0..10).map(|bar| WEDNESDAY + jiff::SignedDuration::from_mins(minutes * bar));
        let rows: String = opens
            .map(|open| format!("{open},1.0,1.2,0.9,1.1,0\n"))
            .collect();
        let text = format!("timestamp,open,high,low,close,volume\n{rows}");
        std::fs::write(
            folder.path().join(format!("{symbol}_{timeframe}.csv")),
            text,
        )
        .unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_symbols_in_four_timeframes_are_one_operation_whose_results_are_objects() {
    let currencies = [
        "AUD", "CAD", "CHF", "EUR", "GBP", "HKD", "JPY", "NOK", "NZD", "SEK", "USD",
    ];
    let pairs = currencies
        .iter()
        .flat_map(|base| currencies.iter().map(move |quote| format!("{base}{quote}")));
    let symbols: Vec<String> = pairs
        .filter(|pair| pair[..3] != pair[3..])
        .take(100)
        .collect();
    let each = |symbol: &String| {
        ["1m", "5m", "15m", "30m"].map(|timeframe| SeriesRequest {
            symbol: symbol.clone(),
            timeframe: timeframe.into(),
        })
    };
    let series: Vec<SeriesRequest> = symbols.iter().flat_map(each).collect();
    let folder = some_bars(&series);
    let sandbox = Sandbox::start().await;
    let files = format!("files={}", folder.path().display());
    let _services = (
        sandbox.spawn_with("ktrdr-fetcher", &["--set", &files]),
        sandbox.spawn("ktrdr-validator"),
    );
    let fetch = FetchBars {
        provider: "file".to_owned(),
        series,
        mode: FetchMode::Full,
        start: Some(WEDNESDAY),
        end: Some(WEDNESDAY + jiff::SignedDuration::from_hours(6)),
        refetch: false,
    };
    let op = sandbox
        .submit(
            &DataLoad {
                fetch,
                labels: [].into(),
            }
            .operation(),
        )
        .await;
    sandbox.only_completion_of(&op).await;
    let record = sandbox.record(&op).await;
    schemas::codec::encode(&record).unwrap();
    let [fetched, validated] = [0, 1].map(|step| result(&sandbox, &record.steps[step].result));
    let fetched: FetchOutcome = serde_json::from_value(fetched.await).unwrap();
    let validated: ValidateOutcome = serde_json::from_value(validated.await).unwrap();
    assert_eq!((fetched.series.len(), validated.series.len()), (400, 400));
    assert!(
        fetched
            .series
            .iter()
            .zip(&validated.series)
            .all(|(one, other)| one.series == other.series)
    );
}

/// A result that was too large for the record.
async fn result(sandbox: &Sandbox, stored: &serde_json::Value) -> serde_json::Value {
    sandbox
        .store()
        .reports()
        .get(stored["result_object"].as_str().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_killed_again_and_again_stores_what_an_undisturbed_one_stores() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _validator = sandbox.spawn("ktrdr-validator");
    let op = sandbox.submit(&load(false)).await;
    for attempt in 1..=5 {
        let mut killed = fetcher(&sandbox);
        let of_this = |event: &schemas::events::Event| {
            (event.what == What::Checkpointed && event.attempt == attempt)
                || event.what.is_terminal()
        };
        sandbox.until_event(&op, "an advance", of_this).await;
        killed.kill();
    }
    let _last = fetcher(&sandbox);
    let disturbed = fetched(&sandbox, &op).await;
    let undisturbed = alone().await;
    assert_eq!(
        disturbed.series[0].content_sha256,
        undisturbed.series[0].content_sha256
    );
    assert!(
        sandbox.record(&op).await.steps[0].attempt > 1,
        "the fetch was interrupted"
    );
}

/// What a fetch in a system of its own stores.
async fn alone() -> FetchOutcome {
    let sandbox = Sandbox::start().await;
    let _services = (fetcher(&sandbox), sandbox.spawn("ktrdr-validator"));
    fetched(&sandbox, &sandbox.submit(&load(false)).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_cancelled_at_any_moment_stops_at_once_and_goes_on_when_resumed() {
    let sandbox = Sandbox::start().await;
    let _services = (fetcher(&sandbox), sandbox.spawn("ktrdr-validator"));
    let op = sandbox.submit(&load(false)).await;
    let (mut cancelled, mut worst) = (0, Duration::ZERO);
    for round in 1..=20 {
        sandbox.until_working(&op, round).await;
        sandbox
            .after(Duration::from_millis(rand::random_range(0..60)))
            .await;
        let asked = Instant::now();
        sandbox.bus().request_cancel(&op, "").await.unwrap();
        let record = sandbox.until_ended(&op).await;
        worst = worst.max(asked.elapsed());
        if record.state == OperationState::Completed {
            break;
        }
        assert_eq!(record.state, OperationState::Cancelled);
        cancelled += 1;
        sandbox.bus().resume(&op).await.unwrap();
    }
    let outcome = fetched(&sandbox, &op).await;
    assert_eq!(
        outcome.series[0].content_sha256,
        alone().await.series[0].content_sha256
    );
    assert!(
        cancelled > 0 && worst < Duration::from_secs(1),
        "{cancelled} times cancelled, slowest {worst:?}"
    );
}
