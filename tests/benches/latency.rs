//! Load program: how long the bus parts take, with the raw NATS times of the same run next to them.
//! Prints a table, asserts nothing.
//!
//! `cargo bench -p system-tests --bench latency`. One server, `sync_interval: always`, everything
//! on one host. ARCHITECTURE.md promises, as p99 on an idle host: a command is entered 20 ms after
//! it is published, progress is seen 20 ms after it is reported, a loop is left 50 ms after a
//! cancel.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a load program may panic"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{FollowOptions, Update};
use futures::StreamExt;
use jiff::Timestamp;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::ids::{Lane, OperationId, Service};
use schemas::operation::OperationRecord;
use schemas::progress::{Context, Count, Progress};
use system_tests::{Role, Sandbox, new_id, until};
use tokio::sync::mpsc;
use tokio::time::timeout;

const ROUNDS: usize = 300;
const UPDATES: u64 = 300;
/// Longer than the 50 ms of quiet after which progress goes out at once.
const QUIET: Duration = Duration::from_millis(60);

/// The moment at which each operation's handler was entered.
type Entered = Arc<Mutex<Vec<(String, Instant)>>>;

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        println!(
            "{:<58} {:>9} {:>9} {:>9}",
            "milliseconds", "p50", "p99", "max"
        );
        measure_requests().await;
        measure_synced_publishes().await;
        measure_submit_to_entry("one idle worker", 0).await;
        measure_submit_to_entry("with 8 busy workers", 8).await;
        measure_report_to_follower().await;
        measure_cancel_to_exit().await;
    });
}

fn print_row(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| {
        let rank = ((times.len() - 1) as f64 * share) as usize;
        times[rank].as_secs_f64() * 1e3
    });

    println!("{name:<58} {p50:>9.2} {p99:>9.2} {max:>9.2}");
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
    let there = sandbox.client_as(Role::Worker).await;
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

/// Reports its progress some times, each after a quiet time.
struct RareReporter {
    /// Gets each report's number and moment.
    reports: mpsc::Sender<(u64, Instant)>,
}

impl StepHandler for RareReporter {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, step: &StepContext) -> Result<DummyOutcome, StepError> {
        for done in 1..=UPDATES {
            let _ = timeout(QUIET, step.stop().requested()).await;
            self.reports.send((done, Instant::now())).await.unwrap();
            let total = UPDATES;
            step.report(Progress {
                context: Context::Dummy {
                    iterations: Count { done, total },
                },
                ..Progress::default()
            });
        }

        Ok(outcome(UPDATES))
    }
}

/// From the store into the slot, after a quiet time, to the follower's stream.
async fn measure_report_to_follower() {
    let sandbox = Sandbox::start().await;
    let (reports, mut reported) = mpsc::channel(UPDATES as usize);
    let _worker = sandbox.run(RareReporter { reports }).await;
    let op = new_id("dummy");
    let mut updates = sandbox
        .bus()
        .operations()
        .follow(&op, FollowOptions::default())
        .await
        .unwrap();
    sandbox
        .bus()
        .operations()
        .submit(&op, &run(1).operation())
        .await
        .unwrap();

    let mut times = Vec::new();
    let mut sent: Vec<(u64, Instant)> = Vec::new();
    while let Some(update) = updates.next().await {
        let now = Instant::now();
        while let Ok(report) = reported.try_recv() {
            sent.push(report);
        }
        if let Update::Progress(progress) = update
            && let Context::Dummy { iterations } = progress.context
            && let Some((_, at)) = sent.iter().find(|(done, _)| *done == iterations.done)
        {
            times.push(now.duration_since(*at));
        }
    }

    print_row("progress reported, after 60 ms of quiet -> follower", times);
}

/// Loops on a blocking thread, and looks at its stop token once in half a millisecond.
struct Looper {
    /// Rounds of the current operation.
    rounds: Arc<AtomicU64>,
    /// Gets the moment at which the loop is left.
    exits: mpsc::UnboundedSender<Instant>,
}

impl StepHandler for Looper {
    type Command = RunDummy;

    async fn handle(&self, _: RunDummy, step: &StepContext) -> Result<DummyOutcome, StepError> {
        let rounds = self.rounds.clone();
        let exits = self.exits.clone();
        let stop = step.stop().clone();

        step.blocking(move || {
            while !stop.is_requested() {
                std::thread::park_timeout(Duration::from_micros(500));
                rounds.fetch_add(1, Ordering::Relaxed);
            }
            exits.send(Instant::now()).unwrap();
            Err(StepError::Stopped)
        })
        .await
    }
}

/// From the publish of the request to the end of the loop.
async fn measure_cancel_to_exit() {
    let sandbox = Sandbox::start().await;
    let rounds = Arc::new(AtomicU64::new(0));
    let (exits, mut exited) = mpsc::unbounded_channel();
    let looper = Looper {
        rounds: rounds.clone(),
        exits,
    };
    let _worker = sandbox.run(looper).await;

    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        rounds.store(0, Ordering::Relaxed);
        let op = sandbox.submit(&run(1).operation()).await;
        until("the loop", || {
            std::future::ready((rounds.load(Ordering::Relaxed) > 0).then_some(()))
        })
        .await;

        let published = Instant::now();
        sandbox.bus().cancels().request(&op, "").await.unwrap();
        times.push(exited.recv().await.unwrap().duration_since(published));
        sandbox.until_concluded(&op).await;
    }

    print_row("cancel published -> loop left", times);
}
