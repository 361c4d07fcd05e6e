//! How many requests an account may make in which time, decided without a clock: instants are
//! durations since any common beginning.
//!
//! A request is counted at the latest instant at which it may be sent. What is sent earlier breaks
//! no rule: whoever comes later looks back from an instant after that one.

use std::collections::VecDeque;
use std::time::Duration;

use schemas::pacing::{MadeRequest, PacingRecord};

/// Requests that are remembered, at most; older ones are counted together.
const REQUESTS_MAX: usize = 512;
/// Steps in which a window is reckoned, at most.
const WINDOW_STEPS: u32 = 64;
/// How far in the future the requests of others may seem to be, at most: a clock that is wrong must
/// not hold anybody up for longer.
const AHEAD_MAX: Duration = Duration::from_secs(10);
/// How long a pause of others may last, at most.
const PAUSE_MAX: Duration = Duration::from_secs(86_400);

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

/// What a provider allows beside the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindRules {
    /// Time between two identical requests, at least.
    pub identical_apart: Duration,
    /// Weight of the requests for one stream of prices in the burst window, at most.
    pub burst_max: u32,
    /// The window that these count in.
    pub burst_window: Duration,
}

/// What the rules tell requests apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKind {
    /// What it counts.
    pub weight: u32,
    /// Hash of everything that is asked for; 0 where no rule looks at it.
    pub identity: u64,
    /// Hash of the stream of prices; 0 where no rule looks at it.
    pub stream: u64,
}

impl RequestKind {
    /// A request of which only the weight counts.
    pub const fn of(weight: u32) -> Self {
        Self {
            weight,
            identity: 0,
            stream: 0,
        }
    }
}

/// A request that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// When it is sent, at the latest.
    pub at: Duration,
    /// What it was.
    pub kind: RequestKind,
}

impl Made {
    /// As other processes read it.
    fn record(&self) -> MadeRequest {
        MadeRequest {
            at: micros_of(self.at),
            weight: self.kind.weight,
            identity: self.kind.identity,
            stream: self.kind.stream,
        }
    }
}

/// The requests of the last window, and pauses that the provider asked for.
#[derive(Clone, Debug)]
pub struct RequestBudget {
    rules: BudgetRules,
    kinds: KindRules,
    /// Those that count, oldest first.
    made: VecDeque<Made>,
    /// Nothing may be asked before.
    paused_until: Duration,
}

impl RequestBudget {
    /// Without any request yet.
    pub fn new(rules: BudgetRules) -> Self {
        Self::with_kinds(rules, KindRules::default())
    }

    /// Of an account that tells requests apart.
    pub fn with_kinds(rules: BudgetRules, kinds: KindRules) -> Self {
        Self {
            rules,
            kinds,
            made: VecDeque::new(),
            paused_until: Duration::ZERO,
        }
    }

    /// The budget that it keeps to.
    pub const fn rules(&self) -> BudgetRules {
        self.rules
    }

    /// The same requests under a share of the budget, in percent.
    #[must_use]
    pub fn with_percent(&self, percent: u8) -> Self {
        Self {
            rules: self.rules.with_percent(percent),
            ..self.clone()
        }
    }

    /// Makes a request of this weight at `now`, if the rules allow it.
    ///
    /// # Errors
    /// The earliest instant at which they do, as far as is known now.
    pub fn take(&mut self, now: Duration, weight: u32) -> Result<(), Duration> {
        self.take_until(now, now, RequestKind::of(weight))
    }

    /// Makes a request that is sent from `now` to `until`, if the rules allow it now.
    ///
    /// # Errors
    /// The earliest instant at which they do, as far as is known now.
    pub fn take_until(
        &mut self,
        now: Duration,
        until: Duration,
        kind: RequestKind,
    ) -> Result<(), Duration> {
        let earliest = self.earliest(now, kind);
        if earliest > now {
            return Err(earliest);
        }

        self.insert(Made { at: until, kind });
        Ok(())
    }

    /// When a request may be made.
    fn earliest(&mut self, now: Duration, kind: RequestKind) -> Duration {
        self.forget_before(now);
        let last = self.made.back().map(|made| made.at + self.rules.spacing);
        let mut earliest = now.max(self.paused_until).max(last.unwrap_or_default());
        earliest = earliest.max(self.earliest_of_its_kind(kind));

        // A request heavier than the whole budget is made when nothing else is in the window.
        let room = self.rules.weight_max.saturating_sub(kind.weight);
        let mut used = self.used();
        for made in &self.made {
            if used <= room {
                break;
            }
            used = used.saturating_sub(made.kind.weight);
            earliest = earliest.max(made.at + self.rules.window);
        }
        earliest
    }

