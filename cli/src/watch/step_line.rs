//! The progress of an operation as lines, one per step: a pure function of the facts of a moment,
//! which a screen draws.

use std::time::Duration;

use schemas::ids::{Service, StepNumber};
use schemas::operation::{OperationRecord, StepRecord, StepState};
use schemas::progress::ProgressRecord;
use serde_json::Value;

use super::expectations::{time_left_of_plan, time_left_of_step};
use super::progress_text::{fit, report_forms};
use super::waiting_reason::{WaitingFacts, WaitingReason, waiting_reason};
use crate::console::durations::{after, compact, rough};
use crate::console::{Style, Tone};

const BAR_CELLS: usize = 20;
/// Cells of the bar on a terminal of fewer columns than [`WIDE`].
const BAR_CELLS_NARROW: usize = 10;
/// Columns from which there is room for everything.
const WIDE: usize = 100;
/// A shorter estimate is not shown: it is over before it is read.
const ESTIMATE_MIN: Duration = Duration::from_secs(5);
/// Longest text of a result that is shown in a line.
const TEXT_CHARS_MAX: usize = 40;
const SPINNER: [&str; 8] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"];
const SPINNER_ASCII: [&str; 4] = ["|", "/", "-", "\\"];

/// One step, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StepLine {
    /// Number of the step, from 1.
    pub(super) number: StepNumber,
    /// Number of steps in the plan.
    pub(super) steps: usize,
    /// Service that handles the step.
    pub(super) service: Service,
    /// State of the step; none before its stage has begun.
    pub(super) state: Option<StepState>,
    /// Progress of the step, 0 to 100.
    pub(super) percent: f64,
    /// Progress of the operation, 0 to 100.
    pub(super) operation_percent: f64,
    /// Time worked on the step.
    pub(super) elapsed: Option<Duration>,
    /// Estimated time left, if it is worth showing.
    pub(super) remaining: Option<Duration>,
    /// The estimate comes from earlier operations, not from this one.
    pub(super) is_expected: bool,
    /// Last message of the worker; the result of a completed step.
    pub(super) message: String,
    /// What the worker reports in forms of falling length; empty where it reports nothing.
    pub(super) forms: Vec<String>,
    /// Why the step does not move; none while it does.
    pub(super) reason: Option<WaitingReason>,
}

/// The lines of all steps, in order; none before the record exists.
pub(super) fn step_lines(facts: &WaitingFacts<'_>) -> Vec<StepLine> {
    let Some(record) = facts.record else {
        return Vec::new();
    };

    let begun = begun_steps(record);
    let mut lines = Vec::with_capacity(record.steps.len());
    for (index, number) in record.numbers().enumerate() {
        lines.extend(step_line(facts, record, number, index < begun));
    }
    lines
}

/// The line of a whole operation: the step that it is at, with the percent of the plan.
pub(super) fn operation_line(facts: &WaitingFacts<'_>) -> Option<StepLine> {
    let lines = step_lines(facts);
    let current = lines
        .iter()
        .position(|line| line.state != Some(StepState::Completed));
    let index = current.unwrap_or(lines.len().saturating_sub(1));
    let line = lines.into_iter().nth(index)?;

    // The name is that of the operation, so the step is named in the text where there is room.
    let step = line.name();
    let of_step = match line.forms.as_slice() {
        [] => vec![line.message.clone()],
        forms => forms.to_vec(),
    };
    let named = of_step
        .iter()
        .map(|form| format!("{step} {form}").trim_end().to_owned());
    let forms: Vec<String> = named.chain(of_step.iter().cloned()).collect();

    let record = facts.record?;
    let end = record.finished_at.unwrap_or(facts.now);
    Some(StepLine {
        percent: line.operation_percent,
        elapsed: record.started_at.map(|started| after(started, end)),
        forms,
        ..line
    })
}

/// The number of steps up to the end of the first stage that is not completed.
fn begun_steps(record: &OperationRecord) -> usize {
    for stage in record.plan.numbered_stages() {
        let steps = record.steps.get(stage.clone()).unwrap_or_default();
        if steps.iter().any(|step| step.state != StepState::Completed) {
            return stage.end;
        }
    }
    record.steps.len()
}

