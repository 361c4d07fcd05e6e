//! Watches one operation to its end: draws it, finds out why nothing moves, and turns Ctrl+C into a
//! cancel or a goodbye.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{Bus, FollowOptions, Timing, Update};
use futures::StreamExt as _;
use jiff::Timestamp;
use schemas::ids::{Lane, OperationId, Service, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, OperationState, StepState};
use schemas::progress::ProgressRecord;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::FollowArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::interrupts::{Interrupt, Interrupts};
use crate::outcome::{self, Describe};
use crate::screen::{REDRAW, Screen};
use crate::why::{QueueFacts, Scene};

/// The reason of a cancel asked for with Ctrl+C.
const CTRL_C_REASON: &str = "Operation cancelled by user";

/// How to watch.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// We started it: the first Ctrl+C cancels it.
    pub ours: bool,
    /// First everything that is still stored.
    pub from_start: bool,
    /// End in this state.
    pub until: Option<OperationState>,
    /// Stop watching after this time.
    pub wait_timeout: Option<Duration>,
}

/// How watching ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// The operation is terminal, or in the state waited for.
    Reached(Box<OperationRecord>),
    /// Ctrl+C while watching somebody else's operation.
    Detached,
    /// The second Ctrl+C.
    Left,
    /// SIGTERM.
    Terminated,
    /// The wait timeout.
    TimedOut,
}

/// The end, and the last progress of each step.
#[derive(Clone, Debug)]
pub struct Watched {
    /// How it ended.
    pub ended: Ended,
    /// Last words of each step.
    pub progress: BTreeMap<StepNumber, ProgressRecord>,
}

/// `ktrdr follow`.
pub async fn run(context: &Context, args: &FollowArgs) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    if bus.record(&args.op).await?.is_none() {
        return Err(Failure::no_operation(&args.op));
    }
    let options = WatchOptions {
        ours: false,
        from_start: args.from_start,
        until: args.until,
        wait_timeout: args.wait_timeout,
    };
    watch_to_end(
        context,
        &bus,
        &mut interrupts,
        &args.op,
        options,
        outcome::describe,
    )
    .await
}

/// Watches an operation and says how it ended.
pub async fn watch_to_end(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    options: WatchOptions,
    describe: Describe,
) -> Result<Exit, Failure> {
    let mut screen = Screen::new(&context.output);
    let watched = watch(bus, interrupts, op, options, &mut screen).await;
    screen.close();
    let mut watched = watched?;
    if let Ended::Reached(record) = &mut watched.ended {
        outcome::fill(context, record).await;
    }
    outcome::tell(&context.output, op, &watched, describe)
}

