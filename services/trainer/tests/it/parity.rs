//! The trainer against PyTorch: networks, losses, optimisers, schedules and a whole training, held
//! to the values in `tests/golden`, which PyTorch made.

#[path = "../golden/cases.rs"]
pub(crate) mod cases;

use networks::learner_of;
use networks::losses::{Criterion, Loss, Targets};
use networks::optimisers::{Method, Moments, Optimiser, clip};
use schemas::manifests::{Activation, Architecture, MlpShape, TensorSpec};
use schemas::training::{
    ClassWeights, LearningRateSchedule, Loss as LossSetting, TrainingSettings,
};
use serde::Deserialize;
use trainer::metrics::Scored;
use trainer::{EpochRow, Labels, LearningRates, Objective, PartData, TrainingData};

use self::cases::{
    CLOSE, NetworkCase, Tensor, assert_all_close, assert_close, cases, class_network, clippings,
    flat, losses, perceptrons, recurrent_networks,
};
use crate::made_up::{Case, ENGINES};

/// Parity of the losses of a training of twenty epochs.
const CLOSE_AFTER_EPOCHS: f64 = 1e-4;

fn check_network(case: &NetworkCase) {
    let mut learner = learner_of(&case.network());
    let parameters = flat(&case.parameters);
    let masks = flat(&case.masks);
    let mut scores = Vec::new();
    let mut gradients = vec![0.0; parameters.len()];

    learner.forward(&parameters, &case.inputs.values, &masks, &mut scores);
    assert_all_close(&scores, &case.scores.values, CLOSE, "score");

    learner.backward(
        &parameters,
        &case.inputs.values,
        &masks,
        &case.score_gradients.values,
        &mut gradients,
    );
    assert_all_close(&gradients, &flat(&case.gradients), CLOSE, "gradient");
}

#[test]
fn a_perceptron_has_the_scores_and_gradients_of_pytorch() {
    perceptrons().iter().for_each(check_network);
}

#[test]
fn lstm_and_gru_have_the_scores_and_gradients_of_pytorch() {
    recurrent_networks().iter().for_each(check_network);
}

fn native_loss(objective: &Objective) -> Loss {
    match objective.loss {
        LossSetting::CrossEntropy => Loss::CrossEntropy {
            smoothing: objective.label_smoothing as f32,
        },
        LossSetting::Focal { gamma } => Loss::Focal {
            gamma: gamma as f32,
        },
        LossSetting::Huber { delta } => Loss::Huber {
            delta: delta as f32,
        },
        LossSetting::Mse => Loss::MeanSquared,
    }
}

#[test]
fn losses_have_the_values_and_gradients_of_pytorch() {
    for case in &losses() {
        let objective = case.objective();
        let weights: Vec<f32> = objective.class_weights.iter().map(|&w| w as f32).collect();
        let mut criterion =
            Criterion::new(native_loss(&objective), &weights, case.classes().max(1));
        let labels = case.labels();
        let targets = match &labels {
            Labels::Classes(labels) => Targets::Classes(labels),
            Labels::Returns(labels) => Targets::Numbers(labels),
        };
        let mut gradients = Vec::new();

        let loss = criterion.differentiate(&case.scores.values, targets, &[], &mut gradients);

        assert_close(loss.mean(), case.value, CLOSE, &case.loss);
        assert_all_close(&gradients, &case.score_gradients.values, CLOSE, &case.loss);
    }
}

#[test]
fn the_figures_of_an_epoch_have_the_losses_of_pytorch() {
    for case in &losses() {
        let scored = Scored {
            scores: &case.scores.values,
            labels: &case.labels(),
            objective: &case.objective(),
        };
        assert_close(scored.criterion_value(), case.value, 1e-7, &case.loss);
    }
}

/// Three steps of an optimiser.
#[derive(Deserialize)]
struct StepsCase {
    optimiser: String,
    learning_rate: f64,
    weight_decay: f64,
    parameters: Vec<Tensor>,
    gradients: Vec<Vec<Tensor>>,
    after: Vec<Vec<Tensor>>,
}

