//! How many historical requests an account may make in which time.
//!
//! [`IbBudget`] decides without a clock: instants are durations since any common beginning.
//! [`IbPacer`] waits for it, over all processes of the same account. A head timestamp is a
//! historical request as well.

use std::sync::Arc;
use std::time::Duration;

use runtime::SharedMemory;

use crate::pacer::Pacer;
use crate::request_budget::{BudgetRules, KindRules, RequestBudget, RequestKind};

/// Weight of all requests in [`WINDOW`], at most.
const WEIGHT_MAX: u32 = 60;
/// The window that the weight counts in.
const WINDOW: Duration = Duration::from_secs(600);
/// Requests for one contract, exchange and price in [`BURST_WINDOW`], at most.
const BURST_MAX: u32 = 5;
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

    fn empty_budget(self) -> RequestBudget {
        let kinds = KindRules {
            identical_apart: self.identical_apart,
            burst_max: BURST_MAX,
            burst_window: BURST_WINDOW,
        };
        RequestBudget::with_kinds(self.budget(), kinds)
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

impl PacedRequest {
    /// What the rules look at: the same in every process.
    pub fn kind(&self) -> RequestKind {
        RequestKind {
            weight: self.weight,
            identity: hash_of(&self.identity),
            stream: hash_of(&self.tick),
        }
    }
}

/// FNV-1a, which every process computes alike; never 0, which stands for none.
fn hash_of(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.max(1)
}

/// The historical requests of the last ten minutes.
#[derive(Clone, Debug)]
pub struct IbBudget(RequestBudget);

impl IbBudget {
    /// Without any request yet.
    pub fn new(rules: PacingRules) -> Self {
        Self(rules.empty_budget())
    }

    /// Makes a request at `now`, if every rule allows it.
    ///
    /// # Errors
    /// The earliest instant at which they do, as far as is known now.
    pub fn take(&mut self, now: Duration, request: &PacedRequest) -> Result<(), Duration> {
        self.0.take_until(now, now, request.kind())
    }

    /// Lets nothing through before an instant.
    pub fn pause_until(&mut self, instant: Duration) {
        self.0.pause_until(instant);
    }

    /// Weight of the requests in the window.
    pub fn used(&self) -> u32 {
        self.0.used()
    }
}

/// Lets historical requests through when the rules of an account allow it.
#[derive(Debug)]
pub struct IbPacer(Pacer);

impl IbPacer {
    /// For an account, shared by all that have the same memory.
    pub fn new(rules: PacingRules, memory: Arc<dyn SharedMemory>, account: &str) -> Self {
        let account = format!("ib {account}");
        let reason = |used: u32| {
            format!("the limit of ib: {used} of {WEIGHT_MAX} requests in 10 minutes were made")
        };
        Self(Pacer::shared(
            memory,
            &account,
            rules.empty_budget(),
            reason,
        ))
    }

    /// Waits until a request may be made, and counts it.
    pub async fn admit(&self, request: &PacedRequest) {
        self.0.admit_kind(request.kind()).await;
    }

    /// Lets nothing through for a while.
    pub async fn pause_for(&self, pause: Duration) {
        self.0.pause_for(pause).await;
    }

    /// Weight of the requests in the last ten minutes, as far as is known.
    pub fn used(&self) -> u32 {
        self.0.used()
    }

    /// Reads what others have done.
    pub async fn look(&self) {
        self.0.look().await;
    }

    /// How long this number of further requests takes by the rules alone.
    pub fn schedule(&self, requests: usize) -> Duration {
        self.0.schedule(RequestKind::of(1), requests)
    }
}
