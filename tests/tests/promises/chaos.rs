//! A fleet in a bad hour: workers killed, frozen and asked to end, the server killed, and cancels,
//! in a random but repeatable order.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use schemas::commands::RunDummy;
use schemas::ids::OperationId;
use schemas::operation::OperationState;
use system_tests::{Process, Sandbox, side_by_side, steps, until};

/// Thirty iterations of 20 ms with a checkpoint after each.
fn work() -> RunDummy {
    RunDummy {
        iterations: 30,
        seconds: 0.02,
        checkpoint_every: 1,
        ..RunDummy::default()
    }
}

/// One blow against the fleet: half of them kills, some freezes and orderly ends, some against the
/// server.
async fn disturb(sandbox: &Sandbox, fleet: &mut [Process], random: &mut SmallRng) {
    let chosen = random.random_range(0..fleet.len());

    match random.random_range(0..10) {
        0..5 => {
            fleet[chosen].kill();
            fleet[chosen] = sandbox.spawn("ktrdr-dummy");
        }
        5..7 => {
            // Longer or shorter than the silence after which its steps are taken from it.
            let frozen_for = Duration::from_millis(random.random_range(100..2_500));
            fleet[chosen].freeze();
            sandbox.after(frozen_for).await;
            fleet[chosen].thaw();
        }
        7..9 => {
            fleet[chosen].terminate();
            fleet[chosen].until_ended().await;
            fleet[chosen] = sandbox.spawn("ktrdr-dummy");
        }
        _ => {
            sandbox.kill_server();
            sandbox.restart_server();
            until("the connection", || async {
                sandbox.bus().connection().rtt().await.ok()
            })
            .await;
        }
    }
}

async fn submit_ten(sandbox: &Sandbox) -> Vec<OperationId> {
    let mut ops = Vec::new();
    for index in 0..10 {
        let new = match index % 2 {
            0 => steps(&[work(), work()]),
            _ => side_by_side(&[work(), work()], work()),
        };
        ops.push(sandbox.submit(&new).await);
    }
    ops
}

/// Waits for the completion of `op`, which may have to be resumed if it `may_be_cancelled`.
async fn assert_completed_once(sandbox: &Sandbox, op: &OperationId, may_be_cancelled: bool) {
    let mut record = sandbox.until_concluded(op).await;
    if record.state == OperationState::Cancelled {
        assert!(may_be_cancelled, "{op} was cancelled without a request");
        sandbox.bus().operations().resume(op).await.unwrap();
        record = sandbox.until_concluded(op).await;
    }

    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
    sandbox.only_completion_of(op).await;
    assert!(sandbox.dead_letters(op).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_under_random_kills_completes_everything_once() {
    // Another hour: SANDBOX_SEED=7 cargo test -p system-tests fleet
    let seed = std::env::var("SANDBOX_SEED")
        .map_or(1, |text| text.parse().expect("SANDBOX_SEED is a number"));
    eprintln!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let sandbox = Sandbox::start().await;
    let _housekeepers = [
        sandbox.start_housekeeper().await,
        sandbox.start_housekeeper().await,
    ];
    let mut fleet: Vec<Process> = (0..3).map(|_| sandbox.spawn("ktrdr-dummy")).collect();
    let ops = submit_ten(&sandbox).await;

    let mut cancelled = BTreeSet::new();
    for _ in 0..15 {
        let peace = Duration::from_millis(random.random_range(0..600));
        sandbox.after(peace).await;
        disturb(&sandbox, &mut fleet, &mut random).await;
        if random.random_bool(0.2) {
            let op = &ops[random.random_range(0..ops.len())];
            sandbox
                .bus()
                .cancels()
                .request(op, "bad hour")
                .await
                .unwrap();
            cancelled.insert(op.clone());
        }
    }

    for op in &ops {
        assert_completed_once(&sandbox, op, cancelled.contains(op)).await;
    }
}
