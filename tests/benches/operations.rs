//! Load program: how many operations a system carries in a second, beside the bare protocol of the
//! same run, and how sleepers spread over workers. Prints tables, asserts nothing.
//!
//! `cargo bench -p system-tests --bench operations`. One server, `sync_interval: always`,
//! everything on one host.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a load program may panic"
)]

use std::time::{Duration, Instant};

use dummy::Dummy;
use futures::StreamExt;
use futures::stream;
use nats_test_server::jetstream;
use schemas::commands::RunDummy;
use schemas::ids::{Lane, Service, StepNumber};
use schemas::subjects;
use system_tests::{Sandbox, Worker, new_id};
use tokio::task::JoinSet;

/// Operations of one throughput round.
const OPERATIONS: usize = 1_000;
/// Submissions under way at a time.
const SUBMITTERS: usize = 16;
/// Slots of each of the four workers.
const SLOTS: u16 = 4;
const WORKERS: usize = 4;
/// Rounds of throughput; the table shows each, since a mean would hide a slow one.
const ROUNDS: usize = 3;
/// A typical record and event, in bytes: what the bare protocol writes.
const RECORD_BYTES: usize = 700;
const EVENT_BYTES: usize = 250;
/// Sleepers of the scaling table, and how long each sleeps.
const SLEEPERS: usize = 16;
const SLEEP: Duration = Duration::from_secs(2);

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        println!("{:<44} {:>12}", "operations a second", "rate");
        for _ in 0..ROUNDS {
            let bare = measure_bare_protocol().await;
            let whole = measure_operations().await;
            print_rate("bare protocol: the same synced writes", bare);
            print_rate("dummy operations, submit to terminal", whole);
            println!("{:<44} {:>11.0}%", "share", 100.0 * whole / bare);
        }

        println!(
            "\n{:<44} {:>12} {:>12}",
            "16 sleepers of 2 s", "seconds", "ideal"
        );
        for workers in [1, 2, 4, 8] {
            let taken = measure_scaling(workers).await;
            let ideal = SLEEP.as_secs_f64() * SLEEPERS as f64 / workers as f64;
            println!(
                "{:<44} {taken:>12.2} {ideal:>12.2}",
                format!("{workers} workers")
            );
        }
    });
}

fn print_rate(name: &str, rate: f64) {
    println!("{name:<44} {rate:>12.0}");
}

async fn start_workers(sandbox: &Sandbox, count: usize, slots: u16) -> Vec<Worker> {
    let mut workers = Vec::with_capacity(count);
    for _ in 0..count {
        let worker = sandbox
            .run_with(Dummy, |options| options.slots = slots)
            .await;
        workers.push(worker);
    }

    sandbox.until_workers(Service::Dummy, count).await;
    workers
}

/// Operations of one step with one empty iteration, from the first submission to the last end.
async fn measure_operations() -> f64 {
    let sandbox = Sandbox::start().await;
    let _workers = start_workers(&sandbox, WORKERS, SLOTS).await;
    let new = RunDummy {
        iterations: 1,
        seconds: 0.0,
        ..RunDummy::default()
    }
    .operation();

    let start = Instant::now();
    let submitted: Vec<_> = stream::iter(0..OPERATIONS)
        .map(|_| sandbox.submit(&new))
        .buffer_unordered(SUBMITTERS)
        .collect()
        .await;
    for op in &submitted {
        sandbox.until_ended(op).await;
    }

    OPERATIONS as f64 / start.elapsed().as_secs_f64()
}

/// The writes that one operation needs, without anybody who decides on them: active mark, command,
/// record, its start and its end by compare-and-set, two events, the acknowledgement, the end of the
/// mark.
async fn measure_bare_protocol() -> f64 {
    let sandbox = Sandbox::start().await;
    let jetstream = sandbox.jetstream();

    let start = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..SUBMITTERS {
        clients.spawn(write_operations(jetstream.clone(), OPERATIONS / SUBMITTERS));
    }
    clients.join_all().await;

    let count = OPERATIONS / SUBMITTERS * SUBMITTERS;
    count as f64 / start.elapsed().as_secs_f64()
}

async fn write_operations(jetstream: jetstream::Context, count: usize) {
    let records = jetstream.get_key_value(subjects::OPERATIONS).await.unwrap();
    let active = jetstream.get_key_value(subjects::ACTIVE).await.unwrap();
    let record = "x".repeat(RECORD_BYTES);
    let event = "x".repeat(EVENT_BYTES);
    let first = StepNumber::new(1).unwrap();

    for _ in 0..count {
        let op = new_id("dummy");
        let key = op.to_string();
        active.put(&key, "".into()).await.unwrap();
        let command = subjects::command(Service::Dummy, Lane::Default, &op, first);
        publish(&jetstream, command.clone(), &record).await;

        // Submitted, claimed, ended: three revisions of one record.
        let mut revision = records.create(&key, record.clone().into()).await.unwrap();
        for what in ["started", "completed"] {
            revision = records
                .update(&key, record.clone().into(), revision)
                .await
                .unwrap();
            let subject = subjects::event(Service::Dummy, &op, first, what);
            publish(&jetstream, subject, &event).await;
        }
        take_command(&jetstream, &command).await;
        active.purge(&key).await.unwrap();
    }
}

async fn publish(jetstream: &jetstream::Context, subject: String, payload: &str) {
    let ack = jetstream
        .publish(subject, payload.to_owned().into())
        .await
        .unwrap();
    ack.await.unwrap();
}

/// Removes a command by its sequence, which costs the server what an acknowledgement does.
async fn take_command(jetstream: &jetstream::Context, subject: &str) {
    let commands = jetstream
        .get_stream_no_info(subjects::COMMANDS)
        .await
        .unwrap();
    let message = commands.direct_get_last_for_subject(subject).await.unwrap();
    commands.delete_message(message.sequence).await.unwrap();
}

/// Seconds from the first submission to the last end of sixteen sleepers, each worker one slot.
async fn measure_scaling(workers: usize) -> f64 {
    let sandbox = Sandbox::start().await;
    let _workers = start_workers(&sandbox, workers, 1).await;
    let sleeper = RunDummy {
        iterations: 1,
        seconds: SLEEP.as_secs_f64(),
        ..RunDummy::default()
    }
    .operation();

    let start = Instant::now();
    let mut ops = Vec::with_capacity(SLEEPERS);
    for _ in 0..SLEEPERS {
        ops.push(sandbox.submit(&sleeper).await);
    }
    for op in &ops {
        sandbox.until_ended(op).await;
    }
    start.elapsed().as_secs_f64()
}
