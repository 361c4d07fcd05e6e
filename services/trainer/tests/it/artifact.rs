//! Specifications of the files of an artifact: what they warn of, what is in them, that equal runs
//! give equal bytes.

use std::collections::BTreeMap;

use schemas::{
    analytics::EpochAnalytics,
    decision_report::{DecisionReport, PartDecisions, Suggestion, Threshold},
    edge::{Book, EdgeReport, PartEdge},
    manifests::{Activation, Architecture, FeatureColumn, MlpShape, Network, OutputKind},
    metrics::{Evaluation, Interval, MetricsDocument, Uncertainty},
    names::{HISTORY_FILE, METRICS_FILE, METRICS_TABLE_FILE, MODEL_FILE},
    training::Loss,
};
use trainer::{
    EpochRow, Labels, Objective, PartData, Trained,
    artifact::{encode_files, metrics_document},
    metrics::{Baseline, Scored},
};

const NAMES: [&str; 2] = ["BUY", "SELL"];

/// One feature, two classes, no hidden layer.
fn network() -> Network {
    Network {
        architecture: Architecture::Mlp(MlpShape {
            hidden_layers: vec![],
            activation: Activation::Relu,
            dropout: 0.0,
        }),
        features: vec![FeatureColumn {
            name: "a".to_owned(),
            normalisation: None,
        }],
        output: OutputKind::Classes {
            names: NAMES.map(str::to_owned).to_vec(),
        },
    }
}

/// A model that always answers BUY, on 3 BUY and 1 SELL.
fn collapsed() -> Trained {
    let labels = Labels::Classes(vec![0, 0, 0, 1]);
    let objective = Objective {
        class_weights: vec![0.5, 1.5],
        ..Objective::plain(Loss::CrossEntropy, 2)
    };
    let scored = Scored {
        scores: &[1., 0., 1., 0., 1., 0., 1., 0.],
        labels: &labels,
        objective: &objective,
    };
    let baseline = Baseline::of(&labels, 2);
    let metrics = scored.metrics(&NAMES.map(str::to_owned), &baseline);

    let row = EpochRow {
        epoch: 1,
        train_loss: 0.5,
        train_accuracy: None,
        validation_loss: 0.25,
        validation_accuracy: Some(0.75),
        learning_rate: 0.001,
        seconds: 0.125,
    };
    Trained {
        network: network(),
        weights: vec![1.0, 2.0, 3.0, 4.0],
        best_epoch: 1,
        history: vec![row],
        ending: schemas::training::TrainingEnd::AllEpochs,
        asked_batch_size: 32,
        halvings: Vec::new(),
        analytics: Vec::new(),
        metrics: BTreeMap::from([("test".to_owned(), metrics)]),
        temperature: None,
        objective,
        device: "cpu".to_owned(),
    }
}

/// The rows that it was trained on.
fn training_part() -> PartData {
    PartData {
        features: vec![1.0, 2.0, 3.0, 4.0],
        labels: Labels::Classes(vec![0, 0, 0, 1]),
        windows: None,
    }
}

fn document_of(trained: &Trained) -> MetricsDocument {
    metrics_document(trained, &training_part(), Evaluation::default(), 7)
}

#[test]
fn a_collapsed_model_says_so() {
    let document = document_of(&collapsed());
    assert_eq!(
        document.warnings,
        [
            "the model answers BUY on 100.0 % of the test part",
            "test accuracy 75.0 % does not beat always answering the most frequent class, 75.0 %",
        ]
    );
}

/// The warnings about a model that decides like this in the test part.
fn warnings_of_decisions(buy: u64, sell: u64, suggestion: Option<Suggestion>) -> Vec<String> {
    let counts = PartDecisions {
        buy,
        hold: 4,
        sell,
        precision: None,
    };
    let evaluation = Evaluation {
        decisions: Some(DecisionReport {
            threshold: Threshold::ConfidenceThreshold(0.5),
            is_chosen: false,
            parts: BTreeMap::from([("test".to_owned(), counts)]),
            suggestion,
            alternatives: Vec::new(),
        }),
        ..Evaluation::default()
    };

    let document = metrics_document(&collapsed(), &training_part(), evaluation, 7);
    let others = document_of(&collapsed()).warnings;
    let mut warnings = document.warnings;
    warnings.retain(|warning| !others.contains(warning));
    warnings
}

#[test]
fn a_decision_that_is_never_made_is_said() {
    let suggestion = Suggestion {
        threshold: 0.41,
        share: 0.0625,
    };
    let mute = "the decision is HOLD on every row in the validation and the test part";

    assert_eq!(
        warnings_of_decisions(0, 0, Some(suggestion)),
        [format!(
            "{mute}: confidence_threshold 0.41 in place of 0.5 would make 6.2 % of the validation \
             part BUY or SELL"
        )]
    );
    let no_remedy = "no confidence_threshold would make 5 % of the validation part BUY or SELL";
    assert_eq!(
        warnings_of_decisions(0, 0, None),
        [format!("{mute}: {no_remedy}")]
    );

    let one = "no decision is SELL in the validation and the test part";
    assert_eq!(warnings_of_decisions(3, 0, None), [one]);
    assert!(warnings_of_decisions(3, 1, None).is_empty());
}

