//! Artifacts named by their content, and versions that are assigned once per operation.

use std::collections::{BTreeMap, BTreeSet};

use market::Utc;
use schemas::manifests::{
    Activation, Architecture, ArtifactManifest, DeletionChange, FeatureColumn, Lineage, MlpShape,
    ModelManifest, Network, OutputKind,
};
use store::{Bytes, ChangeOutcome, GarbageKind, Store};

use super::on_every_store;

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
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![4],
            activation: Activation::Relu,
            dropout: 0.1,
        }),
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
        confidence_threshold: None,
        temperature: None,
        created_at: 1,
    }
}

pub(crate) fn model(operation: &str) -> ModelManifest {
    ModelManifest {
        v: ModelManifest::VERSION,
        name: String::new(),
        version: 0,
        artifact: "abc".to_owned(),
        operation: operation.to_owned(),
        training: None,
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.625)]),
        validation: BTreeMap::from([("accuracy".to_owned(), 0.75)]),
        lineage: lineage(operation),
        labels: BTreeMap::new(),
        former_names: Vec::new(),
        created_at: 1,
    }
}

fn weights(bytes: &'static [u8]) -> BTreeMap<String, Bytes> {
    BTreeMap::from([("model.safetensors".to_owned(), Bytes::from_static(bytes))])
}

async fn publish(store: &Store, files: BTreeMap<String, Bytes>, operation: &str) -> String {
    let draft = artifact(operation);
    store.artifacts().publish(files, draft).await.unwrap()
}

#[test]
fn an_artifact_is_named_by_what_it_holds() {
    on_every_store(|store| async move {
        let name = publish(&store, weights(b"weights"), "op_1").await;
        let same = publish(&store, weights(b"weights"), "op_2").await;
        let other = publish(&store, weights(b"other"), "op_1").await;
        assert_eq!(same, name);
        assert_ne!(other, name);

        let stored = store.artifacts().read(&name).await.unwrap();
        assert_eq!(stored.files, weights(b"weights"));
        assert_eq!(stored.manifest.lineage.operation, "op_1");
    });
}

async fn ask_for_version(store: Store, operation: String) {
    store
        .models()
        .assign_version("trend", &operation, |_| model(&operation))
        .await
        .unwrap();
}

#[test]
fn an_operation_gets_one_version_however_often_it_asks() {
    on_every_store(|store| async move {
        let requests: Vec<_> = (0..12)
            .map(|request| format!("op_{}", request % 4))
            .map(|operation| tokio::spawn(ask_for_version(store.clone(), operation)))
            .collect();
        for request in requests {
            request.await.unwrap();
        }

        let models = store.models();
        let versions = models.versions("trend").await.unwrap();
        let numbers: Vec<_> = versions.iter().map(|model| model.version).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        let operations: BTreeSet<_> = versions.iter().map(|model| &model.operation).collect();
        assert_eq!(operations.len(), 4);

        let newest = models.find("trend", None).await.unwrap().unwrap();
        assert_eq!(newest.version, 4);
        assert!(models.find("trend", Some(5)).await.unwrap().is_none());
    });
}

#[test]
fn fifty_registrations_at_once_get_versions_1_to_50() {
    on_every_store(|store| async move {
        let requests: Vec<_> = (0..50)
            .map(|number| format!("op_{number}"))
            .map(|operation| tokio::spawn(ask_for_version(store.clone(), operation)))
            .collect();
        for request in requests {
            request.await.unwrap();
        }

        let versions = store.models().versions("trend").await.unwrap();
        let numbers: Vec<u32> = versions.iter().map(|model| model.version).collect();
        assert_eq!(numbers, (1..=50).collect::<Vec<u32>>());
        let operations: BTreeSet<_> = versions.iter().map(|model| &model.operation).collect();
        assert_eq!(operations.len(), 50);
    });
}

#[test]
fn versions_of_all_models_are_listed_by_name() {
    on_every_store(|store| async move {
        for (name, operation) in [("trend", "op_1"), ("trend", "op_2"), ("other", "op_1")] {
            store
                .models()
                .assign_version(name, operation, |_| model(operation))
                .await
                .unwrap();
        }

        let listed = store.models().list().await.unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|model| (model.name.as_str(), model.version))
            .collect();
        assert_eq!(listed, [("other", 1), ("trend", 1), ("trend", 2)]);
    });
}

fn deletion(version: u32, revision: u32, is_deleted: bool) -> DeletionChange {
    DeletionChange {
        v: DeletionChange::VERSION,
        model: "trend".to_owned(),
        version,
        revision,
        is_deleted,
        by: "somebody".to_owned(),
        note: None,
        at: 1_000,
    }
}

/// A version whose artifact holds these weights.
async fn register(store: &Store, bytes: &'static [u8], operation: &str) -> String {
    let artifact = publish(store, weights(bytes), operation).await;
    let of_artifact = |_| ModelManifest {
        artifact: artifact.clone(),
        ..model(operation)
    };
    let models = store.models();
    models
        .assign_version("trend", operation, of_artifact)
        .await
        .unwrap();
    artifact
}

#[test]
fn a_deleted_version_is_not_read_and_its_number_not_given_again() {
    on_every_store(|store| async move {
        let models = store.models();
        register(&store, b"one", "op_1").await;
        register(&store, b"two", "op_2").await;

        models.change_deletion(deletion(2, 1, true)).await.unwrap();
        assert_eq!(models.find("trend", Some(2)).await.unwrap(), None);
        assert_eq!(
            models.find("trend", None).await.unwrap().unwrap().version,
            1
        );
        assert_eq!(models.versions("trend").await.unwrap().len(), 1);
        assert_eq!(models.list().await.unwrap().len(), 1);
        register(&store, b"three", "op_3").await;
        assert_eq!(
            models.find("trend", None).await.unwrap().unwrap().version,
            3
        );

        models.change_deletion(deletion(2, 2, false)).await.unwrap();
        assert_eq!(models.versions("trend").await.unwrap().len(), 3);
        let late = models.change_deletion(deletion(2, 2, true)).await.unwrap();
        assert_eq!(late, ChangeOutcome::Overtaken(deletion(2, 2, false)));
    });
}

#[test]
fn files_of_deleted_versions_are_garbage_unless_shared() {
    on_every_store(|store| async move {
        let alone = register(&store, b"alone", "op_1").await;
        let shared = register(&store, b"shared", "op_2").await;
        assert_eq!(register(&store, b"shared", "op_3").await, shared);
        for version in [1, 2] {
            let deleted = deletion(version, 1, true);
            store.models().change_deletion(deleted).await.unwrap();
        }

        // Until the days are over in which it can be undone, nothing is.
        assert_eq!(store.find_garbage(Utc(1_000)).await.unwrap(), []);
        let garbage = store.find_garbage(Utc(1_001)).await.unwrap();
        assert!(
            garbage
                .iter()
                .all(|object| object.kind == GarbageKind::DeletedModel)
        );
        let keys: Vec<&str> = garbage.iter().map(|object| object.key.as_str()).collect();
        let names = ["manifest.json", "model.safetensors"];
        assert_eq!(keys, names.map(|name| format!("artifacts/{alone}/{name}")));

        store.delete_garbage(&garbage).await.unwrap();
        assert!(store.artifacts().manifest(&alone).await.is_err());
        assert!(store.artifacts().manifest(&shared).await.is_ok());
        assert_eq!(store.find_garbage(Utc(1_001)).await.unwrap(), []);
    });
}
