//! Holds the requests of one account to what its provider allows, over all processes that share a
//! memory, and over their restarts.
//!
//! A request is reserved by one write: the requests of the last window with this one in it, in
//! place of what was read, if nobody else has written meanwhile. Where many requests are made a
//! write reserves several. Nothing is sent after the instant that was reserved. Without the memory
//! a process goes on with half of the budget, and says so.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::{MemoryAway, OwnMemory, SharedMemory};
use schemas::codec;
use schemas::pacing::PacingRecord;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::account_view::{AccountView, Permit};
use crate::memos::memo_key;
use crate::request_budget::{BudgetRules, Made, RequestBudget, RequestKind};
use crate::shared_clock::SharedClock;
use crate::waits::wait_until;

/// How long a reservation holds that a request is made with at once, and after a write that took
/// longer.
const PATIENCE: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// How often a write is repeated because others write.
const ROUNDS_MAX: usize = 32;
/// How long nobody asks for the memory after it was away.
const AWAY: Duration = Duration::from_secs(10);
/// Share of the budget that a process uses by itself, in percent.
const OWN_PERCENT: u8 = 50;

/// Lets requests through when the rules of an account allow it.
pub struct Pacer {
    /// What its record is called in the memory.
    key: String,
    memory: Arc<dyn SharedMemory>,
    clock: SharedClock,
    view: Mutex<AccountView>,
    /// Whoever reserves for this process.
    turn: AsyncMutex<()>,
    reason: Box<dyn Fn(u32) -> String + Send + Sync>,
}

impl fmt::Debug for Pacer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pacer")
            .field("key", &self.key)
            .field("view", &*self.view())
            .finish_non_exhaustive()
    }
}

impl Pacer {
    /// For an account of this process alone; `reason` is what people read while a request waits.
    pub fn new(rules: BudgetRules, reason: String) -> Self {
        let memory = Arc::new(OwnMemory::default());
        Self::shared(memory, "", RequestBudget::new(rules), move |_| {
            reason.clone()
        })
    }

