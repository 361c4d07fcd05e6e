//! The train command on a real NATS server: data set in, registered version out, whoever is killed
//! on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that fails may panic"
)]

use std::collections::BTreeMap;

use registry::Registry;
use schemas::{
    command::Command,
    commands::{RegisterModel, RegisterOutcome, TrainModel, TrainOutcome, TrainRequest},
    events::What,
    ids::{Lane, OperationId},
    manifests::DatasetManifest,
    operation::{NewOperation, OperationRecord, OperationState},
    plan::{Plan, StepSpec},
};
use store::{DataSetTable, Store, sha256_hex};
use strategies::{Overrides, Strategy};
use system_tests::Sandbox;
use trainer::{Trainer, random};

const STRATEGY: &str = include_str!("../../../strategies/catalog/eurusd_rsi_macd.yaml");
const ROWS: usize = 1_400;

/// A data set of the catalog's strategy with made-up numbers; the label follows the first two
/// features. `absent` never occurs.
async fn publish_dataset(store: &Store, absent: Option<f32>) -> String {
    let resolved = Strategy::parse(STRATEGY)
        .unwrap()
        .resolve(&Overrides::default())
        .unwrap();
    let columns = resolved.feature_columns();
    let words = random::order(ROWS * columns.len(), 5, 1);
    let values: Vec<f32> = words
        .iter()
        .map(|word| *word as f32 / words.len() as f32)
        .collect();
    let features: Vec<Vec<f32>> = values.chunks(ROWS).map(<[f32]>::to_vec).collect();
    let class = |row: usize| {
        let sum = features[0][row] + features[1][row];
        let class = if sum > 1.2 {
            0.0
        } else {
            1.0 + f32::from(u8::from(sum < 0.8))
        };
        if Some(class) == absent { 0.0 } else { class }
    };
    let times: Vec<i64> = (0..ROWS as i64).map(|row| row * 3_600_000_000).collect();
    let table = DataSetTable {
        symbols: vec!["EURUSD".to_owned()],
        symbol: vec![0; ROWS],
        open_time: times.clone(),
        known_at: times.clone(),
        part: (0..ROWS)
            .map(|row| u8::from(row >= 1_000) + u8::from(row >= 1_200))
            .collect(),
        label: (0..ROWS).map(class).collect(),
        label_known_at: times,
        weight: None,
        feature_names: columns.iter().map(|column| column.name.clone()).collect(),
        features,
    };
    let draft = DatasetManifest {
        v: DatasetManifest::VERSION,
        inputs_sha256: sha256_hex(format!("{absent:?}").as_bytes()),
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs: serde_json::Value::Null,
        series: Vec::new(),
        features: columns,
        output: resolved.output(),
        weighted: false,
        validation_start: 0,
        test_start: 0,
        embargo_micros: 0,
        parts: Vec::new(),
        dropped: BTreeMap::new(),
        coverage: BTreeMap::new(),
        holes: Vec::new(),
        thresholds: Vec::new(),
        leak_test_cuts: 1,
        created_at: 0,
        written_by: "test".to_owned(),
    };
    store
        .data_sets()
        .publish(table, draft)
        .await
        .unwrap()
        .inputs_sha256
}

fn step<C: Command>(command: &C) -> StepSpec {
    let command = serde_json::to_value(command).unwrap();
    StepSpec {
        service: C::SERVICE,
        verb: C::VERB.to_owned(),
        lane: Lane::Default,
        weight: 1.0,
        command,
    }
}

fn operation(dataset: &str, epochs: u32) -> NewOperation {
    let overrides = serde_json::json!({ "epochs": epochs, "seed": 7, "batch_size": 32 });
    let strategy = STRATEGY.replace("  early_stopping:", "  #");
    let request = TrainRequest {
        strategy,
        overrides,
        model: Some("tested".to_owned()),
    };
    let train = step(&TrainModel {
        dataset: Some(dataset.to_owned()),
    });
    NewOperation {
        kind: "train".to_owned(),
        labels: BTreeMap::new(),
        params: serde_json::to_value(request).unwrap(),
        plan: Plan::sequence(vec![train, step(&RegisterModel::default())]),
    }
}

fn trained(record: &OperationRecord) -> TrainOutcome {
    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
    serde_json::from_value(record.steps[0].result.clone()).unwrap()
}

/// Hash of the model's weights.
async fn weights(store: &Store, outcome: &TrainOutcome) -> String {
    store
        .artifacts()
        .manifest(&outcome.artifact)
        .await
        .unwrap()
        .files["model.safetensors"]
        .sha256
        .clone()
}

/// Weights of `epochs` that nothing interrupted.
async fn undisturbed(sandbox: &Sandbox, dataset: &str, epochs: u32) -> String {
    let _worker = sandbox.run(Trainer).await;
    let op = sandbox.submit(&operation(dataset, epochs)).await;
    let outcome = trained(&sandbox.until_ended(&op).await);
    assert_eq!((outcome.epochs, outcome.resumed_at), (epochs, 0));
    weights(sandbox.store(), &outcome).await
}

