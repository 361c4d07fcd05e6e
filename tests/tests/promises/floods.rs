//! A flood by one client: what does not exist takes no room for long, and the others go on.

use std::time::{Duration, Instant};

use dummy::Dummy;
use nats_test_server::Client;
use schemas::events::What;
use schemas::ids::{OperationId, Service, WorkerId};
use schemas::subjects;
use schemas::worker::SignOfLife;
use system_tests::{Process, Sandbox, new_id, until};

use crate::commands::{endless, short};

const SIGNS: u32 = 100_000;
const CLAIMS: u16 = 2_000;
const CANCELS: u16 = 5_000;
/// Of an operation of one short step, right after a flood.
const SMALL_OPERATION_MAX: Duration = Duration::from_secs(15);
/// What a flood may leave in the memory of the housekeeper.
const LEFT_BEHIND_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of memory that a process has.
fn resident_bytes(process: &Process) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/statm", process.id())).unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

async fn flood_with_signs_of_life(client: &Client) {
    let sign = SignOfLife {
        v: 1,
        seq: 1,
        sent_ms: u64::MAX,
    };
    let payload = schemas::codec::encode(&sign).unwrap();

    for number in 0..SIGNS {
        let worker: WorkerId = format!("dummy-nowhere-{number}").parse().unwrap();
        let subject = subjects::alive(&worker);
        client
            .publish(subject, payload.clone().into())
            .await
            .unwrap();
    }
}

/// Claims of operations that do not exist, by workers that do not exist either.
async fn flood_with_claims(sandbox: &Sandbox, op: &OperationId) {
    let mut events = sandbox.events(op).await;
    events.retain(|event| event.what == What::Started);
    let mut event = events.pop().unwrap();

    for number in 0..CLAIMS {
        event.op = new_id("dummy");
        event.worker = Some(format!("dummy-nowhere-{number}").parse().unwrap());
        let subject = subjects::event(Service::Dummy, &event.op, event.step, "started");
        let payload = schemas::codec::encode(&event).unwrap();
        sandbox
            .client()
            .publish(subject, payload.into())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_do_not_exist_hold_nobody_up() {
    let sandbox = Sandbox::start().await;
    let housekeeper = sandbox.spawn("ktrdr-registry");
    sandbox.until_workers(Service::Registry, 1).await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&short(1).operation()).await;
    sandbox.until_concluded(&op).await;
    let before = resident_bytes(&housekeeper);

    flood_with_signs_of_life(sandbox.client()).await;
    flood_with_claims(&sandbox, &op).await;
    sandbox.client().flush().await.unwrap();

    let submitted = Instant::now();
    sandbox.complete(&short(1).operation()).await;
    let time = submitted.elapsed();
    assert!(time < SMALL_OPERATION_MAX, "{time:?}");
    until("the memory to come back", || async {
        let left_behind = resident_bytes(&housekeeper).saturating_sub(before);
        (left_behind < LEFT_BEHIND_MAX).then_some(())
    })
    .await;
    eprintln!(
        "{SIGNS} signs, {CLAIMS} claims: a small operation took {time:?}, memory from {before} to {}",
        resident_bytes(&housekeeper)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancels_of_nothing_are_dropped_and_no_others() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.until_started(&op).await;
    sandbox
        .bus()
        .cancels()
        .request(&op, "enough")
        .await
        .unwrap();
    sandbox.until_concluded(&op).await;

    for _ in 0..CANCELS {
        let subject = subjects::cancel(&new_id("dummy"));
        sandbox.client().publish(subject, "".into()).await.unwrap();
    }
    sandbox.client().flush().await.unwrap();

    let bus = sandbox.connect().await;
    until("the cancels of nothing to be dropped", || async {
        let stored = bus.cancels().stored(1, u64::from(CANCELS) * 2).await.ok()?;
        let is_flooded = stored.next > u64::from(CANCELS);
        (is_flooded && stored.requests.len() == 1).then_some(())
    })
    .await;
    let newest = sandbox.bus().cancels().newest(&op).await.unwrap();
    assert_eq!(newest.unwrap().reason, "enough");
}
