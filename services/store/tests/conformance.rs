//! What every backend must do: the same specifications run on a folder and in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::future::Future;

use market::{Instrument, SeriesKey, Timeframe, Utc};
use schemas::ids::{OperationId, StepNumber};
use schemas::manifests::{
    Activation, ArtifactManifest, DatasetManifest, EmptyInterval, FeatureColumn, Lineage,
    ModelManifest, Network, NetworkKind, OutputKind,
};
use store::{
    ALL_TIME, Bytes, Checkpoint, CheckpointKey, DataSetTable, Edit, RawBar, RawBars, Store,
    StoreError,
};

const HOUR: i64 = 3_600_000_000;

/// Runs a specification on each backend.
fn on_every_store<F: Future<Output = ()>>(specification: impl Fn(Store) -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for url in [
        format!("file://{}/new/store", folder.path().display()),
        "memory:///".to_owned(),
    ] {
        println!("{url}");
        runtime.block_on(async { specification(Store::open(&url).await.unwrap()).await });
    }
}

fn series(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap()
}

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

/// `count` hourly bars from `start`, all closing at `close`.
fn hours(start: &str, count: i64, close: f64) -> RawBars {
    let start = utc(start);
    (0..count)
        .map(|k| RawBar {
            open_time: start.plus_micros(k * HOUR),
            prices: [1.0, 2.0, 0.5, close],
            volume: f64::NAN,
        })
        .collect()
}

fn edit(bars: RawBars) -> Edit {
    Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: "fx".to_owned(),
        at: Utc(7),
    }
}

#[test]
fn bars_come_back_as_committed_with_unknown_volume_as_unknown() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::Hour1);
        assert!(store.series().snapshot(&key, None).await.unwrap().is_none());
        let mut bars = hours("2019-12-31T20:00:00Z", 8, 1.25);
        bars.volume[3] = 5.0;
        let outcome = store
            .series()
            .commit(&key, edit(bars.clone()), None)
            .await
            .unwrap();
        assert_eq!(
            (
                outcome.new,
                outcome.changed,
                outcome.snapshot.manifest.revision
            ),
            (8, 0, 1)
        );
        let periods: Vec<_> = outcome
            .snapshot
            .manifest
            .files
            .iter()
            .map(|f| (f.period.as_str(), f.rows))
            .collect();
        assert_eq!(periods, [("2019", 4), ("2020", 4)]);
        let read = store
            .series()
            .raw_bars(&outcome.snapshot, ALL_TIME)
            .await
            .unwrap();
        assert_eq!(read.open_time, bars.open_time);
        assert_eq!(
            (
                read.volume[3],
                read.volume.iter().filter(|v| v.is_nan()).count()
            ),
            (5.0, 7)
        );
        let part = utc("2019-12-31T23:00:00Z")..utc("2020-01-01T01:00:00Z");
        assert_eq!(
            store
                .series()
                .raw_bars(&outcome.snapshot, part)
                .await
                .unwrap()
                .len(),
            2
        );
        // 20:00–21:00 on a trading day: known at 21:00.
        let (_, bars) = store.series().read_newest(&key, ALL_TIME).await.unwrap();
        assert_eq!(bars.close_time[0], utc("2019-12-31T21:00:00Z"));
    });
}

#[test]
fn a_commit_of_one_month_leaves_every_other_file_as_it_was() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::Minute5);
        let ten_months = hours("2020-01-01T00:00:00Z", 24 * 300, 1.0);
        let before = store
            .series()
            .commit(&key, edit(ten_months), None)
            .await
            .unwrap()
            .snapshot;
        assert_eq!(before.manifest.files.len(), 10);
        let one_day = hours("2020-03-05T00:00:00Z", 24, 2.0);
        let after = store
            .series()
            .commit(&key, edit(one_day), Some(1))
            .await
            .unwrap();
        assert_eq!((after.new, after.changed), (0, 24));
        let changed: Vec<_> = (before
            .manifest
            .files
            .iter()
            .zip(&after.snapshot.manifest.files))
        .filter(|(old, new)| old != new)
        .map(|(old, _)| old.period.as_str())
        .collect();
        assert_eq!(changed, ["2020-03"]);
        assert_eq!(
            store
                .series()
                .raw_bars(&after.snapshot, ALL_TIME)
                .await
                .unwrap()
                .len(),
            24 * 300
        );
    });
}

