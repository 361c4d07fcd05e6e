//! Confirmations on sealed rows: the figures that the trainer would have taken, one record for each
//! candidate whoever dies, and a trainer that never looks.

use registry::Registry;
use schemas::commands::{ConfirmModel, ConfirmOutcome};
use schemas::errors::ErrorRecord;
use schemas::manifests::{ColumnRange, Confirmation, DataSetManifest, Opening, PartCount};
use schemas::metrics::MetricsDocument;
use schemas::operation::{NewOperation, OperationRecord, OperationState};
use schemas::requests::Confirming;
use serde_json::{Value, json};
use store::{DataSetTable, Store};
use system_tests::Sandbox;

use crate::service::{
    ROWS, STRATEGY, draft_of, made_up_table, operation, resolved_of, trained, trainer, training_of,
};

/// The code of the test part, and that of sealed rows.
const TEST: u8 = 2;
const SEALED: u8 = 3;

/// A data set of a strategy with the inputs `hash`, whose sealed rows are those of its test part
/// once more: so the trainer has measured already what a confirmation is to measure.
async fn publish_sealed_dataset(store: &Store, strategy: &str, hash: &str) -> DataSetManifest {
    let resolved = resolved_of(strategy);
    let mut open = made_up_table(&resolved, None);
    open.bar = Some((0..).take(ROWS).collect());
    let is_regression = resolved.labels.classes().is_empty();
    if is_regression {
        // Returns of a percent or so around 0.
        open.label = open
            .label
            .iter()
            .map(|class| (class - 1.0) / 128.0)
            .collect();
    }

    let count = PartCount {
        symbol: "fx:EUR.USD".to_owned(),
        part: "test".to_owned(),
        rows: 200,
        classes: Vec::new(),
        range: None,
    };
    let data_sets = store.data_sets();
    let sealed = data_sets.publish_sealed(hash, 0, test_rows(&open)).await;
    let draft = DataSetManifest {
        sealed: Some(sealed.unwrap()),
        parts: vec![count],
        ..draft_of(&resolved, hash.to_owned())
    };
    data_sets.publish(open, draft).await.unwrap()
}

/// The rows of the test part, as sealed ones.
fn test_rows(open: &DataSetTable) -> DataSetTable {
    let first = open.part.iter().position(|part| *part == TEST).unwrap();
    let features = open.features.iter().map(|column| column[first..].to_vec());

    DataSetTable {
        symbols: open.symbols.clone(),
        symbol: open.symbol[first..].to_vec(),
        open_time: open.open_time[first..].to_vec(),
        known_at: open.known_at[first..].to_vec(),
        part: vec![SEALED; ROWS - first],
        label: open.label[first..].to_vec(),
        label_known_at: open.label_known_at[first..].to_vec(),
        bar: open.bar.as_ref().map(|bars| bars[first..].to_vec()),
        weight: None,
        forward_return: None,
        feature_names: open.feature_names.clone(),
        features: features.collect(),
    }
}

fn confirmation_of(version: u32, again: bool) -> NewOperation {
    let command = ConfirmModel {
        name: "tested".to_owned(),
        version,
        again,
    };
    Confirming { command }.operation()
}

fn confirmed(record: &OperationRecord) -> ConfirmOutcome {
    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
    serde_json::from_value(record.steps[0].result.clone()).unwrap()
}

fn refusal(record: &OperationRecord) -> &ErrorRecord {
    assert_eq!(record.state, OperationState::Failed, "{record:#?}");
    &record.failure.as_ref().unwrap().error
}

/// The only outcome in the store, and its opening.
async fn only_record(store: &Store) -> (Opening, Confirmation) {
    let openings = store.confirmations().openings().await.unwrap();
    let [opening] = openings.as_slice() else {
        panic!("{openings:#?}");
    };
    let outcome = store.confirmations().outcome(opening.number).await;
    (opening.clone(), outcome.unwrap().unwrap())
}

/// The figures that the trainer of version 1 took.
async fn figures_of_trainer(store: &Store) -> MetricsDocument {
    let model = store.models().find("tested", Some(1)).await.unwrap();
    let artifact = store.artifacts().read(&model.unwrap().artifact).await;
    serde_json::from_slice(&artifact.unwrap().files["metrics.json"]).unwrap()
}

