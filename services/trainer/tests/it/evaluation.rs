//! Specifications of what is measured once the weights stand: intervals, groups, importance,
//! temperature.

use std::{cell::Cell, collections::BTreeSet};

use networks::Learner;
use schemas::{
    manifests::FeatureColumn,
    metrics::{Grouping, Importance, Interval, Uncertainty},
    training::Loss,
};
use trainer::{
    Evaluated, Labels, Objective, PartData, TrainingData, evaluate,
    metrics::{Baseline, RowOrigins, Scored, block_length},
};

const SEED: u64 = 7;

fn assert_close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

fn running() -> bool {
    false
}

/// Scores (1, 0) or (0, 1) for each answer.
fn scores_of(answers: &[i64]) -> Vec<f32> {
    let rows = answers
        .iter()
        .map(|answer| if *answer == 0 { [1.0, 0.0] } else { [0.0, 1.0] });
    rows.flatten().collect()
}

/// Intervals of a model of two classes of equal shares.
fn uncertainty_of(labels: &[i64], answers: &[i64]) -> Option<Uncertainty> {
    let labels = Labels::Classes(labels.to_vec());
    let scores = scores_of(answers);
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        objective: &Objective::plain(Loss::CrossEntropy, 2),
    };
    scored.uncertainty(&equal_shares(), SEED, &running)
}

fn equal_shares() -> Baseline {
    Baseline {
        class_shares: vec![0.5, 0.5],
        mean: 0.0,
    }
}

/// Forty labels in runs of five; each third row, from the first on, is answered wrongly.
struct Forty {
    labels: Vec<i64>,
    answers: Vec<i64>,
}

fn forty() -> Forty {
    let labels: Vec<i64> = (0..40).map(|row| (row / 5) % 2).collect();
    let pairs = (0..).zip(&labels);
    let answers = pairs.map(|(row, label)| if row % 3 == 0 { 1 - label } else { *label });
    Forty {
        answers: answers.collect(),
        labels,
    }
}

fn assert_interval(interval: Interval, expected: [f64; 3]) {
    let [value, low, high] = expected;
    assert_close(interval.value, value);
    assert_close(interval.low, low);
    assert_close(interval.high, high);
}

/// The numbers are those of scikit-learn 1.9.1 over draws of a Python program, with the generator
/// of `golden/pytorch_values.py`:
///
/// ```python
/// generator = ChaCha8(7, 0)
/// for draw in range(1000):
///     rows = []
///     for block in range(10):
///         start = (generator.next_u64() * 40) >> 64
///         rows += [(start + step) % 40 for step in range(4)]
///     accuracies.append(accuracy_score(labels[rows], answers[rows]))  # and so on
/// print(sorted(accuracies)[25], sorted(accuracies)[974])
/// ```
#[test]
fn intervals_are_those_of_an_independent_program() {
    let Forty { labels, answers } = forty();

    let uncertainty = uncertainty_of(&labels, &answers).unwrap();

    assert_eq!((uncertainty.block_rows, uncertainty.draws), (4, 1_000));
    let interval = |figure: &str| uncertainty.intervals[figure];
    assert_interval(interval("accuracy"), [0.65, 0.575, 0.725]);
    assert_interval(interval("majority_accuracy"), [0.5, 0.5, 0.75]);
    assert_interval(interval("accuracy_gain"), [0.15, -0.125, 0.175]);
    assert_interval(
        interval("mcc"),
        [0.3, 0.137_232_756_929_668_77, 0.450_563_556_889_583],
    );
}

#[test]
fn a_model_that_is_always_right_is_surely_right() {
    let labels: Vec<i64> = (0..100).map(|row| row % 2).collect();
    let uncertainty = uncertainty_of(&labels, &labels).unwrap();
    assert_interval(uncertainty.intervals["accuracy"], [1.0, 1.0, 1.0]);
}

/// Width of the interval of the accuracy of 1 200 rows, of which every other run of `run` is right.
fn width_of_accuracy(run: i64) -> f64 {
    let labels: Vec<i64> = (0..1_200).map(|row| (row / run) % 2).collect();
    let uncertainty = uncertainty_of(&labels, &vec![0; 1_200]).unwrap();
    let accuracy = uncertainty.intervals["accuracy"];
    accuracy.high - accuracy.low
}

#[test]
fn rows_that_come_in_runs_are_worth_fewer_rows() {
    // Runs of 100 leave 12 observations, runs of one nearly none that differ between blocks.
    assert!(width_of_accuracy(100) > 0.2);
    assert!(width_of_accuracy(1) < 0.05);
}

