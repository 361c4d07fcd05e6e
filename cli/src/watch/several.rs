//! Watches several operations at once, one line each, until they have ended.

use std::time::Duration;

use bus::{Bus, BusError, Update};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream, SelectAll};
use schemas::codes;
use schemas::errors::shortened;
use schemas::ids::OperationId;
use schemas::operation::OperationRecord;

use super::ending::{duration_of, exit_of, result_json};
use super::screen::{REDRAW, Screen, name_of};
use super::sources::follow_updates;
use super::state::WatchState;
use super::wait_for_timeout;
use crate::console::durations::compact;
use crate::console::{Exit, Failure, Interrupt, Interrupts, Output};
use crate::context::Context;

/// Characters of a failure's message; `ktrdr status` has all of it.
const FAILURE_CHARS_MAX: usize = 120;
/// Running operations that a remark names.
const NAMED_MAX: usize = 5;

/// When watching several operations ends, beside the end of all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SeveralOptions {
    /// The first operation that ends is enough.
    pub(crate) is_any_enough: bool,
    /// Stop watching after this time; the operations continue.
    pub(crate) timeout: Option<Duration>,
    /// Draw the operations while they run.
    pub(crate) is_drawn: bool,
}

/// Updates of all operations, each with the operation it is about; `None` is its last one.
type UpdatesOfAll = SelectAll<BoxStream<'static, (OperationId, Option<Result<Update, BusError>>)>>;

/// Watches operations that other processes started, also where their local system comes back
/// elsewhere. The exit code is that of the worst end.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn watch_several(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    ops: &[OperationId],
    options: SeveralOptions,
) -> Result<Exit, Failure> {
    let mut redraw = tokio::time::interval(REDRAW);
    let timeout = wait_for_timeout(options.timeout);
    let moved = context.moved(bus.clone());
    tokio::pin!(timeout, moved);
    let mut watch = SeveralWatch::new(context, bus, ops, options);
    let mut updates = watch.follow_running();

    // Signals go first, before the server has answered at all.
    loop {
        tokio::select! {
            biased;
            interrupt = interrupts.next() => return Ok(watch.report(Some(interrupt), false)),
            Some((op, update)) = updates.next() => watch.on_update(&op, update.transpose()?),
            _ = redraw.tick() => watch.redraw(),
            bus = &mut moved => {
                moved.set(context.moved(bus.clone()));
                watch.bus = bus;
                updates = watch.follow_running();
            }
            () = &mut timeout => return Ok(watch.report(None, true)),
        }
        if watch.is_over() {
            return Ok(watch.report(None, false));
        }
    }
}

struct SeveralWatch<'a> {
    bus: Bus,
    output: &'a Output,
    screen: Screen,
    options: SeveralOptions,
    /// Columns of the longest name.
    name_width: usize,
    /// The operations that have not ended, in the order in which they were named.
    running: Vec<(OperationId, WatchState)>,
    /// How each of the others ended, in the order of their ends.
    ended: Vec<OperationRecord>,
}

impl<'a> SeveralWatch<'a> {
    fn new(context: &'a Context, bus: &Bus, ops: &[OperationId], options: SeveralOptions) -> Self {
        let running = ops
            .iter()
            .map(|op| (op.clone(), WatchState::new(bus.timing())));
        let name_width = ops.iter().map(|op| name_of(op).len()).max();

        Self {
            bus: bus.clone(),
            output: &context.output,
            screen: Screen::new(&context.output),
            options,
            name_width: name_width.unwrap_or(0),
            running: running.collect(),
            ended: Vec::new(),
        }
    }

    /// Follows all that have not ended.
    fn follow_running(&self) -> UpdatesOfAll {
        let mut updates = SelectAll::new();
        for (op, _) in &self.running {
            let of_operation = follow_updates(&self.bus, op, false).map(Some);
            let end = stream::once(std::future::ready(None));
            let op = op.clone();
            let named = of_operation.chain(end).map(move |each| (op.clone(), each));
            updates.push(named.boxed());
        }
        updates
    }

    fn on_update(&mut self, op: &OperationId, update: Option<Update>) {
        let Some(index) = self.running.iter().position(|(each, _)| each == op) else {
            return;
        };

        let Some(update) = update else {
            // The last line stays on the screen as it was drawn.
            self.redraw();
            let (_, mut state) = self.running.remove(index);
            self.ended.extend(state.take_record());
            if !self.options.is_drawn {
                self.print_last_end();
            }
            return;
        };

        if self.options.is_drawn {
            self.screen.print_update(&update);
            self.screen.print_warning_of(op, &update);
        }
        if let Some((_, state)) = self.running.get_mut(index) {
            state.apply(update);
        }
    }

    fn redraw(&mut self) {
        if !self.options.is_drawn {
            return;
        }
        for (op, state) in &mut self.running {
            self.screen
                .show_operation(op, self.name_width, &state.facts(&self.bus, None));
        }
    }

    fn is_over(&self) -> bool {
        self.running.is_empty() || (self.options.is_any_enough && !self.ended.is_empty())
    }

    fn print_last_end(&self) {
        if let Some(record) = self.ended.last() {
            print_end(self.output, record);
        }
    }

    /// Prints how watching ended. The exit code is that of the worst end.
    fn report(self, interrupted: Option<Interrupt>, timed_out: bool) -> Exit {
        self.screen.close();
        if self.options.is_drawn {
            for record in &self.ended {
                print_end(self.output, record);
            }
        }

        let exits = self.ended.iter().map(exit_of);
        let worst = exits.fold(Exit::Done, Exit::worse);
        if timed_out {
            self.output.failure(&self.still_running());
            return worst.worse(Exit::TimedOut);
        }
        match interrupted {
            None => worst,
            Some(interrupt) => self.report_interrupt(interrupt),
        }
    }

    /// Ctrl+C while looking on is a wish; while a script waits it must not look like success.
    fn report_interrupt(&self, interrupt: Interrupt) -> Exit {
        self.output.note(&format!(
            "Detached; still running: {}",
            self.running_names()
        ));
        match interrupt {
            Interrupt::Terminate => Exit::Terminated,
            Interrupt::Interactive if self.options.is_drawn => Exit::Done,
            Interrupt::Interactive => Exit::Cancelled,
        }
    }

    fn still_running(&self) -> Failure {
        let message = format!("these have not ended yet: {}", self.running_names());
        Failure::new(Exit::TimedOut, codes::OPS_WAIT_TIMEOUT, message)
            .with_hint("they continue; `ktrdr follow OP` shows one, `ktrdr cancel OP` stops it")
    }

    fn running_names(&self) -> String {
        let mut names: Vec<&str> = self
            .running
            .iter()
            .take(NAMED_MAX)
            .map(|(op, _)| op.as_str())
            .collect();
        if self.running.len() > NAMED_MAX {
            names.push("…");
        }
        names.join(", ")
    }
}

/// One line with the end of an operation, and why it failed.
fn print_end(output: &Output, record: &OperationRecord) {
    output.json(&result_json(record, exit_of(record)));

    let time = compact(duration_of(record));
    let mut line = format!("{} {} after {time}", record.op, record.state);
    if let Some(failure) = &record.failure {
        let message = shortened(&failure.error.message, FAILURE_CHARS_MAX);
        line.push_str(&format!(": {message}"));
    }
    output.line(&line);
}
