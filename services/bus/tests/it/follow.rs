//! Following, listing and counting on a real server.

use std::time::Duration;

use bus::topology::{Topology, TopologyOptions};
use bus::{Bus, FollowOptions, OperationFilter, Profile, Update};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use schemas::commands::RunDummy;
use schemas::events::{Event, What};
use schemas::ids::{Lane, OperationId, Service, StepNumber, WorkerId};
use schemas::operation::{Holder, OperationRecord, OperationState};
use schemas::progress::{Context, ProgressRecord};

use crate::server::TestServer;

const STEP: StepNumber = StepNumber::FIRST;
const LIVE: FollowOptions = FollowOptions { from_start: false };
const FROM_START: FollowOptions = FollowOptions { from_start: true };

async fn ready(server: &TestServer) -> Bus {
    let bus = server.bus().await;
    bus.infra()
        .apply(&Topology::declare(
            Profile::Test,
            TopologyOptions::default(),
        ))
        .await
        .unwrap();
    bus
}

fn op(number: u32) -> OperationId {
    OperationId::new("dummy", "2026-03-01T14:22:33Z".parse().unwrap(), number).unwrap()
}

fn worker() -> WorkerId {
    WorkerId::new(Service::Dummy, "test", 1, 1)
}

fn progress(op: &OperationId, attempt: u32, seq: u64) -> ProgressRecord {
    let at = Timestamp::now();

    ProgressRecord {
        v: 1,
        op: op.clone(),
        step: STEP,
        steps: 1,
        service: Service::Dummy,
        worker: worker(),
        attempt,
        seq,
        at,
        started_at: at,
        percent: seq as f64,
        step_percent: seq as f64,
        eta_s: None,
        rate: None,
        message: format!("iteration {seq}"),
        items: None,
        context: Context::None,
        waiting: None,
    }
}

fn event(record: &OperationRecord, what: What) -> Event {
    Event {
        v: 1,
        op: record.op.clone(),
        step: STEP,
        steps: 1,
        service: Service::Dummy,
        what,
        submission: 1,
        attempt: record.steps[0].attempt,
        state: record.state,
        at: record.updated_at,
        worker: Some(worker()),
        result: serde_json::Value::Null,
        error: None,
        by: None,
        reason: None,
        done: Default::default(),
        due: None,
    }
}

async fn claim(bus: &Bus, op: &OperationId) -> OperationRecord {
    let holder = Holder {
        worker: worker(),
        ack_subject: "x".to_owned(),
        since: Timestamp::now(),
    };
    bus.operations()
        .change(op, |record| record.claim(STEP, 1, holder.clone(), None))
        .await
        .unwrap()
        .record
}

async fn complete(bus: &Bus, op: &OperationId) {
    let change = bus.operations().change(op, |record| {
        record.complete(STEP, 1, serde_json::json!({}), Timestamp::now())
    });
    let record = change.await.unwrap().record;
    bus.events()
        .publish(&event(&record, What::Completed))
        .await
        .unwrap();
}

/// The next update that `accept` takes; what comes before is passed over.
async fn wait_for<T>(
    updates: &mut (impl Stream<Item = Update> + Unpin),
    accept: impl Fn(Update) -> Option<T>,
) -> T {
    let search = async {
        loop {
            if let Some(value) = accept(updates.next().await.expect("the stream goes on")) {
                return value;
            }
        }
    };

    tokio::time::timeout(Duration::from_secs(5), search)
        .await
        .expect("the update comes within 5 s")
}

fn message_of(update: Update) -> Option<String> {
    match update {
        Update::Progress(progress) => Some(progress.message),
        _ => None,
    }
}

#[tokio::test]
async fn a_follower_sees_the_last_progress_and_then_the_end() {
    let server = TestServer::start();
    let bus = ready(&server).await;
    let op = op(1);
    bus.operations()
        .submit(&op, &RunDummy::default().operation())
        .await
        .unwrap();
    claim(&bus, &op).await;
    bus.progress().publish(&progress(&op, 1, 7)).await.unwrap();
    bus.connection().rtt().await.unwrap();

    let mut updates = bus.operations().follow(&op, LIVE).await.unwrap();
    assert_eq!(wait_for(&mut updates, message_of).await, "iteration 7");
    // What is not newer by (attempt, sequence) is dropped, whenever it comes.
    bus.progress().publish(&progress(&op, 1, 6)).await.unwrap();
    bus.progress().publish(&progress(&op, 1, 8)).await.unwrap();
    assert_eq!(wait_for(&mut updates, message_of).await, "iteration 8");

    complete(&bus, &op).await;
    let rest: Vec<Update> = tokio::time::timeout(Duration::from_secs(5), updates.collect())
        .await
        .unwrap();
    let states: Vec<_> = rest
        .iter()
        .filter_map(|update| match update {
            Update::Record(record) => Some(record.state),
            _ => None,
        })
        .collect();
    assert_eq!(states.last(), Some(&OperationState::Completed));
}

