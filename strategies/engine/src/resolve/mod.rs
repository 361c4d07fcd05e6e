//! A strategy joined with a request: what exactly is computed, learnt and trained.

mod check;
mod data_part;
mod overrides;
mod plan;
mod rule_base;
mod timeframes;

use market::{Bars, Instrument, Timeframe, Utc};
use schemas::manifests::{Architecture, FeatureColumn, Network, OutputKind};
use schemas::training::TrainingSettings;

use crate::finding::Findings;
use crate::labels::{EventFilter, LabelSource, Regime};
use crate::strategy::{Costs, Decisions, Split, Strategy};

pub use data_part::{ENGINE_VERSION, canonical_json, canonical_sha256};
pub use overrides::Overrides;
pub use plan::{Feature, FeatureKind, PlannedIndicator};

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
    /// No row of a data set, nor any value in it, knows a bar that closes at or after it; `None` =
    /// nothing is sealed.
    pub sealed_from: Option<Utc>,
    /// Fewest base bars that each symbol must have.
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
    /// The network's family and layers.
    pub model: Architecture,
    /// What a prediction means.
    pub decisions: Decisions,
    /// What a trade costs; absent where the strategy does not say.
    pub costs: Option<Costs>,
    /// What the trainer obeys.
    pub settings: TrainingSettings,
    /// Seed of initialisation, shuffling and dropout.
    pub seed: u64,
}

impl Strategy {
    /// Applies a request.
    ///
    /// # Errors
    /// Every way in which the request does not fit the strategy; paths start with `request`.
    pub fn resolve(&self, overrides: &Overrides) -> Result<Resolved, Findings> {
        let findings = check::check_overrides(self, overrides);
        if !findings.is_empty() {
            return Err(Findings::new(findings));
        }

        // From here on everything fits, so that nothing below can fail.
        let listed = overrides
            .timeframes
            .as_ref()
            .unwrap_or(&self.data.timeframes);
        let symbols = overrides.symbols.as_ref().unwrap_or(&self.data.symbols);
        let base = timeframes::choose_base(&self.data, listed);
        let plan = plan::Plan::of(self, listed);
        let model = rule_base::with_rule_inputs(self, &plan.features);
        let changed = overrides.apply_to_settings(&self.training);

        Ok(Resolved {
            name: self.name.clone(),
            symbols: symbols.clone(),
            base,
            timeframes: timeframes::order_timeframes(base, listed, &plan.indicators),
            start: overrides.start.or(self.data.start),
            end: overrides.end.or(self.data.end),
            sealed_from: self.data.sealed_from,
            history_required: self.data.history_required,
            features: plan.features,
            indicators: plan.indicators,
            labels: self.training.labels,
            events: self.training.events,
            weighted: self.training.weighted,
            split: overrides.apply_to_split(self.training.split),
            embargo_bars: self.training.embargo_bars,
            model,
            decisions: self.decisions,
            costs: self.costs.clone(),
            settings: changed.settings,
            seed: changed
                .seed
                .or(overrides.seed)
                .unwrap_or(self.training.seed),
        })
    }
}

impl Resolved {
    /// Meaning of the network's outputs.
    pub fn output(&self) -> OutputKind {
        // Labels without classes are numbers.
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
            architecture: self.model.clone(),
            features,
            output: self.output(),
        }
    }

    /// The bars within the date range that have closed before the sealed period begins.
    pub fn clip(&self, bars: &Bars) -> Bars {
        let first = self.start.map_or(0, |start| {
            bars.open_time.partition_point(|open| *open < start)
        });
        let end = self.end.map_or(bars.len(), |end| {
            bars.open_time.partition_point(|open| *open < end)
        });
        let open_end = self.sealed_from.map_or(bars.len(), |from| {
            bars.close_time.partition_point(|close| *close < from)
        });
        let end = end.min(open_end);

        // A range outside of the bars gives none, whichever side it lies on.
        bars.slice(first..end.max(first))
    }

    /// Where the bars end that a training may see: at the end, or where the sealed period begins.
    pub fn open_end(&self) -> Option<Utc> {
        self.end.into_iter().chain(self.sealed_from).min()
    }

    /// Where the sealed period begins; `None` without one, or where the dates end before it.
    pub fn sealed_start(&self) -> Option<Utc> {
        self.sealed_from
            .filter(|from| self.end.is_none_or(|end| end > *from))
    }

    /// The same over all its dates, those of the sealed period among them.
    pub fn unsealed(&self) -> Self {
        Self {
            sealed_from: None,
            ..self.clone()
        }
    }

    /// Base bars until every column is defined, counting a coarser bar as the base bars it
    /// nominally spans.
    pub fn warm_up_bars(&self) -> usize {
        let base_minutes = self.base.minutes().max(1);
        let bars = self.features.iter().filter_map(|feature| {
            let planned = self.indicators.get(feature.indicator)?;
            let own_bars = planned
                .indicator
                .warm_up()
                .saturating_add(feature.lag as usize);

            // A finer bar than that of the base still takes a whole row.
            let ratio = (planned.timeframe.minutes() / base_minutes).max(1);
            Some(own_bars.saturating_mul(usize::try_from(ratio).unwrap_or(1)))
        });
        bars.max().unwrap_or(0)
    }

    /// True when labels or events have a threshold that is a statistic of the training part.
    pub fn needs_fit(&self) -> bool {
        let has_open_regime = matches!(
            self.labels,
            LabelSource::Regime(Regime {
                typical_range: None,
                ..
            })
        );
        let has_open_filter = self.events.is_some_and(|events| events.threshold.is_none());
        has_open_regime || has_open_filter
    }
}
