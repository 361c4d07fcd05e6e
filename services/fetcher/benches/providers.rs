//! Requests and loads beside a plain loop with the same client, for the table in
//! docs/performance.md: `cargo bench -p fetcher --bench providers [-- --bars 1000000]`.
//!
//! A fake Binance of this process answers at once; what is measured is our part: pacing, JSON,
//! labels, gaps, commits.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may fail loudly")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_http::{FakeHttp, Reply, Request};
use fetcher::fetch::fetch;
use fetcher::http_account::http_client;
use fetcher::provider::Provider;
use fetcher::providers::Providers;
use fetcher::{FetcherSettings, GapSettings};
use market::{Instrument, Timeframe, Utc};
use runtime::{StepError, StepReporter};
use schemas::commands::{FetchBars, FetchMode, SeriesRequest};
use schemas::progress::Progress;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::Store;

const MINUTE_MS: i64 = 60_000;
const CALLS: i64 = 100;
const PAGE_BARS: i64 = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let place = arguments.iter().position(|argument| argument == "--bars");
    let bars = place.and_then(|place| arguments.get(place + 1)?.parse().ok());
    let bars: i64 = bars.unwrap_or(1_000_000);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bench = Bench::new(bars);
        bench.measure_requests().await;
        bench.measure_load().await;
    });
    println!("peak memory, the server with it: {}", peak_memory());
}

/// A server with minutes up to now, and how to ask it.
struct Bench {
    server: FakeHttp,
    bars: i64,
    /// Start of the first minute, in milliseconds.
    first: i64,
}

impl Bench {
    fn new(bars: i64) -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        let first = (now.div_euclid(MINUTE_MS) - bars) * MINUTE_MS;
        let end = first + bars * MINUTE_MS;

        Self {
            server: FakeHttp::start(move |request| klines(request, first, end)).unwrap(),
            bars,
            first,
        }
    }

    fn provider(&self) -> Arc<dyn Provider> {
        let mut settings = FetcherSettings::default();
        let binance = settings.providers.get_mut("binance").unwrap();
        binance.url = self.server.url();
        Providers::new(settings).open("binance").unwrap()
    }

    /// A page of ten bars a hundred times, by the provider and by a plain loop.
    async fn measure_requests(&self) {
        let provider = self.provider();
        let bitcoin = Instrument::parse("BTCUSDT").unwrap();
        let key = provider.series(bitcoin, Timeframe::MINUTE_1).unwrap();
        let range = Utc(self.first * 1000)..Utc((self.first + 10 * MINUTE_MS) * 1000);
        let before = self.server.connections();
        let began = Instant::now();
        for _ in 0..CALLS {
            provider.bars(&key, range.clone()).await.unwrap();
        }
        self.print_requests("provider", began.elapsed(), before);

        let client = http_client().unwrap();
        let before = self.server.connections();
        let began = Instant::now();
        for _ in 0..CALLS {
            self.ask_plainly(&client, self.first, self.first + 10 * MINUTE_MS)
                .await;
        }
        self.print_requests("plain loop", began.elapsed(), before);
    }

    fn print_requests(&self, who: &str, took: Duration, connections_before: usize) {
        let speed = CALLS as f64 / took.as_secs_f64();
        let connections = self.server.connections() - connections_before;
        println!("{CALLS} requests, {who}: {speed:.0} requests/s, {connections} connections");
    }

    /// All bars into a store in a folder, and by a plain loop into nothing.
    async fn measure_load(&self) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let store = Store::open(&url).await.unwrap();
        let provider = self.provider();
        let command = FetchBars {
            provider: "binance".to_owned(),
            series: vec![SeriesRequest {
                symbol: "BTCUSDT".to_owned(),
                timeframe: "1m".to_owned(),
            }],
            mode: FetchMode::Full,
            start: None,
            end: None,
            refetch: false,
            calendar: None,
            accept_finer: false,
            accept_stored: false,
        };
        let now = Utc::from_timestamp(jiff::Timestamp::now());
        let settings = GapSettings::default();
        let began = Instant::now();
        let loaded = fetch(&store, &*provider, &command, &settings, now, &Nobody).await;
        let stored = loaded.unwrap().series.first().unwrap().rows;
        print_bars("into the store", stored as f64, began.elapsed());

        let client = http_client().unwrap();
        let began = Instant::now();
        let mut count = 0;
        for page in 0..self.bars.div_euclid(PAGE_BARS) {
            let start = self.first + page * PAGE_BARS * MINUTE_MS;
            let end = start + PAGE_BARS * MINUTE_MS;
            count += self.ask_plainly(&client, start, end).await;
        }
        print_bars("plain loop, not stored", count as f64, began.elapsed());
    }

    /// One request read as JSON; the number of its rows.
    async fn ask_plainly(&self, client: &reqwest::Client, start: i64, end: i64) -> usize {
        let url = format!(
            "{}/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={start}&endTime={}&limit=1000",
            self.server.url(),
            end - 1
        );
        let response = client.get(url).send().await.unwrap();
        let content: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        content.as_array().map_or(0, Vec::len)
    }
}

fn print_bars(how: &str, bars: f64, took: Duration) {
    let seconds = took.as_secs_f64();
    let speed = bars / seconds;
    println!("{bars:.0} bars, {how}: {seconds:.2} s, {speed:.0} bars/s");
}

/// Rows of the minutes that a request asks for, without keeping any.
fn klines(request: &Request, first: i64, end: i64) -> Reply {
    let start = request.number("startTime", 0).max(first);
    let start = start + (first - start).rem_euclid(MINUTE_MS);
    let until = request.number("endTime", i64::MAX).min(end - 1);
    let limit = request.number("limit", 500).min(PAGE_BARS);

    let times = (0..limit).map(|number| start + number * MINUTE_MS);
    let rows = times.take_while(|time| *time <= until).map(|time| {
        json!([
            time,
            "100.00000000",
            "102.00000000",
            "98.00000000",
            "101.00000000",
            "10.00000000",
            time + 59_999,
            "0",
            7,
            "0",
            "0",
            "0"
        ])
    });
    Reply::ok(Value::Array(rows.collect()))
}

/// `VmHWM` of this process.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let peak = line.map(|line| line.trim_start_matches("VmHWM:").trim());
    peak.unwrap_or("unknown").to_owned()
}

/// Nobody watches the load or stops it.
struct Nobody;

impl StepReporter for Nobody {
    fn report(&self, _: Progress) {}

    fn check_stop(&self) -> Result<(), StepError> {
        Ok(())
    }

    async fn until_stop(&self) {
        std::future::pending::<()>().await;
    }

    fn resume_point<T: DeserializeOwned>(&self) -> Option<T> {
        None
    }

    async fn checkpoint<T: Serialize + Sync>(&self, _: &T) -> Result<(), StepError> {
        Ok(())
    }
}