fn step_line(
    facts: &WaitingFacts<'_>,
    record: &OperationRecord,
    number: StepNumber,
    has_begun: bool,
) -> Option<StepLine> {
    let step = record.step(number)?;
    let service = record.plan.step(number)?.service;
    let progress = facts.progress.get(&number);

    // Progress of an earlier attempt says how far the step came, but neither its time nor its
    // message is that of this attempt.
    let of_attempt = progress
        .filter(|progress| progress.attempt == step.attempt && step.state != StepState::Pending);
    let running = of_attempt.filter(|_| step.state == StepState::Running);
    let started = running.map(|progress| progress.started_at);
    let percent = percent_of_step(step, progress);
    let (start, end) = record.plan.percent_range(number);
    let message = match (step.state, of_attempt) {
        (StepState::Completed, _) => summarise_fields(&step.result),
        (_, Some(progress)) => progress.message.clone(),
        (_, None) => String::new(),
    };

    Some(StepLine {
        number,
        steps: record.steps.len(),
        service,
        state: has_begun.then_some(step.state),
        percent,
        operation_percent: start + (end - start) * percent / 100.0,
        elapsed: started
            .or(step.started_at)
            .map(|started| after(started, step.finished_at.unwrap_or(facts.now))),
        remaining: remaining_time(facts, record, number),
        is_expected: running.is_none_or(|progress| progress.eta_s.is_none()),
        message,
        forms: running.map(report_forms).unwrap_or_default(),
        reason: has_begun.then(|| waiting_reason(facts, number)).flatten(),
    })
}

fn percent_of_step(step: &StepRecord, progress: Option<&ProgressRecord>) -> f64 {
    // A new attempt begins at the last durable checkpoint, or at nothing.
    let begins_at_nothing = step.state == StepState::Pending && step.checkpoint.is_null();
    match progress {
        _ if step.state == StepState::Completed => 100.0,
        Some(progress) if !begins_at_nothing => progress.step_percent,
        _ => 0.0,
    }
}

/// The time left of a step that has not ended, if it is worth showing.
fn remaining_time(
    facts: &WaitingFacts<'_>,
    record: &OperationRecord,
    number: StepNumber,
) -> Option<Duration> {
    let is_over = record.state.is_terminal() || record.step(number)?.state.is_terminal();

    let remaining = time_left_of_step(
        facts.expectations,
        record,
        facts.progress,
        number,
        facts.now,
    );
    remaining.filter(|remaining| !is_over && *remaining > ESTIMATE_MIN)
}

/// The line of the whole plan: percent, time, and the time left. None for a plan of one step, whose
/// line says it, and for an operation that has ended.
pub(super) fn plan_line(facts: &WaitingFacts<'_>) -> Option<String> {
    let record = facts.record?;
    if record.steps.len() < 2 || record.state.is_terminal() {
        return None;
    }

    let line = operation_line(facts)?;
    let elapsed = rough(after(record.started_at?, facts.now));
    let remaining = time_left_of_plan(facts.expectations, record, facts.progress, facts.now);
    let remaining = remaining.filter(|remaining| *remaining > ESTIMATE_MIN);
    let time = match remaining {
        Some(remaining) => format!("{elapsed}, about {} left", rough(remaining)),
        None => elapsed,
    };
    Some(format!(
        "{} plan: {:.0}%  {time}",
        record.kind, line.percent
    ))
}

impl StepLine {
    /// `trainer (4/5)`.
    pub(super) fn name(&self) -> String {
        format!("{} ({}/{})", self.service, self.number, self.steps)
    }

    /// The line for a screen of `width` columns that is redrawn; `tick` turns the spinner. The text
    /// comes last, in the form for which there is room.
    pub(super) fn live(&self, style: Style, tick: usize, name: &str, width: usize) -> String {
        let mark = self.mark(style, tick);
        let Some(state) = self.state else {
            return style.paint(Tone::Dim, format!("{mark} {name}").trim_end());
        };

        // A step that is done needs no bar: how long it took is of interest.
        if state == StepState::Completed {
            let elapsed = self.elapsed.map(compact).unwrap_or_default();
            let before = format!("{mark} {name}  {elapsed:>7}  ");
            let text = fit([self.text().as_str()], room_after(&before, width));
            return format!(
                "{} {name}  {elapsed:>7}  {}",
                style.paint(Tone::Good, &mark),
                style.paint(Tone::Dim, &style.plain(&text))
            );
        }

        let tone = match state {
            StepState::Failed => Tone::Bad,
            _ if self.reason.is_some() => Tone::Odd,
            _ => Tone::Good,
        };
        let is_wide = width >= WIDE;
        let cells = if is_wide { BAR_CELLS } else { BAR_CELLS_NARROW };
        let time = if is_wide {
            self.time()
        } else {
            self.short_time()
        };
        let time = time.map(|time| format!("  {time}")).unwrap_or_default();
        let percent = self.percent.floor();
        let before = format!(
            "{mark} {name}  {} {percent:>3.0}%{time}  ",
            " ".repeat(cells)
        );
        let text = self.fitting_text(room_after(&before, width));
        format!(
            "{} {name}  {} {percent:>3.0}%{time}  {}",
            style.paint(tone, &mark),
            bar(self.percent, cells, style),
            style.plain(&text)
        )
    }

