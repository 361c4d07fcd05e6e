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
    strategy: &[Timeframe],
) -> Vec<FeatureName> {
    let timeframes = input.timeframes.as_deref().unwrap_or(strategy);
    let names = |timeframe: Timeframe| match &input.source {
        InputSource::Fuzzy(set) => {
            let set = sets.get(*set);
            set.iter()
                .flat_map(|set| {
                    set.members
                        .iter()
                        .map(|(member, _)| format!("{timeframe}_{}_{member}", set.id))
                })
                .collect()
        }
        InputSource::Raw { reference, .. } => vec![format!("{timeframe}_{reference}_raw")],
    };
    let mut all = Vec::new();
    for &timeframe in timeframes {
        for lag in std::iter::once(0).chain(input.lags.iter().copied()) {
            let suffix = if lag == 0 {
                String::new()
            } else {
                format!("_lag_{lag}")
            };
            let of_lag = names(timeframe).into_iter().map(|name| FeatureName {
                timeframe,
                lag,
                name: name + &suffix,
            });
            all.extend(of_lag);
        }
    }
    all
}
