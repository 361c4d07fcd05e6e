//! What fetchers share of a provider, on a real server: each process has its own connection, in the
//! role of a worker.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fake_http::exchanges::{binance, rising_candles};
use fake_http::{FakeHttp, Reply};
use fetcher::pacer::Pacer;
use fetcher::request_budget::{BudgetRules, RequestBudget};
use fetcher::{Fetcher, FetcherSettings};
use jiff::Timestamp;
use runtime::shared_memory::on_bus;
use schemas::commands::{FetchBars, FetchMode, SeriesRequest};
use schemas::requests::DataLoad;
use system_tests::{Role, Sandbox};
use tokio::task::JoinSet;
use validator::Validator;

const WINDOW: Duration = Duration::from_secs(2);
const WEIGHT_MAX: u32 = 10;

/// The limit as another process of the account has it.
async fn new_pacer(sandbox: &Sandbox) -> Pacer {
    let rules = BudgetRules {
        weight_max: WEIGHT_MAX,
        window: WINDOW,
        spacing: Duration::ZERO,
    };
    let memory = on_bus(&sandbox.connect_as(Role::Service("fetcher")).await);
    let reason = |_| "the limit".to_owned();
    Pacer::shared(memory, "exchange", RequestBudget::new(rules), reason)
}

/// Makes requests, and notes when.
async fn ask(pacer: &Pacer, count: u32, sent: &Mutex<Vec<Instant>>) {
    for _ in 0..count {
        pacer.admit(1).await;
        sent.lock().unwrap().push(Instant::now());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_keep_to_one_limit_together() {
    let sandbox = Arc::new(Sandbox::start_guarded().await);
    let sent: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let began = Instant::now();

    let mut processes = JoinSet::new();
    for _ in 0..2 {
        let sandbox = Arc::clone(&sandbox);
        let sent = Arc::clone(&sent);
        processes.spawn(async move {
            ask(&new_pacer(&sandbox).await, 10, &sent).await;
            // Another one, with the window full.
            ask(&new_pacer(&sandbox).await, 5, &sent).await;
        });
    }
    processes.join_all().await;

    let mut sent = sent.lock().unwrap().clone();
    sent.sort();
    assert_eq!(sent.len(), 30);
    let apart = sent.windows(11).map(|sent| sent[10] - sent[0]);
    let closest = apart.min().unwrap();
    assert!(closest >= WINDOW, "eleven within {closest:?}");
    assert!(began.elapsed() < 10 * WINDOW, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_a_process_goes_on_alone() {
    let sandbox = Sandbox::start().await;
    let pacer = new_pacer(&sandbox).await;
    pacer.admit(1).await;

    sandbox.kill_server();
    let sent = Mutex::new(Vec::new());
    ask(&pacer, 8, &sent).await;

    // Half of the limit, of which one is used: four at once.
    let sent = sent.into_inner().unwrap();
    assert!(sent[4] - sent[0] < WINDOW || sent[7] - sent[2] >= WINDOW);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_longer_than_the_hold_on_its_message_keeps_it() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let hold = sandbox.bus().timing().ack_wait;
    let pause = hold * 4;

    // The answer to the first request is to come back later.
    let this_hour = Timestamp::now().as_second().div_euclid(3_600) * 3_600;
    let candles = rising_candles(this_hour - 99 * 3_600, 3_600, 100);
    let is_first = Mutex::new(true);
    let server = FakeHttp::start(move |request| {
        if std::mem::take(&mut *is_first.lock().unwrap()) {
            return Reply::of(429, "{}").with_header("Retry-After", pause.as_secs());
        }
        binance(&candles, request)
    })
    .unwrap();
    let mut settings = FetcherSettings::default();
    settings.providers.get_mut("binance").unwrap().url = server.url();
    let memory = on_bus(&sandbox.connect_as(Role::Service("fetcher")).await);
    let _fetcher = sandbox.run(Fetcher::with_memory(settings, memory)).await;
    let _validator = sandbox.run(Validator::default()).await;

    let began = Instant::now();
    let op = sandbox.submit(&load().operation()).await;
    sandbox.only_completion_of(&op).await;

    assert!(began.elapsed() >= pause, "{:?}", began.elapsed());
    assert_eq!(sandbox.record(&op).await.steps[0].attempt, 1);
    let reports = sandbox.progress_of(&op).await;
    let waits = reports.iter().filter_map(|report| report.waiting.as_ref());
    let wait = waits.clone().next().unwrap();
    assert_eq!(wait.reason, "the limit of binance");
    assert!(wait.until.is_some());
}

/// A load of the last hours of Bitcoin.
fn load() -> DataLoad {
    DataLoad {
        fetch: FetchBars {
            provider: "binance".to_owned(),
            series: vec![SeriesRequest {
                symbol: "BTCUSDT".to_owned(),
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
