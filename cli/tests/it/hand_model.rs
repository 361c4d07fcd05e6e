//! A model whose weights are written by hand, and how it gets into a store.

use std::collections::BTreeMap;

use schemas::manifests::{
    Activation, Architecture, ArtifactManifest, ColumnRange, DataSetManifest, FeatureColumn,
    Lineage, MlpShape, ModelManifest, Network, OutputKind, PartCount, SeriesInput,
};
use store::{Bytes, DataSetTable, Store, Table};

use crate::data_train_models::{Place, STRATEGY};

/// The network of model `hand@1`: forward return = 0.001 × max(0, rate of change) − 0.0001.
pub(crate) fn hand_network() -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![1],
            activation: Activation::Relu,
            dropout: 0.0,
        }),
        features: vec![FeatureColumn {
            name: "1h_roc_1_raw".to_owned(),
            normalisation: None,
        }],
        output: OutputKind::Regression,
    }
}

pub(crate) fn hand_weights() -> Vec<u8> {
    safetensors(&[
        Tensor::new("0.bias", &[1], &[0.0]),
        Tensor::new("0.weight", &[1, 1], &[1.0]),
        Tensor::new("3.bias", &[1], &[-0.0001]),
        Tensor::new("3.weight", &[1, 1], &[0.001]),
    ])
}

fn hand_lineage(strategy: &str) -> Lineage {
    Lineage {
        operation: "op_train_20240103_000000_00000001".to_owned(),
        dataset: "d".repeat(64),
        series: BTreeMap::new(),
        strategy: strategy.to_owned(),
        strategy_sha256: "s".repeat(64),
        overrides: Some(serde_json::json!({"training": {"epochs": 2}})),
        seed: 42,
        symbols: vec!["fx:EUR.USD".to_owned()],
        timeframes: vec!["1h".to_owned()],
        versions: BTreeMap::new(),
    }
}

fn hand_model(lineage: &Lineage, version: u32, artifact: &str) -> ModelManifest {
    ModelManifest {
        v: ModelManifest::VERSION,
        name: "hand".to_owned(),
        version,
        artifact: artifact.to_owned(),
        operation: lineage.operation.clone(),
        training: None,
        metrics: BTreeMap::from([
            ("mae".to_owned(), 0.002),
            ("baseline_mae".to_owned(), 0.003),
        ]),
        validation: BTreeMap::from([
            ("mae".to_owned(), 0.004),
            ("baseline_mae".to_owned(), 0.005),
        ]),
        lineage: lineage.clone(),
        labels: BTreeMap::new(),
        former_names: Vec::new(),
        created_at: 1_704_240_000_000_000,
    }
}

fn store_url(place: &Place) -> String {
    format!("file://{}/.ktrdr/objects", place.path().display())
}

/// Stores model `hand@1`.
pub(crate) async fn store_hand(place: &Place) {
    store_network(place, STRATEGY, hand_network(), hand_weights()).await;
}

/// Stores a network with its weights as model `hand@1`, trained with this strategy.
pub(crate) async fn store_network(
    place: &Place,
    strategy: &str,
    network: Network,
    weights: Vec<u8>,
) {
    let files = [("model.safetensors", weights)];
    store_artifact(place, strategy, network, &files).await;
}

/// Version 1 of the model `hand` with these files of its artifact.
pub(crate) async fn store_artifact(
    place: &Place,
    strategy: &str,
    network: Network,
    files: &[(&str, Vec<u8>)],
) {
    let store = Store::open(&store_url(place)).await.unwrap();
    let draft = ArtifactManifest {
        v: ArtifactManifest::VERSION,
        files: BTreeMap::new(),
        network,
        lineage: hand_lineage(strategy),
        training: serde_json::json!({"epochs": 2, "optimizer": "adam"}),
        confidence_threshold: None,
        temperature: None,
        created_at: 0,
    };
    let files = files.iter().cloned();
    let files = files.map(|(name, bytes)| (name.to_owned(), Bytes::from(bytes)));
    let artifact = store
        .artifacts()
        .publish(files.collect(), draft)
        .await
        .unwrap();

    let lineage = hand_lineage(strategy);
    let model_of = |version| hand_model(&lineage, version, &artifact);
    store
        .models()
        .assign_version("hand", &lineage.operation, model_of)
        .await
        .unwrap();
}

