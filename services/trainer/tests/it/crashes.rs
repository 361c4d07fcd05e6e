//! Crashes of the trainer and of the registry between any two steps of the protocol, and cancels at
//! any moment: the same weights, one version, and a trainer that is free again.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use registry::Registry;
use schemas::commands::RegisterOutcome;
use schemas::ids::Service;
use schemas::operation::OperationState;
use serde_json::{Value, json};
use system_tests::Sandbox;

use crate::service::{operation, publish_dataset, trained, trainer, weights};

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_that_crashes_anywhere_leaves_the_same_weights() {
    let sandbox = Sandbox::start().await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let _registry = sandbox.run(Registry).await;
    let request = operation(&dataset, 2);

    let all_weights = Mutex::new(BTreeSet::new());
    sandbox
        .crash_everywhere(trainer, &request, async |op, _| {
            sandbox.only_completion_of(op).await;
            let outcome = trained(&sandbox.record(op).await);
            let weights = weights(sandbox.store(), &outcome).await;
            all_weights.lock().unwrap().insert(weights);
        })
        .await;

    assert_eq!(all_weights.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_crashes_anywhere_gives_one_version() {
    let sandbox = Sandbox::start().await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let _trainer = sandbox.run(trainer()).await;
    let request = operation(&dataset, 1);

    let versions = Mutex::new(Vec::new());
    sandbox
        .crash_everywhere(
            || Registry,
            &request,
            async |op, _| {
                let completion = sandbox.only_completion_of(op).await;
                let registered: RegisterOutcome =
                    serde_json::from_value(completion.result).unwrap();
                versions.lock().unwrap().push(registered.version);
            },
        )
        .await;

    assert_eq!(*versions.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
    let stored = sandbox.store().models().versions("tested").await.unwrap();
    assert_eq!(stored.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_cancels_at_random_moments_stop_the_trainer() {
    let sandbox = Sandbox::start().await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let endless = operation(&dataset, 10_000);

    for number in 0..50 {
        let op = sandbox.submit(&endless).await;
        // From before the claim until after the first epochs.
        let moment = Duration::from_millis(rand::random_range(0..120));
        sandbox.after(moment).await;
        sandbox.bus().cancels().request(&op, "").await.unwrap();

        let record = sandbox.until_concluded(&op).await;
        let place = format!("cancel {number} after {moment:?}");
        assert_eq!(record.state, OperationState::Cancelled, "{place}");
    }

    // It works on nothing, and takes what comes next.
    let services = sandbox.bus().services();
    let answer = services.ask(Service::Trainer, "health", Vec::new()).await;
    let health: Value = serde_json::from_slice(&answer.unwrap()).unwrap();
    assert_eq!(health["current"], json!([]));
    let op = sandbox.submit(&operation(&dataset, 1)).await;
    trained(&sandbox.until_concluded(&op).await);
}