#[test]
fn few_rows_have_no_interval() {
    assert_eq!(uncertainty_of(&[0; 29], &[0; 29]), None);
    assert!(uncertainty_of(&[0; 30], &[0; 30]).is_some());
}

#[test]
fn a_block_holds_a_run_or_the_cube_root_of_the_rows() {
    let classes =
        |rows: i64, run: i64| Labels::Classes((0..rows).map(|row| (row / run) % 3).collect());

    // 1 000 rows: 10³; runs of 25; runs of 500 are more than a tenth. 1 001 rows: 11³ = 1 331.
    assert_eq!(block_length(&classes(1_000, 1)), 10);
    assert_eq!(block_length(&classes(1_000, 25)), 25);
    assert_eq!(block_length(&classes(1_000, 500)), 100);
    assert_eq!(block_length(&classes(1_001, 1)), 11);
    assert_eq!(block_length(&classes(5, 1)), 1);
    // Two signs in runs of 20.
    let returns = (0..1_000).map(|row| if (row / 20) % 2 == 0 { 0.5 } else { -0.25 });
    assert_eq!(block_length(&Labels::Returns(returns.collect())), 20);
}

#[test]
fn returns_have_intervals_of_errors_and_directions() {
    // Errors of 1 on every row; two of three labels rise, and the prediction always does.
    let labels: Vec<f32> = (0..90)
        .map(|row| if row % 3 == 0 { -1.0 } else { 1.0 })
        .collect();
    let scores: Vec<f32> = labels
        .iter()
        .map(|label| if *label < 0.0 { 0.5 } else { 2.0 })
        .collect();
    let labels = Labels::Returns(labels);
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        objective: &Objective::plain(Loss::Mse, 0),
    };
    let baseline = Baseline::of(&labels, 0);

    let uncertainty = scored.uncertainty(&baseline, SEED, &running).unwrap();

    let interval = |figure: &str| uncertainty.intervals[figure];
    // 30 errors of 1.5 and 60 of 1.
    assert_close(interval("mae").value, 105.0 / 90.0);
    assert_close(interval("directional_accuracy").value, 2.0 / 3.0);
    assert_interval(interval("direction_gain"), [0.0, 0.0, 0.0]);
}

#[test]
fn groups_are_the_symbols_and_then_the_months() {
    let labels = Labels::Classes(vec![0, 0, 1, 1]);
    let scores = scores_of(&[0, 1, 1, 1]);
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        objective: &Objective::plain(Loss::CrossEntropy, 2),
    };
    let origins = RowOrigins {
        symbols: ["EURUSD", "GBPUSD"].map(str::to_owned).to_vec(),
        symbol: vec![0, 0, 1, 1],
        // 2024-01-31T23:59:59.999999Z, 2024-02-01T00:00:00Z, and the same two again.
        known_at: vec![
            1_706_745_599_999_999,
            1_706_745_600_000_000,
            1_706_745_599_999_999,
            1_706_745_600_000_000,
        ],
    };

    let groups = scored.groups(&equal_shares(), &origins);

    let texts: Vec<String> = groups
        .iter()
        .map(|group| {
            let accuracy = group.figures["accuracy"];
            format!("{:?} {} {} {accuracy}", group.by, group.name, group.rows)
        })
        .collect();
    assert_eq!(
        texts,
        [
            "Symbol EURUSD 2 0.5",
            "Symbol GBPUSD 2 1",
            "Month 2024-01 2 1",
            "Month 2024-02 2 0.5"
        ]
    );
    assert_eq!(groups[0].by, Grouping::Symbol);
    assert_close(groups[1].figures["majority_accuracy"], 1.0);
}

#[test]
fn a_temperature_makes_confidence_the_share_of_right_answers() {
    // One score apart by 3, three of four right: e^(3/T) = 3, T = 3/ln 3.
    let labels = Labels::Classes(vec![0, 0, 0, 1]);
    let scored = Scored {
        scores: &[3.0, 0.0, 3.0, 0.0, 3.0, 0.0, 3.0, 0.0],
        labels: &labels,
        objective: &Objective::plain(Loss::CrossEntropy, 2),
    };

    let value = scored.fit_temperature().unwrap();
    let temperature = scored.at_temperature(value).unwrap();

    assert!((temperature.value - 3.0 / 3.0_f64.ln()).abs() < 1e-5);
    // Probabilities (3/4, 1/4): −3/4 ln 3/4 − 1/4 ln 1/4, and 3/4·2·(1/4)² + 1/4·2·(3/4)².
    assert!((temperature.loss - 0.562_335_144_618_808_3).abs() < 1e-9);
    assert!((temperature.brier - 0.375).abs() < 1e-6);
    assert!(temperature.calibration.ece < 1e-6);
}