    /// The text in the longest form that fits; why nothing moves comes before what was done last.
    fn fitting_text(&self, width: usize) -> String {
        if let Some(reason) = &self.reason {
            let reason = reason.to_string();
            return fit([self.text().as_str(), reason.as_str()], width);
        }
        match self.forms.as_slice() {
            [] => fit([self.message.as_str()], width),
            forms => fit(forms.iter().map(String::as_str), width),
        }
    }

    /// The time that is left, else the time that has passed.
    fn short_time(&self) -> Option<String> {
        self.time_left().or_else(|| self.elapsed.map(rough))
    }

    /// The line for a log, without bar or colour.
    pub(super) fn plain(&self, style: Style, name: &str) -> String {
        // A running step with neither message nor reason has said no more than that it began.
        let is_silent = self.message.is_empty() && self.reason.is_none();
        let text = match self.state {
            Some(StepState::Completed) => format!("completed  {}", self.text()),
            Some(StepState::Failed) => "failed".to_owned(),
            Some(StepState::Cancelled) => "cancelled".to_owned(),
            Some(StepState::Running) if is_silent => "started".to_owned(),
            Some(StepState::Running) if self.reason.is_none() => self.fitting_text(usize::MAX),
            _ => self.text(),
        };

        let time = match self.time() {
            Some(time) => format!("  ({time})"),
            None => String::new(),
        };
        let line = format!(
            "[{:>5.1}%] {name}  {}{time}",
            self.operation_percent,
            text.trim_end()
        );
        style.plain(line.trim_end())
    }

    fn text(&self) -> String {
        match &self.reason {
            Some(reason) if self.message.is_empty() => reason.to_string(),
            Some(reason) => format!("{reason} · {}", self.message),
            None => self.message.clone(),
        }
    }

    /// `1m 12s, 45s left`; `about 45s` before the step has begun.
    fn time(&self) -> Option<String> {
        match (self.elapsed, self.time_left()) {
            (Some(elapsed), Some(remaining)) => Some(format!("{}, {remaining}", rough(elapsed))),
            (Some(elapsed), None) => Some(rough(elapsed)),
            (None, remaining) => remaining,
        }
    }

    /// `45s left`, with `about` where it is not this step that says so.
    fn time_left(&self) -> Option<String> {
        let remaining = rough(self.remaining?);
        Some(match self.is_expected {
            true => format!("about {remaining} left"),
            false => format!("{remaining} left"),
        })
    }

    fn mark(&self, style: Style, tick: usize) -> String {
        let (ascii, symbol) = match self.state {
            None => (".", "·"),
            Some(StepState::Completed) => ("+", "✓"),
            Some(StepState::Failed) => ("x", "✗"),
            Some(StepState::Cancelled) => ("-", "■"),
            Some(StepState::Retrying) => ("~", "↻"),
            Some(StepState::Pending) => ("?", "◌"),
            Some(StepState::Running) => {
                (pick_frame(&SPINNER_ASCII, tick), pick_frame(&SPINNER, tick))
            }
        };
        if style.ascii { ascii } else { symbol }.to_owned()
    }
}

/// Columns that are left beside `before`; the last column stays empty, or terminals break the line.
fn room_after(before: &str, width: usize) -> usize {
    width.saturating_sub(before.chars().count() + 1)
}

fn pick_frame<'a>(frames: &[&'a str], tick: usize) -> &'a str {
    frames.get(tick % frames.len()).copied().unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 100 percent is 0 to as many cells as there are"
)]
fn bar(percent: f64, cells: usize, style: Style) -> String {
    let filled = ((percent.clamp(0.0, 100.0) / 100.0 * cells as f64) as usize).min(cells);
    let (full, empty) = if style.ascii {
        ("#", ".")
    } else {
        ("█", "░")
    };

    let rest = style.paint(Tone::Dim, &empty.repeat(cells - filled));
    format!("{}{rest}", full.repeat(filled))
}

/// The numbers and short texts of a result in one line: `iterations 100, resumed at 0`.
pub(crate) fn summarise_fields(result: &Value) -> String {
    let Some(fields) = result.as_object() else {
        return String::new();
    };

    let mut parts = Vec::new();
    for (key, value) in fields {
        let name = key.replace('_', " ");
        match value {
            Value::Number(_) | Value::Bool(_) => parts.push(format!("{name} {value}")),
            Value::String(text) if text.chars().count() <= TEXT_CHARS_MAX => {
                parts.push(format!("{name} {text}"));
            }
            // Nested values and long texts would push the rest off the line.
            _ => {}
        }
    }
    parts.join(", ")
}

#[cfg(test)]
#[path = "step_line_tests.rs"]
mod tests;
