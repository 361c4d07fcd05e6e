//! Processes that are killed or frozen, services and the server, while operations of every kind run.

use std::time::Duration;

use rand::RngExt as _;
use schemas::ids::Service;
use system_tests::{Sandbox, steps};

use crate::book::Book;
use crate::fleet::{self, Fleet, chance, restart_server, rounds};
use crate::mixed::{small, submit_next, work};
use crate::rows::report;

#[tokio::test(flavor = "multi_thread")]
async fn services_killed_at_random_lose_nothing() {
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, fleet::ALL);
    let mut book = Book::open(&sandbox);
    // Its fourth worker gives a step up that was never alive long enough for a checkpoint.
    book.allow_failures("was interrupted 3 times");
    let kills = rounds(8, 96);

    for kill in 0..kills {
        for _ in 0..2 {
            submit_next(&mut book).await;
        }
        let peace = Duration::from_millis(random.random_range(0..600));
        sandbox.after(peace).await;
        match kill % 12 {
            6 => restart_server(&sandbox).await,
            _ => fleet.replace_any(&mut random),
        }
    }

    let ends = book.close(&mut fleet).await;
    report(
        1,
        format!("{kills} kills, each twelfth of the server: {ends}"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn services_frozen_at_random_lose_nothing() {
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    let mut book = Book::open(&sandbox);
    let freezes = rounds(4, 60);

    for _ in 0..freezes {
        for _ in 0..2 {
            book.submit(&steps(&[work(20), work(20)])).await;
        }
        // Shorter or longer than the silence after which steps are taken from a worker.
        let frozen_for = Duration::from_millis(random.random_range(100..2_500));
        let chosen = fleet.choose(&mut random);
        chosen.process.freeze();
        sandbox.after(frozen_for).await;
        chosen.process.thaw();
    }

    let ends = book.close(&mut fleet).await;
    report(
        2,
        format!("{freezes} times frozen for 0.1 to 2.5 s: {ends}"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restarted_during_submits_loses_none() {
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    sandbox.until_workers(Service::Dummy, 3).await;
    let mut book = Book::open(&sandbox);
    let restarts = rounds(3, 50);

    for _ in 0..restarts {
        fleet.replace_ended();
        let peace = Duration::from_millis(random.random_range(0..100));
        let submits = async {
            for _ in 0..10 {
                book.submit(&small()).await;
            }
        };
        let restart = async {
            sandbox.after(peace).await;
            restart_server(&sandbox).await;
        };
        tokio::join!(submits, restart);
    }

    let ends = book.close(&mut fleet).await;
    report(
        3,
        format!("{restarts} kills of the server during submits: {ends}"),
    );
}
