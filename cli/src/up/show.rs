//! The board on a screen, live on a terminal and as plain lines elsewhere, and in the log `up`.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tokio::sync::watch;

use super::board::Line;

/// Where the board is shown, besides its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Lines that are redrawn where standard error is a terminal.
    Live,
    /// One line on standard error for each change.
    Plain,
    /// Nowhere: nobody looks at a system in the background.
    Nowhere,
}

/// Shows every change until the last board is dropped, and writes it into `log`.
pub(crate) async fn show(mut changes: watch::Receiver<Vec<Line>>, screen: Screen, mut log: File) {
    let is_live = screen == Screen::Live && std::io::stderr().is_terminal();
    let multi = is_live.then(MultiProgress::new);
    let mut drawn: Vec<DrawnLine> = Vec::new();
    loop {
        let lines = changes.borrow_and_update().clone();
        for (index, line) in lines.into_iter().enumerate() {
            let is_old = drawn.get(index).is_some_and(|old| old.line == line);
            if is_old {
                continue;
            }
            log_line(&mut log, &line);
            if drawn.len() <= index {
                drawn.push(DrawnLine::new(line.clone(), multi.as_ref()));
            }
            if let Some(line_on_screen) = drawn.get_mut(index) {
                line_on_screen.draw(line, screen);
            }
        }

        if changes.changed().await.is_err() {
            break;
        }
    }

    // The last lines stay on the screen.
    for DrawnLine { bar, .. } in drawn {
        bar.inspect(ProgressBar::abandon);
    }
}

/// A line as it was drawn last.
struct DrawnLine {
    line: Line,
    /// Its place on a terminal; none elsewhere.
    bar: Option<ProgressBar>,
}

impl DrawnLine {
    fn new(line: Line, multi: Option<&MultiProgress>) -> Self {
        let bar = multi.map(|multi| multi.add(plain_bar()));
        Self { line, bar }
    }

    fn draw(&mut self, line: Line, screen: Screen) {
        match &self.bar {
            Some(bar) => bar.set_message(line.to_string()),
            None if screen == Screen::Nowhere || line.says_nothing() => {}
            None => {
                // A system goes on working when nobody can read its board.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
        self.line = line;
    }
}

fn plain_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

fn log_line(log: &mut File, line: &Line) {
    if line.says_nothing() {
        return;
    }
    // A full disk must not end the system; what happened is lost then.
    let _ = writeln!(log, "{:.6}  INFO {line}", Timestamp::now());
}