#[test]
fn the_same_edit_twice_is_one_revision() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::Hour1);
        let learnt = EmptyInterval {
            start: 10,
            end: 20,
            asked_at: 5,
        };
        let same = Edit {
            empty_intervals: vec![learnt],
            ..edit(hours("2020-01-01T00:00:00Z", 10, 1.0))
        };
        let first = store
            .series()
            .commit(&key, same.clone(), None)
            .await
            .unwrap();
        let second = store.series().commit(&key, same, None).await.unwrap();
        assert_eq!((second.new, second.changed), (0, 0));
        assert_eq!(second.snapshot, first.snapshot);
    });
}

#[test]
fn content_does_not_depend_on_the_commits_that_led_to_it() {
    on_every_store(|store| async move {
        let (whole, pieces) = (
            series("EURUSD", Timeframe::Hour1),
            series("GBPUSD", Timeframe::Hour1),
        );
        let bars = hours("2018-12-01T00:00:00Z", 2_000, 1.5);
        let at_once = store
            .series()
            .commit(&whole, edit(bars.clone()), None)
            .await
            .unwrap()
            .snapshot;
        let middle = bars.open_time[700];
        store
            .series()
            .commit(&pieces, edit(bars.between(&(middle..Utc(i64::MAX)))), None)
            .await
            .unwrap();
        let last = store
            .series()
            .commit(&pieces, edit(bars.between(&(Utc(0)..middle))), None)
            .await
            .unwrap()
            .snapshot;
        assert_eq!(last.manifest.revision, 2);
        assert_eq!(at_once.content_sha256(), last.content_sha256());
    });
}

#[test]
fn twenty_writers_of_one_series_lose_nothing() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::Hour1);
        let writers = (0..20_i64).map(|writer| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                let start = Utc(writer * 50 * HOUR).to_string();
                // Neighbours overlap by ten bars.
                store
                    .series()
                    .commit(&key, edit(hours(&start, 60, 1.0)), None)
                    .await
                    .unwrap()
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let snapshot = store
            .series()
            .snapshot(&key, Some(3))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            store
                .series()
                .raw_bars(&snapshot, ALL_TIME)
                .await
                .unwrap()
                .len(),
            19 * 50 + 60
        );
        assert!(
            snapshot.manifest.revision <= 20,
            "at most one revision a writer"
        );
    });
}

#[test]
fn a_reader_keeps_its_revision_while_others_write() {
    on_every_store(|store| async move {
        let key = series("EURUSD", Timeframe::Hour1);
        let old = store
            .series()
            .commit(&key, edit(hours("2020-01-01T00:00:00Z", 5, 1.0)), None)
            .await
            .unwrap()
            .snapshot;
        store
            .series()
            .commit(&key, edit(hours("2020-01-01T00:00:00Z", 9, 2.0)), None)
            .await
            .unwrap();
        assert_eq!(
            store.series().raw_bars(&old, ALL_TIME).await.unwrap().close,
            [1.0; 5]
        );
        let newest = store
            .series()
            .snapshot(&key, Some(1))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            store
                .series()
                .raw_bars(&newest, ALL_TIME)
                .await
                .unwrap()
                .close,
            [2.0; 9]
        );
    });
}

#[test]
fn every_series_is_listed_once_with_its_newest_revision() {
    on_every_store(|store| async move {
        let keys = [
            series("AAPL", Timeframe::Day1),
            series("EURUSD", Timeframe::Hour1),
        ];
        for (key, commits) in keys.iter().zip([1, 2]) {
            for commit in 0..commits {
                store
                    .series()
                    .commit(
                        key,
                        edit(hours("2020-01-01T00:00:00Z", 1 + commit, 1.0)),
                        None,
                    )
                    .await
                    .unwrap();
            }
        }
        let mut listed: Vec<_> = store
            .series()
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|s| (s.key, s.manifest.revision))
            .collect();
        listed.sort_unstable();
        let mut expected: Vec<_> = keys.into_iter().zip([1, 2]).collect();
        expected.sort_unstable();
        assert_eq!(listed, expected);
    });
}

