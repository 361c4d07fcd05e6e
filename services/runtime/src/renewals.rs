//! Renewing the deliveries that a worker works on: one task for all of its slots, so that no
//! renewal waits for another slot's requests, and all of them leave in one flush.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::Bus;
use tokio::time::Instant;

use crate::progress_slot::ProgressSlot;
use crate::ticks::unhurried_ticks;

/// The deliveries of one worker that are renewed.
#[derive(Clone, Default)]
pub(crate) struct Renewals(Arc<Mutex<HashMap<String, Renewed>>>);

/// A delivery that is renewed for as long as this lives and its work moves.
pub(crate) struct Renewal {
    renewals: Renewals,
    ack_subject: String,
}

/// When the work of a delivery was last seen to move. One that does not move is not renewed: its
/// message comes to other workers. They respect the hold of a worker that shows life, so the step
/// stays where it is until that worker ends, or a cancel by force ends the attempt.
struct Renewed {
    progress: Option<Arc<ProgressSlot>>,
    puts: u64,
    moved_at: Instant,
}

impl Renewals {
    /// Renews a delivery from the next heartbeat on.
    pub(crate) fn start(&self, ack_subject: &str) -> Renewal {
        let renewed = Renewed {
            progress: None,
            puts: 0,
            moved_at: Instant::now(),
        };
        self.with(|all| all.insert(ack_subject.to_owned(), renewed));

        Renewal {
            renewals: self.clone(),
            ack_subject: ack_subject.to_owned(),
        }
    }

    /// Renews all of them at every heartbeat, for as long as the worker lives.
    pub(crate) async fn run(self, bus: Bus, stall: Duration) {
        let mut heartbeats = unhurried_ticks(bus.timing().heartbeat);

        loop {
            heartbeats.tick().await;
            let moving = self.moving(stall);
            if let Err(error) = bus.commands().renew(moving).await {
                tracing::debug!(error = %error, "deliveries not renewed, trying again");
            }
        }
    }

    /// Ack subjects of the deliveries whose work has moved within `stall`.
    fn moving(&self, stall: Duration) -> Vec<String> {
        self.with(|all| {
            all.iter_mut()
                .filter_map(|entry| entry.1.still_moves(stall).then(|| entry.0.clone()))
                .collect()
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<String, Renewed>) -> T) -> T {
        // Nothing that is done under the lock can leave the table half-changed.
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Renewal {
    /// From now on the work moves only while the counter of its reports does.
    pub(crate) fn follow(&self, progress: &Arc<ProgressSlot>) {
        self.renewals.with(|all| {
            if let Some(renewed) = all.get_mut(&self.ack_subject) {
                renewed.progress = Some(progress.clone());
            }
        });
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.renewals.with(|all| all.remove(&self.ack_subject));
    }
}

impl Renewed {
    /// True unless the counter of reports has been the same for `stall`.
    fn still_moves(&mut self, stall: Duration) -> bool {
        let puts = self.progress.as_ref().map_or(0, |progress| progress.puts());
        if puts != self.puts {
            self.puts = puts;
            self.moved_at = Instant::now();
        }
        self.moved_at.elapsed() < stall
    }
}
