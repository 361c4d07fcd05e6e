//! The worker process: connect, check, announce itself, take one step per free slot, drain, leave.

use std::sync::Arc;
use std::time::Duration;

use bus::topology::{Topology, TopologyOptions};
use bus::{Bus, BusError, Endpoint, Profile, Queue, ServiceDescription};
use jiff::Timestamp;
use schemas::ids::{Lane, Service, WorkerId};
use schemas::progress::Device;
use schemas::worker::WorkerInfo;
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::attempt::{Left, Shared};
use crate::handler::StepHandler;
use crate::housekeeping::keep_house;
use crate::presence::{Current, SIGN_OFF_TIMEOUT, SignsOfLife, announce_presence};
use crate::probe::{NeverDies, Probe};

/// A step that reports nothing for this long is not renewed any more: another worker takes it over.
const STALL: Duration = Duration::from_secs(600);

/// What a worker process is told.
pub struct WorkerOptions {
    /// What it serves.
    pub service: Service,
    /// One line for `nats micro ls`.
    pub about: &'static str,
    /// The clocks of the system, the same in all its processes.
    pub profile: Profile,
    /// The queue it takes from.
    pub lane: Lane,
    /// Steps it takes at a time.
    pub slots: u16,
    /// Order among workers of a prioritized queue, 0 first.
    pub priority: usize,
    /// How long running steps may take to stop once the process is told to.
    pub drain_timeout: Duration,
    /// Where it computes, if that matters.
    pub device: Option<Device>,
    /// True where the credential allows housekeeping.
    pub housekeeping: bool,
    /// Queries it answers beside `health`.
    pub endpoints: Vec<Endpoint>,
    /// Tests only: where it dies.
    pub probe: Arc<dyn Probe>,
}

impl WorkerOptions {
    /// One slot on the default lane.
    pub fn new(service: Service, profile: Profile) -> Self {
        Self {
            service,
            about: "",
            profile,
            lane: Lane::Default,
            slots: 1,
            priority: 0,
            drain_timeout: Duration::from_secs(20),
            device: None,
            housekeeping: false,
            endpoints: Vec::new(),
            probe: Arc::new(NeverDies),
        }
    }
}

/// Why a worker could not start, or ended in the middle.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Streams, connection, presence.
    #[error("the worker cannot use the bus")]
    Bus(#[from] BusError),
    /// The thread for signs of life.
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
    pub fn hint(&self) -> &str {
        match self {
            Self::Bus(error) => error.hint(),
            Self::Thread(_) => "the host may be out of threads or memory",
            Self::DrainTimeout(_) => "give it more time with --set drain_timeout=60s",
            Self::Killed => "",
        }
    }
}

/// A new id for this process.
pub fn worker_id(service: Service) -> WorkerId {
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default();
    WorkerId::new(service, &host, std::process::id(), rand::random())
}

/// Serves `handler` until `shutdown` becomes true, then drains. Running steps are asked to stop;
/// they are handed to other workers.
pub async fn serve<H: StepHandler>(
    bus: Bus,
    store: Store,
    handler: H,
    options: WorkerOptions,
    shutdown: watch::Receiver<bool>,
) -> Result<(), WorkerError> {
    bus.check(&Topology::declare(
        options.profile,
        TopologyOptions::default(),
    ))
    .await?;
    let worker = worker_id(options.service);
    let current = Current::new();
    let draining = watch::Sender::new(false);
    let info = worker_info(&worker, &options);
    bus.put_worker(&info).await?;
    let signs = SignsOfLife::start(bus.clone(), worker.clone()).map_err(WorkerError::Thread)?;
    let presence = announce_presence(bus.clone(), info, current.clone(), draining.subscribe());
    let presence = AbortOnDropHandle::new(tokio::spawn(presence));
    let _house = options.housekeeping.then(|| {
        AbortOnDropHandle::new(tokio::spawn(keep_house(
            bus.clone(),
            worker.to_string(),
            draining.subscribe(),
        )))
    });
    let _answering = bus
        .answer(
            description(&worker, &options),
            endpoints(&options, &current),
        )
        .await?;
    let queue = Arc::new(
        bus.queue(options.service, options.lane, options.priority)
            .await?,
    );
    let shared = Arc::new(Shared {
        bus: bus.clone(),
        store,
        worker: worker.clone(),
        service: options.service,
        handler: Arc::new(handler),
        shutdown: shutdown.clone(),
        current,
        probe: options.probe.clone(),
        stall: STALL,
    });
    tracing::info!(%worker, service = %options.service, slots = options.slots, "worker ready");
    let mut slots = JoinSet::new();
    for _ in 0..options.slots {
        slots.spawn(slot(shared.clone(), queue.clone(), draining.subscribe()));
    }
    let killed = wait(&bus, &worker, shutdown.clone(), &draining, &mut slots).await?;
    if killed {
        return Err(WorkerError::Killed);
    }
    let left = drain(&mut slots, options.drain_timeout).await;
    // Ended before the key goes, or a renewal under way would bring it back.
    presence.abort();
    drop(presence.await);
    drop(signs);
    if tokio::time::timeout(SIGN_OFF_TIMEOUT, bus.remove_worker(&worker))
        .await
        .is_err()
    {
        tracing::debug!("not signed off, the key expires by itself");
    }
    drop(bus.flush().await);
    if left > 0 {
        Err(WorkerError::DrainTimeout(left))
    } else {
        Ok(())
    }
}

