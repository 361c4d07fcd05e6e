//! Why a training did not end with a model, and what to do about it.

use std::borrow::Cow;

use schemas::codes::{self, Advice, Code};

use crate::engine::EngineError;
use crate::state::TrainState;

/// Why [`crate::train`] returned no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The settings cannot be trained with.
    #[error("the training settings break a rule: {}", problems.join("; "))]
    Settings {
        /// One sentence per broken rule.
        problems: Vec<String>,
    },
    /// A part of the data without rows.
    #[error("the {part} part has no rows")]
    EmptyPart {
        /// `train`, `validation` or `test`.
        part: &'static str,
    },
    /// Rows that do not say which bar they are, for a network that reads windows of bars.
    #[error("the data set does not say which bar each row is: an older program made it")]
    NoBars,
    /// A part without one window of consecutive bars.
    #[error(
        "the {part} part has no window of {length} consecutive bars: the longest stretch of its \
         {rows} rows has {longest}"
    )]
    NoWindow {
        /// `train`, `validation` or `test`.
        part: &'static str,
        /// Rows that a window needs.
        length: usize,
        /// Rows of the part.
        rows: usize,
        /// Rows of its longest stretch of consecutive bars.
        longest: usize,
    },
    /// The features of a part are not rows × columns of the network.
    #[error(
        "the {part} part has {values} feature values for {rows} labels; \
         the network takes {width} per row"
    )]
    Shape {
        /// Name of the part.
        part: &'static str,
        /// Number of labels.
        rows: usize,
        /// Number of feature values.
        values: usize,
        /// Columns of the network.
        width: usize,
    },
    /// The columns of the data set are not those of the network, in its order.
    #[error("feature {position} of the data set is {found}; the network takes {expected}")]
    Column {
        /// Position from 1.
        position: usize,
        /// Column of the network, or nothing.
        expected: String,
        /// Column of the data set, or nothing.
        found: String,
    },
    /// A feature or a label that is NaN or infinite, or a weight that is not above 0.
    #[error("row {row} of the {part} part holds {value} in {column}")]
    Value {
        /// Name of the part.
        part: &'static str,
        /// Row of the part, from 0.
        row: usize,
        /// Name of the feature, `label` or `weight`.
        column: String,
        /// The value that cannot be used.
        value: f32,
    },
    /// Weights of some rows only, or of none although the strategy asks for them.
    #[error("{rows} training rows have {weights} weights")]
    Weights {
        /// Number of weights that were given.
        weights: usize,
        /// Number of training rows.
        rows: usize,
    },
    /// A label that is not a class of the network.
    #[error("row {row} of the {part} part has class {label}; the network has {classes} classes")]
    Label {
        /// Name of the part.
        part: &'static str,
        /// Row of the part, from 0.
        row: usize,
        /// The label as stored.
        label: i64,
        /// Number of classes.
        classes: usize,
    },
    /// The labels, the network's outputs and the loss are not of one kind.
    #[error("labels, outputs and loss must all be for classes or all for regression")]
    Kinds,
    /// Classes without a single training row: nothing can be learnt about them.
    #[error("the train part has no row of class {}", names.join(", "))]
    ClassAbsent {
        /// Names of the absent classes.
        names: Vec<String>,
    },
    /// Features that have one value in every row: nothing can be learnt from them.
    #[error(
        "no feature changes in the {rows} rows of the train part: there is nothing to learn from"
    )]
    Constant {
        /// Rows of the part.
        rows: usize,
    },
    /// The checkpoint belongs to another training.
    #[error("the checkpoint does not belong to this training: its {what} differs")]
    Checkpoint {
        /// The part that differs, as a noun.
        what: &'static str,
    },
    /// A file of a checkpoint or an artifact cannot be written or read.
    #[error("{file} cannot be {doing}")]
    File {
        /// Name of the file.
        file: &'static str,
        /// `read` or `written`.
        doing: &'static str,
        /// Why it cannot.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// libtorch refused a calculation.
    #[error("libtorch failed")]
    Libtorch(#[source] EngineError),
    /// The training does not fit the memory of its device, however small its batches were made.
    #[error("the training ran out of memory with batches of {batch_size} rows")]
    OutOfMemory {
        /// Rows of the smallest batch that was tried.
        batch_size: u32,
        /// The state after the last whole epoch; absent in the first epoch.
        last_good: Option<Box<TrainState>>,
        /// What libtorch said.
        #[source]
        source: EngineError,
    },
    /// The training must run in libtorch, and this program was built without it.
    #[error("this training needs libtorch, and this trainer was built without it")]
    WithoutLibtorch,
    /// The loss became NaN or infinite.
    #[error("the training diverged in epoch {epoch}, seen at batch {batch}")]
    Diverged {
        /// Epoch from 1.
        epoch: u32,
        /// Batch from 1 at which it was noticed; one past the last when the validation loss showed
        /// it.
        batch: u32,
        /// The state after the last epoch whose losses were finite; absent in the first epoch.
        last_good: Option<Box<TrainState>>,
    },
    /// The best epoch is far worse than answering without a model.
    #[error(
        "the training diverged: its best error on validation is {error:.4e}, that of the simplest \
         rival {rival:.4e}"
    )]
    Hopeless {
        /// Mean error of a regression, loss of a classification.
        error: f64,
        /// The same of the mean of the training labels, or of the shares of the classes.
        rival: f64,
    },
    /// The control asked to stop.
    #[error("the training was cancelled")]
    Cancelled {
        /// The state after the last whole epoch; absent in the first epoch.
        last: Option<Box<TrainState>>,
    },
}

