//! Requests to a server that misbehaves: which ones are made again, which pauses are kept, and what
//! class of error is left.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fake_http::exchanges::{Candle, binance, kraken};
use fake_http::{Manner, Reply, Request};
use fetcher::fetch::fetch;
use fetcher::provider::{FailureClass, ProviderError};
use fetcher::waits::with_shown_waits;
use fetcher::{FetchError, GapSettings};
use market::Utc;
use runtime::StepError;
use schemas::codes::Advice as _;
use schemas::commands::{FetchBars, FetchMode};
use store::RawBars;
use tokio::sync::watch;

use crate::fake_exchange::Place;
use crate::fetching::{command, memory, run};
use crate::scripted::Runner;

/// The first answers are these; the later ones are those of the exchange.
fn first_answers(
    first: Vec<Reply>,
) -> impl Fn(&[Candle], &Request) -> Reply + Send + Sync + 'static {
    let number = AtomicU32::new(0);
    move |candles, request| {
        let number = number.fetch_add(1, Ordering::Relaxed) as usize;
        let reply = first.get(number).cloned();
        reply.unwrap_or_else(|| binance(candles, request))
    }
}

async fn ten_bars(place: &Place) -> Result<RawBars, ProviderError> {
    let key = place.key("BTCUSDT");
    place
        .provider
        .bars(&key, place.label(0)..place.label(10))
        .await
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let text = "[[1,2,3,4,5,6,7,8],[1,2,3,4,5,6,7,8]]";
    for manner in [Manner::Half, Manner::HalfAsWhole, Manner::Dropped] {
        let place = Place::scripted(
            "binance",
            50,
            first_answers(vec![Reply::ok(text).in_manner(manner)]),
        );

        assert_eq!(ten_bars(&place).await.unwrap().len(), 10, "{manner:?}");
        // A client may send a request again by itself when its connection was dropped.
        assert!(place.server.take_requests().len() >= 2, "{manner:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_three_times() {
    let place = Place::scripted("binance", 50, |_, _| Reply::of(503, "<html>away</html>"));

    let error = ten_bars(&place).await.unwrap_err();

    assert_eq!(error.class(), FailureClass::Connection);
    assert!(error.is_transient());
    assert!(
        error.to_string().ends_with("cannot answer now (HTTP 503)"),
        "{error}"
    );
    assert_eq!(place.server.take_requests().len(), 3);
}

#[tokio::test]
async fn a_silent_server_is_left_after_the_timeout() {
    let place = Place::scripted("binance", 50, |_, _| {
        Reply::ok("[]").in_manner(Manner::Silent)
    });

    let began = Instant::now();
    let error = ten_bars(&place).await.unwrap_err();

    // Three attempts of two seconds, and two short pauses.
    assert_eq!(error.class(), FailureClass::Timeout);
    assert!(
        error.to_string().ends_with("did not answer within 2 s"),
        "{error}"
    );
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(6)..Duration::from_secs(20)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_pause_is_kept_and_is_no_attempt() {
    let storm = vec![Reply::of(429, "{}").with_header("Retry-After", 1); 4];
    let place = Place::scripted("binance", 50, first_answers(storm));
    let (sender, mut waits) = watch::channel(None);

    let began = Instant::now();
    let request = with_shown_waits(sender, ten_bars(&place));
    let first_wait = async {
        let waiting = waits.wait_for(Option::is_some).await.unwrap();
        waiting.clone().unwrap()
    };
    let (bars, waiting) = tokio::join!(request, first_wait);

    assert_eq!(bars.unwrap().len(), 10);
    assert_eq!(waiting.reason, "the limit of binance");
    assert!(began.elapsed() >= Duration::from_secs(4));
    let requests = place.server.take_requests();
    assert_eq!(requests.len(), 5);
    for pair in requests.windows(2) {
        let between = pair[1].at - pair[0].at;
        assert!(between >= Duration::from_millis(950), "{between:?}");
    }
}

#[tokio::test]
async fn a_wait_ends_with_whoever_waits() {
    let place = Place::scripted("binance", 50, |_, _| {
        Reply::of(429, "{}").with_header("Retry-After", 60)
    });
    let began = Instant::now();

    let request = tokio::time::timeout(Duration::from_millis(300), ten_bars(&place));

    assert!(request.await.is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_ban_is_reported_and_not_asked_against() {
    let place = Place::scripted("binance", 50, |_, _| {
        Reply::of(418, "{}").with_header("Retry-After", 7_200)
    });

    // One that is not waited out: the second request is not even sent.
    for _ in 0..2 {
        let error = ten_bars(&place).await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Pacing);
        assert!(!error.is_transient());
        assert!(
            error.hint().starts_with("run the command again after "),
            "{}",
            error.hint()
        );
    }
    assert_eq!(place.server.take_requests().len(), 1);
}

#[tokio::test]
async fn a_refused_address_is_no_reason_to_try_again() {
    for status in [401, 403, 451] {
        let text = r#"{"code": 0, "msg": "Service unavailable from a restricted location"}"#;
        let place = Place::scripted("binance", 50, move |_, _| Reply::of(status, text));

        let error = ten_bars(&place).await.unwrap_err();

        assert_eq!(error.class(), FailureClass::Permission);
        assert!(error.to_string().contains("restricted location"), "{error}");
        assert_eq!(place.server.take_requests().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_a_protocol_error() {
    let answers = [
        Reply::ok("{\"new\": \"form\"}"),
        Reply::ok("<html>portal</html>"),
        Reply::ok("[[\"then\", 1, 2, 3, 4, 5]]"),
        Reply::ok("[[1704067200000, \"NaN\", \"1\", \"1\", \"1\", \"1\"]]"),
        Reply::of(302, ""),
    ];
    for answer in answers {
        let place = Place::scripted("binance", 50, first_answers(vec![answer.clone()]));

        let error = ten_bars(&place).await.unwrap_err();

        assert_eq!(error.class(), FailureClass::Protocol, "{answer:?}: {error}");
        assert_eq!(place.server.take_requests().len(), 1);
    }
}

#[tokio::test]
async fn fields_that_nobody_knows_do_no_harm() {
    let place = Place::scripted("kraken", 50, |candles, request| {
        let reply = kraken(candles, request);
        reply
            .with_header("x-new", "1")
            .after(Duration::from_millis(20))
    });
    let key = place.key("crypto:BTC/USD");

    let bars = place.provider.bars(&key, place.label(0)..place.label(10));

    assert_eq!(bars.await.unwrap().len(), 10);
}

#[tokio::test]
async fn what_the_server_says_was_used_counts() {
    // 4 800 is the whole share of 80 percent: the next request waits for the end of the minute.
    let place = Place::scripted("binance", 50, |candles, request| {
        binance(candles, request).with_header("X-MBX-USED-WEIGHT-1M", 4_800)
    });
    ten_bars(&place).await.unwrap();

    let second = tokio::time::timeout(Duration::from_millis(500), ten_bars(&place));

    assert!(second.await.is_err());
    assert_eq!(place.server.take_requests().len(), 1);
}

#[tokio::test]
async fn errors_in_the_body_are_read_as_errors() {
    let answer = |text: &'static str| {
        Place::scripted("kraken", 50, move |_, _| {
            Reply::ok(format!("{{\"error\": [\"{text}\"]}}"))
        })
    };
    let classes = [
        ("EQuery:Unknown asset pair", FailureClass::UnknownSymbol),
        ("EService:Unavailable", FailureClass::Connection),
        ("EGeneral:Permission denied", FailureClass::Permission),
        ("EGeneral:Invalid arguments", FailureClass::Protocol),
    ];
    for (text, class) in classes {
        let place = answer(text);
        let key = place.key("crypto:BTC/USD");

        let request = place.provider.bars(&key, place.label(0)..place.label(10));

        assert_eq!(request.await.unwrap_err().class(), class, "{text}");
    }
}

#[tokio::test]
async fn a_stop_ends_the_wait_of_a_load_at_once() {
    let place = Place::scripted("binance", 50, |_, _| {
        Reply::of(429, "{}").with_header("Retry-After", 60)
    });
    let store = memory().await;
    let runner = Runner::default();
    let command = command("BTCUSDT", "1h", FetchMode::Full);
    let settings = GapSettings::default();
    let now = Utc::from_timestamp(jiff::Timestamp::now());
    let load = fetch(&store, &*place.provider, &command, &settings, now, &runner);
    let stop_later = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        runner.stop.notify_one();
        Instant::now()
    };

    let (ended, stopped_at) = tokio::join!(async { (load.await, Instant::now()) }, stop_later);

    let error = ended.0.unwrap_err();
    assert!(
        matches!(error, FetchError::Step(StepError::Stopped)),
        "{error}"
    );
    assert!(ended.1 - stopped_at < Duration::from_millis(500));
    let messages = runner.messages.lock().unwrap();
    let wait = "Waiting: the limit of binance";
    assert!(
        messages.iter().any(|message| message == wait),
        "{messages:?}"
    );
}

#[tokio::test]
async fn history_that_has_changed_replaces_stored_bars() {
    let changed = std::sync::Arc::new(AtomicU32::new(0));
    let of_server = std::sync::Arc::clone(&changed);
    let place = Place::scripted("binance", 50, move |candles, request| {
        let mut candles = candles.to_vec();
        candles[7].prices[3] += f64::from(of_server.load(Ordering::Relaxed));
        binance(&candles, request)
    });
    let store = memory().await;
    let load = |refetch| FetchBars {
        refetch,
        ..command("BTCUSDT", "1h", FetchMode::Full)
    };
    let now = Utc::from_timestamp(jiff::Timestamp::now());

    let first = run(&store, &*place.provider, &load(false), now)
        .await
        .unwrap();
    changed.store(1, Ordering::Relaxed);
    let again = run(&store, &*place.provider, &load(false), now)
        .await
        .unwrap();
    let refetched = run(&store, &*place.provider, &load(true), now)
        .await
        .unwrap();

    // 49 bars are over. Nothing is missing the second time; asked for again, one differs.
    assert_eq!((first.work.new, first.remaining), (49, 0));
    assert_eq!((again.work.segments, again.work.changed), (0, 0));
    assert_eq!((refetched.work.new, refetched.work.changed), (0, 1));
}
