//! The worker process: connect, check, announce itself, take one step per free slot, drain, leave.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bus::topology::{Topology, TopologyOptions};
use bus::{Answers, Bus, BusError, Delivered, Endpoint, ServiceDescription, Slot};
use jiff::Timestamp;
use schemas::codes::Advice as _;
use schemas::errors::chain;
use schemas::ids::{Lane, Service, WorkerId};
use schemas::progress::Device;
use schemas::retries::RetryPolicy;
use schemas::worker::WorkerInfo;
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::conditions::{Conditions, Surroundings};
use crate::delivery::DeliveryHandler;
use crate::device_gauge::{DeviceGauge, GaugeReader};
use crate::handler::StepHandler;
use crate::health::Health;
use crate::host_faults::HostFaults;
use crate::housekeeping::run_housekeeper;
use crate::presence::{CurrentSteps, Presence, PresenceChanges};
use crate::probe::{NeverDies, Probe};
use crate::renewals::Renewals;
use crate::settings::variable_prefix;
use crate::stop::shutdown_requested;
use crate::ticks::unhurried_ticks;
use crate::vitals::{TURN, Vitals};
use crate::worker_context::{Unanswered, WorkerContext};

/// A step that reports nothing for this long is not renewed any more. Its message comes to other
/// workers, which hand it back for as long as this one shows life.
const STALL: Duration = Duration::from_secs(600);

/// How a worker works; the service's handler is given apart from it.
pub struct WorkerOptions {
    /// The service whose queue it takes from.
    pub service: Service,
    /// One line for `nats micro ls`.
    pub about: &'static str,
    /// The queues it takes from, the preferred one first.
    pub lanes: Vec<Lane>,
    /// Steps it takes at a time.
    pub slots: u16,
    /// Steps of the lane `live` that it takes beside those; 0 = none.
    pub live_steps_max: usize,
    /// Order among workers of a prioritized queue, 0 first.
    pub priority: usize,
    /// How long running steps may take to stop once the process is asked to end.
    pub drain_timeout: Duration,
    /// When a step that failed for now is tried again.
    pub retry: RetryPolicy,
    /// Where it computes, if that matters.
    pub device: Option<Device>,
    /// Asked at each renewal of the worker's key what the driver of its device says.
    pub device_gauge: Option<DeviceGauge>,
    /// True where the credential allows housekeeping.
    pub housekeeping: bool,
    /// Queries that it answers in addition to `health`.
    pub endpoints: Vec<Endpoint>,
    /// Where it says that it lives, for whoever watches the process.
    pub vitals: Vitals,
    /// Decides where it dies: in tests only.
    pub probe: Arc<dyn Probe>,
}

impl WorkerOptions {
    /// One slot on the lanes that every worker may serve; 20 s to stop.
    pub fn new(service: Service) -> Self {
        let drain_timeout = Duration::from_secs(20);

        Self {
            service,
            about: "",
            lanes: vec![Lane::Default, Lane::Background],
            slots: 1,
            live_steps_max: 0,
            priority: 0,
            drain_timeout,
            retry: RetryPolicy::default(),
            device: None,
            device_gauge: None,
            housekeeping: false,
            endpoints: Vec::new(),
            vitals: Vitals::default(),
            probe: Arc::new(NeverDies),
        }
    }
}

/// Why a worker could not start, or ended in the middle.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A stream differs, the connection failed, or the worker could not be announced.
    #[error("the worker cannot use the bus")]
    Bus(#[from] BusError),
    /// The system gives no thread for signs of life.
    #[error("the worker cannot start its thread for signs of life")]
    Thread(#[source] std::io::Error),
    /// Steps did not stop in time; their messages come back to other workers by themselves.
    #[error("{0} running steps did not stop in time; other workers will take them over")]
    DrainTimeout(usize),
    /// A test's probe killed it.
    #[error("killed by the probe")]
    Killed,
}

impl WorkerError {
    /// What to do next.
    pub fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Bus(error) => error.hint(),
            Self::Thread(_) => "the host may be out of threads or memory".into(),
            Self::DrainTimeout(_) => "give it more time with --set drain_timeout=60s".into(),
            Self::Killed => "".into(),
        }
    }
}

/// A new id for this process.
pub fn worker_id(service: Service) -> WorkerId {
    WorkerId::new(service, &host_name(), std::process::id(), rand::random())
}

