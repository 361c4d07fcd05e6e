//! The train command on a real NATS server: data set in, registered version out, whoever is killed
//! on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use registry::Registry;
use schemas::{
    command::Command,
    commands::{RegisterModel, RegisterOutcome, TrainModel, TrainOutcome, TrainRequest},
    errors::ErrorRecord,
    events::What,
    ids::{Lane, OperationId, Service, StepNumber},
    manifests::{DataSetManifest, FeatureColumn},
    operation::{NewOperation, OperationRecord, OperationState},
    plan::{Plan, StepSpec},
    progress::Context,
};
use serde_json::Value;
use store::{CheckpointKey, DataSetTable, Store, sha256_hex};
use strategies::{Overrides, Resolved, Strategy};
use system_tests::Sandbox;
use trainer::{ComputeDevice, Trainer, random};

pub(crate) const STRATEGY: &str =
    include_str!("../../../../strategies/catalog/eurusd_rsi_macd.yaml");
pub(crate) const ROWS: usize = 1_400;

/// A data set of the catalogue's strategy with made-up numbers; the label follows the first two
/// features. The class `absent` never occurs.
pub(crate) async fn publish_dataset(store: &Store, absent: Option<f32>) -> String {
    let resolved = resolved_of(STRATEGY);
    let table = made_up_table(&resolved, absent);
    let hash = sha256_hex(format!("{absent:?}").as_bytes());
    let draft = draft_of(&resolved, hash);

    let manifest = store.data_sets().publish(table, draft).await.unwrap();
    manifest.inputs_sha256
}

pub(crate) fn resolved_of(strategy: &str) -> Resolved {
    let strategy = Strategy::parse(strategy).unwrap();
    strategy.resolve(&Overrides::default()).unwrap()
}

/// Made-up numbers of the columns of a strategy.
pub(crate) fn made_up_table(resolved: &Resolved, absent: Option<f32>) -> DataSetTable {
    let columns = resolved.feature_columns();
    table(&columns, made_up_features(columns.len()), absent)
}

/// The manifest of made-up numbers.
pub(crate) fn draft_of(resolved: &Resolved, inputs_sha256: String) -> DataSetManifest {
    DataSetManifest {
        v: DataSetManifest::VERSION,
        inputs_sha256,
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs: serde_json::Value::Null,
        series: Vec::new(),
        features: resolved.feature_columns(),
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
        forward_bars: None,
        leak_test_cuts: 1,
        sealed: None,
        created_at: 0,
        written_by: "test".to_owned(),
    }
}

/// Columns of numbers in 0..1.
fn made_up_features(columns: usize) -> Vec<Vec<f32>> {
    let words = random::shuffle_rows(ROWS * columns, 5, 1);
    let values: Vec<f32> = words
        .iter()
        .map(|word| *word as f32 / words.len() as f32)
        .collect();
    values.chunks(ROWS).map(<[f32]>::to_vec).collect()
}

/// BUY, HOLD or SELL by the sum of the first two features.
fn class_of(sum: f32) -> f32 {
    if sum > 1.2 {
        0.0
    } else {
        1.0 + f32::from(u8::from(sum < 0.8))
    }
}

fn table(columns: &[FeatureColumn], features: Vec<Vec<f32>>, absent: Option<f32>) -> DataSetTable {
    let times: Vec<i64> = (0..ROWS as i64).map(|row| row * 3_600_000_000).collect();
    let sums = features[0].iter().zip(&features[1]).map(|(a, b)| a + b);
    let classes = sums.map(class_of);
    let labels = classes.map(|class| if Some(class) == absent { 0.0 } else { class });

    DataSetTable {
        symbols: vec!["EURUSD".to_owned()],
        symbol: vec![0; ROWS],
        open_time: times.clone(),
        known_at: times.clone(),
        part: (0..ROWS)
            .map(|row| u8::from(row >= 1_000) + u8::from(row >= 1_200))
            .collect(),
        label: labels.collect(),
        label_known_at: times,
        bar: None,
        weight: None,
        forward_return: None,
        feature_names: columns.iter().map(|column| column.name.clone()).collect(),
        features,
    }
}

