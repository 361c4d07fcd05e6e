//! Specifications of `training.calibration`: one number that is fitted to the validation part, and
//! with which everything is measured.

use schemas::decision_report::DecisionReport;
use schemas::metrics::{Evaluation, KindMetrics};
use schemas::training::{Calibration, TrainingSettings};
use strategies::{Decisions, Signal};
use trainer::metrics::RowOrigins;
use trainer::{Evaluated, PartData, TrainError, Trained, evaluate};

use crate::made_up::{
    Case, ENGINES, NEVER, Recorder, class_data, class_labels, classes, return_data, settings,
    train, without_clock,
};

/// Enough epochs to be far too sure of labels that are half noise.
fn sure_settings(calibration: Calibration) -> TrainingSettings {
    TrainingSettings {
        learning_rate: 0.05,
        calibration,
        ..settings(40)
    }
}

/// The same training in every engine.
fn trained_by_all(calibration: Calibration) -> Vec<Trained> {
    let data = class_data(0.5);
    let network = classes();
    let settings = sure_settings(calibration);
    let case = Case {
        data: &data,
        network: &network,
        settings: &settings,
        seed: 7,
    };
    let trained = ENGINES.iter().map(|engine| case.run_by(*engine));
    trained.collect()
}

/// The mean −ln p of the true class over a part at a temperature, by the formula.
fn loss_at(trained: &Trained, part: &PartData, temperature: Option<f64>) -> f64 {
    let file = trainer::model_file(&trained.network, &trained.weights).unwrap();
    let model = networks::Model::from_safetensors(&trained.network, &file).unwrap();
    let rows: Vec<&[f32]> = part.features.chunks(3).collect();
    let predictions = model.with_temperature(temperature).predict(&rows).unwrap();

    let labels = class_labels(&mut part.clone()).clone();
    let losses = labels.iter().zip(predictions);
    let losses = losses.map(|(label, row)| -f64::from(row[*label as usize]).ln());
    losses.sum::<f64>() / labels.len() as f64
}

#[test]
fn a_temperature_changes_no_weight_and_no_epoch() {
    let plain = trained_by_all(Calibration::None);
    let calibrated = trained_by_all(Calibration::Temperature);

    for (plain, calibrated) in plain.iter().zip(&calibrated) {
        assert_eq!(plain.weights, calibrated.weights);
        let epochs = without_clock(&plain.history);
        assert_eq!(epochs, without_clock(&calibrated.history));
        assert_eq!(plain.temperature, None);
        assert!(calibrated.temperature.is_some());
    }
}

#[test]
fn no_other_temperature_has_a_lower_validation_loss() {
    let data = class_data(0.5);
    for trained in trained_by_all(Calibration::Temperature) {
        let fitted = trained.temperature.unwrap();
        let at = |temperature| loss_at(&trained, &data.validation, Some(temperature));

        // Labels that are half noise make a network too sure.
        assert!(fitted > 1.05, "{fitted}");
        let lowest = at(fitted);
        for factor in [0.5, 0.9, 0.97, 1.03, 1.1, 2.0] {
            assert!(lowest < at(fitted * factor), "{factor} of {fitted}");
        }
    }
}

#[test]
fn the_figures_of_every_part_are_those_of_the_model_in_use() {
    let data = class_data(0.5);
    for trained in trained_by_all(Calibration::Temperature) {
        let parts = [
            ("train", &data.train),
            ("validation", &data.validation),
            ("test", &data.test),
        ];

        for (name, part) in parts {
            let stored = trained.metrics[name].loss;
            let used = loss_at(&trained, part, trained.temperature);
            let raw = loss_at(&trained, part, None);
            assert!((stored - used).abs() < 1e-5, "{name}: {stored}, {used}");
            assert!((stored - raw).abs() > 1e-3, "{name}: {stored}, {raw}");
        }
    }
}

