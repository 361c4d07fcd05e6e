//! Followers: late, slow or many, they see where the work is and cost it nothing.

use std::time::{Duration, Instant};

use bus::{FollowOptions, Update};
use dummy::Dummy;
use futures::StreamExt;
use schemas::commands::RunDummy;
use schemas::operation::OperationState;
use system_tests::Sandbox;

use crate::commands::{endless, short};

const LIVE: FollowOptions = FollowOptions { from_start: false };

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_attaches_late_sees_the_last_progress_within_300_ms() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    // One iteration of an hour: after the first message nothing new is said for seconds.
    let op = sandbox
        .submit(
            &RunDummy {
                iterations: 2,
                seconds: 3_600.0,
                ..RunDummy::default()
            }
            .operation(),
        )
        .await;
    sandbox.until_working(&op, 1).await;
    let late = sandbox.connect().await;
    let attached = Instant::now();
    let mut updates = late.follow(&op, LIVE).await.unwrap();
    while let Some(update) = updates.next().await {
        if let Update::Progress(progress) = update {
            assert!(
                attached.elapsed() < Duration::from_millis(300),
                "{:?}",
                attached.elapsed()
            );
            assert_eq!(progress.message, "Working on iteration 1/2");
            return;
        }
    }
    panic!("the operation ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_reads_nothing_harms_nobody_and_later_finds_the_newest() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox
        .submit(
            &RunDummy {
                iterations: 100,
                ..endless()
            }
            .operation(),
        )
        .await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(sandbox.bus().follow(&op, LIVE).await.unwrap());
    }
    sandbox.only_completion_of(&op).await;
    for updates in slow {
        let seen: Vec<Update> = updates.collect().await;
        let records: Vec<_> = seen
            .iter()
            .filter_map(|update| {
                if let Update::Record(record) = update {
                    Some(record)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(records.len(), 1, "only the newest record waited");
        assert_eq!(records[0].state, OperationState::Completed);
        assert!(
            seen.len() <= 4,
            "a record, a progress, two events: {seen:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_never_falls_and_its_sequence_grows_by_one() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox
        .submit(
            &RunDummy {
                iterations: 80,
                ..short(0)
            }
            .operation(),
        )
        .await;
    sandbox.only_completion_of(&op).await;
    let progress = sandbox.progress_of(&op).await;
    assert!(progress.len() >= 3, "{} messages in 400 ms", progress.len());
    assert!(
        progress
            .windows(2)
            .all(|pair| pair[0].percent <= pair[1].percent && pair[0].seq + 1 == pair[1].seq)
    );
    assert!(
        progress.iter().all(|record| record.percent < 100.0),
        "100 is said by the record alone"
    );
}
