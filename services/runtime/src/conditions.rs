//! What a worker needs to do its work, looked at when somebody asks: the bus, the clock, the store,
//! room on its disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Bus, ServerClock};
use jiff::{SignedDuration, Timestamp};
use nix::sys::statvfs::statvfs;
use schemas::errors::chain;
use schemas::ids::{Lane, Service};
use store::Store;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::meters;
use crate::presence::CurrentSteps;

/// An answer that is no older than this is given again: whoever asks often costs nothing.
const FRESH: Duration = Duration::from_secs(5);
/// How long one look may take. What has not answered by then counts as away.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// How far the clock of the server may be from ours. Retries, leases and silence compare them.
const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);
/// Least free space of the disk that the worker writes to.
const FREE_SPACE_MIN: u64 = 256 << 20;

/// Something that a worker cannot use, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// `bus`, `clock`, `store` or `space`.
    pub(crate) condition: &'static str,
    pub(crate) reason: String,
}

/// What the worker is, as far as its conditions depend on it.
pub(crate) struct Surroundings {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) service: Service,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) slots: u16,
    pub(crate) current: CurrentSteps,
    /// Why it takes nothing new, once its host seems to be at fault.
    pub(crate) host_fault: watch::Receiver<Option<String>>,
    pub(crate) draining: watch::Receiver<bool>,
}

/// The faults that the last look found.
#[derive(Debug)]
struct Seen {
    at: Instant,
    /// False until the first look.
    has_looked: bool,
    faults: Vec<Fault>,
}

/// Looks at the conditions of one worker, once for all who ask at the same time.
pub(crate) struct Conditions {
    pub(crate) surroundings: Surroundings,
    seen: Mutex<Seen>,
    looking: tokio::sync::Mutex<()>,
}

impl Conditions {
    /// Begins without a fault: the worker connected and opened its store a moment ago.
    pub(crate) fn new(surroundings: Surroundings) -> Arc<Self> {
        let seen = Seen {
            at: Instant::now(),
            has_looked: false,
            faults: Vec::new(),
        };

        Arc::new(Self {
            surroundings,
            seen: Mutex::new(seen),
            looking: tokio::sync::Mutex::new(()),
        })
    }

    /// The faults as they are now, or were a few seconds ago.
    pub(crate) async fn look(&self) -> Vec<Fault> {
        // The connection is known at once.
        if let Some(fault) = self.find_disconnected() {
            return self.keep(vec![fault]);
        }

        let _looking = self.looking.lock().await;
        if meters::is_on() {
            self.measure_queues().await;
        }
        match self.fresh() {
            Some(faults) => faults,
            None => self.keep(self.find_faults().await),
        }
    }

    /// What the last look found.
    pub(crate) fn last(&self) -> Vec<Fault> {
        self.seen().faults.clone()
    }

    /// Looks once more when the last look is older than `age`.
    pub(crate) async fn refresh(&self, age: Duration) {
        let is_old = self.seen().at.elapsed() >= age;
        if is_old {
            self.look().await;
        }
    }

    /// Why the worker should get no work, if that is so: its faults, its host, or a drain.
    pub(crate) async fn reasons_against(&self) -> Vec<String> {
        let faults = self.look().await.into_iter();
        let mut reasons: Vec<String> = faults.map(|fault| fault.to_string()).collect();

        let host_fault = self.surroundings.host_fault.borrow().clone();
        reasons.extend(host_fault.map(|reason| format!("host: {reason}")));
        if *self.surroundings.draining.borrow() {
            reasons.push("draining: it takes nothing new".to_owned());
        }
        reasons
    }

    /// Puts what changes by itself onto the page of meters.
    pub(crate) async fn measure(&self) {
        let around = &self.surroundings;
        meters::slots_measured(around.slots, around.current.count());
        meters::Reconnects {
            is_connected: around.bus.connection().connected_since().is_some(),
            count: *around.bus.connection().reconnects().borrow(),
        }
        .note();

        let faults = self.look().await;
        for condition in ["bus", "clock", "store", "space"] {
            let is_ok = faults.iter().all(|fault| fault.condition != condition);
            meters::condition_measured(condition, is_ok);
        }
        let is_host_ok = around.host_fault.borrow().is_none();
        meters::condition_measured("host", is_host_ok);
    }

    fn find_disconnected(&self) -> Option<Fault> {
        let connection = self.surroundings.bus.connection();
        connection.connected_since().is_none().then(|| Fault {
            condition: "bus",
            reason: format!("no connection to {}", connection.url()),
        })
    }

    async fn find_faults(&self) -> Vec<Fault> {
        let server = self.find_server_fault();
        let store = self.find_store_fault();
        let away = tokio::join!(server, store);

        let faults = [away.0, away.1, self.find_space_fault()];
        faults.into_iter().flatten().collect()
    }

    async fn find_server_fault(&self) -> Option<Fault> {
        let connection = self.surroundings.bus.connection();

        match timeout(LOOK_TIMEOUT, connection.clock()).await {
            Ok(Ok(clock)) => {
                meters::clock_measured(&clock);
                clock_fault(&clock)
            }
            Ok(Err(error)) => Some(Fault {
                condition: "bus",
                reason: chain(&error),
            }),
            Err(_) => Some(Fault {
                condition: "bus",
                reason: no_answer("the server"),
            }),
        }
    }

