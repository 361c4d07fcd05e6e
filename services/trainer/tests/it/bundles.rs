//! Bundles: several trainings as one step, with the bits that each would have alone.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use registry::Registry;
use schemas::commands::{Bundle, BundleMember, BundleResult, RegisterOutcome, TrainModel};
use schemas::operation::{NewOperation, OperationRecord, OperationState};
use serde_json::{Value, json};
use system_tests::Sandbox;
use trainer::Trainer;

use crate::service::{
    cancel_and_resume, operation, publish_dataset, trained, trainer, until_checkpointed, weights,
};

/// Epochs that take so long, half a second, that a bundle can be interrupted.
const MANY_EPOCHS: u32 = 1_200;

fn member(training: u32, seed: u64, learning_rate: f64) -> BundleMember {
    BundleMember {
        training,
        seed,
        combination: format!("learning_rate={learning_rate}"),
        set: json!({ "learning_rate": learning_rate })
            .as_object()
            .unwrap()
            .clone(),
    }
}

/// Two learning rates from two seeds.
fn four_members() -> Vec<BundleMember> {
    vec![
        member(1, 7, 0.001),
        member(2, 8, 0.001),
        member(3, 7, 0.01),
        member(4, 8, 0.01),
    ]
}

fn bundle_of(
    dataset: &str,
    epochs: u32,
    members: Vec<BundleMember>,
    fail_fast: bool,
) -> NewOperation {
    let mut new = operation(dataset, epochs);
    let command = TrainModel {
        dataset: Some(dataset.to_owned()),
        bundle: Some(Bundle { members, fail_fast }),
    };
    new.plan.stages[0][0].command = serde_json::to_value(command).unwrap();
    new
}

/// The same training as an operation of its own.
fn alone(dataset: &str, epochs: u32, member: &BundleMember) -> NewOperation {
    let mut new = operation(dataset, epochs);
    new.params["overrides"]["seed"] = json!(member.seed);
    new.params["overrides"]["training"] = Value::Object(member.set.clone());
    new
}

fn with_threads(threads: usize) -> Trainer {
    trainer().with_threads(NonZeroUsize::new(threads).unwrap())
}

async fn completed(sandbox: &Sandbox, new: &NewOperation) -> OperationRecord {
    let op = sandbox.submit(new).await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
    record
}

/// Hash of the weights of each training, by its number.
async fn weights_by_training(sandbox: &Sandbox, record: &OperationRecord) -> BTreeMap<u32, String> {
    let mut hashes = BTreeMap::new();
    for result in trained(record).bundle {
        let artifact = result.artifact.unwrap();
        let manifest = sandbox.store().artifacts().manifest(&artifact).await;
        let hash = manifest.unwrap().files["model.safetensors"].sha256.clone();
        hashes.insert(result.training, hash);
    }
    hashes
}

/// The same of every member trained alone.
async fn weights_alone(sandbox: &Sandbox, dataset: &str, epochs: u32) -> BTreeMap<u32, String> {
    let mut hashes = BTreeMap::new();
    for member in four_members() {
        let record = completed(sandbox, &alone(dataset, epochs, &member)).await;
        let hash = weights(sandbox.store(), &trained(&record)).await;
        hashes.insert(member.training, hash);
    }
    hashes
}