#[test]
fn a_bar_without_a_finite_price_is_refused_by_name() {
    on_every_store(|store| async move {
        let mut bars = hours("2020-01-01T00:00:00Z", 3, 1.0);
        bars.high[1] = f64::NAN;
        let refused = store
            .series()
            .commit(&series("EURUSD", Timeframe::Hour1), edit(bars), None)
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains("2020-01-01T01:00:00Z"),
            "{refused}"
        );
        assert!(store.series().list().await.unwrap().is_empty());
    });
}

fn dataset(inputs: &str) -> DatasetManifest {
    DatasetManifest {
        v: DatasetManifest::VERSION,
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
        leak_test_cuts: 1,
        created_at: 0,
        written_by: store::WRITTEN_BY.to_owned(),
    }
}

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
        weight: None,
        feature_names: ["1h_rsi_low", "1d_rsi_raw"].map(str::to_owned).to_vec(),
        features: vec![vec![0.1, 0.2, 0.3], vec![30.0, 50.0, 70.0]],
    }
}

#[test]
fn a_data_set_is_found_by_its_inputs_and_reads_back() {
    on_every_store(|store| async move {
        assert!(store.data_sets().find("abc").await.unwrap().is_none());
        let published = store
            .data_sets()
            .publish(rows(), dataset("abc"))
            .await
            .unwrap();
        assert_eq!(published.rows, 3);
        assert_eq!(
            store.data_sets().find("abc").await.unwrap().as_ref(),
            Some(&published)
        );
        assert_eq!(store.data_sets().read(&published).await.unwrap(), rows());
        // Somebody else made other rows of the same inputs: the manifest that stands counts.
        let other = DataSetTable {
            label: vec![9.0; 3],
            ..rows()
        };
        assert_eq!(
            store
                .data_sets()
                .publish(other, dataset("abc"))
                .await
                .unwrap(),
            published
        );
        let weighted = DataSetTable {
            weight: Some(vec![0.25, 0.5, 1.0]),
            ..rows()
        };
        let published = store
            .data_sets()
            .publish(weighted.clone(), dataset("def"))
            .await
            .unwrap();
        assert_eq!(store.data_sets().read(&published).await.unwrap(), weighted);
    });
}

#[test]
fn the_newest_checkpoint_is_listed_first() {
    on_every_store(|store| async move {
        let operation: OperationId = "op_train_20260301_142233_9f3a01bc".parse().unwrap();
        let step = StepNumber::new(4).unwrap();
        let key = |attempt, seq| CheckpointKey {
            operation: operation.clone(),
            step,
            attempt,
            seq,
        };
        let files = BTreeMap::from([(
            "model.safetensors".to_owned(),
            Bytes::from_static(b"weights"),
        )]);
        let checkpoint = Checkpoint {
            state: serde_json::json!({"epoch": 3}),
            files,
        };
        assert_eq!(
            store.checkpoints().list(&operation, step).await.unwrap(),
            []
        );
        // Attempt 10 is later than attempt 9, whatever the alphabet says.
        for written in [key(9, 2), key(10, 1), key(9, 11)] {
            store
                .checkpoints()
                .put(&written, checkpoint.clone())
                .await
                .unwrap();
            store
                .checkpoints()
                .put(&written, checkpoint.clone())
                .await
                .unwrap();
        }
        assert_eq!(
            store.checkpoints().list(&operation, step).await.unwrap(),
            [key(10, 1), key(9, 11), key(9, 2)]
        );
        let latest = key(10, 1);
        assert_eq!(latest.to_string().parse::<CheckpointKey>().unwrap(), latest);
        assert_eq!(store.checkpoints().get(&latest).await.unwrap(), checkpoint);
        store.checkpoints().delete(&latest).await.unwrap();
        assert_eq!(
            store.checkpoints().list(&operation, step).await.unwrap(),
            [key(9, 11), key(9, 2)]
        );
        assert!(matches!(
            store.checkpoints().get(&latest).await,
            Err(StoreError::Missing { .. })
        ));
    });
}

fn lineage(operation: &str) -> Lineage {
    Lineage {
        operation: operation.to_owned(),
        dataset: "abc".to_owned(),
        series: BTreeMap::new(),
        strategy: "name: s".to_owned(),
        strategy_sha256: "def".to_owned(),
        overrides: None,
        seed: 42,
        symbols: Vec::new(),
        timeframes: Vec::new(),
        versions: BTreeMap::new(),
    }
}

