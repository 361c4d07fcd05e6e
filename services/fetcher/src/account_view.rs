//! What one process makes of an account that it shares: what it read last, what it has done since,
//! and what it has reserved. No I/O, and no clock.

use std::time::Duration;

use schemas::pacing::PacingRecord;
use tokio::time::Instant;

use crate::request_budget::{Made, RequestBudget, RequestKind};

/// A reservation of several requests is this part of a window long, and this part of its weight, at
/// most.
const RESERVED_PART: u32 = 20;
/// How long a reservation of several requests holds, at most.
const HOLDS_MAX: Duration = Duration::from_secs(5);
/// Only in windows from this length on several requests are reserved in one.
const WINDOW_MIN: Duration = Duration::from_secs(10);
/// Requests that are reserved in one, at most.
const BATCH_MAX: u32 = 64;

/// What is reserved, and how much of it was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit {
    made: Made,
    spent: u32,
    last: Duration,
}

impl Permit {
    /// Of which a request of this weight is made at an instant.
    pub(crate) const fn new(made: Made, at: Duration, weight: u32) -> Self {
        Self {
            made,
            spent: weight,
            last: at,
        }
    }

    /// What was made of it.
    fn sent(&self) -> Made {
        let mut sent = self.made;
        sent.kind.weight = self.spent;
        sent.at = self.last.min(self.made.at);
        sent
    }

    /// How many requests the next reservation is for: more after one that was used up before its
    /// end, fewer after one of which half was left, and one after a quiet time.
    fn next_batch(&self, batch: u32, now: Duration) -> u32 {
        let weight = self.made.kind.weight;
        if now > self.made.at + HOLDS_MAX {
            return 1;
        }
        if self.spent >= weight && now <= self.made.at {
            return (batch * 2).min(BATCH_MAX);
        }
        if self.spent.saturating_mul(2) <= weight {
            return (batch / 2).max(1);
        }
        batch
    }
}

/// What a process would reserve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) kind: RequestKind,
    /// How long the reservation should hold.
    pub(crate) holds: Duration,
}

/// An account as one process sees it.
#[derive(Debug)]
pub(crate) struct AccountView {
    /// As it was read or written last.
    loaded: RequestBudget,
    /// What the next write names; absent before the first one.
    revision: Option<u64>,
    has_loaded: bool,
    /// What was counted otherwise than it was sent: told with the next write.
    corrections: Vec<(Made, Made)>,
    /// What was made without the memory.
    own: Vec<Made>,
    /// The weight that the provider said was used, and when.
    noted: Option<(Duration, u32)>,
    /// A pause that nobody else may have heard of.
    paused_until: Duration,
    permit: Option<Permit>,
    /// Requests that are reserved in one.
    batch: u32,
    /// Until when the memory is not asked; absent while it is there.
    away_until: Option<Instant>,
}

impl AccountView {
    pub(crate) fn new(empty: RequestBudget) -> Self {
        Self {
            loaded: empty,
            revision: None,
            has_loaded: false,
            corrections: Vec::new(),
            own: Vec::new(),
            noted: None,
            paused_until: Duration::ZERO,
            permit: None,
            batch: 1,
            away_until: None,
        }
    }

    /// Everything that is known: what was read, and what was done since.
    pub(crate) fn budget(&self) -> RequestBudget {
        let mut budget = self.loaded.clone();
        for (made, sent) in &self.corrections {
            budget.correct(*made, *sent);
        }
        for made in &self.own {
            budget.add(*made);
        }

        if let Some((at, used)) = self.noted {
            budget.note_used(at, used);
        }
        budget.pause_until(self.paused_until);
        budget
    }

    pub(crate) const fn revision(&self) -> Option<u64> {
        self.revision
    }

    pub(crate) const fn has_loaded(&self) -> bool {
        self.has_loaded
    }

    /// Makes a request of what is reserved; false if nothing is, or too little. `now` is not
    /// earlier than now.
    pub(crate) fn spend(&mut self, now: Duration, kind: RequestKind) -> bool {
        let paused_until = self.paused_until.max(self.loaded.paused_until());
        let Some(permit) = &mut self.permit else {
            return false;
        };

        let is_plain = kind == RequestKind::of(kind.weight);
        let has_room = permit.spent.saturating_add(kind.weight) <= permit.made.kind.weight;
        if !is_plain || !has_room || now > permit.made.at || now < paused_until {
            return false;
        }
        permit.spent += kind.weight;
        permit.last = now;
        true
    }