/// Until shutdown, a drain request, or a probe: `true` when killed.
async fn wait(
    bus: &Bus,
    worker: &WorkerId,
    mut shutdown: watch::Receiver<bool>,
    draining: &watch::Sender<bool>,
    slots: &mut JoinSet<bool>,
) -> Result<bool, BusError> {
    let mut drain_requests = bus.watch_drain(worker).await?;
    loop {
        tokio::select! {
            _ = shutdown.wait_for(|shutdown| *shutdown) => break,
            Some(()) = drain_requests.next() => {
                tracing::info!("asked to drain: finishing what runs, taking nothing new");
                draining.send_replace(true);
            }
            ended = slots.join_next() => match ended {
                Some(Ok(true)) => return Ok(true),
                Some(_) => {}
                None => break,
            },
        }
    }
    draining.send_replace(true);
    Ok(false)
}

/// Waits for running steps; returns how many did not stop.
async fn drain(slots: &mut JoinSet<bool>, timeout: Duration) -> usize {
    let all = async { while slots.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout, all).await.is_err() {
        return slots.len();
    }
    0
}

/// One slot: take a step, finish it, take the next. `true` when a probe killed the worker.
async fn slot<H: StepHandler>(
    shared: Arc<Shared<H>>,
    queue: Arc<Queue>,
    mut stop: watch::Receiver<bool>,
) -> bool {
    while let Some(delivered) = queue.next(&mut stop).await {
        match shared.handle(&delivered).await {
            Ok(()) => {}
            Err(Left::Killed) => return true,
            // Unanswered on purpose: it comes back after `ack_wait`, when the bus may be there
            // again.
            Err(error) => {
                let subject = delivered.subject();
                tracing::error!(subject, error = %schemas::errors::chain(&error), "delivery left unanswered");
            }
        }
    }
    false
}

fn worker_info(worker: &WorkerId, options: &WorkerOptions) -> WorkerInfo {
    WorkerInfo {
        v: 1,
        worker: worker.clone(),
        service: options.service,
        lanes: vec![options.lane],
        host: nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .unwrap_or_default(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Timestamp::now(),
        slots: options.slots,
        current: Vec::new(),
        device: options.device.clone(),
        draining: false,
    }
}

fn description(worker: &WorkerId, options: &WorkerOptions) -> ServiceDescription {
    ServiceDescription {
        service: options.service,
        about: options.about,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        metadata: [
            ("worker", worker.to_string()),
            ("slots", options.slots.to_string()),
            ("lane", options.lane.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into(),
    }
}

/// The service's own queries and `health`: a JSON object that says what the process does now.
fn endpoints(options: &WorkerOptions, current: &Current) -> Vec<Endpoint> {
    let (current, service, started_at) = (current.clone(), options.service, Timestamp::now());
    let health = Endpoint::new("health", move |_| {
        let current = current.clone();
        async move {
            let body = serde_json::json!({
                "status": "healthy",
                "service": service,
                "started_at": started_at,
                "current": current.operations(),
            });
            Ok(body.to_string().into_bytes())
        }
    });
    std::iter::once(health)
        .chain(options.endpoints.iter().cloned())
        .collect()
}