fn artifact(operation: &str) -> ArtifactManifest {
    let network = Network {
        kind: NetworkKind::Mlp,
        hidden_layers: vec![4],
        activation: Activation::Relu,
        dropout: 0.1,
        features: vec![FeatureColumn {
            name: "1h_rsi_low".to_owned(),
            normalisation: None,
        }],
        output: OutputKind::Regression,
    };
    ArtifactManifest {
        v: ArtifactManifest::VERSION,
        files: BTreeMap::new(),
        network,
        lineage: lineage(operation),
        training: serde_json::Value::Null,
        created_at: 1,
    }
}

#[test]
fn an_artifact_is_named_by_what_it_holds() {
    on_every_store(|store| async move {
        let files = BTreeMap::from([(
            "model.safetensors".to_owned(),
            Bytes::from_static(b"weights"),
        )]);
        let name = store
            .artifacts()
            .publish(files.clone(), artifact("op_1"))
            .await
            .unwrap();
        assert_eq!(
            store
                .artifacts()
                .publish(files.clone(), artifact("op_2"))
                .await
                .unwrap(),
            name
        );
        let read = store.artifacts().read(&name).await.unwrap();
        assert_eq!(
            (read.files, read.manifest.lineage.operation.as_str()),
            (files, "op_1")
        );
        let other =
            BTreeMap::from([("model.safetensors".to_owned(), Bytes::from_static(b"other"))]);
        assert_ne!(
            store
                .artifacts()
                .publish(other, artifact("op_1"))
                .await
                .unwrap(),
            name
        );
    });
}

fn model(operation: &str) -> ModelManifest {
    ModelManifest {
        v: ModelManifest::VERSION,
        name: String::new(),
        version: 0,
        artifact: "abc".to_owned(),
        operation: operation.to_owned(),
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.625)]),
        lineage: lineage(operation),
        created_at: 1,
    }
}

#[test]
fn an_operation_gets_one_version_however_often_it_asks() {
    on_every_store(|store| async move {
        let asks = (0..12).map(|ask| {
            let store = store.clone();
            tokio::spawn(async move {
                let operation = format!("op_{}", ask % 4);
                store
                    .models()
                    .assign_version("trend", &operation, |_| model(&operation))
                    .await
                    .unwrap()
            })
        });
        for ask in asks.collect::<Vec<_>>() {
            ask.await.unwrap();
        }
        let versions = store.models().versions("trend").await.unwrap();
        assert_eq!(
            versions.iter().map(|m| m.version).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        let operations: std::collections::BTreeSet<_> =
            versions.iter().map(|m| m.operation.clone()).collect();
        assert_eq!(operations.len(), 4);
        assert_eq!(
            store
                .models()
                .find("trend", None)
                .await
                .unwrap()
                .unwrap()
                .version,
            4
        );
        assert!(
            store
                .models()
                .find("trend", Some(5))
                .await
                .unwrap()
                .is_none()
        );
        store
            .models()
            .assign_version("other", "op_0", |_| model("op_0"))
            .await
            .unwrap();
        let listed: Vec<_> = store
            .models()
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|m| (m.name, m.version))
            .collect();
        assert_eq!(
            listed
                .iter()
                .map(|(n, v)| (n.as_str(), *v))
                .collect::<Vec<_>>(),
            [
                ("other", 1),
                ("trend", 1),
                ("trend", 2),
                ("trend", 3),
                ("trend", 4)
            ]
        );
    });
}

#[test]
fn a_name_that_could_leave_its_folder_is_refused() {
    on_every_store(|store| async move {
        for name in ["", "..", "a/b", "a b", ".hidden", "ü"] {
            let refused = store.models().find(name, None).await;
            assert!(
                matches!(refused, Err(StoreError::Name { .. })),
                "{name}: {refused:?}"
            );
        }
    });
}

#[test]
fn a_report_is_named_by_its_content() {
    on_every_store(|store| async move {
        let report = serde_json::json!({"score": 99.5, "issues": []});
        let key = store.reports().put(&report).await.unwrap();
        assert_eq!(store.reports().put(&report).await.unwrap(), key);
        assert_eq!(
            store
                .reports()
                .get::<serde_json::Value>(&key)
                .await
                .unwrap(),
            report
        );
    });
}
