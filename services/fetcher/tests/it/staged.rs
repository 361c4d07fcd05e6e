//! What is kept of answers that came before a fetch was stopped or killed.

use std::time::Duration;

use fetcher::fetch::fetch;
use fetcher::tally::{FetchCheckpoint, Tally};
use fetcher::{FetchError, GapSettings};
use market::Utc;
use runtime::StepError;
use schemas::commands::{FetchMode, SeriesRequest};
use tokio::time::{Instant, sleep, timeout};

use crate::fetching::{hourly, memory, run, spring, stored};
use crate::numbers::Numbers;
use crate::scripted::{Runner, Scripted, away, euro, utc};

/// Five pieces, whose answers take longer than anything is staged.
fn slow_spring() -> (Scripted, Utc) {
    let (mut provider, now) = spring();
    provider.latency = Duration::from_secs(40);
    (provider, now)
}

#[tokio::test(start_paused = true)]
async fn a_fetch_killed_after_any_commit_ends_as_if_uninterrupted() {
    let (provider, now) = slow_spring();
    let whole = memory().await;
    let expected = run(&whole, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();
    let pieces = provider.take_requests();

    assert_eq!(pieces.len(), 5, "30-day pieces over 117 days");
    for dies_at in 0..pieces.len() {
        let store = memory().await;
        let runner = Runner::dying_at(dies_at);
        let killed = fetch(
            &store,
            &provider,
            &hourly(FetchMode::Full),
            &GapSettings::default(),
            now,
            &runner,
        )
        .await
        .unwrap_err();
        assert_eq!(StepError::from(killed), StepError::Stopped);
        // A piece is committed while the next one is asked for.
        let asked_count = pieces.len().min(dies_at + 2);
        assert_eq!(provider.take_requests(), pieces[..asked_count]);
        runner.live_on();
        let rest = fetch(
            &store,
            &provider,
            &hourly(FetchMode::Full),
            &GapSettings::default(),
            now,
            &runner,
        )
        .await
        .unwrap();
        assert_eq!(
            provider.take_requests(),
            pieces[dies_at + 1..],
            "no committed piece is asked for again"
        );
        assert_eq!(rest.series[0].content_sha256, expected.content_sha256);
    }
}

#[tokio::test(start_paused = true)]
async fn counts_of_several_series_survive_a_kill() {
    let (provider, now) = slow_spring();
    let mut request = hourly(FetchMode::Full);

    for symbol in ["GBPUSD", "USDJPY"] {
        request.series.push(SeriesRequest {
            symbol: symbol.to_owned(),
            timeframe: "1h".to_owned(),
        });
    }
    let expected = fetch(
        &memory().await,
        &provider,
        &request,
        &GapSettings::default(),
        now,
        &Runner::default(),
    )
    .await
    .unwrap();
    // Three series of five pieces, and the end of the first two.
    for dies_at in 0..17 {
        let store = memory().await;
        let runner = Runner::dying_at(dies_at);
        fetch(
            &store,
            &provider,
            &request,
            &GapSettings::default(),
            now,
            &runner,
        )
        .await
        .unwrap_err();
        runner.live_on();
        let rest = fetch(
            &store,
            &provider,
            &request,
            &GapSettings::default(),
            now,
            &runner,
        )
        .await
        .unwrap();
        for (index, (rest, expected)) in rest.series.iter().zip(&expected.series).enumerate() {
            assert_eq!(rest.content_sha256, expected.content_sha256);
            // What was committed and not yet counted is missing in the counts of the series in
            // hand, and only there.
            let uncounted = expected.work.segments - rest.work.segments;
            assert!(
                uncounted <= u64::from(dies_at / 6 == index),
                "died at {dies_at}: {rest:?}"
            );
        }
    }
    let largest = FetchCheckpoint {
        finished: Some("f".repeat(64)),
        current: Tally::from([9_999_999_999; 6]),
    };
    assert!(
        serde_json::to_string(&largest).unwrap().len() <= schemas::operation::CHECKPOINT_BYTES_MAX
    );
}

#[tokio::test(start_paused = true)]
async fn quick_answers_are_committed_together() {
    let (mut provider, now) = spring();
    provider.latency = Duration::from_secs(5);
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    // Five answers within 25 seconds.
    assert_eq!((series.work.segments, series.revision), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn answers_are_committed_after_half_a_minute() {
    let (mut provider, now) = spring();
    provider.latency = Duration::from_secs(12);
    let store = memory().await;
    let runner = Runner::default();
    let request = hourly(FetchMode::Full);
    let settings = GapSettings::default();

    // The first answer comes after 12 seconds: at 42 seconds it is committed with two others.
    let load = fetch(&store, &provider, &request, &settings, now, &runner);
    assert!(timeout(Duration::from_secs(43), load).await.is_err());

    let pieces = provider.take_requests();
    let kept_bars = stored(&store, &euro()).await;
    let expected = provider.bars.between(&(pieces[2].start..now));
    assert_eq!(kept_bars.open_time, expected.open_time);
}

#[tokio::test(start_paused = true)]
async fn many_bars_are_committed_at_once() {
    // Twelve years of hours are more than 50 000 bars.
    let range = utc("2008-01-01T00:00:00Z")..utc("2020-01-01T00:00:00Z");
    let provider = Scripted::hourly(range.clone());
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), range.end)
        .await
        .unwrap();

    let bars = provider.bars.len();
    assert!((50_000..100_000).contains(&bars), "{bars}");
    assert_eq!((series.rows, series.revision), (bars as u64, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_what_has_come() {
    let (mut provider, now) = spring();
    provider.latency = Duration::from_secs(10);
    let store = memory().await;
    let runner = Runner::default();
    let request = hourly(FetchMode::Full);
    let settings = GapSettings::default();
    let load = fetch(&store, &provider, &request, &settings, now, &runner);
    let stop = async {
        sleep(Duration::from_secs(25)).await;
        runner.stop.notify_one();
        Instant::now()
    };

    let load = async { (load.await, Instant::now()) };
    let ((ended, ended_at), stopped_at) = tokio::join!(load, stop);

    assert!(matches!(ended, Err(FetchError::Step(StepError::Stopped))));
    assert!(ended_at - stopped_at < Duration::from_millis(500));
    let pieces = provider.take_requests();
    let kept_bars = stored(&store, &euro()).await;
    let expected = provider.bars.between(&(pieces[1].start..now));
    assert_eq!(kept_bars.open_time, expected.open_time);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_a_pause_keeps_what_has_come() {
    let (mut provider, now) = spring();
    provider.fault = Box::new(|number, _| (number > 2).then(away));
    let store = memory().await;
    let runner = Runner::default();
    let request = hourly(FetchMode::Full);
    let settings = GapSettings::default();
    let load = fetch(&store, &provider, &request, &settings, now, &runner);
    let stop = async {
        sleep(Duration::from_secs(1)).await;
        runner.stop.notify_one();
        Instant::now()
    };

    let load = async { (load.await, Instant::now()) };
    let ((ended, ended_at), stopped_at) = tokio::join!(load, stop);

    assert!(matches!(ended, Err(FetchError::Step(StepError::Stopped))));
    assert!(ended_at - stopped_at < Duration::from_millis(500));
    assert_eq!(provider.take_requests().len(), 3);
    let kept_bars = stored(&store, &euro()).await;
    assert!(kept_bars.len() > 700, "{}", kept_bars.len());
}

#[tokio::test(start_paused = true)]
async fn a_fetch_killed_at_any_moment_loses_half_a_minute() {
    let (mut provider, now) = spring();
    provider.latency = Duration::from_secs(11);
    let request = hourly(FetchMode::Full);
    let settings = GapSettings::default();
    let whole = memory().await;
    let expected = run(&whole, &provider, &request, now).await.unwrap();
    let pieces = provider.take_requests().len();

    let mut numbers = Numbers(7);
    for _ in 0..100 {
        let store = memory().await;
        let runner = Runner::default();
        let lives_for = Duration::from_millis(numbers.below(60_000));
        let load = fetch(&store, &provider, &request, &settings, now, &runner);
        let ended = timeout(lives_for, load).await;

        let rest = fetch(&store, &provider, &request, &settings, now, &runner)
            .await
            .unwrap();
        assert_eq!(rest.series[0].content_sha256, expected.content_sha256);
        // Three answers are staged within half a minute, and one request is open.
        let twice = provider.take_requests().len() - pieces;
        assert!(
            twice <= 4 && (ended.is_err() || twice == 0),
            "{twice} after {lives_for:?}"
        );
    }
}
