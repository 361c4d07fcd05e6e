//! The progress of an operation as lines, one a step: a pure function of what is known, drawn by
//! whoever has a screen.

use std::time::Duration;

use schemas::ids::{Service, StepNumber};
use schemas::operation::{StepRecord, StepState};
use serde_json::Value;

use super::waiting_reason::{WaitingFacts, Why, why};
use crate::console::durations::{after, compact, rough};
use crate::console::{Style, Tone};

const BAR_CELLS: usize = 20;
/// Estimates are shown only above this.
const ESTIMATE_MIN: Duration = Duration::from_secs(5);
const SPINNER: [&str; 8] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"];
const SPINNER_ASCII: [&str; 4] = ["|", "/", "-", "\\"];

/// One step, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepLine {
    /// 1-based.
    pub(crate) number: StepNumber,
    /// Steps in the plan.
    pub(crate) steps: usize,
    /// Who handles it.
    pub(crate) service: Service,
    /// State; none before its stage has come.
    pub(crate) state: Option<StepState>,
    /// Of the step, 0 to 100.
    pub(crate) percent: f64,
    /// Of the operation, 0 to 100.
    pub(crate) operation_percent: f64,
    /// Time worked on it.
    pub(crate) elapsed: Option<Duration>,
    /// Time left, if it is known and worth telling.
    pub(crate) left: Option<Duration>,
    /// What the worker says.
    pub(crate) message: String,
    /// Why it does not move.
    pub(crate) why: Option<Why>,
}

/// The lines of all steps.
pub(crate) fn step_lines(facts: &WaitingFacts<'_>) -> Vec<StepLine> {
    let Some(record) = facts.record else {
        return Vec::new();
    };
    let unfinished = |stage: &std::ops::Range<usize>| {
        record
            .steps
            .get(stage.clone())
            .is_some_and(|steps| steps.iter().any(|step| step.state != StepState::Completed))
    };
    let current = record
        .plan
        .numbered_stages()
        .find(unfinished)
        .map_or(usize::MAX, |stage| stage.end);
    let steps = record.numbers().zip(record.plan.steps()).zip(&record.steps);
    steps
        .map(|((number, spec), step)| {
            step_line(facts, number, spec.service, step, number.index() < current)
        })
        .collect()
}

fn step_line(
    facts: &WaitingFacts<'_>,
    number: StepNumber,
    service: Service,
    step: &StepRecord,
    begun: bool,
) -> StepLine {
    let progress = facts.progress.get(&number);
    let own = progress
        .filter(|progress| progress.attempt == step.attempt && step.state != StepState::Pending);
    let current = own.filter(|_| step.state == StepState::Running);
    let (start, end) = facts
        .record
        .map_or((0.0, 0.0), |record| record.plan.percent_range(number));
    let done = step.state == StepState::Completed;
    // A new attempt begins where the last durable advance was, or from nothing.
    let begins_anew = step.state == StepState::Pending && step.checkpoint.is_null();
    let percent = match progress {
        _ if done => 100.0,
        Some(progress) if !begins_anew => progress.step_percent,
        _ => 0.0,
    };
    let started = current
        .map(|progress| progress.started_at)
        .or(step.started_at);
    let left = current.and_then(|progress| {
        let left = Duration::try_from_secs_f64(progress.eta_s?).ok()?;
        left.checked_sub(after(progress.at, facts.now))
            .filter(|left| *left > ESTIMATE_MIN)
    });
    StepLine {
        number,
        steps: facts.record.map_or(0, |record| record.steps.len()),
        service,
        state: begun.then_some(step.state),
        percent,
        operation_percent: start + (end - start) * percent / 100.0,
        elapsed: started.map(|started| after(started, step.finished_at.unwrap_or(facts.now))),
        left,
        message: if done {
            brief(&step.result)
        } else {
            own.map(|own| own.message.clone()).unwrap_or_default()
        },
        why: begun.then(|| why(facts, number)).flatten(),
    }
}

