//! What the trainer obeys: every key with its bounds, then all of them together.
//!
//! A file and a request are read by the same functions: the keys of a file change the defaults of
//! its output format, those of a request the settings of its strategy.

use schemas::training::{Calibration, ClassWeights, Engine, Loss, TargetScale, TrainingSettings};

use super::super::decisions::{OutputFormat, report_wrong_format};
use super::class_weights::read_class_weights;
use super::schedule::{read_early_stopping, read_schedule};
use super::steps::{OPTIMIZERS, read_learning_rate};
use crate::fields::Fields;
use crate::strategy::{SettingKeys, owned_keys};

/// What `loss` may be, with the parameters of each by default.
const LOSSES: [(&str, Loss); 4] = [
    ("cross_entropy", Loss::CrossEntropy),
    ("focal", Loss::Focal { gamma: 2.0 }),
    ("huber", Loss::Huber { delta: 0.01 }),
    ("mse", Loss::Mse),
];

const TARGET_SCALES: [(&str, TargetScale); 2] =
    [("none", TargetScale::None), ("std", TargetScale::Std)];

const CALIBRATIONS: [(&str, Calibration); 2] = [
    ("none", Calibration::None),
    ("temperature", Calibration::Temperature),
];

const ENGINES: [(&str, Engine); 3] = [
    ("auto", Engine::Auto),
    ("native", Engine::Native),
    ("libtorch", Engine::Libtorch),
];

/// The settings of a file: what it does not say keeps the default of its output format. `classes`
/// are those of its labels, `None` where they could not be read.
pub(super) fn read_settings(
    fields: &Fields<'_>,
    output_format: Option<OutputFormat>,
    classes: Option<&'static [&'static str]>,
) -> TrainingSettings {
    let defaults = if output_format == Some(OutputFormat::Regression) {
        TrainingSettings::for_regression()
    } else {
        TrainingSettings::for_classes()
    };
    read_changed_settings(fields, &defaults, output_format, classes)
}

/// `before` with every key that `fields` have.
pub(super) fn read_changed_settings(
    fields: &Fields<'_>,
    before: &TrainingSettings,
    output_format: Option<OutputFormat>,
    classes: Option<&'static [&'static str]>,
) -> TrainingSettings {
    let keys = read_keys(fields, before, classes);
    if let Some(loss) = &keys.loss {
        check_format(fields, loss, output_format);
    }

    let settings = keys.apply_to(before);
    check_owned_keys(fields, &keys, &settings);
    check_class_weights(fields, &keys, &settings);
    check_rules(fields, &settings);
    settings
}

fn read_keys(
    fields: &Fields<'_>,
    before: &TrainingSettings,
    classes: Option<&'static [&'static str]>,
) -> SettingKeys {
    let optimizer = fields.word("optimizer", &OPTIMIZERS);

    // Parameters are read whatever they belong to, so that a wrong one is reported in any case.
    SettingKeys {
        epochs: fields.integer("epochs", 1, 100_000),
        learning_rate: read_learning_rate(fields, optimizer, before),
        lr_scheduler: read_schedule(fields, before.lr_scheduler),
        warmup_epochs: fields.integer("warmup_epochs", 0, 99_999),
        batch_size: fields.integer("batch_size", 1, 1_000_000),
        optimizer,
        momentum: fields.number("momentum", "a number of at least 0 and below 1", |value| {
            (0.0..1.0).contains(&value)
        }),
        loss: fields.word("loss", &LOSSES),
        focal_gamma: fields.number("focal_gamma", "a number from 0 to 10", |value| {
            (0.0..=10.0).contains(&value)
        }),
        huber_delta: fields.positive_number("huber_delta", "a number above 0"),
        label_smoothing: fields.number(
            "label_smoothing",
            "a share of at least 0 and below 1",
            |value| (0.0..1.0).contains(&value),
        ),
        class_weights: read_class_weights(fields, classes),
        target_scale: fields.word("target_scale", &TARGET_SCALES),
        calibration: fields.word("calibration", &CALIBRATIONS),
        weight_decay: fields.number("weight_decay", "a number from 0 to 1", |value| {
            (0.0..=1.0).contains(&value)
        }),
        gradient_clip: fields.number(
            "gradient_clip",
            "a number above 0, or 0 for none",
            |value| value >= 0.0,
        ),
        early_stopping: read_early_stopping(fields, before.early_stopping),
        threads: fields.integer("threads", 1, 64),
        engine: fields.word("engine", &ENGINES),
        detailed_analytics: fields.boolean("detailed_analytics"),
    }
}

/// Reports a loss of the other output format.
fn check_format(fields: &Fields<'_>, loss: &Loss, output_format: Option<OutputFormat>) {
    match output_format {
        Some(OutputFormat::Regression) if loss.is_for_classes() => {
            let fitting_words = ["huber", "mse"];
            report_wrong_format(fields, "loss", "this loss is for classes", &fitting_words);
        }
        Some(OutputFormat::Classification) if !loss.is_for_classes() => {
            let fitting_words = ["cross_entropy", "focal"];
            report_wrong_format(
                fields,
                "loss",
                "this loss is for regression",
                &fitting_words,
            );
        }
        _ => {}
    }
}

/// Reports parameters of an optimiser or a loss that is not in use: they would be ignored.
fn check_owned_keys(fields: &Fields<'_>, keys: &SettingKeys, settings: &TrainingSettings) {
    for owned in owned_keys(settings) {
        // A choice that is misspelt may be meant to have the parameter.
        let is_readable = match owned.choice {
            "optimizer" => keys.optimizer.is_some(),
            _ => keys.loss.is_some(),
        };
        let is_misspelt = fields.has(owned.choice) && !is_readable;
        if owned.is_in_use || is_misspelt || !fields.has(owned.key) {
            continue;
        }
        let message = format!(
            "only `{}: {}` has this parameter: remove the key, or choose that",
            owned.choice, owned.word
        );
        fields.add_error(owned.key, "key.no_effect", message);
    }
}

/// Reports class weights of a regression.
fn check_class_weights(fields: &Fields<'_>, keys: &SettingKeys, settings: &TrainingSettings) {
    // Weights by name are a broken rule of the settings and come up there.
    let is_balanced = keys.class_weights == Some(ClassWeights::Balanced);
    if is_balanced && !settings.loss.is_for_classes() && !fields.has_finding("loss") {
        let message = "a regression has no classes: remove the key";
        fields.add_error("class_weights", "key.no_effect", message);
    }
}

/// Reports what no key breaks alone.
fn check_rules(fields: &Fields<'_>, settings: &TrainingSettings) {
    for rule in settings.broken_rules() {
        // A key that could not be read stands for a value that nobody has written.
        if rule.keys.iter().any(|key| fields.has_finding(key)) {
            continue;
        }

        // A request that changes one key alone may break a rule about another.
        let keys_written = rule.keys.iter().filter(|key| fields.has(key));
        let key = keys_written.copied().next().or(rule.keys.first().copied());
        let Some(key) = key else { continue };
        let rule_id = if needs_other_loss(rule.keys) {
            "key.no_effect"
        } else {
            "value.range"
        };
        fields.add_error(key, rule_id, rule.text);
    }
}

/// True for the rules about keys that only some losses have.
fn needs_other_loss(keys: &[&str]) -> bool {
    keys.len() > 1 && keys.contains(&"loss")
}
