//! Whether a process lives and is ready, for whoever watches it from outside: a supervisor, an
//! orchestrator, Prometheus.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::conditions::Conditions;
use crate::meters;

/// How often the main loop says that it turns.
pub(crate) const TURN: Duration = Duration::from_secs(5);
/// A main loop that has not turned for so long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Shared by a worker, which says how it is, and by the page that shows it.
#[derive(Clone, Default)]
pub struct Vitals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    turned_at: Mutex<Option<Instant>>,
    conditions: OnceLock<Arc<Conditions>>,
}

impl Vitals {
    /// Notes that the main loop turns.
    pub(crate) fn turn(&self) {
        *self
            .0
            .turned_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// The worker is there: from now on its conditions count.
    pub(crate) fn watch(&self, conditions: Arc<Conditions>) {
        let _ = self.0.conditions.set(conditions);
    }

    /// Why the process must be started again, if that is so. One that waits for its server lives.
    pub(crate) fn stuck(&self) -> Option<String> {
        let turned_at = *self
            .0
            .turned_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let age = turned_at.map(|at| at.elapsed()).filter(|age| *age > STUCK);

        age.map(|age| format!("the main loop has not turned for {} s", age.as_secs()))
    }

    /// Why the process can do no work now; empty when it can.
    pub(crate) async fn reasons_against(&self) -> Vec<String> {
        match self.0.conditions.get() {
            Some(conditions) => conditions.reasons_against().await,
            None => vec!["starting: its queues are not open yet".to_owned()],
        }
    }

    /// The page of meters, with what changes by itself as it is now.
    pub(crate) async fn page(&self) -> String {
        match self.0.conditions.get() {
            Some(conditions) => conditions.measure().await,
            None => meters::condition_measured("bus", false),
        }
        meters::page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_main_loop_that_stands_still_for_a_minute_is_stuck() {
        let vitals = Vitals::default();
        assert_eq!(vitals.stuck(), None);

        vitals.turn();
        tokio::time::advance(STUCK).await;
        assert_eq!(vitals.stuck(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        let reason = "the main loop has not turned for 61 s";
        assert_eq!(vitals.stuck().as_deref(), Some(reason));

        vitals.turn();
        assert_eq!(vitals.stuck(), None);
    }

    #[tokio::test]
    async fn a_process_that_waits_for_its_server_lives_and_is_not_ready() {
        let vitals = Vitals::default();

        assert_eq!(vitals.stuck(), None);
        assert_eq!(
            vitals.reasons_against().await,
            ["starting: its queues are not open yet"]
        );
    }
}
