//! The board: what every part of the local system does now, one line each.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

/// State of one part of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Started; no sign of life has come yet.
    Starting,
    /// Running and ready for work.
    Ready,
    /// Ended unasked; it will be started again.
    Restarting {
        /// How the program ended.
        reason: String,
        /// Pause before the next start.
        after: Duration,
    },
    /// Asked to end, and still running.
    Stopping,
    /// Ended because it was asked to.
    Stopped,
    /// Not built, or ended in a way that another start would not change.
    Absent {
        /// The reason, and what to do about it.
        reason: String,
    },
}

/// The line of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Name of the part.
    pub(crate) name: String,
    /// Current state of the part.
    pub(crate) state: State,
    /// Process id, address or log file.
    pub(crate) detail: String,
}

impl State {
    /// Ended unasked; the pause is decided later.
    pub(crate) const fn restarting(reason: String) -> Self {
        Self::Restarting {
            reason,
            after: Duration::ZERO,
        }
    }
}

impl State {
    /// One word, the same for people and for programs.
    const fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Restarting { .. } => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Absent { .. } => "absent",
        }
    }
}

impl Line {
    fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting | State::Restarting { .. })
    }

    /// Whether the part waits for its start: there is nothing to read yet.
    pub(crate) fn says_nothing(&self) -> bool {
        self.state == State::Starting && self.detail.is_empty()
    }

    /// What there is to say besides the state.
    fn remark(&self) -> String {
        match &self.state {
            State::Starting | State::Ready => self.detail.clone(),
            State::Restarting { reason, after } => {
                format!("in {:.1} s, {reason}", after.as_secs_f64())
            }
            State::Stopping | State::Stopped => String::new(),
            State::Absent { reason } => reason.clone(),
        }
    }

    /// The line as a value for programs.
    pub(crate) fn json(&self) -> Value {
        json!({"name": self.name, "state": self.state.word(), "detail": self.remark()})
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&board_line(&self.name, self.state.word(), &self.remark()))
    }
}

/// One line of the board: name, state and remark in columns.
pub(crate) fn board_line(name: &str, state: &str, remark: &str) -> String {
    format!("{name:<13} {state:<11} {remark}")
        .trim_end()
        .to_owned()
}

/// The lines of all parts, in the order in which they were added.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    lines: watch::Sender<Vec<Line>>,
}

impl Board {
    /// A board without lines.
    pub(crate) fn new() -> Self {
        Self {
            lines: watch::Sender::new(Vec::new()),
        }
    }

    /// Changes or adds the line of `name`.
    pub(crate) fn set(&self, name: &str, state: State, detail: &str) {
        let line = Line {
            name: name.to_owned(),
            state,
            detail: detail.to_owned(),
        };
        self.lines.send_if_modified(|lines| put_line(lines, line));
    }

    /// Sets the line to ready if it says starting: a sign of life after a stop must not bring it
    /// back.
    pub(crate) fn note_service(&self, name: &str) {
        self.lines.send_if_modified(|lines| {
            let starting = lines
                .iter_mut()
                .find(|line| line.name == name && line.state == State::Starting);
            starting.map(|line| line.state = State::Ready).is_some()
        });
    }

    /// Waits until no part is starting or will start again.
    pub(crate) async fn wait_until_started(&self) {
        // The board cannot close while this borrows it.
        let _ = self
            .lines
            .subscribe()
            .wait_for(|lines| !lines.iter().any(Line::is_starting))
            .await;
    }

    /// The lines as they change.
    pub(crate) fn lines(&self) -> watch::Receiver<Vec<Line>> {
        self.lines.subscribe()
    }
}

/// Puts the line in its place; false if nothing changed.
fn put_line(lines: &mut Vec<Line>, line: Line) -> bool {
    match lines.iter_mut().find(|each| each.name == line.name) {
        Some(old) if *old == line => return false,
        Some(old) => *old = line,
        None => lines.push(line),
    }
    true
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(state: State) -> String {
        let line = Line {
            name: "trainer".to_owned(),
            state,
            detail: "pid 7".to_owned(),
        };
        line.to_string()
    }

    #[test]
    fn each_state_reads_as_one_aligned_line() {
        assert_eq!(text_of(State::Ready), "trainer       ready       pid 7");

        let reason = "not built: make build".to_owned();
        assert_eq!(
            text_of(State::Absent { reason }),
            "trainer       absent      not built: make build"
        );

        let restarting = State::Restarting {
            reason: "exit code 1".to_owned(),
            after: Duration::from_millis(500),
        };
        assert_eq!(
            text_of(restarting),
            "trainer       restarting  in 0.5 s, exit code 1"
        );
    }

    #[tokio::test]
    async fn a_sign_of_life_makes_only_a_starting_part_ready() {
        let board = Board::new();
        board.set("a", State::Starting, "");
        board.set("b", State::Stopped, "");

        board.note_service("a");
        board.note_service("b");

        board.wait_until_started().await;
        let states: Vec<State> = board
            .lines
            .borrow()
            .iter()
            .map(|line| line.state.clone())
            .collect();
        assert_eq!(states, [State::Ready, State::Stopped]);
    }
}
