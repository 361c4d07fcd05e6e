//! What a model is worth, in a few lines: its figures beside those of the simplest rival, how sure
//! they are, where they hold, and which features matter.

use schemas::metrics::{
    ClassMetrics, ClassSkill, Evaluation, GroupMetrics, Grouping, KindMetrics, MetricsDocument,
    PartMetrics, RegressionMetrics, Temperature,
};
use schemas::names::{TEST_PART, VALIDATION_PART};

use super::decisions::describe_report;
use super::edge::describe_edge;

/// Most features in the line of importance.
const FEATURES_MAX: usize = 5;
/// Most symbols in the line of symbols.
const SYMBOLS_MAX: usize = 8;

/// The lines about the test part of `document`; none if it has no such part.
pub(super) fn describe_evaluation(document: &MetricsDocument) -> Vec<(&'static str, String)> {
    let Some(test) = document.parts.get(TEST_PART) else {
        return Vec::new();
    };

    let evaluation = &document.evaluation;
    let mut lines = Vec::new();
    if let Some(validation) = document.parts.get(VALIDATION_PART) {
        lines.push(("validation", describe_validation(validation)));
    }
    lines.push(("test part", format!("{} rows", test.rows)));
    match &test.kind {
        KindMetrics::Classes(metrics) => {
            lines.extend(describe_classes(metrics, test.loss, evaluation));
        }
        KindMetrics::Regression(metrics) => lines.extend(describe_regression(metrics, evaluation)),
    }
    lines.extend(describe_groups(&evaluation.groups));
    if let Some(importance) = describe_importance(evaluation) {
        lines.push(("importance", importance));
    }

    for line in evaluation.decisions.iter().flat_map(describe_report) {
        lines.push(("decisions", line));
    }

    lines.extend(describe_edge(document));

    // What the brackets above mean.
    if let Some(uncertainty) = &evaluation.uncertainty {
        let text = format!(
            "{:.0} % of {} draws of the test part in blocks of {} rows",
            100.0 * uncertainty.level,
            uncertainty.draws,
            uncertainty.block_rows
        );
        lines.push(("[low, high]", text));
    }
    lines
}

/// The figures by which a model may be chosen.
fn describe_validation(part: &PartMetrics) -> String {
    match &part.kind {
        KindMetrics::Classes(metrics) => {
            let accuracy = percent(metrics.accuracy);
            let loss = number(part.loss);
            match &metrics.skill {
                None => format!("log loss {loss}, accuracy {accuracy}"),
                Some(skill) => {
                    let rival = number(skill.prior_loss);
                    format!("log loss {loss}, class shares {rival}; accuracy {accuracy}")
                }
            }
        }

        KindMetrics::Regression(metrics) => format!(
            "mean error {}, always the mean of the training part {}",
            small(metrics.mae),
            small(metrics.baseline_mae)
        ),
    }
}

fn describe_classes(
    metrics: &ClassMetrics,
    loss: f64,
    evaluation: &Evaluation,
) -> Vec<(&'static str, String)> {
    let accuracy = format!(
        "{}{}, always the most frequent class {}",
        percent(metrics.accuracy),
        interval_of(evaluation, "accuracy", percent),
        percent(metrics.majority_accuracy)
    );
    let gain = format!(
        "{} points{}",
        points(metrics.accuracy - metrics.majority_accuracy),
        interval_of(evaluation, "accuracy_gain", points)
    );
    let mut lines = vec![("accuracy", accuracy), ("gain", gain)];

    // An older program has measured no more.
    if let Some(skill) = &metrics.skill {
        lines.extend(describe_skill(metrics, skill, loss, evaluation));
    }
    lines
}

fn describe_skill(
    metrics: &ClassMetrics,
    skill: &ClassSkill,
    loss: f64,
    evaluation: &Evaluation,
) -> Vec<(&'static str, String)> {
    let balance = format!(
        "accuracy {}, macro F1 {:.4}, MCC {}{}",
        percent(skill.balanced_accuracy),
        metrics.macro_f1,
        number(skill.mcc),
        interval_of(evaluation, "mcc", number)
    );
    let loss = format!(
        "{}{}, class shares of the training part {}",
        number(loss),
        interval_of(evaluation, "loss", number),
        number(skill.prior_loss)
    );
    let mut calibration = format!(
        "calibration error {}, Brier score {}",
        number(skill.calibration.ece),
        number(skill.brier)
    );
    if let Some(temperature) = &evaluation.temperature {
        calibration.push_str(&describe_temperature(temperature));
    }

    vec![
        ("balanced", balance),
        ("log loss", loss),
        ("probabilities", calibration),
    ]
}

/// What the temperature does to the calibration error: the one in use, or the one that might be.
fn describe_temperature(temperature: &Temperature) -> String {
    let value = temperature.value;
    match temperature.uncalibrated {
        Some(before) => format!(" at temperature {value:.2}; {} before", number(before.ece)),
        None => format!(
            "; {} with temperature {value:.2}",
            number(temperature.calibration.ece)
        ),
    }
}

