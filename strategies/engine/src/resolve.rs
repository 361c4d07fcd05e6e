//! A strategy joined with a request: what exactly is computed, learnt and trained.

use std::collections::BTreeMap;

use market::{Bars, Instrument, Timeframe, Utc};
use schemas::manifests::{FeatureColumn, Network, OutputKind};
use schemas::training::TrainingSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::finding::{Finding, Findings};
use crate::fuzzy::Membership;
use crate::indicators::{Indicator, Value};
use crate::labels::{EventFilter, LabelSource, Regime};
use crate::strategy::{
    Decisions, FeatureName, InputSource, Model, OutputRef, SYMBOLS_MAX, Scaling, Split, Strategy,
    feature_names,
};

/// Version of everything that turns bars into a data set. It is part of a data set's key, so a new
/// number builds all of them anew, and models tell by it which features they know. Raise it by one
/// in the change that lets equal inputs give another bit in any row (indicators, memberships,
/// joins, labels, weights, splits), or lets a manifest hold what older ones lack.
///
/// 2: indicators use fused multiply-add; manifests hold the thresholds that were fitted. 3: the
/// ultimate oscillator takes sums from running ones; manifests hold holes and tell events from
/// labels. 4: the weighted average and the regression slope add up shares that are divided already;
/// KAMA takes four steps together. 5: exponential averages and those of Wilder take four steps
/// together.
pub const ENGINE_VERSION: u32 = 5;

/// What a request changes in a strategy; absent = as the strategy says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// Instruments to train on, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<Instrument>>,
    /// Timeframes; the base stays if it is among them, else it is the finest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeframes: Option<Vec<Timeframe>>,
    /// First instant, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Utc>,
    /// Last instant, exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Utc>,
    /// Where validation begins; goes with `test_start`, and both stand for the strategy's split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_start: Option<Utc>,
    /// Where the test begins; goes with `validation_start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_start: Option<Utc>,
    /// Passes over the training part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Seed of initialisation, shuffling and dropout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Step size of the optimiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Rows a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
}

/// An indicator on the bars of one timeframe.
#[derive(Clone, Debug)]
pub struct PlannedIndicator {
    /// Whose bars.
    pub timeframe: Timeframe,
    /// Its id in the strategy.
    pub id: String,
    /// Type and effective parameters.
    pub indicator: Indicator,
}

/// One input column of the network.
#[derive(Clone, Debug)]
pub struct Feature {
    /// `{timeframe}_{set}_{member}` or `{timeframe}_{reference}_raw`, followed by `_lag_{k}` where
    /// it lags.
    pub name: String,
    /// Whose bars.
    pub timeframe: Timeframe,
    /// Position in [`Resolved::indicators`].
    pub indicator: usize,
    /// Output column of that indicator.
    pub output: usize,
    /// Bars of its timeframe back; 0 = the current one.
    pub lag: u32,
    /// What is made of it.
    pub kind: FeatureKind,
}

/// What a feature makes of its indicator.
#[derive(Clone, Debug)]
pub enum FeatureKind {
    /// Its degree of membership.
    Membership {
        /// Id of the fuzzy set.
        set: String,
        /// The function.
        function: Membership,
        /// 1-based line of the set in the file.
        line: usize,
    },
    /// The value itself.
    Raw {
        /// How it is scaled, once fitted.
        scaling: Option<Scaling>,
    },
}

/// A strategy with a request applied: the complete and only input of feature assembly, labelling
/// and training.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Name of the strategy.
    pub name: String,
    /// Instruments in stacking order.
    pub symbols: Vec<Instrument>,
    /// The timeframe whose bars are the rows.
    pub base: Timeframe,
    /// Timeframes that bars are needed of: the base first, then the others in file order.
    pub timeframes: Vec<Timeframe>,
    /// Bars that open before it are not used.
    pub start: Option<Utc>,
    /// Bars that open at or after it are not used.
    pub end: Option<Utc>,
    /// Fewest base bars a symbol.
    pub history_required: u32,
    /// Columns in contract order.
    pub features: Vec<Feature>,
    /// What they are made of, each once.
    pub indicators: Vec<PlannedIndicator>,
    /// What is learnt.
    pub labels: LabelSource,
    /// Which bars are learnt from; `None` = all.
    pub events: Option<EventFilter>,
    /// Whether rows carry the uniqueness of their labels as a weight.
    pub weighted: bool,
    /// Where the parts begin.
    pub split: Split,
    /// Bars left out after each boundary, when the strategy says so.
    pub embargo_bars: Option<u32>,
    /// The network's shape.
    pub model: Model,
    /// What a prediction means.
    pub decisions: Decisions,
    /// What the trainer obeys.
    pub settings: TrainingSettings,
    /// Seed of initialisation, shuffling and dropout.
    pub seed: u64,
}