#[test]
fn optimisers_make_the_steps_of_pytorch() {
    let cases: Vec<StepsCase> = cases(include_str!("../golden/optimisers.json"));
    assert_eq!(cases.len(), 8);

    for case in &cases {
        let method = match case.optimiser.as_str() {
            "adam" => Method::Adam,
            "adamw" => Method::AdamW,
            "sgd" => Method::Sgd { momentum: 0.9 },
            _ => Method::RmsProp,
        };
        let tensors = case.parameters.iter();
        let tensors = tensors.map(|tensor| TensorSpec::new(&tensor.name, tensor.shape.clone()));
        let tensors: Vec<TensorSpec> = tensors.collect();
        let optimiser = Optimiser::new(method, case.weight_decay, &tensors);
        let mut parameters = flat(&case.parameters);
        let mut moments = Moments::new(parameters.len());

        for (gradients, after) in case.gradients.iter().zip(&case.after) {
            let gradients = flat(gradients);
            optimiser.step(
                &mut parameters,
                &gradients,
                &mut moments,
                case.learning_rate,
            );
            assert_all_close(&parameters, &flat(after), CLOSE, &case.optimiser);
        }
    }
}

#[test]
fn clipping_shortens_a_gradient_as_pytorch_does() {
    for case in &clippings() {
        let mut gradients = flat(&case.gradients);
        clip(&mut gradients, case.gradient_clip);
        assert_all_close(&gradients, &flat(&case.after), CLOSE, "gradient");
    }
}

/// The rates of the epochs of a schedule that begins with 0.01.
#[derive(Deserialize)]
struct ScheduleCase {
    schedule: String,
    step_size: Option<u32>,
    gamma: Option<f64>,
    epochs: Option<u32>,
    minimum: Option<f64>,
    factor: Option<f64>,
    patience: Option<u32>,
    #[serde(default)]
    losses: Vec<f64>,
    learning_rates: Vec<f64>,
}

impl ScheduleCase {
    /// The settings that mean the same; `None` for the warm-up with a cosine, after which PyTorch
    /// trains one epoch more at the full rate. [`a_schedule_begins_after_the_warm_up`] has ours.
    fn settings(&self) -> Option<TrainingSettings> {
        let lr_scheduler = match self.schedule.as_str() {
            "step" => LearningRateSchedule::Step {
                step_size: self.step_size.unwrap(),
                gamma: self.gamma.unwrap(),
            },
            "exponential" => LearningRateSchedule::Exponential {
                gamma: self.gamma.unwrap(),
            },
            "cosine" => LearningRateSchedule::Cosine {
                min_lr: self.minimum.unwrap(),
            },
            "reduce_on_plateau" => LearningRateSchedule::ReduceOnPlateau {
                factor: self.factor.unwrap(),
                patience: self.patience.unwrap(),
                min_lr: 0.0,
            },
            "warm_up" => LearningRateSchedule::None,
            _ => return None,
        };
        // PyTorch counts the first epoch at the full rate to the warm-up.
        let is_warmup = self.schedule == "warm_up";
        let warmup_epochs = if is_warmup {
            self.epochs.unwrap() - 1
        } else {
            0
        };

        Some(TrainingSettings {
            learning_rate: 0.01,
            lr_scheduler,
            warmup_epochs,
            epochs: self.learning_rates.len() as u32,
            ..TrainingSettings::for_classes()
        })
    }
}

fn row_with_loss(epoch: u32, validation_loss: f64) -> EpochRow {
    EpochRow {
        epoch,
        train_loss: 1.0,
        train_accuracy: None,
        validation_loss,
        validation_accuracy: None,
        learning_rate: 0.0,
        seconds: 0.0,
    }
}

