//! Holds the requests of one account to what its provider allows. One per account and process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::request_budget::{BudgetRules, RequestBudget};
use crate::waits::wait_until;

/// Lets requests through when the rules of an account allow it.
#[derive(Debug)]
pub struct Pacer {
    budget: Mutex<RequestBudget>,
    /// What instants are counted from.
    began: Instant,
    reason: String,
}

impl Pacer {
    /// For an account; `reason` is what people read while a request waits.
    pub fn new(rules: BudgetRules, reason: String) -> Self {
        Self {
            budget: Mutex::new(RequestBudget::new(rules)),
            began: Instant::now(),
            reason,
        }
    }

    /// Waits until a request of this weight may be made, and counts it.
    pub async fn admit(&self, weight: u32) {
        // Others may have made requests during the wait: the rules are asked again after it.
        while let Err(earliest) = self.try_admit(weight) {
            wait_until(self.began + earliest, &self.reason).await;
        }
    }

    fn try_admit(&self, weight: u32) -> Result<(), Duration> {
        let now = self.began.elapsed();
        self.budget().take(now, weight)
    }

    /// Lets nothing through for a while.
    pub fn pause_for(&self, pause: Duration) {
        let until = self.began.elapsed().saturating_add(pause);
        self.budget().pause_until(until);
    }

    /// What is left of the pause that the provider asked for.
    pub fn pause_left(&self) -> Duration {
        let now = self.began.elapsed();
        self.budget().paused_until().saturating_sub(now)
    }

    /// Takes over the weight that the provider says was used in its window.
    pub fn note_used(&self, used: u32) {
        let now = self.began.elapsed();
        self.budget().note_used(now, used);
    }

    fn budget(&self) -> MutexGuard<'_, RequestBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
