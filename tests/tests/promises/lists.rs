//! The list of operations, when families have filled the bucket.

use bus::OperationFilter;
use dummy::Dummy;
use family::Family as FamilyService;
use schemas::commands::RunDummy;
use schemas::ids::OperationId;
use system_tests::Sandbox;

use crate::families::{family_of, submit};

/// Children of a family: three families have more records than are read at first.
const CHILDREN: usize = 120;

/// Work that is over at once.
fn nothing() -> RunDummy {
    RunDummy {
        iterations: 1,
        seconds: 0.0,
        ..RunDummy::default()
    }
}

/// A family of dummies that has ended.
async fn run_family(sandbox: &Sandbox) -> OperationId {
    let op = submit(sandbox, &family_of(&nothing(), CHILDREN, 16)).await;
    sandbox.only_completion_of(&op).await;
    op
}

#[tokio::test(flavor = "multi_thread")]
async fn children_by_the_hundred_do_not_hide_what_is_older() {
    let sandbox = Sandbox::start().await;
    let _dummy = sandbox.run(Dummy).await;
    let _families = sandbox
        .run(FamilyService::new(sandbox.connect().await))
        .await;

    let mut expected = vec![sandbox.submit(&nothing().operation()).await];
    sandbox.only_completion_of(&expected[0]).await;
    for _ in 0..3 {
        expected.push(run_family(&sandbox).await);
    }
    expected.reverse();

    let filter = OperationFilter {
        without_children: true,
        ..OperationFilter::default()
    };
    let operations = sandbox.bus().operations();
    let page = operations.list_page(10, &filter).await.unwrap();
    let listed: Vec<OperationId> = page.records.into_iter().map(|record| record.op).collect();
    assert_eq!(listed, expected);
    assert!(!page.more);

    // With the children there are more than a list has room for.
    let all = operations.list_page(300, &OperationFilter::default()).await;
    let all = all.unwrap();
    assert_eq!(all.records.len(), 300);
    assert!(all.more);
}
