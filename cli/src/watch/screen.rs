//! Draws the lines of an operation: live on a terminal, as a log elsewhere, as JSON lines for
//! programs, or not at all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::Update;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use schemas::events::Event;
use schemas::ids::StepNumber;
use schemas::operation::StepState;
use schemas::progress::ProgressRecord;
use serde_json::{Value, json};

use super::step_line::{StepLine, step_lines};
use super::waiting_reason::{WaitingFacts, Why};
use crate::console::{ControlEchoOff, Output, extended};

/// How often a live screen is redrawn.
pub(super) const REDRAW: Duration = Duration::from_millis(250);
/// A log has a line at least so often while the operation runs.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// In between it has a line for every so many percent of the operation: enough to see it move, few
/// enough to read.
const LOG_PERCENT: f64 = 10.0;

/// Where an operation is shown.
pub(crate) struct Screen {
    output: Output,
    kind: Kind,
}

enum Kind {
    Live(Live),
    Log(BTreeMap<StepNumber, Logged>),
    Json(BTreeMap<StepNumber, Option<std::mem::Discriminant<Why>>>),
    Quiet,
}

/// Lines that are drawn over and over.
struct Live {
    multi: MultiProgress,
    bars: BTreeMap<StepNumber, ProgressBar>,
    tick: usize,
    /// Put back when the screen goes.
    _echo_off: Option<ControlEchoOff>,
}

/// What was last logged of a step.
struct Logged {
    state: Option<StepState>,
    why: Option<std::mem::Discriminant<Why>>,
    percent: f64,
    at: Instant,
}

impl Screen {
    /// A screen that suits the output.
    pub(crate) fn new(output: &Output) -> Self {
        let kind = match output {
            Output { json: true, .. } => Kind::Json(BTreeMap::new()),
            Output { quiet: true, .. } => Kind::Quiet,
            Output { live: true, .. } => {
                let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20));
                Kind::Live(Live {
                    multi,
                    bars: BTreeMap::new(),
                    tick: 0,
                    _echo_off: ControlEchoOff::set(),
                })
            }
            _ => Kind::Log(BTreeMap::new()),
        };
        Self {
            output: output.clone(),
            kind,
        }
    }

    /// A remark above the lines.
    pub(crate) fn note(&self, text: &str) {
        match &self.kind {
            Kind::Live(live) => drop(live.multi.println(self.output.style.plain_lines(text))),
            _ => self.output.note(text),
        }
    }

    /// One update as programs want it: every progress message and every event.
    pub(crate) fn print_update(&self, update: &Update) {
        if matches!(self.kind, Kind::Json(_)) {
            match update {
                Update::Progress(progress) => self
                    .output
                    .json(&extended(progress.as_ref(), [("type", "progress".into())])),
                Update::Event(event) => self
                    .output
                    .json(&extended(event.as_ref(), [("type", "event".into())])),
                Update::Record(_) => {}
            }
        }
    }

    /// One update as people read a history.
    pub(crate) fn print_history(&self, update: &Update) {
        match update {
            Update::Progress(progress) => self.note(&progress_text(progress)),
            Update::Event(event) => self.note(&event_text(event)),
            Update::Record(_) => {}
        }
    }

    /// Shows the moment.
    pub(crate) fn show(&mut self, facts: &WaitingFacts<'_>) {
        let lines = step_lines(facts);
        match &mut self.kind {
            Kind::Live(Live {
                multi, bars, tick, ..
            }) => {
                *tick += 1;
                let width = lines
                    .iter()
                    .map(|line| line.name().len())
                    .max()
                    .unwrap_or(0);
                for line in &lines {
                    let bar = bars
                        .entry(line.number)
                        .or_insert_with(|| multi.add(text_bar()));
                    bar.set_message(line.live(self.output.style, *tick, width));
                    bar.tick();
                }
            }
            Kind::Log(logged) => {
                for line in lines.iter().filter(|line| is_telling(line)) {
                    if is_due(logged.get(&line.number), line) {
                        self.output.note(&line.plain(self.output.style));
                        let why = line.why.as_ref().map(Why::kind);
                        let (state, percent, at) =
                            (line.state, line.operation_percent, Instant::now());
                        logged.insert(
                            line.number,
                            Logged {
                                state,
                                why,
                                percent,
                                at,
                            },
                        );
                    }
                }
            }
            Kind::Json(told) => {
                for line in lines.iter().filter(|line| is_telling(line)) {
                    let kind = line.why.as_ref().map(Why::kind);
                    if told.insert(line.number, kind).flatten() != kind && line.why.is_some() {
                        self.output.json(&waiting(facts, line));
                    }
                }
            }
            Kind::Quiet => {}
        }
    }

    /// Leaves the last lines standing and the cursor below them.
    pub(crate) fn close(&mut self) {
        if let Kind::Live(live) = &self.kind {
            live.bars.values().for_each(ProgressBar::abandon);
        }
    }
}

/// A line that indicatif places and cuts to the terminal's width; its text is ours.
fn text_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1).with_style(style)
}

/// False for what passes within milliseconds: a stage that has not come, a command of whose queue
/// nothing is known yet.
fn is_telling(line: &StepLine) -> bool {
    line.state.is_some() && line.why != Some(Why::Queued(None))
}

/// A change of state or reason at once; progress by percent; and now and then a line in any case.
fn is_due(last: Option<&Logged>, line: &StepLine) -> bool {
    let Some(last) = last else { return true };
    let ended = line.state.is_some_and(StepState::is_terminal);
    last.state != line.state
        || (!ended
            && (last.why != line.why.as_ref().map(Why::kind)
                || line.operation_percent - last.percent >= LOG_PERCENT
                || last.at.elapsed() >= LOG_EVERY))
}

fn waiting(facts: &WaitingFacts<'_>, line: &StepLine) -> Value {
    let op = facts.record.map(|record| record.op.as_str());
    let reason = line.why.as_ref().map(ToString::to_string);
    json!({
        "type": "progress", "op": op, "step": line.number, "steps": line.steps, "service": line.service,
        "percent": line.operation_percent, "step_percent": line.percent, "waiting": {"reason": reason},
    })
}

fn progress_text(progress: &ProgressRecord) -> String {
    let ProgressRecord {
        at,
        percent,
        service,
        step,
        steps,
        message,
        ..
    } = progress;
    format!(
        "{}  [{percent:>5.1}%] {service} ({step}/{steps})  {message}",
        at.strftime("%H:%M:%S")
    )
}

fn event_text(event: &Event) -> String {
    let Event {
        at,
        service,
        step,
        steps,
        what,
        attempt,
        worker,
        error,
        ..
    } = event;
    let by = worker
        .as_ref()
        .map(|worker| format!(" by {worker}"))
        .unwrap_or_default();
    let attempt = if *attempt > 1 {
        format!(", attempt {attempt}")
    } else {
        String::new()
    };
    let why = error
        .as_ref()
        .map(|error| format!(": {error}"))
        .unwrap_or_default();
    format!(
        "{}  {} {service} ({step}/{steps}){by}{attempt}{why}",
        at.strftime("%H:%M:%S"),
        what.as_str()
    )
}
