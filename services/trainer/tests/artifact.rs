//! Specifications of the files of an artifact: what they warn of, what is in them, that equal runs
//! give equal bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use schemas::{
    manifests::{Activation, FeatureColumn, Network, NetworkKind, OutputKind},
    names::{HISTORY_FILE, METRICS_FILE, MODEL_FILE},
    training::Loss,
};
use trainer::{
    EpochRow, Labels, Trained,
    artifact::{MetricsDocument, files},
    metrics::Scored,
};

/// A model that always answers BUY, on 3 BUY and 1 SELL.
fn collapsed() -> (Network, Trained) {
    let features = vec![FeatureColumn {
        name: "a".to_owned(),
        normalisation: None,
    }];
    let names = ["BUY", "SELL"].map(str::to_owned).to_vec();
    let output = OutputKind::Classes {
        names: names.clone(),
    };
    let (kind, activation) = (NetworkKind::Mlp, Activation::Relu);
    let network = Network {
        kind,
        hidden_layers: vec![],
        activation,
        dropout: 0.0,
        features,
        output,
    };
    let (scores, labels) = (
        [1., 0., 1., 0., 1., 0., 1., 0.],
        Labels::Classes(vec![0, 0, 0, 1]),
    );
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        criterion: Loss::CrossEntropy,
        class_weights: &[0.5, 1.5],
    };
    let row = EpochRow {
        epoch: 1,
        train_loss: 0.5,
        train_accuracy: None,
        validation_loss: 0.25,
        validation_accuracy: Some(0.75),
        learning_rate: 0.001,
        seconds: 0.125,
    };
    let trained = Trained {
        weights: vec![1.0, 2.0, 3.0, 4.0],
        best_epoch: 1,
        history: vec![row],
        stopped_early: false,
        metrics: BTreeMap::from([("test".to_owned(), scored.metrics(&names, 0.0))]),
        class_weights: vec![0.5, 1.5],
        device: "cpu".to_owned(),
    };
    (network, trained)
}

#[test]
fn a_collapsed_model_says_so_beside_its_accuracy() {
    let (network, trained) = collapsed();
    let document = MetricsDocument::new(&trained, &network, 7);
    assert_eq!(
        document.warnings,
        [
            "the model answers BUY on 100.0 % of the test part",
            "test accuracy 75.0 % does not beat always answering the most frequent class, 75.0 %",
        ]
    );
    assert_eq!(
        (
            document.headline["accuracy"],
            document.headline["majority_accuracy"]
        ),
        (0.75, 0.75)
    );
    assert_eq!(document.class_weights["SELL"], 1.5);
}

#[test]
fn the_files_are_the_same_bytes_twice_and_can_be_read_back() {
    let (network, trained) = collapsed();
    let document = MetricsDocument::new(&trained, &network, 7);
    let written = files(&trained, &network, &document).unwrap();
    assert_eq!(written, files(&trained, &network, &document).unwrap());
    assert_eq!(
        written.keys().collect::<Vec<_>>(),
        [HISTORY_FILE, METRICS_FILE, MODEL_FILE]
    );
    assert_eq!(
        serde_json::from_slice::<MetricsDocument>(&written[METRICS_FILE]).unwrap(),
        document
    );
    assert_eq!(written[HISTORY_FILE][..4], *b"PAR1");
    let model = networks::Model::from_safetensors(&network, &written[MODEL_FILE]).unwrap();
    // weight [2, 1] = (1, 2), bias (3, 4), row 10: (13, 24)
    assert_eq!(model.scores(&[10.0]).unwrap(), [13.0, 24.0]);
}