#[tokio::test]
async fn a_follower_from_the_start_sees_everything_once_and_in_order() {
    let server = TestServer::start();
    let bus = ready(&server).await;
    let op = op(1);
    bus.operations()
        .submit(&op, &RunDummy::default().operation())
        .await
        .unwrap();
    let record = claim(&bus, &op).await;
    bus.events()
        .publish(&event(&record, What::Started))
        .await
        .unwrap();
    for seq in 1..=5 {
        bus.progress()
            .publish(&progress(&op, 1, seq))
            .await
            .unwrap();
    }
    complete(&bus, &op).await;

    let story: Vec<String> = bus
        .operations()
        .follow(&op, FROM_START)
        .await
        .unwrap()
        .map(|update| match update {
            Update::Record(record) => format!("record {}", record.state),
            Update::Progress(progress) => progress.message,
            Update::Event(event) => event.what.as_str().to_owned(),
        })
        .collect()
        .await;
    let expected_story = [
        "started",
        "iteration 1",
        "iteration 2",
        "iteration 3",
        "iteration 4",
        "iteration 5",
        "completed",
        "record completed",
    ];
    assert_eq!(story, expected_story);
}

#[tokio::test]
async fn a_change_without_an_event_is_seen_after_a_silence() {
    let mut server = TestServer::start();
    let bus = ready(&server).await;
    let op = op(1);
    bus.operations()
        .submit(&op, &RunDummy::default().operation())
        .await
        .unwrap();
    let mut updates = bus.operations().follow(&op, LIVE).await.unwrap();
    let state = |expected_state| {
        move |update| match update {
            Update::Record(record) if record.state == expected_state => Some(()),
            _ => None,
        }
    };
    wait_for(&mut updates, state(OperationState::Pending)).await;
    claim(&bus, &op).await;
    wait_for(&mut updates, state(OperationState::Running)).await;
    server.restart();
    bus.operations()
        .change(&op, |record| {
            record.complete(STEP, 1, serde_json::json!({}), Timestamp::now())
        })
        .await
        .unwrap();
    wait_for(&mut updates, state(OperationState::Completed)).await;

    assert_eq!(updates.next().await, None);
}

#[tokio::test]
async fn a_command_knows_how_many_are_ahead_of_it() {
    let server = TestServer::start();
    let bus = ready(&server).await;
    for number in 1..=4 {
        bus.operations()
            .submit(&op(number), &RunDummy::default().operation())
            .await
            .unwrap();
    }
    let ahead = async |number| {
        bus.commands()
            .ahead_of(Service::Dummy, Lane::Default, &op(number), STEP)
            .await
            .unwrap()
    };
    assert_eq!(
        (ahead(1).await, ahead(4).await, ahead(5).await),
        (Some(0), Some(3), None)
    );
    assert_eq!(
        bus.commands()
            .queue_depth(Service::Dummy, Lane::Default)
            .await
            .unwrap()
            .pending,
        4
    );

    let queues = bus
        .commands()
        .open_queues(Service::Dummy, &[Lane::Default], 0)
        .await
        .unwrap();
    let (_stop, mut stopped) = tokio::sync::watch::channel(false);
    let first = queues.slot().next(&mut stopped).await.unwrap();
    assert!(first.subject().contains(op(1).as_str()));
    assert_eq!((ahead(1).await, ahead(4).await), (None, Some(2)));
    let depth = bus
        .commands()
        .queue_depth(Service::Dummy, Lane::Default)
        .await
        .unwrap();
    assert_eq!((depth.pending, depth.claimed), (3, 1));
}

