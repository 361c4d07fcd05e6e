//! Whether a request fits the strategy that it changes. The findings have paths that start with
//! `request`, and no line.

use super::Overrides;
use crate::finding::Finding;
use crate::strategy::{SYMBOLS_MAX, Split, Strategy};

/// Every way in which the request does not fit.
pub(super) fn check_overrides(strategy: &Strategy, overrides: &Overrides) -> Vec<Finding> {
    let mut findings = RequestFindings::default();
    check_symbols(overrides, &mut findings);
    check_timeframes(strategy, overrides, &mut findings);
    check_range(strategy, overrides, &mut findings);
    check_split(overrides, &mut findings);
    check_share(strategy, overrides, &mut findings);
    check_sealed(strategy, overrides, &mut findings);

    let changed = overrides.apply_to_settings(&strategy.training);
    findings.0.extend(changed.findings);
    findings.0
}

#[derive(Default)]
struct RequestFindings(Vec<Finding>);

impl RequestFindings {
    fn add(&mut self, key: &str, rule: &'static str, message: impl Into<String>) {
        let path = format!("request.{key}");
        self.0.push(Finding::error(path, 0, rule, message));
    }
}

fn check_symbols(overrides: &Overrides, findings: &mut RequestFindings) {
    let Some(symbols) = &overrides.symbols else {
        return;
    };

    if symbols.is_empty() {
        findings.add("symbols", "value.empty", "the list is empty");
    }
    let count = symbols.len();
    if count > SYMBOLS_MAX {
        let message = format!("{count} entries are listed; at most {SYMBOLS_MAX} are allowed");
        findings.add("symbols", "list.long", message);
    }

    // Stacked twice, a symbol would count twice in training.
    if let Some(symbol) = first_repeated(symbols) {
        let message = format!("{symbol} is listed twice");
        findings.add("symbols", "value.duplicate", message);
    }
}

fn check_timeframes(strategy: &Strategy, overrides: &Overrides, findings: &mut RequestFindings) {
    let Some(listed) = &overrides.timeframes else {
        return;
    };

    if listed.is_empty() {
        findings.add("timeframes", "value.empty", "the list is empty");
    }
    if let Some(timeframe) = first_repeated(listed) {
        let message = format!("{timeframe} is listed twice");
        findings.add("timeframes", "value.duplicate", message);
    }

    // Inputs on all timeframes follow the request; the others name timeframes of their own.
    for (index, input) in strategy.inputs.iter().enumerate() {
        for timeframe in input.timeframes.iter().flatten() {
            if !listed.contains(timeframe) {
                let message = format!("nn_inputs[{index}] needs {timeframe}");
                findings.add("timeframes", "reference.timeframe", message);
            }
        }
    }
}

fn check_range(strategy: &Strategy, overrides: &Overrides, findings: &mut RequestFindings) {
    // What the request leaves open is as the strategy says.
    let start = overrides.start.or(strategy.data.start);
    let end = overrides.end.or(strategy.data.end);
    if let Some((start, end)) = start.zip(end).filter(|(start, end)| end <= start) {
        let message = format!("the end {end} is not after the start {start}");
        findings.add("end", "date.order", message);
    }

    let sealed = strategy.data.sealed_from.zip(start);
    if let Some((from, start)) = sealed.filter(|(from, start)| from <= start) {
        let message = format!(
            "the start {start} is not before {from}, where the sealed period begins: choose an \
             earlier start, or a later `training_data.sealed_from`"
        );
        findings.add("start", "date.order", message);
    }
}

/// The test part begins before the sealed period does.
fn check_sealed(strategy: &Strategy, overrides: &Overrides, findings: &mut RequestFindings) {
    let sealed = strategy.data.sealed_from.zip(overrides.test_start);
    if let Some((from, test)) = sealed.filter(|(from, test)| from <= test) {
        let message = format!(
            "the test part starts at {test}, which is not before {from}, where the sealed period \
             begins"
        );
        findings.add("test_start", "date.order", message);
    }
}

fn check_split(overrides: &Overrides, findings: &mut RequestFindings) {
    match (overrides.validation_start, overrides.test_start) {
        (None, None) => {}
        (Some(validation), Some(test)) if test <= validation => {
            let message = format!(
                "the test part starts at {test}, which is not after the start of validation \
                 {validation}"
            );
            findings.add("test_start", "date.order", message);
        }
        (Some(_), Some(_)) => {}

        // One date alone would leave the other part of the strategy's split in place.
        (Some(_), None) => {
            findings.add(
                "test_start",
                "key.missing",
                "the key `test_start` is missing",
            );
        }
        (None, Some(_)) => findings.add(
            "validation_start",
            "key.missing",
            "the key `validation_start` is missing",
        ),
    }
}

/// A share of validation changes a split by shares, and leaves something to train on.
fn check_share(strategy: &Strategy, overrides: &Overrides, findings: &mut RequestFindings) {
    let Some(share) = overrides.validation_split else {
        return;
    };
    if overrides.validation_start.is_some() {
        let message = "give either a share or dates";
        findings.add("validation_split", "split.twice", message);
        return;
    }

    match strategy.training.split {
        Split::Fractions { test, .. } if share > 0.0 && share < 1.0 - test => {}
        Split::Fractions { test, .. } => {
            let most = 1.0 - test;
            let message = format!("{share} is not a share above 0 and below {most:.2}");
            findings.add("validation_split", "value.range", message);
        }
        Split::Dates { .. } => {
            let message = "the strategy splits by dates";
            findings.add("validation_split", "split.twice", message);
        }
    }
}

/// The first item that an earlier one equals.
fn first_repeated<T: PartialEq>(items: &[T]) -> Option<&T> {
    let repeated = items.iter().enumerate().find(|(index, item)| {
        let mut earlier_items = items.iter().take(*index);
        earlier_items.any(|earlier| earlier == *item)
    });
    repeated.map(|(_, item)| item)
}