impl TrainError {
    /// The last good state that this error carries.
    pub fn last_state(&self) -> Option<&TrainState> {
        match self {
            Self::Diverged {
                last_good: state, ..
            }
            | Self::OutOfMemory {
                last_good: state, ..
            }
            | Self::Cancelled { last: state } => state.as_deref(),
            _ => None,
        }
    }
}

impl Advice for TrainError {
    fn code(&self) -> Code {
        match self {
            Self::Settings { .. } | Self::Kinds => codes::TRAIN_INVALID_SETTINGS,
            Self::EmptyPart { .. } | Self::NoWindow { .. } => codes::TRAIN_EMPTY_PART,
            Self::NoBars
            | Self::Shape { .. }
            | Self::Column { .. }
            | Self::Value { .. }
            | Self::Weights { .. }
            | Self::Label { .. }
            | Self::Constant { .. } => codes::TRAIN_INVALID_DATASET,
            Self::ClassAbsent { .. } => codes::TRAIN_CLASS_ABSENT,
            Self::Checkpoint { .. } | Self::File { .. } => codes::TRAIN_INVALID_FILE,
            Self::Libtorch(_) => codes::TRAIN_LIBTORCH,
            Self::OutOfMemory { .. } => codes::TRAIN_OUT_OF_MEMORY,
            Self::WithoutLibtorch => codes::TRAIN_NO_LIBTORCH,
            Self::Diverged { .. } | Self::Hopeless { .. } => codes::TRAIN_DIVERGED,
            Self::Cancelled { .. } => codes::TRAIN_CANCELLED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            // What the author of the strategy can change.
            Self::Settings { .. } => "correct the training section of the strategy",
            Self::NoWindow { longest, .. } => {
                return format!(
                    "set model.architecture.sequence_length to at most {longest}, widen the date \
                     range, or change training.data_split"
                )
                .into();
            }
            Self::OutOfMemory { batch_size, .. } => return memory_hint(*batch_size).into(),
            Self::EmptyPart { .. } => "widen the date range, or change training.data_split",

            Self::NoBars => "submit the operation without `dataset`: processing makes a new one",

            // Processing makes none of these: the object or the command is another one.
            Self::Shape { .. }
            | Self::Column { .. }
            | Self::Value { .. }
            | Self::Weights { .. }
            | Self::Label { .. } => {
                "the data set is damaged or another strategy's: process it again"
            }
            Self::Kinds => {
                "use cross_entropy or focal with classes, huber or mse with a regression"
            }
            Self::ClassAbsent { .. } => {
                "widen the date range, or lower the label thresholds so that every class occurs"
            }
            Self::Constant { .. } => {
                "look at the inputs: `ktrdr strategies features NAME` lists them; fuzzy sets may \
                 not reach the values of their indicator, or the bars never move"
            }
            Self::Checkpoint { .. } => {
                "submit a new operation; a checkpoint continues only the training that wrote it"
            }
            Self::File { .. } => "the checkpoint is damaged: submit a new operation",
            Self::WithoutLibtorch => "build one with libtorch: make trainer",
            Self::Libtorch(_) => "use a smaller batch_size or network, or a host with more memory",
            Self::Diverged { .. } | Self::Hopeless { .. } => {
                "lower training.learning_rate, or set training.gradient_clip to 1"
            }
            Self::Cancelled { .. } => "resume the operation to continue from its last checkpoint",
        };
        hint.into()
    }
}

/// What helps a training that does not fit the memory with batches of these rows.
fn memory_hint(batch_size: u32) -> String {
    let elsewhere = "train a smaller network, or on a host with more memory";
    match batch_size / 2 {
        0 => elsewhere.to_owned(),
        half => format!(
            "train again with a smaller batch: `ktrdr train NAME --batch-size {half}`, or \
             training.batch_size in the strategy; else {elsewhere}"
        ),
    }
}
