//! Answers of independent programs, as `tests/golden/edge.py` wrote them.

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Distributions {
    pub(crate) normal: Vec<NormalCase>,
    pub(crate) student: Vec<StudentCase>,
}

#[derive(Deserialize)]
pub(crate) struct NormalCase {
    pub(crate) x: f64,
    pub(crate) below: f64,
    pub(crate) tail: f64,
    pub(crate) exceeded_by: f64,
}

#[derive(Deserialize)]
pub(crate) struct StudentCase {
    pub(crate) t: f64,
    pub(crate) degrees: f64,
    pub(crate) beyond: f64,
}

#[derive(Deserialize)]
pub(crate) struct Panel {
    pub(crate) signal: Vec<f64>,
    pub(crate) forward: Vec<f64>,
    pub(crate) symbol: Vec<u32>,
    pub(crate) instant: Vec<i64>,
    pub(crate) horizon: usize,
    pub(crate) lags: usize,
    pub(crate) spearman: f64,
    pub(crate) decile_spread: f64,
    pub(crate) t_by_symbol: f64,
    pub(crate) t_by_instant: f64,
    pub(crate) p: f64,
}

#[derive(Deserialize)]
pub(crate) struct SharpeCases {
    pub(crate) holdout: Vec<HoldoutCase>,
    pub(crate) purgedcv: Vec<PurgedcvCase>,
    pub(crate) holm: Vec<HolmCase>,
}

#[derive(Deserialize)]
pub(crate) struct HoldoutCase {
    pub(crate) returns: Vec<f64>,
    pub(crate) benchmark: f64,
    pub(crate) candidates: usize,
    pub(crate) variance: f64,
    pub(crate) ratio: f64,
    pub(crate) skewness: f64,
    pub(crate) kurtosis: f64,
    pub(crate) probability: f64,
    pub(crate) maximum: f64,
    pub(crate) deflated: f64,
}

#[derive(Deserialize)]
pub(crate) struct PurgedcvCase {
    pub(crate) ratio: f64,
    pub(crate) observations: usize,
    pub(crate) skewness: f64,
    pub(crate) kurtosis: f64,
    pub(crate) benchmark: f64,
    pub(crate) candidates: usize,
    pub(crate) variance: f64,
    pub(crate) probability: f64,
    pub(crate) deflated: f64,
}

#[derive(Deserialize)]
pub(crate) struct HolmCase {
    pub(crate) p: Vec<f64>,
    pub(crate) holdout: Vec<f64>,
    pub(crate) statsmodels: Vec<f64>,
}

pub(crate) fn distributions() -> Distributions {
    serde_json::from_str(include_str!("../tests/golden/distributions.json")).unwrap()
}

pub(crate) fn panels() -> Vec<Panel> {
    serde_json::from_str(include_str!("../tests/golden/rank_ic.json")).unwrap()
}

pub(crate) fn sharpe() -> SharpeCases {
    serde_json::from_str(include_str!("../tests/golden/sharpe.json")).unwrap()
}

/// Equal to 1e-9, of large numbers in relation to them.
#[track_caller]
pub(crate) fn assert_near(value: f64, expected: f64) {
    let difference = (value - expected).abs();
    assert!(
        difference < 1e-9 * expected.abs().max(1.0),
        "{value} is not {expected}"
    );
}