#[tokio::test(flavor = "multi_thread")]
async fn each_training_has_the_bits_that_it_has_alone() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let single = sandbox.run(trainer()).await;
    let expected = weights_alone(&sandbox, &dataset, 5).await;
    single.kill();

    for threads in [1, 2, 5] {
        let worker = sandbox.run(with_threads(threads)).await;
        let bundle = bundle_of(&dataset, 5, four_members(), false);
        let record = completed(&sandbox, &bundle).await;

        let hashes = weights_by_training(&sandbox, &record).await;
        assert_eq!(hashes, expected, "{threads} threads");
        worker.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_training_of_a_bundle_becomes_a_version() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let _trainer = sandbox.run(with_threads(2)).await;
    let dataset = publish_dataset(sandbox.store(), None).await;

    let record = completed(&sandbox, &bundle_of(&dataset, 20, four_members(), false)).await;

    let outcome = trained(&record);
    let trainings: Vec<u32> = outcome.bundle.iter().map(|it| it.training).collect();
    assert_eq!(trainings, [1, 2, 3, 4]);
    let registered: RegisterOutcome =
        serde_json::from_value(record.steps[1].result.clone()).unwrap();
    assert_eq!(registered.bundle.len(), 4);

    // The model of each version is the artifact of its training, with its seed and its keys.
    let versions = sandbox.store().models().versions("tested").await.unwrap();
    let mut losses = BTreeMap::new();
    for model in &versions {
        let training = model.training.unwrap();
        let result = &outcome.bundle[training as usize - 1];
        assert_eq!(result.artifact.as_ref(), Some(&model.artifact));
        let member = &four_members()[training as usize - 1];
        assert_eq!(model.lineage.seed, member.seed);
        let overrides = model.lineage.overrides.as_ref().unwrap();
        assert_eq!(overrides["training"], Value::Object(member.set.clone()));
        losses.insert(training, model.validation["loss"]);
    }
    let numbers: Vec<u32> = versions.iter().map(|model| model.version).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);

    // What the record says of the whole is the best on validation.
    let best = losses.iter().min_by(|one, other| one.1.total_cmp(other.1));
    let best = *best.unwrap().0 as usize - 1;
    assert_eq!(
        outcome.bundle[best].artifact.as_ref(),
        Some(&outcome.artifact)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_cancelled_and_resumed_has_the_same_bits() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let _trainer = sandbox.run(with_threads(2)).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let expected = weights_alone(&sandbox, &dataset, MANY_EPOCHS).await;

    let op = sandbox
        .submit(&bundle_of(&dataset, MANY_EPOCHS, four_members(), false))
        .await;
    let record = cancel_and_resume(&sandbox, &op).await;

    let goes_on = |result: &BundleResult| result.resumed_at >= 10;
    assert!(trained(&record).bundle.iter().any(goes_on), "{record:#?}");
    assert_eq!(weights_by_training(&sandbox, &record).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_killed_in_a_bundle_loses_no_training() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let single = sandbox.run(trainer()).await;
    let expected = weights_alone(&sandbox, &dataset, MANY_EPOCHS).await;
    single.kill();

    let first = sandbox.run(with_threads(2)).await;
    let op = sandbox
        .submit(&bundle_of(&dataset, MANY_EPOCHS, four_members(), false))
        .await;
    until_checkpointed(&sandbox, &op).await;
    first.kill();
    let _second = sandbox.run(with_threads(1)).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(weights_by_training(&sandbox, &record).await, expected);
    let versions = sandbox.store().models().versions("tested").await.unwrap();
    let of_bundle = versions.iter().filter(|it| it.operation == op.as_str());
    let trainings: Vec<_> = of_bundle.map(|model| model.training).collect();
    assert_eq!(trainings, [Some(1), Some(2), Some(3), Some(4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_that_fails_is_named_and_the_others_go_on() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let _trainer = sandbox.run(with_threads(2)).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let members = vec![member(1, 7, 0.001), member(2, 7, 1e9), member(3, 8, 0.001)];

    let record = completed(&sandbox, &bundle_of(&dataset, 3, members, false)).await;

    let outcome = trained(&record);
    let failed: Vec<bool> = outcome.bundle.iter().map(|it| it.error.is_some()).collect();
    assert_eq!(failed, [false, true, false]);
    assert!(
        outcome.warnings[0].starts_with("1 of 3 trainings failed; training 2: "),
        "{:?}",
        outcome.warnings
    );
    let versions = sandbox.store().models().versions("tested").await.unwrap();
    let trainings: Vec<_> = versions.iter().map(|model| model.training).collect();
    assert_eq!(trainings, [Some(1), Some(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_failure_ends_a_bundle_that_asks_for_it() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(with_threads(2)).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    // The sound one would take minutes.
    let members = vec![member(1, 7, 0.001), member(2, 7, 1e9)];

    let op = sandbox
        .submit(&bundle_of(&dataset, 100_000, members, true))
        .await;
    let record = sandbox.until_ended(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    let error = record.failure.unwrap().error;
    assert!(error.message.contains("1 error(s)"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_cannot_be_one_is_refused() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let dataset = publish_dataset(sandbox.store(), None).await;

    let mut too_many = Vec::new();
    for training in 1..=65 {
        too_many.push(member(training, 7, 0.001));
    }

    let twice = vec![member(1, 7, 0.001), member(1, 8, 0.001)];
    for members in [Vec::new(), too_many, twice] {
        let op = sandbox
            .submit(&bundle_of(&dataset, 3, members, false))
            .await;
        let record = sandbox.until_ended(&op).await;
        assert_eq!(record.state, OperationState::Failed);
        let error = record.failure.unwrap().error;
        assert!(error.message.starts_with("the bundle has "), "{error:?}");
    }
}
