//! Words and numbers that several crates must agree on: parts of a data set, files of an artifact.

/// Name of the part that the network learns from.
pub const TRAIN_PART: &str = "train";
/// Name of the part that decides when to stop and which weights to keep.
pub const VALIDATION_PART: &str = "validation";
/// Name of the part that gives the final figures, and nothing else.
pub const TEST_PART: &str = "test";
/// The parts of a data set, in the order of time. A data set stores a part as its index here.
pub const PARTS: [&str; 3] = [TRAIN_PART, VALIDATION_PART, TEST_PART];

/// Name of the rows that no training ever reads: they are an object of their own.
pub const SEALED_PART: &str = "sealed";
/// What a decision after the last row of a data set belongs to.
pub const LATER: &str = "later";

/// Weights of a checkpoint or an artifact: PyTorch's names, float32.
pub const MODEL_FILE: &str = "model.safetensors";
/// Moments of the optimiser and best weights of a checkpoint, flat, in the order of the tensors.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// The file of a checkpoint that is written last and makes it visible.
pub const CHECKPOINT_STATE_FILE: &str = "state.json";
/// Scores of an artifact by part, and its headline figures.
pub const METRICS_FILE: &str = "metrics.json";
/// The same figures as one long table.
pub const METRICS_TABLE_FILE: &str = "metrics.parquet";
/// The epochs of a training: one row per epoch.
pub const HISTORY_FILE: &str = "history.parquet";
/// The epochs of a training in detail, where it was asked for: one row per epoch.
pub const ANALYTICS_FILE: &str = "analytics.parquet";
/// Rules of a neuro-fuzzy network with their support, in an artifact.
pub const RULES_FILE: &str = "rules.json";

/// Name of the threshold of an event filter among those that were fitted on the training part.
pub const EVENT_THRESHOLD: &str = "event_threshold";

/// Microseconds of a day of 24 hours.
pub const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;
