//! Followers: late, slow or many, they see where the work is and cost it nothing.

use std::time::{Duration, Instant};

use bus::{FollowOptions, Update};
use dummy::Dummy;
use futures::StreamExt;
use schemas::commands::RunDummy;
use schemas::operation::OperationState;
use system_tests::Sandbox;

use crate::commands::short;

const LIVE: FollowOptions = FollowOptions { from_start: false };

#[tokio::test(flavor = "multi_thread")]
async fn a_late_follower_sees_the_last_progress_in_300_ms() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    // One iteration of an hour: after the first message nothing new is reported for seconds.
    let command = RunDummy {
        iterations: 2,
        seconds: 3_600.0,
        ..RunDummy::default()
    };
    let op = sandbox.submit(&command.operation()).await;
    sandbox.until_working(&op, 1).await;

    let late = sandbox.connect().await;
    let attached = Instant::now();
    let mut updates = late.operations().follow(&op, LIVE).await.unwrap();
    let progress = loop {
        match updates.next().await.expect("the operation runs") {
            Update::Progress(progress) => break progress,
            _ => continue,
        }
    };

    let time = attached.elapsed();
    assert!(time < Duration::from_millis(300), "{time:?}");
    assert_eq!(progress.message, "Working on iteration 1/2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_reads_nothing_finds_the_newest_later() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&short(100).operation()).await;
    let mut slow_followers = Vec::new();
    for _ in 0..20 {
        slow_followers.push(sandbox.bus().operations().follow(&op, LIVE).await.unwrap());
    }

    sandbox.only_completion_of(&op).await;

    for follower in slow_followers {
        let updates: Vec<Update> = follower.collect().await;
        let records: Vec<_> = updates
            .iter()
            .filter_map(|update| match update {
                Update::Record(record) => Some(record),
                _ => None,
            })
            .collect();
        assert_eq!(records.len(), 1, "only the newest record waited");
        assert_eq!(records[0].state, OperationState::Completed);
        // A record, a progress, two events.
        assert!(updates.len() <= 4, "{updates:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_never_falls_and_its_sequence_grows_by_one() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;

    let op = sandbox.submit(&short(80).operation()).await;
    sandbox.only_completion_of(&op).await;

    let progress = sandbox.progress_of(&op).await;
    assert!(progress.len() >= 3, "{} messages in 400 ms", progress.len());
    for pair in progress.windows(2) {
        assert!(pair[0].percent <= pair[1].percent);
        assert_eq!(pair[0].seq + 1, pair[1].seq);
    }
    // Only the record says that it is complete.
    assert!(progress.iter().all(|record| record.percent < 100.0));
}