fn describe_regression(
    metrics: &RegressionMetrics,
    evaluation: &Evaluation,
) -> Vec<(&'static str, String)> {
    let error = format!(
        "mean {}{}, always the mean of the training part {}",
        small(metrics.mae),
        interval_of(evaluation, "mae", small),
        small(metrics.baseline_mae)
    );
    let mut lines = vec![("error", error), ("R²", number(metrics.r2))];

    // Labels that never move have no direction.
    if let Some(direction) = metrics.directional_accuracy {
        let mut text = format!(
            "right {}{}",
            percent(direction),
            interval_of(evaluation, "directional_accuracy", percent)
        );
        if let Some(always_up) = metrics.always_up_accuracy {
            text.push_str(&format!(", always up {}", percent(always_up)));
        }
        text.push_str(&format!("; {} rows did not move", metrics.zero_labels));
        lines.push(("direction", text));
    }
    lines
}

/// Each symbol, and the best and the worst month.
fn describe_groups(groups: &[GroupMetrics]) -> Vec<(&'static str, String)> {
    let of = |by: Grouping| groups.iter().filter(move |group| group.by == by);
    let mut lines = Vec::new();

    // One symbol is the whole test part.
    if of(Grouping::Symbol).count() > 1 {
        let texts: Vec<String> = of(Grouping::Symbol).map(describe_group).collect();
        let mut text = texts.iter().take(SYMBOLS_MAX).cloned().collect::<Vec<_>>();
        if texts.len() > SYMBOLS_MAX {
            text.push(format!("and {} more", texts.len() - SYMBOLS_MAX));
        }
        lines.push(("symbols", text.join(", ")));
    }

    let mut months: Vec<&GroupMetrics> = of(Grouping::Month).collect();
    months.sort_by(|one, other| rate_of(one).total_cmp(&rate_of(other)));
    if let [worst, .., best] = months.as_slice() {
        let text = format!(
            "best {}, worst {}, of {}",
            describe_group(best),
            describe_group(worst),
            months.len()
        );
        lines.push(("months", text));
    }
    lines
}

/// The share of right answers, or of right directions.
fn rate_of(group: &GroupMetrics) -> f64 {
    let figure = |name: &str| group.figures.get(name).copied();
    let rate = figure("accuracy").or_else(|| figure("directional_accuracy"));
    rate.unwrap_or(0.0)
}

fn describe_group(group: &GroupMetrics) -> String {
    format!("{} {}", group.name, percent(rate_of(group)))
}

/// The features whose loss costs most.
fn describe_importance(evaluation: &Evaluation) -> Option<String> {
    let importance = evaluation.importance.as_ref()?;
    let mut features: Vec<_> = importance.features.iter().collect();
    features.sort_by(|one, other| other.rise.total_cmp(&one.rise));

    let texts: Vec<String> = features
        .iter()
        .take(FEATURES_MAX)
        .map(|feature| format!("{} {}", feature.name, number(feature.rise)))
        .collect();
    let rest = features.len().saturating_sub(FEATURES_MAX);
    let more = if rest > 0 {
        format!(", and {rest} more")
    } else {
        String::new()
    };
    Some(format!("{}{more}", texts.join(", ")))
}

/// ` [41.2 %, 45.1 %]`, or nothing for a figure without an interval.
pub(super) fn interval_of(
    evaluation: &Evaluation,
    figure: &str,
    text: fn(f64) -> String,
) -> String {
    let uncertainty = evaluation.uncertainty.as_ref();
    match uncertainty.and_then(|uncertainty| uncertainty.intervals.get(figure)) {
        Some(interval) => format!(" [{}, {}]", text(interval.low), text(interval.high)),
        None => String::new(),
    }
}

