//! The strategy file, grammar version 3: what every key means, which values it takes, and which
//! keys are refused.
//!
//! Every key is either honoured or refused; nothing is ignored. All stages (syntax, types,
//! references, indicator parameters, membership functions, feature names) run in one pass and
//! report every finding they have.

mod cross;
mod data;
mod indicator;
mod inputs;
mod labels;
mod model;
mod set;
mod train;

use market::{Instrument, Timeframe, Utc};
use schemas::manifests::{Activation, NetworkKind};
use schemas::training::TrainingSettings;
use serde::{Deserialize, Serialize};

use crate::fields::{Fields, Retired, Sink};
use crate::finding::Findings;
use crate::fuzzy::Membership;
use crate::indicators::Indicator;
use crate::labels::{CONTEXT_CLASSES, EventFilter, LabelSource, REGIME_CLASSES};
use crate::yaml;

pub(crate) use data::SYMBOLS_MAX;

/// A valid strategy file. [`Strategy::resolve`](crate::Strategy::resolve) turns it into what is
/// computed.
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
    pub data: TrainingData,
    /// Indicators in file order.
    pub indicators: Vec<NamedIndicator>,
    /// Fuzzy sets in file order.
    pub fuzzy_sets: Vec<FuzzySet>,
    /// Network inputs in file order; their order decides the order of the features.
    pub inputs: Vec<Input>,
    /// The network.
    pub model: Model,
    /// What a prediction means.
    pub decisions: Decisions,
    /// How the network is trained.
    pub training: Training,
    /// What the author should look at although the strategy works.
    pub warnings: Findings,
}

/// The `training_data` section.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingData {
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
    /// Its key.
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
    /// Every membership of the fuzzy set at this position, in file order.
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

/// The `model` section.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Family.
    pub kind: NetworkKind,
    /// Widths of the hidden layers, 1 to 4 096 each, at most 16.
    pub hidden_layers: Vec<usize>,
    /// relu unless given.
    pub activation: Activation,
    /// 0.2 unless given; within [0, 1).
    pub dropout: f64,
}

/// The `decisions` section.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decisions {
    /// One class a row.
    Classification {
        /// Below this probability the signal is HOLD; 0.5 unless given.
        confidence_threshold: f64,
        /// What each class of the labels suggests, by class number.
        signals: &'static [Signal],
    },
    /// One forward return a row.
    Regression {
        /// Cost of entering and leaving, as a fraction of the price.
        round_trip_cost: f64,
        /// The prediction must exceed this multiple of the cost.
        min_edge_multiplier: f64,
    },
}

/// What to do, as a prediction suggests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Expect a rise.
    Buy,
    /// Stay out.
    Hold,
    /// Expect a fall.
    Sell,
}

impl Decisions {
    /// The signal of one prediction: a probability per class, or one forward return as a fraction.
    ///
    /// Classes: what the most probable one suggests, HOLD when its probability is below the
    /// threshold or another signal is as probable. Regression: BUY above cost × multiplier, SELL
    /// below its negative. HOLD for anything that is not a prediction of this kind.
    pub fn signal(&self, prediction: &[f64]) -> Signal {
        match (*self, prediction) {
            (
                Self::Classification {
                    confidence_threshold,
                    signals,
                },
                probabilities,
            ) if probabilities.len() == signals.len() => {
                let best = probabilities
                    .iter()
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max);
                let mut suggested = signals
                    .iter()
                    .zip(probabilities)
                    .filter(|(_, each)| **each == best);
                match (suggested.next(), best >= confidence_threshold) {
                    (Some((signal, _)), true) if suggested.all(|(other, _)| other == signal) => {
                        *signal
                    }
                    _ => Signal::Hold,
                }
            }
            (
                Self::Regression {
                    round_trip_cost,
                    min_edge_multiplier,
                },
                [value],
            ) => {
                let edge = round_trip_cost * min_edge_multiplier;
                if *value > edge {
                    Signal::Buy
                } else if *value < -edge {
                    Signal::Sell
                } else {
                    Signal::Hold
                }
            }
            _ => Signal::Hold,
        }
    }
}

