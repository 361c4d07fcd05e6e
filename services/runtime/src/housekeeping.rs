//! Housekeeping: whoever holds the lease takes steps from silent workers, cancels what nobody
//! holds, and settles what was left.
//!
//! It acts by compare-and-set only, so a second housekeeper would do no harm; the lease saves work.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bus::{Bus, BusError, CancelRequest, ChangeError, ResumeError};
use futures::StreamExt;
use jiff::Timestamp;
use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, StepState};
use schemas::plan::Outstanding;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::announce;

/// The lease of the one active housekeeper.
const LEASE: &str = "housekeeping";

/// Why a round did not finish; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the bus is not reachable")]
    Bus(#[from] BusError),
    #[error("a record was not changed")]
    Change(#[from] ChangeError),
    #[error("a step was not put on its queue again")]
    Requeue(#[from] ResumeError),
}

/// Does the housekeeping whenever it gets the lease, until `stop` is true.
pub async fn keep_house(bus: Bus, owner: String, mut stop: watch::Receiver<bool>) {
    let mut ask = interval(bus.timing().lease_ttl / 3);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ask.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        match bus.acquire_lease(LEASE, &owner).await {
            Ok(Some(mut lease)) => {
                tracing::info!("doing the housekeeping");
                let mut house = House::new(bus.clone());
                tokio::select! {
                    () = renew(&bus, &mut lease) => {}
                    () = house.keep() => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                if let Err(error) = bus.release_lease(lease).await {
                    tracing::debug!(error = %error, "lease not released, it expires by itself");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(error = %error, "lease not asked for, trying again"),
        }
    }
}

/// Ends when the lease is lost.
async fn renew(bus: &Bus, lease: &mut bus::Lease) {
    let mut every = interval(bus.timing().lease_ttl / 3);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed_at = Instant::now();
    loop {
        every.tick().await;
        match bus.renew_lease(lease).await {
            Ok(true) => renewed_at = Instant::now(),
            Ok(false) => return,
            Err(error) if renewed_at.elapsed() > bus.timing().lease_ttl => {
                tracing::warn!(error = %error, "lease lost");
                return;
            }
            Err(error) => tracing::debug!(error = %error, "lease not renewed, trying again"),
        }
    }
}

struct House {
    bus: Bus,
    /// Signs of life, by worker.
    heard: HashMap<WorkerId, Instant>,
    /// Operations that each worker was seen to hold.
    holding: HashMap<WorkerId, HashSet<OperationId>>,
    listening_since: Instant,
}

impl House {
    fn new(bus: Bus) -> Self {
        Self {
            bus,
            heard: HashMap::new(),
            holding: HashMap::new(),
            listening_since: Instant::now(),
        }
    }

    /// Facts are older than this before housekeeping acts on them (cancels excepted).
    fn patience(&self) -> Duration {
        self.bus.timing().ack_wait * 2
    }

    async fn keep(&mut self) {
        if let Err(error) = self.listen().await {
            tracing::warn!(error = %error, "housekeeping interrupted");
        }
    }

    async fn listen(&mut self) -> Result<(), Interrupted> {
        let mut alive = self.bus.watch_alive().await?;
        let mut cancels = self.bus.watch_cancels().await?;
        let mut starts = self.bus.watch_starts().await?;
        self.listening_since = Instant::now();
        let mut silence = interval(self.bus.timing().alive);
        let mut sweep = interval(self.patience());
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let round = tokio::select! {
                Some(worker) = alive.next() => {
                    self.heard.insert(worker, Instant::now());
                    Ok(())
                }
                Some((op, worker)) = starts.next() => {
                    self.holding.entry(worker).or_default().insert(op);
                    Ok(())
                }
                Some(op) = cancels.next() => self.cancel_announced(&op).await,
                _ = silence.tick() => self.take_from_silent().await,
                _ = sweep.tick() => self.sweep().await,
            };
            if let Err(error) = round {
                tracing::warn!(error = %schemas::errors::chain(&error), "housekeeping round interrupted, trying again");
            }
        }
    }

    /// Cancels an operation that nobody holds; a holder obeys the control subject itself.
    async fn cancel(&self, op: &OperationId) -> Result<(), Interrupted> {
        match self.bus.cancel_request(op).await? {
            Some(request) => self.cancel_by(op, &request).await,
            None => Ok(()),
        }
    }

    /// The same when a message on the control subject has just told of a request.
    async fn cancel_announced(&self, op: &OperationId) -> Result<(), Interrupted> {
        let Some(stored) = self.bus.record(op).await? else {
            return Ok(());
        };
        let record = stored.record;
        if record.state.is_terminal() || record.is_held() {
            return Ok(());
        }
        match self.bus.announced_cancel(op, record.cancel_floor).await? {
            Some(request) => self.cancel_by(op, &request).await,
            None => Ok(()),
        }
    }

    async fn cancel_by(
        &self,
        op: &OperationId,
        request: &CancelRequest,
    ) -> Result<(), Interrupted> {
        let Some(stored) = self.bus.record(op).await? else {
            return Ok(());
        };
        let record = stored.record;
        if record.state.is_terminal() || record.is_held() || request.sequence <= record.cancel_floor
        {
            return Ok(());
        }
        let queued = unfinished(&record);
        let at = Timestamp::now();
        let cancel = |record: &mut OperationRecord| {
            record.cancel_unheld(request.sequence, &request.reason, at)
        };
        match self.bus.change(op, cancel).await {
            Ok(changed) => {
                tracing::info!(operation = %op, "cancelled, no worker held it");
                self.settle(&changed.record, &queued).await
            }
            // A worker claimed it meanwhile and will see the request, or it has ended.
            Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Emits what a terminal operation owes, removes its queued messages by sequence, then its
    /// active mark.
    async fn settle(
        &self,
        record: &OperationRecord,
        queued: &[Outstanding],
    ) -> Result<(), Interrupted> {
        for number in record.numbers() {
            announce::settle_step(&self.bus, record, number, 0).await?;
        }
        for step in queued {
            if let Some(sequence) = self.bus.queued_command(&record.op, *step).await? {
                self.bus.delete_command(sequence).await?;
            }
        }
        Ok(self.bus.settle_active(&record.op).await?)
    }

    /// Takes the steps of workers that were not heard for the profile's silence.
    async fn take_from_silent(&mut self) -> Result<(), Interrupted> {
        let timing = self.bus.timing();
        let connected = self
            .bus
            .connected_since()
            .is_some_and(|since| since.elapsed() >= timing.housekeeping_connected);
        if !connected || self.listening_since.elapsed() < timing.silence {
            return Ok(());
        }
        // Nothing was missed only while the link stood: a worker counts as heard when the link came
        // back.
        let silent: Vec<WorkerId> = self
            .holding
            .keys()
            .filter(|worker| {
                self.heard
                    .get(worker)
                    .unwrap_or(&self.listening_since)
                    .elapsed()
                    > timing.silence
            })
            .cloned()
            .collect();
        for worker in silent {
            for op in self.holding.remove(&worker).unwrap_or_default() {
                if let Some(stored) = self.bus.record(&op).await? {
                    self.take(&stored.record, &worker).await?;
                }
            }
        }
        Ok(())
    }

    /// Clears the hold of `worker` on each step of the operation, and only if that wins hands its
    /// message on.
    async fn take(&self, record: &OperationRecord, worker: &WorkerId) -> Result<(), Interrupted> {
        for number in record.numbers() {
            let Some(holder) = record.step(number).and_then(|step| step.holder.clone()) else {
                continue;
            };
            if &holder.worker != worker {
                continue;
            }
            let at = Timestamp::now();
            match self
                .bus
                .change(&record.op, |record| record.clear_hold(number, worker, at))
                .await
            {
                Ok(changed) => {
                    tracing::warn!(operation = %record.op, step = %number, %worker, "worker lost, handing its step on");
                    self.bus.hand_on(&holder.ack_subject).await?;
                    let what = schemas::events::What::Retrying;
                    announce::emit_lossy(
                        &self.bus,
                        announce::event(&changed.record, number, what, Some(worker), at),
                    )
                    .await;
                    self.cancel(&record.op).await?;
                }
                Err(ChangeError::Refused { .. } | ChangeError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Looks at everything that is marked as active.
    async fn sweep(&mut self) -> Result<(), Interrupted> {
        let active = self.bus.active().await?;
        for held in self.holding.values_mut() {
            held.retain(|op| active.contains(op));
        }
        for op in active {
            let Some(stored) = self.bus.record(&op).await? else {
                self.bus.drop_stale_mark(&op, self.patience()).await?;
                continue;
            };
            let record = stored.record;
            for holder in record.steps.iter().filter_map(|step| step.holder.as_ref()) {
                self.holding
                    .entry(holder.worker.clone())
                    .or_default()
                    .insert(op.clone());
            }
            if record.state.is_terminal() {
                if is_older(record.updated_at, self.patience()) {
                    self.settle(&record, &[]).await?;
                }
                continue;
            }
            self.cancel(&op).await?;
            self.requeue_lost(&record).await?;
        }
        self.heard
            .retain(|_, at| at.elapsed() < Duration::from_secs(3_600));
        Ok(())
    }

    /// Puts steps on their queue whose message is gone although nobody works on them.
    async fn requeue_lost(&self, record: &OperationRecord) -> Result<(), Interrupted> {
        if !is_older(record.updated_at, self.patience()) {
            return Ok(());
        }
        for step in record.plan.advance(record) {
            let waits = record
                .step(step.step)
                .is_some_and(|record| record.holder.is_none());
            if waits && self.bus.queued_command(&record.op, step).await?.is_none() {
                tracing::warn!(operation = %record.op, step = %step.step, "its message is gone, putting it on the queue again");
                match self
                    .bus
                    .requeue(&record.op, step.step, step.submission)
                    .await
                {
                    Ok(())
                    | Err(ResumeError::Change(
                        ChangeError::Refused { .. } | ChangeError::NotFound(_),
                    )) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Every step that may have a message on its queue.
fn unfinished(record: &OperationRecord) -> Vec<Outstanding> {
    let numbers = record.numbers().collect::<Vec<StepNumber>>();
    let open = numbers
        .into_iter()
        .zip(record.plan.steps())
        .zip(&record.steps);
    open.filter(|(_, step)| step.state != StepState::Completed)
        .map(|((number, spec), step)| Outstanding {
            step: number,
            service: spec.service,
            lane: spec.lane,
            submission: step.submission,
        })
        .collect()
}

fn is_older(at: Timestamp, than: Duration) -> bool {
    Timestamp::now().duration_since(at).unsigned_abs() > than
}
