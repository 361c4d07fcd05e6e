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
mod sources;
mod start;
mod start_family;
mod state;
mod step_line;
mod step_names;
mod waiting_reason;
mod work_text;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{Bus, BusError, CancelAsk, TimingKey, Update};
use futures::StreamExt as _;
use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, OperationState, Said};
use schemas::progress::ProgressRecord;
use schemas::timings::Timings;
use tokio::task::JoinHandle;

pub(crate) use ending::{failure_of, fill_results, outcome_of, report};
pub(crate) use history::{event_text, progress_text};
pub(crate) use queues::{QueueLoad, read_queues};
pub(crate) use screen::{REDRAW, Screen};
pub(crate) use several::{SeveralOptions, watch_several};
pub(crate) use start::{new_id, print_follow_hints, start, start_as};
pub(crate) use start_family::{start_family, start_family_as};
pub(crate) use state::current_step;
pub(crate) use step_line::summarise_fields;
pub(crate) use work_text::describe_work;

use crate::console::{Exit, Failure, Interrupt, Interrupts};
use crate::context::Context;
use expectations::Expectations;
use queue_probe::QueueProbe;
use sources::Sources;
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
    let watched = watch(context, bus, interrupts, op, options, &mut screen).await;
    // The last lines stay, and an error is printed below them.
    screen.close();

    let mut watched = watched?;
    if let Ended::Reached(record) = &mut watched.ended {
        fill_results(context, record).await;
    }
    report(context, op, &watched)
}

/// Watches an operation on a screen until it ends, or until somebody or a timeout stops the
/// watching. A local system that comes back elsewhere is watched there.
pub(crate) async fn watch(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    options: WatchOptions,
    screen: &mut Screen,
) -> Result<Watched, Failure> {
    let mut redraw = tokio::time::interval(REDRAW);
    let timeout = wait_for_timeout(options.wait_timeout);
    let moved = context.moved(bus.clone());
    tokio::pin!(timeout, moved);
    let mut sources = Sources::new(bus, op, options.from_start);
    let mut watch = Watch::new(bus, op, options, screen);

    // Signals go first: Ctrl+C must work however fast messages arrive, and before the server has
    // answered at all.
    let ended = loop {
        let ended = tokio::select! {
            biased;
            interrupt = interrupts.next() => watch.on_interrupt(interrupt),
            update = sources.updates.next() => watch.on_update(update.transpose()?),
            Some(histories) = sources.histories.next() => watch.on_histories(histories),
            Some(worker) = sources.signs_of_life.next() => watch.on_sign_of_life(&worker),
            _ = redraw.tick() => watch.redraw(),
            answer = cancel_answer(&mut watch.cancel) => watch.on_cancel_answer(answer),
            bus = &mut moved => {
                // What was stored before is on the screen.
                sources = Sources::new(&bus, op, false);
                moved.set(context.moved(bus.clone()));
                watch.on_move(bus)
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

/// One operation that is being watched. What happens to it may end the watching.
struct Watch<'a> {
    bus: Bus,
    op: &'a OperationId,
    options: WatchOptions,
    screen: &'a mut Screen,
    state: WatchState,
    probe: QueueProbe,
    cancel: Option<CancelTask>,
}

impl<'a> Watch<'a> {
    fn new(bus: &Bus, op: &'a OperationId, options: WatchOptions, screen: &'a mut Screen) -> Self {
        Self {
            bus: bus.clone(),
            op,
            options,
            screen,
            state: WatchState::new(bus.timing()),
            probe: QueueProbe::start(bus.clone(), op.clone()),
            cancel: None,
        }
    }

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

    fn request_cancel(&mut self) {
        self.state.cancel_asked_at = Some(Instant::now());
        self.send_cancel();

        self.screen.note(&format!(
            "Cancelling {}… (press Ctrl+C again to leave it to the worker)",
            self.op
        ));
    }

    /// Asks in the background: the screen must not stand still while the server is slow.
    fn send_cancel(&mut self) {
        let ask = CancelAsk {
            said: Said {
                by: self.options.person.clone(),
                reason: Some(CTRL_C_REASON.to_owned()),
            },
            grace: None,
        };
        let asking = ask_once_connected(self.bus.clone(), self.op.clone(), ask);
        self.cancel = Some(tokio::spawn(asking));
    }

    fn on_cancel_answer(
        &mut self,
        answer: Result<Result<u64, BusError>, tokio::task::JoinError>,
    ) -> Option<Ended> {
        self.cancel = None;

        if let Ok(Err(error)) = answer {
            self.state.cancel_asked_at = None;
            self.screen.note(&format!(
                "the cancel request was not stored ({error}); press Ctrl+C to ask again"
            ));
        }
        None
    }

    /// Goes on at the new address; a request that the old one has not answered is made again.
    fn on_move(&mut self, bus: Bus) -> Option<Ended> {
        self.probe = QueueProbe::start(bus.clone(), self.op.clone());
        self.bus = bus;

        if let Some(unanswered) = self.cancel.take() {
            unanswered.abort();
            self.send_cancel();
        }
        None
    }

    fn on_sign_of_life(&mut self, worker: &WorkerId) -> Option<Ended> {
        self.state.note_sign_of_life(worker);
        None
    }

    fn on_histories(&mut self, histories: Vec<(TimingKey, Timings)>) -> Option<Ended> {
        self.state.expect(Expectations::new(histories));
        None
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

    fn redraw(&mut self) -> Option<Ended> {
        self.probe.look_at(self.state.waiting_step());
        let queue = self.probe.facts();
        self.screen.show(&self.state.facts(&self.bus, queue));
        None
    }
}

/// Asks for a cancel as soon as there is a connection: a request without one could only fail.
async fn ask_once_connected(bus: Bus, op: OperationId, ask: CancelAsk) -> Result<u64, BusError> {
    // After a link that has ended for good the request itself says so.
    let _ = bus.connection().state().wait_for(Option::is_some).await;
    bus.cancels().ask(&op, &ask).await
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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use nats_test_server::Server;
    use nix::sys::signal::{Signal, raise};
    use runtime::settings::BusSettings;
    use tokio::signal::unix::{SignalKind, signal};

    use super::*;
    use crate::arguments::GlobalArgs;
    use crate::console::{Output, TableStyle};

    async fn connect(server: &Server) -> Bus {
        let settings = BusSettings {
            url: server.url(),
            ..BusSettings::default()
        };
        let options = settings.connect_options("test", false);
        Bus::connect(&options).await.unwrap()
    }

    /// Signals of which one has arrived.
    async fn signalled() -> Interrupts {
        let interrupts = Interrupts::listen().unwrap();
        let mut arrived = signal(SignalKind::terminate()).unwrap();
        raise(Signal::SIGTERM).unwrap();
        arrived.recv().await;
        interrupts
    }

    #[tokio::test]
    async fn a_signal_does_not_wait_for_an_answer_of_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), false);
        let bus = connect(&server).await;
        let global = GlobalArgs::default();
        let output = Output::new(&global, TableStyle::Table, &BTreeMap::new());
        let mut screen = Screen::new(&output);
        let here = folder.path().to_owned();
        let context = Context::new(&global, output, BTreeMap::new(), here, |_| None);
        let mut interrupts = signalled().await;
        let op = "op_dummy_20260301_142233_9f3a01bc".parse().unwrap();

        let options = WatchOptions::default();
        let watching = watch(&context, &bus, &mut interrupts, &op, options, &mut screen);
        let watched = watching.now_or_never().expect("nothing is waited for");

        assert!(matches!(watched.unwrap().ended, Ended::Terminated));
    }
}