#[test]
fn answers_are_those_without_a_temperature() {
    let plain = trained_by_all(Calibration::None);
    let calibrated = trained_by_all(Calibration::Temperature);

    for (plain, calibrated) in plain.iter().zip(&calibrated) {
        let confusion_of = |trained: &Trained| match &trained.metrics["test"].kind {
            KindMetrics::Classes(metrics) => metrics.confusion.clone(),
            KindMetrics::Regression(_) => panic!("classes were made"),
        };
        assert_eq!(confusion_of(plain), confusion_of(calibrated));
    }
}

/// What is measured of a training after its end, with decisions at this confidence.
fn evaluation_of(trained: &Trained, threshold: Option<f64>) -> Evaluation {
    let data = class_data(0.5);
    let origins = RowOrigins {
        symbols: vec!["EURUSD".to_owned()],
        symbol: vec![0; data.test.labels.len()],
        known_at: vec![0; data.test.labels.len()],
    };
    let evaluated = Evaluated {
        data: &data,
        origins: &origins,
        features: &trained.network.features,
        classes: 3,
        decisions: Some(Decisions::Classification {
            confidence_threshold: threshold,
            signals: &[Signal::Buy, Signal::Hold, Signal::Sell],
        }),
        trading: None,
        weights: &trained.weights,
        objective: &trained.objective,
        temperature: trained.temperature,
        seed: 7,
    };

    let mut learner = networks::learner_of(&trained.network);
    evaluate(evaluated, learner.as_mut(), &|| false).unwrap()
}

/// Rows of the validation part with the decision BUY or SELL.
fn acted(report: &DecisionReport) -> u64 {
    let validation = report.parts["validation"];
    validation.buy + validation.sell
}

#[test]
fn decisions_and_intervals_follow_the_temperature() {
    let plain = &trained_by_all(Calibration::None)[0];
    let calibrated = &trained_by_all(Calibration::Temperature)[0];

    let before = evaluation_of(plain, Some(0.8));
    let after = evaluation_of(calibrated, Some(0.8));

    // Less sure, so that fewer rows reach 0.8.
    let acted_before = acted(before.decisions.as_ref().unwrap());
    assert!(acted(after.decisions.as_ref().unwrap()) < acted_before);
    let interval = after.uncertainty.unwrap().intervals["loss"];
    assert!((interval.value - calibrated.metrics["test"].loss).abs() < 1e-9);
    let importance = after.importance.unwrap();
    let criterion = calibrated.metrics["validation"].criterion;
    assert!((importance.criterion - criterion).abs() < 1e-9);

    // The same number that a training without it reports as the one that it might have.
    let reported = before.temperature.unwrap();
    let stored = after.temperature.unwrap();
    assert_eq!(reported.value, stored.value);
    assert_eq!(reported.uncalibrated, None);
    let uncalibrated = stored.uncalibrated.unwrap();
    assert!((uncalibrated.loss - plain.metrics["test"].loss).abs() < 1e-9);
    assert!((stored.loss - calibrated.metrics["test"].loss).abs() < 1e-6);
}

#[test]
fn a_threshold_is_chosen_from_calibrated_probabilities() {
    let plain = evaluation_of(&trained_by_all(Calibration::None)[0], None);
    let calibrated = evaluation_of(&trained_by_all(Calibration::Temperature)[0], None);

    let threshold_of = |evaluation: &Evaluation| {
        let report = evaluation.decisions.as_ref().unwrap();
        assert!(report.is_chosen);
        report.threshold.value()
    };
    assert!(threshold_of(&calibrated) < threshold_of(&plain));
}

#[test]
fn a_regression_with_a_temperature_is_refused() {
    let data = return_data();
    let network = crate::made_up::network(schemas::manifests::OutputKind::Regression);
    let settings = TrainingSettings {
        calibration: Calibration::Temperature,
        ..TrainingSettings::for_regression()
    };

    let result = train(&data, &network, &settings, 7, &Recorder::new(NEVER), None);

    let Err(TrainError::Settings { problems }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("calibration needs a loss of classes"));
}
