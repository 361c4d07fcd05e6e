//! A power cut: a copy of the server's folder that is made while it writes, and everything goes on
//! from there.

use std::path::Path;
use std::process::Command;

use system_tests::{Sandbox, steps};

use crate::book::Book;
use crate::fleet::{self, Fleet, rounds, until_connected};
use crate::mixed::{small, work};
use crate::rows::report;

fn copy(from: &Path, to: &Path) {
    // A file that was there when the folder was listed may be gone, so that it may fail.
    let _ = Command::new("cp").arg("-r").args([from, to]).status();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_copy_of_the_servers_folder_has_what_was_accepted() {
    let sandbox = Sandbox::start_guarded().await;
    let mut book = Book::open(&sandbox);
    let streams = sandbox.folder().join("nats/streams");
    let torn = sandbox.folder().join("torn");
    let cuts = rounds(2, 20);

    let mut after_copies = 0;
    for _ in 0..cuts {
        let fleet = Fleet::start(&sandbox, fleet::SMALL);
        for _ in 0..10 {
            book.submit(&steps(&[work(3), work(3)])).await;
        }
        let before_copy = book.accepted().len();
        let paths = (streams.clone(), torn.clone());
        let copying = tokio::task::spawn_blocking(move || copy(&paths.0, &paths.1));
        while !copying.is_finished() {
            book.submit(&small()).await;
        }

        sandbox.kill_server();
        drop(fleet);
        after_copies += book.accepted().len() - before_copy;
        book.truncate(before_copy);
        std::fs::remove_dir_all(&streams).unwrap();
        std::fs::rename(&torn, &streams).unwrap();
        sandbox.restart_server();
        until_connected(&sandbox).await;
    }

    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    let ends = book.close(&mut fleet).await;
    report(
        12,
        format!("{cuts} cuts, {after_copies} submits while copies were made: {ends}"),
    );
}
