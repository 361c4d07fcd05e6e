//! A power cut: everything goes on from a copy of the server's folder as it was at one instant, or
//! from one that was made while the server wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use schemas::ids::Service;
use schemas::subjects;
use system_tests::{Sandbox, steps};
use tokio::task::JoinHandle;

use crate::book::Book;
use crate::checker::find_faults;
use crate::fleet::{self, Fleet, rounds, until_connected};
use crate::mixed::{small, work};
use crate::rows::report;

fn start_copy(from: &Path, to: &Path) -> JoinHandle<()> {
    let paths: [PathBuf; 2] = [from, to].map(Path::to_owned);
    tokio::task::spawn_blocking(move || {
        // A file that was there when the folder was listed may be gone, so that it may fail.
        let _ = Command::new("cp").arg("-r").args(paths).status();
    })
}

/// Submits, copies the folder while operations run and others come, kills everything, and starts
/// the server on the copy; returns how many submits came while it was made.
async fn cut(sandbox: &Sandbox, book: &mut Book<'_>, at_one_instant: bool) -> usize {
    let streams = sandbox.folder().join("nats/streams");
    let torn = sandbox.folder().join("torn");
    let fleet = Fleet::start(sandbox, fleet::SMALL);
    for _ in 0..10 {
        book.submit(&steps(&[work(3), work(3)])).await;
    }

    let before_copy = book.accepted().len();
    if at_one_instant {
        sandbox.freeze_server();
        start_copy(&streams, &torn).await.unwrap();
        sandbox.thaw_server();
    } else {
        let copying = start_copy(&streams, &torn);
        while !copying.is_finished() {
            book.submit(&small()).await;
        }
    }

    sandbox.kill_server();
    drop(fleet);
    let meanwhile = book.accepted().len() - before_copy;
    book.truncate(before_copy);
    std::fs::remove_dir_all(&streams).unwrap();
    std::fs::rename(&torn, &streams).unwrap();
    sandbox.restart_server();
    until_connected(sandbox).await;
    meanwhile
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_that_was_accepted() {
    let sandbox = Sandbox::start_guarded().await;
    let mut book = Book::open(&sandbox);
    let cuts = rounds(2, 20);
    for _ in 0..cuts {
        cut(&sandbox, &mut book, true).await;
    }

    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    let ends = book.close(&mut fleet).await;
    report(12, format!("{cuts} cuts: {ends}"));
}

/// Streams of different instants: an operation may have ended before its last event was copied, or
/// have lost its active mark before its record was. The checker names it, and what it says helps.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_writing_server_is_mended_as_the_checker_says() {
    let sandbox = Sandbox::start_guarded().await;
    let mut book = Book::open(&sandbox);
    book.allow_lost_events();
    // Of operations that were submitted meanwhile not everything is there.
    for rule in ["end-without-event", "operation-stuck", "mark-missing"] {
        book.break_rule(rule);
    }
    let mut meanwhile = 0;
    for _ in 0..rounds(1, 20) {
        meanwhile += cut(&sandbox, &mut book, false).await;
    }

    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    sandbox.until_workers(Service::Dummy, 3).await;
    let faults = find_faults(&sandbox).await;
    let stuck = faults
        .iter()
        .filter(|fault| fault.starts_with("operation-stuck"));
    let mut mended = 0;
    for fault in stuck {
        let accepted = book.accepted().iter();
        let mut named = accepted.filter(|op| fault.contains(op.as_str()));
        if let Some(op) = named.next().cloned() {
            book.cancel(&op).await;
            mended += 1;
        }
    }
    let ends = book.close(&mut fleet).await;
    eprintln!("{meanwhile} submits while copies were made, {mended} operations mended: {ends}");
}

/// The messages of a stream from before its work, and the consumers from after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_acknowledged_is_taken_off_its_queue() {
    let sandbox = Sandbox::start().await;
    let mut book = Book::open(&sandbox);
    book.submit(&small()).await;
    let streams = sandbox.folder().join("nats/streams/jetstream/$G/streams");
    let messages = streams.join(subjects::COMMANDS).join("msgs");
    let before = sandbox.folder().join("before");
    sandbox.kill_server();
    start_copy(&messages, &before).await.unwrap();
    sandbox.restart_server();
    until_connected(&sandbox).await;
    let fleet = Fleet::start(&sandbox, &["dummy", "registry"]);
    sandbox.until_concluded(&book.accepted()[0]).await;

    drop(fleet);
    sandbox.kill_server();
    std::fs::remove_dir_all(&messages).unwrap();
    std::fs::rename(&before, &messages).unwrap();
    sandbox.restart_server();
    until_connected(&sandbox).await;
    let commands = sandbox.commands_of(&book.accepted()[0]).await;
    assert_eq!(commands.len(), 1, "the server does not look itself");

    let mut fleet = Fleet::start(&sandbox, &["dummy", "registry"]);
    book.close(&mut fleet).await;
}