#[test]
fn schedules_have_the_rates_of_pytorch() {
    let cases: Vec<ScheduleCase> = cases(include_str!("../golden/schedules.json"));
    assert_eq!(cases.len(), 7);
    let settings = cases.iter().filter_map(ScheduleCase::settings);
    assert_eq!(settings.count(), 6);

    for case in &cases {
        let Some(settings) = case.settings() else {
            continue;
        };
        let mut rates = LearningRates::new(&settings, &[]);
        let mut history = Vec::new();
        for (index, expected) in case.learning_rates.iter().enumerate() {
            let epoch = index as u32 + 1;
            assert_close(rates.rate_of(epoch), *expected, 1e-9, &case.schedule);

            // A resumed training is at the same place.
            let resumed = LearningRates::new(&settings, &history);
            assert_eq!(resumed.rate_of(epoch), rates.rate_of(epoch));

            let row = row_with_loss(epoch, case.losses.get(index).copied().unwrap_or(1.0));
            rates.note_epoch(&row);
            history.push(row);
        }
    }
}

#[test]
fn a_schedule_begins_after_the_warm_up() {
    let settings = TrainingSettings {
        learning_rate: 0.8,
        warmup_epochs: 1,
        epochs: 4,
        lr_scheduler: LearningRateSchedule::Step {
            step_size: 1,
            gamma: 0.5,
        },
        ..TrainingSettings::for_classes()
    };
    let rates = LearningRates::new(&settings, &[]);

    // One half of the rate; then the full one, halved in each epoch.
    let all: Vec<f64> = (1..=4).map(|epoch| rates.rate_of(epoch)).collect();
    assert_eq!(all, [0.4, 0.8, 0.4, 0.2]);
}

/// Twenty epochs of a perceptron.
#[derive(Deserialize)]
struct CurveCase {
    seed: u64,
    hidden_layers: Vec<usize>,
    activation: Activation,
    epochs: u32,
    batch_size: u32,
    learning_rate: f64,
    weight_decay: f64,
    gradient_clip: f64,
    class_weights: Vec<f64>,
    train: CurvePart,
    validation: CurvePart,
    train_losses: Vec<f64>,
    validation_losses: Vec<f64>,
}

#[derive(Deserialize)]
struct CurvePart {
    features: Tensor,
    labels: Vec<i64>,
}

impl CurvePart {
    fn part(&self) -> PartData {
        PartData {
            features: self.features.values.clone(),
            labels: Labels::Classes(self.labels.clone()),
            windows: None,
        }
    }
}

impl CurveCase {
    fn settings(&self) -> TrainingSettings {
        let weights = self.class_weights.iter().enumerate();
        let by_name = weights.map(|(class, weight)| (format!("c{class}"), *weight));
        TrainingSettings {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            gradient_clip: self.gradient_clip,
            class_weights: ClassWeights::ByName(by_name.collect()),
            ..TrainingSettings::for_classes()
        }
    }
}

#[test]
fn twenty_epochs_have_the_losses_of_pytorch_in_both_engines() {
    let cases: Vec<CurveCase> = cases(include_str!("../golden/curve.json"));
    assert_eq!(cases.len(), 2);

    for case in &cases {
        let data = TrainingData {
            train: case.train.part(),
            validation: case.validation.part(),
            test: case.validation.part(),
            weights: None,
        };
        let shape = MlpShape {
            hidden_layers: case.hidden_layers.clone(),
            activation: case.activation,
            dropout: 0.0,
        };
        let inputs = *case.train.features.shape.last().unwrap();
        let network = class_network(Architecture::Mlp(shape), inputs, case.class_weights.len());

        let training = Case {
            data: &data,
            network: &network,
            settings: &case.settings(),
            seed: case.seed,
        };
        for engine in ENGINES {
            let trained = training.run_by(*engine);
            for (row, expected) in trained.history.iter().zip(&case.train_losses) {
                assert_close(row.train_loss, *expected, CLOSE_AFTER_EPOCHS, "train loss");
            }
            let expected = case.validation_losses.iter();
            for (row, expected) in trained.history.iter().zip(expected) {
                assert_close(
                    row.validation_loss,
                    *expected,
                    CLOSE_AFTER_EPOCHS,
                    "validation",
                );
            }
        }
    }
}