/// Serves `handler` until `shutdown` becomes true, then drains. Running steps are asked to stop;
/// they are handed to other workers.
///
/// # Errors
/// The bus cannot be used, steps did not stop within the drain timeout, or a test's probe killed
/// the worker.
pub async fn serve<H: StepHandler>(
    bus: Bus,
    store: Store,
    handler: H,
    options: WorkerOptions,
    shutdown: watch::Receiver<bool>,
) -> Result<(), WorkerError> {
    let topology = Topology::declare(bus.profile(), TopologyOptions::default());
    bus.check(&topology).await?;

    // Announced before it takes its first step, or its claim would look like that of a dead worker.
    let announced = Announced::start(&bus, &store, &options).await?;
    let mut slots = start_slots(&bus, store, handler, &options, &shutdown, &announced).await?;
    tracing::info!(
        worker = %announced.worker,
        service = %options.service,
        slots = options.slots,
        "worker ready"
    );

    // Its queues are open: from now on it may be called ready.
    let vitals = &options.vitals;
    vitals.watch(announced.conditions.clone());
    match wait_for_end(&bus, shutdown, &announced, &mut slots, vitals).await? {
        End::Killed => Err(WorkerError::Killed),
        End::Requested => {
            let still_running = drain(&mut slots, options.drain_timeout).await;
            announced.presence.sign_off(&bus).await;
            match still_running {
                0 => Ok(()),
                count => Err(WorkerError::DrainTimeout(count)),
            }
        }
    }
}

/// A worker that others can see: its key, its signs of life, its endpoints. Dropped, it falls
/// silent.
struct Announced {
    worker: WorkerId,
    current: CurrentSteps,
    draining: watch::Sender<bool>,
    faults: Arc<HostFaults>,
    health: Health,
    conditions: Arc<Conditions>,
    presence: Presence,
    renewals: Renewals,
    _renewing: AbortOnDropHandle<()>,
    _housekeeper: Option<AbortOnDropHandle<()>>,
    _answering: Answers,
}

impl Announced {
    async fn start(bus: &Bus, store: &Store, options: &WorkerOptions) -> Result<Self, WorkerError> {
        let worker = worker_id(options.service);
        let current = CurrentSteps::new();
        let draining = watch::Sender::new(false);
        let faults = Arc::new(HostFaults::new());
        let health = Health::default();

        let info = worker_info(&worker, options);
        bus.workers().announce(&info).await?;
        let conditions = Conditions::new(Surroundings {
            bus: bus.clone(),
            store: store.clone(),
            service: options.service,
            lanes: options.lanes.clone(),
            slots: options.slots,
            current: current.clone(),
            host_fault: faults.verdict(),
            draining: draining.subscribe(),
        });
        let changes = PresenceChanges::of(&conditions, GaugeReader::of(options));
        let presence = Presence::start(bus, info.clone(), changes).map_err(WorkerError::Thread)?;

        let renewals = Renewals::default();
        let renewing = tokio::spawn(renewals.clone().run(bus.clone(), STALL));

        let housekeeper = options.housekeeping.then(|| {
            let stop = draining.subscribe();
            spawn_housekeeper(bus, store, &worker, stop)
        });
        let health_endpoint = health.clone().endpoint(info, conditions.clone());
        let answering = answer_queries(bus, &worker, options, health_endpoint).await?;

        Ok(Self {
            worker,
            current,
            draining,
            faults,
            health,
            conditions,
            presence,
            renewals,
            _renewing: AbortOnDropHandle::new(renewing),
            _housekeeper: housekeeper,
            _answering: answering,
        })
    }
}

/// Does the housekeeping; a draining worker leaves the lease to another one.
fn spawn_housekeeper(
    bus: &Bus,
    store: &Store,
    worker: &WorkerId,
    stop: watch::Receiver<bool>,
) -> AbortOnDropHandle<()> {
    let housekeeper = run_housekeeper(bus.clone(), store.clone(), worker.to_string(), stop);
    AbortOnDropHandle::new(tokio::spawn(housekeeper))
}

/// Answers the service's own queries and `health`.
async fn answer_queries(
    bus: &Bus,
    worker: &WorkerId,
    options: &WorkerOptions,
    health: Endpoint,
) -> Result<Answers, BusError> {
    let own_endpoints = options.endpoints.iter().cloned();
    let endpoints = std::iter::once(health).chain(own_endpoints).collect();

    let services = bus.services();
    services
        .answer(description(worker, options), endpoints)
        .await
}

