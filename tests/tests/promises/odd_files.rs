//! Odd entries and odd rows in the folder of the fetcher: each concerns its own series, is said, and
//! nothing waits for it.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use fetcher::{Fetcher, FetcherSettings};
use jiff::{SignedDuration, Timestamp};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use schemas::commands::{
    FetchBars, FetchMode, FetchOutcome, FetchedSeries, SeriesRequest, ValidateOutcome,
    ValidatedSeries,
};
use schemas::operation::{OperationRecord, OperationState};
use schemas::requests::DataLoad;
use system_tests::{Sandbox, Worker};
use validator::Validator;

/// 2023-12-28T00:00:00Z: three hundred hours from here on lie in two years, and so in two files of
/// the store.
const BEGIN: Timestamp = Timestamp::constant(1_703_721_600, 0);
const BARS: i64 = 300;
const HEADER: &str = "timestamp,open,high,low,close,volume";
const NAME: &str = "crypto-btc-usd_1h.csv";

/// Hourly bars of a market that never closes; the rows with these numbers, from 0, are others.
fn write_bars(path: &Path, odd: &[(i64, &str)]) {
    let odd: BTreeMap<i64, &str> = odd.iter().copied().collect();
    let mut text = format!("{HEADER}\n");
    for number in 0..BARS {
        let time = BEGIN + SignedDuration::from_hours(number);
        let price = 100.0 + number as f64 / 100.0;
        let row = format!("{time},{price},{},{},{price},5", price + 1.0, price - 1.0);

        // `TIME` in an odd row is the time that the row should have.
        let odd = odd
            .get(&number)
            .map(|odd| odd.replace("TIME", &time.to_string()));
        text.push_str(&odd.unwrap_or(row));
        text.push('\n');
    }
    std::fs::write(path, text).unwrap();
}

fn load_of(symbol: &str) -> DataLoad {
    DataLoad {
        fetch: FetchBars {
            provider: "file".to_owned(),
            series: vec![SeriesRequest {
                symbol: symbol.to_owned(),
                timeframe: "1h".to_owned(),
            }],
            mode: FetchMode::Full,
            start: None,
            end: None,
            refetch: false,
            calendar: None,
            accept_finer: false,
            accept_stored: false,
        },
        labels: [].into(),
    }
}

/// A system with a fetcher of one folder and a validator.
struct System {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    _workers: [Worker; 2],
}

