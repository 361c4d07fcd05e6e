//! Streams, consumers and buckets that somebody deletes while operations run, and that
//! `ktrdr infra apply` makes again.

use std::time::Duration;

use schemas::ids::{Lane, Service};
use schemas::subjects;
use system_tests::{Sandbox, steps};

use crate::book::{Book, Ends};
use crate::fleet::{self, Fleet, rounds};
use crate::mixed::work;
use crate::rows::report;

/// How long it is gone.
const GONE_FOR: Duration = Duration::from_millis(500);

/// Deletes something while operations run and wait, has it made again, and waits for all ends.
async fn ends_without(delete: impl AsyncFnOnce(&Sandbox), events_are_lost: bool) -> Ends {
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    let mut book = Book::open(&sandbox);
    for _ in 0..8 {
        book.submit(&steps(&[work(20), work(20)])).await;
    }
    sandbox.until_started(&book.accepted()[0]).await;

    delete(&sandbox).await;
    sandbox.after(GONE_FOR).await;
    sandbox.apply_streams().await;

    if events_are_lost {
        book.allow_lost_events();
        book.break_rule("end-without-event");
    }
    book.submit(&steps(&[work(1)])).await;
    book.close(&mut fleet).await
}

async fn ends_without_stream(name: &str, events_are_lost: bool) -> Ends {
    let delete = async |sandbox: &Sandbox| {
        sandbox.jetstream().delete_stream(name).await.unwrap();
    };
    let ends = ends_without(delete, events_are_lost).await;
    eprintln!("{name}: {ends}");
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_of_commands_loses_no_operation() {
    let ends = ends_without_stream(subjects::COMMANDS, false).await;
    report(20, format!("the stream of commands: {ends}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_deleted_streams_lose_no_operation() {
    let streams = [
        (subjects::EVENTS, true),
        (subjects::CONTROL, false),
        (subjects::PROGRESS, false),
    ];
    for (stream, events_are_lost) in &streams[..rounds(1, 3)] {
        ends_without_stream(stream, *events_are_lost).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_consumer_loses_no_operation() {
    let delete = async |sandbox: &Sandbox| {
        let name = subjects::consumer(Service::Dummy, Lane::Default);
        let jetstream = sandbox.jetstream();
        let stream = jetstream.get_stream(subjects::COMMANDS).await.unwrap();
        stream.delete_consumer(&name).await.unwrap();
    };
    let ends = ends_without(delete, false).await;
    report(21, format!("the consumer of the dummies: {ends}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_buckets_are_filled_again() {
    let buckets = [subjects::ACTIVE, subjects::WORKERS, subjects::LEASES];
    let mut figures = Vec::new();
    for bucket in &buckets[..rounds(1, 3)] {
        let ends = ends_without_stream(&format!("KV_{bucket}"), false).await;
        figures.push(format!("`{bucket}`: {ends}"));
    }
    report(22, figures.join("; "));
}

/// The first step of an operation carries the whole of it.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_of_running_work_are_written_again() {
    ends_without_stream(&format!("KV_{}", subjects::OPERATIONS), true).await;
}
