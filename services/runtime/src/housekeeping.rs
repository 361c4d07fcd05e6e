//! Housekeeping: whoever holds the lease takes steps from silent workers, cancels what nobody
//! holds, and concludes what was left half-done.
//!
//! It acts by compare-and-set only, so a second housekeeper would do no harm; the lease saves work.

mod silent_workers;
mod sweep;
mod unheld_cancels;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bus::{Bus, BusError, ChangeError, Lease, ResumeError};
use futures::StreamExt;
use schemas::errors::chain;
use schemas::ids::{OperationId, WorkerId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ticks::unhurried_ticks;
use crate::unheld::UnheldError;

/// The lease of the one active housekeeper.
const LEASE: &str = "housekeeping";
/// The lease is asked for, and renewed, this many times in its life.
const LEASE_RENEWALS: u32 = 3;

/// Why a round did not finish; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the bus is not reachable")]
    Bus(#[from] BusError),
    #[error("a record was not changed")]
    Change(#[from] ChangeError),
    #[error("a step was not put on its queue again")]
    Requeue(#[from] ResumeError),
    #[error("an operation was not cancelled or concluded")]
    Unheld(#[from] UnheldError),
}

/// Does the housekeeping whenever it gets the lease, until `stop` is true.
pub async fn run_housekeeper(bus: Bus, owner: String, mut stop: watch::Receiver<bool>) {
    let mut asks = unhurried_ticks(bus.timing().lease_ttl / LEASE_RENEWALS);

    loop {
        tokio::select! {
            _ = asks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }

        match bus.leases().acquire(LEASE, &owner).await {
            Ok(Some(lease)) => keep_house_with(&bus, lease, &mut stop).await,
            // Somebody else has it.
            Ok(None) => {}
            Err(error) => tracing::debug!(error = %error, "lease not asked for, trying again"),
        }
    }
}

/// Does the housekeeping until the lease is lost or `stop` is true.
async fn keep_house_with(bus: &Bus, mut lease: Lease, stop: &mut watch::Receiver<bool>) {
    tracing::info!("doing the housekeeping");
    let mut housekeeper = Housekeeper::new(bus.clone());
    tokio::select! {
        () = renew_until_lost(bus, &mut lease) => {}
        () = housekeeper.work() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }

    if let Err(error) = bus.leases().release(lease).await {
        tracing::debug!(error = %error, "lease not released, it expires by itself");
    }
}

async fn renew_until_lost(bus: &Bus, lease: &mut Lease) {
    let lease_ttl = bus.timing().lease_ttl;
    let mut renewals = unhurried_ticks(lease_ttl / LEASE_RENEWALS);
    let mut renewed_at = Instant::now();

    loop {
        renewals.tick().await;
        match bus.leases().renew(lease).await {
            Ok(true) => renewed_at = Instant::now(),
            Ok(false) => return,
            // Not renewed for its whole life: it has expired, whatever the server would say.
            Err(error) if renewed_at.elapsed() > lease_ttl => {
                tracing::warn!(error = %error, "lease lost");
                return;
            }
            Err(error) => tracing::debug!(error = %error, "lease not renewed, trying again"),
        }
    }
}

/// The facts that the one active housekeeper has gathered.
struct Housekeeper {
    bus: Bus,
    /// The last sign of life of each worker.
    last_signs: HashMap<WorkerId, Instant>,
    /// Operations that each worker was seen to hold.
    holdings: HashMap<WorkerId, HashSet<OperationId>>,
    listening_since: Instant,
}

impl Housekeeper {
    fn new(bus: Bus) -> Self {
        Self {
            bus,
            last_signs: HashMap::new(),
            holdings: HashMap::new(),
            listening_since: Instant::now(),
        }
    }

    /// Facts are older than this before housekeeping acts on them (cancels excepted).
    fn patience(&self) -> Duration {
        self.bus.timing().ack_wait * 2
    }

    /// Works until the subscriptions fail.
    async fn work(&mut self) {
        if let Err(error) = self.listen().await {
            tracing::warn!(error = %error, "housekeeping interrupted");
        }
    }

    async fn listen(&mut self) -> Result<(), Interrupted> {
        let mut signs_of_life = self.bus.workers().watch_signs_of_life().await?;
        let mut cancels = self.bus.cancels().watch().await?;
        // Who holds what is learned from `started` events, and by each sweep from the records.
        let mut starts = self.bus.events().watch_starts().await?;

        self.listening_since = Instant::now();
        let mut silence_checks = unhurried_ticks(self.bus.timing().alive);
        let mut sweeps = unhurried_ticks(self.patience());

        loop {
            let round = tokio::select! {
                Some(worker) = signs_of_life.next() => {
                    self.last_signs.insert(worker, Instant::now());
                    Ok(())
                }
                Some((op, worker)) = starts.next() => {
                    self.holdings.entry(worker).or_default().insert(op);
                    Ok(())
                }
                Some(op) = cancels.next() => self.cancel_announced(&op).await,
                _ = silence_checks.tick() => self.take_from_silent().await,
                _ = sweeps.tick() => self.sweep().await,
            };

            if let Err(error) = round {
                tracing::warn!(
                    error = %chain(&error),
                    "housekeeping round interrupted, trying again"
                );
            }
        }
    }
}
