//! The `training` section: labels, split, and everything the trainer obeys.

use schemas::training::{EarlyStopping, Loss, TrainingSettings};

use super::decisions::{OutputFormat, report_wrong_format};
use super::{dates, labels};
use crate::fields::{Fields, RetiredKey};
use crate::finding::{Finding, rounded};
use crate::labels::LabelSource;
use crate::strategy::{Split, TrainingSection};

const RETIRED_KEYS: &[RetiredKey] = &[
    RetiredKey::new("lr_scheduler", "training.unsupported", NO_SCHEDULES),
    RetiredKey::new("lr_schedule", "training.unsupported", NO_SCHEDULES),
    RetiredKey::new(
        "optimizer_params",
        "training.unsupported",
        "adam has weight_decay and learning_rate, both keys of `training`",
    ),
    RetiredKey::new(
        "method",
        "key.no_effect",
        "training is always supervised: remove the key",
    ),
    RetiredKey::new(
        "validation_split",
        "key.moved",
        "this key had no effect: write data_split: {train, validation, test}",
    ),
    RetiredKey::new(
        "fitness_metrics",
        "key.no_effect",
        "all metrics are always reported: remove the key",
    ),
];

const NO_SCHEDULES: &str = "the learning rate is constant; schedules are not supported yet";

/// How far the shares of `data_split` may be from a sum of 1, for rounding.
const SHARE_TOLERANCE: f64 = 1e-9;

const POSITIVE: &str = "a number above 0";
const NOT_NEGATIVE: &str = "a number of 0 or more";

/// Reads the section; `None` after an error. `output_format` is `None` when it could not be read.
pub(super) fn read_training(
    fields: Fields<'_>,
    output_format: Option<OutputFormat>,
) -> Option<TrainingSection> {
    let labels = fields
        .required_section("labels")
        .and_then(labels::read_labels);
    let format_of_labels = labels.as_ref().map(|labels| format_of(&labels.source));
    if let Some(labels) = &labels {
        check_format(&fields, &labels.source, output_format);
    }

    // The labels stand in for a format that could not be read: the loss is checked either way.
    let settings = read_settings(&fields, output_format.or(format_of_labels));
    fields.word("optimizer", &[("adam", ())]);
    let seed = fields.integer("seed", 0, u32::MAX);
    let embargo_bars = fields.integer("embargo_bars", 0, 1_000_000);
    let split = read_split(&fields);
    let has_epochs = fields.has("epochs");
    fields.finish(RETIRED_KEYS);

    let labels = labels?;
    Some(TrainingSection {
        labels: labels.source,
        events: labels.events,
        weighted: labels.weighted,
        settings,
        has_epochs,
        seed: seed.map_or(42, u64::from),
        split: split?,
        embargo_bars,
    })
}

/// The format that a label source asks for.
fn format_of(source: &LabelSource) -> OutputFormat {
    if source.classes().is_empty() {
        OutputFormat::Regression
    } else {
        OutputFormat::Classification
    }
}

/// Reports labels that the output format cannot learn.
fn check_format(fields: &Fields<'_>, source: &LabelSource, output_format: Option<OutputFormat>) {
    // An unknown format fits everything: it is a finding already.
    match (output_format, format_of(source)) {
        (Some(OutputFormat::Classification), OutputFormat::Regression) => report_wrong_format(
            fields,
            "labels",
            "forward returns are numbers: set decisions.output_format to regression, or use a \
             source with classes",
            &labels::SOURCES_OF_CLASSES,
        ),

        (Some(OutputFormat::Regression), OutputFormat::Classification) => report_wrong_format(
            fields,
            "labels",
            "a regression learns numbers and this source gives classes",
            &["forward_return"],
        ),
        _ => {}
    }
}

fn read_settings(fields: &Fields<'_>, output_format: Option<OutputFormat>) -> TrainingSettings {
    let mut settings = if output_format == Some(OutputFormat::Regression) {
        TrainingSettings::for_regression()
    } else {
        TrainingSettings::for_classes()
    };

    // Whatever the file does not say keeps the default of its output format.
    if let Some(epochs) = fields.integer("epochs", 1, 100_000) {
        settings.epochs = epochs;
    }
    if let Some(learning_rate) = fields.positive_number("learning_rate", POSITIVE) {
        settings.learning_rate = learning_rate;
    }
    if let Some(batch_size) = fields.integer("batch_size", 1, 1_000_000) {
        settings.batch_size = batch_size;
    }
    if let Some(loss) = read_loss(fields, output_format) {
        settings.loss = loss;
    }
    if let Some(weight_decay) = number_from_zero(fields, "weight_decay", NOT_NEGATIVE) {
        settings.weight_decay = weight_decay;
    }
    let clip = number_from_zero(fields, "gradient_clip", "a number above 0, or 0 for none");
    if let Some(gradient_clip) = clip {
        settings.gradient_clip = gradient_clip;
    }
    settings.early_stopping = fields.section("early_stopping").map(read_early_stopping);
    if let Some(threads) = fields.integer("threads", 1, 64) {
        settings.threads = threads;
    }
    settings
}

