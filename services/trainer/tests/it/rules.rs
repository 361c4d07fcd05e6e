//! A neuro-fuzzy network in the loop of a training: rules grown from the training part, learnt by
//! the native engine.

use networks::tsk::{build_rules, report_rules};
use schemas::manifests::{
    Architecture, Firing, FuzzyInput, Network, RuleBase, RuleSource, TskShape,
};
use schemas::metrics::Evaluation;
use trainer::artifact::{encode_files, metrics_document};
use trainer::metrics::KindMetrics;
use trainer::{EngineKind, Labels, TrainError, Trained};

use crate::interruption::{interrupt_twice, kill_twenty_times};
use crate::made_up::{Case, NEVER, Recorder, class_data, classes, settings};

/// Four rules around clusters of the rows of [`class_data`].
fn grown_network() -> Network {
    let input = |name: &str| FuzzyInput {
        name: name.to_owned(),
        members: Vec::new(),
        low: 0.0,
        high: 0.0,
    };
    let shape = TskShape {
        from: RuleSource::Data,
        rules_max: 4,
        prune_below: 0.0,
        pruned_rules: 0,
        base: RuleBase {
            inputs: ["a", "b", "c"].map(input).to_vec(),
            rules: Vec::new(),
            firing: Firing::Mean,
        },
    };

    let asked_for = Network {
        architecture: Architecture::Tsk(shape),
        ..classes()
    };
    build_rules(&asked_for, &class_data(0.0).train.features, 7)
}

#[test]
fn rules_learn_classes_that_have_a_linear_border() {
    let network = grown_network();
    let data = class_data(0.0);
    let case = Case {
        data: &data,
        network: &network,
        settings: &settings(40),
        seed: 7,
    };

    let trained = case.run_by(EngineKind::Native);

    let KindMetrics::Classes(test) = &trained.metrics["test"].kind else {
        panic!("classes were learnt");
    };
    // Each class has about a third of the rows.
    assert!(test.accuracy > 0.85, "{}", test.accuracy);
    let report = report_rules(&network, &trained.weights, &data.train.features).unwrap();
    let support: f64 = report.rules.iter().map(|rule| rule.support).sum();
    assert!((support - 1.0).abs() < 1e-3, "{support}");
}

#[test]
fn resumed_rules_end_with_the_bits_of_unkilled_ones() {
    let network = grown_network();
    let case = Case {
        data: &class_data(0.3),
        network: &network,
        settings: &settings(25),
        seed: 7,
    };
    interrupt_twice(case, EngineKind::Native);
    kill_twenty_times(Case {
        settings: &settings(250),
        ..case
    });
}

#[test]
fn a_rule_that_hardly_fires_is_pruned_after_training() {
    let network = grown_network();
    let Architecture::Tsk(mut shape) = network.architecture.clone() else {
        panic!("{network:?}");
    };
    // Four rules share all strength: at least one has less than this, at least one has more.
    shape.prune_below = 0.25;
    let pruning = Network {
        architecture: Architecture::Tsk(shape),
        ..network
    };
    let data = class_data(0.0);
    let case = Case {
        data: &data,
        network: &pruning,
        settings: &settings(20),
        seed: 7,
    };

    let trained = case.run_by(EngineKind::Native);

    let Architecture::Tsk(shape) = &trained.network.architecture else {
        panic!("{:?}", trained.network);
    };
    let rules = shape.base.rules.len();
    assert!((1..4).contains(&rules), "{rules}");
    assert_eq!(shape.pruned_rules, 4 - rules);

    // The stored weights are those of the rules that stay, and the metrics are theirs.
    assert_eq!(trained.weights.len(), trained.network.parameter_count());
    let weights = model_file(&trained);
    let model = networks::Model::from_safetensors(&trained.network, &weights).unwrap();
    let mut right = 0;
    let Labels::Classes(labels) = &data.test.labels else {
        panic!("classes were learnt");
    };
    for (row, label) in data.test.features.chunks(3).zip(labels) {
        let scores = model.scores(row).unwrap();
        let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        right += usize::from(best == Some(*label as usize));
    }
    let KindMetrics::Classes(test) = &trained.metrics["test"].kind else {
        panic!("classes were learnt");
    };
    let accuracy = right as f64 / labels.len() as f64;
    assert!((test.accuracy - accuracy).abs() < 1e-9);
}

/// The stored weights of a training.
fn model_file(trained: &Trained) -> Vec<u8> {
    let train = class_data(0.0).train;
    let document = metrics_document(trained, &train, Evaluation::default(), 7);
    let files = encode_files(trained, &train, &document).unwrap();
    assert!(files.contains_key("rules.json"));
    files["model.safetensors"].to_vec()
}

#[test]
fn libtorch_does_not_train_rules() {
    let network = grown_network();
    let case = Case {
        data: &class_data(0.3),
        network: &network,
        settings: &settings(1),
        seed: 7,
    };

    let refused = case.train_by(EngineKind::Libtorch, &Recorder::new(NEVER), None);

    let Err(TrainError::Settings { problems }) = refused else {
        panic!("it was trained");
    };
    let expected = "libtorch cannot train tsk yet: set training.engine to native";
    assert_eq!(problems, [expected]);
}
