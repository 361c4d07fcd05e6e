//! The names of feature columns, which a strategy file decides alone: a trained model knows its
//! columns by them.

use market::Timeframe;

use super::{FuzzySet, Input, InputSource};

/// One column of an input.
pub(crate) struct FeatureName {
    pub(crate) timeframe: Timeframe,
    /// Bars of that timeframe back; 0 = the current one.
    pub(crate) lag: u32,
    /// `{timeframe}_{set}_{member}` or `{timeframe}_{reference}_raw`, followed by `_lag_{k}` where
    /// it lags.
    pub(crate) name: String,
}

/// The columns of one input, in order: for each timeframe the current ones, then those of each lag.
pub(crate) fn feature_names(
    input: &Input,
    sets: &[FuzzySet],
    strategy_timeframes: &[Timeframe],
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
            for name in names_without_lag(&input.source, sets, timeframe) {
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

fn names_without_lag(source: &InputSource, sets: &[FuzzySet], timeframe: Timeframe) -> Vec<String> {
    match source {
        InputSource::Raw { reference, .. } => vec![format!("{timeframe}_{reference}_raw")],
        InputSource::Fuzzy(position) => match sets.get(*position) {
            Some(set) => set
                .members
                .iter()
                .map(|(member, _)| format!("{timeframe}_{}_{member}", set.id))
                .collect(),
            None => Vec::new(),
        },
    }
}
