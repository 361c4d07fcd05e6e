//! Looks once a second at the queue in which a step waits, in a task of its own: drawing must not
//! wait for the server.

use std::time::Duration;

use bus::{Bus, BusError};
use schemas::ids::{Lane, OperationId, Service, StepNumber};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::waiting_reason::QueueFacts;

const PERIOD: Duration = Duration::from_secs(1);

/// A step that waits in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaitingStep {
    /// 1-based number of the step.
    pub(super) number: StepNumber,
    /// The service that handles it.
    pub(super) service: Service,
    /// The lane of the service's queue.
    pub(super) lane: Lane,
}

/// The running task; it ends when this is dropped.
pub(super) struct QueueProbe {
    target: watch::Sender<Option<WaitingStep>>,
    facts: watch::Receiver<Option<QueueFacts>>,
    task: JoinHandle<()>,
}

impl QueueProbe {
    /// Starts the task; it looks at nothing until [`Self::look_at`] names a step.
    pub(super) fn start(bus: Bus, op: OperationId) -> Self {
        let (target, targets) = watch::channel(None);
        let (sender, facts) = watch::channel(None);
        let task = tokio::spawn(probe(bus, op, targets, sender));
        Self {
            target,
            facts,
            task,
        }
    }

    /// Looks at the queue of this step from now on, or at none.
    pub(super) fn look_at(&mut self, target: Option<WaitingStep>) {
        self.target
            .send_if_modified(|current| std::mem::replace(current, target) != target);
    }

    /// The newest facts; none before the first look.
    pub(super) fn facts(&self) -> Option<QueueFacts> {
        *self.facts.borrow()
    }
}

impl Drop for QueueProbe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn probe(
    bus: Bus,
    op: OperationId,
    mut targets: watch::Receiver<Option<WaitingStep>>,
    sender: watch::Sender<Option<QueueFacts>>,
) {
    loop {
        let target = *targets.borrow_and_update();
        if let Some(step) = target {
            match read_queue_facts(&bus, &op, step).await {
                Ok(facts) => {
                    sender.send_replace(Some(facts));
                }
                Err(error) => tracing::debug!(%error, "the queue cannot be read now"),
            }
        }

        // Without a step that waits nothing is asked until there is one.
        tokio::select! {
            changed = targets.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(PERIOD), if target.is_some() => {}
        }
    }
}

async fn read_queue_facts(
    bus: &Bus,
    op: &OperationId,
    step: WaitingStep,
) -> Result<QueueFacts, BusError> {
    let workers = bus.workers().list().await?;
    // Only now, or a worker would count as busy with what it took meanwhile, which is this step.
    let ahead = bus
        .commands()
        .ahead_of(step.service, step.lane, op, step.number)
        .await?;

    let serving: Vec<_> = workers
        .iter()
        .filter(|worker| worker.service == step.service && worker.lanes.contains(&step.lane))
        .filter(|worker| !worker.draining)
        .collect();
    let busy = serving
        .iter()
        .filter(|worker| step.lane != Lane::Live && worker.has_no_slot())
        .count();
    Ok(QueueFacts {
        step: step.number,
        ahead,
        workers: serving.len(),
        busy,
    })
}
