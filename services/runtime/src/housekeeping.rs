//! Housekeeping: whoever holds the lease takes steps from silent workers, cancels what nobody
//! holds, concludes what was left half-done, and starts the operations of schedules.
//!
//! It acts by compare-and-set only, so a second housekeeper would do no harm; the lease saves work.
//! Its duties run side by side: on a slow link one request takes a second, and whoever waits for it
//! must not miss the signs of life that arrive meanwhile.

mod schedules;
mod silence;
#[cfg(test)]
mod silence_tests;
mod silent_workers;
#[cfg(test)]
mod silent_workers_tests;
mod stale_cancels;
mod sweep;
mod unheld_cancels;
mod watched_workers;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError, ChangeError, Lease, ResumeError, Stored, SubmitError};
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use schemas::errors::chain;
use schemas::ids::{OperationId, WorkerId};
use schemas::schedules::ScheduleFault;
use schemas::worker::SignOfLife;
use store::{Store, StoreError};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::meters;
use crate::presence::sign_of_life;
use crate::ticks::unhurried_ticks;
use crate::unheld::UnheldError;
use watched_workers::WatchedWorkers;

/// The lease of the one active housekeeper.
const LEASE: &str = "housekeeping";
/// The lease is asked for, and renewed, this many times in its life.
const LEASE_RENEWALS: u32 = 3;
/// Operations that one duty works on at a time: on a slow link one after the other takes minutes.
const CONCURRENCY: usize = 32;

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
    #[error("the operation of a schedule was not started")]
    Submit(#[from] SubmitError),
    #[error("a schedule cannot be carried out")]
    Schedule(#[from] ScheduleFault),
    #[error("the calendars in the store cannot be read")]
    Store(#[from] StoreError),
    #[error("a schedule names the calendar `{0}`, which the store does not have")]
    Calendar(String),
}

/// Does the housekeeping whenever it gets the lease, until `stop` is true.
pub async fn run_housekeeper(
    bus: Bus,
    store: Store,
    owner: String,
    mut stop: watch::Receiver<bool>,
) {
    let mut asks = unhurried_ticks(bus.timing().lease_ttl / LEASE_RENEWALS);

    loop {
        tokio::select! {
            _ = asks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }

        match bus.leases().acquire(LEASE, &owner).await {
            Ok(Some(lease)) => {
                let housekeeper = Housekeeper::new(bus.clone(), store.clone());
                keep_house_with(&housekeeper, lease, &mut stop).await;
            }
            // Somebody else has it.
            Ok(None) => {}
            Err(error) => tracing::debug!(error = %error, "lease not asked for, trying again"),
        }
    }
}

/// Does the housekeeping until the lease is lost or `stop` is true.
async fn keep_house_with(
    housekeeper: &Housekeeper,
    mut lease: Lease,
    stop: &mut watch::Receiver<bool>,
) {
    tracing::info!("doing the housekeeping");
    meters::housekeeping_begun();
    let bus = &housekeeper.bus;
    tokio::select! {
        () = renew_until_lost(bus, &mut lease) => {}
        () = housekeeper.work() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }

    meters::housekeeping_left();
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
    /// For the calendars that schedules name.
    store: Store,
    /// The name under which its own signs of life come back to it.
    echo: WorkerId,
    /// All times that it compares count from here.
    started: Instant,
    workers: Mutex<WatchedWorkers>,
    /// Records of operations that may soon be taken over, read ahead.
    read_ahead: Mutex<HashMap<OperationId, Stored>>,
    /// Bounds the takeovers at work, of which a flood of made-up claims may cause many.
    takeovers_at_work: Semaphore,
    /// Operations of whose unreadable records the log speaks already.
    warned: Mutex<HashSet<OperationId>>,
}

impl Housekeeper {
    fn new(bus: Bus, store: Store) -> Self {
        Self {
            bus,
            store,
            echo: WorkerId::echo(rand::random()),
            started: Instant::now(),
            workers: Mutex::default(),
            read_ahead: Mutex::default(),
            takeovers_at_work: Semaphore::new(CONCURRENCY),
            warned: Mutex::default(),
        }
    }

    /// Facts are older than this before housekeeping acts on them (cancels excepted).
    fn patience(&self) -> Duration {
        self.bus.timing().ack_wait * 2
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn workers(&self) -> MutexGuard<'_, WatchedWorkers> {
        // Nothing that is done under the lock can leave the table half-changed.
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until a subscription ends or cannot be made.
    async fn work(&self) {
        if let Err(error) = self.listen().await {
            tracing::warn!(error = %chain(&error), "housekeeping interrupted");
        }
    }

    async fn listen(&self) -> Result<(), BusError> {
        let signs_of_life = self.bus.workers().hear_signs_of_life().await?;
        let cancels = self.bus.cancels().watch().await?;
        // Who holds what is learned from `started` events, and by each sweep from the records.
        let starts = self.bus.events().watch_starts().await?;
        let due = self.bus.schedules().open_due().await?;
        // A takeover must not wait for it.
        self.bus.operations().open().await?;

        // Side by side: none of them may keep another one waiting.
        tokio::select! {
            () = self.hear_signs(signs_of_life) => {}
            () = self.send_own_signs() => {}
            () = self.note_claims(starts) => {}
            () = self.obey_cancels(cancels) => {}
            () = self.check_silence() => {}
            () = self.prepare_takeovers() => {}
            () = self.sweep_again_and_again() => {}
            () = self.drop_cancels_again_and_again() => {}
            () = self.start_due_schedules(due) => {}
            () = self.start_overdue_schedules() => {}
        }
        Ok(())
    }

    async fn hear_signs(
        &self,
        mut signs: impl Stream<Item = (WorkerId, Option<SignOfLife>)> + Unpin,
    ) {
        while let Some((worker, sign)) = signs.next().await {
            let now = self.now();
            let own_sign = sign.filter(|_| worker == self.echo);

            match own_sign {
                Some(sign) => self.workers().own_signs.hear(sign.seq, now),
                None => self.workers().hear(&worker, sign, now),
            }
        }
    }

    /// Sends signs to itself: how long they take shows how late those of workers may be.
    async fn send_own_signs(&self) {
        let mut ticks = unhurried_ticks(self.bus.timing().alive);

        for seq in 1.. {
            ticks.tick().await;
            self.workers().own_signs.send(seq, self.now());
            let sign = sign_of_life(seq, self.started);
            let sent = self.bus.workers().send_sign_of_life(&self.echo, &sign);
            if let Err(error) = sent.await {
                tracing::debug!(error = %error, "own sign of life not sent");
            }
        }
    }

    async fn note_claims(&self, mut starts: impl Stream<Item = (OperationId, WorkerId)> + Unpin) {
        while let Some((op, worker)) = starts.next().await {
            // What was read ahead does not know of the claim.
            self.read_ahead().remove(&op);
            self.workers().note_claim(worker, op, self.now());
        }
    }

    async fn obey_cancels(&self, cancels: impl Stream<Item = OperationId>) {
        let obey = |op| async move { warn_interrupted(self.cancel_announced(&op).await) };
        cancels.for_each_concurrent(CONCURRENCY, obey).await;
    }

    async fn check_silence(&self) {
        // Often enough that a check adds little to the silence.
        let mut checks = unhurried_ticks(self.bus.timing().alive / 2);
        let mut takeovers = FuturesUnordered::new();

        // On a slow link a takeover takes seconds: the next worker to be lost does not wait for it.
        loop {
            tokio::select! {
                _ = checks.tick() => takeovers.extend(self.takeovers()),
                Some(()) = takeovers.next() => {}
            }
        }
    }

    /// What a takeover will need, and what one turned out to be.
    async fn prepare_takeovers(&self) {
        let mut checks = unhurried_ticks(self.bus.timing().alive / 2);

        loop {
            checks.tick().await;
            self.read_ahead_of_suspected().await;
            self.forgive_wrongly_taken().await;
        }
    }

    async fn sweep_again_and_again(&self) {
        let mut sweeps = unhurried_ticks(self.patience());

        loop {
            sweeps.tick().await;
            warn_interrupted(self.sweep().await);
        }
    }

    async fn drop_cancels_again_and_again(&self) {
        let mut looks = unhurried_ticks(self.patience());
        let mut next = 1;

        loop {
            looks.tick().await;
            match self.drop_stale_cancels(next).await {
                Ok(from_here) => next = from_here,
                Err(error) => warn_interrupted(Err(error)),
            }
        }
    }
}

fn warn_interrupted(round: Result<(), Interrupted>) {
    if let Err(error) = round {
        tracing::warn!(error = %chain(&error), "housekeeping round interrupted, trying again");
    }
}