/// Trains a strategy, confirms it, and compares the figures of the sealed rows with those of the
/// test part, which has the same rows.
async fn check_figures(strategy: &str) {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let store = sandbox.store();
    let dataset = publish_sealed_dataset(store, strategy, "sealed").await;
    let overrides = json!({"epochs": 3, "seed": 7});
    let training = training_of(&dataset.inputs_sha256, strategy.to_owned(), overrides);
    let op = sandbox.submit(&training).await;
    trained(&sandbox.until_concluded(&op).await);

    let op = sandbox.submit(&confirmation_of(1, false)).await;
    let first = confirmed(&sandbox.until_concluded(&op).await);
    assert_eq!((first.confirmation, first.reused), (1, false));

    let (opening, outcome) = only_record(store).await;
    let document = figures_of_trainer(store).await;
    let evaluation = &document.evaluation;
    assert_eq!(outcome.figures, document.parts["test"]);
    assert_eq!(outcome.uncertainty, evaluation.uncertainty);
    assert_eq!(outcome.groups, evaluation.groups);
    let decisions = evaluation.decisions.as_ref().unwrap();
    assert_eq!(outcome.decisions, decisions.parts["test"]);

    assert_eq!(opening.operation, op.to_string());
    assert_eq!((opening.rows, opening.place()), (200, 1));
    assert_eq!(opening.sealed, dataset.sealed.unwrap().sha256);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_classes_are_those_of_the_trainer() {
    check_figures(STRATEGY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_a_calibrated_window_are_those_of_the_trainer() {
    let strategy = STRATEGY
        .replace("type: mlp", "type: lstm")
        .replace(
            "{hidden_layers: [32, 16], activation: relu, dropout: 0.1}",
            "{sequence_length: 6, hidden_size: 8, num_layers: 1}",
        )
        .replace("  seed: 42", "  seed: 42\n  calibration: temperature");
    check_figures(&strategy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_returns_are_those_of_the_trainer() {
    let strategy = include_str!("../../../../strategies/catalog/eurusd_momentum_regression.yaml");
    check_figures(strategy).await;
}

/// A sandbox with versions 1 … `versions` of a model, trained on data sets of the same period.
async fn sandbox_of(versions: u64) -> Sandbox {
    let sandbox = Sandbox::start().await;
    let trainer = sandbox.run(trainer()).await;
    let registry = sandbox.run(Registry).await;

    for seed in 1..=versions {
        let hash = format!("sealed{seed}");
        let dataset = publish_sealed_dataset(sandbox.store(), STRATEGY, &hash).await;
        let overrides = json!({"epochs": 1, "seed": seed});
        let training = training_of(&dataset.inputs_sha256, STRATEGY.to_owned(), overrides);
        let op = sandbox.submit(&training).await;
        trained(&sandbox.until_concluded(&op).await);
    }
    trainer.kill();
    registry.kill();
    sandbox
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_confirmation_finds_the_first() {
    let sandbox = sandbox_of(1).await;
    let _registry = sandbox.run(Registry).await;

    let op = sandbox.submit(&confirmation_of(1, false)).await;
    confirmed(&sandbox.until_concluded(&op).await);
    let before = only_record(sandbox.store()).await;
    for again in [false, true] {
        let op = sandbox.submit(&confirmation_of(1, again)).await;
        let second = confirmed(&sandbox.until_concluded(&op).await);
        assert_eq!((second.confirmation, second.reused), (1, true));
    }
    assert_eq!(only_record(sandbox.store()).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_crashes_anywhere_leaves_one_confirmation() {
    let sandbox = sandbox_of(1).await;

    sandbox
        .crash_everywhere(
            || Registry,
            &confirmation_of(1, false),
            async |op, moment| {
                let completion = sandbox.only_completion_of(op).await;
                let outcome: ConfirmOutcome = serde_json::from_value(completion.result).unwrap();
                assert_eq!(outcome.confirmation, 1, "{moment:?}");
            },
        )
        .await;

    only_record(sandbox.store()).await;
}

/// What a process leaves that died after the record and before the outcome.
async fn leave_opened(store: &Store, version: u32) -> Opening {
    let model = store.models().find("tested", Some(version)).await.unwrap();
    let model = model.unwrap();
    let data_set = store
        .data_sets()
        .find(&model.lineage.dataset)
        .await
        .unwrap();
    let data_set = data_set.unwrap();
    let sealed = data_set.sealed.unwrap();

    let draft = Opening {
        v: Opening::VERSION,
        number: 0,
        model: model.name,
        version,
        artifact: model.artifact,
        dataset: data_set.inputs_sha256,
        sealed: sealed.sha256,
        rows: sealed.rows,
        from: sealed.from,
        range: sealed.range,
        symbols: vec!["fx:EUR.USD".to_owned()],
        earlier: Vec::new(),
        operation: "op_confirm_20260301_142233_9f3a01bc".to_owned(),
        by: Some("ada".to_owned()),
        at: 7,
    };
    registry::open(store, draft, false).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_opened_without_an_outcome_are_finished_as_recorded() {
    let sandbox = sandbox_of(1).await;
    let store = sandbox.store();
    let opened = leave_opened(store, 1).await;
    assert_eq!(store.confirmations().outcome(1).await.unwrap(), None);

    let _registry = sandbox.run(Registry).await;
    let op = sandbox.submit(&confirmation_of(1, false)).await;
    let outcome = confirmed(&sandbox.until_concluded(&op).await);

    assert_eq!((outcome.confirmation, outcome.reused), (1, false));
    let (opening, outcome) = only_record(store).await;
    assert_eq!(opening, opened);
    assert_eq!(
        outcome.figures,
        figures_of_trainer(store).await.parts["test"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_candidate_counts_as_shown_even_without_an_outcome() {
    let sandbox = sandbox_of(2).await;
    leave_opened(sandbox.store(), 1).await;
    let _registry = sandbox.run(Registry).await;

    let op = sandbox.submit(&confirmation_of(2, false)).await;
    let record = sandbox.until_concluded(&op).await;
    let error = refusal(&record);
    assert_eq!(error.code, "MODEL-Shown");
    assert!(
        error.message.ends_with("tested@1 on 1970-01-01"),
        "{}",
        error.message
    );
    assert!(
        error
            .hint
            .contains("`ktrdr models confirm tested@2 --again`"),
        "{}",
        error.hint
    );

    let op = sandbox.submit(&confirmation_of(2, true)).await;
    confirmed(&sandbox.until_concluded(&op).await);
    let openings = sandbox.store().confirmations().openings().await.unwrap();
    assert_eq!((openings[1].number, openings[1].place()), (2, 2));
    assert_eq!(
        (openings[1].earlier[0].version, openings[1].earlier[0].at),
        (1, 7)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_candidates_at_a_time_one_is_first_and_one_is_told() {
    let sandbox = sandbox_of(2).await;
    let _one = sandbox.run(Registry).await;
    let _other = sandbox.run(Registry).await;

    let first = sandbox.submit(&confirmation_of(1, false)).await;
    let second = sandbox.submit(&confirmation_of(2, false)).await;
    let records = [
        sandbox.until_concluded(&first).await,
        sandbox.until_concluded(&second).await,
    ];

    let is_done = |record: &&OperationRecord| record.state == OperationState::Completed;
    let winner = records.iter().find(is_done).unwrap();
    assert_eq!(confirmed(winner).confirmation, 1);
    let loser = records.iter().find(|record| !is_done(record)).unwrap();
    let version = &winner.labels["version"];
    let message = &refusal(loser).message;
    assert!(
        message.contains(&format!("tested@{version} on ")),
        "{message}"
    );
    only_record(sandbox.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_sealed_rows_is_refused_with_the_way_on() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let dataset = crate::service::publish_dataset(sandbox.store(), None).await;
    let op = sandbox.submit(&operation(&dataset, 1)).await;
    trained(&sandbox.until_concluded(&op).await);

    let op = sandbox.submit(&confirmation_of(1, false)).await;
    let record = sandbox.until_concluded(&op).await;
    let error = refusal(&record);
    assert_eq!(error.code, "MODEL-NotSealed");
    assert!(
        error.hint.contains("training_data.sealed_from"),
        "{}",
        error.hint
    );
    assert!(
        sandbox
            .store()
            .confirmations()
            .openings()
            .await
            .unwrap()
            .is_empty()
    );
}

/// In place of the folder there is a file, so that whoever reads below it fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_that_cannot_read_sealed_rows_trains_all_the_same() {
    let sandbox = Sandbox::start().await;
    let _trainer = sandbox.run(trainer()).await;
    let _registry = sandbox.run(Registry).await;
    let store = sandbox.store();
    let dataset = publish_sealed_dataset(store, STRATEGY, "sealed").await;
    let sealed = dataset.sealed.unwrap();
    let folder = sandbox.folder().join("objects/sealed");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "no access").unwrap();
    let refused = store.data_sets().read_sealed("sealed", &sealed).await;
    assert!(refused.is_err());

    let op = sandbox.submit(&operation("sealed", 1)).await;
    let record = sandbox.until_concluded(&op).await;
    let outcome = trained(&record);

    // Nothing of what was trained, nor of who trained it, names the rows.
    let artifact = store.artifacts().manifest(&outcome.artifact).await.unwrap();
    let model = store.models().find("tested", Some(1)).await.unwrap();
    let texts = [
        serde_json::to_string(&record).unwrap(),
        serde_json::to_string(&artifact).unwrap(),
        serde_json::to_string(&model).unwrap(),
        dataset.inputs.to_string(),
    ];
    for text in texts {
        assert!(!text.contains(&sealed.sha256), "{text}");
    }
    assert_eq!(
        sealed.range,
        ColumnRange {
            first: 1_200 * 3_600_000_000,
            last: 1_399 * 3_600_000_000
        }
    );
}

#[test]
fn a_word_in_the_plan_chooses_what_the_registry_does() {
    let operation = confirmation_of(3, true);
    let spec = operation.plan.steps().next().unwrap();
    let expected: Value = json!({"name": "tested", "version": 3, "again": true});
    assert_eq!((spec.verb.as_str(), &spec.command), ("confirm", &expected));
}
