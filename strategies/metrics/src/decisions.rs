//! What the rules of a strategy make of the scores of a model: how often each decision is made, how
//! often it is right, and which threshold would make more of them.

use networks::math;
use schemas::decision_report::{Alternative, DecisionReport, PartDecisions, Suggestion, Threshold};
use schemas::names::{TEST_PART, TRAIN_PART, VALIDATION_PART};
use strategies::{Decisions, Signal};

use super::Scored;
use crate::labels::Labels;

/// Least share of BUY and SELL in the validation part.
const SHARE_MIN: f64 = 0.05;
/// Shares of BUY and SELL whose thresholds are reported.
const SHARES: [f64; 7] = [0.8, 0.5, 0.2, 0.1, SHARE_MIN, 0.02, 0.01];

/// Scores of the three parts.
#[derive(Clone, Copy, Debug)]
pub struct ScoredParts<'a> {
    /// The part that the weights were fitted to.
    pub train: Scored<'a>,
    /// The part that chose the best epoch; it chooses the suggestion, too.
    pub validation: Scored<'a>,
    /// The part that chose nothing.
    pub test: Scored<'a>,
}

impl ScoredParts<'_> {
    /// What `rules` decide on these scores. A threshold that they leave open is the highest of two
    /// digits at which 5 % of the validation part are BUY or SELL; 0 where none is.
    pub fn decide(&self, rules: Decisions) -> DecisionReport {
        let is_chosen = rules.is_auto();
        let rules = if is_chosen {
            let strengths = sorted_strengths(&self.validation, rules);
            let rows = self.validation.labels.len();
            let chosen = highest_threshold(&strengths, rows, SHARE_MIN);
            rules.with_chosen(Some(chosen.unwrap_or(0.0)))
        } else {
            rules
        };

        let parts = [
            (TRAIN_PART, decisions_of(&self.train, rules)),
            (VALIDATION_PART, decisions_of(&self.validation, rules)),
            (TEST_PART, decisions_of(&self.test, rules)),
        ];
        let parts = parts.map(|(name, counts)| (name.to_owned(), counts));

        DecisionReport {
            threshold: threshold_of(rules),
            is_chosen,
            parts: parts.into(),
            suggestion: suggest_threshold(&self.validation, rules),
            alternatives: alternatives(&self.validation, rules),
        }
    }
}

const fn threshold_of(rules: Decisions) -> Threshold {
    match rules {
        Decisions::Classification {
            confidence_threshold,
            ..
        } => Threshold::ConfidenceThreshold(match confidence_threshold {
            Some(threshold) => threshold,
            None => 0.0,
        }),
        Decisions::Regression {
            min_edge_multiplier,
            ..
        } => Threshold::MinEdgeMultiplier(min_edge_multiplier),
    }
}

/// How often `rules` make each decision on these scores.
pub fn decisions_of(scored: &Scored<'_>, rules: Decisions) -> PartDecisions {
    let mut counts = PartDecisions::default();
    let mut right = 0_u64;
    for (row, prediction) in predictions_of(scored).into_iter().enumerate() {
        let decision = rules.signal(&prediction);
        match decision {
            Signal::Buy => counts.buy += 1,
            Signal::Hold => counts.hold += 1,
            Signal::Sell => counts.sell += 1,
        }

        let is_right = rules.signal(&truth_of(scored.labels, row, prediction.len())) == decision;
        right += u64::from(is_right && decision != Signal::Hold);
    }

    let acted = counts.buy + counts.sell;
    counts.precision = (acted > 0).then(|| right as f64 / acted as f64);
    counts
}

/// The predictions as `ktrdr models predict` gives them: probabilities of the classes, or a return.
pub(super) fn predictions_of(scored: &Scored<'_>) -> Vec<Vec<f64>> {
    let rows = scored.labels.len().max(1);
    let outputs = (scored.scores.len() / rows).max(1);
    let mut predictions = Vec::with_capacity(rows);

    for scores in scored.scores.chunks_exact(outputs) {
        let mut values = scores.to_vec();
        if matches!(scored.labels, Labels::Classes(_)) {
            math::softmax(&mut values);
        }
        predictions.push(values.into_iter().map(f64::from).collect());
    }
    predictions
}

