//! A worker shows that it is there: a key that expires without it, and a sign of life each second
//! from its own thread.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bus::Bus;
use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::worker::WorkerInfo;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// Steps a worker works on now; every change renews the worker's key.
#[derive(Clone, Debug)]
pub(crate) struct Current(Arc<watch::Sender<BTreeSet<(OperationId, StepNumber)>>>);

impl Current {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::new())))
    }

    pub(crate) fn add(&self, op: &OperationId, step: StepNumber) {
        self.0
            .send_if_modified(|current| current.insert((op.clone(), step)));
    }

    pub(crate) fn remove(&self, op: &OperationId, step: StepNumber) {
        self.0
            .send_if_modified(|current| current.remove(&(op.clone(), step)));
    }

    pub(crate) fn works_on(&self, op: &OperationId, step: StepNumber) -> bool {
        self.0.borrow().contains(&(op.clone(), step))
    }

    pub(crate) fn changes(&self) -> watch::Receiver<BTreeSet<(OperationId, StepNumber)>> {
        self.0.subscribe()
    }

    pub(crate) fn operations(&self) -> Vec<OperationId> {
        let mut operations: Vec<OperationId> =
            self.0.borrow().iter().map(|(op, _)| op.clone()).collect();
        operations.dedup();
        operations
    }
}

/// Keeps the worker's key alive until it is dropped: renewed at a third of its life and at every
/// change.
pub(crate) async fn announce_presence(
    bus: Bus,
    info: WorkerInfo,
    current: Current,
    draining: watch::Receiver<bool>,
) {
    let mut changed = current.changes();
    let mut draining_changed = draining.clone();
    let mut renew = interval(bus.timing().worker_ttl / 3);
    renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = renew.tick() => {}
            Ok(()) = changed.changed() => {}
            Ok(()) = draining_changed.changed() => {}
        }
        let now = WorkerInfo {
            current: current.operations(),
            draining: *draining.borrow(),
            ..info.clone()
        };
        if let Err(error) = bus.put_worker(&now).await {
            tracing::warn!(error = %error, "worker key not renewed");
        }
    }
}

/// Signs of life from a thread of its own, so that a busy executor does not look like a dead
/// process.
pub(crate) struct SignsOfLife(Option<mpsc::Sender<()>>);

impl SignsOfLife {
    /// Starts the thread; it ends when this value is dropped.
    pub(crate) fn start(bus: Bus, worker: WorkerId) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let (executor, every) = (Handle::current(), bus.timing().alive);
        let beat = move || {
            let once = || async {
                // While the client is disconnected its buffer may be full: the next beat comes
                // anyway.
                drop(tokio::time::timeout(every, bus.publish_alive(&worker)).await);
            };
            executor.block_on(once());
            while stopped.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                executor.block_on(once());
            }
        };
        std::thread::Builder::new()
            .name("alive".to_owned())
            .spawn(beat)?;
        Ok(Self(Some(stop)))
    }
}

impl Drop for SignsOfLife {
    fn drop(&mut self) {
        self.0.take();
    }
}

/// How long a sign-off may take.
pub(crate) const SIGN_OFF_TIMEOUT: Duration = Duration::from_secs(2);
