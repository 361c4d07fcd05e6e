//! `ktrdr ops --watch`: the list again each time that an operation has changed.

use std::collections::BTreeMap;

use bus::{Bus, OperationChange};
use console::Term;
use futures::StreamExt as _;
use jiff::Timestamp;
use schemas::ids::OperationId;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::list::{HEADS, ListArgs, Listed, operation_row, read_operations};
use crate::console::{Exit, Failure, Interrupts, Output};
use crate::context::Context;
use crate::watch::REDRAW;

/// Draws the list until Ctrl+C. It asks the server only after something has changed, and at most
/// four times a second.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn watch_operations(
    args: &ListArgs,
    context: &Context,
    bus: &Bus,
) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    // Before the first list, so that no change falls between.
    let mut changes = bus.operations().watch_changes().await?;
    let mut reconnects = bus.connection().reconnects();
    let mut draw = tokio::time::interval(REDRAW);
    // After a slow answer the next drawing is as far away as always, and not made up for at once.
    draw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut list = WatchedList::new(
        &context.output,
        read_operations(bus, args).await?.operations,
    );

    loop {
        tokio::select! {
            biased;
            interrupt = interrupts.next() => return Ok(interrupt.exit_of_look()),
            Some(change) = changes.next() => list.note(change),
            // What has changed while the connection was away was not reported.
            Ok(()) = reconnects.changed() => list.note(OperationChange::Record),
            _ = draw.tick(), if list.is_stale() => {
                if list.is_to_be_read {
                    list.is_to_be_read = false;
                    match read_operations(bus, args).await {
                        Ok(listing) => list.listed = listing.operations,
                        // It is read again once the connection is back.
                        Err(_) if is_interrupted(bus, &reconnects) => {}
                        Err(failure) => return Err(failure),
                    }
                }
                list.draw();
            }
        }
    }
}

/// True while the connection is away, or if it was away without anybody's having looked yet.
fn is_interrupted(bus: &Bus, reconnects: &watch::Receiver<u64>) -> bool {
    let is_away = bus.connection().connected_since().is_none();
    is_away || reconnects.has_changed().unwrap_or(false)
}

/// The list as it is on the screen, and what has changed since.
struct WatchedList<'a> {
    output: &'a Output,
    term: Term,
    listed: Vec<Listed>,
    /// A record has changed: the list is to be read again.
    is_to_be_read: bool,
    /// What is on the screen is older than the list.
    is_to_be_drawn: bool,
    /// What was printed of each operation, where the list is not redrawn in place.
    printed: BTreeMap<OperationId, Vec<String>>,
    lines_on_screen: usize,
}

impl<'a> WatchedList<'a> {
    fn new(output: &'a Output, listed: Vec<Listed>) -> Self {
        Self {
            output,
            term: Term::stdout(),
            listed,
            is_to_be_read: false,
            is_to_be_drawn: true,
            printed: BTreeMap::new(),
            lines_on_screen: 0,
        }
    }

    /// Progress changes a row that is there; anything else may change which rows there are.
    fn note(&mut self, change: OperationChange) {
        let OperationChange::Progress(progress) = change else {
            self.is_to_be_read = true;
            return;
        };

        let row = self
            .listed
            .iter_mut()
            .find(|each| each.record.op == progress.op);
        if let Some(row) = row {
            row.percent = Some(progress.percent);
            self.is_to_be_drawn = true;
        }
    }

    fn is_stale(&self) -> bool {
        self.is_to_be_read || self.is_to_be_drawn
    }

    fn draw(&mut self) {
        self.is_to_be_drawn = false;
        if self.term.is_term() && !self.output.json {
            self.draw_in_place();
        } else {
            self.print_changes();
        }
    }

    fn draw_in_place(&mut self) {
        let now = Timestamp::now();
        let rows: Vec<Vec<String>> = self
            .listed
            .iter()
            .map(|each| operation_row(each, now))
            .collect();

        // What is taller than the screen cannot be redrawn: the newest rows are on top.
        let (height, _) = self.term.size();
        let mut lines = self.output.table_lines(&HEADS, &rows);
        lines.truncate(usize::from(height).saturating_sub(1));

        // A terminal that is gone shows nothing, which ends with its signal.
        let _ = self.term.clear_last_lines(self.lines_on_screen);
        self.lines_on_screen = lines.len();
        for line in &lines {
            self.output.line(line);
        }
    }

    /// One line for each operation that has changed, for a log or a program.
    fn print_changes(&mut self) {
        let now = Timestamp::now();
        for each in &self.listed {
            let row = operation_row(each, now);
            let news = news_of(&row);
            let before = self.printed.insert(each.record.op.clone(), news.clone());
            if before.as_ref() != Some(&news) {
                self.output.json(&each.json());
                self.output.line(&row.join("  "));
            }
        }
    }
}

/// The cells of a row but for the duration, which changes all the time.
fn news_of(row: &[String]) -> Vec<String> {
    let cells = HEADS.iter().zip(row);
    cells
        .filter(|(head, _)| **head != "DURATION")
        .map(|(_, cell)| cell.clone())
        .collect()
}
