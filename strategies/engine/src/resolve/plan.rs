//! Which feature columns a strategy has, and what each of them is computed from.

use std::collections::BTreeMap;

use market::Timeframe;

use crate::fuzzy::Membership;
use crate::indicators::Indicator;
use crate::strategy::{
    FuzzySet, InputSource, OutputRef, Scaling, SetColumns, Strategy, feature_names,
};

/// An indicator on the bars of one timeframe.
#[derive(Clone, Debug)]
pub struct PlannedIndicator {
    /// Timeframe of the bars that it reads.
    pub timeframe: Timeframe,
    /// Its id in the strategy.
    pub id: String,
    /// Type and effective parameters.
    pub indicator: Indicator,
}

/// One input column of the network.
#[derive(Clone, Debug)]
pub struct Feature {
    /// `{timeframe}_{set}_{member}`, `{timeframe}_{set}` or `{timeframe}_{reference}_raw`, followed
    /// by `_lag_{k}` where it lags.
    pub name: String,
    /// Timeframe of the bars that it reads.
    pub timeframe: Timeframe,
    /// Position in [`Resolved::indicators`](crate::Resolved::indicators).
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
        /// The function of the member.
        function: Membership,
        /// 1-based line of the set in the file.
        line: usize,
    },
    /// The value that a fuzzy set reads, scaled to mean 0 and deviation 1: the network has the
    /// members.
    SetValue {
        /// Id of the fuzzy set.
        set: String,
    },
    /// The value itself.
    Raw {
        /// How it is scaled, once fitted.
        scaling: Option<Scaling>,
    },
}

impl FeatureKind {
    /// How the column is scaled, once fitted; degrees never are.
    pub const fn scaling(&self) -> Option<Scaling> {
        match self {
            Self::Membership { .. } => None,
            Self::SetValue { .. } => Some(Scaling::Zscore),
            Self::Raw { scaling } => *scaling,
        }
    }
}

/// The columns and what they are computed from.
#[derive(Default)]
pub(super) struct Plan {
    /// In contract order: that of the inputs, then timeframes, lags and members.
    pub(super) features: Vec<Feature>,
    /// Each once per timeframe, however many columns are made of it.
    pub(super) indicators: Vec<PlannedIndicator>,
    /// Positions in `indicators`, by position in the strategy and timeframe.
    positions: BTreeMap<(usize, Timeframe), usize>,
}

impl Plan {
    /// The plan of a strategy on these timeframes.
    pub(super) fn of(strategy: &Strategy, timeframes: &[Timeframe]) -> Self {
        let mut plan = Self::default();
        let set_columns = SetColumns::of(&strategy.model);
        for input in &strategy.inputs {
            let Some(columns) = InputColumns::of(strategy, &input.source, set_columns) else {
                continue;
            };

            // Names repeat the columns of the input for each timeframe and lag.
            let names = feature_names(input, &strategy.fuzzy_sets, timeframes, set_columns);
            for (name, kind) in names.into_iter().zip(columns.kinds.iter().cycle()) {
                let position = columns.of.indicator;
                let Some(indicator) = plan.add_indicator(strategy, position, name.timeframe) else {
                    continue;
                };
                plan.features.push(Feature {
                    name: name.name,
                    timeframe: name.timeframe,
                    indicator,
                    output: columns.of.output,
                    lag: name.lag,
                    kind: kind.clone(),
                });
            }
        }
        plan
    }

    /// The position of an indicator of the strategy on a timeframe, planned if it was not yet.
    fn add_indicator(
        &mut self,
        strategy: &Strategy,
        position: usize,
        timeframe: Timeframe,
    ) -> Option<usize> {
        // Many columns are made of one indicator, which is computed once.
        if let Some(planned) = self.positions.get(&(position, timeframe)) {
            return Some(*planned);
        }

        let named = strategy.indicators.get(position)?;
        let planned = self.indicators.len();
        self.indicators.push(PlannedIndicator {
            timeframe,
            id: named.id.clone(),
            indicator: named.indicator.clone(),
        });
        self.positions.insert((position, timeframe), planned);
        Some(planned)
    }
}

/// The columns of one input on one timeframe, without lags.
struct InputColumns {
    /// What all of them are made of.
    of: OutputRef,
    kinds: Vec<FeatureKind>,
}

impl InputColumns {
    fn of(strategy: &Strategy, source: &InputSource, set_columns: SetColumns) -> Option<Self> {
        let position = match source {
            InputSource::Fuzzy(position) => *position,
            InputSource::Raw { of, scaling, .. } => {
                return Some(Self {
                    of: *of,
                    kinds: vec![FeatureKind::Raw { scaling: *scaling }],
                });
            }
        };

        let set = strategy.fuzzy_sets.get(position)?;
        let kinds = match set_columns {
            SetColumns::Degrees => memberships_of(set),
            SetColumns::Value => vec![FeatureKind::SetValue {
                set: set.id.clone(),
            }],
        };
        Some(Self { of: set.of, kinds })
    }
}

/// A column for each member of a set.
fn memberships_of(set: &FuzzySet) -> Vec<FeatureKind> {
    let functions = set.members.iter().map(|(_, function)| function);
    let kinds = functions.map(|function| FeatureKind::Membership {
        set: set.id.clone(),
        function: *function,
        line: set.line,
    });
    kinds.collect()
}
