//! A worker shows that it is there: a key that expires without it, and signs of life with their
//! times from a thread of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bus::Bus;
use schemas::ids::{Lane, OperationId, StepNumber, WorkerId};
use schemas::worker::{SignOfLife, WorkerInfo};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::conditions::{Conditions, describe};
use crate::device_gauge::GaugeReader;
use crate::ticks::unhurried_ticks;

/// How long a worker may take to remove its key when it leaves; the key expires by itself anyway.
const SIGN_OFF_TIMEOUT: Duration = Duration::from_secs(2);

/// The conditions of a worker are looked at this often, also when nobody asks.
const LOOK_PERIOD: Duration = Duration::from_secs(30);

/// The lane of each step that a worker works on.
type LaneOfSteps = BTreeMap<(OperationId, StepNumber), Lane>;

/// Steps a worker works on now; every change renews the worker's key.
#[derive(Clone, Debug)]
pub(crate) struct CurrentSteps(Arc<watch::Sender<LaneOfSteps>>);

impl CurrentSteps {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(LaneOfSteps::new())))
    }

    pub(crate) fn add(&self, op: &OperationId, step: StepNumber, lane: Lane) {
        self.0
            .send_if_modified(|current| current.insert((op.clone(), step), lane).is_none());
    }

    pub(crate) fn remove(&self, op: &OperationId, step: StepNumber) {
        self.0
            .send_if_modified(|current| current.remove(&(op.clone(), step)).is_some());
    }

    pub(crate) fn contains(&self, op: &OperationId, step: StepNumber) -> bool {
        self.0.borrow().contains_key(&(op.clone(), step))
    }

    /// Number of the steps that take a slot.
    pub(crate) fn count(&self) -> usize {
        let current = self.0.borrow();
        current.values().filter(|lane| **lane != Lane::Live).count()
    }

    fn changes(&self) -> watch::Receiver<LaneOfSteps> {
        self.0.subscribe()
    }

    /// Each operation once, in the order of their ids.
    pub(crate) fn operations(&self) -> Vec<OperationId> {
        let mut operations: Vec<OperationId> =
            self.0.borrow().keys().map(|(op, _)| op.clone()).collect();
        operations.dedup();
        operations
    }

    /// Number of the steps that take no slot.
    fn live(&self) -> u16 {
        let current = self.0.borrow();
        let live = current.values().filter(|lane| **lane == Lane::Live);
        u16::try_from(live.count()).unwrap_or(u16::MAX)
    }
}

/// What changes in a worker's key during its life.
pub(crate) struct PresenceChanges {
    current: CurrentSteps,
    draining: watch::Receiver<bool>,
    degraded: watch::Receiver<Option<String>>,
    /// What else the worker cannot use, as the last look found it.
    conditions: Arc<Conditions>,
    /// Asked at each renewal, which makes it no clock of its own.
    gauge: GaugeReader,
}

impl PresenceChanges {
    pub(crate) fn of(conditions: &Arc<Conditions>, gauge: GaugeReader) -> Self {
        let around = &conditions.surroundings;

        Self {
            current: around.current.clone(),
            draining: around.draining.clone(),
            degraded: around.host_fault.clone(),
            conditions: conditions.clone(),
            gauge,
        }
    }

    /// Its host comes first: with that fault it takes nothing new.
    fn why_degraded(&self) -> Option<String> {
        let host_fault = self.degraded.borrow().clone();
        host_fault.or_else(|| describe(&self.conditions.last()))
    }
}

/// The signs that one worker gives, from its start to its sign-off.
pub(crate) struct Presence {
    worker: WorkerId,
    renewals: AbortOnDropHandle<()>,
    signs_of_life: SignsOfLife,
}

impl Presence {
    /// Renews the key of `info`, which is put already, and shows life until the sign-off. A value
    /// that is dropped falls silent, as a killed process does.
    pub(crate) fn start(
        bus: &Bus,
        info: WorkerInfo,
        changes: PresenceChanges,
    ) -> std::io::Result<Self> {
        let worker = info.worker.clone();
        let signs_of_life = SignsOfLife::start(bus.clone(), worker.clone())?;
        let renewals = renew_key(bus.clone(), info, changes);

        Ok(Self {
            worker,
            renewals: AbortOnDropHandle::new(tokio::spawn(renewals)),
            signs_of_life,
        })
    }

    /// Removes the key, so that nobody has to wait until it expires.
    pub(crate) async fn sign_off(self, bus: &Bus) {
        let Self {
            worker,
            renewals,
            signs_of_life,
        } = self;

        // Ended before the key goes, or a renewal under way would bring it back. The error is the
        // cancellation itself.
        renewals.abort();
        let _ = renewals.await;
        drop(signs_of_life);

        if timeout(SIGN_OFF_TIMEOUT, bus.workers().sign_off(&worker))
            .await
            .is_err()
        {
            tracing::debug!("not signed off, the key expires by itself");
        }
        if let Err(error) = bus.flush().await {
            tracing::debug!(error = %error, "last messages not flushed");
        }
    }
}

/// Keeps the worker's key alive: renewed at a third of its life and at every change.
async fn renew_key(bus: Bus, info: WorkerInfo, mut changes: PresenceChanges) {
    let mut current_changes = changes.current.changes();
    let mut renewals = unhurried_ticks(bus.timing().worker_ttl / 3);

    loop {
        tokio::select! {
            _ = renewals.tick() => {}
            Ok(()) = current_changes.changed() => {}
            Ok(()) = changes.draining.changed() => {}
            Ok(()) = changes.degraded.changed() => {}
        }

        // In a task of its own: a store that is away must not keep the key from being renewed.
        let conditions = changes.conditions.clone();
        tokio::spawn(async move { conditions.refresh(LOOK_PERIOD).await });
        let device = changes.gauge.measure(info.device.clone()).await;
        // Put as a whole each time: the key expires at a fixed age after its last write.
        let info_now = WorkerInfo {
            current: changes.current.operations(),
            live: changes.current.live(),
            draining: *changes.draining.borrow(),
            degraded: changes.why_degraded(),
            device,
            ..info.clone()
        };
        if let Err(error) = bus.workers().announce(&info_now).await {
            tracing::warn!(error = %error, "worker key not renewed");
        }
    }
}

/// Signs of life from a thread of its own, so that a busy executor does not look like a dead
/// process.
struct SignsOfLife {
    /// Dropping it ends the thread.
    _stop: mpsc::Sender<()>,
}

impl SignsOfLife {
    /// Starts the thread; it ends when this value is dropped.
    fn start(bus: Bus, worker: WorkerId) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let executor = Handle::current();
        let period = bus.timing().alive;
        let started = Instant::now();

        std::thread::Builder::new()
            .name("alive".to_owned())
            .spawn(move || {
                for seq in 1.. {
                    let sign = sign_of_life(seq, started);
                    executor.block_on(show_life(&bus, &worker, &sign));
                    if stopped.recv_timeout(period) != Err(mpsc::RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            })?;

        Ok(Self { _stop: stop })
    }
}

/// The sign of a process that began to give signs at `started`.
pub(crate) fn sign_of_life(seq: u64, started: Instant) -> SignOfLife {
    let sent_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);

    SignOfLife { v: 1, seq, sent_ms }
}

async fn show_life(bus: &Bus, worker: &WorkerId, sign: &SignOfLife) {
    // While the client is disconnected its buffer may be full. A sign that is lost does no harm:
    // the next one comes anyway.
    let sent = bus.workers().send_sign_of_life(worker, sign);
    let _ = timeout(bus.timing().alive, sent).await;
}
