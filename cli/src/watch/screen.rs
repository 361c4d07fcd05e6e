//! Draws the lines of an operation: live on a terminal, as a log elsewhere, as JSON lines for
//! programs, or not at all.

use std::collections::BTreeMap;
use std::mem::Discriminant;
use std::time::{Duration, Instant};

use bus::Update;
use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use schemas::events::{Event, What};
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::StepState;
use serde_json::{Value, json};

use super::family_lines::child_lines;
use super::history::{event_text, progress_text};
use super::step_line::{StepLine, operation_line, plan_line, step_lines};
use super::waiting_reason::{WaitingFacts, WaitingReason};
use crate::console::{ControlEchoOff, Output, Tone, extended};

/// How often a live screen is redrawn.
pub(crate) const REDRAW: Duration = Duration::from_millis(250);
/// A terminal is written to at most this often.
const DRAWS_PER_SECOND_MAX: u8 = 20;
/// A log has a line at least this often while the operation runs.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// In between, a log has a line each time the operation has moved by this many percent: enough to
/// see it move, few enough to read.
const LOG_PERCENT: f64 = 10.0;

/// Where an operation is shown.
pub(crate) struct Screen {
    output: Output,
    kind: ScreenKind,
}

/// The same reason with other numbers is not worth another line.
type ReasonKind = Discriminant<WaitingReason>;

/// What a line is about: a step, or one of several operations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LineKey {
    Plan,
    Step(StepNumber),
    Operation(OperationId),
}

enum ScreenKind {
    Live(LiveLines),
    Log(BTreeMap<LineKey, LoggedLine>),
    /// The last reason that programs got for each line.
    Json(BTreeMap<LineKey, Option<ReasonKind>>),
    Quiet,
}

/// Lines that are redrawn in place.
struct LiveLines {
    multi: MultiProgress,
    bars: BTreeMap<LineKey, ProgressBar>,
    /// The children at work, below the steps.
    children: Vec<ProgressBar>,
    tick: usize,
    /// The echo comes back when the screen goes.
    _echo_off: Option<ControlEchoOff>,
}

/// The state of a step when it was last logged.
struct LoggedLine {
    state: Option<StepState>,
    reason: Option<ReasonKind>,
    percent: f64,
    at: Instant,
}

impl Screen {
    /// A screen that suits the output.
    pub(crate) fn new(output: &Output) -> Self {
        let kind = match output {
            Output { json: true, .. } => ScreenKind::Json(BTreeMap::new()),
            Output { quiet: true, .. } => ScreenKind::Quiet,
            Output { live: true, .. } => ScreenKind::Live(LiveLines::new()),
            _ => ScreenKind::Log(BTreeMap::new()),
        };
        Self {
            output: output.clone(),
            kind,
        }
    }

    /// Prints a remark above the lines.
    pub(crate) fn note(&self, text: &str) {
        match &self.kind {
            ScreenKind::Live(live) => {
                // A terminal that is gone shows no remarks either.
                let _ = live.multi.println(self.output.style.plain_lines(text));
            }
            _ => self.output.note(text),
        }
    }

    /// Prints an update for programs: every progress message and every event is a line.
    pub(super) fn print_update(&self, update: &Update) {
        if !matches!(self.kind, ScreenKind::Json(_)) {
            return;
        }
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

    /// Prints what people must know at once, whatever is shown otherwise.
    pub(super) fn print_warning(&self, update: &Update) {
        if let Some(event) = warning_in(update) {
            self.note(&event_text(event));
        }
    }

    /// The same of one of several operations, which it names.
    pub(super) fn print_warning_of(&self, op: &OperationId, update: &Update) {
        if let Some(event) = warning_in(update) {
            self.note(&format!("{}  {}", name_of(op), event_text(event)));
        }
    }

    /// Prints an update as a line of the operation's history, for people.
    pub(super) fn print_history(&self, update: &Update) {
        match update {
            Update::Progress(progress) => self.note(&progress_text(progress)),
            Update::Event(event) => self.note(&event_text(event)),
            Update::Record(_) => {}
        }
    }

    /// Shows the steps as they are at this moment.
    pub(super) fn show(&mut self, facts: &WaitingFacts<'_>) {
        if let ScreenKind::Live(live) = &mut self.kind {
            let text = plan_line(facts).map(|text| self.output.style.paint(Tone::Dim, &text));
            live.set_plan(text);
        }

        let lines = step_lines(facts);
        let width = lines.iter().map(|line| line.name().len()).max();
        let width = width.unwrap_or(0);
        for line in lines {
            let name = format!("{:<width$}", line.name());
            self.show_line(LineKey::Step(line.number), &name, &line, facts);
        }
        if let ScreenKind::Live(live) = &mut self.kind {
            live.draw_children(&child_lines(facts, self.output.style));
        }
    }

    /// Shows one of several operations as it is at this moment: the step that it is at.
    /// Its name takes as many columns as the longest of all.
    pub(super) fn show_operation(
        &mut self,
        op: &OperationId,
        width: usize,
        facts: &WaitingFacts<'_>,
    ) {
        let name = format!("{:<width$}", name_of(op));
        let key = LineKey::Operation(op.clone());
        match operation_line(facts) {
            Some(line) => self.show_line(key, &name, &line, facts),
            None => self.reserve_line(key, name),
        }
    }

    /// The name alone keeps the place of an operation of which nothing is known yet.
    fn reserve_line(&mut self, key: LineKey, name: String) {
        if let ScreenKind::Live(live) = &mut self.kind {
            live.set_line(key, name);
        }
    }

    fn show_line(&mut self, key: LineKey, name: &str, line: &StepLine, facts: &WaitingFacts<'_>) {
        let output = &self.output;
        match &mut self.kind {
            ScreenKind::Live(live) => live.draw(key, name, line, output),
            ScreenKind::Log(logged) => log_line(logged, key, name.trim_end(), line, output),
            ScreenKind::Json(reasons) => print_reason(reasons, key, line, facts, output),
            ScreenKind::Quiet => {}
        }
    }

    /// Keeps the last lines on the screen and puts the cursor below them.
    pub(super) fn close(&self) {
        if let ScreenKind::Live(live) = &self.kind {
            for bar in live.bars.values() {
                bar.abandon();
            }
        }
    }
}

impl LiveLines {
    fn new() -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND_MAX);
        Self {
            multi: MultiProgress::with_draw_target(target),
            bars: BTreeMap::new(),
            children: Vec::new(),
            tick: 0,
            _echo_off: ControlEchoOff::set(),
        }
    }

    fn draw(&mut self, key: LineKey, name: &str, line: &StepLine, output: &Output) {
        self.tick += 1;
        let (_, width) = Term::stderr().size();

        let text = line.live(output.style, self.tick, name, usize::from(width));
        self.set_line(key, text);
    }

    /// The line of the whole plan is above those of its steps, and goes with its end.
    fn set_plan(&mut self, text: Option<String>) {
        match text {
            Some(text) => {
                let bar = self
                    .bars
                    .entry(LineKey::Plan)
                    .or_insert_with(|| self.multi.insert(0, text_bar()));
                bar.set_message(text);
                bar.tick();
            }
            None => {
                if let Some(bar) = self.bars.remove(&LineKey::Plan) {
                    bar.finish_and_clear();
                }
            }
        }
    }

    fn set_line(&mut self, key: LineKey, text: String) {
        let bar = self
            .bars
            .entry(key)
            .or_insert_with(|| self.multi.add(text_bar()));
        bar.set_message(text);
        bar.tick();
    }
}