    /// When neither the same request nor others of its stream stand in the way.
    fn earliest_of_its_kind(&self, kind: RequestKind) -> Duration {
        let newest_first = || self.made.iter().rev();
        let mut same =
            newest_first().filter(|made| kind.identity != 0 && made.kind.identity == kind.identity);
        let after_same = same.next().map(|made| made.at + self.kinds.identical_apart);

        // As many as fill the burst must have left the window before one more is made.
        let mut room = self.kinds.burst_max.saturating_sub(kind.weight);
        let mut of_stream =
            newest_first().filter(|made| kind.stream != 0 && made.kind.stream == kind.stream);
        let in_the_way = of_stream.find(|made| {
            let is_too_much = made.kind.weight > room;
            room = room.saturating_sub(made.kind.weight);
            is_too_much
        });
        let after_burst = in_the_way.map(|made| made.at + self.kinds.burst_window);

        after_same
            .unwrap_or_default()
            .max(after_burst.unwrap_or_default())
    }

    /// Keeps the order, and the number of requests below its maximum.
    fn insert(&mut self, made: Made) {
        let place = self.made.partition_point(|each| each.at <= made.at);
        self.made.insert(place, made);

        // Counted as late as the later one: the two never count for less than before.
        while self.made.len() > REQUESTS_MAX {
            let oldest = self.made.pop_front().map_or(0, |made| made.kind.weight);
            if let Some(next) = self.made.front_mut() {
                next.kind.weight = next.kind.weight.saturating_add(oldest);
            }
        }
    }

    /// Corrects what was counted: `made` was sent earlier, or counts for less. Nothing if it is
    /// not there any more.
    pub fn correct(&mut self, made: Made, sent: Made) {
        let place = self.made.iter().rposition(|each| *each == made);
        let Some(place) = place else {
            return;
        };

        self.made.remove(place);
        if sent.kind.weight > 0 {
            self.insert(sent);
        }
    }

    /// Counts a request that was made in any case.
    pub fn add(&mut self, made: Made) {
        self.insert(made);
    }

    /// Weight of the requests in the window that ended when it was last looked at.
    pub fn used(&self) -> u32 {
        let weights = self.made.iter().map(|made| made.kind.weight);
        weights.fold(0, u32::saturating_add)
    }

    /// Weight of the requests in the window that ends at an instant.
    pub fn used_at(&self, now: Duration) -> u32 {
        let within = self
            .made
            .iter()
            .filter(|made| made.at + self.rules.window > now);
        let weights = within.map(|made| made.kind.weight);
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
            self.insert(Made {
                at: now,
                kind: RequestKind::of(others),
            });
        }
    }

    fn forget_before(&mut self, now: Duration) {
        let remembered = self
            .rules
            .window
            .max(self.kinds.identical_apart)
            .max(self.kinds.burst_window);
        while let Some(made) = self.made.front() {
            if made.at + remembered > now {
                return;
            }
            self.made.pop_front();
        }
    }

    /// How long this number of further requests takes that are made as early as the rules allow, if
    /// nobody else makes any.
    pub fn schedule(&self, now: Duration, kind: RequestKind, count: usize) -> Duration {
        let weight = kind.weight.max(1);
        let in_window = (self.rules.weight_max / weight).max(1);

        // Several at a time where a window holds very many.
        let together = match self.rules.spacing.is_zero() {
            true => (in_window / WINDOW_STEPS).max(1),
            false => 1,
        };
        let one = RequestKind {
            weight: weight.saturating_mul(together),
            ..kind
        };
        let half = usize::try_from((in_window / together).min(WINDOW_STEPS)).unwrap_or(1);
        let steps = count.div_ceil(usize::try_from(together).unwrap_or(1));

        // From the second window on, one is like the other.
        let whole = steps.saturating_sub(2 * half).div_ceil(half);
        let mut budget = self.clone();
        let mut made = vec![now];
        for _ in 0..steps.min(2 * half) {
            let mut at = made.last().copied().unwrap_or(now);
            while let Err(earliest) = budget.take_until(at, at, one) {
                at = earliest;
            }
            made.push(at);
        }
        let window = time_after(&made, 2 * half).saturating_sub(time_after(&made, half));
        let count = u32::try_from(whole).unwrap_or(u32::MAX);
        time_after(&made, steps - whole * half).saturating_add(window.saturating_mul(count))
    }

    /// What other processes are told; instants count from 1970.
    pub fn record(&self) -> PacingRecord {
        let made = self.made.iter().map(|made| made.record());
        PacingRecord {
            made: made.collect(),
            paused_until: micros_of(self.paused_until),
            ..PacingRecord::default()
        }
    }

    /// Takes over what other processes say, in place of everything before. What they say of the
    /// future is cut off.
    pub fn load(&mut self, record: &PacingRecord, now: Duration) {
        self.made.clear();
        for made in &record.made {
            let kind = RequestKind {
                weight: made.weight,
                identity: made.identity,
                stream: made.stream,
            };
            let at = duration_of(made.at).min(now + AHEAD_MAX);
            self.insert(Made { at, kind });
        }
        self.paused_until = duration_of(record.paused_until).min(now + PAUSE_MAX);
    }
}

/// The time from the first of some instants to the one after a number of steps.
fn time_after(instants: &[Duration], steps: usize) -> Duration {
    let first = instants.first().copied().unwrap_or_default();
    let after = instants.get(steps).or(instants.last());
    after.map_or(Duration::ZERO, |after| after.saturating_sub(first))
}

fn micros_of(instant: Duration) -> i64 {
    i64::try_from(instant.as_micros()).unwrap_or(i64::MAX)
}

fn duration_of(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