/// A share of 1 in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A difference of shares in points of percent.
pub(super) fn points(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

/// A figure with four decimals.
pub(super) fn number(value: f64) -> String {
    format!("{value:.4}")
}

/// A return, which is small.
pub(super) fn small(value: f64) -> String {
    format!("{value:.6}")
}

#[cfg(test)]
mod tests {
    use schemas::metrics::{Calibration, Uncalibrated};
    use serde_json::json;

    use super::*;

    fn text_of(document: serde_json::Value) -> String {
        let document: MetricsDocument = serde_json::from_value(document).unwrap();
        let lines = describe_evaluation(&document);
        let lines = lines
            .iter()
            .map(|(name, text)| format!("{name:<13} {text}\n"));
        lines.collect()
    }

    /// A document with these parts and fields.
    fn document(test: serde_json::Value, evaluation: serde_json::Value) -> serde_json::Value {
        let mut document = json!({
            "v": 1, "headline": {}, "warnings": [], "epochs": 3, "best_epoch": 2,
            "stopped_early": false, "seed": 7, "parameters": 4, "device": "cpu",
            "class_weights": {}, "parts": {"test": test},
        });
        for (key, value) in evaluation.as_object().unwrap() {
            document[key] = value.clone();
        }
        document
    }

    fn interval(low: f64, high: f64) -> serde_json::Value {
        json!({"value": 0.5 * (low + high), "low": low, "high": high})
    }

    fn group(by: &str, name: &str, figure: &str, value: f64) -> serde_json::Value {
        json!({"by": by, "name": name, "rows": 10, "figures": {figure: value}})
    }

    #[test]
    fn classes_are_shown_beside_what_the_simplest_rivals_reach() {
        let test = json!({
            "rows": 750, "criterion": 1.1, "loss": 1.05, "accuracy": 0.4321,
            "majority_accuracy": 0.5, "macro_precision": 0.25, "macro_recall": 0.375,
            "macro_f1": 0.3, "classes": [], "confusion": [],
            "skill": {
                "balanced_accuracy": 0.375, "mcc": 0.05, "brier": 0.61, "prior_loss": 1.09,
                "prior_brier": 0.65, "calibration": {"ece": 0.0734, "bins": []},
            },
        });
        let evaluation = json!({
            "uncertainty": {
                "level": 0.95, "draws": 1000, "block_rows": 42, "seed": 7,
                "intervals": {
                    "accuracy": interval(0.38, 0.48), "accuracy_gain": interval(-0.12, -0.01),
                    "loss": interval(1.01, 1.1),
                },
            },
            "groups": [
                group("symbol", "EURUSD", "accuracy", 0.44),
                group("symbol", "GBPUSD", "accuracy", 0.42),
                group("month", "2017-12", "accuracy", 0.51),
                group("month", "2018-01", "accuracy", 0.36),
                group("month", "2018-02", "accuracy", 0.4),
            ],
            "importance": {
                "rows": 750, "repeats": 5, "seed": 7, "criterion": 1.0,
                "features": [
                    {"name": "1h_rsi_low", "rise": 0.01, "deviation": 0.001},
                    {"name": "1h_rsi_high", "rise": 0.02, "deviation": 0.001},
                ],
            },
            "temperature": {
                "value": 1.42, "loss": 1.0, "brier": 0.6, "calibration": {"ece": 0.03, "bins": []},
            },
        });

        insta::assert_snapshot!(text_of(document(test, evaluation)), @"
        test part     750 rows
        accuracy      43.2 % [38.0 %, 48.0 %], always the most frequent class 50.0 %
        gain          -6.8 points [-12.0, -1.0]
        balanced      accuracy 37.5 %, macro F1 0.3000, MCC 0.0500
        log loss      1.0500 [1.0100, 1.1000], class shares of the training part 1.0900
        probabilities calibration error 0.0734, Brier score 0.6100; 0.0300 with temperature 1.42
        symbols       EURUSD 44.0 %, GBPUSD 42.0 %
        months        best 2017-12 51.0 %, worst 2018-01 36.0 %, of 3
        importance    1h_rsi_high 0.0200, 1h_rsi_low 0.0100
        edge          not measured: its data set has no forward returns, since an earlier version made it; `ktrdr train` makes another one
        [low, high]   95 % of 1000 draws of the test part in blocks of 42 rows
        ");
    }

    #[test]
    fn a_stored_temperature_is_shown_with_the_error_before_it() {
        let calibration = Calibration {
            ece: 0.03,
            bins: Vec::new(),
        };
        let fitted = Temperature {
            value: 1.424,
            loss: 1.0,
            brier: 0.6,
            calibration,
            uncalibrated: None,
        };
        let uncalibrated = Uncalibrated {
            loss: 1.05,
            brier: 0.61,
            ece: 0.0734,
        };
        let stored = Temperature {
            uncalibrated: Some(uncalibrated),
            ..fitted.clone()
        };

        assert_eq!(
            describe_temperature(&stored),
            " at temperature 1.42; 0.0734 before"
        );
        assert_eq!(
            describe_temperature(&fitted),
            "; 0.0300 with temperature 1.42"
        );
    }

    #[test]
    fn a_regression_is_shown_beside_mean_and_always_up() {
        let test = json!({
            "rows": 20, "criterion": 0.1, "loss": 0.1, "mae": 0.0021, "mse": 0.1, "r2": -0.01,
            "directional_accuracy": 0.52, "zero_labels": 3, "baseline_mae": 0.002,
            "baseline_mse": 0.1, "always_up_accuracy": 0.51,
        });

        insta::assert_snapshot!(text_of(document(test, json!({}))), @"
        test part     20 rows
        error         mean 0.002100, always the mean of the training part 0.002000
        R²            -0.0100
        direction     right 52.0 %, always up 51.0 %; 3 rows did not move
        edge          not measured: its data set has no forward returns, since an earlier version made it; `ktrdr train` makes another one
        ");
    }

    #[test]
    fn a_document_of_an_older_program_is_shown_as_far_as_it_goes() {
        let test = json!({
            "rows": 4, "criterion": 0.5, "loss": 0.4, "accuracy": 0.75, "majority_accuracy": 0.5,
            "macro_precision": 0.5, "macro_recall": 0.5, "macro_f1": 0.5, "classes": [],
            "confusion": [],
        });

        insta::assert_snapshot!(text_of(document(test, json!({}))), @"
        test part     4 rows
        accuracy      75.0 %, always the most frequent class 50.0 %
        gain          +25.0 points
        edge          not measured: its data set has no forward returns, since an earlier version made it; `ktrdr train` makes another one
        ");
    }
}