impl System {
    async fn start() -> Self {
        let sandbox = Sandbox::start().await;
        let folder = tempfile::tempdir().unwrap();
        let settings = FetcherSettings {
            files: folder.path().display().to_string(),
            ..FetcherSettings::default()
        };
        let workers = [
            sandbox.run(Fetcher::new(settings)).await,
            sandbox.run(Validator::default()).await,
        ];

        Self {
            sandbox,
            folder,
            _workers: workers,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn load(&self, symbol: &str) -> OperationRecord {
        let op = self.sandbox.submit(&load_of(symbol).operation()).await;
        self.sandbox.until_concluded(&op).await
    }
}

/// What a load of the file with these odd rows came to.
async fn load_with(odd: &[(i64, &str)]) -> OperationRecord {
    let system = System::start().await;
    write_bars(&system.path(NAME), odd);
    system.load("crypto:BTC/USD").await
}

fn fetched(record: &OperationRecord) -> FetchedSeries {
    let outcome: FetchOutcome = serde_json::from_value(record.steps[0].result.clone()).unwrap();
    outcome.series.into_iter().next().unwrap()
}

fn validated(record: &OperationRecord) -> ValidatedSeries {
    let outcome: ValidateOutcome = serde_json::from_value(record.steps[1].result.clone()).unwrap();
    outcome.series.into_iter().next().unwrap()
}

fn failure_of(record: &OperationRecord) -> (String, String) {
    let error = &record.failure.as_ref().unwrap().error;
    (error.code.clone(), error.message.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_entry_concerns_only_its_own_series() {
    let system = System::start().await;
    write_bars(&system.path(NAME), &[]);
    mkfifo(&system.path("EURUSD_1h.csv"), Mode::S_IRWXU).unwrap();
    symlink("AAPL_1h.csv", system.path("AAPL_1h.csv")).unwrap();
    std::fs::create_dir(system.path("IBM_1h.csv")).unwrap();
    symlink("/dev/zero", system.path("SPY_1h.csv")).unwrap();
    symlink("gone.csv", system.path("QQQ_1h.csv")).unwrap();
    symlink(NAME, system.path("crypto-eth-usd_1h.csv")).unwrap();
    let began = Instant::now();

    let kinds = [
        ("EURUSD", "a named pipe"),
        ("AAPL", "a link that leads to no file"),
        ("IBM", "a folder"),
        ("SPY", "a device"),
        ("QQQ", "a link that leads to no file"),
    ];
    for (symbol, kind) in kinds {
        let record = system.load(symbol).await;
        let (code, message) = failure_of(&record);
        assert_eq!(code, "DATA-InvalidFile", "{message}");
        let said = format!("{symbol}_1h.csv` is {kind}, not a regular file");
        assert!(message.contains(&said), "{message}");
    }

    // A regular file that nobody can read from its beginning.
    symlink("/proc/self/mem", system.path("MSFT_1h.csv")).unwrap();
    let (_, message) = failure_of(&system.load("MSFT").await);
    let said = "MSFT_1h.csv`: Input/output error";
    assert!(message.contains(said), "{message}");

    // A link to a file is as good as the file.
    for symbol in ["crypto:BTC/USD", "crypto:ETH/USD"] {
        let record = system.load(symbol).await;
        assert_eq!(record.state, OperationState::Completed, "{symbol}");
        assert_eq!(fetched(&record).rows, 300);
    }
    assert!(began.elapsed() < Duration::from_secs(30), "nothing waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_no_bar_has_do_not_widen_the_range() {
    let odd_times = [
        "0001-01-01T00:00:00Z",
        "1899-12-31T23:00:00Z",
        "2999-01-01T00:00:00Z",
    ];
    for time in odd_times {
        let row = format!("{time},100,101,99,100,5");
        let record = load_with(&[(100, row.as_str())]).await;

        assert_eq!(
            record.state,
            OperationState::Completed,
            "{time}: {record:#?}"
        );
        let fetched = fetched(&record);
        // 300 hours are expected, and row 101, which is line 102, is of none of them.
        assert_eq!((fetched.missing, fetched.rows), (300, 299), "{time}");
        assert_eq!((fetched.work.new, fetched.remaining), (299, 1));
        // The days of both years are one request, and one commit.
        assert_eq!((fetched.work.segments, fetched.revision), (1, 1));
        let said = "with times before 1900 or after tomorrow were left out: line 102";
        assert!(
            fetched.warnings[0].ends_with(said),
            "{:?}",
            fetched.warnings
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_left_out_lowers_the_score() {
    let record = load_with(&[
        (99, "TIME,100,inf,99,100,5"),
        (199, "TIME,100,101,,100,5"),
        (250, "TIME,,,,,"),
    ])
    .await;

    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
    let fetched = fetched(&record);
    // Of 300 expected bars the file has 297; of one it says that there is none.
    assert_eq!((fetched.missing, fetched.rows), (300, 297));
    assert_eq!(fetched.remaining, 3);
    let warnings = fetched.warnings.join("\n");
    for said in [
        "2 rows of",
        "with a price that is missing or infinite were left out: line 101, 201",
        "without a price were left out: line 252",
    ] {
        assert!(warnings.contains(said), "{warnings}");
    }

    // 2 of 299 bars that can be had are missing: 100 × (0.5 × 297 / 299 + 0.3 + 0.2) = 99.67.
    let validated = validated(&record);
    assert_eq!(validated.score, 99.7);
    let said = "2 of 299 expected bars (0.67 %) are missing, in 2 gaps";
    assert!(
        validated.findings.iter().any(|text| text == said),
        "{validated:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_no_market_has_fails_the_load() {
    let record = load_with(&[(100, "TIME,100,1e308,99,100,5")]).await;

    assert_eq!(record.state, OperationState::Failed);
    let (code, message) = failure_of(&record);
    assert_eq!(code, "DATA-Critical", "{message}");
    assert!(
        message.contains("1 bar with a price that no market has"),
        "{message}"
    );
    assert_eq!(fetched(&record).rows, 300, "what came is stored");
}
