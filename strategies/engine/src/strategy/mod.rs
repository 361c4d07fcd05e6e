//! What a strategy file says once it has been read: types without a trace of the text, so that
//! everything above them can be used without the grammar.

mod costs;
mod decisions;
mod feature_names;
mod setting_keys;

use market::{Instrument, Timeframe, Utc};
use schemas::commands::fetch::SERIES_MAX;
use schemas::manifests::Architecture;
use schemas::training::TrainingSettings;
use serde::{Deserialize, Serialize};

use crate::finding::Findings;
use crate::fuzzy::Membership;
use crate::indicators::Indicator;
use crate::labels::{EventFilter, LabelSource};

pub use costs::{Costs, TradeCosts};
pub(crate) use decisions::{CLASS_SIGNALS, signals_of};
pub use decisions::{Decisions, Signal};
pub(crate) use feature_names::{SetColumns, feature_names};
pub(crate) use setting_keys::{SettingKeys, owned_keys};

/// Longest strategy name, in characters.
pub(crate) const NAME_LENGTH_MAX: usize = 64;

/// Most symbols of one strategy. Named in full twice, in the text and in a request that changes
/// them, and in a fetch of every timeframe, they take 29 of the 36 KiB of a request; the rest of a
/// strategy takes 2 to 3.
pub(crate) const SYMBOLS_MAX: usize = 256;

/// Most timeframes of one strategy: with the most symbols they are as many series as a fetch takes.
pub(crate) const TIMEFRAMES_MAX: usize = 8;

const _: () = assert!(
    SYMBOLS_MAX * TIMEFRAMES_MAX <= SERIES_MAX,
    "a fetch brings all that a strategy may need"
);

/// A valid strategy file. [`Strategy::resolve`](Self::resolve) turns it into the columns, labels
/// and settings of a training.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// Also the default name of the model: 1 to 64 characters of `[a-z0-9_-]`, starting with a
    /// letter or digit.
    pub name: String,
    /// The author's own version of the file.
    pub version: String,
    /// One paragraph for people.
    pub description: Option<String>,
    /// What to train on.
    pub data: DataSection,
    /// Indicators in file order.
    pub indicators: Vec<NamedIndicator>,
    /// Fuzzy sets in file order.
    pub fuzzy_sets: Vec<FuzzySet>,
    /// Network inputs in file order; their order decides the order of the features.
    pub inputs: Vec<Input>,
    /// Shape of the network.
    pub model: Architecture,
    /// What a prediction means.
    pub decisions: Decisions,
    /// What a trade costs; absent where the file does not say.
    pub costs: Option<Costs>,
    /// How the network is trained.
    pub training: TrainingSection,
    /// What the author should look at although the strategy works.
    pub warnings: Findings,
}

/// The `training_data` section.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSection {
    /// Instruments in file order, at least one.
    pub symbols: Vec<Instrument>,
    /// Timeframes in file order, at least one.
    pub timeframes: Vec<Timeframe>,
    /// The timeframe whose bars are the rows: `base_timeframe`, else the finest of the list.
    pub base: Timeframe,
    /// Fewest bars of the base timeframe that a symbol must have; 200 unless given.
    pub history_required: u32,
    /// Bars that open before it are not used. `start_date`, midnight UTC when it is a plain date.
    pub start: Option<Utc>,
    /// Bars that open at or after it are not used. The midnight UTC after `end_date` when that is a
    /// plain date.
    pub end: Option<Utc>,
    /// Where the sealed period begins: rows that are known from then on are withheld from every
    /// training. `sealed_from`, midnight UTC when it is a plain date.
    pub sealed_from: Option<Utc>,
}

/// One entry of `indicators`.
#[derive(Clone, Debug)]
pub struct NamedIndicator {
    /// Its key: no dot, no name of a price column.
    pub id: String,
    /// Type and effective parameters.
    pub indicator: Indicator,
}

/// An output of an indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutputRef {
    /// Position in [`Strategy::indicators`].
    pub indicator: usize,
    /// Column of the indicator, 0 being the primary one.
    pub output: usize,
}

/// One entry of `fuzzy_sets`.
#[derive(Clone, Debug)]
pub struct FuzzySet {
    /// Its key in the section.
    pub id: String,
    /// What is fuzzified.
    pub of: OutputRef,
    /// Membership functions in file order, at least one.
    pub members: Vec<(String, Membership)>,
    /// 1-based line in the file.
    pub line: usize,
}

/// One entry of `nn_inputs`.
#[derive(Clone, Debug)]
pub struct Input {
    /// A fuzzy set or a raw indicator output.
    pub source: InputSource,
    /// `None` = every timeframe of the strategy, in file order.
    pub timeframes: Option<Vec<Timeframe>>,
    /// Bars back, of the input's own timeframe, for which the columns appear again after the
    /// current ones; ascending.
    pub lags: Vec<u32>,
    /// 1-based line in the file.
    pub line: usize,
}

/// What an input column shows.
#[derive(Clone, Debug, PartialEq)]
pub enum InputSource {
    /// The fuzzy set at this position: every membership in file order, or for a rule base the value
    /// that it reads.
    Fuzzy(usize),
    /// The indicator output itself.
    Raw {
        /// The reference as written: part of the feature's name.
        reference: String,
        /// What it points at.
        of: OutputRef,
        /// How it is scaled; fitted on the training part only.
        scaling: Option<Scaling>,
    },
}

/// How a raw input is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// To [0, 1] over the training part, not clipped.
    Minmax,
    /// To mean 0 and sample deviation 1 over the training part.
    Zscore,
}

/// The `training` section: the one home of everything about training.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSection {
    /// What is learnt.
    pub labels: LabelSource,
    /// Which bars are learnt from; all unless given.
    pub events: Option<EventFilter>,
    /// Whether rows are drawn by the uniqueness of their labels; otherwise an epoch sees every row
    /// once.
    pub weighted: bool,
    /// What the trainer obeys.
    pub settings: TrainingSettings,
    /// False where the file names no epochs, so that those of `settings` are the default.
    pub has_epochs: bool,
    /// Seed of initialisation, shuffling and dropout; 42 unless given.
    pub seed: u64,
    /// Where the parts begin.
    pub split: Split,
    /// Bars of the base timeframe left out after each boundary; `None` = the larger of 1 % of the
    /// rows and the longest indicator warm-up.
    pub embargo_bars: Option<u32>,
}

/// How rows are split in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// `data_split`: shares of the rows, each above 0, sum 1; 0.7, 0.15, 0.15 unless given.
    Fractions {
        /// Share of the rows that train.
        train: f64,
        /// Share of the rows after them.
        validation: f64,
        /// Share of the last rows.
        test: f64,
    },
    /// `split`: fixed dates.
    Dates {
        /// First instant of the validation part.
        validation_start: Utc,
        /// First instant of the test part, later.
        test_start: Utc,
    },
}

/// True for a name of a strategy or a model: lowercase letters, digits, `_` and `-`, not first `_`
/// or `-`, at most 64 characters. It becomes part of object keys.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_LENGTH_MAX
        && name.chars().next().is_some_and(may_begin_name)
        && name
            .chars()
            .all(|c| may_begin_name(c) || c == '_' || c == '-')
}

fn may_begin_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}