/// An operation that has run since `start`, and 300 finished ones, created a second apart after it.
async fn create_history(bus: &Bus, start: Timestamp) -> OperationId {
    let request = RunDummy::default().operation();
    let running = OperationId::new("dummy", start, 0).unwrap();
    bus.operations().submit(&running, &request).await.unwrap();
    bus.operations()
        .change(&running, |record| {
            record.created_at = start;
            record.claim(STEP, 1, holder_since(Timestamp::now()), None)
        })
        .await
        .unwrap();

    for second in 1..=300_u32 {
        let at = start + Duration::from_secs(u64::from(second));
        let op = OperationId::new("dummy", at, second).unwrap();
        let mut record = OperationRecord::create(op, request.clone(), at);
        record.claim(STEP, 1, holder_since(at), None).unwrap();
        record.complete(STEP, 1, serde_json::json!({}), at).unwrap();
        bus.operations().create(record).await.unwrap();
    }
    running
}

fn holder_since(since: Timestamp) -> Holder {
    Holder {
        worker: worker(),
        ack_subject: "x".to_owned(),
        since,
    }
}

async fn list(bus: &Bus, limit: usize, filter: OperationFilter) -> Vec<OperationRecord> {
    bus.operations().list(limit, &filter).await.unwrap()
}

#[tokio::test]
async fn a_list_holds_what_runs_and_the_newest_of_the_rest() {
    let server = TestServer::start();
    let bus = ready(&server).await;
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let running = create_history(&bus, start).await;

    let newest = list(&bus, 50, OperationFilter::default()).await;
    assert_eq!(newest.len(), 50);
    assert_eq!(newest[49].op, running);
    assert_eq!(newest[0].created_at, start + Duration::from_secs(300));
    assert_eq!(newest[48].created_at, start + Duration::from_secs(252));

    let all = list(&bus, 1_000, OperationFilter::default()).await;
    assert_eq!(all.len(), 301);
}

#[tokio::test]
async fn a_list_says_whether_there_are_more() {
    let server = TestServer::start();
    let bus = ready(&server).await;
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    create_history(&bus, start).await;
    let has_more = async |limit: usize, filter: OperationFilter| {
        let page = bus.operations().list_page(limit, &filter).await.unwrap();
        assert_eq!(page.records.len(), limit.min(301));
        page.more
    };

    assert!(has_more(300, OperationFilter::default()).await);
    assert!(!has_more(301, OperationFilter::default()).await);
    let since = Some(start + Duration::from_secs(291));
    let late = OperationFilter {
        since,
        ..Default::default()
    };
    assert!(has_more(9, late.clone()).await);
    assert!(!has_more(10, late).await);
}

#[tokio::test]
async fn as_many_waiting_operations_are_listed_as_asked_for() {
    let server = TestServer::start();
    let bus = ready(&server).await;
    let request = RunDummy::default().operation();
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    for second in 1..=450_u32 {
        let at = start + Duration::from_secs(u64::from(second));
        let op = OperationId::new("dummy", at, second).unwrap();
        bus.active().mark(&op).await.unwrap();
        let record = OperationRecord::create(op, request.clone(), at);
        bus.operations().create(record).await.unwrap();
    }
    let active = OperationFilter {
        active: true,
        ..Default::default()
    };

    // Those at both ends are enough for a short list.
    let page = bus.operations().list_page(50, &active).await.unwrap();
    assert_eq!((page.records.len(), page.more), (50, true));
    let page = bus.operations().list_page(449, &active).await.unwrap();
    assert_eq!((page.records.len(), page.more), (449, true));
    let page = bus.operations().list_page(450, &active).await.unwrap();
    assert_eq!((page.records.len(), page.more), (450, false));
}

#[tokio::test]
async fn a_list_is_filtered_by_activity_state_and_time() {
    let server = TestServer::start();
    let bus = ready(&server).await;
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    create_history(&bus, start).await;

    let active = OperationFilter {
        active: true,
        ..Default::default()
    };
    assert_eq!(list(&bus, 50, active).await.len(), 1);

    let failed = OperationFilter {
        states: vec![OperationState::Failed],
        ..Default::default()
    };
    assert_eq!(list(&bus, 50, failed).await, vec![]);

    let since = Some(start + Duration::from_secs(291));
    let late = OperationFilter {
        since,
        ..Default::default()
    };
    assert_eq!(list(&bus, 50, late).await.len(), 10);
}
