//! From what was asked for to what is trained: the one way from a train request, or from a model's
//! lineage that remembers one, to a resolved strategy.
//!
//! Processor, trainer, registry and `ktrdr models predict` all come here, so that a model is used
//! with exactly the columns that it was trained on.

use std::borrow::Cow;

use market::Timeframe;
use schemas::codes::{self, Advice, Code};
use schemas::commands::TrainRequest;
use schemas::manifests::{FeatureColumn, Lineage};
use serde_json::Value as Json;
use thiserror::Error;

use crate::finding::Findings;
use crate::resolve::{Overrides, Resolved};
use crate::strategy::Strategy;

/// Why a request, or the lineage of a model, gives no resolved strategy.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The text is not a strategy, or the request does not fit it.
    #[error("{0}")]
    Strategy(Findings),
    /// The overrides are not those of this version of the program.
    #[error("the overrides of the request cannot be read")]
    Overrides(#[source] serde_json::Error),
    /// The strategy of a model does not give the columns of its network.
    #[error("the strategy of the model does not give the inputs of its network")]
    Columns,
}

impl From<Findings> for RequestError {
    fn from(findings: Findings) -> Self {
        Self::Strategy(findings)
    }
}

impl Advice for RequestError {
    fn code(&self) -> Code {
        match self {
            Self::Strategy(_) => codes::STRATEGY_INVALID,
            Self::Overrides(_) => codes::STRATEGY_OVERRIDES,
            Self::Columns => codes::MODEL_FEATURES,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Strategy(findings) => findings.hint().into(),
            Self::Overrides(_) => "submit the request with this version of `ktrdr`".into(),
            Self::Columns => {
                "it was trained by another version of the program: train it again".into()
            }
        }
    }
}

/// A request that was understood.
#[derive(Clone, Debug)]
pub struct ResolvedRequest {
    /// The strategy with the request applied.
    pub resolved: Resolved,
    /// What the author of the strategy should look at; none of it is an error.
    pub warnings: Findings,
}

impl Resolved {
    /// The strategy of a request, with its overrides applied.
    ///
    /// # Errors
    /// The overrides cannot be read, the strategy has errors, or the two do not fit each other.
    pub fn from_request(request: &TrainRequest) -> Result<ResolvedRequest, RequestError> {
        resolve_text(&request.strategy, &read_overrides(&request.overrides)?)
    }

    /// The strategy as a model was trained with it. `columns` are those of its network, and the
    /// result has exactly them, in their order.
    ///
    /// Manifests written before lineages kept the overrides name only the timeframes of the
    /// training, base first. The order in which the request listed them is then found by trying:
    /// the strategy's own, the one in which they first appear among the columns, and that of the
    /// lineage.
    ///
    /// # Errors
    /// The lineage cannot be understood, or it gives other columns.
    pub fn from_lineage(
        lineage: &Lineage,
        columns: &[FeatureColumn],
    ) -> Result<Self, RequestError> {
        // A record without overrides leaves only its columns to go by.
        let Some(overrides) = &lineage.overrides else {
            return resolve_by_columns(lineage, columns);
        };

        let request = resolve_text(&lineage.strategy, &read_overrides(overrides)?)?;
        // With other columns the model would read values that it was not trained on.
        if has_columns(&request.resolved, columns) {
            Ok(request.resolved)
        } else {
            Err(RequestError::Columns)
        }
    }
}

/// Null means that nothing was changed.
fn read_overrides(overrides: &Json) -> Result<Overrides, RequestError> {
    if overrides.is_null() {
        return Ok(Overrides::default());
    }
    serde_json::from_value(overrides.clone()).map_err(RequestError::Overrides)
}

fn resolve_text(text: &str, overrides: &Overrides) -> Result<ResolvedRequest, RequestError> {
    let strategy = Strategy::parse(text)?;
    let resolved = strategy.resolve(overrides)?;
    Ok(ResolvedRequest {
        resolved,
        warnings: strategy.warnings,
    })
}

/// For manifests without overrides: the first order of timeframes that gives the columns.
fn resolve_by_columns(
    lineage: &Lineage,
    columns: &[FeatureColumn],
) -> Result<Resolved, RequestError> {
    let strategy = Strategy::parse(&lineage.strategy)?;
    let trained_on: Vec<Timeframe> = lineage
        .timeframes
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();

    // The likeliest order comes first; the columns decide which one was trained.
    let orders = [
        None,
        Some(order_by_columns(&trained_on, columns)),
        Some(trained_on.clone()),
    ];
    for timeframes in orders {
        let overrides = Overrides {
            timeframes,
            ..Overrides::default()
        };
        if let Ok(resolved) = strategy.resolve(&overrides)
            && resolved.timeframes.first() == trained_on.first()
            && has_columns(&resolved, columns)
        {
            return Ok(resolved);
        }
    }

    Err(RequestError::Columns)
}