async fn until_checkpointed(sandbox: &Sandbox, op: &OperationId) {
    sandbox
        .until_event(op, "checkpointed", |event| event.what == What::Checkpointed)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trained_model_becomes_a_version_that_predicts() {
    let sandbox = Sandbox::start().await;
    let _workers = (sandbox.run(Trainer).await, sandbox.run(Registry).await);
    let dataset = publish_dataset(sandbox.store(), None).await;
    let op = sandbox.submit(&operation(&dataset, 25)).await;
    let record = sandbox.until_concluded(&op).await;
    let outcome = trained(&record);
    let registered: RegisterOutcome =
        serde_json::from_value(record.steps[1].result.clone()).unwrap();
    let expected = RegisterOutcome {
        name: "tested".to_owned(),
        version: 1,
        artifact: outcome.artifact.clone(),
    };
    assert_eq!(registered, expected);
    assert!(outcome.metrics["accuracy"] > 0.8, "{outcome:?}");
    let model = sandbox
        .store()
        .models()
        .find("tested", None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (model.lineage.operation, model.metrics),
        (op.to_string(), outcome.metrics)
    );
    let artifact = sandbox
        .store()
        .artifacts()
        .read(&outcome.artifact)
        .await
        .unwrap();
    let model = networks::Model::from_safetensors(
        &artifact.manifest.network,
        &artifact.files["model.safetensors"],
    );
    let row = vec![0.5; artifact.manifest.network.features.len()];
    assert_eq!(model.unwrap().predict(&[row]).unwrap()[0].len(), 3);
    let told = sandbox
        .progress_of(&op)
        .await
        .into_iter()
        .map(|progress| progress.message);
    let told: Vec<String> = told
        .filter(|message| message.starts_with("Training"))
        .collect();
    let expected = "Training MLP model on EURUSD [1h] [epoch ";
    assert!(
        !told.is_empty() && told.iter().all(|message| message.starts_with(expected)),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_whose_worker_is_killed_goes_on_elsewhere_and_ends_with_the_same_weights() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let expected = undisturbed(&sandbox, &dataset, 150).await;
    let first = sandbox.run(Trainer).await;
    let op = sandbox.submit(&operation(&dataset, 150)).await;
    until_checkpointed(&sandbox, &op).await;
    first.kill();
    let _second = sandbox.run(Trainer).await;
    let outcome = trained(&sandbox.until_concluded(&op).await);
    assert!(
        outcome.resumed_at >= 10 && outcome.epochs == 150,
        "{outcome:?}"
    );
    assert_eq!(weights(sandbox.store(), &outcome).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_training_keeps_its_last_epoch_and_a_resume_ends_with_the_same_weights() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let expected = undisturbed(&sandbox, &dataset, 150).await;
    let _worker = sandbox.run(Trainer).await;
    let op = sandbox.submit(&operation(&dataset, 150)).await;
    until_checkpointed(&sandbox, &op).await;
    sandbox
        .bus()
        .cancels()
        .request(&op, "changed my mind")
        .await
        .unwrap();
    assert_eq!(
        sandbox.until_ended(&op).await.state,
        OperationState::Cancelled
    );
    sandbox.bus().operations().resume(&op).await.unwrap();
    let record = sandbox
        .until_record(&op, "completed", |record| {
            record.state == OperationState::Completed
        })
        .await;
    let outcome = trained(&record);
    assert!(outcome.resumed_at >= 10, "{outcome:?}");
    assert_eq!(weights(sandbox.store(), &outcome).await, expected);
    let left = sandbox
        .store()
        .checkpoints()
        .list(&op, record.numbers().next().unwrap())
        .await
        .unwrap();
    assert_eq!(left.len(), 1, "only the last checkpoint is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_without_a_class_fails_with_its_name_and_one_that_is_not_there_with_its_hash() {
    let sandbox = Sandbox::start().await;
    let _worker = sandbox.run(Trainer).await;
    let dataset = publish_dataset(sandbox.store(), Some(1.0)).await;
    let ends = [
        (dataset, "TRAIN-ClassAbsent", "HOLD"),
        ("0".repeat(64), "DATA-DatasetMissing", "0000"),
    ];
    for (dataset, code, named) in ends {
        let op = sandbox.submit(&operation(&dataset, 5)).await;
        let record = sandbox.until_concluded(&op).await;
        let failure = record.failure.expect("it fails");
        assert_eq!(
            (record.state, failure.error.code.as_str()),
            (OperationState::Failed, code)
        );
        assert!(
            failure.error.message.contains(named) && !failure.error.hint.is_empty(),
            "{failure:?}"
        );
    }
}
