//! Full disks: of the server, of the object store, of the folder where services write their logs.

use std::time::Duration;

use system_tests::{Sandbox, SmallDisk, steps};

use crate::book::Book;
use crate::fleet::{self, Fleet, is_long, restart_server, rounds};
use crate::mixed::{load, submit_next, training, work};
use crate::rows::{report, report_not_tried};

const NO_MOUNT: &str = "this user may not mount: `sudo make chaos`";

/// How long a disk stays full.
fn full_for() -> Duration {
    Duration::from_secs(if is_long() { 10 } else { 2 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_server_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("nats")) else {
        return report_not_tried(9, NO_MOUNT);
    };
    let sandbox = Sandbox::start_guarded_in(folder).await;
    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    let mut book = Book::open(&sandbox);
    let times = rounds(1, 5);

    let mut refused = 0;
    for _ in 0..times {
        for _ in 0..6 {
            book.submit(&steps(&[work(20), work(20)])).await;
        }
        sandbox.until_started(&book.accepted()[0]).await;
        disk.fill();
        let op = system_tests::new_id("dummy");
        let operations = sandbox.bus().operations();
        let submitted = operations.submit(&op, &steps(&[work(1)])).await;
        refused += usize::from(submitted.is_err());
        sandbox.after(full_for()).await;
        disk.free();
        // A server whose disk was full refuses until it is started again, as the handbook says.
        restart_server(&sandbox).await;
    }

    let ends = book.close(&mut fleet).await;
    report(
        9,
        format!("{times} times full, {refused} submits meanwhile refused: {ends}"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_store_fails_what_needs_it() {
    let sandbox = Sandbox::start_guarded().await;
    let Some(disk) = SmallDisk::mount(&sandbox.folder().join("objects")) else {
        return report_not_tried(10, NO_MOUNT);
    };
    let mut fleet = Fleet::start(&sandbox, fleet::ALL);
    let mut book = Book::open(&sandbox);
    book.allow_failures("No space left");
    let times = rounds(1, 5);

    let mut failures = 0;
    for _ in 0..times {
        disk.fill();
        let ops = [
            book.submit(&load()).await,
            book.submit(&training()).await,
            book.submit(&steps(&[work(5)])).await,
        ];
        for op in &ops {
            let record = sandbox.until_ended(op).await;
            failures += usize::from(record.failure.is_some());
        }
        disk.free();
    }

    let ends = book.close(&mut fleet).await;
    report(
        10,
        format!("{times} times full, {failures} failures that say so: {ends}"),
    );
    // Before the folder that it is mounted on.
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_logs_stops_nothing() {
    let sandbox = Sandbox::start_guarded().await;
    let scratch = sandbox.folder().join("scratch");
    let disk = SmallDisk::mount(&scratch);
    // Where nobody may mount, no line can be written from the first one on.
    let log = if disk.is_some() { "log" } else { "/dev/full" };
    let folder = scratch.display();
    let line = format!("cd {folder}; TMPDIR=$PWD exec \"$0\" \"$@\" 2>>{log}");
    let mut fleet = Fleet::start(&sandbox, &[]);
    fleet.add(&["sh", "-c", &line], sandbox.url(), fleet::ALL);
    let mut book = Book::open(&sandbox);
    submit_next(&mut book).await;
    sandbox.until_ended(&book.accepted()[0]).await;

    disk.iter().for_each(SmallDisk::fill);
    for _ in 0..rounds(6, 60) {
        submit_next(&mut book).await;
    }

    let ends = book.close(&mut fleet).await;
    let ended = fleet.replace_ended() + ends.restarts;
    assert_eq!(ended, 0, "services that ended");
    report(
        11,
        format!("logs, temporary and working folder full: {ends}"),
    );
}
