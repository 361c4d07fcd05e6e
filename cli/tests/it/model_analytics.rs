//! Each epoch of a training in detail, as `ktrdr models show NAME --analytics` prints it.

use schemas::manifests::{Network, OutputKind};
use store::Table;

use crate::data_train_models::{Place, STRATEGY};
use crate::hand_model::{hand_network, hand_weights, store_artifact, store_hand};

/// `analytics.parquet` of two epochs.
fn analytics_of(columns: &[(&str, [f64; 2])]) -> Vec<u8> {
    let columns = columns.iter();
    let columns = columns.map(|(name, values)| ((*name).to_owned(), values.to_vec()));
    Table::numbers(columns).to_parquet().unwrap().to_vec()
}

/// What every network of one hidden layer has.
const COMMON: [(&str, [f64; 2]); 7] = [
    ("learning_rate", [0.001, 0.0005]),
    ("gradient_norm_mean", [0.5, 0.25]),
    ("gradient_norm_max", [1.5, 0.75]),
    // 3² + 4² = 5², and 6² + 8² = 10².
    ("weight_norm.0.weight", [3.0, 6.0]),
    ("weight_norm.0.bias", [0.0, 0.0]),
    ("weight_norm.3.weight", [4.0, 8.0]),
    ("weight_norm.3.bias", [0.0, 0.0]),
];

const DECIDED: [(&str, [f64; 2]); 3] = [
    ("decided.BUY", [0.0, 0.125]),
    ("decided.HOLD", [1.0, 0.625]),
    ("decided.SELL", [0.0, 0.25]),
];

#[tokio::test]
async fn analytics_of_returns_have_norms_and_decisions() {
    let place = Place::new();
    let columns = [COMMON.as_slice(), DECIDED.as_slice()].concat();
    let files = [
        ("model.safetensors", hand_weights()),
        ("analytics.parquet", analytics_of(&columns)),
    ];
    store_artifact(&place, STRATEGY, hand_network(), &files).await;

    let screen = place.screen_of(&["models", "show", "hand", "--analytics"]);
    insta::assert_snapshot!(screen, @"
    EPOCH  RATE    GRADIENT  WEIGHTS  BUY   HOLD   SELL
    1      0.001   0.5000    5.0000   0 %   100 %  0 %
    2      0.0005  0.2500    10.0000  12 %  62 %   25 %
    GRADIENT is the mean norm over batches before clipping, WEIGHTS the norm of all
    F1 and decisions are those of the validation part; --json has all figures
    exit 0
    ");
}

#[tokio::test]
async fn analytics_of_classes_have_a_rate_each() {
    let place = Place::new();
    let rates = ["BUY", "SELL"].map(|class| {
        let figures = ["precision", "recall", "f1", "predicted_share"];
        figures.map(|figure| (format!("{figure}.{class}"), [0.25, 0.5]))
    });
    let rates = rates.concat();
    let rates: Vec<(&str, [f64; 2])> = rates
        .iter()
        .map(|(name, values)| (name.as_str(), *values))
        .collect();
    let columns = [COMMON.as_slice(), &rates, DECIDED.as_slice()].concat();
    let network = Network {
        output: OutputKind::Classes {
            names: ["BUY", "SELL"].map(str::to_owned).to_vec(),
        },
        ..hand_network()
    };
    let files = [("analytics.parquet", analytics_of(&columns))];
    store_artifact(&place, STRATEGY, network, &files).await;

    let screen = place.screen_of(&["models", "show", "hand", "--analytics"]);
    insta::assert_snapshot!(screen, @"
    EPOCH  RATE    GRADIENT  WEIGHTS  F1 BUY  F1 SELL  BUY   HOLD   SELL
    1      0.001   0.5000    5.0000   0.2500  0.2500   0 %   100 %  0 %
    2      0.0005  0.2500    10.0000  0.5000  0.5000   12 %  62 %   25 %
    GRADIENT is the mean norm over batches before clipping, WEIGHTS the norm of all
    F1 and decisions are those of the validation part; --json has all figures
    exit 0
    ");
    let json = place.screen_of(&["models", "show", "hand", "--analytics", "--json"]);
    insta::assert_snapshot!(json, @r#"
    {"epoch":1,"figures":{"decided.BUY":0.0,"decided.HOLD":1.0,"decided.SELL":0.0,"f1.BUY":0.25,"f1.SELL":0.25,"gradient_norm_max":1.5,"gradient_norm_mean":0.5,"learning_rate":0.001,"precision.BUY":0.25,"precision.SELL":0.25,"predicted_share.BUY":0.25,"predicted_share.SELL":0.25,"recall.BUY":0.25,"recall.SELL":0.25,"weight_norm.0.bias":0.0,"weight_norm.0.weight":3.0,"weight_norm.3.bias":0.0,"weight_norm.3.weight":4.0},"type":"epoch_analytics"}
    {"epoch":2,"figures":{"decided.BUY":0.125,"decided.HOLD":0.625,"decided.SELL":0.25,"f1.BUY":0.5,"f1.SELL":0.5,"gradient_norm_max":0.75,"gradient_norm_mean":0.25,"learning_rate":0.0005,"precision.BUY":0.5,"precision.SELL":0.5,"predicted_share.BUY":0.5,"predicted_share.SELL":0.5,"recall.BUY":0.5,"recall.SELL":0.5,"weight_norm.0.bias":0.0,"weight_norm.0.weight":6.0,"weight_norm.3.bias":0.0,"weight_norm.3.weight":8.0},"type":"epoch_analytics"}
    exit 0
    "#);
}

#[tokio::test]
async fn a_model_without_analytics_says_how_to_get_them() {
    let place = Place::new();
    store_hand(&place).await;

    let screen = place.screen_of(&["models", "show", "hand", "--analytics"]);
    insta::assert_snapshot!(screen, @"
    error: hand@1 has no analytics
    hint: they are stored by a training with --detailed-analytics, or with training.detailed_analytics: true in the strategy
    exit 4
    ");
}
