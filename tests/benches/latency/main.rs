//! Load program: how long the bus parts take, with the raw NATS times of the same run next to them.
//! Prints a table, asserts nothing.
//!
//! `cargo bench -p system-tests --bench latency`. One server, `sync_interval: always`, everything
//! on one host. ARCHITECTURE.md promises, as p99 on an idle host: a command is entered 20 ms after
//! it is published, progress is seen 20 ms after it is reported, a loop is left 50 ms after a
//! cancel. Cancels come at 500 random moments: of a loop that looks at its stop token twice in a
//! millisecond, of a step that waits for its next try, and of trainings of the native engine.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a load program may panic"
)]

mod cancels;
mod followers;
mod trainings;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::FollowOptions;
use futures::StreamExt;
use jiff::Timestamp;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::ids::{Lane, OperationId, Service};
use schemas::operation::OperationRecord;
use schemas::progress::{Count, Progress};
use system_tests::{Role, Sandbox, new_id, until};
use tokio::time::timeout;

const ROUNDS: usize = 300;

/// The moment at which each operation's handler was entered.
type Entered = Arc<Mutex<Vec<(String, Instant)>>>;

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        println!(
            "{:<58} {:>9} {:>9} {:>9} {:>9}",
            "milliseconds", "p50", "p95", "p99", "max"
        );
        measure_requests().await;
        measure_synced_publishes().await;
        measure_submit_to_entry("one idle worker", 0).await;
        measure_submit_to_entry("with 8 busy workers", 8).await;
        followers::measure_one().await;
        followers::measure_many().await;
        cancels::measure_loop().await;
        cancels::measure_retry_wait().await;
        trainings::measure_trainings().await;
    });
}

fn print_row(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1.0].map(|share| {
        let rank = ((times.len() - 1) as f64 * share) as usize;
        times[rank].as_secs_f64() * 1e3
    });

    println!("{name:<58} {p50:>9.2} {p95:>9.2} {p99:>9.2} {max:>9.2}");
}

fn outcome(iterations: u64) -> DummyOutcome {
    DummyOutcome {
        iterations,
        resumed_at: 0,
    }
}

fn run(iterations: u64) -> RunDummy {
    RunDummy {
        iterations,
        ..RunDummy::default()
    }
}

/// The time of NATS itself for a request that another connection answers.
async fn measure_requests() {
    let sandbox = Sandbox::start().await;
    let here = sandbox.client().clone();
    let there = sandbox.client_as(Role::Service("dummy")).await;
    let mut requests = there.subscribe("echo").await.unwrap();
    there.flush().await.unwrap();
    let answering = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let reply = request.reply.unwrap();
            there.publish(reply, request.payload).await.unwrap();
        }
    });

    // Until the server knows the subscription of the other connection.
    while here.request("echo", "x".into()).await.is_err() {}
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        here.request("echo", "x".into()).await.unwrap();
        times.push(start.elapsed());
    }

    answering.abort();
    print_row("raw request and reply", times);
}

/// The time of NATS itself for a publish that is on disk when it is acknowledged.
async fn measure_synced_publishes() {
    let sandbox = Sandbox::start().await;
    let jetstream = sandbox.jetstream();

    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let subject = format!("ktrdr.control.cancel.round{round}");
        let start = Instant::now();
        let ack = jetstream.publish(subject, "x".into()).await.unwrap();
        ack.await.unwrap();
        times.push(start.elapsed());
    }

    print_row("raw publish acknowledged after sync", times);
}

/// From the call of `submit`, and from the publish of the command alone, to the first line of the
/// handler.
async fn measure_submit_to_entry(load: &str, busy: usize) {
    let sandbox = Sandbox::start().await;
    let entered: Entered = Arc::default();
    let handler = EntryNoter {
        entered: entered.clone(),
    };
    let _worker = sandbox
        .run_with(handler, |options| {
            options.slots = u16::try_from(busy + 1).unwrap();
        })
        .await;
    for _ in 0..busy {
        sandbox.submit(&run(2).operation()).await;
    }

    let mut submitted = Vec::new();
    let mut published = Vec::new();
    for round in 0..ROUNDS * 2 {
        until_slot_waits(&sandbox).await;
        let op = new_id("dummy");
        let start = Instant::now();
        let times = if round % 2 == 0 {
            let request = run(1).operation();
            sandbox
                .bus()
                .operations()
                .submit(&op, &request)
                .await
                .unwrap();
            &mut submitted
        } else {
            publish_command(&sandbox, &op).await;
            &mut published
        };
        until_followed_to_end(&sandbox, &op).await;
        times.push(entry_of(&entered, &op).duration_since(start));
    }

    print_row(
        &format!("submit called -> handler entered, {load}"),
        submitted,
    );
    print_row(
        &format!("command published -> handler entered, {load}"),
        published,
    );
}

/// The follower sees the end of an operation before its worker has acknowledged it and asks for the
/// next one.
async fn until_slot_waits(sandbox: &Sandbox) {
    until("a free slot", || async {
        let depth = sandbox
            .bus()
            .commands()
            .queue_depth(Service::Dummy, Lane::Default)
            .await
            .unwrap();
        (depth.waiting_pulls > 0).then_some(())
    })
    .await;
}

async fn publish_command(sandbox: &Sandbox, op: &OperationId) {
    let request = run(1).operation();
    let record = OperationRecord::create(op.clone(), request.clone(), Timestamp::now());
    let step = record.outstanding_commands()[0];

    sandbox
        .bus()
        .commands()
        .publish(op, step, Some(&request), 1)
        .await
        .unwrap();
}

async fn until_followed_to_end(sandbox: &Sandbox, op: &OperationId) {
    let mut updates = sandbox
        .bus()
        .operations()
        .follow(op, FollowOptions::default())
        .await
        .unwrap();
    while updates.next().await.is_some() {}
}

fn entry_of(entered: &Entered, op: &OperationId) -> Instant {
    let entered = entered.lock().unwrap();
    let entry = entered.iter().find(|(entry, _)| entry == op.as_str());
    entry.unwrap().1
}

/// Notes when it is entered. A command of more than one iteration keeps its slot busy until it is
/// stopped.
struct EntryNoter {
    entered: Entered,
}

impl StepHandler for EntryNoter {
    type Command = RunDummy;

    async fn handle(
        &self,
        command: RunDummy,
        step: &StepContext,
    ) -> Result<DummyOutcome, StepError> {
        let entry = (step.op().to_string(), Instant::now());
        self.entered.lock().unwrap().push(entry);

        if command.iterations > 1 {
            report_until_stopped(step).await;
        }
        Ok(outcome(1))
    }
}

async fn report_until_stopped(step: &StepContext) {
    let mut done = 0;
    while !step.stop().is_requested() {
        done += 1;
        step.report(Progress {
            items: Some(Count { done, total: 0 }),
            ..Progress::default()
        });
        let _ = timeout(Duration::from_millis(5), step.stop().requested()).await;
    }
}
