//! Every message twice: whatever is published on the bus is published again at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use futures::stream::select;
use nats_test_server::Client;
use system_tests::Sandbox;
use tokio::task::JoinHandle;

use crate::book::Book;
use crate::fleet::{self, Fleet, rounds};
use crate::mixed::submit_next;
use crate::rows::report;

/// The header of a copy, which is not copied again.
const COPY: &str = "Copied";

/// Publishes each message again, with its headers, and counts them: commands, events, progress,
/// signs of life, cancels and acknowledgements. Records are written by compare-and-set, so that a
/// copy of one is an error of whoever sends it.
async fn copy_everything(client: Client, copies: Arc<AtomicUsize>) {
    let messages = client.subscribe("ktrdr.>").await.unwrap();
    let acknowledgements = client.subscribe("$JS.ACK.>").await.unwrap();
    let mut all = select(messages, acknowledgements);

    while let Some(message) = all.next().await {
        let mut headers = message.headers.unwrap_or_default();
        if headers.get(COPY).is_some() {
            continue;
        }
        headers.insert(COPY, "1");
        let published = client.publish_with_headers(message.subject, headers, message.payload);
        published.await.unwrap();
        copies.fetch_add(1, Ordering::Relaxed);
    }
}

fn start_copying(sandbox: &Sandbox, copies: &Arc<AtomicUsize>) -> JoinHandle<()> {
    tokio::spawn(copy_everything(
        sandbox.client().clone(),
        Arc::clone(copies),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_twice_is_one_effect() {
    // An open server, since no role may publish everything.
    let sandbox = Sandbox::start().await;
    let copies = Arc::new(AtomicUsize::new(0));
    let copying = start_copying(&sandbox, &copies);
    let mut fleet = Fleet::start(&sandbox, fleet::ALL);
    let mut book = Book::open(&sandbox);

    for number in 0..rounds(12, 120) {
        submit_next(&mut book).await;
        if number % 5 == 4 {
            let op = book.accepted()[number].clone();
            book.cancel(&op).await;
        }
    }

    let ends = book.close(&mut fleet).await;
    copying.abort();
    let count = copies.load(Ordering::Relaxed);
    assert!(count > 100, "{count} copies");
    report(4, format!("{count} messages twice: {ends}"));
}
