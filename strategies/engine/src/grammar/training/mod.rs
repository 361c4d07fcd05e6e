//! The `training` section: labels, split, and everything the trainer obeys.

mod class_weights;
mod schedule;
mod settings;
mod split;
mod steps;

use schemas::training::TrainingSettings;

use super::decisions::{OutputFormat, report_wrong_format};
use super::labels;
use crate::fields::{Fields, RetiredKey, Sink};
use crate::finding::Finding;
use crate::labels::LabelSource;
use crate::strategy::TrainingSection;
use crate::yaml::Node;

const RETIRED_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "lr_schedule",
        "key.moved",
        "write lr_scheduler, as in `lr_scheduler: cosine`",
    ),
    RetiredKey::new(
        "optimizer_params",
        "key.moved",
        "this section had no effect: write learning_rate, weight_decay and, for sgd, momentum as \
         keys of `training`",
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
    let classes = labels.as_ref().map(|labels| labels.source.classes());
    let format = output_format.or(format_of_labels);
    let settings = settings::read_settings(&fields, format, classes);
    let seed = read_seed(&fields);
    let embargo_bars = fields.integer("embargo_bars", 0, 1_000_000);
    let split = split::read_split(&fields);
    let has_epochs = fields.has("epochs");
    fields.finish(RETIRED_KEYS);

    let labels = labels?;
    Some(TrainingSection {
        labels: labels.source,
        events: labels.events,
        weighted: labels.weighted,
        settings,
        has_epochs,
        seed: seed.unwrap_or(42),
        split: split?,
        embargo_bars,
    })
}

fn read_seed(fields: &Fields<'_>) -> Option<u64> {
    fields.integer("seed", 0, u32::MAX).map(u64::from)
}

/// Settings that a request has changed.
pub(crate) struct ChangedSettings {
    /// As far as the request can be understood; the strategy's where it cannot.
    pub(crate) settings: TrainingSettings,
    /// The seed, if the request has changed it.
    pub(crate) seed: Option<u64>,
    /// Everything that is wrong with the request.
    pub(crate) findings: Vec<Finding>,
}

/// The settings of a strategy with `changes`, a mapping with keys of `training`.
pub(crate) fn change_settings(training: &TrainingSection, changes: &Node) -> ChangedSettings {
    let sink = Sink::default();
    let fields = Fields::of(changes, "request", &sink);

    // Checked as if the file said it: a request is no way around the grammar.
    let settings = settings::read_changed_settings(
        &fields,
        &training.settings,
        Some(format_of(&training.labels)),
        Some(training.labels.classes()),
    );
    let seed = read_seed(&fields);
    fields.finish(RETIRED_KEYS);

    ChangedSettings {
        settings,
        seed,
        findings: sink.into_findings(),
    }
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
