//! Data sets by the hash of their inputs, and checkpoints of a step.

use std::collections::BTreeMap;

use market::Utc;
use schemas::ids::StepNumber;
use schemas::manifests::{DataSetManifest, OutputKind};
use store::{Bytes, Checkpoint, CheckpointKey, DataSetTable, Store, StoreError};

use super::on_every_store;

fn manifest(inputs: &str) -> DataSetManifest {
    DataSetManifest {
        v: DataSetManifest::VERSION,
        inputs_sha256: inputs.to_owned(),
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs: serde_json::json!({"symbols": ["stk:AAPL"]}),
        series: Vec::new(),
        features: Vec::new(),
        output: OutputKind::Regression,
        weighted: false,
        validation_start: 2,
        test_start: 3,
        embargo_micros: 0,
        parts: Vec::new(),
        dropped: BTreeMap::new(),
        coverage: BTreeMap::from([("1h_rsi".to_owned(), 0.1 + 0.2)]),
        holes: Vec::new(),
        thresholds: Vec::new(),
        forward_bars: None,
        leak_test_cuts: 1,
        sealed: None,
        created_at: 0,
        written_by: store::WRITTEN_BY.to_owned(),
    }
}

/// Three rows of two symbols, stacked in another order than the list of symbols.
fn rows() -> DataSetTable {
    DataSetTable {
        symbols: ["fx:EUR.USD", "stk:AAPL", "stk:IBM"]
            .map(str::to_owned)
            .to_vec(),
        symbol: vec![2, 0, 0],
        open_time: vec![1, 2, 3],
        known_at: vec![2, 3, 4],
        part: vec![0, 1, 2],
        label: vec![0.0, 1.0, -0.5],
        label_known_at: vec![5, 6, 7],
        bar: Some(vec![0, 7, 8]),
        weight: None,
        forward_return: Some(vec![Some(0.5), None, Some(-0.5)]),
        feature_names: ["1h_rsi_low", "1d_rsi_raw"].map(str::to_owned).to_vec(),
        features: vec![vec![0.1, 0.2, 0.3], vec![30.0, 50.0, 70.0]],
    }
}

#[test]
fn a_data_set_is_found_by_its_inputs_and_reads_back() {
    on_every_store(|store| async move {
        let data_sets = store.data_sets();
        assert!(data_sets.find("abc").await.unwrap().is_none());

        let published = data_sets.publish(rows(), manifest("abc")).await.unwrap();
        assert_eq!(published.rows, 3);
        let found_again = data_sets.find("abc").await.unwrap();
        assert_eq!(found_again.as_ref(), Some(&published));
        assert_eq!(data_sets.read(&published).await.unwrap(), rows());

        // Somebody else made other rows of the same inputs: the first manifest counts.
        let other = DataSetTable {
            label: vec![9.0; 3],
            ..rows()
        };
        let second = data_sets.publish(other, manifest("abc")).await.unwrap();
        assert_eq!(second, published);
    });
}

#[test]
fn a_data_set_of_an_older_program_reads_back() {
    on_every_store(|store| async move {
        let older = DataSetTable {
            bar: None,
            forward_return: None,
            ..rows()
        };

        let data_sets = store.data_sets();
        let published = data_sets
            .publish(older.clone(), manifest("abe"))
            .await
            .unwrap();

        assert_eq!(data_sets.read(&published).await.unwrap(), older);
    });
}

#[test]
fn weights_of_rows_are_kept() {
    on_every_store(|store| async move {
        let weighted = DataSetTable {
            weight: Some(vec![0.25, 0.5, 1.0]),
            ..rows()
        };

        let data_sets = store.data_sets();
        let published = data_sets
            .publish(weighted.clone(), manifest("def"))
            .await
            .unwrap();

        assert_eq!(data_sets.read(&published).await.unwrap(), weighted);
    });
}

/// The rows of a period that begins at 9.
fn sealed_rows() -> DataSetTable {
    DataSetTable {
        part: vec![3; 3],
        known_at: vec![12, 10, 11],
        ..rows()
    }
}

#[test]
fn sealed_rows_lie_apart_and_the_data_set_says_that_they_exist() {
    on_every_store(|store| async move {
        let data_sets = store.data_sets();
        let sealed = data_sets.publish_sealed("abs", 9, sealed_rows()).await;
        let sealed = sealed.unwrap();
        let draft = DataSetManifest {
            sealed: Some(sealed.clone()),
            ..manifest("abs")
        };
        let published = data_sets.publish(rows(), draft).await.unwrap();

        assert_eq!((sealed.from, sealed.rows), (9, 3));
        assert_eq!((sealed.range.first, sealed.range.last), (10, 12));
        assert_eq!(data_sets.read(&published).await.unwrap(), rows());
        let read = data_sets.read_sealed("abs", &sealed).await.unwrap();
        assert_eq!(read, sealed_rows());
        let open = data_sets.file_key(&published).unwrap();
        assert!(open.starts_with("datasets/abs/"), "{open}");
        assert!(!open.contains(&sealed.sha256));
    });
}

