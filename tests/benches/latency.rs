//! Load program: how long the bus parts take, beside the raw NATS times of the same run. Prints a
//! table, asserts nothing.
//!
//! `cargo bench -p system-tests --bench latency`. One server, `sync_interval: always`, everything
//! on one host.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a load program may panic"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{FollowOptions, Update};
use futures::StreamExt;
use jiff::Timestamp;
use runtime::StepContext;
use schemas::commands::{DummyOutcome, RunDummy};
use schemas::ids::{Lane, Service};
use schemas::operation::OperationRecord;
use schemas::progress::{Context, Count, Progress};
use system_tests::{Act, Sandbox, Worker, new_id, until};
use tokio::sync::mpsc;

const ROUNDS: usize = 300;
const UPDATES: u64 = 300;

type Entered = Arc<Mutex<Vec<(String, Instant)>>>;

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        println!(
            "{:<58} {:>9} {:>9} {:>9}",
            "milliseconds", "p50", "p99", "max"
        );
        raw().await;
        submit_to_entry("one idle worker", 0).await;
        submit_to_entry("beside 8 busy workers", 8).await;
        emit_to_follower().await;
    });
}

fn row(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let ms = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{name:<58} {:>9.2} {:>9.2} {:>9.2}",
        ms(0.5),
        ms(0.99),
        ms(1.0)
    );
}

/// What NATS itself takes: a request answered by another connection, and one acknowledged, synced
/// publish.
async fn raw() {
    let sandbox = Sandbox::start().await;
    let (here, there) = (sandbox.bus().client().clone(), sandbox.connect().await);
    let mut requests = there.client().subscribe("echo").await.unwrap();
    there.flush().await.unwrap();
    let answering = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            there
                .client()
                .publish(request.reply.unwrap(), request.payload)
                .await
                .unwrap();
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
    row("raw request and reply", times);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let start = Instant::now();
        let subject = format!("ktrdr.control.cancel.round{round}");
        sandbox
            .bus()
            .jetstream()
            .publish(subject, "x".into())
            .await
            .unwrap()
            .await
            .unwrap();
        times.push(start.elapsed());
    }
    row("raw publish acknowledged after sync", times);
}

/// From the call of `submit`, and from the publish of the command alone, to the first line of the
/// handler.
async fn submit_to_entry(beside: &str, busy: usize) {
    let sandbox = Sandbox::start().await;
    let entered: Entered = Arc::default();
    let _worker = worker(&sandbox, &entered, busy).await;
    for _ in 0..busy {
        sandbox
            .submit(
                &RunDummy {
                    iterations: 2,
                    ..RunDummy::default()
                }
                .operation(),
            )
            .await;
    }
    let (mut submitted, mut published) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS * 2 {
        // The follower sees the end of an operation before its worker has settled it and asks for
        // the next one.
        until("a free slot", || async {
            let depth = sandbox
                .bus()
                .queue_depth(Service::Dummy, Lane::Default)
                .await
                .unwrap();
            (depth.waiting_pulls > 0).then_some(())
        })
        .await;
        let (op, request) = (
            new_id("dummy"),
            RunDummy {
                iterations: 1,
                ..RunDummy::default()
            }
            .operation(),
        );
        let start = Instant::now();
        let times = if round % 2 == 0 {
            sandbox.bus().submit(&op, &request).await.unwrap();
            &mut submitted
        } else {
            let command = OperationRecord::create(op.clone(), request.clone(), Timestamp::now());
            let step = command.plan.advance(&command)[0];
            sandbox
                .bus()
                .publish_command(&op, step, Some(&request), 1)
                .await
                .unwrap();
            &mut published
        };
        let mut updates = sandbox
            .bus()
            .follow(&op, FollowOptions::default())
            .await
            .unwrap();
        while updates.next().await.is_some() {}
        let at = entered
            .lock()
            .unwrap()
            .iter()
            .find(|(entry, _)| entry == op.as_str())
            .unwrap()
            .1;
        times.push(at.duration_since(start));
    }
    row(
        &format!("submit called -> handler entered, {beside}"),
        submitted,
    );
    row(
        &format!("command published -> handler entered, {beside}"),
        published,
    );
}

/// Notes when it enters the handler; works on until it is stopped when it was asked for more than
/// one iteration.
async fn worker(sandbox: &Sandbox, entered: &Entered, busy: usize) -> Worker {
    let seen = entered.clone();
    let note = move |command: RunDummy, step: StepContext| {
        seen.lock()
            .unwrap()
            .push((step.op().to_string(), Instant::now()));
        async move {
            if command.iterations > 1 {
                let mut done = 0;
                while !step.stop().is_requested() {
                    done += 1;
                    step.report(Progress {
                        items: Some(Count { done, total: 0 }),
                        ..Progress::default()
                    });
                    drop(
                        tokio::time::timeout(Duration::from_millis(5), step.stop().requested())
                            .await,
                    );
                }
            }
            Ok(DummyOutcome {
                iterations: 1,
                resumed_at: 0,
            })
        }
    };
    sandbox
        .run_with(Act(note), |options| {
            options.slots = u16::try_from(busy + 1).unwrap()
        })
        .await
}

/// From the store into the slot, after a quiet time, to the follower's stream.
async fn emit_to_follower() {
    let sandbox = Sandbox::start().await;
    let (put, mut puts) = mpsc::channel(UPDATES as usize);
    let emit = move |_: RunDummy, step: StepContext| {
        let put = put.clone();
        async move {
            for done in 1..=UPDATES {
                drop(
                    tokio::time::timeout(Duration::from_millis(60), step.stop().requested()).await,
                );
                put.send((done, Instant::now())).await.unwrap();
                let count = Count {
                    done,
                    total: UPDATES,
                };
                step.report(Progress {
                    context: Context::Dummy { iterations: count },
                    ..Progress::default()
                });
            }
            Ok(DummyOutcome {
                iterations: UPDATES,
                resumed_at: 0,
            })
        }
    };
    let _worker = sandbox.run(Act(emit)).await;
    let op = new_id("dummy");
    let mut updates = sandbox
        .bus()
        .follow(&op, FollowOptions::default())
        .await
        .unwrap();
    sandbox
        .bus()
        .submit(&op, &RunDummy::default().operation())
        .await
        .unwrap();
    let mut times = Vec::new();
    let mut emitted: Vec<(u64, Instant)> = Vec::new();
    while let Some(update) = updates.next().await {
        let now = Instant::now();
        while let Ok(put) = puts.try_recv() {
            emitted.push(put);
        }
        if let Update::Progress(progress) = update
            && let Context::Dummy { iterations } = progress.context
            && let Some((_, at)) = emitted.iter().find(|(done, _)| *done == iterations.done)
        {
            times.push(now.duration_since(*at));
        }
    }
    row("progress put, after 60 ms of quiet -> follower", times);
}
