//! What all deliveries of one worker share: its connections, its identity and its limits.

use std::sync::Arc;

use bus::{Bus, BusError, ChangeError, ResumeError};
use schemas::ids::{Service, WorkerId};
use schemas::retries::RetryPolicy;
use store::Store;
use tokio::sync::watch;

use crate::health::Health;
use crate::host_faults::HostFaults;
use crate::presence::CurrentSteps;
use crate::probe::{Moment, Probe};
use crate::renewals::Renewals;
use crate::unheld::UnheldError;

/// One worker process, as its slots see it.
#[derive(Clone)]
pub(crate) struct WorkerContext {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) id: WorkerId,
    pub(crate) service: Service,
    /// Becomes true when the process is asked to end.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// The steps that its slots work on now.
    pub(crate) current: CurrentSteps,
    /// How attempts of this worker ended, as far as that speaks of its host.
    pub(crate) faults: Arc<HostFaults>,
    /// How the last attempts of this worker ended, for whoever asks for its health.
    pub(crate) health: Health,
    /// Kind of the device that it computes on, such as `cpu`; `none` where that does not matter.
    pub(crate) device: String,
    pub(crate) probe: Arc<dyn Probe>,
    /// The deliveries that its slots work on now.
    pub(crate) renewals: Renewals,
    /// When a step that failed for now is tried again.
    pub(crate) retry: RetryPolicy,
}

/// Why a delivery was left unanswered: its message comes back after `ack_wait`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The server could not be reached for long.
    #[error("the bus is not reachable")]
    Bus(#[from] BusError),
    /// The record could not be changed for long.
    #[error("the record is not reachable")]
    Record(#[from] ChangeError),
    /// The children of a cancelled operation could not be cancelled.
    #[error("the children could not be cancelled")]
    Children(#[from] UnheldError),
    /// A new submission could not be written.
    #[error("what follows could not be put on its queue")]
    Requeue(#[from] ResumeError),
    /// The test's probe killed the worker.
    #[error("killed by the probe")]
    Killed,
}

impl WorkerContext {
    /// Ends the worker here, without any cleaning up, if a test wants it dead at `moment`.
    pub(crate) fn die_if_probed(&self, moment: Moment) -> Result<(), Unanswered> {
        if self.probe.dies_at(moment) {
            Err(Unanswered::Killed)
        } else {
            Ok(())
        }
    }
}
