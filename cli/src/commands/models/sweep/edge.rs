//! Whether the training that a sweep chooses has an edge, beyond the luck of the choice.

use schemas::edge::{EdgeFigures, sharpe_of_headline};
use schemas::queries::ModelSummary;
use serde_json::{Value, json};
use statistics::{Candidate, Deflated, Sharpe, luck_of_choice};

use crate::commands::models::edge::verdict;
use crate::console::count_of;

/// The edge of the chosen version.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SweepEdge {
    /// Trainings among which it was chosen.
    trainings: usize,
    /// Its figures of the validation part, with Holm's correction of p over all trainings.
    validation: EdgeFigures,
    /// Its figures of the test part, which chose nothing.
    test: EdgeFigures,
    /// Its Sharpe ratio on validation beside what luck would have reached.
    deflated: Option<Deflated>,
}

impl SweepEdge {
    /// The edge of `chosen` among the versions that a sweep has made; none where it was not
    /// measured.
    pub(super) fn of(models: &[&ModelSummary], chosen: u32) -> Option<Self> {
        let position = models.iter().position(|model| model.version == chosen)?;
        let model = models.get(position)?;
        let validation = EdgeFigures::of_headline(&model.validation)?;
        let test = EdgeFigures::of_headline(&model.metrics)?;

        let candidates: Vec<Candidate> = models.iter().map(|model| candidate_of(model)).collect();
        let luck = luck_of_choice(&candidates, position)?;
        Some(Self {
            trainings: models.len(),
            validation: EdgeFigures {
                p: luck.p,
                ..validation
            },
            test,
            deflated: luck.deflated,
        })
    }

    /// True where the validation part shows an edge after the correction, and the test part does.
    fn is_edge(&self) -> bool {
        self.validation.why_not().is_none() && self.test.why_not().is_none()
    }

    /// `edge: none is shown on validation, p corrected for 50 trainings (Holm): …`.
    pub(super) fn sentence(&self) -> String {
        // What the choice was made by comes first: a test part cannot mend it.
        let corrected = format!(
            "on validation, p corrected for {} (Holm)",
            count_of(self.trainings, "training")
        );
        let sentence = match self.validation.why_not() {
            Some(_) => verdict(&self.validation, &corrected),
            None => verdict(&self.test, "on the test part"),
        };
        format!("edge: {sentence}")
    }

    /// The deflated Sharpe ratio in words; none where there is none.
    pub(super) fn describe_deflated(&self) -> Option<String> {
        let deflated = self.deflated?;
        Some(format!(
            "deflated Sharpe ratio {:.3}: so probable is it that {:.3} a trade on validation is \
             more than the luck of the best of {}, {:.3}",
            deflated.probability,
            deflated.ratio,
            count_of(self.trainings, "training"),
            deflated.expected_maximum
        ))
    }

    pub(super) fn json(&self) -> Value {
        let deflated = self.deflated.map(|deflated| {
            json!({
                "sharpe": deflated.ratio,
                "expected_maximum": deflated.expected_maximum,
                "probability": deflated.probability,
            })
        });

        json!({
            "is_edge": self.is_edge(),
            "trainings": self.trainings,
            "validation": figures_json(&self.validation),
            "test": figures_json(&self.test),
            "deflated_sharpe": deflated,
        })
    }
}

fn candidate_of(model: &ModelSummary) -> Candidate {
    let figures = EdgeFigures::of_headline(&model.validation).unwrap_or_default();
    let sharpe = sharpe_of_headline(&model.validation);
    Candidate {
        p: figures.p,
        sharpe: sharpe.map(|sharpe| Sharpe {
            ratio: sharpe.ratio,
            observations: figures.trades as usize,
            skewness: sharpe.skewness,
            kurtosis: sharpe.kurtosis,
        }),
    }
}

fn figures_json(figures: &EdgeFigures) -> Value {
    json!({
        "rank_ic": figures.rank_ic,
        "p": figures.p,
        "trades": figures.trades,
        "net": figures.net,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn figures(rank_ic: f64, p: f64, ratio: f64) -> BTreeMap<String, f64> {
        let figures = [
            ("rank_ic", rank_ic),
            ("rank_ic_p", p),
            ("trades", 101.0),
            ("trade_net", 0.05),
            ("trade_sharpe", ratio),
            ("trade_skewness", 0.0),
            ("trade_kurtosis", 3.0),
        ];
        figures.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn model(version: u32, validation: BTreeMap<String, f64>) -> ModelSummary {
        let mut model: ModelSummary = serde_json::from_value(json!({
            "name": "x", "version": version, "artifact": "a", "operation": "o", "symbols": [],
            "timeframes": [], "metrics": {}, "created_at": 0,
        }))
        .unwrap();
        model.metrics = figures(0.03, 0.01, 0.1);
        model.validation = validation;
        model
    }

    fn edge_of(p_of_best: f64) -> SweepEdge {
        let models = [
            model(1, figures(0.05, p_of_best, 0.3)),
            model(2, figures(0.01, 0.5, 0.1)),
            model(3, figures(0.01, 0.6, 0.2)),
        ];
        let models: Vec<&ModelSummary> = models.iter().collect();
        SweepEdge::of(&models, 1).unwrap()
    }

    #[test]
    fn an_edge_survives_the_number_of_trainings() {
        let edge = edge_of(0.016);

        // 3 · 0.016 is below 5 %; what the test part says is shown.
        assert!(edge.is_edge());
        insta::assert_snapshot!(edge.sentence(), @"
        edge: an edge on the test part: rank IC 0.0300, p 0.010; its trades made +5.000 % after costs
        ");
        insta::assert_snapshot!(edge.describe_deflated().unwrap(), @"
        deflated Sharpe ratio 0.982: so probable is it that 0.300 a trade on validation is more than the luck of the best of 3 trainings, 0.085
        ");
    }

    #[test]
    fn luck_among_several_trainings_is_no_edge() {
        let edge = edge_of(0.017);
        assert!(!edge.is_edge());
        insta::assert_snapshot!(edge.sentence(), @"
        edge: none is shown on validation, p corrected for 3 trainings (Holm): rank IC 0.0500 may be chance (p 0.051)
        ");
    }

    #[test]
    fn versions_of_older_programs_have_no_edge_to_judge() {
        let older = ModelSummary {
            metrics: BTreeMap::new(),
            ..model(1, BTreeMap::new())
        };
        assert_eq!(SweepEdge::of(&[&older], 1), None);
    }
}
