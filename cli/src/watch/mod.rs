//! Watches one operation to its end: draws it, finds out why nothing moves, and turns Ctrl+C into a
//! cancel or a goodbye.
//!
//! `start` submits an operation and watches it, [`watch_to_end`] watches one that exists, and
//! [`watch`] is the loop below both. How a result is worded comes from the context: nothing here
//! knows a command.

mod ending;
mod expectations;
mod family_lines;
mod history;
mod progress_text;
mod queue_probe;
mod queues;
mod screen;
mod several;
mod start;
mod start_family;
mod state;
mod step_line;
mod waiting_reason;
mod work_text;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{Bus, BusError, CancelAsk, FollowOptions, Update};
use futures::StreamExt as _;
use schemas::ids::{OperationId, StepNumber};
use schemas::operation::{OperationRecord, OperationState, Said};
use schemas::progress::ProgressRecord;
use tokio::task::JoinHandle;

pub(crate) use ending::{failure_of, fill_results, outcome_of, report};
pub(crate) use history::{event_text, progress_text};
pub(crate) use queues::{QueueLoad, read_queues};
pub(crate) use screen::{REDRAW, Screen};
pub(crate) use several::{SeveralOptions, watch_several};
pub(crate) use start::{print_follow_hints, start};
pub(crate) use start_family::start_family;
pub(crate) use state::current_step;
pub(crate) use step_line::summarise_fields;
pub(crate) use work_text::describe_work;

use crate::console::{Exit, Failure, Interrupt, Interrupts};
use crate::context::Context;
use expectations::Expectations;
use queue_probe::QueueProbe;
use state::WatchState;

/// The reason of a cancel that Ctrl+C asks for.
const CTRL_C_REASON: &str = "Operation cancelled by user";

/// How to watch.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchOptions {
    /// This process started the operation: the first Ctrl+C cancels it.
    pub(crate) is_ours: bool,
    /// First print everything that is still stored.
    pub(crate) from_start: bool,
    /// End in this state; without it in a terminal one.
    pub(crate) until: Option<OperationState>,
    /// Who cancels with Ctrl+C.
    pub(crate) person: Option<String>,
    /// Stop watching after this time; the operation continues.
    pub(crate) wait_timeout: Option<Duration>,
}

/// How watching ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// The operation is terminal, or in the state waited for.
    Reached(Box<OperationRecord>),
    /// Ctrl+C while watching an operation that another process started.
    Detached,
    /// The second Ctrl+C: the operation was asked to stop, and nobody waits for it here.
    Abandoned {
        /// The server has confirmed the request to stop it.
        is_stored: bool,
    },
    /// SIGTERM, as `kill` sends it.
    Terminated,
    /// The wait timeout passed.
    TimedOut,
}

/// The last progress of each step that reported any.
pub(crate) type StepProgress = BTreeMap<StepNumber, ProgressRecord>;

/// How watching ended, and the last progress of each step.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// How it ended.
    pub(crate) ended: Ended,
    /// The last progress of each step that reported any.
    pub(crate) progress: StepProgress,
}

/// Watches an operation and reports how it ended.
pub(crate) async fn watch_to_end(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    options: WatchOptions,
) -> Result<Exit, Failure> {
    let mut screen = Screen::new(&context.output);
    let mut bus = bus.clone();
    let mut options = options;
    let watched = loop {
        tokio::select! {
            watched = watch(&bus, interrupts, op, options.clone(), &mut screen) => break watched,
            moved = context.moved(&bus) => bus = moved,
        }
        // What was stored before is on the screen.
        options.from_start = false;
    };
    // The last lines stay, and an error is printed below them.
    screen.close();

    let mut watched = watched?;
    if let Ended::Reached(record) = &mut watched.ended {
        fill_results(context, record).await;
    }
    report(context, op, &watched)
}