/// The prediction of somebody who knows the label of a row.
fn truth_of(labels: &Labels, row: usize, outputs: usize) -> Vec<f64> {
    match labels {
        Labels::Returns(labels) => labels
            .get(row)
            .map(|it| f64::from(*it))
            .into_iter()
            .collect(),
        Labels::Classes(labels) => {
            let label = labels.get(row).copied().unwrap_or(-1);
            let classes = 0..outputs as i64;
            classes
                .map(|class| f64::from(u8::from(class == label)))
                .collect()
        }
    }
}

/// The threshold that gives BUY or SELL on 5 % of the rows; none where that of the strategy gives
/// as many, and where none does.
fn suggest_threshold(scored: &Scored<'_>, rules: Decisions) -> Option<Suggestion> {
    let rows = scored.labels.len();
    let strengths = sorted_strengths(scored, rules);
    if share_at(&strengths, threshold_of(rules).value(), rows) >= SHARE_MIN {
        return None;
    }

    let threshold = highest_threshold(&strengths, rows, SHARE_MIN)?;
    Some(Suggestion {
        threshold,
        share: share_at(&strengths, threshold, rows),
    })
}

/// What the thresholds of [`SHARES`] would decide, lowest first; one that several shares have is
/// told once.
fn alternatives(scored: &Scored<'_>, rules: Decisions) -> Vec<Alternative> {
    let strengths = sorted_strengths(scored, rules);
    let thresholds = SHARES.map(|share| highest_threshold(&strengths, scored.labels.len(), share));
    let mut thresholds: Vec<f64> = thresholds.into_iter().flatten().collect();
    thresholds.dedup();

    let alternatives = thresholds.into_iter().map(|threshold| Alternative {
        threshold,
        validation: decisions_of(scored, with_threshold(rules, threshold)),
    });
    alternatives.collect()
}

/// The same rules with another threshold.
const fn with_threshold(rules: Decisions, threshold: f64) -> Decisions {
    match rules {
        Decisions::Classification { signals, .. } => Decisions::Classification {
            confidence_threshold: Some(threshold),
            signals,
        },
        Decisions::Regression {
            round_trip_cost, ..
        } => Decisions::Regression {
            round_trip_cost,
            min_edge_multiplier: threshold,
        },
    }
}

/// The highest threshold of two digits that `share` of `rows` reach; none if they are not as many.
fn highest_threshold(strengths: &[f64], rows: usize, share: f64) -> Option<f64> {
    let count = (share * rows as f64).ceil().max(1.0) as usize;
    let weakest = strengths.get(count - 1).copied()?;
    // Rounded down, so that this row reaches it.
    Some(round_down(weakest))
}

/// Share of the rows that reach a threshold.
fn share_at(strengths: &[f64], threshold: f64, rows: usize) -> f64 {
    let reached = strengths.iter().filter(|strength| **strength >= threshold);
    reached.count() as f64 / rows.max(1) as f64
}

/// [`strength_of`] of the predictions that have one, strongest first.
fn sorted_strengths(scored: &Scored<'_>, rules: Decisions) -> Vec<f64> {
    let predictions = predictions_of(scored).into_iter();
    let strengths = predictions.filter_map(|prediction| strength_of(&prediction, rules));

    let mut strengths: Vec<f64> = strengths.collect();
    strengths.sort_by(|one, other| other.total_cmp(one));
    strengths
}

/// The highest threshold at which a prediction is BUY or SELL; none if it is HOLD at any.
fn strength_of(prediction: &[f64], rules: Decisions) -> Option<f64> {
    match rules {
        Decisions::Regression {
            round_trip_cost, ..
        } => prediction
            .first()
            .map(|value| value.abs() / round_trip_cost),

        Decisions::Classification { signals, .. } => {
            let any_confidence = Decisions::Classification {
                confidence_threshold: None,
                signals,
            };
            let acts = any_confidence.signal(prediction) != Signal::Hold;
            acts.then(|| prediction.iter().copied().fold(0.0, f64::max))
        }
    }
}

/// The largest number of two significant digits below or at `value`.
fn round_down(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let unit = libm::pow(10.0, libm::floor(libm::log10(value)) - 1.0);
    // 0.29 / 0.01 is 28.999…
    let digits = libm::floor(value / unit + 1e-9);
    digits * unit
}