pub(crate) fn step<C: Command>(command: &C) -> StepSpec {
    let command = serde_json::to_value(command).unwrap();
    StepSpec {
        service: C::SERVICE,
        verb: C::VERB.to_owned(),
        lane: Lane::Default,
        weight: 1.0,
        command,
    }
}

pub(crate) fn operation(dataset: &str, epochs: u32) -> NewOperation {
    let overrides = serde_json::json!({ "epochs": epochs, "seed": 7, "batch_size": 32 });
    let strategy = STRATEGY.replace("  early_stopping:", "  #");
    training_of(dataset, strategy, overrides)
}

/// A training of a strategy text, with what the request changes in it.
pub(crate) fn training_of(dataset: &str, strategy: String, overrides: Value) -> NewOperation {
    let request = TrainRequest {
        strategy,
        overrides,
        model: Some("tested".to_owned()),
    };
    let train = step(&TrainModel {
        dataset: Some(dataset.to_owned()),
        bundle: None,
    });

    NewOperation {
        kind: "train".to_owned(),
        params: serde_json::to_value(request).unwrap(),
        plan: Plan::sequence(vec![train, step(&RegisterModel::default())]),
        ..NewOperation::default()
    }
}

pub(crate) fn trained(record: &OperationRecord) -> TrainOutcome {
    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
    serde_json::from_value(record.steps[0].result.clone()).unwrap()
}

/// Hash of the model's weights.
pub(crate) async fn weights(store: &Store, outcome: &TrainOutcome) -> String {
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
    let _worker = sandbox.run(Trainer::new(ComputeDevice::Cpu)).await;
    let op = sandbox.submit(&operation(dataset, epochs)).await;
    let outcome = trained(&sandbox.until_ended(&op).await);
    assert_eq!((outcome.epochs, outcome.resumed_at), (epochs, 0));
    weights(sandbox.store(), &outcome).await
}

pub(crate) async fn until_checkpointed(sandbox: &Sandbox, op: &OperationId) {
    sandbox
        .until_event(op, "checkpointed", |event| event.what == What::Checkpointed)
        .await;
}