    /// Gives back what is left of a reservation, and learns how much to reserve the next time.
    pub(crate) fn close_permit(&mut self, now: Duration) {
        let Some(permit) = self.permit.take() else {
            return;
        };

        self.batch = permit.next_batch(self.batch, now);
        self.corrections.push((permit.made, permit.sent()));
    }

    /// Takes a reservation; false if its time is over, in which case it is given back.
    pub(crate) fn begin_permit(&mut self, mut permit: Permit) -> bool {
        if permit.last > permit.made.at {
            permit.spent = 0;
            self.corrections.push((permit.made, permit.sent()));
            return false;
        }

        // One that tells requests apart is used up at once.
        if permit.made.kind == RequestKind::of(permit.made.kind.weight) {
            self.permit = Some(permit);
        } else {
            self.corrections.push((permit.made, permit.sent()));
        }
        true
    }

    /// What to reserve for a request: more, where requests follow each other fast.
    pub(crate) fn wish(&self, kind: RequestKind) -> Wish {
        let rules = self.loaded.rules();
        let is_plain = kind == RequestKind::of(kind.weight);
        let can_batch = is_plain && rules.spacing.is_zero() && rules.window >= WINDOW_MIN;
        if !can_batch || self.batch == 1 {
            return Wish {
                kind,
                holds: Duration::ZERO,
            };
        }

        let most = (rules.weight_max / RESERVED_PART).max(kind.weight);
        let weight = kind.weight.saturating_mul(self.batch).min(most);
        Wish {
            kind: RequestKind::of(weight),
            holds: (rules.window / RESERVED_PART).min(HOLDS_MAX),
        }
    }

    pub(crate) fn pause_until(&mut self, until: Duration) {
        self.paused_until = self.paused_until.max(until);
    }

    /// Takes over the weight that the provider says was used. If others made requests that nobody
    /// here knew of, what is reserved may be too much.
    pub(crate) fn note_used(&mut self, now: Duration, used: u32) {
        if used > self.budget().used_at(now) {
            self.noted = Some((now, used));
            self.close_permit(now);
        }
    }

    /// Makes a request with a share of the budget, without asking anybody.
    pub(crate) fn take_own(
        &mut self,
        now: Duration,
        made: Made,
        percent: u8,
    ) -> Result<(), Duration> {
        let mut budget = self.budget().with_percent(percent);
        budget.take_until(now, made.at, made.kind)?;
        self.own.push(made);

        // Without anybody to tell them to, only the last window matters.
        let window = self.loaded.rules().window;
        self.own.retain(|made| made.at + window > now);
        Ok(())
    }

    /// Takes over what the memory has.
    pub(crate) fn note_loaded(
        &mut self,
        record: &PacingRecord,
        revision: Option<u64>,
        now: Duration,
    ) {
        self.loaded.load(record, now);
        self.revision = revision;
        self.has_loaded = true;
    }

    /// Everything that was done is in the memory.
    pub(crate) fn note_written(&mut self, written: RequestBudget, revision: u64) {
        self.loaded = written;
        self.revision = Some(revision);
        self.corrections.clear();
        self.own.clear();
        self.noted = None;
        if self.away_until.take().is_some() {
            tracing::info!("the limit of a provider is shared again");
        }
    }

    /// Moves what was made by another clock.
    pub(crate) fn move_own(&mut self, own_now: Duration, now: Duration) {
        let moved = |at: Duration| (at + now).saturating_sub(own_now);
        for made in &mut self.own {
            made.at = moved(made.at);
        }
        if self.paused_until > Duration::ZERO {
            self.paused_until = moved(self.paused_until);
        }
        self.noted = self.noted.map(|(at, used)| (moved(at), used));
        self.permit = None;
    }

    /// True the first time since the memory was there.
    pub(crate) fn note_away(&mut self, until: Instant) -> bool {
        self.away_until.replace(until).is_none()
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away_until.is_some_and(|until| Instant::now() < until)
    }
}
