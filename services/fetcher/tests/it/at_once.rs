//! Several requests at a time.

use std::time::Duration;

use fetcher::GapSettings;
use fetcher::fetch::fetch;
use market::Utc;
use schemas::commands::FetchMode;
use schemas::progress::Context;
use tokio::time::Instant;

use crate::fetching::{hourly, memory, run, stored};
use crate::scripted::{DAY, Runner, Scripted, away, euro};

/// Eight pieces of thirty days, each of which takes a while.
fn eight_pieces() -> (Scripted, Utc) {
    // Pieces begin at multiples of thirty days since 1970.
    let start = Utc(609 * 30 * DAY);
    let end = start.plus_micros(8 * 30 * DAY);
    let mut provider = Scripted::hourly(start..end);
    provider.latency = Duration::from_secs(20);
    (provider, end)
}

async fn time_of_load(at_once: usize) -> Duration {
    let (mut provider, now) = eight_pieces();
    provider.rules.at_once = at_once;
    let store = memory().await;
    let began = Instant::now();

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!(series.segments.ok, 8);
    assert_eq!(
        stored(&store, &euro()).await.open_time,
        provider.bars.open_time
    );
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn four_requests_at_a_time_take_a_quarter_of_the_time() {
    let serial = time_of_load(1).await;
    let four = time_of_load(4).await;

    assert_eq!(serial.as_secs(), 160);
    assert!(four <= serial / 4, "{four:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_keeps_few_others_waiting() {
    let (mut provider, now) = eight_pieces();
    provider.rules.at_once = 4;
    // The first request fails, and again when it is made as the fifth one.
    provider.fault = Box::new(|number, _| matches!(number, 1 | 5).then(away));
    let store = memory().await;

    let series = run(&store, &provider, &hourly(FetchMode::Full), now)
        .await
        .unwrap();

    assert_eq!((series.segments.ok, series.remaining), (8, 0));
    // No fifth segment is asked for before the first is answered.
    let requests = provider.take_requests();
    assert_eq!(requests.len(), 10);
    assert!(requests[4] == requests[0] && requests[5] == requests[0]);
}

#[tokio::test(start_paused = true)]
async fn progress_counts_requests_and_never_falls() {
    let (mut provider, now) = eight_pieces();
    provider.rules.at_once = 2;
    let store = memory().await;
    let runner = Runner::default();
    let settings = GapSettings::default();
    let request = hourly(FetchMode::Full);

    fetch(&store, &provider, &request, &settings, now, &runner)
        .await
        .unwrap();

    let reports = runner.reports.lock().unwrap();
    assert!(reports.is_sorted_by(|one, next| one.fraction <= next.fraction));
    assert_eq!(reports[0].fraction, 0.0);
    let before_last = &reports[..reports.len() - 1];
    assert!(before_last.iter().all(|report| report.fraction < 1.0));
    assert_eq!(reports.last().unwrap().fraction, 1.0);
    let counted: Vec<u64> = reports
        .iter()
        .filter_map(|report| match &report.context {
            Context::Data {
                segments: Some(counts),
                ..
            } => Some(counts.ok),
            _ => None,
        })
        .collect();
    assert!(counted.is_sorted() && counted.contains(&7), "{counted:?}");
    for number in 1..=8 {
        let message = format!("Segment {number}/8: ");
        assert!(
            reports
                .iter()
                .any(|report| report.message.starts_with(&message))
        );
    }
}
