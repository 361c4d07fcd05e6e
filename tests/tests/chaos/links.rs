//! Links between workers and the server that lose answers, packets or everything.

use std::time::Duration;

use rand::RngExt as _;
use system_tests::{LinkFault, Sandbox, steps};

use crate::book::Book;
use crate::fleet::{self, Fleet, chance, is_long, rounds, seed};
use crate::mixed::{submit_next, work};
use crate::rows::report;

/// Again and again nothing passes in one way for a while, then every connection breaks: what was
/// sent may have arrived, and nobody was told.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_are_asked_for_again() {
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let link = sandbox.faulty_link(seed()).await;
    let mut fleet = Fleet::start_at(&sandbox, link.url(), fleet::SMALL);
    let mut book = Book::open(&sandbox);
    let breaks = rounds(4, 60);

    for _ in 0..breaks {
        for _ in 0..4 {
            book.submit(&steps(&[work(3), work(3), work(3)])).await;
        }
        let way = match random.random_bool(0.7) {
            true => LinkFault::SwallowDown,
            false => LinkFault::SwallowUp,
        };
        let peace = Duration::from_millis(random.random_range(0..400));
        sandbox.after(peace).await;
        link.set(way);
        let lost_for = Duration::from_millis(random.random_range(5..300));
        sandbox.after(lost_for).await;
        link.reset();
        link.set(LinkFault::None);
    }

    let ends = book.close(&mut fleet).await;
    report(
        5,
        format!("{breaks} times nothing came back for up to 0.3 s: {ends}"),
    );
}

/// Workers whose connection is open and carries nothing: another one takes over, and what they have
/// sent meanwhile arrives afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_hold_nothing_up() {
    let sandbox = Sandbox::start_guarded().await;
    let link = sandbox.faulty_link(seed()).await;
    let mut fleet = Fleet::start_at(&sandbox, link.url(), &["dummy", "dummy", "registry"]);
    let mut book = Book::open(&sandbox);
    let silences = rounds(2, 20);

    for silence in 0..silences {
        let mut ops = Vec::new();
        for _ in 0..4 {
            ops.push(book.submit(&steps(&[work(60), work(5)])).await);
        }
        sandbox.until_started(&ops[0]).await;
        link.set(LinkFault::Hold);
        if silence == 0 {
            fleet.add(&[], sandbox.url(), &["dummy", "dummy", "registry"]);
        }
        sandbox.until_ended(&ops[0]).await;
        link.set(LinkFault::None);
    }

    let ends = book.close(&mut fleet).await;
    report(
        6,
        format!("{silences} silences until another worker had finished: {ends}"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_loses_packets_loses_no_operation() {
    let sandbox = Sandbox::start_guarded().await;
    let link = sandbox.faulty_link(seed()).await;
    let services = if is_long() { fleet::ALL } else { fleet::SMALL };
    link.set(LinkFault::Loss { percent: 5 });
    let mut fleet = Fleet::start_at(&sandbox, link.url(), services);
    let mut book = Book::open(&sandbox);

    for _ in 0..rounds(4, 60) {
        match is_long() {
            true => submit_next(&mut book).await,
            false => drop(book.submit(&steps(&[work(10), work(10)])).await),
        }
    }

    let ends = book.close(&mut fleet).await;
    report(8, format!("5 % of the packets lost: {ends}"));
}
