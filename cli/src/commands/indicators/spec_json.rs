//! An indicator type as programs read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strategies::indicators::{
    Indicator, IndicatorSpec, LabelOnlySpec, ParameterKind, ParameterSpec,
};

/// A type that has values.
pub(super) fn spec_json(spec: &'static IndicatorSpec) -> Value {
    json!({
        "type": "indicator",
        "name": spec.name,
        "aliases": spec.aliases,
        "outputs": spec.outputs,
        "needs_volume": spec.needs_volume,
        "warm_up": default_warm_up(spec),
        "parameters": parameters_json(spec.parameters),
        "formula": spec.formula,
        "source": spec.source,
    })
}

/// A type that only labels: `label_only` holds the reason, and is absent from types that have
/// values.
pub(super) fn label_only_json(spec: &LabelOnlySpec) -> Value {
    json!({
        "type": "indicator",
        "name": spec.name,
        "aliases": spec.aliases,
        "outputs": [],
        "label_only": spec.reason,
        "parameters": parameters_json(spec.parameters),
        "formula": spec.formula,
        "source": spec.source,
    })
}

/// Bars until every output is defined, with the default parameters.
pub(super) fn default_warm_up(spec: &'static IndicatorSpec) -> Option<usize> {
    let indicator = Indicator::new(spec, &BTreeMap::new()).ok()?;
    Some(indicator.warm_up())
}

fn parameters_json(parameters: &[ParameterSpec]) -> Vec<Value> {
    parameters.iter().map(parameter_json).collect()
}

fn parameter_json(parameter: &ParameterSpec) -> Value {
    let legal = match parameter.kind {
        ParameterKind::Integer { min, max, default } => {
            json!({"type": "integer", "min": min, "max": max, "default": default})
        }
        ParameterKind::Float {
            min,
            min_exclusive,
            max,
            max_exclusive,
            default,
        } => json!({
            "type": "number",
            "min": min,
            "min_exclusive": min_exclusive,
            "max": max,
            "max_exclusive": max_exclusive,
            "default": default,
        }),
        ParameterKind::Boolean { default } => json!({"type": "boolean", "default": default}),
        ParameterKind::Choice { options, default } => {
            json!({"type": "choice", "options": options, "default": default})
        }
    };

    json!({"name": parameter.name, "description": parameter.description, "legal": legal})
}