/// What the classes of a label source suggest: a rising, or a falling market, or neither.
fn signals_of(labels: &LabelSource) -> &'static [Signal] {
    match labels.classes() {
        classes if classes == CONTEXT_CLASSES => &[Signal::Buy, Signal::Sell, Signal::Hold],
        classes if classes == REGIME_CLASSES => {
            &[Signal::Buy, Signal::Sell, Signal::Hold, Signal::Hold]
        }
        _ => SIGNALS,
    }
}

/// The signals of BUY, HOLD and SELL.
const SIGNALS: &[Signal] = &[Signal::Buy, Signal::Hold, Signal::Sell];

/// The `training` section: the one home of everything about training.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// What is learnt.
    pub labels: LabelSource,
    /// Which bars are learnt from; all unless given.
    pub events: Option<EventFilter>,
    /// Whether rows are drawn by the uniqueness of their labels; otherwise an epoch sees every row
    /// once.
    pub weighted: bool,
    /// What the trainer obeys.
    pub settings: TrainingSettings,
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
        /// First share.
        train: f64,
        /// Second share.
        validation: f64,
        /// Last share.
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

const RETIRED: &[Retired] = &[
    (
        "scope",
        "key.no_effect",
        "this key had no effect in earlier versions either: remove it",
    ),
    (
        "deployment",
        "key.no_effect",
        "nothing reads this section: remove it",
    ),
    (
        "context_data",
        "feature.unsupported",
        "context series are not supported yet",
    ),
    (
        "feature_id",
        "grammar.version",
        "this is a key of grammar version 1 or 2: write version 3",
    ),
];

/// Longest strategy name.
const NAME_LENGTH_MAX: usize = 64;

impl Strategy {
    /// Reads a strategy file.
    ///
    /// # Errors
    /// Every finding of every stage, warnings included, if one of them is an error.
    pub fn parse(text: &str) -> Result<Self, Findings> {
        let mut findings = Vec::new();
        let root = yaml::parse(text, &mut findings);
        let sink = Sink::default();
        let strategy = root
            .as_ref()
            .map(|root| Fields::of(root, "", &sink))
            .filter(Fields::is_mapping)
            .and_then(read);
        findings.extend(sink.into_inner());
        let findings = Findings::new(findings);
        match strategy {
            Some(strategy) if !findings.has_errors() => Ok(Self {
                warnings: findings,
                ..strategy
            }),
            _ => Err(findings),
        }
    }
}

/// Reads all sections; `None` when one of them cannot be used, in which case there is a finding.
fn read(fields: Fields<'_>) -> Option<Strategy> {
    let name = fields.required("name").and_then(|_| fields.text("name"));
    if let Some(name) = name.filter(|name| !is_name(name)) {
        let message = format!(
            "`{name}` is no name: 1 to {NAME_LENGTH_MAX} of a-z, 0-9, _ and -, a letter or digit first"
        );
        fields.finding("name", "name.form", message);
    }
    let version = fields.text("version").unwrap_or("3.0").to_owned();
    let description = fields.text("description").map(str::to_owned);
    let data = fields
        .required_section("training_data")
        .map(data::read)
        .unwrap_or_default();
    let sections = inputs::read(&fields, &data.timeframes);
    let model = fields.required_section("model").and_then(model::read);
    let decisions = fields
        .required_section("decisions")
        .map(model::read_decisions)
        .unwrap_or_default();
    let training = fields
        .required_section("training")
        .and_then(|section| train::read(section, decisions.regression));
    fields.finish(RETIRED);
    let (indicators, fuzzy_sets, inputs) = sections?;
    let training = training?;
    let decisions = match decisions.decisions? {
        Decisions::Classification {
            confidence_threshold,
            ..
        } => Decisions::Classification {
            confidence_threshold,
            signals: signals_of(&training.labels),
        },
        regression @ Decisions::Regression { .. } => regression,
    };
    Some(Strategy {
        name: name?.to_owned(),
        version,
        description,
        data: data.finished?,
        indicators,
        fuzzy_sets,
        inputs,
        model: model?,
        decisions,
        training,
        warnings: Findings::default(),
    })
}

/// True for a name of a strategy or a model: lowercase letters, digits, `_` and `-`, not first `_`
/// or `-`, at most 64 characters. It becomes part of object keys.
pub fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= NAME_LENGTH_MAX
        && name.chars().next().is_some_and(word)
        && name.chars().all(|c| word(c) || c == '_' || c == '-')
}