impl StepLine {
    /// `trainer (4/5)`.
    pub(crate) fn name(&self) -> String {
        format!("{} ({}/{})", self.service, self.number, self.steps)
    }

    /// For a screen that is redrawn; `tick` turns the spinner. What may be cut off at the right
    /// stands last.
    pub(crate) fn live(&self, style: Style, tick: usize, name_width: usize) -> String {
        let mark = self.mark(style, tick);
        let name = format!("{:<name_width$}", self.name());
        let Some(state) = self.state else {
            return style.paint(Tone::Dim, format!("{mark} {name}").trim_end());
        };
        let text = style.plain(&self.text());
        if state == StepState::Completed {
            let elapsed = self.elapsed.map(compact).unwrap_or_default();
            return format!(
                "{} {name}  {elapsed:>7}  {}",
                style.paint(Tone::Good, &mark),
                style.paint(Tone::Dim, &text)
            );
        }
        let tone = match state {
            StepState::Failed => Tone::Bad,
            _ if self.why.is_some() => Tone::Odd,
            _ => Tone::Good,
        };
        let bar = bar(self.percent, style);
        let time = self
            .time()
            .map(|time| format!("  {time}"))
            .unwrap_or_default();
        format!(
            "{} {name}  {bar} {:>3.0}%{time}  {text}",
            style.paint(tone, &mark),
            self.percent.floor()
        )
    }

    /// For a log: one line without bar or colour.
    pub(crate) fn plain(&self, style: Style) -> String {
        let name = self.name();
        let percent = self.operation_percent;
        let text = match self.state {
            Some(StepState::Completed) => format!("completed  {}", self.text()),
            Some(StepState::Failed) => "failed".to_owned(),
            Some(StepState::Cancelled) => "cancelled".to_owned(),
            Some(StepState::Running) if self.message.is_empty() && self.why.is_none() => {
                "started".to_owned()
            }
            _ => self.text(),
        };
        let time = self
            .time()
            .map(|time| format!("  ({time})"))
            .unwrap_or_default();
        style.plain(format!("[{percent:>5.1}%] {name}  {}{time}", text.trim_end()).trim_end())
    }

    fn text(&self) -> String {
        match &self.why {
            Some(why) if self.message.is_empty() => why.to_string(),
            Some(why) => format!("{why} · {}", self.message),
            None => self.message.clone(),
        }
    }

    /// `1m 12s, 45s left`.
    fn time(&self) -> Option<String> {
        let elapsed = rough(self.elapsed?);
        Some(match self.left {
            Some(left) => format!("{elapsed}, {} left", rough(left)),
            None => elapsed,
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
            Some(StepState::Running) => (pick(&SPINNER_ASCII, tick), pick(&SPINNER, tick)),
        };
        if style.ascii { ascii } else { symbol }.to_owned()
    }
}

fn pick<'a>(frames: &[&'a str], tick: usize) -> &'a str {
    frames.get(tick % frames.len()).copied().unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 100 percent is 0 to 20 cells"
)]
fn bar(percent: f64, style: Style) -> String {
    let filled = ((percent.clamp(0.0, 100.0) / 100.0 * BAR_CELLS as f64) as usize).min(BAR_CELLS);
    let (full, empty) = if style.ascii {
        ("#", ".")
    } else {
        ("█", "░")
    };
    format!(
        "{}{}",
        full.repeat(filled),
        style.paint(Tone::Dim, &empty.repeat(BAR_CELLS - filled))
    )
}

/// The scalars of a result in one line: `iterations 100, resumed at 0`.
pub(crate) fn brief(result: &Value) -> String {
    let Some(fields) = result.as_object() else {
        return String::new();
    };
    let shown = fields.iter().filter_map(|(key, value)| match value {
        Value::Number(_) | Value::Bool(_) => Some(format!("{} {value}", key.replace('_', " "))),
        Value::String(text) if text.chars().count() <= 40 => {
            Some(format!("{} {text}", key.replace('_', " ")))
        }
        _ => None,
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "step_line_tests.rs"]
mod tests;
