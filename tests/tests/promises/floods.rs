//! A flood by one client: what does not exist takes no room for long.

use dummy::Dummy;
use schemas::subjects;
use system_tests::{Sandbox, new_id, until};

use crate::commands::endless;

const CANCELS: u16 = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn cancels_of_nothing_are_dropped_and_no_others() {
    let sandbox = Sandbox::start_guarded().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.until_started(&op).await;
    sandbox
        .bus()
        .cancels()
        .request(&op, "enough")
        .await
        .unwrap();
    sandbox.until_concluded(&op).await;

    for _ in 0..CANCELS {
        let subject = subjects::cancel(&new_id("dummy"));
        sandbox.client().publish(subject, "".into()).await.unwrap();
    }
    sandbox.client().flush().await.unwrap();

    let bus = sandbox.connect().await;
    until("the cancels of nothing to be dropped", || async {
        let stored = bus.cancels().stored(1, u64::from(CANCELS) * 2).await.ok()?;
        let is_flooded = stored.next > u64::from(CANCELS);
        (is_flooded && stored.requests.len() == 1).then_some(())
    })
    .await;
    let newest = sandbox.bus().cancels().newest(&op).await.unwrap();
    assert_eq!(newest.unwrap().reason, "enough");
}