#[test]
fn a_stored_temperature_comes_with_the_figures_without_it() {
    // The same scores: −3/4 ln σ(3) − 1/4 ln σ(−3) without a temperature, both parts in 0.9 to 1.
    let labels = Labels::Classes(vec![0, 0, 0, 1]);
    let scored = Scored {
        scores: &[3.0, 0.0, 3.0, 0.0, 3.0, 0.0, 3.0, 0.0],
        labels: &labels,
        objective: &Objective::plain(Loss::CrossEntropy, 2),
    };

    let temperature = scored.at_stored_temperature(3.0 / 3.0_f64.ln()).unwrap();

    assert!(temperature.calibration.ece < 1e-6);
    let uncalibrated = temperature.uncalibrated.unwrap();
    let sure = 1.0 / (1.0 + (-3.0_f64).exp());
    let loss = -0.75 * sure.ln() - 0.25 * (1.0 - sure).ln();
    assert!((uncalibrated.loss - loss).abs() < 1e-9);
    assert!((uncalibrated.ece - (sure - 0.75)).abs() < 1e-9);
    let brier = 0.75 * 2.0 * (1.0 - sure).powi(2) + 0.25 * 2.0 * sure.powi(2);
    assert!((uncalibrated.brier - brier).abs() < 1e-9);
}

/// Score = parameters · inputs: as simple as a network gets.
struct Scalar {
    inputs: usize,
}

impl Learner for Scalar {
    fn parameter_count(&self) -> usize {
        self.inputs
    }

    fn input_count(&self) -> usize {
        self.inputs
    }

    fn output_count(&self) -> usize {
        1
    }

    fn dropout_count(&self) -> usize {
        0
    }

    fn score(&mut self, parameters: &[f32], inputs: &[f32], scores: &mut Vec<f32>) {
        scores.clear();
        let rows = inputs.chunks_exact(self.inputs);
        scores.extend(rows.map(|row| {
            let products = row.iter().zip(parameters);
            products
                .map(|(value, parameter)| value * parameter)
                .sum::<f32>()
        }));
    }

    fn forward(&mut self, _: &[f32], _: &[f32], _: &[f32], _: &mut Vec<f32>) {
        panic!("an evaluation does not learn");
    }

    fn backward(&mut self, _: &[f32], _: &[f32], _: &[f32], _: &[f32], _: &mut [f32]) {
        panic!("an evaluation does not learn");
    }
}

fn columns(names: &[&str]) -> Vec<FeatureColumn> {
    let columns = names.iter().map(|name| FeatureColumn {
        name: (*name).to_owned(),
        normalisation: None,
    });
    columns.collect()
}

/// Rows of `width` features of which the last is the label, from 0 to 199.
fn part_of_width(width: usize) -> PartData {
    let labels: Vec<f32> = (0..200).map(|row| row as f32).collect();
    let rows = labels.iter().map(|label| {
        let mut row = vec![label * 7.0 % 13.0; width];
        row[width - 1] = *label;
        row
    });
    PartData {
        features: rows.flatten().collect(),
        labels: Labels::Returns(labels),
        windows: None,
    }
}

/// The importance of `names` to a network with these weights, on rows whose last value is the
/// label.
fn importance_of(names: &[&str], weights: &[f32]) -> Importance {
    let part = part_of_width(weights.len());
    let data = TrainingData {
        train: part.clone(),
        validation: part.clone(),
        test: part,
        weights: None,
    };
    let features = columns(names);

    let evaluated = Evaluated {
        data: &data,
        origins: &RowOrigins::default(),
        features: &features,
        classes: 0,
        decisions: None,
        trading: None,
        weights,
        objective: &Objective::plain(Loss::Mse, 0),
        temperature: None,
        seed: SEED,
    };
    let mut learner = Scalar {
        inputs: weights.len(),
    };
    let evaluation = evaluate(evaluated, &mut learner, &running).unwrap();
    evaluation.importance.unwrap()
}

