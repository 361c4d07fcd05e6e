//! What a provider that fails now and then, or all the time, costs a load.

use std::ops::Range;
use std::time::Duration;

use fetcher::breaker::Breaker;
use fetcher::fetch::{Asking, fetch, fetch_as};
use fetcher::provider::AskingRules;
use fetcher::remote_error::Failure;
use fetcher::{FetchError, GapSettings};
use jiff::{SignedDuration, Timestamp};
use market::Utc;
use runtime::StepError;
use schemas::codes::Advice as _;
use schemas::commands::{FetchBars, FetchMode, FetchState};
use schemas::progress::SegmentCounts;
use tokio::time::Instant;

use crate::fetching::{hourly, memory, run, spring, stored};
use crate::scripted::{DAY, HOUR, Runner, Scripted, away, euro, silent, utc};

/// Ten pieces of thirty days.
fn ten_pieces() -> (Scripted, Utc) {
    // Pieces begin at multiples of thirty days since 1970.
    let start = Utc(609 * 30 * DAY);
    let end = start.plus_micros(10 * 30 * DAY);
    (Scripted::hourly(start..end), end)
}

/// Fails the requests for labels in a range.
fn fail_in(range: Range<Utc>, failure: fn() -> Failure) -> crate::scripted::Fault {
    Box::new(move |_, request| {
        (request.start < range.end && range.start < request.end).then(failure)
    })
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_twice_is_made_three_times() {
    let (mut provider, now) = spring();
    provider.fault = Box::new(|number, _| (number <= 2).then(away));
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!((series.state, series.remaining), (FetchState::Completed, 0));
    let requests = provider.take_requests();
    assert_eq!(requests.len(), 7);
    assert!(requests[0] == requests[1] && requests[1] == requests[2]);
    // 2 + 0.5 and 4 + 0.5 seconds.
    assert_eq!(provider.take_pauses()[..3], [2.5, 4.5, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_with_tries_of_its_own_is_asked_once() {
    let (mut provider, now) = spring();
    provider.rules.own_tries = 3;
    provider.fault = Box::new(|number, _| (number == 1).then(away));
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!(series.state, FetchState::Partial);
    assert_eq!(provider.take_requests().len(), 5);
}

#[tokio::test]
async fn pauses_are_scattered_between_nothing_and_the_longest() {
    let rules = AskingRules::default();
    let factors: Vec<f64> = (0..100).map(|_| (rules.jitter)()).collect();

    assert!(factors.iter().all(|factor| (0.0..=1.0).contains(factor)));
    assert!(factors.iter().any(|factor| *factor < 0.3));
    assert!(factors.iter().any(|factor| *factor > 0.7));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_pacing_is_no_try() {
    let (mut provider, now) = spring();
    provider.fault = Box::new(|number, _| {
        let until = Timestamp::now() + SignedDuration::from_secs(75);
        (number <= 4).then_some(Failure::Pacing { until })
    });
    let store = memory().await;
    let runner = Runner::default();
    let settings = GapSettings::default();
    let request = hourly(FetchMode::Full);

    let outcome = fetch(&store, &provider, &request, &settings, now, &runner)
        .await
        .unwrap();

    assert_eq!(outcome.series[0].state, FetchState::Completed);
    let pauses = provider.take_pauses();
    assert!(
        pauses[..4].iter().all(|pause| (74.0..76.0).contains(pause)),
        "{pauses:?}"
    );
    let messages = runner.messages.lock().unwrap();
    let wait = "Waiting: scripted: it answers no request before";
    assert!(
        messages.iter().any(|message| message.starts_with(wait)),
        "{messages:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_an_end_ends_the_series() {
    let (mut provider, now) = spring();
    provider.fault = Box::new(|number, _| {
        let until = Timestamp::now() + SignedDuration::from_hours(2);
        (number > 3).then_some(Failure::Pacing { until })
    });
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    let counts = SegmentCounts {
        total: 5,
        ok: 3,
        empty: 0,
        failed: 1,
        skipped: 1,
    };
    assert_eq!(
        (series.state, series.segments),
        (FetchState::Partial, counts)
    );
    assert_eq!(provider.take_requests().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_segment_that_fails_does_not_keep_the_others() {
    let (mut provider, now) = ten_pieces();
    let third = provider_pieces(&mut provider, now).await[2].clone();
    provider.fault = fail_in(third.clone(), away);
    let store = memory().await;
    let runner = Runner::default();
    let settings = GapSettings::default();
    let request = hourly(FetchMode::Full);

    let outcome = fetch(&store, &provider, &request, &settings, now, &runner)
        .await
        .unwrap();

    let series = &outcome.series[0];
    let counts = SegmentCounts {
        total: 10,
        ok: 9,
        empty: 0,
        failed: 1,
        skipped: 0,
    };
    assert_eq!(
        (series.state, series.segments),
        (FetchState::Partial, counts)
    );
    let [range] = series.unanswered.as_slice() else {
        panic!("{:?}", series.unanswered)
    };
    assert_eq!((range.start, range.end), (third.start.0, third.end.0));
    assert_eq!(
        (range.segments, range.tries, range.bars),
        (1, 3, series.remaining)
    );
    assert_eq!(range.code, "PROVIDER-Unreachable");
    assert!(
        range.reason.ends_with("cannot answer now (HTTP 503)"),
        "{}",
        range.reason
    );
    let warnings = runner.warnings.lock().unwrap().clone();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, "DATA-Partial");
    assert!(
        warnings[0]
            .message
            .starts_with("1 of 10 requests for EURUSD 1h were not answered")
    );

    // Run again, only that one is asked for.
    provider.take_requests();
    provider.fault = Box::new(|_, _| None);
    let again = run(&store, &provider, &request, now).await.unwrap();
    assert_eq!((again.state, again.remaining), (FetchState::Completed, 0));
    assert_eq!(provider.take_requests(), [third]);
    assert_eq!(
        stored(&store, &euro()).await.open_time,
        provider.bars.open_time
    );
}

/// The requests of a load without failures.
async fn provider_pieces(provider: &mut Scripted, now: Utc) -> Vec<Range<Utc>> {
    run(&memory().await, &*provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    provider.take_pauses();
    provider.take_requests()
}

#[tokio::test(start_paused = true)]
async fn a_load_of_which_nothing_is_answered_fails() {
    let (mut provider, now) = ten_pieces();
    let store = memory().await;
    provider.fault = Box::new(|_, _| Some(away()));
    let began = Instant::now();

    let error = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap_err();

    assert!(
        matches!(error, FetchError::Unanswered { stored: 0, .. }),
        "{error}"
    );
    assert!(
        error
            .hint()
            .ends_with("nothing is stored yet: run the same command again later")
    );
    assert!(matches!(StepError::from(error), StepError::Permanent(_)));
    assert!(store.series().list().await.unwrap().is_empty());
    // Five failures in a row, then three probes, a minute after each other.
    assert_eq!(provider.take_requests().len(), 8);
    let pauses = provider.take_pauses();
    assert_eq!(
        pauses.iter().filter(|pause| **pause >= 60.0).count(),
        3,
        "{pauses:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(240));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_says_what_is_stored() {
    let (mut provider, now) = spring();
    let store = memory().await;
    let earlier = now.plus_micros(-20 * DAY);
    let first = run(&store, &provider, &hourly(FetchMode::Full), earlier)
        .await
        .unwrap();
    provider.fault = Box::new(|_, _| Some(away()));

    let error = run(&store, &provider, &hourly(FetchMode::Tail), now)
        .await
        .unwrap_err();

    let stored_text = format!("the {} stored bars are unchanged", first.rows);
    assert!(error.hint().contains(&stored_text), "{}", error.hint());
    assert_eq!(stored(&store, &euro()).await.len() as u64, first.rows);
}

#[tokio::test(start_paused = true)]
async fn stored_bars_that_are_accepted_end_a_load_with_their_age() {
    let (mut provider, now) = spring();
    let store = memory().await;
    let earlier = now.plus_micros(-20 * DAY);
    let first = run(&store, &provider, &hourly(FetchMode::Full), earlier)
        .await
        .unwrap();
    provider.fault = Box::new(|_, _| Some(away()));
    let runner = Runner::default();
    let load = FetchBars {
        accept_stored: true,
        ..hourly(FetchMode::Tail)
    };

    let settings = GapSettings::default();
    let outcome = fetch(&store, &provider, &load, &settings, now, &runner).await;

    let outcome = outcome.unwrap();
    let series = &outcome.series[0];
    assert_eq!(
        (series.state, series.rows),
        (FetchState::Stored, first.rows)
    );
    assert_eq!(series.content_sha256, first.content_sha256);
    assert!(series.remaining > 0);
    // Whoever watches the load sees it at once, and whoever reads its result later.
    let warning = runner.warnings.lock().unwrap()[0].clone();
    assert_eq!(warning.message, series.warnings[0]);
    let newest = Utc(first.last.unwrap());
    let text =
        format!("only the stored bars of EURUSD 1h are there: the newest one opened at {newest}");
    assert!(warning.message.starts_with(&text), "{}", warning.message);
    assert!(
        warning.message.contains(", 21 days ago; "),
        "{}",
        warning.message
    );
    assert!(
        warning.message.ends_with("(HTTP 503)"),
        "{}",
        warning.message
    );
}

#[tokio::test(start_paused = true)]
async fn stored_bars_that_are_accepted_must_be_there() {
    let (mut provider, now) = spring();
    provider.coverage_fault = Box::new(|_, _| Some(away()));
    let load = FetchBars {
        accept_stored: true,
        ..hourly(FetchMode::Tail)
    };

    let error = run(&memory().await, &provider, &load, now)
        .await
        .unwrap_err();

    assert!(
        matches!(error, FetchError::Unanswered { stored: 0, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_future_asks_nobody() {
    let (mut provider, now) = spring();
    provider.coverage_fault = Box::new(|number, _| panic!("question {number}"));
    let start = now.plus_micros(DAY);
    let load = FetchBars {
        start: Some(start.timestamp()),
        end: Some(start.plus_micros(DAY).timestamp()),
        ..hourly(FetchMode::Full)
    };

    let error = run(&memory().await, &provider, &load, now)
        .await
        .unwrap_err();

    assert!(provider.take_requests().is_empty());
    let hint = error.hint();
    assert!(
        hint.ends_with("; no bars were requested, and nothing was stored"),
        "{hint}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_symbol_is_asked_for_once() {
    let (mut provider, now) = spring();
    provider.coverage_fault = Box::new(|_, _| {
        let symbol = "EURUSD".to_owned();
        Some(Failure::UnknownSymbol {
            symbol,
            similar: Vec::new(),
        })
    });

    let store = memory().await;
    let error = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap_err();

    assert!(matches!(error, FetchError::Provider(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_question_about_the_history_is_tried_three_times() {
    let (mut provider, now) = spring();
    provider.coverage_fault = Box::new(|number, _| (number <= 2).then(away));
    let store = memory().await;
    run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    provider.coverage_fault = Box::new(|_, _| Some(away()));
    let error = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Unanswered { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_three_minutes_fails_no_segment() {
    for jitter in [(|| 0.0) as fn() -> f64, || 1.0] {
        let (mut provider, now) = ten_pieces();
        provider.latency = Duration::from_secs(1);
        provider.rules.jitter = jitter;
        let began = Instant::now();
        provider.fault = Box::new(move |_, _| {
            let outage = Duration::from_secs(4)..Duration::from_secs(184);
            outage.contains(&began.elapsed()).then(away)
        });
        let store = memory().await;
        let runner = Runner::default();
        let settings = GapSettings::default();
        let request = hourly(FetchMode::Full);

        let outcome = fetch(&store, &provider, &request, &settings, now, &runner)
            .await
            .unwrap();

        let series = &outcome.series[0];
        let counts = SegmentCounts {
            total: 10,
            ok: 10,
            ..SegmentCounts::default()
        };
        assert_eq!(
            (series.state, series.segments),
            (FetchState::Completed, counts)
        );
        assert_eq!(series.remaining, 0);
        let reports = runner.reports.lock().unwrap();
        let rest = reports.iter().filter_map(|report| report.waiting.clone());
        let rest: Vec<_> = rest
            .filter(|waiting| waiting.reason.contains("rests"))
            .collect();
        assert!(!rest.is_empty() && rest.iter().all(|waiting| waiting.until.is_some()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_stays_away_ends_the_series_with_a_part() {
    let (mut provider, now) = ten_pieces();
    provider.fault = Box::new(|number, _| (number > 4).then(away));
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!(series.state, FetchState::Partial);
    let counts = series.segments;
    assert_eq!((counts.ok, counts.failed + counts.skipped), (4, 6));
    assert_eq!(provider.take_requests().len(), 4 + 8);
    let reasons: Vec<&str> = series
        .unanswered
        .iter()
        .map(|range| range.reason.as_str())
        .collect();
    assert!(
        reasons[0].ends_with("cannot answer now (HTTP 503)"),
        "{reasons:?}"
    );
    assert!(
        reasons.last().unwrap().starts_with("not asked for"),
        "{reasons:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_later_load_probes_what_an_earlier_one_gave_up() {
    let (mut provider, now) = spring();
    provider.fault = Box::new(|_, _| Some(away()));
    let breaker = Breaker::default();
    let asking = Asking {
        rules: provider.rules,
        breaker: &breaker,
    };
    let store = memory().await;
    let runner = Runner::default();
    let settings = GapSettings::default();
    let request = hourly(FetchMode::Full);
    let load = fetch_as(&store, &provider, &request, &settings, now, &runner, asking);
    load.await.unwrap_err();
    provider.fault = Box::new(|_, _| None);
    let began = Instant::now();

    let load = fetch_as(&store, &provider, &request, &settings, now, &runner, asking);
    let outcome = load.await.unwrap();

    assert_eq!(outcome.series[0].remaining, 0);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_range_that_times_out_twice_is_halved() {
    let (mut provider, now) = spring();
    // Only ten days at a time are answered.
    provider.fault = Box::new(|_, range| (range.end.0 - range.start.0 > 10 * DAY).then(silent));
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!((series.state, series.remaining), (FetchState::Completed, 0));
    assert_eq!(
        stored(&store, &euro()).await.open_time,
        provider.bars.open_time
    );
    let longest_twice = provider.take_requests();
    assert_eq!(longest_twice[0], longest_twice[1]);
    assert_eq!(longest_twice[2].start, longest_twice[0].start);
    assert!(longest_twice[2].end < longest_twice[0].end);
}

#[tokio::test(start_paused = true)]
async fn halves_are_no_shorter_than_the_provider_allows() {
    let (mut provider, now) = spring();
    provider.rules.span_min = Some(7 * DAY);
    let bad = utc("2020-05-05T10:00:00Z");
    provider.fault = fail_in(bad..bad.plus_micros(HOUR), silent);
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    let [range] = series.unanswered.as_slice() else {
        panic!("{:?}", series.unanswered)
    };
    assert!(
        (7 * DAY..14 * DAY).contains(&(range.end - range.start)),
        "{range:?}"
    );
    assert_eq!(
        (range.code.as_str(), range.bars),
        ("PROVIDER-Timeout", series.remaining)
    );
    assert_eq!(series.segments.failed, 1);
}