#[test]
fn sealed_rows_of_an_unfinished_data_set_are_garbage() {
    on_every_store(|store| async move {
        let data_sets = store.data_sets();
        let publish = |inputs| data_sets.publish_sealed(inputs, 9, sealed_rows());
        publish("abu").await.unwrap();
        publish("abf").await.unwrap();
        data_sets.publish(rows(), manifest("abf")).await.unwrap();

        let garbage = store.find_garbage(Utc(i64::MAX)).await.unwrap();
        let keys: Vec<_> = garbage.iter().map(|object| object.key.as_str()).collect();
        assert!(
            matches!(keys[..], [key] if key.starts_with("sealed/abu/")),
            "{keys:?}"
        );
    });
}

#[test]
fn a_sealed_period_without_rows_is_refused() {
    on_every_store(|store| async move {
        let none = DataSetTable::default();
        let refused = store.data_sets().publish_sealed("abn", 9, none).await;
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("a data set"), "{text}");
    });
}

fn checkpoint_key(attempt: u32, seq: u32) -> CheckpointKey {
    CheckpointKey {
        operation: "op_train_20260301_142233_9f3a01bc".parse().unwrap(),
        step: StepNumber::new(4).unwrap(),
        attempt,
        seq,
    }
}

fn checkpoint() -> Checkpoint {
    let name = "model.safetensors".to_owned();
    Checkpoint {
        state: serde_json::json!({"epoch": 3}),
        files: BTreeMap::from([(name, Bytes::from_static(b"weights"))]),
    }
}

async fn list_checkpoints(store: &Store) -> Vec<CheckpointKey> {
    let CheckpointKey {
        operation, step, ..
    } = checkpoint_key(1, 1);
    store.checkpoints().list(&operation, step).await.unwrap()
}

#[test]
fn the_newest_checkpoint_is_listed_first() {
    on_every_store(|store| async move {
        assert_eq!(list_checkpoints(&store).await, []);

        // Attempt 10 is later than attempt 9, whatever the alphabet says.
        let oldest = checkpoint_key(9, 2);
        let newest = checkpoint_key(10, 1);
        let middle = checkpoint_key(9, 11);
        for key in [&oldest, &newest, &middle] {
            store.checkpoints().put(key, checkpoint()).await.unwrap();
        }

        assert_eq!(list_checkpoints(&store).await, [newest, middle, oldest]);
    });
}

#[test]
fn a_checkpoint_reads_back_until_it_is_deleted() {
    on_every_store(|store| async move {
        let checkpoints = store.checkpoints();
        let key = checkpoint_key(9, 2);
        assert_eq!(key.to_string().parse::<CheckpointKey>().unwrap(), key);

        // An attempt may write it again, because the first answer was lost.
        checkpoints.put(&key, checkpoint()).await.unwrap();
        checkpoints.put(&key, checkpoint()).await.unwrap();
        assert_eq!(checkpoints.get(&key).await.unwrap(), checkpoint());

        checkpoints.delete(&key).await.unwrap();
        assert_eq!(list_checkpoints(&store).await, []);
        let deleted = checkpoints.get(&key).await;
        assert!(matches!(deleted, Err(StoreError::Missing { .. })));
    });
}

#[test]
fn the_checkpoints_of_one_operation_are_deleted_alone() {
    on_every_store(|store| async move {
        let checkpoints = store.checkpoints();
        let oldest = checkpoint_key(9, 2);
        let newest = checkpoint_key(9, 3);
        let other = CheckpointKey {
            operation: "op_train_20260302_142233_9f3a01bc".parse().unwrap(),
            ..oldest.clone()
        };
        for key in [&oldest, &newest, &other] {
            checkpoints.put(key, checkpoint()).await.unwrap();
        }

        let listed = checkpoints.list_all().await.unwrap();
        let keys: Vec<&CheckpointKey> = listed.iter().map(|each| &each.key).collect();
        assert_eq!(keys, [&other, &newest, &oldest]);
        assert!(
            listed
                .iter()
                .all(|each| each.is_complete && each.size_bytes > 7)
        );

        let of_one = checkpoints.list_of(&oldest.operation).await.unwrap();
        assert_eq!(of_one, listed[1..]);

        checkpoints.delete_of(&oldest.operation).await.unwrap();
        let remaining = checkpoints.list_all().await.unwrap();
        assert_eq!(remaining.len(), 1);
        assert_eq!(remaining[0].key, other);
    });
}