/// Stores the data set that `hand@1` was trained on: three hourly decisions on EURUSD, one in each
/// part.
pub(crate) async fn store_data_set(place: &Place) {
    const HOUR: i64 = 3_600_000_000;
    // Decided on 2024-01-02 at 12:00, 13:00 and 14:00.
    let known_at: Vec<i64> = (0..3)
        .map(|hour| 1_704_196_800_000_000 + hour * HOUR)
        .collect();
    let symbol = "fx:EUR.USD".to_owned();
    let parts = ["train", "validation", "test"].into_iter().zip(&known_at);
    let parts = parts.map(|(part, time)| PartCount {
        symbol: symbol.clone(),
        part: part.to_owned(),
        rows: 1,
        classes: Vec::new(),
        range: Some(ColumnRange {
            first: *time,
            last: *time,
        }),
    });
    let parts = parts.collect();

    let table = DataSetTable {
        symbols: vec![symbol],
        symbol: vec![0; 3],
        open_time: known_at.iter().map(|time| time - HOUR).collect(),
        label_known_at: known_at.iter().map(|time| time + HOUR).collect(),
        known_at,
        part: vec![0, 1, 2],
        label: vec![0.01, -0.5, 0.2],
        bar: None,
        weight: None,
        forward_return: None,
        feature_names: vec!["1h_roc_1_raw".to_owned()],
        features: vec![vec![10.0, -50.0, 20.0]],
    };
    let draft = data_set_draft(parts);
    let store = Store::open(&store_url(place)).await.unwrap();
    store.data_sets().publish(table, draft).await.unwrap();
}

fn data_set_draft(parts: Vec<PartCount>) -> DataSetManifest {
    DataSetManifest {
        v: DataSetManifest::VERSION,
        inputs_sha256: "d".repeat(64),
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs: serde_json::json!({}),
        series: vec![SeriesInput {
            series: "bars/file/fx:EUR.USD/1h".to_owned(),
            revision: 7,
            content_sha256: "c".repeat(64),
            resampled_to: None,
            rows: 5,
        }],
        features: hand_network().features,
        output: OutputKind::Regression,
        weighted: false,
        validation_start: 1_704_200_400_000_000,
        test_start: 1_704_204_000_000_000,
        embargo_micros: 0,
        parts,
        dropped: BTreeMap::from([("warm_up".to_owned(), 1), ("purged".to_owned(), 0)]),
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

/// `history.parquet` of a training with these losses, whose epochs took a quarter of a second.
pub(crate) fn history_of(train: &[f64], validation: &[f64]) -> Vec<u8> {
    let seconds = vec![0.25; train.len()];
    let columns = [
        ("train_loss", train),
        ("validation_loss", validation),
        ("seconds", &seconds),
    ];
    let columns = columns.map(|(name, losses)| (name.to_owned(), losses.to_vec()));
    Table::numbers(columns).to_parquet().unwrap().to_vec()
}

/// A named tensor.
pub(crate) struct Tensor {
    name: &'static str,
    shape: &'static [usize],
    numbers: &'static [f32],
}

impl Tensor {
    pub(crate) const fn new(
        name: &'static str,
        shape: &'static [usize],
        numbers: &'static [f32],
    ) -> Self {
        Self {
            name,
            shape,
            numbers,
        }
    }
}

/// The format by its definition: length of the header, header, numbers.
pub(crate) fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut bytes_of_all = Vec::new();
    for Tensor {
        name,
        shape,
        numbers,
    } in tensors
    {
        let start = bytes_of_all.len();
        bytes_of_all.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        entries.push(format!(
            "\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{}]}}",
            bytes_of_all.len()
        ));
    }

    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(bytes_of_all);
    bytes
}
