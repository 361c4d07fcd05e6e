//! A store with a model whose weights are written by hand, its data set, and bars to predict on.

use std::collections::BTreeMap;

use market::{Instrument, SeriesKey, Timeframe, Utc};
use safetensors::{Dtype, tensor::TensorView};
use schemas::manifests::{
    Activation, Architecture, ArtifactManifest, ColumnRange, DataSetManifest, FeatureColumn,
    Lineage, MlpShape, ModelManifest, Network, OutputKind, PartCount,
};
use store::{Bytes, DataSetTable, Edit, RawBar, Store};

/// 2024-01-02T10:00:00Z, a Tuesday.
pub(crate) const TEN: i64 = 1_704_189_600_000_000;
pub(crate) const HOUR: i64 = 3_600_000_000;

/// One raw input, the rate of change over one bar in percent, and a linear model of it.
const STRATEGY: &str = "name: hand\nversion: \"1.0\"\n\
    training_data:\n  symbols: {mode: single, symbol: EURUSD}\n  timeframes: {mode: single, timeframe: \"1h\"}\n\
    indicators:\n  roc_1: {type: roc, period: 1}\n\
    fuzzy_sets: {}\n\
    nn_inputs:\n  - {raw_indicator: roc_1, timeframes: all}\n\
    model:\n  type: mlp\n  architecture: {hidden_layers: [], activation: relu, dropout: 0.0}\n\
    decisions:\n  output_format: regression\n  cost_model: {round_trip_cost: 0.0001, min_edge_multiplier: 1.5}\n\
    training:\n  labels: {source: forward_return, horizon: 1}\n  data_split: {train: 0.7, validation: 0.15, test: 0.15}\n";

fn features() -> Vec<FeatureColumn> {
    vec![FeatureColumn {
        name: "1h_roc_1_raw".to_owned(),
        normalisation: None,
    }]
}

fn lineage() -> Lineage {
    Lineage {
        operation: "op_train_20240103_000000_00000001".to_owned(),
        dataset: "d".repeat(64),
        series: BTreeMap::new(),
        strategy: STRATEGY.to_owned(),
        strategy_sha256: "s".repeat(64),
        overrides: Some(serde_json::json!({})),
        seed: 42,
        symbols: vec!["fx:EUR.USD".to_owned()],
        timeframes: vec!["1h".to_owned()],
        versions: BTreeMap::new(),
    }
}

/// forward return = 0.001 × rate of change − 0.0001.
fn weights() -> Bytes {
    let weight = 0.001_f32.to_le_bytes();
    let bias = (-0.0001_f32).to_le_bytes();
    let tensors = [
        ("0.weight", TensorView::new(Dtype::F32, vec![1, 1], &weight)),
        ("0.bias", TensorView::new(Dtype::F32, vec![1], &bias)),
    ];
    let tensors = tensors.map(|(name, view)| (name, view.unwrap()));
    Bytes::from(safetensors::serialize(tensors, None).unwrap())
}

async fn publish_artifact(store: &Store, metrics: &str) -> String {
    let draft = ArtifactManifest {
        v: ArtifactManifest::VERSION,
        files: BTreeMap::new(),
        network: Network {
            architecture: Architecture::Mlp(MlpShape {
                hidden_layers: Vec::new(),
                activation: Activation::Relu,
                dropout: 0.0,
            }),
            features: features(),
            output: OutputKind::Regression,
        },
        lineage: lineage(),
        training: serde_json::json!({"epochs": 2}),
        confidence_threshold: None,
        temperature: None,
        created_at: 0,
    };

    let files = BTreeMap::from([
        ("model.safetensors".to_owned(), weights()),
        (
            "metrics.json".to_owned(),
            Bytes::from(metrics.to_owned().into_bytes()),
        ),
    ]);
    store.artifacts().publish(files, draft).await.unwrap()
}

/// One more version of the model `hand`, by an operation of this name.
pub(crate) async fn register(store: &Store, operation: &str, metrics: &str) {
    let artifact = publish_artifact(store, metrics).await;
    let model_of = |_| ModelManifest {
        v: ModelManifest::VERSION,
        name: String::new(),
        version: 0,
        artifact: artifact.clone(),
        operation: operation.to_owned(),
        training: None,
        metrics: BTreeMap::new(),
        validation: BTreeMap::new(),
        lineage: lineage(),
        labels: BTreeMap::new(),
        former_names: Vec::new(),
        created_at: TEN,
    };

    let models = store.models();
    models
        .assign_version("hand", operation, model_of)
        .await
        .unwrap();
}

/// Hourly bars with these closes, the first at 10:00.
pub(crate) async fn store_bars(store: &Store, closes: &[f64]) {
    let eurusd = Instrument::parse("fx:EUR.USD").unwrap();
    let timeframe: Timeframe = "1h".parse().unwrap();
    let key = SeriesKey::standard("file", eurusd, timeframe).unwrap();

    let bars = closes.iter().zip(0_i64..).map(|(close, hour)| RawBar {
        open_time: Utc(TEN + hour * HOUR),
        prices: [*close; 4],
        volume: 1.0,
    });
    let edit = Edit {
        bars: bars.collect(),
        empty_intervals: Vec::new(),
        calendar: "fx".to_owned(),
        at: Utc(TEN),
    };
    store.series().commit(&key, edit, None).await.unwrap();
}

/// The data set of the training: one decision at 12:00 in the train part, and one at 13:00 in the
/// test part.
pub(crate) async fn store_data_set(store: &Store) {
    let symbol = "fx:EUR.USD".to_owned();
    let part = |name: &str, time: i64| PartCount {
        symbol: symbol.clone(),
        part: name.to_owned(),
        rows: 1,
        classes: Vec::new(),
        range: Some(ColumnRange {
            first: time,
            last: time,
        }),
    };
    let times = [TEN + 2 * HOUR, TEN + 3 * HOUR];

    let table = DataSetTable {
        symbols: vec![symbol.clone()],
        symbol: vec![0; 2],
        open_time: times.map(|time| time - HOUR).to_vec(),
        known_at: times.to_vec(),
        label_known_at: times.map(|time| time + HOUR).to_vec(),
        part: vec![0, 2],
        label: vec![0.01, 0.2],
        bar: None,
        weight: None,
        forward_return: None,
        feature_names: vec!["1h_roc_1_raw".to_owned()],
        features: vec![vec![10.0, -50.0]],
    };
    let draft = data_set_draft(vec![part("train", times[0]), part("test", times[1])]);
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
        series: Vec::new(),
        features: features(),
        output: OutputKind::Regression,
        weighted: false,
        validation_start: TEN + 3 * HOUR,
        test_start: TEN + 3 * HOUR,
        embargo_micros: 0,
        forward_bars: None,
        sealed: None,
        parts,
        dropped: BTreeMap::new(),
        coverage: BTreeMap::new(),
        holes: Vec::new(),
        thresholds: Vec::new(),
        leak_test_cuts: 1,
        created_at: 0,
        written_by: "test".to_owned(),
    }
}