#[test]
fn a_feature_is_worth_what_its_loss_costs() {
    let importance = importance_of(&["idle", "label"], &[0.0, 1.0]);

    assert_eq!((importance.rows, importance.repeats), (200, 5));
    assert_eq!(importance.criterion, 0.0);
    let [idle, label] = importance.features.as_slice() else {
        panic!("there are two features");
    };
    assert_eq!(
        (idle.name.as_str(), idle.rise, idle.deviation),
        ("idle", 0.0, 0.0)
    );
    // The mean of (x' − x)² over orders is 2 · variance · n/(n − 1) with (n² − 1)/12 as variance.
    let expected = 2.0 * (200.0 * 200.0 - 1.0) / 12.0 * 200.0 / 199.0;
    assert!((label.rise / expected - 1.0).abs() < 0.1, "{}", label.rise);
    assert!(label.deviation > 0.0);
}

#[test]
fn a_feature_of_a_window_is_shuffled_at_every_step() {
    // Two steps of two features: the second feature is the label at the last step.
    let importance = importance_of(&["idle", "label"], &[0.0, 0.0, 0.0, 1.0]);

    let rises: Vec<f64> = importance
        .features
        .iter()
        .map(|feature| feature.rise)
        .collect();
    assert_eq!(rises[0], 0.0);
    assert!(rises[1] > 1_000.0);
}

#[test]
fn a_stopped_evaluation_measures_nothing_more() {
    let part = part_of_width(1);
    let data = TrainingData {
        train: part.clone(),
        validation: part.clone(),
        test: part,
        weights: None,
    };
    let features = columns(&["label"]);
    let evaluated = Evaluated {
        data: &data,
        origins: &RowOrigins::default(),
        features: &features,
        classes: 0,
        decisions: None,
        trading: None,
        weights: &[1.0],
        objective: &Objective::plain(Loss::Mse, 0),
        temperature: None,
        seed: SEED,
    };

    // At the first questions, within the draws, and after the last question.
    for allowed in [0, 1, 2, 500, 1_000_000] {
        let questions = Cell::new(0);
        let stopped = || questions.replace(questions.get() + 1) >= allowed;
        let evaluation = evaluate(evaluated, &mut Scalar { inputs: 1 }, &stopped);
        let was_stopped = questions.get() > allowed;
        assert_eq!(evaluation.is_none(), was_stopped, "question {allowed}");
        assert_eq!(was_stopped, allowed <= 500, "each of 1 000 draws asks");
    }
}

/// The names of all fields and figures in `value`.
fn keys_of(value: &serde_json::Value, keys: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, field) in fields {
                keys.insert(key.clone());
                keys_of(field, keys);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| keys_of(item, keys)),
        _ => {}
    }
}

/// Everything that is measured of forty rows of two classes.
fn evaluation_of_classes() -> serde_json::Value {
    let Forty { labels, answers } = forty();
    let uncertainty = uncertainty_of(&labels, &answers);
    let labels = Labels::Classes(labels);
    let scores = scores_of(&answers);
    let scored = Scored {
        scores: &scores,
        labels: &labels,
        objective: &Objective::plain(Loss::CrossEntropy, 2),
    };
    let origins = RowOrigins {
        symbols: vec!["EURUSD".to_owned()],
        symbol: vec![0; 40],
        known_at: vec![0; 40],
    };

    let names = ["BUY", "SELL"].map(str::to_owned);
    serde_json::json!({
        "parts": scored.metrics(&names, &equal_shares()),
        "uncertainty": uncertainty,
        "groups": scored.groups(&equal_shares(), &origins),
        "importance": importance_of(&["a"], &[1.0]),
        "temperature": scored.at_stored_temperature(2.0),
    })
}

/// Everything that is measured of a regression and not of classes.
fn evaluation_of_returns() -> serde_json::Value {
    let part = part_of_width(1);
    let scored = Scored {
        scores: &part.features,
        labels: &part.labels,
        objective: &Objective::plain(Loss::Mse, 0),
    };
    let baseline = Baseline::of(&part.labels, 0);
    serde_json::json!({
        "parts": scored.metrics(&[], &baseline),
        "uncertainty": scored.uncertainty(&baseline, SEED, &running),
    })
}

#[test]
fn the_page_of_metrics_explains_every_field_and_figure() {
    let page = include_str!("../../../../docs/metrics.md");
    let mut keys = BTreeSet::new();
    keys_of(&evaluation_of_classes(), &mut keys);
    keys_of(&evaluation_of_returns(), &mut keys);

    let unexplained: Vec<&String> = keys
        .iter()
        .filter(|key| !page.contains(&format!("`{key}`")) && !page.contains(&format!(".{key}`")))
        .collect();
    assert!(keys.len() > 40, "{keys:?}");
    assert!(unexplained.is_empty(), "{unexplained:?}");
}