/// Watches an operation on a screen.
pub async fn watch(
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    options: WatchOptions,
    screen: &mut Screen,
) -> Result<Watched, Failure> {
    let mut updates = bus
        .follow(
            op,
            FollowOptions {
                from_start: options.from_start,
            },
        )
        .await?;
    let mut alive = bus.watch_alive().await?;
    let mut scout = Scout::start(bus.clone(), op.clone());
    let mut known = Known::new(bus.timing());
    let mut redraw = tokio::time::interval(REDRAW);
    let timeout = async {
        match options.wait_timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(timeout);
    let mut cancel: Option<JoinHandle<Result<u64, bus::BusError>>> = None;
    let ended = loop {
        tokio::select! {
            biased;
            interrupt = interrupts.next() => match interrupt {
                Interrupt::Terminate => break Ended::Terminated,
                Interrupt::Interactive if !options.ours => break Ended::Detached,
                Interrupt::Interactive if known.cancel_asked.is_some() => break Ended::Left,
                Interrupt::Interactive => {
                    known.cancel_asked = Some(Instant::now());
                    let (bus, asked) = (bus.clone(), op.clone());
                    cancel = Some(tokio::spawn(async move { bus.request_cancel(&asked, CTRL_C_REASON).await }));
                    screen.note(&format!("Cancelling {op}… (press Ctrl+C again to leave it to the worker)"));
                }
            },
            update = updates.next() => match update {
                Some(update) => {
                    screen.tell(&update);
                    if options.from_start {
                        screen.recount(&update);
                    }
                    known.take(update);
                    scout.look_at(known.waiting_step());
                    screen.show(&known.scene(bus, scout.facts()));
                    if let Some(record) = known.reached(options.until) {
                        break Ended::Reached(record);
                    }
                }
                // The stream ends after the terminal record; without a record the connection is
                // closed for good.
                None => match known.record.take() {
                    Some(record) => break Ended::Reached(Box::new(record)),
                    None => break Ended::Detached,
                },
            },
            Some(worker) = alive.next() => known.hear(&worker),
            _ = redraw.tick() => {
                scout.look_at(known.waiting_step());
                screen.show(&known.scene(bus, scout.facts()));
            }
            asked = async { match cancel.as_mut() { Some(task) => task.await, None => std::future::pending().await } } => {
                cancel = None;
                if let Ok(Err(error)) = asked {
                    known.cancel_asked = None;
                    screen.note(&format!("the cancel request was not stored ({error}); press Ctrl+C to ask again"));
                }
            }
            () = &mut timeout => break Ended::TimedOut,
        }
    };
    Ok(Watched {
        ended,
        progress: known.progress,
    })
}

/// What has been learnt so far.
struct Known {
    record: Option<OperationRecord>,
    progress: BTreeMap<StepNumber, ProgressRecord>,
    /// When each holder was last heard of.
    heard: BTreeMap<WorkerId, Instant>,
    silent: BTreeMap<WorkerId, Duration>,
    offline_since: Option<Instant>,
    cancel_asked: Option<Instant>,
    timing: Timing,
}

impl Known {
    fn new(timing: Timing) -> Self {
        Self {
            record: None,
            progress: BTreeMap::new(),
            heard: BTreeMap::new(),
            silent: BTreeMap::new(),
            offline_since: None,
            cancel_asked: None,
            timing,
        }
    }

    fn take(&mut self, update: Update) {
        match update {
            Update::Record(record) => {
                let holders = record
                    .steps
                    .iter()
                    .filter_map(|step| Some(step.holder.as_ref()?.worker.clone()));
                let heard = |worker: WorkerId| {
                    let last = self
                        .heard
                        .get(&worker)
                        .copied()
                        .unwrap_or_else(Instant::now);
                    (worker, last)
                };
                self.heard = holders.map(heard).collect();
                self.record = Some(*record);
            }
            Update::Progress(progress) => {
                self.hear(&progress.worker);
                self.progress.insert(progress.step, *progress);
            }
            Update::Event(_) => {}
        }
    }

    fn hear(&mut self, worker: &WorkerId) {
        if let Some(heard) = self.heard.get_mut(worker) {
            *heard = Instant::now();
        }
    }

    /// The first step that waits in a queue.
    fn waiting_step(&self) -> Option<(StepNumber, Service, Lane)> {
        let record = self
            .record
            .as_ref()
            .filter(|record| !record.state.is_terminal())?;
        let open = record.plan.advance(record);
        let waits = |number| {
            record
                .step(number)
                .is_some_and(|step| step.state == StepState::Pending)
        };
        open.into_iter()
            .find(|step| waits(step.step))
            .map(|step| (step.step, step.service, step.lane))
    }

    fn reached(&self, until: Option<OperationState>) -> Option<Box<OperationRecord>> {
        let record = self
            .record
            .as_ref()
            .filter(|record| Some(record.state) == until)?;
        Some(Box::new(record.clone()))
    }

    fn scene(&mut self, bus: &Bus, queue: Option<QueueFacts>) -> Scene<'_> {
        let now = Instant::now();
        self.offline_since = match bus.connected_since() {
            Some(_) => None,
            None => Some(self.offline_since.unwrap_or(now)),
        };
        // Nobody can be heard while the connection is down: that is not the worker's silence.
        let up = bus.connected_since().unwrap_or(now);
        let silent =
            |(worker, heard): (&WorkerId, &Instant)| (worker.clone(), now - (*heard).max(up));
        self.silent = self.heard.iter().map(silent).collect();
        Scene {
            record: self.record.as_ref(),
            progress: &self.progress,
            queue,
            silent: &self.silent,
            offline: self.offline_since.map(|since| now - since),
            cancel_asked: self.cancel_asked.map(|asked| now - asked),
            timing: self.timing,
            now: Timestamp::now(),
        }
    }
}

/// Looks at the queue of a waiting step once a second, beside the drawing.
struct Scout {
    target: watch::Sender<Option<(StepNumber, Service, Lane)>>,
    facts: watch::Receiver<Option<QueueFacts>>,
    task: JoinHandle<()>,
}

impl Scout {
    fn start(bus: Bus, op: OperationId) -> Self {
        let (target, mut wanted) = watch::channel(None);
        let (found, facts) = watch::channel(None);
        let task = tokio::spawn(async move {
            loop {
                let target = *wanted.borrow_and_update();
                if let Some((step, service, lane)) = target {
                    match queue_facts(&bus, &op, step, service, lane).await {
                        Ok(facts) => drop(found.send_replace(Some(facts))),
                        Err(error) => tracing::debug!(%error, "the queue cannot be looked at now"),
                    }
                }
                tokio::select! {
                    changed = wanted.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(Duration::from_secs(1)), if target.is_some() => {}
                }
            }
        });
        Self {
            target,
            facts,
            task,
        }
    }

    fn look_at(&mut self, target: Option<(StepNumber, Service, Lane)>) {
        self.target
            .send_if_modified(|current| std::mem::replace(current, target) != target);
    }

    fn facts(&self) -> Option<QueueFacts> {
        *self.facts.borrow()
    }
}

impl Drop for Scout {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn queue_facts(
    bus: &Bus,
    op: &OperationId,
    step: StepNumber,
    service: Service,
    lane: Lane,
) -> Result<QueueFacts, bus::BusError> {
    let workers = bus.workers().await?;
    // Only now, or a worker would count as busy with what it took meanwhile, which is this step.
    let ahead = bus.ahead_of(service, lane, op, step).await?;
    let serving: Vec<_> = workers
        .into_iter()
        .filter(|worker| {
            worker.service == service && worker.lanes.contains(&lane) && !worker.draining
        })
        .collect();
    let busy = serving
        .iter()
        .filter(|worker| worker.current.len() >= usize::from(worker.slots))
        .count();
    Ok(QueueFacts {
        step,
        ahead,
        workers: serving.len(),
        busy,
    })
}
