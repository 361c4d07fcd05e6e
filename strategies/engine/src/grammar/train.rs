//! The `training` section: labels, split, and everything the trainer obeys.

use schemas::training::{EarlyStopping, Loss, TrainingSettings};

use super::model::wrong_format;
use super::{data, labels};
use crate::fields::{Fields, Retired};
use crate::finding::{Finding, rounded};
use crate::labels::LabelSource;
use crate::strategy::{Split, Training};

const RETIRED: &[Retired] = &[
    (
        "lr_scheduler",
        "training.unsupported",
        "the learning rate is constant; schedules are not supported yet",
    ),
    (
        "lr_schedule",
        "training.unsupported",
        "the learning rate is constant; schedules are not supported yet",
    ),
    (
        "optimizer_params",
        "training.unsupported",
        "adam has weight_decay and learning_rate, both keys of `training`",
    ),
    (
        "method",
        "key.no_effect",
        "training is always supervised: remove the key",
    ),
    (
        "validation_split",
        "key.moved",
        "this key had no effect: write data_split: {train, validation, test}",
    ),
    (
        "fitness_metrics",
        "key.no_effect",
        "all metrics are always reported: remove the key",
    ),
];

/// Where the shares of `data_split` may differ from 1 by rounding.
const SHARE_TOLERANCE: f64 = 1e-9;

/// Reads the section; `None` after an error. `regression` is the output format, `None` when it is
/// not known.
pub(super) fn read(fields: Fields<'_>, regression: Option<bool>) -> Option<Training> {
    let labels = fields.required_section("labels").and_then(labels::read);
    if let (Some(labels), Some(regression)) = (&labels, regression) {
        check_format(&fields, &labels.source, regression);
    }
    let regression = regression.or_else(|| {
        labels
            .as_ref()
            .map(|labels| labels.source.classes().is_empty())
    });
    let settings = settings(&fields, regression);
    fields.word("optimizer", &[("adam", ())]);
    let seed = fields.integer("seed", 0, u32::MAX);
    let embargo_bars = fields.integer("embargo_bars", 0, 1_000_000);
    let split = split(&fields);
    fields.finish(RETIRED);
    let labels::Section {
        source,
        events,
        weighted,
    } = labels?;
    let (seed, split) = (seed.map_or(42, u64::from), split?);
    Some(Training {
        labels: source,
        events,
        weighted,
        settings,
        seed,
        split,
        embargo_bars,
    })
}

fn check_format(fields: &Fields<'_>, labels: &LabelSource, regression: bool) {
    let is_regression = labels.classes().is_empty();
    if is_regression == regression {
        return;
    }
    let (message, allowed): (_, &[&str]) = if is_regression {
        (
            "forward returns are numbers: write decisions.output_format: regression, or a source with classes",
            &labels::SOURCES_OF_CLASSES,
        )
    } else {
        (
            "a regression learns numbers and this source gives classes",
            &["forward_return"],
        )
    };
    wrong_format(fields, "labels", message, allowed);
}

fn settings(fields: &Fields<'_>, regression: Option<bool>) -> TrainingSettings {
    let usual = if regression == Some(true) {
        TrainingSettings::for_regression()
    } else {
        TrainingSettings::for_classes()
    };
    let positive = |value: f64| value > 0.0;
    let not_negative = |value: f64| value >= 0.0;
    TrainingSettings {
        epochs: fields.integer("epochs", 1, 100_000).unwrap_or(usual.epochs),
        learning_rate: fields
            .number("learning_rate", "a number above 0", positive)
            .unwrap_or(usual.learning_rate),
        batch_size: fields
            .integer("batch_size", 1, 1_000_000)
            .unwrap_or(usual.batch_size),
        loss: loss(fields, regression).unwrap_or(usual.loss),
        weight_decay: fields
            .number("weight_decay", "a number of 0 or more", not_negative)
            .unwrap_or(usual.weight_decay),
        gradient_clip: fields
            .number(
                "gradient_clip",
                "a number above 0, or 0 for none",
                not_negative,
            )
            .unwrap_or(usual.gradient_clip),
        early_stopping: early_stopping(fields),
        threads: fields.integer("threads", 1, 64).unwrap_or(usual.threads),
    }
}

