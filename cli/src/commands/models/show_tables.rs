//! One side of a model in full, as a table or a text.

use schemas::codes;
use schemas::decision_report::{Alternative, DecisionReport};
use schemas::metrics::{ClassMetrics, KindMetrics, MetricsDocument};
use schemas::names::{TEST_PART, VALIDATION_PART};
use serde_json::{Value, json};

use super::show::StoredModel;
use crate::console::{Exit, Failure, standard_output};
use crate::context::Context;

/// Prints the strategy as it was submitted, byte by byte.
pub(super) fn print_strategy(stored: &StoredModel, context: &Context) {
    let lineage = &stored.model.lineage;
    context.output.json(&json!({
        "type": "strategy",
        "strategy": lineage.strategy,
        "sha256": lineage.strategy_sha256,
        "overrides": lineage.overrides,
    }));
    if !context.output.json {
        standard_output::write_bytes(lineage.strategy.as_bytes());
    }
}

/// Prints every setting of the training as it was used, and which of them the request changed; the
/// others are those of the strategy, or what holds where it names none.
///
/// # Errors
/// The settings are no list of keys.
pub(super) fn print_settings(stored: &StoredModel, context: &Context) -> Result<(), Failure> {
    let settings = settings_of(stored).ok_or_else(|| not_stored(stored, "settings"))?;

    let mut rows = Vec::new();
    for setting in settings {
        let Setting {
            key,
            value,
            is_changed,
        } = setting;
        context.output.json(&json!({
            "type": "setting", "key": key, "value": value, "is_changed": is_changed,
        }));
        let changed_by = if is_changed { "request" } else { "" };
        rows.push(vec![key.clone(), value_text(value), changed_by.to_owned()]);
    }
    context
        .output
        .table(&["SETTING", "VALUE", "CHANGED BY"], &rows);
    Ok(())
}

/// A setting of a training as it was used.
pub(super) struct Setting<'a> {
    pub(super) key: &'a String,
    pub(super) value: &'a Value,
    /// True where the request has changed it.
    pub(super) is_changed: bool,
}

/// Every setting of the training; none where they are no list of keys.
pub(super) fn settings_of(stored: &StoredModel) -> Option<Vec<Setting<'_>>> {
    let settings = stored.artifact.training.as_object()?;
    let overrides = stored.model.lineage.overrides.as_ref();
    // Some settings have an override of their own, the others come in the section of the strategy.
    let section = overrides.and_then(|overrides| overrides.get("training"));
    let places = [overrides, section];

    let mut all = Vec::with_capacity(settings.len());
    for (key, value) in settings {
        let mut places = places.iter().flatten();
        let is_changed = places.any(|place| place.get(key).is_some());
        all.push(Setting {
            key,
            value,
            is_changed,
        });
    }
    Some(all)
}

/// A text without its quotes, anything else as JSON.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Prints the losses of each epoch.
///
/// # Errors
/// None are stored.
pub(super) fn print_history(stored: &StoredModel, context: &Context) -> Result<(), Failure> {
    if stored.losses.is_empty() {
        return Err(not_stored(stored, "history"));
    }
    let best = stored.document.as_ref().map(|document| document.best_epoch);

    let mut rows = Vec::new();
    for (epoch, losses) in (1_u32..).zip(&stored.losses) {
        let is_best = best == Some(epoch);
        context.output.json(&json!({
            "type": "epoch", "epoch": epoch, "train_loss": losses.train,
            "validation_loss": losses.validation, "seconds": losses.seconds, "is_best": is_best,
        }));
        rows.push(vec![
            epoch.to_string(),
            format!("{:.6}", losses.train),
            format!("{:.6}", losses.validation),
            format!("{:.4}", losses.seconds),
            if is_best { "stored" } else { "" }.to_owned(),
        ]);
    }
    let heads = [
        "EPOCH",
        "TRAIN LOSS",
        "VALIDATION LOSS",
        "SECONDS",
        "WEIGHTS",
    ];
    context.output.table(&heads, &rows);
    Ok(())
}

/// Prints what other thresholds would decide on the validation part, beside the one in use.
///
/// # Errors
/// They were not measured.
pub(super) fn print_thresholds(stored: &StoredModel, context: &Context) -> Result<(), Failure> {
    let document = document_of(stored)?;
    let report = document.evaluation.decisions.as_ref();
    let Some(report) = report.filter(|report| !report.alternatives.is_empty()) else {
        return Err(not_stored(stored, "thresholds"));
    };

    let mut rows = Vec::new();
    for choice in threshold_choices(report) {
        let Alternative {
            threshold,
            validation,
        } = choice;
        let in_use = is_same_threshold(threshold, report.threshold.value());
        context.output.json(&json!({
            "type": "threshold", "key": report.threshold.key(), "threshold": threshold,
            "validation": validation, "in_use": in_use,
        }));
        rows.push(vec![
            short_number(threshold),
            validation.buy.to_string(),
            validation.hold.to_string(),
            validation.sell.to_string(),
            validation.precision.map(percent).unwrap_or_default(),
            if in_use { "in use" } else { "" }.to_owned(),
        ]);
    }

    let key = report.threshold.key().to_uppercase();
    let heads = [key.as_str(), "BUY", "HOLD", "SELL", "RIGHT", ""];
    context.output.table(&heads, &rows);
    let note = "decisions of the validation part; RIGHT is the share of BUY and SELL";
    context.output.note(note);
    Ok(())
}

