//! A flood by one client with a person's rights.

use std::time::{Duration, Instant};

use schemas::ids::{Lane, Service, StepNumber};
use schemas::subjects;
use system_tests::{Role, Sandbox, new_id};

use crate::book::Book;
use crate::fleet::{self, Fleet, rounds};
use crate::mixed::small;
use crate::rows::report;

/// A small operation ends within this time, well or not, also after a flood.
const SMALL_MAX: Duration = Duration::from_secs(60);
/// What a service may have grown by, in kilobytes.
const GROWTH_MAX_KB: u64 = 64 * 1024;

async fn time_of_small(sandbox: &Sandbox, book: &mut Book<'_>) -> Duration {
    let started = Instant::now();
    let op = book.submit(&small()).await;
    sandbox.until_ended(&op).await;
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_by_a_person_passes() {
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, fleet::SMALL);
    let mut book = Book::open(&sandbox);
    // A server that does not answer for half a minute costs a step all its tries.
    book.allow_failures("timed out");
    let before = time_of_small(&sandbox, &mut book).await;
    let memory_before: Vec<u64> = memory(&fleet);
    let client = sandbox.client_as(Role::Person).await;
    let messages = rounds(2_000, 5_000);

    for number in 0..messages {
        let op = new_id("dummy");
        let subject = match number % 20 {
            0..10 => subjects::cancel(&op),
            10..19 => "ktrdr.svc.registry.health".to_owned(),
            _ => subjects::command(Service::Validator, Lane::Default, &op, StepNumber::FIRST),
        };
        client.publish(subject, "".into()).await.unwrap();
    }
    client.flush().await.unwrap();
    let after = time_of_small(&sandbox, &mut book).await;

    fleet.add(&[], sandbox.url(), &["validator"]);
    let ends = book.close(&mut fleet).await;
    let pairs = memory(&fleet).into_iter().zip(memory_before);
    let growth = pairs.map(|(now, then)| now.saturating_sub(then)).max();
    assert!(after < SMALL_MAX, "{after:?} instead of {before:?}");
    assert!(
        growth.unwrap() < GROWTH_MAX_KB,
        "a service grew by {growth:?} kB"
    );
    report(
        17,
        format!(
            "{messages} messages: a small operation takes {:.1} s right after them, {:.1} s before; \
             no service grows by more than {} MB; {ends}",
            after.as_secs_f64(),
            before.as_secs_f64(),
            growth.unwrap().div_ceil(1024)
        ),
    );
}

fn memory(fleet: &Fleet<'_>) -> Vec<u64> {
    let members = fleet.members.iter();
    members.map(|member| member.memory_kb("VmRSS")).collect()
}