/// Watches an operation on a screen until it ends, or until somebody or a timeout stops the
/// watching.
pub(crate) async fn watch(
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    options: WatchOptions,
    screen: &mut Screen,
) -> Result<Watched, Failure> {
    let from_start = options.from_start;
    let mut updates = bus
        .operations()
        .follow(op, FollowOptions { from_start })
        .await?;
    let mut signs_of_life = bus.workers().watch_signs_of_life().await?;
    let mut redraw = tokio::time::interval(REDRAW);
    let timeout = wait_for_timeout(options.wait_timeout);
    tokio::pin!(timeout);

    let mut watch = Watch {
        bus,
        op,
        options,
        screen,
        state: WatchState::new(bus.timing()),
        probe: QueueProbe::start(bus.clone(), op.clone()),
        cancel: None,
    };

    // An estimate is an extra: without a history nothing is expected.
    if let Ok(histories) = bus.timings().list().await {
        watch.state.expect(Expectations::new(histories));
    }

    // Signals go first: Ctrl+C must work however fast messages arrive.
    let ended = loop {
        let ended = tokio::select! {
            biased;
            interrupt = interrupts.next() => watch.on_interrupt(interrupt),
            update = updates.next() => watch.on_update(update),
            Some(worker) = signs_of_life.next() => {
                watch.state.note_sign_of_life(&worker);
                None
            }
            _ = redraw.tick() => {
                watch.redraw();
                None
            }
            answer = cancel_answer(&mut watch.cancel) => {
                watch.on_cancel_answer(answer);
                None
            }
            () = &mut timeout => Some(Ended::TimedOut),
        };
        if let Some(ended) = ended {
            break ended;
        }
    };

    Ok(Watched {
        ended,
        progress: watch.state.into_progress(),
    })
}

/// A request to cancel on its way to the server.
type CancelTask = JoinHandle<Result<u64, BusError>>;

/// One operation that is being watched.
struct Watch<'a> {
    bus: &'a Bus,
    op: &'a OperationId,
    options: WatchOptions,
    screen: &'a mut Screen,
    state: WatchState,
    probe: QueueProbe,
    cancel: Option<CancelTask>,
}

impl Watch<'_> {
    /// The first Ctrl+C cancels our own operation, the second one leaves it to its worker.
    fn on_interrupt(&mut self, interrupt: Interrupt) -> Option<Ended> {
        match interrupt {
            Interrupt::Terminate => Some(Ended::Terminated),
            Interrupt::Interactive if !self.options.is_ours => Some(Ended::Detached),
            Interrupt::Interactive if self.state.cancel_asked_at.is_some() => {
                // Without its answer nobody knows whether the request is stored.
                let is_stored = self.cancel.is_none();
                Some(Ended::Abandoned { is_stored })
            }
            Interrupt::Interactive => {
                self.request_cancel();
                None
            }
        }
    }

    /// Asks in the background: the screen must not stand still while the server is slow.
    fn request_cancel(&mut self) {
        self.state.cancel_asked_at = Some(Instant::now());
        let bus = self.bus.clone();
        let op = self.op.clone();
        let ask = CancelAsk {
            said: Said {
                by: self.options.person.clone(),
                reason: Some(CTRL_C_REASON.to_owned()),
            },
            grace: None,
        };
        self.cancel = Some(tokio::spawn(
            async move { bus.cancels().ask(&op, &ask).await },
        ));

        self.screen.note(&format!(
            "Cancelling {}… (press Ctrl+C again to leave it to the worker)",
            self.op
        ));
    }

    fn on_cancel_answer(&mut self, answer: Result<Result<u64, BusError>, tokio::task::JoinError>) {
        self.cancel = None;
        if let Ok(Err(error)) = answer {
            self.state.cancel_asked_at = None;
            self.screen.note(&format!(
                "the cancel request was not stored ({error}); press Ctrl+C to ask again"
            ));
        }
    }

    fn on_update(&mut self, update: Option<Update>) -> Option<Ended> {
        // The stream ends after the terminal record; without a record the connection is closed for
        // good.
        let Some(update) = update else {
            return Some(match self.state.take_record() {
                Some(record) => Ended::Reached(Box::new(record)),
                None => Ended::Detached,
            });
        };

        self.screen.print_update(&update);
        if self.options.from_start {
            self.screen.print_history(&update);
        } else {
            self.screen.print_warning(&update);
        }
        self.state.apply(update);
        self.redraw();

        let record = self.state.record_in(self.options.until)?;
        Some(Ended::Reached(Box::new(record.clone())))
    }

    fn redraw(&mut self) {
        self.probe.look_at(self.state.waiting_step());
        let queue = self.probe.facts();
        self.screen.show(&self.state.facts(self.bus, queue));
    }
}

/// The answer to the request to cancel; never, while there is no request.
async fn cancel_answer(
    cancel: &mut Option<CancelTask>,
) -> Result<Result<u64, BusError>, tokio::task::JoinError> {
    match cancel.as_mut() {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

async fn wait_for_timeout(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
