//! The names of feature columns, which a strategy file decides alone: a trained model knows its
//! columns by them.

use market::Timeframe;
use schemas::manifests::{Architecture, RuleSource};

use super::{FuzzySet, Input, InputSource};

/// What a network takes of a fuzzy set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SetColumns {
    /// The degree of each member, a column each.
    #[default]
    Degrees,
    /// The value that the set reads, in one column: the members are in the network.
    Value,
}

impl SetColumns {
    /// What `model` takes.
    pub(crate) fn of(model: &Architecture) -> Self {
        match model {
            Architecture::Tsk(shape) if shape.from == RuleSource::Sets => Self::Value,
            _ => Self::Degrees,
        }
    }
}

/// One column of an input.
pub(crate) struct FeatureName {
    pub(crate) timeframe: Timeframe,
    /// Bars of that timeframe back; 0 = the current one.
    pub(crate) lag: u32,
    /// `{timeframe}_{set}_{member}`, `{timeframe}_{set}` or `{timeframe}_{reference}_raw`, followed
    /// by `_lag_{k}` where it lags.
    pub(crate) name: String,
}

/// The columns of one input, in order: for each timeframe the current ones, then those of each lag.
pub(crate) fn feature_names(
    input: &Input,
    sets: &[FuzzySet],
    strategy_timeframes: &[Timeframe],
    set_columns: SetColumns,
) -> Vec<FeatureName> {
    let timeframes = input.timeframes.as_deref().unwrap_or(strategy_timeframes);
    let mut columns = Vec::new();

    for &timeframe in timeframes {
        for lag in std::iter::once(0).chain(input.lags.iter().copied()) {
            // The current column keeps the name that it has without lags.
            let suffix = match lag {
                0 => String::new(),
                lag => format!("_lag_{lag}"),
            };
            for name in names_without_lag(&input.source, sets, timeframe, set_columns) {
                columns.push(FeatureName {
                    timeframe,
                    lag,
                    name: format!("{name}{suffix}"),
                });
            }
        }
    }
    columns
}

fn names_without_lag(
    source: &InputSource,
    sets: &[FuzzySet],
    timeframe: Timeframe,
    set_columns: SetColumns,
) -> Vec<String> {
    let position = match source {
        InputSource::Raw { reference, .. } => return vec![format!("{timeframe}_{reference}_raw")],
        InputSource::Fuzzy(position) => *position,
    };
    let Some(set) = sets.get(position) else {
        return Vec::new();
    };

    let set_name = format!("{timeframe}_{}", set.id);
    match set_columns {
        SetColumns::Value => vec![set_name],
        SetColumns::Degrees => {
            let members = set.members.iter();
            members
                .map(|(member, _)| format!("{set_name}_{member}"))
                .collect()
        }
    }
}
