//! A fleet in a bad hour: workers killed, frozen and told to end, the server killed, and cancels,
//! in a random but repeatable order.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use schemas::commands::RunDummy;
use schemas::ids::OperationId;
use schemas::operation::OperationState;
use system_tests::{Process, Sandbox, side_by_side, steps, until};

/// Thirty iterations of 20 ms, each of them kept.
fn work() -> RunDummy {
    RunDummy {
        iterations: 30,
        seconds: 0.02,
        checkpoint_every: 1,
        ..RunDummy::default()
    }
}

async fn disturb(sandbox: &Sandbox, fleet: &mut [Process], random: &mut SmallRng) {
    let chosen = random.random_range(0..fleet.len());
    match random.random_range(0..10) {
        0..5 => {
            fleet[chosen].kill();
            fleet[chosen] = sandbox.spawn("ktrdr-dummy");
        }
        5..7 => {
            fleet[chosen].freeze();
            sandbox
                .after(Duration::from_millis(random.random_range(100..2_500)))
                .await;
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
                sandbox.bus().rtt().await.ok()
            })
            .await;
        }
    }
}

async fn survive(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let sandbox = Sandbox::start().await;
    let _housekeepers = (
        sandbox.start_housekeeper().await,
        sandbox.start_housekeeper().await,
    );
    let mut fleet: Vec<Process> = (0..3).map(|_| sandbox.spawn("ktrdr-dummy")).collect();
    let mut ops: Vec<OperationId> = Vec::new();
    for index in 0..10 {
        let new = if index % 2 == 0 {
            steps(&[work(), work()])
        } else {
            side_by_side(&[work(), work()], work())
        };
        ops.push(sandbox.submit(&new).await);
    }
    let mut asked = BTreeSet::new();
    for _ in 0..15 {
        sandbox
            .after(Duration::from_millis(random.random_range(0..600)))
            .await;
        disturb(&sandbox, &mut fleet, &mut random).await;
        if random.random_bool(0.2) {
            let op = &ops[random.random_range(0..ops.len())];
            sandbox.bus().request_cancel(op, "bad hour").await.unwrap();
            asked.insert(op.clone());
        }
    }
    for op in &ops {
        let mut record = sandbox.until_concluded(op).await;
        if record.state == OperationState::Cancelled {
            assert!(
                asked.contains(op),
                "seed {seed}: {op} was cancelled although nobody asked"
            );
            sandbox.bus().resume(op).await.unwrap();
            record = sandbox.until_concluded(op).await;
        }
        assert_eq!(
            record.state,
            OperationState::Completed,
            "seed {seed}: {record:#?}"
        );
        sandbox.only_completion_of(op).await;
        assert!(sandbox.dead_letters(op).await.is_empty(), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_under_random_kills_completes_everything_once() {
    // Another hour: SANDBOX_SEED=7 cargo test -p system-tests fleet
    let seed = std::env::var("SANDBOX_SEED")
        .map_or(1, |text| text.parse().expect("SANDBOX_SEED is a number"));
    survive(seed).await;
}