impl Overrides {
    fn split(&self) -> Option<Split> {
        Some(Split::Dates {
            validation_start: self.validation_start?,
            test_start: self.test_start?,
        })
    }
}

impl Strategy {
    /// Applies a request.
    ///
    /// # Errors
    /// Every way in which the request does not fit the strategy; paths start with `request`.
    pub fn resolve(&self, overrides: &Overrides) -> Result<Resolved, Findings> {
        let findings = self.check(overrides);
        if !findings.is_empty() {
            return Err(Findings::new(findings));
        }
        let listed = overrides
            .timeframes
            .as_ref()
            .unwrap_or(&self.data.timeframes);
        let base = if listed.contains(&self.data.base) {
            Some(self.data.base)
        } else {
            listed.iter().copied().min()
        };
        let base = base.unwrap_or(self.data.base);
        let (features, indicators) = self.plan(listed);
        let used = |timeframe: &&Timeframe| {
            indicators
                .iter()
                .any(|planned| planned.timeframe == **timeframe)
        };
        let others = listed
            .iter()
            .filter(used)
            .filter(|timeframe| **timeframe != base);
        let usual = &self.training.settings;
        let settings = TrainingSettings {
            epochs: overrides.epochs.unwrap_or(usual.epochs),
            learning_rate: overrides.learning_rate.unwrap_or(usual.learning_rate),
            batch_size: overrides.batch_size.unwrap_or(usual.batch_size),
            ..usual.clone()
        };
        Ok(Resolved {
            name: self.name.clone(),
            symbols: overrides
                .symbols
                .clone()
                .unwrap_or_else(|| self.data.symbols.clone()),
            base,
            timeframes: std::iter::once(base).chain(others.copied()).collect(),
            start: overrides.start.or(self.data.start),
            end: overrides.end.or(self.data.end),
            history_required: self.data.history_required,
            features,
            indicators,
            labels: self.training.labels,
            events: self.training.events,
            weighted: self.training.weighted,
            split: overrides.split().unwrap_or(self.training.split),
            embargo_bars: self.training.embargo_bars,
            model: self.model.clone(),
            decisions: self.decisions,
            settings,
            seed: overrides.seed.unwrap_or(self.training.seed),
        })
    }