fn loss(fields: &Fields<'_>, regression: Option<bool>) -> Option<Loss> {
    let delta = fields.number("huber_delta", "a number above 0", |value| value > 0.0);
    let gamma = fields.number("focal_gamma", "a number of 0 or more", |value| value >= 0.0);
    let losses = [
        ("cross_entropy", Loss::CrossEntropy),
        (
            "focal",
            Loss::Focal {
                gamma: gamma.unwrap_or(2.0),
            },
        ),
        (
            "huber",
            Loss::Huber {
                delta: delta.unwrap_or(0.01),
            },
        ),
        ("mse", Loss::Mse),
    ];
    let loss = match fields.word("loss", &losses) {
        None if fields.has("loss") => return None,
        None if regression == Some(true) => Loss::Huber {
            delta: delta.unwrap_or(0.01),
        },
        None => Loss::CrossEntropy,
        Some(loss) => loss,
    };
    if let Some(regression) = regression.filter(|regression| loss.is_for_classes() == *regression) {
        let (message, allowed) = if regression {
            ("this loss is for classes", ["huber", "mse"])
        } else {
            ("this loss is for regression", ["cross_entropy", "focal"])
        };
        wrong_format(fields, "loss", message, &allowed);
    }
    let needless = [
        ("huber_delta", matches!(loss, Loss::Huber { .. })),
        ("focal_gamma", matches!(loss, Loss::Focal { .. })),
    ];
    for (key, _) in needless
        .into_iter()
        .filter(|(key, used)| !used && fields.has(key))
    {
        fields.finding(
            key,
            "key.no_effect",
            "the loss in use has no such parameter: remove the key",
        );
    }
    Some(loss)
}

fn early_stopping(fields: &Fields<'_>) -> Option<EarlyStopping> {
    let section = fields.section("early_stopping")?;
    let usual = EarlyStopping::default();
    let patience = section
        .integer("patience", 1, 100_000)
        .unwrap_or(usual.patience);
    let min_delta = section
        .number("min_delta", "a number of 0 or more", |value| value >= 0.0)
        .unwrap_or(usual.min_delta);
    section.word("monitor", &[("val_loss", ())]);
    section.finish(&[]);
    Some(EarlyStopping {
        patience,
        min_delta,
    })
}

fn split(fields: &Fields<'_>) -> Option<Split> {
    let (shares, dates) = (fields.section("data_split"), fields.section("split"));
    if shares.is_some() && dates.is_some() {
        fields.finding(
            "split",
            "split.twice",
            "give either `data_split` (shares) or `split` (dates)",
        );
    }
    // Both are read even if only one may stay: what is wrong in the other would be found in the
    // next run otherwise.
    match (shares.map(split_by_shares), dates.map(split_by_dates)) {
        (None, None) => Some(Split::Fractions {
            train: 0.7,
            validation: 0.15,
            test: 0.15,
        }),
        (Some(split), None) | (_, Some(split)) => split,
    }
}

fn split_by_dates(section: Fields<'_>) -> Option<Split> {
    let date = |key| {
        section
            .required(key)
            .and_then(|_| data::date(&section, key, false))
    };
    let (validation_start, test_start) = (date("validation_start"), date("test_start"));
    if let (Some(validation), Some(test)) = (validation_start, test_start)
        && test <= validation
    {
        section.finding(
            "test_start",
            "date.order",
            "test_start is not after validation_start",
        );
    }
    section.finish(&[]);
    Some(Split::Dates {
        validation_start: validation_start?,
        test_start: test_start?,
    })
}

fn split_by_shares(section: Fields<'_>) -> Option<Split> {
    let share = |key| {
        section.number(key, "a share above 0 and below 1", |value| {
            value > 0.0 && value < 1.0
        })
    };
    let (train, validation, test) = (share("train"), share("validation"), share("test"));
    for key in ["train", "validation"] {
        section.required(key);
    }
    let (given, path, line) = (section.has("test"), section.path.clone(), section.line);
    let sink = section.sink;
    section.finish(&[]);
    let (train, validation) = (train?, validation?);
    let test = if given {
        test?
    } else {
        1.0 - train - validation
    };
    let sum = train + validation + test;
    if (sum - 1.0).abs() > SHARE_TOLERANCE {
        let message = format!(
            "train, validation and test must sum to 1, they sum to {}",
            rounded(sum)
        );
        sink.push(Finding::error(path, line, "split.sum", message));
    } else if test <= 0.0 {
        let message = format!(
            "train and validation leave nothing for the test: they sum to {}",
            rounded(train + validation)
        );
        sink.push(Finding::error(path, line, "split.sum", message));
    }
    Some(Split::Fractions {
        train,
        validation,
        test,
    })
}