/// The timeframes in the order in which they first appear among the columns, then the others.
fn order_by_columns(timeframes: &[Timeframe], columns: &[FeatureColumn]) -> Vec<Timeframe> {
    let mut order: Vec<Timeframe> = Vec::new();
    for column in columns {
        let timeframe = timeframes
            .iter()
            .find(|timeframe| column.name.starts_with(&format!("{timeframe}_")));
        if let Some(timeframe) = timeframe
            && !order.contains(timeframe)
        {
            order.push(*timeframe);
        }
    }

    // A timeframe without a column comes last.
    for timeframe in timeframes {
        if !order.contains(timeframe) {
            order.push(*timeframe);
        }
    }
    order
}

fn has_columns(resolved: &Resolved, columns: &[FeatureColumn]) -> bool {
    let names = resolved.features.iter().map(|feature| &feature.name);
    columns.iter().map(|column| &column.name).eq(names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    const STRATEGY: &str = "name: two\nversion: \"1.0\"\n\
        training_data:\n  symbols: {mode: single, symbol: EURUSD}\n\
        \x20 timeframes: {mode: multi_timeframe, list: [\"1h\", \"4h\"], base_timeframe: \"1h\"}\n\
        indicators:\n  roc_1: {type: roc, period: 1}\n\
        fuzzy_sets: {}\n\
        nn_inputs:\n  - {raw_indicator: roc_1, timeframes: all}\n\
        model:\n  type: mlp\n\
        \x20 architecture: {hidden_layers: [1], activation: relu, dropout: 0.0}\n\
        decisions:\n  output_format: regression\n\
        \x20 cost_model: {round_trip_cost: 0.0001, min_edge_multiplier: 1.5}\n\
        training:\n  labels: {source: forward_return, horizon: 1}\n\
        \x20 data_split: {train: 0.7, validation: 0.15, test: 0.15}\n";

    fn request(overrides: Json) -> TrainRequest {
        TrainRequest {
            strategy: STRATEGY.to_owned(),
            overrides,
            model: None,
        }
    }

    /// The lineage that a training of `request` leaves behind, as far as it matters here.
    fn lineage_of(request: &TrainRequest, resolved: &Resolved) -> Lineage {
        Lineage {
            operation: "op".to_owned(),
            dataset: "d".to_owned(),
            series: BTreeMap::new(),
            strategy: request.strategy.clone(),
            strategy_sha256: String::new(),
            overrides: Some(request.overrides.clone()),
            seed: 1,
            symbols: vec!["fx:EUR.USD".to_owned()],
            timeframes: resolved
                .timeframes
                .iter()
                .map(ToString::to_string)
                .collect(),
            versions: BTreeMap::new(),
        }
    }

    fn names_of(resolved: &Resolved) -> Vec<&str> {
        let features = resolved.features.iter();
        features.map(|feature| feature.name.as_str()).collect()
    }

    /// Every order of timeframes that a request may list.
    fn orders_of_timeframes() -> [Json; 4] {
        [
            json!({}),
            json!({ "timeframes": ["4h", "1h"] }),
            json!({ "timeframes": ["4h"] }),
            json!({ "timeframes": ["1d", "1h", "4h"] }),
        ]
    }

    #[test]
    fn a_lineage_gives_what_was_trained() {
        for overrides in orders_of_timeframes() {
            let request = request(overrides);
            let trained = Resolved::from_request(&request).unwrap().resolved;
            let lineage = lineage_of(&request, &trained);

            let resolved = Resolved::from_lineage(&lineage, &trained.feature_columns()).unwrap();

            assert_eq!(resolved.base, trained.base, "{}", request.overrides);
            assert_eq!(resolved.timeframes, trained.timeframes);
            assert_eq!(names_of(&resolved), names_of(&trained));
        }
    }

    #[test]
    fn a_lineage_without_overrides_is_read_by_its_columns() {
        for overrides in orders_of_timeframes() {
            let request = request(overrides);
            let trained = Resolved::from_request(&request).unwrap().resolved;
            let lineage = Lineage {
                overrides: None,
                ..lineage_of(&request, &trained)
            };

            let resolved = Resolved::from_lineage(&lineage, &trained.feature_columns()).unwrap();

            assert_eq!(resolved.base, trained.base, "{}", request.overrides);
            assert_eq!(resolved.timeframes, trained.timeframes);
            assert_eq!(names_of(&resolved), names_of(&trained));
        }
    }

    #[test]
    fn a_lineage_with_other_columns_is_refused() {
        let request = request(Json::Null);
        let trained = Resolved::from_request(&request).unwrap().resolved;
        let mut columns = trained.feature_columns();
        columns.pop();

        for overrides in [None, Some(json!({}))] {
            let lineage = Lineage {
                overrides,
                ..lineage_of(&request, &trained)
            };
            let error = Resolved::from_lineage(&lineage, &columns).unwrap_err();
            assert_eq!(error.code(), codes::MODEL_FEATURES);
        }
    }

    #[test]
    fn overrides_of_another_version_are_refused() {
        let error = Resolved::from_request(&request(json!("fast"))).unwrap_err();
        assert_eq!(error.code(), codes::STRATEGY_OVERRIDES);
    }
}