    fn check(&self, overrides: &Overrides) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |key: &str, rule, message: String| {
            findings.push(Finding::error(format!("request.{key}"), 0, rule, message))
        };
        if overrides.symbols.as_ref().is_some_and(Vec::is_empty) {
            add("symbols", "value.empty", "the list is empty".to_owned());
        }
        if let Some(long) = overrides
            .symbols
            .as_ref()
            .map(Vec::len)
            .filter(|count| *count > SYMBOLS_MAX)
        {
            add(
                "symbols",
                "list.long",
                format!("{long} entries are listed, the most is {SYMBOLS_MAX}"),
            );
        }
        if let Some(twice) = overrides.symbols.as_deref().and_then(repeated) {
            add(
                "symbols",
                "value.duplicate",
                format!("{twice} is listed twice"),
            );
        }
        if let Some(listed) = &overrides.timeframes {
            if listed.is_empty() {
                add("timeframes", "value.empty", "the list is empty".to_owned());
            }
            if let Some(twice) = repeated(listed) {
                add(
                    "timeframes",
                    "value.duplicate",
                    format!("{twice} is listed twice"),
                );
            }
            for (index, input) in self.inputs.iter().enumerate() {
                for missing in input
                    .timeframes
                    .iter()
                    .flatten()
                    .filter(|wanted| !listed.contains(wanted))
                {
                    add(
                        "timeframes",
                        "reference.timeframe",
                        format!("nn_inputs[{index}] needs {missing}"),
                    );
                }
            }
        }
        let (start, end) = (
            overrides.start.or(self.data.start),
            overrides.end.or(self.data.end),
        );
        if let (Some(start), Some(end)) = (start, end)
            && end <= start
        {
            add(
                "end",
                "date.order",
                format!("the end {end} is not after the start {start}"),
            );
        }
        match (overrides.validation_start, overrides.test_start) {
            (Some(validation), Some(test)) if test <= validation => {
                let message = format!(
                    "the start of the test {test} is not after that of validation {validation}"
                );
                add("test_start", "date.order", message);
            }
            (Some(_), None) => add(
                "test_start",
                "key.missing",
                "the key `test_start` is missing".to_owned(),
            ),
            (None, Some(_)) => add(
                "validation_start",
                "key.missing",
                "the key `validation_start` is missing".to_owned(),
            ),
            _ => {}
        }
        let usual = &self.training.settings;
        let settings = TrainingSettings {
            epochs: overrides.epochs.unwrap_or(usual.epochs),
            learning_rate: overrides.learning_rate.unwrap_or(usual.learning_rate),
            batch_size: overrides.batch_size.unwrap_or(usual.batch_size),
            ..usual.clone()
        };
        for problem in settings.problems() {
            add("training", "value.range", problem);
        }
        findings
    }

    /// Columns in contract order, and each needed indicator once per timeframe.
    fn plan(&self, timeframes: &[Timeframe]) -> (Vec<Feature>, Vec<PlannedIndicator>) {
        let mut indicators: Vec<PlannedIndicator> = Vec::new();
        let mut positions: BTreeMap<(usize, Timeframe), usize> = BTreeMap::new();
        let mut features = Vec::new();
        for input in &self.inputs {
            let (of, kinds) = self.kinds(&input.source);
            let Some(named) = self.indicators.get(of.indicator) else {
                continue;
            };
            let names = feature_names(input, &self.fuzzy_sets, timeframes);
            for (
                FeatureName {
                    timeframe,
                    lag,
                    name,
                },
                kind,
            ) in names.into_iter().zip(kinds.iter().cycle())
            {
                let indicator = *positions
                    .entry((of.indicator, timeframe))
                    .or_insert_with(|| {
                        let (id, indicator) = (named.id.clone(), named.indicator.clone());
                        indicators.push(PlannedIndicator {
                            timeframe,
                            id,
                            indicator,
                        });
                        indicators.len() - 1
                    });
                features.push(Feature {
                    name,
                    timeframe,
                    indicator,
                    output: of.output,
                    lag,
                    kind: kind.clone(),
                });
            }
        }
        (features, indicators)
    }

    /// What an input is made of, and its columns of one timeframe.
    fn kinds(&self, source: &InputSource) -> (OutputRef, Vec<FeatureKind>) {
        match source {
            InputSource::Raw { of, scaling, .. } => {
                (*of, vec![FeatureKind::Raw { scaling: *scaling }])
            }
            InputSource::Fuzzy(set) => match self.fuzzy_sets.get(*set) {
                Some(set) => {
                    let kinds = set
                        .members
                        .iter()
                        .map(|(_, function)| FeatureKind::Membership {
                            set: set.id.clone(),
                            function: *function,
                            line: set.line,
                        });
                    (set.of, kinds.collect())
                }
                None => (
                    OutputRef {
                        indicator: usize::MAX,
                        output: 0,
                    },
                    Vec::new(),
                ),
            },
        }
    }
}

impl Resolved {
    /// Meaning of the network's outputs.
    pub fn output(&self) -> OutputKind {
        match self.labels.classes() {
            [] => OutputKind::Regression,
            names => OutputKind::Classes {
                names: names.iter().map(|&name| name.to_owned()).collect(),
            },
        }
    }

    /// Feature names in order, without scaling: it is fitted on the training part.
    pub fn feature_columns(&self) -> Vec<FeatureColumn> {
        self.features
            .iter()
            .map(|feature| FeatureColumn {
                name: feature.name.clone(),
                normalisation: None,
            })
            .collect()
    }

    /// The network over `features`: those of a data set, whose scaling is fitted, or
    /// [`feature_columns`](Self::feature_columns).
    pub fn network(&self, features: Vec<FeatureColumn>) -> Network {
        Network {
            kind: self.model.kind,
            hidden_layers: self.model.hidden_layers.clone(),
            activation: self.model.activation,
            dropout: self.model.dropout,
            features,
            output: self.output(),
        }
    }

    /// The bars within the date range.
    pub fn clip(&self, bars: &Bars) -> Bars {
        let first = self.start.map_or(0, |start| {
            bars.open_time.partition_point(|open| *open < start)
        });
        let end = self.end.map_or(bars.len(), |end| {
            bars.open_time.partition_point(|open| *open < end)
        });
        bars.slice(first..end.max(first))
    }

