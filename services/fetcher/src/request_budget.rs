//! How many requests an account may make in which time, decided without a clock: instants are
//! durations since any common beginning.

use std::collections::VecDeque;
use std::time::Duration;

/// What a provider allows an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetRules {
    /// Weight of all requests in a window, at most.
    pub weight_max: u32,
    /// Length of the window, which ends now, whenever now is.
    pub window: Duration,
    /// Time between two requests, at least.
    pub spacing: Duration,
}

impl BudgetRules {
    /// The same rules with a share of the weight, in percent, at least 1.
    #[must_use]
    pub fn with_percent(self, percent: u8) -> Self {
        let weight = u64::from(self.weight_max) * u64::from(percent.min(100)) / 100;
        Self {
            weight_max: u32::try_from(weight).unwrap_or(u32::MAX).max(1),
            ..self
        }
    }
}

/// The requests of the last window, and pauses that the provider asked for.
#[derive(Clone, Debug)]
pub struct RequestBudget {
    rules: BudgetRules,
    /// When each request was made, and its weight; oldest first.
    made: VecDeque<(Duration, u32)>,
    /// Nothing may be asked before.
    paused_until: Duration,
}

impl RequestBudget {
    /// Without any request yet.
    pub fn new(rules: BudgetRules) -> Self {
        Self {
            rules,
            made: VecDeque::new(),
            paused_until: Duration::ZERO,
        }
    }

    /// Makes a request of this weight at `now`, if the rules allow it.
    ///
    /// # Errors
    /// The earliest instant at which they do, as far as is known now.
    pub fn take(&mut self, now: Duration, weight: u32) -> Result<(), Duration> {
        let earliest = self.earliest(now, weight);
        if earliest > now {
            return Err(earliest);
        }

        self.made.push_back((now, weight));
        Ok(())
    }

    /// When a request of this weight may be made.
    fn earliest(&mut self, now: Duration, weight: u32) -> Duration {
        self.forget_before(now);
        let last = self.made.back().map(|(at, _)| *at + self.rules.spacing);
        let mut earliest = now.max(self.paused_until).max(last.unwrap_or_default());

        // A request heavier than the whole budget is made when nothing else is in the window.
        let room = self.rules.weight_max.saturating_sub(weight);
        let mut used = self.used();
        for (at, weight) in &self.made {
            if used <= room {
                break;
            }
            used = used.saturating_sub(*weight);
            earliest = earliest.max(*at + self.rules.window);
        }
        earliest
    }

    /// Weight of the requests in the window that ended when it was last looked at.
    pub fn used(&self) -> u32 {
        let weights = self.made.iter().map(|(_, weight)| *weight);
        weights.fold(0, u32::saturating_add)
    }

    /// Lets nothing through before an instant.
    pub fn pause_until(&mut self, instant: Duration) {
        self.paused_until = self.paused_until.max(instant);
    }

    /// The end of the pause that the provider asked for last.
    pub const fn paused_until(&self) -> Duration {
        self.paused_until
    }

    /// Takes over what the provider says was used: requests of other processes count as well.
    pub fn note_used(&mut self, now: Duration, used: u32) {
        self.forget_before(now);
        let others = used.saturating_sub(self.used());
        if others > 0 {
            self.made.push_back((now, others));
        }
    }

    fn forget_before(&mut self, now: Duration) {
        while let Some((at, _)) = self.made.front() {
            if *at + self.rules.window > now {
                return;
            }
            self.made.pop_front();
        }
    }
}
