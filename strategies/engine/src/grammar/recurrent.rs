//! The `architecture` of lstm and gru, and what they cannot be combined with.

use schemas::manifests::{Architecture, RecurrentShape};

use crate::fields::{Fields, RetiredKey};
use crate::finding::Finding;
use crate::strategy::TrainingSection;

/// The legal values of `dropout`, in every family.
pub(super) const DROPOUT: &str = "a number of at least 0 and below 1";

const SEQUENCE_LENGTH_MAX: u32 = 1_000;
const HIDDEN_SIZE_MAX: u32 = 1_024;
const LAYERS_MAX: u32 = 8;

const RETIRED_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "hidden_layers",
        "model.key",
        "this is a key of mlp; lstm and gru have hidden_size and num_layers",
    ),
    RetiredKey::new(
        "activation",
        "model.key",
        "this is a key of mlp; the gates of lstm and gru are always sigmoid and tanh",
    ),
];

/// Reads the layers; `None` after an error.
pub(super) fn read_recurrent(fields: Fields<'_>) -> Option<RecurrentShape> {
    fields.required("sequence_length");
    let sequence_length = fields.integer("sequence_length", 1, SEQUENCE_LENGTH_MAX);
    let hidden_size = fields.integer("hidden_size", 1, HIDDEN_SIZE_MAX);
    let num_layers = fields.integer("num_layers", 1, LAYERS_MAX);
    let dropout = fields.number("dropout", DROPOUT, |value| (0.0..1.0).contains(&value));
    fields.finish(RETIRED_KEYS);

    Some(RecurrentShape {
        sequence_length: sequence_length? as usize,
        hidden_size: hidden_size.unwrap_or(64) as usize,
        num_layers: num_layers.unwrap_or(2) as usize,
        dropout: dropout.unwrap_or(0.2),
    })
}

/// Reports windows of bars beside a filter that leaves few bars next to each other. `fields` are
/// those of the whole file.
pub(super) fn check_windows(
    fields: &Fields<'_>,
    architecture: Option<&Architecture>,
    training: Option<&TrainingSection>,
) {
    let reads_windows = architecture.is_some_and(|model| model.sequence_length() > 1);
    let has_events = training.is_some_and(|training| training.events.is_some());
    if !(reads_windows && has_events) {
        return;
    }

    let section = "model";
    let line = fields.line_in_section(section, "type");
    let message = "lstm and gru read windows of consecutive bars, and cusum_threshold and \
                   cusum_multiplier leave only the bars of events: remove them, or use mlp with \
                   lags in nn_inputs";
    let path = format!("{section}.type");
    let finding = Finding::error(path, line, "model.unsupported", message);
    fields.sink.push(finding);
}