    /// Base bars until every column is defined, counting a coarser bar as the base bars it
    /// nominally spans.
    pub fn warm_up_bars(&self) -> usize {
        let base = self.base.minutes().max(1);
        let bars = self.features.iter().filter_map(|feature| {
            let planned = self.indicators.get(feature.indicator)?;
            let ratio = usize::try_from((planned.timeframe.minutes() / base).max(1)).unwrap_or(1);
            Some(
                planned
                    .indicator
                    .warm_up()
                    .saturating_add(feature.lag as usize)
                    .saturating_mul(ratio),
            )
        });
        bars.max().unwrap_or(0)
    }

    /// Everything that decides the rows of a data set, and nothing of model, optimiser or seed.
    /// `series` names the bars: content hash by series key.
    pub fn data_part(&self, series: &BTreeMap<String, String>) -> Json {
        let features: Vec<Json> = self
            .features
            .iter()
            .map(|feature| self.feature_json(feature))
            .collect();
        let split = match self.split {
            Split::Fractions {
                train, validation, ..
            } => json!({ "train": train, "validation": validation }),
            Split::Dates {
                validation_start,
                test_start,
            } => {
                json!({ "validation_start": validation_start, "test_start": test_start })
            }
        };
        let mut part = json!({
            "engine": ENGINE_VERSION,
            "series": series,
            "symbols": self.symbols,
            "base": self.base,
            "start": self.start,
            "end": self.end,
            "features": features,
            "labels": self.labels,
            "split": split,
            "embargo_bars": self.embargo_bars,
        });
        let weights = self.weighted.then_some("uniqueness");
        for (key, value) in [
            ("events", self.events.map(|events| json!(events))),
            ("weights", weights.map(Json::from)),
        ] {
            if let (Some(value), Some(part)) = (value, part.as_object_mut()) {
                part.insert(key.to_owned(), value);
            }
        }
        part
    }

    fn feature_json(&self, feature: &Feature) -> Json {
        let indicator = self
            .indicators
            .get(feature.indicator)
            .map(|planned| &planned.indicator);
        let parameters: BTreeMap<&str, Json> = indicator
            .iter()
            .flat_map(|indicator| indicator.parameters())
            .map(|(name, value)| (name, value_json(value)))
            .collect();
        let kind = match &feature.kind {
            FeatureKind::Membership { function, .. } => membership_json(function),
            FeatureKind::Raw { scaling } => json!({ "scaling": scaling }),
        };
        let mut of = json!({
            "name": feature.name,
            "timeframe": feature.timeframe,
            "indicator": indicator.map(|indicator| indicator.spec().name),
            "parameters": parameters,
            "output": feature.output,
            "kind": kind,
        });
        if feature.lag > 0
            && let Some(of) = of.as_object_mut()
        {
            of.insert("lag".to_owned(), json!(feature.lag));
        }
        of
    }

    /// True when labels or events have a threshold that is a statistic of the training part.
    pub fn needs_fit(&self) -> bool {
        matches!(
            self.labels,
            LabelSource::Regime(Regime {
                typical_range: None,
                ..
            })
        ) || self.events.is_some_and(|events| events.threshold.is_none())
    }
}

/// The canonical text of a JSON value: keys sorted at every level, no blanks. Equal values have
/// equal texts.
pub fn canonical_json(value: &Json) -> String {
    match value {
        Json::Object(map) => {
            let sorted: BTreeMap<&String, &Json> = map.iter().collect();
            let entries = sorted.into_iter().map(|(key, value)| {
                format!("{}:{}", Json::from(key.as_str()), canonical_json(value))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Json::Array(items) => format!(
            "[{}]",
            items
                .iter()
                .map(canonical_json)
                .collect::<Vec<_>>()
                .join(",")
        ),
        other => other.to_string(),
    }
}

/// SHA-256 of the canonical text, 64 lowercase hex digits: the key of a data set, of its [data
/// part](Resolved::data_part).
pub fn canonical_sha256(value: &Json) -> String {
    Sha256::digest(canonical_json(value).as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn value_json(value: &Value) -> Json {
    match value {
        Value::Integer(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Boolean(value) => json!(value),
        Value::Text(value) => json!(value),
    }
}

/// JSON has no infinities: numbers are written as texts.
fn membership_json(function: &Membership) -> Json {
    let (kind, numbers) = function.type_and_parameters();
    json!({ "membership": kind, "parameters": numbers.iter().map(f64::to_string).collect::<Vec<_>>() })
}

fn repeated<T: PartialEq>(items: &[T]) -> Option<&T> {
    items
        .iter()
        .enumerate()
        .find(|(index, item)| items.iter().take(*index).any(|earlier| earlier == *item))
        .map(|(_, item)| item)
}