    /// For an account that all processes share which have the same memory. `reason` makes what
    /// people read while a request waits from the weight that was used.
    pub fn shared(
        memory: Arc<dyn SharedMemory>,
        account: &str,
        empty: RequestBudget,
        reason: impl Fn(u32) -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            key: memo_key(&["account", account]),
            memory,
            clock: SharedClock::default(),
            view: Mutex::new(AccountView::new(empty)),
            turn: AsyncMutex::new(()),
            reason: Box::new(reason),
        }
    }

    /// What it shares with other processes.
    pub fn memory(&self) -> &Arc<dyn SharedMemory> {
        &self.memory
    }

    /// Waits until a request of this weight may be made, and counts it.
    pub async fn admit(&self, weight: u32) {
        self.admit_kind(RequestKind::of(weight)).await;
    }

    /// Waits until a request may be made, and counts it.
    pub async fn admit_kind(&self, kind: RequestKind) {
        // Others may have made requests during the wait: the rules are asked again after it.
        while let Err(earliest) = self.try_admit(kind).await {
            self.wait_for(earliest).await;
        }
    }

    /// Counts a request that is made at once.
    ///
    /// # Errors
    /// The earliest instant at which the rules allow it, as far as is known now.
    pub async fn try_admit(&self, kind: RequestKind) -> Result<(), Duration> {
        if self.view().spend(self.clock.latest(), kind) {
            return Ok(());
        }

        // One at a time: the others of this process profit from what it reads and reserves.
        let _turn = self.turn.lock().await;
        if self.view().spend(self.clock.latest(), kind) {
            return Ok(());
        }
        let now = self.clock.now();
        self.view().close_permit(now);
        self.view().budget().take_until(now, now, kind)?;
        self.reserve(kind).await
    }

    /// Waits until an instant that [`Self::try_admit`] said, and shows why.
    pub async fn wait_for(&self, earliest: Duration) {
        let now = self.clock.now();
        let used = self.view().budget().used_at(now);
        let mut reason = (self.reason)(used);
        if self.view().is_away() {
            reason += ", counted by this process alone because the bus is away";
        }
        wait_until(self.clock.instant_of(earliest), &reason).await;
    }

    /// Lets nothing through for a while, whoever asks.
    pub async fn pause_for(&self, pause: Duration) {
        let until = self.clock.now().saturating_add(pause);
        self.view().pause_until(until);

        let _turn = self.turn.lock().await;
        let published = self.change(|_, _| Ok::<_, Duration>(())).await;
        if let Err(away) = published {
            self.note_away(&away);
        }
    }

    /// What is left of the pause that the provider asked for.
    pub fn pause_left(&self) -> Duration {
        let paused_until = self.view().budget().paused_until();
        paused_until.saturating_sub(self.clock.now())
    }

    /// Takes over the weight that the provider says was used in its window.
    pub fn note_used(&self, used: u32) {
        let now = self.clock.now();
        self.view().note_used(now, used);
    }

    /// Weight of the requests in the window, as far as is known.
    pub fn used(&self) -> u32 {
        let now = self.clock.now();
        self.view().budget().used_at(now)
    }

    /// How long this number of further requests takes by the rules alone, if nobody else makes any.
    pub fn schedule(&self, kind: RequestKind, count: usize) -> Duration {
        let now = self.clock.now();
        let budget = self.view().budget();
        budget.schedule(now, kind, count)
    }

    /// Reads what others have done, for whoever only looks.
    pub async fn look(&self) {
        if self.view().is_away() {
            return;
        }
        let _turn = self.turn.lock().await;
        let looked = async {
            self.read_clock().await?;
            self.load().await
        };
        if let Err(away) = looked.await {
            self.note_away(&away);
        }
    }

    /// Reserves a request and what may follow it soon.
    async fn reserve(&self, kind: RequestKind) -> Result<(), Duration> {
        for patience in PATIENCE {
            if self.view().is_away() {
                break;
            }

            let wish = self.view().wish(kind);
            let reserved = self.change(|budget, now| {
                let latest = self.clock.latest();
                let whole = Made {
                    at: latest + patience.max(wish.holds),
                    kind: wish.kind,
                };
                let one = Made {
                    at: latest + patience,
                    kind,
                };
                take(budget, now, whole).or_else(|_| take(budget, now, one))
            });
            let made = match reserved.await {
                Ok(reserved) => reserved?,
                Err(away) => {
                    self.note_away(&away);
                    break;
                }
            };

            // A write that took too long reserved the past: it is given back with the next one.
            let permit = Permit::new(made, self.clock.latest(), kind.weight);
            if self.view().begin_permit(permit) {
                return Ok(());
            }
        }

        let now = self.clock.now();
        let made = Made {
            at: self.clock.latest(),
            kind,
        };
        self.view().take_own(now, made, OWN_PERCENT)
    }

    /// Changes what is shared, as often as others change it meanwhile. What `edit` refuses is not
    /// written.
    async fn change<T>(
        &self,
        edit: impl Fn(&mut RequestBudget, Duration) -> Result<T, Duration>,
    ) -> Result<Result<T, Duration>, MemoryAway> {
        self.read_clock().await?;
        if !self.view().has_loaded() {
            self.load().await?;
        }

        for _ in 0..ROUNDS_MAX {
            let mut budget = self.view().budget();
            let revision = self.view().revision();
            let edited = match edit(&mut budget, self.clock.now()) {
                Ok(edited) => edited,
                Err(earliest) => return Ok(Err(earliest)),
            };

            let payload = codec::encode(&budget.record()).map_err(away)?;
            let written = self.memory.replace(&self.key, payload, revision);
            match written.await? {
                Some(revision) => {
                    self.view().note_written(budget, revision);
                    return Ok(Ok(edited));
                }
                None => self.load().await?,
            }
        }
        Err(MemoryAway {
            reason: format!("{ROUNDS_MAX} writes met those of others"),
        })
    }

    async fn read_clock(&self) -> Result<(), MemoryAway> {
        let own_now = self.clock.now();
        if self.clock.read(&*self.memory).await? {
            let now = self.clock.now();
            self.view().move_own(own_now, now);
        }
        Ok(())
    }

    async fn load(&self) -> Result<(), MemoryAway> {
        let memo = self.memory.read(&self.key).await?;
        let revision = memo.as_ref().map(|memo| memo.revision);
        let record: PacingRecord = match memo {
            Some(memo) => codec::decode(&memo.value).map_err(away)?,
            None => PacingRecord::default(),
        };

        let now = self.clock.now();
        self.view().note_loaded(&record, revision, now);
        Ok(())
    }

    fn note_away(&self, away: &MemoryAway) {
        let until = Instant::now() + AWAY;
        if self.view().note_away(until) {
            let key = &self.key;
            tracing::warn!(
                key,
                %away,
                "the limit of a provider is counted in this process alone, with half of its share"
            );
        }
    }

    fn view(&self) -> MutexGuard<'_, AccountView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(budget: &mut RequestBudget, now: Duration, made: Made) -> Result<Made, Duration> {
    budget.take_until(now, made.at, made.kind)?;
    Ok(made)
}

fn away(error: codec::CodecError) -> MemoryAway {
    MemoryAway {
        reason: error.to_string(),
    }
}