fn number_from_zero(fields: &Fields<'_>, key: &'static str, expected: &str) -> Option<f64> {
    fields.number(key, expected, |value| value >= 0.0)
}

/// The loss as written, or the default one of the output format; `None` after an unknown word.
fn read_loss(fields: &Fields<'_>, output_format: Option<OutputFormat>) -> Option<Loss> {
    // Parameters are read whatever the loss, so that a wrong one is reported in any case.
    let huber = Loss::Huber {
        delta: fields
            .positive_number("huber_delta", POSITIVE)
            .unwrap_or(0.01),
    };
    let focal = Loss::Focal {
        gamma: number_from_zero(fields, "focal_gamma", NOT_NEGATIVE).unwrap_or(2.0),
    };
    let losses = [
        ("cross_entropy", Loss::CrossEntropy),
        ("focal", focal),
        ("huber", huber),
        ("mse", Loss::Mse),
    ];
    let loss = match fields.word("loss", &losses) {
        Some(loss) => loss,
        None if fields.has("loss") => return None,
        None if output_format == Some(OutputFormat::Regression) => huber,
        None => Loss::CrossEntropy,
    };

    check_loss(fields, &loss, output_format);
    Some(loss)
}

/// Reports a loss of the other output format, and parameters of a loss that is not in use.
fn check_loss(fields: &Fields<'_>, loss: &Loss, output_format: Option<OutputFormat>) {
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

    // A parameter of another loss would be ignored.
    let parameters = [
        ("huber_delta", matches!(loss, Loss::Huber { .. })),
        ("focal_gamma", matches!(loss, Loss::Focal { .. })),
    ];
    for (key, is_in_use) in parameters {
        if !is_in_use && fields.has(key) {
            let message = "the selected loss has no such parameter: remove the key";
            fields.add_error(key, "key.no_effect", message);
        }
    }
}

fn read_early_stopping(section: Fields<'_>) -> EarlyStopping {
    let default = EarlyStopping::default();
    let patience = section.integer("patience", 1, 100_000);
    let min_delta = number_from_zero(&section, "min_delta", NOT_NEGATIVE);

    // The only quantity that can be monitored; other words are refused.
    section.word("monitor", &[("val_loss", ())]);
    section.finish(&[]);

    EarlyStopping {
        patience: patience.unwrap_or(default.patience),
        min_delta: min_delta.unwrap_or(default.min_delta),
        ..default
    }
}

/// `data_split` (shares) or `split` (dates); shares of 70, 15 and 15 % without either.
fn read_split(fields: &Fields<'_>) -> Option<Split> {
    let shares = fields.section("data_split");
    let dates = fields.section("split");
    if shares.is_some() && dates.is_some() {
        fields.add_error(
            "split",
            "split.twice",
            "give either `data_split` (shares) or `split` (dates)",
        );
    }

    // Both are read although only one may stay: otherwise the faults of the other would come up
    // only in the next run.
    let split_by_shares = shares.map(read_shares);
    let split_by_dates = dates.map(read_dates);
    split_by_dates
        .or(split_by_shares)
        .unwrap_or(Some(Split::Fractions {
            train: 0.7,
            validation: 0.15,
            test: 0.15,
        }))
}

fn read_dates(section: Fields<'_>) -> Option<Split> {
    section.required("validation_start");
    section.required("test_start");
    let validation_start = dates::read_instant(&section, "validation_start");
    let test_start = dates::read_instant(&section, "test_start");

    // Equal dates would leave the validation part empty.
    let is_reversed = validation_start
        .zip(test_start)
        .is_some_and(|(validation, test)| test <= validation);
    if is_reversed {
        let message = "test_start is not after validation_start";
        section.add_error("test_start", "date.order", message);
    }
    section.finish(&[]);

    Some(Split::Dates {
        validation_start: validation_start?,
        test_start: test_start?,
    })
}

fn read_shares(section: Fields<'_>) -> Option<Split> {
    section.required("train");
    section.required("validation");
    let train = read_share(&section, "train");
    let validation = read_share(&section, "validation");
    let written_test = read_share(&section, "test");
    let has_test = section.has("test");
    let path = section.path.clone();
    let line = section.line;
    let sink = section.sink;
    section.finish(&[]);

    // Without a share of its own the test part gets what is left.
    let train = train?;
    let validation = validation?;
    let test = if has_test {
        written_test?
    } else {
        1.0 - train - validation
    };

    let sum = train + validation + test;
    let message = if (sum - 1.0).abs() > SHARE_TOLERANCE {
        Some(format!(
            "train, validation and test must sum to 1; they sum to {}",
            rounded(sum)
        ))
    } else if test <= 0.0 {
        Some(format!(
            "train and validation leave nothing for the test part: they sum to {}",
            rounded(train + validation)
        ))
    } else {
        None
    };
    if let Some(message) = message {
        sink.push(Finding::error(path, line, "split.sum", message));
    }
    Some(Split::Fractions {
        train,
        validation,
        test,
    })
}

fn read_share(section: &Fields<'_>, key: &'static str) -> Option<f64> {
    section.number(key, "a share above 0 and below 1", |value| {
        value > 0.0 && value < 1.0
    })
}