/// The threshold in use among its alternatives, lowest first.
fn threshold_choices(report: &DecisionReport) -> Vec<Alternative> {
    let threshold = report.threshold.value();
    let mut choices = report.alternatives.clone();
    choices.retain(|choice| !is_same_threshold(choice.threshold, threshold));

    if let Some(counts) = report.parts.get(VALIDATION_PART) {
        choices.push(Alternative {
            threshold,
            validation: *counts,
        });
    }
    choices.sort_by(|one, other| one.threshold.total_cmp(&other.threshold));
    choices
}

/// Thresholds of two digits that binary fractions tell apart are the same.
fn is_same_threshold(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

/// Prints true against predicted classes of the test part.
///
/// # Errors
/// The model has no classes.
pub(super) fn print_confusion(stored: &StoredModel, context: &Context) -> Result<(), Failure> {
    let metrics = class_metrics(stored, "confusion matrix")?;
    let names: Vec<&str> = metrics
        .classes
        .iter()
        .map(|rates| rates.name.as_str())
        .collect();

    let mut rows = Vec::new();
    for (rates, predicted) in metrics.classes.iter().zip(&metrics.confusion) {
        context
            .output
            .json(&json!({"type": "class", "rates": rates, "predicted": predicted}));
        let mut row = vec![rates.name.clone()];
        row.extend(predicted.iter().map(u64::to_string));
        row.extend([rates.precision, rates.recall].map(percent));
        row.push(format!("{:.4}", rates.f1));
        rows.push(row);
    }
    let predicted = names.iter().map(|name| format!("AS {name}"));
    let mut heads = vec!["TRUE".to_owned()];
    heads.extend(predicted);
    heads.extend(["PRECISION", "RECALL", "F1"].map(str::to_owned));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    context.output.table(&heads, &rows);
    Ok(())
}

/// Prints what each feature is worth, the most valuable first.
///
/// # Errors
/// It was not measured.
pub(super) fn print_importance(stored: &StoredModel, context: &Context) -> Result<(), Failure> {
    let importance = document_of(stored)?.evaluation.importance.as_ref();
    let importance = importance.ok_or_else(|| not_stored(stored, "importance"))?;
    let mut features: Vec<_> = importance.features.iter().collect();
    features.sort_by(|one, other| other.rise.total_cmp(&one.rise));

    let mut rows = Vec::new();
    for feature in features {
        context
            .output
            .json(&json!({"type": "feature", "feature": feature}));
        rows.push(vec![
            feature.name.clone(),
            format!("{:.6}", feature.rise),
            format!("{:.6}", feature.deviation),
        ]);
    }
    context
        .output
        .table(&["FEATURE", "RISE", "DEVIATION"], &rows);
    context.output.note(&format!(
        "by how much the criterion of {} rows of the validation part, {:.6}, rises when the \
         feature is that of other rows; mean and deviation of {} orders",
        importance.rows, importance.criterion, importance.repeats
    ));
    Ok(())
}

/// Prints how often an answer is right that the model is so sure of.
///
/// # Errors
/// It was not measured.
pub(super) fn print_calibration(stored: &StoredModel, context: &Context) -> Result<(), Failure> {
    let skill = class_metrics(stored, "calibration")?.skill.as_ref();
    let skill = skill.ok_or_else(|| not_stored(stored, "calibration"))?;

    let mut rows = Vec::new();
    for bin in skill.calibration.bins.iter().filter(|bin| bin.rows > 0) {
        context.output.json(&json!({"type": "bin", "bin": bin}));
        rows.push(vec![
            format!("{:.1} to {:.1}", bin.low, bin.high),
            bin.rows.to_string(),
            percent(bin.confidence),
            percent(bin.accuracy),
        ]);
    }
    let heads = ["PROBABILITY", "ROWS", "SURE", "RIGHT"];
    context.output.table(&heads, &rows);
    context.output.note(&format!(
        "answers of the test part by their probability; calibration error {:.4}",
        skill.calibration.ece
    ));
    Ok(())
}

/// A number without the digits that binary fractions add: `0.39`, not `0.39000000000000001`.
pub(super) fn short_number(value: f64) -> String {
    let text = format!("{value:.9}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn document_of(stored: &StoredModel) -> Result<&MetricsDocument, Failure> {
    let document = stored.document.as_ref();
    document.ok_or_else(|| not_stored(stored, "metrics"))
}

fn class_metrics<'a>(stored: &'a StoredModel, what: &str) -> Result<&'a ClassMetrics, Failure> {
    let test = document_of(stored)?.parts.get(TEST_PART);
    match test.map(|test| &test.kind) {
        Some(KindMetrics::Classes(metrics)) => Ok(metrics),
        _ => Err(not_stored(stored, what)),
    }
}

/// The model has not what was asked for: it is of another kind, or of an older program.
pub(super) fn not_stored(stored: &StoredModel, what: &str) -> Failure {
    let name = format!("{}@{}", stored.model.name, stored.model.version);
    let message = format!("{name} has no {what}");
    Failure::new(Exit::NotFound, codes::MODEL_FIGURE, message).with_hint(format!(
        "`ktrdr models show {name}` shows what it has; models of returns have no classes, and \
         older programs measured less"
    ))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
