//! Following with real processes against an exchange whose clock is the present one: a follower that
//! is killed is replaced without a hole and without a bar that is announced twice, and one that is
//! cancelled ends at once.

use std::time::{Duration, Instant};

use fake_http::exchanges::{Candle, binance};
use fake_http::{FakeHttp, Reply, Request};
use jiff::Timestamp;
use market::{Instrument, SeriesKey, Timeframe, Utc};
use schemas::commands::{FollowBars, FollowOutcome, SeriesRequest, StoredBars};
use schemas::events::What;
use schemas::ids::OperationId;
use schemas::operation::{NewOperation, OperationState};
use schemas::requests::DataFollow;
use store::ALL_TIME;
use system_tests::{Process, Sandbox};

/// Bars that the exchange has when a test begins.
const HISTORY: i64 = 30;

fn minute_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(60)
}

/// Minutes of BTCUSDT from `first` to the present one, which is not over.
fn answer(first: i64, request: &Request) -> Reply {
    let minutes = first..=minute_of(Timestamp::now());
    let candles: Vec<Candle> = minutes.map(candle).collect();
    binance(&candles, request)
}

fn candle(minute: i64) -> Candle {
    let open = 100.0 + (minute % 1_000) as f64;
    Candle {
        time: minute * 60,
        prices: [open, open + 2.0, open - 2.0, open + 1.0],
        volume: 10.0,
    }
}

fn open_exchange() -> FakeHttp {
    let first = minute_of(Timestamp::now()) - HISTORY;
    FakeHttp::start(move |request| answer(first, request)).unwrap()
}

fn start_fetcher(sandbox: &Sandbox, exchange: &FakeHttp) -> Process {
    let url = format!("providers.binance.url={}", exchange.url());
    sandbox.spawn_with("ktrdr-fetcher", &["--set", &url])
}

fn follow(bars: Option<u64>) -> NewOperation {
    let follow = FollowBars {
        provider: "binance".to_owned(),
        series: vec![SeriesRequest {
            symbol: "BTCUSDT".to_owned(),
            timeframe: "1m".to_owned(),
        }],
        until: None,
        bars,
        calendar: None,
    };
    let labels = [].into();
    DataFollow { follow, labels }.operation()
}

/// Waits until the tail is loaded and the follower waits for a close.
async fn until_it_waits(sandbox: &Sandbox, op: &OperationId) {
    let is_meant = |what| what == What::Checkpointed;
    sandbox
        .until_event(op, "checkpointed", |event| is_meant(event.what))
        .await;
}

/// Waits until there is this much time left of the present minute, so that what follows happens
/// within it; returns the minute.
async fn until_early_in_a_minute(sandbox: &Sandbox) -> i64 {
    let now = Timestamp::now();
    let second = now.as_second().rem_euclid(60);
    if second > 45 {
        until_minute(sandbox, minute_of(now) + 1).await;
    }
    minute_of(Timestamp::now())
}

/// Waits until a minute has begun.
async fn until_minute(sandbox: &Sandbox, minute: i64) {
    let begin = Timestamp::from_second(minute * 60).unwrap();
    let rest = Duration::try_from(begin.duration_since(Timestamp::now())).unwrap_or_default();
    sandbox.after(rest + Duration::from_millis(50)).await;
}

/// The minutes of the bars that were announced, in order.
async fn announced(sandbox: &Sandbox, op: &OperationId) -> Vec<i64> {
    let mut events = sandbox.events(op).await;
    events.retain(|event| event.what == What::Stored);
    let bars = events.into_iter().flat_map(|event| {
        let news: StoredBars = serde_json::from_value(event.result).unwrap();
        news.bars
    });
    bars.map(|bar| minute_of(bar.open)).collect()
}

/// Checks that the stored bars are those of the exchange, each minute once; returns the last.
async fn last_of_whole_series(sandbox: &Sandbox) -> i64 {
    let store = sandbox.store();
    let instrument = Instrument::parse("BTCUSDT").unwrap();
    let key = SeriesKey::standard("binance", instrument, Timeframe::MINUTE_1).unwrap();
    let snapshot = store.series().snapshot(&key, None).await.unwrap().unwrap();
    let bars = store.series().raw_bars(&snapshot, ALL_TIME).await.unwrap();

    let minutes: Vec<i64> = bars
        .open_time
        .iter()
        .map(|open| minute_of(open.timestamp()))
        .collect();
    let expected: Vec<i64> = (minutes[0]..).take(minutes.len()).collect();
    assert_eq!(minutes, expected);
    for bar in bars.iter() {
        assert_eq!(
            bar.prices,
            candle(minute_of(bar.open_time.timestamp())).prices
        );
    }
    assert!(bars.open_time.len() as i64 >= HISTORY - 1);
    assert!(bars.open_time.last() < Some(&Utc::from_timestamp(Timestamp::now())));
    *minutes.last().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_follower_is_replaced_without_a_hole() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let exchange = open_exchange();
    let mut first = start_fetcher(&sandbox, &exchange);
    let minute = until_early_in_a_minute(&sandbox).await;
    let op = sandbox.submit(&follow(Some(1))).await;
    until_it_waits(&sandbox, &op).await;
    assert_eq!(announced(&sandbox, &op).await, Vec::<i64>::new());

    // The bar of this minute closes while nobody is there.
    first.kill();
    until_minute(&sandbox, minute + 1).await;
    let _second = start_fetcher(&sandbox, &exchange);

    let completion = sandbox.only_completion_of(&op).await;
    assert_eq!(completion.attempt, 2);
    assert_eq!(announced(&sandbox, &op).await, [minute]);
    assert_eq!(last_of_whole_series(&sandbox).await, minute);
    let outcome: FollowOutcome = serde_json::from_value(completion.result).unwrap();
    let followed = &outcome.followed[0];
    assert_eq!((followed.bars, followed.missing), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_follower_ends_at_once_with_what_is_stored() {
    let sandbox = Sandbox::start().await;
    let exchange = open_exchange();
    let _fetcher = start_fetcher(&sandbox, &exchange);
    let op = sandbox.submit(&follow(None)).await;
    until_it_waits(&sandbox, &op).await;

    let cancelled = Instant::now();
    sandbox.bus().cancels().request(&op, "").await.unwrap();
    let record = sandbox.until_ended(&op).await;

    assert!(cancelled.elapsed() < Duration::from_secs(2));
    assert_eq!(record.state, OperationState::Cancelled);
    let last = last_of_whole_series(&sandbox).await;
    assert!((minute_of(Timestamp::now()) - last) <= 2, "{last}");
}