#[test]
fn a_feature_that_never_changes_is_named() {
    let mut part = training_part();
    part.features = vec![2.0; 4];

    let document = metrics_document(&collapsed(), &part, Evaluation::default(), 7);

    let warning = "nothing was learnt from what never changes in the train part: a";
    assert_eq!(document.warnings[0], warning);
}

#[test]
fn the_headline_has_the_accuracy_and_what_it_must_beat() {
    let document = document_of(&collapsed());
    assert_eq!(document.headline["accuracy"], 0.75);
    assert_eq!(document.headline["majority_accuracy"], 0.75);
    assert_eq!(document.class_weights["SELL"], 1.5);
}

/// An edge of the test part with this rank IC.
fn edge_report(rank_ic: f64) -> EdgeReport {
    let book = Book {
        buys: 3,
        sells: 4,
        net: Some(0.01),
        ..Book::default()
    };
    let edge = PartEdge {
        rows: 40,
        rank_ic: Some(rank_ic),
        test: None,
        decile_spread: None,
        book,
    };

    EdgeReport {
        horizon_bars: 2,
        parts: BTreeMap::from([("test".to_owned(), edge)]),
    }
}

#[test]
fn the_headline_has_the_edge_of_the_test_part() {
    let evaluation = Evaluation {
        edge: Some(edge_report(0.125)),
        ..Evaluation::default()
    };

    let document = metrics_document(&collapsed(), &training_part(), evaluation, 7);

    let figure = |name: &str| document.headline.get(name).copied();
    assert_eq!(figure("rank_ic"), Some(0.125));
    assert_eq!(
        (figure("trades"), figure("trade_net")),
        (Some(7.0), Some(0.01))
    );
    assert_eq!(figure("rank_ic_p"), None);
}

#[test]
fn equal_trainings_give_equal_files() {
    let document = document_of(&collapsed());

    let first = encode_files(&collapsed(), &training_part(), &document).unwrap();
    let second = encode_files(&collapsed(), &training_part(), &document).unwrap();

    assert_eq!(first, second);
    let names: Vec<&String> = first.keys().collect();
    assert_eq!(
        names,
        [HISTORY_FILE, METRICS_FILE, METRICS_TABLE_FILE, MODEL_FILE]
    );
}

#[test]
fn the_files_of_an_artifact_can_be_read_back() {
    let document = document_of(&collapsed());
    let files = encode_files(&collapsed(), &training_part(), &document).unwrap();

    let metrics: MetricsDocument = serde_json::from_slice(&files[METRICS_FILE]).unwrap();
    assert_eq!(metrics, document);
    assert_eq!(files[HISTORY_FILE][..4], *b"PAR1");
    assert_eq!(files[METRICS_TABLE_FILE][..4], *b"PAR1");

    let model = networks::Model::from_safetensors(&network(), &files[MODEL_FILE]).unwrap();
    // weight [2, 1] = (1, 2), bias (3, 4), row 10: (13, 24)
    assert_eq!(model.scores(&[10.0]).unwrap(), [13.0, 24.0]);
}

/// A model that is right on three of four rows, with an interval of its gain over always BUY.
fn document_with_gain(low: f64, high: f64) -> MetricsDocument {
    let labels = Labels::Classes(vec![0, 0, 1, 1]);
    let scored = Scored {
        scores: &[1., 0., 1., 0., 0., 1., 1., 0.],
        labels: &labels,
        objective: &Objective::plain(Loss::CrossEntropy, 2),
    };
    let metrics = scored.metrics(&NAMES.map(str::to_owned), &Baseline::of(&labels, 2));
    let trained = Trained {
        metrics: BTreeMap::from([("test".to_owned(), metrics)]),
        ..collapsed()
    };

    let gain = Interval {
        value: 0.25,
        low,
        high,
    };
    let uncertainty = Uncertainty {
        level: 0.95,
        draws: 1_000,
        block_rows: 1,
        seed: 7,
        intervals: BTreeMap::from([("accuracy_gain".to_owned(), gain)]),
    };
    let evaluation = Evaluation {
        uncertainty: Some(uncertainty),
        ..Evaluation::default()
    };
    metrics_document(&trained, &training_part(), evaluation, 7)
}

#[test]
fn a_gain_that_may_be_chance_is_said() {
    assert_eq!(
        document_with_gain(-0.125, 0.5).warnings,
        [
            "test accuracy 75.0 % may be chance: its gain over always answering the most frequent \
          class, 50.0 %, lies between -12.5 and 50.0 points"
        ]
    );
    assert!(document_with_gain(0.125, 0.5).warnings.is_empty());
}

#[test]
fn analytics_are_a_file_of_their_own_where_they_are_kept() {
    let without = collapsed();
    let epoch = EpochAnalytics {
        epoch: 1,
        learning_rate: 0.001,
        gradient_norm_mean: 0.5,
        gradient_norm_max: 0.75,
        weight_norms: vec![1.0, 2.0],
        classes: Vec::new(),
        decisions: None,
    };
    let with = Trained {
        analytics: vec![epoch],
        ..collapsed()
    };

    let files_of = |trained: &Trained| {
        let document = document_of(trained);
        encode_files(trained, &training_part(), &document).unwrap()
    };
    assert!(!files_of(&without).contains_key("analytics.parquet"));
    assert_eq!(files_of(&with)["analytics.parquet"][..4], *b"PAR1");
}
