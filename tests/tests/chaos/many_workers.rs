//! Many workers that come and go while operations wait.

use std::time::Duration;

use rand::RngExt as _;
use system_tests::{Sandbox, steps};

use crate::book::Book;
use crate::fleet::{Fleet, chance, rounds};
use crate::mixed::work;
use crate::rows::report;

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_join_and_leave_lose_nothing() {
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, &["registry"]);
    let mut book = Book::open(&sandbox);
    let workers = rounds(6, 50);
    for _ in 0..workers * 2 {
        book.submit(&steps(&[work(20), work(10)])).await;
    }

    let mut killed = 0;
    for _ in 0..workers {
        fleet.add(&[], sandbox.url(), &["dummy"]);
        let peace = Duration::from_millis(random.random_range(0..300));
        sandbox.after(peace).await;
        if random.random_bool(0.5) {
            // Never the housekeeper.
            let index = random.random_range(1..fleet.members.len());
            let mut leaving = fleet.members.swap_remove(index);
            match random.random_bool(0.5) {
                true => {
                    leaving.process.kill();
                    killed += 1;
                }
                false => {
                    leaving.process.terminate();
                    leaving.process.until_ended().await;
                }
            }
        }
    }

    let remaining = fleet.members.len() - 1;
    let gone = workers - remaining;
    if remaining == 0 {
        fleet.add(&[], sandbox.url(), &["dummy"]);
    }
    let ends = book.close(&mut fleet).await;
    report(
        19,
        format!("{workers} workers joined, {gone} left again, {killed} of them by a kill: {ends}"),
    );
}