async fn start_slots<H: StepHandler>(
    bus: &Bus,
    store: Store,
    handler: H,
    options: &WorkerOptions,
    shutdown: &watch::Receiver<bool>,
    announced: &Announced,
) -> Result<JoinSet<SlotEnd>, BusError> {
    // The records as well, so that the first command does not wait for them.
    bus.operations().open().await?;
    let queues = bus
        .commands()
        .open_queues(options.service, &options.lanes, options.priority)
        .await?;
    let worker = worker_context(bus, store, options, shutdown, announced);
    let handler = Arc::new(handler);
    let deliveries = Arc::new(DeliveryHandler {
        worker: worker.clone(),
        handler: handler.clone(),
    });

    // The same queues for all slots, each of which asks for one message at a time.
    let mut slots = JoinSet::new();
    for _ in 0..options.slots {
        slots.spawn(serve_slot(
            deliveries.clone(),
            queues.slot(),
            announced.draining.subscribe(),
        ));
    }

    if options.live_steps_max > 0 {
        let queue = bus
            .commands()
            .open_queues(options.service, &[Lane::Live], options.priority)
            .await?;
        // A drain is not held up by a step that goes on for days: another worker takes it over.
        let draining = announced.draining.subscribe();
        let worker = WorkerContext {
            shutdown: draining.clone(),
            ..worker
        };
        let deliveries = Arc::new(DeliveryHandler { worker, handler });
        let steps_max = options.live_steps_max;
        slots.spawn(serve_live(deliveries, queue.slot(), draining, steps_max));
    }
    Ok(slots)
}

/// What the deliveries of this worker share.
fn worker_context(
    bus: &Bus,
    store: Store,
    options: &WorkerOptions,
    shutdown: &watch::Receiver<bool>,
    announced: &Announced,
) -> WorkerContext {
    WorkerContext {
        bus: bus.clone(),
        store,
        id: announced.worker.clone(),
        service: options.service,
        shutdown: shutdown.clone(),
        current: announced.current.clone(),
        faults: announced.faults.clone(),
        health: announced.health.clone(),
        device: device_kind(options),
        probe: options.probe.clone(),
        renewals: announced.renewals.clone(),
        retry: options.retry,
    }
}

/// Why a worker stops to take steps.
enum End {
    /// Shutdown, or a drain request after which its slots have finished.
    Requested,
    /// A test's probe killed it.
    Killed,
}

async fn wait_for_end(
    bus: &Bus,
    mut shutdown: watch::Receiver<bool>,
    announced: &Announced,
    slots: &mut JoinSet<SlotEnd>,
    vitals: &Vitals,
) -> Result<End, BusError> {
    let mut drain_requests = bus.workers().watch_drain(&announced.worker).await?;
    let mut verdict = announced.faults.verdict();
    let mut is_asked_to_drain = false;
    let mut turns = unhurried_ticks(TURN);

    loop {
        vitals.turn();
        tokio::select! {
            _ = turns.tick() => continue,
            () = shutdown_requested(&mut shutdown) => break,
            Some(_) = drain_requests.next() => {
                tracing::info!("asked to drain: finishing what runs, taking nothing new");
                announced.draining.send_replace(true);
                is_asked_to_drain = true;
            }
            // It stays, and takes nothing new: a supervisor would only start it once more.
            Ok(()) = verdict.changed() => {
                let reason = verdict.borrow().clone().unwrap_or_default();
                tracing::error!(reason, "this host seems to be at fault: taking nothing new");
                announced.draining.send_replace(true);
            }
            Some(ended) = slots.join_next() => {
                if let Ok(SlotEnd::Killed) = ended {
                    return Ok(End::Killed);
                }
            }
        }

        // All slots have finished what they had.
        let is_degraded = verdict.borrow().is_some();
        if slots.is_empty() && (is_asked_to_drain || !is_degraded) {
            break;
        }
    }

    announced.draining.send_replace(true);
    Ok(End::Requested)
}

/// Waits for running steps; returns the number of slots that did not stop in time.
async fn drain(slots: &mut JoinSet<SlotEnd>, drain_timeout: Duration) -> usize {
    let all_ended = async { while slots.join_next().await.is_some() {} };

    match timeout(drain_timeout, all_ended).await {
        Ok(()) => 0,
        Err(_) => slots.len(),
    }
}

/// Why a slot takes no more steps.
enum SlotEnd {
    /// The worker drains.
    Drained,
    /// A test's probe killed the worker.
    Killed,
}

/// One slot: takes a step, finishes it, takes the next.
async fn serve_slot<H: StepHandler>(
    deliveries: Arc<DeliveryHandler<H>>,
    mut queues: Slot,
    mut stop: watch::Receiver<bool>,
) -> SlotEnd {
    // Exactly one message per slot: what a worker cannot begin stays on the queue for others.
    while let Some(delivered) = queues.next(&mut stop).await {
        if let SlotEnd::Killed = handle_delivery(&deliveries, delivered).await {
            return SlotEnd::Killed;
        }
    }

    SlotEnd::Drained
}

