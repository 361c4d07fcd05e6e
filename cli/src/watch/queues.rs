//! The queues of all services, with the commands in them and the workers that serve them.

use bus::{Bus, BusError};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use schemas::ids::{Lane, Service};
use schemas::worker::WorkerInfo;

/// Requests on their way at once: one round trip each would add up.
const REQUESTS_MAX: usize = 8;

/// One queue at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueLoad {
    /// The service whose commands it holds.
    pub(crate) service: Service,
    /// The lane of the service.
    pub(crate) lane: Lane,
    /// Commands that no worker has taken.
    pub(crate) pending: u64,
    /// Commands that a worker has taken and not finished.
    pub(crate) claimed: u64,
    /// Workers that serve it, draining ones included.
    pub(crate) workers: usize,
    /// Those of them that take new commands.
    pub(crate) taking: usize,
}

impl QueueLoad {
    /// Commands that wait for ever, because no worker will take them: also those that a worker had
    /// taken which lives no more.
    pub(crate) fn stranded(&self) -> u64 {
        match (self.workers, self.taking) {
            (0, _) => self.pending + self.claimed,
            (_, 0) => self.pending,
            _ => 0,
        }
    }
}

/// The queue of every service and lane, in the order of the services.
pub(crate) async fn read_queues(
    bus: &Bus,
    workers: &[WorkerInfo],
) -> Result<Vec<QueueLoad>, BusError> {
    let queues = Service::ALL
        .iter()
        .flat_map(|service| Lane::ALL.iter().map(move |lane| (*service, *lane)));
    stream::iter(queues)
        .map(|(service, lane)| read_queue(bus, workers, service, lane))
        .buffered(REQUESTS_MAX)
        .try_collect()
        .await
}

async fn read_queue(
    bus: &Bus,
    workers: &[WorkerInfo],
    service: Service,
    lane: Lane,
) -> Result<QueueLoad, BusError> {
    let depth = bus.commands().queue_depth(service, lane).await?;
    let serving: Vec<&WorkerInfo> = workers
        .iter()
        .filter(|worker| worker.service == service && worker.lanes.contains(&lane))
        .collect();

    // A worker that drains still works on its steps, but takes nothing new.
    Ok(QueueLoad {
        service,
        lane,
        pending: depth.pending,
        claimed: depth.claimed,
        workers: serving.len(),
        taking: serving.iter().filter(|worker| !worker.draining).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pending: u64, claimed: u64, workers: usize, taking: usize) -> QueueLoad {
        QueueLoad {
            service: Service::Trainer,
            lane: Lane::Gpu,
            pending,
            claimed,
            workers,
            taking,
        }
    }

    #[test]
    fn commands_are_stranded_where_no_worker_takes_them() {
        assert_eq!(load(2, 1, 0, 0).stranded(), 3);
        assert_eq!(load(2, 1, 1, 0).stranded(), 2, "the worker drains");
        assert_eq!(load(2, 1, 1, 1).stranded(), 0);
    }
}