pub(crate) fn trainer() -> Trainer {
    Trainer::new(ComputeDevice::Cpu)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trained_model_becomes_a_registered_version() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;

    let op = sandbox.submit(&operation(&dataset, 25)).await;
    let record = sandbox.until_concluded(&op).await;

    let outcome = trained(&record);
    assert!(outcome.metrics["accuracy"] > 0.8, "{outcome:?}");
    assert!(outcome.metrics["macro_precision"] > 0.5, "{outcome:?}");
    assert!(outcome.metrics["macro_recall"] > 0.5, "{outcome:?}");
    let classes = outcome.classes.iter().map(|class| class.name.as_str());
    assert_eq!(classes.collect::<Vec<_>>(), ["BUY", "HOLD", "SELL"]);
    let recalls = outcome.classes.iter().map(|class| class.recall);
    let mean = recalls.sum::<f64>() / 3.0;
    assert!((outcome.metrics["macro_recall"] - mean).abs() < 1e-9);
    let registered: RegisterOutcome =
        serde_json::from_value(record.steps[1].result.clone()).unwrap();
    let expected = RegisterOutcome {
        name: "tested".to_owned(),
        version: 1,
        artifact: outcome.artifact.clone(),
        bundle: Vec::new(),
    };
    assert_eq!(registered, expected);

    let model = sandbox.store().models().find("tested", None).await;
    let model = model.unwrap().unwrap();
    let artifact = sandbox.store().artifacts().manifest(&model.artifact).await;
    let parameters = artifact.unwrap().network.parameter_count() as u64;
    assert_eq!(outcome.parameters, parameters);
    assert_eq!(model.lineage.operation, op.to_string());
    assert_eq!(model.metrics, outcome.metrics);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_predicts_and_remembers_its_request() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;

    let op = sandbox.submit(&operation(&dataset, 3)).await;
    let outcome = trained(&sandbox.until_concluded(&op).await);

    let artifact = sandbox.store().artifacts().read(&outcome.artifact).await;
    let artifact = artifact.unwrap();
    let network = &artifact.manifest.network;
    let weights = &artifact.files["model.safetensors"];
    let model = networks::Model::from_safetensors(network, weights).unwrap();
    let row = vec![0.5; network.features.len()];
    assert_eq!(model.predict(&[row]).unwrap()[0].len(), 3);

    let lineage = &artifact.manifest.lineage;
    assert_eq!(lineage.overrides.as_ref().unwrap()["epochs"], 3);
    let resolved = Resolved::from_lineage(lineage, &network.features).unwrap();
    assert_eq!(resolved.settings.epochs, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_names_network_symbol_and_timeframe() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;

    // Long enough for a record between the first and the last one.
    let op = sandbox.submit(&operation(&dataset, 2_000)).await;
    sandbox.until_concluded(&op).await;

    let progress = sandbox.progress_of(&op).await;
    let mut messages = progress
        .iter()
        .map(|record| record.message.as_str())
        .filter(|message| message.starts_with("Training"))
        .peekable();
    assert!(messages.peek().is_some());
    for message in messages {
        let expected = "Training MLP model on EURUSD [1h] [epoch ";
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_a_training_has_its_context() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;

    let op = sandbox.submit(&operation(&dataset, 25)).await;
    sandbox.until_concluded(&op).await;

    let mut records = sandbox.progress_of(&op).await;
    records.retain(|record| record.service == Service::Trainer);
    assert!(!records.is_empty());
    for record in &records {
        let Context::Train {
            model_type,
            strategy,
            symbols,
            timeframes,
            epoch,
            device,
            ..
        } = &record.context
        else {
            panic!("{record:#?}");
        };
        assert_eq!(model_type, "mlp");
        assert_eq!(strategy, "eurusd_rsi_macd");
        assert_eq!(symbols, &["EURUSD"]);
        assert_eq!(timeframes, &["1h"]);
        assert_eq!(epoch.total, 25);
        assert_eq!(device.kind, "cpu");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_epochs_of_the_file_are_run_and_logged() {
    let sandbox = Sandbox::start().await;
    let trainer = sandbox.spawn_with("ktrdr-trainer", &["--set", "device=cpu"]);
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;

    // 10 are neither the default of 100 nor the 20 of the catalogue.
    let text = STRATEGY
        .replace("  early_stopping:", "  #")
        .replace("  epochs: 20", "  epochs: 10");
    let op = sandbox
        .submit(&training_of(&dataset, text, Value::Null))
        .await;
    let outcome = trained(&sandbox.until_concluded(&op).await);

    assert_eq!(outcome.epochs, 10);
    let log = trainer.log();
    let line_with = |text: &str| {
        let line = log.lines().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no `{text}` in\n{log}"))
    };
    for line in [line_with("training begins"), line_with("training ended")] {
        for fact in ["epochs=10", "batch_size=128", "device=cpu"] {
            assert!(line.contains(fact), "{fact}: {line}");
        }
    }
    assert!(line_with("training ended").contains("epochs_trained=10"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_taken_over_ends_with_the_same_weights() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let expected = undisturbed(&sandbox, &dataset, EPOCHS_OF_SECONDS).await;

    let first = sandbox.run(trainer()).await;
    let op = sandbox
        .submit(&operation(&dataset, EPOCHS_OF_SECONDS))
        .await;
    until_checkpointed(&sandbox, &op).await;
    first.kill();
    let _second = sandbox.run(trainer()).await;
    let outcome = trained(&sandbox.until_concluded(&op).await);

    assert!(outcome.resumed_at >= 10, "{outcome:?}");
    assert_eq!(outcome.epochs, EPOCHS_OF_SECONDS);
    assert_eq!(weights(sandbox.store(), &outcome).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_cancelled_and_resumed_ends_with_the_same_weights() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let expected = undisturbed(&sandbox, &dataset, EPOCHS_OF_SECONDS).await;
    let _trainer = sandbox.run(trainer()).await;

    let op = sandbox
        .submit(&operation(&dataset, EPOCHS_OF_SECONDS))
        .await;
    let record = cancel_and_resume(&sandbox, &op).await;

    let outcome = trained(&record);
    assert!(outcome.resumed_at >= 10, "{outcome:?}");
    assert_eq!(weights(sandbox.store(), &outcome).await, expected);
    sandbox.until_concluded(&op).await;
    assert_eq!(checkpoints_of(&sandbox, &op).await, [], "none is needed");
}

/// Cancels an operation after its first checkpoint, resumes it, and waits for its completion.
pub(crate) async fn cancel_and_resume(sandbox: &Sandbox, op: &OperationId) -> OperationRecord {
    until_checkpointed(sandbox, op).await;
    let cancel = sandbox.bus().cancels().request(op, "changed my mind");
    cancel.await.unwrap();
    let cancelled = sandbox.until_ended(op).await;
    assert_eq!(cancelled.state, OperationState::Cancelled);

    sandbox.bus().operations().resume(op).await.unwrap();
    let is_completed = |record: &OperationRecord| record.state == OperationState::Completed;
    sandbox.until_record(op, "completed", is_completed).await
}

async fn checkpoints_of(sandbox: &Sandbox, op: &OperationId) -> Vec<CheckpointKey> {
    let checkpoints = sandbox.store().checkpoints();
    checkpoints.list(op, StepNumber::FIRST).await.unwrap()
}

/// Epochs that take some seconds: checkpoints are a second apart, and a cancel after the second one
/// must find the training at work.
const EPOCHS_OF_SECONDS: u32 = 10_000;

/// A training that was cancelled after its second checkpoint.
async fn interrupted(sandbox: &Sandbox, dataset: &str) -> OperationId {
    let op = sandbox.submit(&operation(dataset, EPOCHS_OF_SECONDS)).await;
    interrupt(sandbox, &op, 1).await;
    op
}

/// Cancels a training after the second checkpoint of its attempt.
async fn interrupt(sandbox: &Sandbox, op: &OperationId, attempt: u32) {
    let checkpoints = AtomicU32::new(0);
    sandbox
        .until_event(op, "checkpointed twice", |event| {
            let is_checkpoint = event.what == What::Checkpointed && event.attempt == attempt;
            is_checkpoint && checkpoints.fetch_add(1, Ordering::Relaxed) == 1
        })
        .await;

    let cancel = sandbox.bus().cancels().request(op, "changed my mind");
    cancel.await.unwrap();
    let cancelled = sandbox.until_concluded(op).await;
    assert_eq!(cancelled.state, OperationState::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_checkpoints_stay_however_often_a_training_is_resumed() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let op = sandbox
        .submit(&operation(&dataset, EPOCHS_OF_SECONDS))
        .await;

    for attempt in 1..=3 {
        if attempt > 1 {
            sandbox.bus().operations().resume(&op).await.unwrap();
        }
        interrupt(&sandbox, &op, attempt).await;

        let checkpoints = checkpoints_of(&sandbox, &op).await;
        let attempts: Vec<u32> = checkpoints.iter().map(|key| key.attempt).collect();
        assert_eq!(attempts, [attempt; 2]);
    }
}

/// A way in which a file gets damaged.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flipped,
    Halved,
    Emptied,
    Deleted,
}

const EVERY_DAMAGE: [Damage; 4] = [
    Damage::Flipped,
    Damage::Halved,
    Damage::Emptied,
    Damage::Deleted,
];

fn damage(sandbox: &Sandbox, key: &CheckpointKey, file: &str, damage: Damage) {
    let folder = sandbox.store().url().strip_prefix("file://").unwrap();
    let path = Path::new(folder).join(key.to_string()).join(file);
    let mut bytes = std::fs::read(&path).unwrap();

    match damage {
        Damage::Flipped => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        Damage::Halved => bytes.truncate(bytes.len() / 2),
        Damage::Emptied => bytes.clear(),
        Damage::Deleted => return std::fs::remove_file(&path).unwrap(),
    }
    std::fs::write(&path, bytes).unwrap();
}

/// Resumes a training whose checkpoint is damaged: what was said, and the outcome.
async fn resumed(sandbox: &Sandbox, op: &OperationId) -> (ErrorRecord, TrainOutcome) {
    sandbox.bus().operations().resume(op).await.unwrap();
    let warned = sandbox
        .until_event(op, "warned", |event| event.what == What::Warned)
        .await;
    (
        warned.error.unwrap(),
        trained(&sandbox.until_concluded(op).await),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_is_said_and_the_one_before_used() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let expected = undisturbed(&sandbox, &dataset, EPOCHS_OF_SECONDS).await;
    let _trainer = sandbox.run(trainer()).await;

    for (kind, file) in EVERY_DAMAGE.into_iter().zip([
        "state.json",
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
    ]) {
        let op = interrupted(&sandbox, &dataset).await;
        let checkpoints = checkpoints_of(&sandbox, &op).await;
        assert_eq!(checkpoints.len(), 2, "the newest and the one before");
        damage(&sandbox, &checkpoints[0], file, kind);

        let (warning, outcome) = resumed(&sandbox, &op).await;
        assert_eq!(warning.code, "OPS-CheckpointCorrupt", "{kind:?}");
        assert!(
            warning.message.contains("goes on from the one before"),
            "{warning}"
        );
        assert!(outcome.resumed_at >= 10, "{outcome:?}");
        assert!(outcome.warnings[0].contains("CheckpointCorrupt"));
        assert_eq!(weights(sandbox.store(), &outcome).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_intact_checkpoint_a_training_starts_again() {
    let sandbox = Sandbox::start().await;
    let _registry = sandbox.run(Registry).await;
    let dataset = publish_dataset(sandbox.store(), None).await;
    let _trainer = sandbox.run(trainer()).await;
    let op = interrupted(&sandbox, &dataset).await;
    for checkpoint in checkpoints_of(&sandbox, &op).await {
        damage(&sandbox, &checkpoint, "model.safetensors", Damage::Emptied);
    }

    let (warning, outcome) = resumed(&sandbox, &op).await;

    assert!(
        warning.message.ends_with("starts at its beginning"),
        "{warning}"
    );
    assert_eq!(outcome.resumed_at, 0);
}

/// The error of a training on `dataset`.
async fn failure_of(sandbox: &Sandbox, dataset: &str) -> ErrorRecord {
    let op = sandbox.submit(&operation(dataset, 5)).await;
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Failed);
    record.failure.expect("it fails").error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_without_a_class_fails_with_its_name() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let dataset = publish_dataset(sandbox.store(), Some(1.0)).await;

    let error = failure_of(&sandbox, &dataset).await;

    assert_eq!(error.code, "TRAIN-ClassAbsent");
    assert!(error.message.contains("HOLD"), "{error:?}");
    assert!(!error.hint.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_that_is_not_stored_fails_with_its_hash() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;

    let error = failure_of(&sandbox, &"0".repeat(64)).await;

    assert_eq!(error.code, "DATA-DatasetMissing");
    assert!(error.message.contains("0000"), "{error:?}");
    assert!(!error.hint.is_empty());
}
