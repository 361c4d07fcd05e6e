//! Messages that nobody should send: garbage, cut off, giant, on every subject that a person may
//! publish on.

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _};
use schemas::codec;
use schemas::ids::{Lane, Service, StepNumber};
use schemas::messages::CommandMessage;
use schemas::subjects;
use system_tests::{Role, Sandbox, new_id};

use crate::book::Book;
use crate::fleet::{self, Fleet, chance, rounds};
use crate::mixed::{small, submit_next};
use crate::rows::report;

/// As large as the server lets any message be, nearly.
const GIANT: usize = 1_000_000;

/// A payload of some poisonous kind.
fn poison(random: &mut SmallRng, op: &schemas::ids::OperationId) -> Vec<u8> {
    let message = CommandMessage::new(op, StepNumber::FIRST, 1, Some(small()));
    let mut payload = codec::encode(&message).unwrap();

    match random.random_range(0..4) {
        0 => {
            let mut noise = vec![0; random.random_range(0..2_000)];
            random.fill_bytes(&mut noise);
            noise
        }
        1 => {
            payload.truncate(random.random_range(0..payload.len()));
            payload
        }
        2 => {
            let place = random.random_range(0..payload.len());
            payload[place] ^= 1 << random.random_range(0..8);
            payload
        }
        _ => vec![b' '; random.random_range(60_000..GIANT)],
    }
}

/// A subject on which a person may publish.
fn subject(random: &mut SmallRng, op: &schemas::ids::OperationId) -> String {
    let service = Service::ALL[random.random_range(0..Service::ALL.len())];
    match random.random_range(0..6) {
        0..3 => subjects::command(service, Lane::Default, op, StepNumber::FIRST),
        3 => subjects::cancel(op),
        4 => format!("ktrdr.svc.{service}.health"),
        _ => format!(
            "$KV.{}.{}",
            subjects::OPERATIONS,
            subjects::operation_key(op)
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_on_every_subject_kills_nobody() {
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, fleet::ALL);
    let mut book = Book::open(&sandbox);
    // A person may write records, and these cannot be read.
    book.break_rule("record-unreadable");
    let client = sandbox.client_as(Role::Person).await;
    let messages = rounds(200, 5_000);

    for number in 0..messages {
        let op = new_id("dummy");
        let payload = poison(&mut random, &op);
        let subject = subject(&mut random, &op);
        client.publish(subject, payload.into()).await.unwrap();
        if number % 40 == 0 {
            client.flush().await.unwrap();
            submit_next(&mut book).await;
        }
    }
    client.flush().await.unwrap();

    let ends = book.close(&mut fleet).await;
    assert_eq!(
        fleet.replace_ended() + ends.restarts,
        0,
        "services that ended"
    );
    let letters = sandbox.stored(subjects::DEAD, subjects::ALL_DEAD).await;
    report(
        16,
        format!(
            "{messages} messages of up to 1 MB, {} dead letters: {ends}",
            letters.len()
        ),
    );
}