    async fn find_store_fault(&self) -> Option<Fault> {
        let reason = match timeout(LOOK_TIMEOUT, self.surroundings.store.check_access()).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => chain(&error),
            Err(_) => no_answer("the store"),
        };
        Some(Fault {
            condition: "store",
            reason,
        })
    }

    fn find_space_fault(&self) -> Option<Fault> {
        let folder = written_folder(&self.surroundings.store);
        // A system that does not say has no fault that could be shown.
        let free = free_space(&folder)?;
        meters::space_measured(free);
        space_fault(&folder, free)
    }

    /// The queues that the worker serves; all there are in the process that does the housekeeping,
    /// since nobody else may look at a queue that nobody serves.
    async fn measure_queues(&self) {
        let around = &self.surroundings;
        let own_queues = around.lanes.iter().map(|lane| (around.service, *lane));
        let queues: Vec<(Service, Lane)> = match meters::keeps_house() {
            true => all_queues().collect(),
            false => own_queues.collect(),
        };

        let looks = queues
            .iter()
            .map(|queue| self.measure_queue(queue.0, queue.1));
        futures::future::join_all(looks).await;
    }

    async fn measure_queue(&self, service: Service, lane: Lane) {
        let commands = self.surroundings.bus.commands();
        match timeout(LOOK_TIMEOUT, commands.queue_view(service, lane)).await {
            Ok(Ok(view)) => meters::queue_measured(service, lane, &view, Timestamp::now()),
            Ok(Err(error)) => tracing::debug!(error = %chain(&error), "queue not measured"),
            Err(_) => tracing::debug!(%service, %lane, "queue not measured: no answer"),
        }
    }

    fn fresh(&self) -> Option<Vec<Fault>> {
        let seen = self.seen();
        let is_fresh = seen.has_looked && seen.at.elapsed() < FRESH;
        is_fresh.then(|| seen.faults.clone())
    }

    fn keep(&self, faults: Vec<Fault>) -> Vec<Fault> {
        let mut seen = self.seen();
        for fault in &faults {
            if !seen.faults.contains(fault) {
                tracing::warn!(
                    condition = fault.condition,
                    reason = fault.reason,
                    "degraded"
                );
            }
        }
        if faults.is_empty() && !seen.faults.is_empty() {
            tracing::info!("no longer degraded");
        }

        *seen = Seen {
            at: Instant::now(),
            has_looked: true,
            faults: faults.clone(),
        };
        faults
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing that is done under the lock can leave it half-changed.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.condition, self.reason)
    }
}

/// All faults in one line; none when there is no fault.
pub(crate) fn describe(faults: &[Fault]) -> Option<String> {
    let reasons: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Some(reasons.join("; ")).filter(|text| !text.is_empty())
}

fn all_queues() -> impl Iterator<Item = (Service, Lane)> {
    let services = Service::ALL.iter();
    services.flat_map(|service| Lane::ALL.iter().map(|lane| (*service, *lane)))
}

fn no_answer(whose: &str) -> String {
    format!("no answer of {whose} within {} s", LOOK_TIMEOUT.as_secs())
}

fn clock_fault(clock: &ServerClock) -> Option<Fault> {
    let skew = clock.ahead.abs();
    let direction = match clock.ahead.is_negative() {
        true => "behind",
        false => "ahead of",
    };

    (skew > CLOCK_SKEW_MAX).then(|| Fault {
        condition: "clock",
        reason: format!(
            "the clock of the server is {:.1} s {direction} ours; at most {} s are harmless",
            skew.as_secs_f64(),
            CLOCK_SKEW_MAX.as_secs()
        ),
    })
}

fn space_fault(folder: &Path, free: u64) -> Option<Fault> {
    (free < FREE_SPACE_MIN).then(|| Fault {
        condition: "space",
        reason: format!(
            "{} MiB are free in {}; at least {} MiB are needed",
            free >> 20,
            folder.display(),
            FREE_SPACE_MIN >> 20
        ),
    })
}

/// The folder that the worker fills: that of the store, or the one for temporary files.
fn written_folder(store: &Store) -> PathBuf {
    store.folder().unwrap_or_else(std::env::temp_dir)
}

fn free_space(folder: &Path) -> Option<u64> {
    let disk = statvfs(folder).ok()?;
    Some(disk.blocks_available() * disk.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_of(ahead_ms: i64) -> Option<String> {
        let clock = ServerClock {
            ahead: SignedDuration::from_millis(ahead_ms),
            round_trip: Duration::from_millis(1),
        };
        clock_fault(&clock).map(|fault| fault.to_string())
    }

    #[test]
    fn a_clock_five_seconds_off_is_harmless_and_one_beyond_is_not() {
        assert_eq!(reason_of(5_000), None);
        assert_eq!(reason_of(-5_000), None);

        let ahead = reason_of(5_100).unwrap();
        assert_eq!(
            ahead,
            "clock: the clock of the server is 5.1 s ahead of ours; at most 5 s are harmless"
        );
        let behind = reason_of(-61_000).unwrap();
        assert!(behind.contains("61.0 s behind ours"), "{behind}");
    }

    #[test]
    fn a_disk_below_its_bound_is_a_fault_that_names_the_folder() {
        let folder = Path::new("/var/lib/ktrdr");

        assert_eq!(space_fault(folder, 256 << 20), None);
        let fault = space_fault(folder, 255 << 20).unwrap();
        assert_eq!(
            fault.to_string(),
            "space: 255 MiB are free in /var/lib/ktrdr; at least 256 MiB are needed"
        );
    }

    #[test]
    fn the_system_says_how_much_is_free() {
        assert!(free_space(&std::env::temp_dir()).is_some());
        assert_eq!(free_space(Path::new("/no/such/folder")), None);
    }
}
