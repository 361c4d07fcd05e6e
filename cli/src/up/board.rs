//! The board: what every part of the local system does now, one line each; live on a terminal,
//! plain lines elsewhere.

use std::fmt;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;

/// What a part does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Started, not yet heard of.
    Starting,
    /// At work.
    Ready,
    /// Ended unasked; will be started again.
    Restarting {
        /// How it ended.
        reason: String,
        /// How long we wait first.
        after: Duration,
    },
    /// Asked to end.
    Stopping,
    /// Ended.
    Stopped,
    /// Not there, or ended in a way that another start would not change.
    Absent {
        /// Why, and what to do about it.
        reason: String,
    },
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// What it does.
    pub(crate) state: State,
    /// Process id, address or log: what helps a person.
    pub(crate) detail: String,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            state,
            detail,
        } = self;
        match state {
            State::Starting => write!(formatter, "{name:<13} starting    {detail}"),
            State::Ready => write!(formatter, "{name:<13} ready       {detail}"),
            State::Restarting { reason, after } => {
                write!(
                    formatter,
                    "{name:<13} restarting  in {:.1} s, {reason}",
                    after.as_secs_f64()
                )
            }
            State::Stopping => write!(formatter, "{name:<13} stopping"),
            State::Stopped => write!(formatter, "{name:<13} stopped"),
            State::Absent { reason } => write!(formatter, "{name:<13} absent      {reason}"),
        }
    }
}

/// All lines, in the order in which they were added.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    lines: watch::Sender<Vec<Line>>,
}

impl Board {
    /// An empty board.
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
        self.lines.send_if_modified(|lines| {
            match lines.iter_mut().find(|each| each.name == name) {
                Some(found) if *found == line => false,
                Some(found) => {
                    *found = line.clone();
                    true
                }
                None => {
                    lines.push(line.clone());
                    true
                }
            }
        });
    }

    /// Sets the line to ready if it says starting: a sign of life after a stop must not bring it
    /// back.
    pub(crate) fn note_service(&self, name: &str) {
        self.lines.send_if_modified(|lines| {
            let found = lines
                .iter_mut()
                .find(|line| line.name == name && line.state == State::Starting);
            found.map(|line| line.state = State::Ready).is_some()
        });
    }

    /// Waits until nothing is starting or about to.
    pub(crate) async fn wait_until_started(&self) {
        let quiet = |lines: &Vec<Line>| {
            !lines
                .iter()
                .any(|line| matches!(line.state, State::Starting | State::Restarting { .. }))
        };
        drop(self.lines.subscribe().wait_for(quiet).await);
    }

    /// What [`show`] reads.
    pub(crate) fn lines(&self) -> watch::Receiver<Vec<Line>> {
        self.lines.subscribe()
    }
}

/// Shows every change on standard error until the last board is dropped: `live` redraws the lines
/// where it is a terminal.
pub(crate) async fn show(mut changes: watch::Receiver<Vec<Line>>, live: bool) {
    let live = (live && std::io::stderr().is_terminal()).then(MultiProgress::new);
    let mut shown: Vec<(Line, Option<ProgressBar>)> = Vec::new();
    loop {
        let lines = changes.borrow_and_update().clone();
        for (index, line) in lines.into_iter().enumerate() {
            match shown.get_mut(index) {
                Some((old, _)) if *old == line => {}
                Some((old, bar)) => {
                    print_line(&line, bar.as_ref());
                    *old = line;
                }
                None => {
                    let bar = live.as_ref().map(|live| live.add(plain_bar()));
                    print_line(&line, bar.as_ref());
                    shown.push((line, bar));
                }
            }
        }
        if changes.changed().await.is_err() {
            break;
        }
    }
    for (_, bar) in shown {
        bar.inspect(ProgressBar::abandon);
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

fn plain_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

fn print_line(line: &Line, bar: Option<&ProgressBar>) {
    match bar {
        Some(bar) => bar.set_message(line.to_string()),
        None if line.state == State::Starting && line.detail.is_empty() => {}
        None => eprintln!("{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_reads_as_one_aligned_line() {
        let line = |state| {
            Line {
                name: "trainer".to_owned(),
                state,
                detail: "pid 7".to_owned(),
            }
            .to_string()
        };
        assert_eq!(line(State::Ready), "trainer       ready       pid 7");
        let reason = "not built: make trainer".to_owned();
        assert_eq!(
            line(State::Absent { reason }),
            "trainer       absent      not built: make trainer"
        );
        let restarting = State::Restarting {
            reason: "exit code 1".to_owned(),
            after: Duration::from_millis(500),
        };
        assert_eq!(
            line(restarting),
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
