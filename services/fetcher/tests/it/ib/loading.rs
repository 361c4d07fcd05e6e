//! Whole loads into a store, through the fake TWS.

use std::time::{Duration, Instant};

use fake_tws::{Bar, Verb};
use fetcher::provider::Provider as _;
use fetcher::waits::with_shown_waits;
use market::Utc;
use schemas::commands::{FetchBars, FetchMode, FetchedSeries, SeriesRequest};
use store::{Edit, Store};
use tokio::sync::watch;

use super::desk::{Desk, PAUSE, bars_of, key_of, quick_waits, week};
use crate::fetching::{memory, run, stored};
use crate::scripted::{DAY, utc};

fn load(timeframe: &str, start: &str) -> FetchBars {
    FetchBars {
        provider: "ib".to_owned(),
        series: vec![SeriesRequest {
            symbol: "AAPL".to_owned(),
            timeframe: timeframe.to_owned(),
        }],
        mode: FetchMode::Full,
        start: Some(start.parse().unwrap()),
        end: None,
        refetch: false,
        calendar: None,
        accept_finer: false,
        accept_stored: false,
    }
}

/// Loads the hours of the week.
async fn load_week(store: &Store, desk: &Desk) -> FetchedSeries {
    let request = load("1h", "2024-01-15T00:00:00Z");
    let now = week().end;
    run(store, &desk.provider, &request, now).await.unwrap()
}

#[tokio::test]
async fn a_week_is_loaded_once() {
    let store = memory().await;
    let desk = Desk::open(|_| {});

    let series = load_week(&store, &desk).await;
    assert_eq!(
        (series.rows, series.work.new, series.remaining),
        (28, 28, 0)
    );
    let requests = desk.tws.requests().len();

    // Complete data needs neither bars nor the head again.
    load_week(&store, &desk).await;
    assert_eq!(desk.tws.requests().len(), requests);
}

#[tokio::test]
async fn only_the_missing_hours_are_asked_for() {
    let store = memory().await;
    let desk = Desk::open(|_| {});
    load_week(&store, &desk).await;
    let key = key_of("AAPL", "1h");
    let whole = stored(&store, &key).await;

    // Another store has all but Wednesday.
    let wednesday = utc("2024-01-17T00:00:00Z")..utc("2024-01-18T00:00:00Z");
    let rest = whole
        .iter()
        .filter(|bar| !wednesday.contains(&bar.open_time));
    let edit = Edit {
        bars: rest.collect(),
        empty_intervals: Vec::new(),
        calendar: String::new(),
        at: week().end,
    };
    let store = memory().await;
    store.series().commit(&key, edit, None).await.unwrap();
    let before = desk.tws.bars_requests().len();
    let series = load_week(&store, &desk).await;

    assert_eq!(series.work.new, 7);
    assert_eq!(stored(&store, &key).await, whole);
    let requests = desk.tws.bars_requests();
    let ends: Vec<&str> = requests[before..].iter().map(|made| &*made.1.end).collect();
    assert_eq!(ends, ["20240118 14:00:00 UTC"]);
}

#[tokio::test]
async fn a_lost_link_fails_no_segment_of_a_load() {
    // A year of hours is some thirteen segments; the link goes after the fifth request.
    let key = key_of("AAPL", "1h");
    let year = utc("2023-01-01T00:00:00Z")..utc("2024-01-01T00:00:00Z");
    let bars: Vec<Bar> = bars_of(&key, year.clone());
    let count = bars.len();
    let desk = Desk::open(|script| {
        script.bars = bars;
        script.for_bars = vec![Verb::Answer; 4]
            .into_iter()
            .chain([Verb::Silent])
            .collect();
    });
    let store = memory().await;

    let request = load("1h", "2023-01-01T00:00:00Z");
    let loading = run(&store, &desk.provider, &request, year.end);
    let outage = async {
        desk.until_asked(5).await;
        desk.tws
            .say(1100, "Connectivity between IB and TWS has been lost.");
        tokio::time::timeout(PAUSE, std::future::pending::<()>())
            .await
            .unwrap_err();
        desk.tws
            .say(1101, "Connectivity has been restored - data lost.");
    };
    let (series, ()) = tokio::join!(loading, outage);

    let series = series.unwrap();
    assert_eq!(series.rows, u64::try_from(count).unwrap());
    assert_eq!(series.remaining, 0);
}

#[tokio::test]
async fn a_wait_for_the_limit_is_shown_and_can_be_left() {
    let desk = Desk::open_with(
        |settings| {
            settings.limit_percent = 1;
            settings.spacing = Duration::from_secs(600);
        },
        |_| {},
    );
    let key = desk.key("AAPL", "1h");
    desk.provider.bars(&key, week()).await.unwrap();

    let (sender, mut waits) = watch::channel(None);
    let earlier = week().start.plus_micros(-7 * DAY)..week().start;
    let request = with_shown_waits(sender, desk.provider.bars(&key, earlier));
    let began = Instant::now();
    let mut request = std::pin::pin!(request);
    tokio::select! {
        _ = &mut request => panic!("it must wait for ten minutes"),
        changed = waits.changed() => changed.unwrap(),
    }
    let waiting = waits.borrow().clone().unwrap();

    assert!(began.elapsed() < Duration::from_secs(5));
    let reason = "the limit of ib: 1 of 60 requests in 10 minutes were made";
    assert_eq!(waiting.reason, reason);
    let rest = waiting
        .until
        .unwrap()
        .duration_since(jiff::Timestamp::now());
    assert!((590..=600).contains(&rest.as_secs()), "{rest}");
}

#[tokio::test]
async fn work_that_never_reached_a_gateway_does_not_wait() {
    let port = Desk::open(|_| {}).tws.port();
    let settings = super::desk::quick_settings(port);
    let provider = fetcher::ib::provider::IbProvider::new(settings, quick_waits());
    let store = memory().await;
    let began = Instant::now();

    let request = load("1h", "2024-01-15T00:00:00Z");
    let now: Utc = week().end;
    run(&store, &provider, &request, now).await.unwrap_err();

    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn three_requests_are_open_at_a_time() {
    let desk = Desk::with_verbs(vec![Verb::Silent; 9]);
    let desk = std::sync::Arc::new(desk);
    let key = desk.key("AAPL", "1h");

    for index in 0..5 {
        let desk = std::sync::Arc::clone(&desk);
        let key = key.clone();
        let range = week().start.plus_micros(-index * DAY)..week().end;
        tokio::spawn(async move { desk.provider.bars(&key, range).await });
    }

    desk.until_asked(3).await;
    let more = tokio::time::timeout(PAUSE, desk.until_asked(4)).await;
    assert!(more.is_err(), "a fourth request is open");
}
