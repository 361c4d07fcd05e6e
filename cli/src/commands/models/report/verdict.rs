//! One sentence: whether the model is better than its simplest rival on the test part.

use schemas::metrics::{Interval, KindMetrics, MetricsDocument, PartMetrics, Uncertainty};
use schemas::names::TEST_PART;

use super::super::evaluation::{percent, points, small};

/// What the figures of the test part allow to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::models) enum Judgement {
    /// The whole interval of the gain is above 0.
    Better,
    /// The whole interval of the gain is below 0.
    Worse,
    /// The interval has 0 in it, or there is none.
    Open,
}

impl Judgement {
    /// The first words of the verdict.
    pub(in crate::commands::models) const fn words(self) -> &'static str {
        match self {
            Self::Better => "Better than its baseline.",
            Self::Worse => "Worse than its baseline.",
            Self::Open => "Not shown to be better than its baseline.",
        }
    }

    /// The class by which the page colours it.
    pub(in crate::commands::models) const fn class(self) -> &'static str {
        match self {
            Self::Better => "verdict better",
            Self::Worse => "verdict worse",
            Self::Open => "verdict open",
        }
    }

    fn of(gain: Option<&Interval>) -> Self {
        match gain {
            Some(gain) if gain.low > 0.0 => Self::Better,
            Some(gain) if gain.high < 0.0 => Self::Worse,
            _ => Self::Open,
        }
    }
}

/// A judgement with the figures behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands::models) struct Verdict {
    pub(in crate::commands::models) judgement: Judgement,
    pub(in crate::commands::models) sentence: String,
}

/// The verdict on a model; none without figures of a test part.
pub(in crate::commands::models) fn verdict_of(document: &MetricsDocument) -> Option<Verdict> {
    let test = document.parts.get(TEST_PART)?;
    let uncertainty = document.evaluation.uncertainty.as_ref();
    Some(judge_part(test, uncertainty, "test part"))
}

/// The verdict by the figures of `part`, which people call `name`.
pub(in crate::commands::models) fn judge_part(
    part: &PartMetrics,
    uncertainty: Option<&Uncertainty>,
    name: &str,
) -> Verdict {
    let gain_of = |name: &str| uncertainty.and_then(|all| all.intervals.get(name));

    let (gain, comparison) = match &part.kind {
        KindMetrics::Classes(metrics) => {
            let gain = metrics.accuracy - metrics.majority_accuracy;
            let text = format!(
                "accuracy {}, always the most frequent class {}: a difference of {} points",
                percent(metrics.accuracy),
                percent(metrics.majority_accuracy),
                points(gain)
            );
            let interval = gain_of("accuracy_gain");
            (
                interval,
                format!("{text}{}", interval_text(interval, points)),
            )
        }
        KindMetrics::Regression(metrics) => {
            let gain = metrics.baseline_mae - metrics.mae;
            let text = format!(
                "mean error {}, always the mean of the training part {}: a difference of {}",
                small(metrics.mae),
                small(metrics.baseline_mae),
                small(gain)
            );
            let interval = gain_of("mae_gain");
            (
                interval,
                format!("{text}{}", interval_text(interval, small)),
            )
        }
    };

    let judgement = Judgement::of(gain);
    let end = match (judgement, gain) {
        (Judgement::Open, Some(_)) => ", which may be chance",
        (_, None) => ", of which no interval was measured",
        _ => "",
    };
    Verdict {
        judgement,
        sentence: format!("On {} rows of the {name}: {comparison}{end}.", part.rows),
    }
}

/// ` [-12.0, -1.0]`, or nothing.
fn interval_text(interval: Option<&Interval>, text: fn(f64) -> String) -> String {
    match interval {
        Some(interval) => format!(" [{}, {}]", text(interval.low), text(interval.high)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Accuracy 60 % against 50 % on 40 rows, with this interval of the gain.
    fn verdict(interval: Option<[f64; 2]>) -> Verdict {
        let mut document = json!({
            "v": 1, "headline": {}, "warnings": [], "epochs": 3, "best_epoch": 2,
            "stopped_early": false, "seed": 7, "parameters": 4, "device": "cpu",
            "class_weights": {},
            "parts": {"test": {
                "rows": 40, "criterion": 1.0, "loss": 1.0, "accuracy": 0.6,
                "majority_accuracy": 0.5, "macro_precision": 0.5, "macro_recall": 0.5,
                "macro_f1": 0.5, "classes": [], "confusion": [],
            }},
        });

        if let Some([low, high]) = interval {
            document["uncertainty"] = json!({
                "level": 0.95, "draws": 1000, "block_rows": 4, "seed": 7,
                "intervals": {"accuracy_gain": {"value": 0.1, "low": low, "high": high}},
            });
        }
        verdict_of(&serde_json::from_value(document).unwrap()).unwrap()
    }

    #[test]
    fn a_gain_is_one_if_its_whole_interval_is_above_zero() {
        let verdict = verdict(Some([0.02, 0.18]));
        assert_eq!(verdict.judgement, Judgement::Better);
        assert_eq!(
            verdict.sentence,
            "On 40 rows of the test part: accuracy 60.0 %, always the most frequent class 50.0 %: \
             a difference of +10.0 points [+2.0, +18.0]."
        );
    }

    #[test]
    fn a_gain_whose_interval_has_zero_in_it_may_be_chance() {
        let verdict = verdict(Some([-0.02, 0.22]));
        assert_eq!(verdict.judgement, Judgement::Open);
        assert!(
            verdict
                .sentence
                .ends_with("[-2.0, +22.0], which may be chance.")
        );
    }

    #[test]
    fn a_loss_for_certain_is_called_worse() {
        assert_eq!(verdict(Some([-0.2, -0.1])).judgement, Judgement::Worse);
    }

    #[test]
    fn a_gain_without_an_interval_proves_nothing() {
        let verdict = verdict(None);
        assert_eq!(verdict.judgement, Judgement::Open);
        assert!(
            verdict
                .sentence
                .ends_with("of which no interval was measured.")
        );
    }
}