/// Handles a delivery to its end, or leaves it unanswered.
async fn handle_delivery<H: StepHandler>(
    deliveries: &DeliveryHandler<H>,
    delivered: Delivered,
) -> SlotEnd {
    match deliveries.handle(&delivered).await {
        Ok(()) => {}
        Err(Unanswered::Killed) => return SlotEnd::Killed,
        // Unanswered on purpose: it comes back after `ack_wait`, when the bus may be there again.
        Err(error) => tracing::error!(
            subject = delivered.subject(),
            error = %chain(&error),
            "delivery left unanswered"
        ),
    }

    SlotEnd::Drained
}

/// The lane of steps that wait most of the time: it takes one after the other and works on all of
/// them at once, up to `steps_max`.
async fn serve_live<H: StepHandler>(
    deliveries: Arc<DeliveryHandler<H>>,
    mut queue: Slot,
    mut stop: watch::Receiver<bool>,
    steps_max: usize,
) -> SlotEnd {
    let mut steps = JoinSet::new();

    while let Some(delivered) = next_beside(&mut queue, &mut stop, &mut steps).await {
        let deliveries = deliveries.clone();
        steps.spawn(async move { handle_delivery(&deliveries, delivered).await });

        while steps.len() >= steps_max {
            if let Some(Ok(SlotEnd::Killed)) = steps.join_next().await {
                return SlotEnd::Killed;
            }
        }
    }

    while let Some(ended) = steps.join_next().await {
        if let Ok(SlotEnd::Killed) = ended {
            return SlotEnd::Killed;
        }
    }
    SlotEnd::Drained
}

/// Waits for the next message while steps are worked on; `None` once `stop` is true, or when a
/// test's probe has killed the worker in one of the steps.
async fn next_beside(
    queue: &mut Slot,
    stop: &mut watch::Receiver<bool>,
    steps: &mut JoinSet<SlotEnd>,
) -> Option<Delivered> {
    // Dropping a pull would lose its message for a while, so that only the end of all does it.
    let mut next = std::pin::pin!(queue.next(stop));

    loop {
        tokio::select! {
            delivered = &mut next => return delivered,
            Some(ended) = steps.join_next() => {
                if let Ok(SlotEnd::Killed) = ended {
                    steps.spawn(async { SlotEnd::Killed });
                    return None;
                }
            }
        }
    }
}

/// The name of this host; empty when it has none that can be written.
fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default()
}

/// Processor cores that this process may use; 0 if the system does not say.
fn core_count() -> u16 {
    std::thread::available_parallelism()
        .map_or(0, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX))
}

/// Memory of this host in bytes; 0 if the system does not say.
fn host_memory_bytes() -> u64 {
    #[cfg(target_os = "linux")]
    return nix::sys::sysinfo::sysinfo().map_or(0, |host| host.ram_total());
    #[cfg(not(target_os = "linux"))]
    0
}

/// `cpu` or `cuda`; `none` for a service whose device does not matter.
fn device_kind(options: &WorkerOptions) -> String {
    match &options.device {
        Some(device) => device.kind.clone(),
        None => "none".to_owned(),
    }
}

/// The key of a worker that has no step yet.
fn worker_info(worker: &WorkerId, options: &WorkerOptions) -> WorkerInfo {
    let version = env!("CARGO_PKG_VERSION").to_owned();

    WorkerInfo {
        v: 1,
        worker: worker.clone(),
        service: options.service,
        lanes: all_lanes(options),
        host: host_name(),
        pid: std::process::id(),
        version,
        started_at: Timestamp::now(),
        slots: options.slots,
        current: Vec::new(),
        live: 0,
        device: options.device.clone(),
        cores: core_count(),
        memory_bytes: host_memory_bytes(),
        degraded: None,
        draining: false,
    }
}

/// The lanes of its slots, and the one that needs none.
fn all_lanes(options: &WorkerOptions) -> Vec<Lane> {
    let mut lanes = options.lanes.clone();
    if options.live_steps_max > 0 {
        lanes.push(Lane::Live);
    }
    lanes
}

fn join_lanes(lanes: &[Lane]) -> String {
    let lanes: Vec<&str> = lanes.iter().map(|lane| lane.as_str()).collect();
    lanes.join(",")
}

fn description(worker: &WorkerId, options: &WorkerOptions) -> ServiceDescription {
    ServiceDescription {
        service: options.service,
        about: options.about,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        metadata: [
            ("worker", worker.to_string()),
            ("slots", options.slots.to_string()),
            ("lanes", join_lanes(&all_lanes(options))),
            ("variables", variable_prefix(options.service)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into(),
    }
}