impl LiveLines {
    /// As many lines as there are children at work now; those of others are gone.
    fn draw_children(&mut self, lines: &[String]) {
        while self.children.len() < lines.len() {
            self.children.push(self.multi.add(text_bar()));
        }
        for bar in self.children.drain(lines.len()..) {
            self.multi.remove(&bar);
        }

        for (bar, line) in self.children.iter().zip(lines) {
            bar.set_message(line.clone());
            bar.tick();
        }
    }
}

/// A line that indicatif places and cuts to the terminal's width; its text is ours.
fn text_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1).with_style(style)
}

/// What is wrong with an operation that goes on all the same.
fn warning_in(update: &Update) -> Option<&Event> {
    match update {
        Update::Event(event) if event.what == What::Warned => Some(event),
        _ => None,
    }
}

/// `dummy bf025e43`: enough to find the operation again.
pub(super) fn name_of(op: &OperationId) -> String {
    let end = op.as_str().rsplit('_').next().unwrap_or_default();
    format!("{} {end}", op.kind())
}

fn log_line(
    logged: &mut BTreeMap<LineKey, LoggedLine>,
    key: LineKey,
    name: &str,
    line: &StepLine,
    output: &Output,
) {
    if !is_informative(line) || !is_due(logged.get(&key), line) {
        return;
    }

    output.note(&line.plain(output.style, name));
    let logged_line = LoggedLine {
        state: line.state,
        reason: line.reason.as_ref().map(WaitingReason::kind),
        percent: line.operation_percent,
        at: Instant::now(),
    };
    logged.insert(key, logged_line);
}

/// Programs get a line when a step begins to wait, or waits for something else.
fn print_reason(
    reasons: &mut BTreeMap<LineKey, Option<ReasonKind>>,
    key: LineKey,
    line: &StepLine,
    facts: &WaitingFacts<'_>,
    output: &Output,
) {
    if !is_informative(line) {
        return;
    }

    let kind = line.reason.as_ref().map(WaitingReason::kind);
    let is_new = reasons.insert(key, kind).flatten() != kind;
    if is_new && line.reason.is_some() {
        output.json(&waiting_json(facts, line));
    }
}

/// False for what passes within milliseconds: a stage that has not begun, a command about whose
/// queue nothing is known yet.
fn is_informative(line: &StepLine) -> bool {
    line.state.is_some() && line.reason != Some(WaitingReason::Queued(None))
}

/// A change of state or reason is logged at once, progress by percent, and every step that has not
/// ended now and then in any case.
fn is_due(last: Option<&LoggedLine>, line: &StepLine) -> bool {
    let Some(last) = last else { return true };
    if last.state != line.state {
        return true;
    }
    if line.state.is_some_and(StepState::is_terminal) {
        return false;
    }

    last.reason != line.reason.as_ref().map(WaitingReason::kind)
        || line.operation_percent - last.percent >= LOG_PERCENT
        || last.at.elapsed() >= LOG_EVERY
}

fn waiting_json(facts: &WaitingFacts<'_>, line: &StepLine) -> Value {
    let op = facts.record.map(|record| record.op.as_str());
    let reason = line.reason.as_ref().map(ToString::to_string);
    json!({
        "type": "progress",
        "op": op,
        "step": line.number,
        "steps": line.steps,
        "service": line.service,
        "percent": line.operation_percent,
        "step_percent": line.percent,
        "waiting": {"reason": reason},
    })
}
