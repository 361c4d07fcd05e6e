//! How many historical requests an account may make in which time.
//!
//! [`IbBudget`] decides without a clock: instants are durations since any common beginning.
//! [`IbPacer`] waits for it. A head timestamp is a historical request as well.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::request_budget::{BudgetRules, RequestBudget};
use crate::waits::wait_until;

/// Weight of all requests in [`WINDOW`], at most.
const WEIGHT_MAX: u32 = 60;
/// The window that the weight counts in.
const WINDOW: Duration = Duration::from_secs(600);
/// Requests for one contract, exchange and price in [`BURST_WINDOW`], at most.
const BURST_MAX: usize = 5;
/// The window that these requests count in.
const BURST_WINDOW: Duration = Duration::from_secs(2);

/// What is set about pacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacingRules {
    /// Share of the 60 requests in 10 minutes that is used, in percent.
    pub limit_percent: u8,
    /// Time between two historical requests.
    pub spacing: Duration,
    /// False where the 60 in 10 minutes are not counted: the provider has dropped that rule for
    /// bars of a minute and more, and slows down answers instead.
    pub counts_window: bool,
    /// Time between two identical requests.
    pub identical_apart: Duration,
}

impl Default for PacingRules {
    /// 80 percent, a second, the window counts, and 15 seconds.
    fn default() -> Self {
        Self {
            limit_percent: 80,
            spacing: Duration::from_secs(1),
            counts_window: true,
            identical_apart: Duration::from_secs(15),
        }
    }
}

impl PacingRules {
    fn budget(self) -> BudgetRules {
        let counted = BudgetRules {
            weight_max: WEIGHT_MAX,
            window: WINDOW,
            spacing: self.spacing,
        };
        if self.counts_window {
            return counted.with_percent(self.limit_percent);
        }
        BudgetRules {
            weight_max: u32::MAX,
            ..counted
        }
    }
}

/// What the rules tell requests apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacedRequest {
    /// Everything that is asked for: contract, end, duration, bar size, price and hours.
    pub identity: String,
    /// Contract, exchange and price.
    pub tick: String,
    /// 2 for bid and ask together, else 1.
    pub weight: u32,
}

/// The historical requests of the last ten minutes.
#[derive(Clone, Debug)]
pub struct IbBudget {
    window: RequestBudget,
    identical_apart: Duration,
    /// What was asked for lately, and when; oldest first.
    recent: VecDeque<(Duration, PacedRequest)>,
}

impl IbBudget {
    /// Without any request yet.
    pub fn new(rules: PacingRules) -> Self {
        Self {
            window: RequestBudget::new(rules.budget()),
            identical_apart: rules.identical_apart,
            recent: VecDeque::new(),
        }
    }

    /// Makes a request at `now`, if every rule allows it.
    ///
    /// # Errors
    /// The earliest instant at which they do, as far as is known now.
    pub fn take(&mut self, now: Duration, request: &PacedRequest) -> Result<(), Duration> {
        let remembered = self.identical_apart.max(BURST_WINDOW);
        let recent = self.recent.iter();
        let forgotten = recent.take_while(|(at, _)| *at + remembered <= now);
        self.recent.drain(..forgotten.count());

        let earliest = self.earliest_of_its_kind(request);
        if earliest > now {
            return Err(earliest);
        }
        self.window.take(now, request.weight)?;
        self.recent.push_back((now, request.clone()));
        Ok(())
    }

    /// When neither the same request nor others of its contract stand in the way.
    fn earliest_of_its_kind(&self, request: &PacedRequest) -> Duration {
        let newest_first = || self.recent.iter().rev();
        let same = newest_first().find(|(_, made)| made.identity == request.identity);
        let after_same = same.map(|(at, _)| *at + self.identical_apart);

        // The fifth newest of its contract must have left the window before a sixth one.
        let of_tick = newest_first().filter(|(_, made)| made.tick == request.tick);
        let mut weighted = of_tick.flat_map(|(at, made)| (0..made.weight).map(move |_| *at));
        let weight = usize::try_from(request.weight).unwrap_or(1).max(1);
        let in_the_way = weighted.nth(BURST_MAX.saturating_sub(weight));
        let after_burst = in_the_way.map(|at| at + BURST_WINDOW);

        after_same
            .unwrap_or_default()
            .max(after_burst.unwrap_or_default())
    }

    /// Lets nothing through before an instant.
    pub fn pause_until(&mut self, instant: Duration) {
        self.window.pause_until(instant);
    }

    /// Weight of the requests in the window.
    pub fn used(&self) -> u32 {
        self.window.used()
    }
}

/// Lets historical requests through when the rules of an account allow it.
#[derive(Debug)]
pub struct IbPacer {
    budget: Mutex<IbBudget>,
    /// What instants are counted from.
    began: Instant,
}

impl IbPacer {
    /// For an account that has asked for nothing yet.
    pub fn new(rules: PacingRules) -> Self {
        Self {
            budget: Mutex::new(IbBudget::new(rules)),
            began: Instant::now(),
        }
    }

    /// Waits until a request may be made, and counts it.
    pub async fn admit(&self, request: &PacedRequest) {
        // Others may have made requests during the wait: the rules are asked again after it.
        while let Err(earliest) = self.try_admit(request) {
            let reason = format!(
                "the limit of ib: {} of {WEIGHT_MAX} requests in 10 minutes were made",
                self.used()
            );
            wait_until(self.began + earliest, &reason).await;
        }
    }

    fn try_admit(&self, request: &PacedRequest) -> Result<(), Duration> {
        let now = self.began.elapsed();
        self.budget().take(now, request)
    }

    /// Lets nothing through for a while.
    pub fn pause_for(&self, pause: Duration) {
        let until = self.began.elapsed().saturating_add(pause);
        self.budget().pause_until(until);
    }

    /// Weight of the requests in the last ten minutes, as far as is known.
    pub fn used(&self) -> u32 {
        self.budget().used()
    }

    fn budget(&self) -> MutexGuard<'_, IbBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
