//! Lateness is not silence: what signs of life say about a worker, given how late they may be.
//!
//! Values in, values out: every time is one since the housekeeper began to listen, by a clock that
//! the caller reads. A sign counts from when it was *sent*. It carries the time of its sender, and
//! the fastest sign of late ties that clock to ours. A worker is lost when it has sent nothing for
//! the profile's silence, and so long after it that its next sign, however late, must have come.

use std::collections::VecDeque;
use std::time::Duration;

use schemas::worker::SignOfLife;

/// Extremes are remembered for this long at least, and for twice as long at most: clocks drift
/// apart by seconds in a day, so none may count for ever.
const MEMORY_MS: i64 = 30_000;
/// Own signs under way that are remembered; a connection that is down for long must not fill the
/// memory, and the oldest alone says how late they are.
const UNDER_WAY_MAX: usize = 256;

/// What can be said about a worker now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was heard lately.
    Alive,
    /// It is quiet for most of the silence: it may be lost soon.
    Suspected,
    /// It must be dead, or cut off.
    Lost,
}

/// Judges a worker whose last sign was sent `age` ago, when signs may be late by `lateness`.
pub(super) fn judge(age: Duration, lateness: Duration, silence: Duration) -> Verdict {
    if age > silence.saturating_add(lateness) {
        Verdict::Lost
    } else if age > silence / 4 * 3 {
        Verdict::Suspected
    } else {
        Verdict::Alive
    }
}

/// How long the housekeeper's own signs take to come back to it, by the way that the signs of
/// workers come.
#[derive(Debug, Default)]
pub(super) struct OwnSigns {
    /// Sequence and time of those that have not come back, oldest first.
    under_way: VecDeque<(u64, i64)>,
    round_trips: Extremes,
    /// The shortest round trip of all; of one clock alone, it cannot drift.
    shortest: Option<i64>,
}

impl OwnSigns {
    /// An own sign is sent.
    pub(super) fn send(&mut self, seq: u64, now: Duration) {
        if self.under_way.len() < UNDER_WAY_MAX {
            self.under_way.push_back((seq, in_ms(now)));
        }
    }

    /// An own sign has come back, so those before it will not come any more.
    pub(super) fn hear(&mut self, seq: u64, now: Duration) {
        let now = in_ms(now);

        while let Some(oldest) = self.under_way.front().copied() {
            if oldest.0 > seq {
                return;
            }
            self.under_way.pop_front();
            if oldest.0 == seq {
                let round_trip = now.saturating_sub(oldest.1);
                self.round_trips.note(round_trip, now);
                self.shortest = Some(self.shortest.map_or(round_trip, |it| it.min(round_trip)));
            }
        }
    }

    /// By how much a sign may be later than another one: half of the longest round trip of late,
    /// one that is not over included, or more where round trips differ by more. None before the
    /// first has come back.
    pub(super) fn lag(&self, now: Duration) -> Option<Duration> {
        let shortest = self.shortest?;
        let longest = self.round_trips.max()?;
        let waited = self
            .under_way
            .front()
            .map_or(0, |oldest| in_ms(now).saturating_sub(oldest.1));

        let longest = longest.max(waited);
        Some(from_ms((longest / 2).max(longest.saturating_sub(shortest))))
    }
}

/// The signs of one worker.
#[derive(Debug)]
pub(super) struct Signs {
    /// When we learned of the worker.
    known_since: i64,
    /// The newest time of sending, by the worker's clock.
    newest_sent: Option<i64>,
    /// By how much our clock was ahead of the worker's, journey included, when a sign came.
    offsets: Extremes,
}

impl Signs {
    /// Of a worker that showed itself now in another way.
    pub(super) fn new(now: Duration) -> Self {
        Self {
            known_since: in_ms(now),
            newest_sent: None,
            offsets: Extremes::default(),
        }
    }

    /// A sign arrives; one that cannot be read counts as sent when it came.
    pub(super) fn hear(&mut self, sign: Option<SignOfLife>, now: Duration) {
        let now = in_ms(now);
        let Some(sign) = sign else {
            self.known_since = self.known_since.max(now);
            return;
        };

        let sent = i64::try_from(sign.sent_ms).unwrap_or(i64::MAX);
        self.offsets.note(now.saturating_sub(sent), now);
        self.newest_sent = self.newest_sent.max(Some(sent));
    }

    /// When the newest sign was sent, by our clock; later by the journey of the fastest one.
    pub(super) fn last_sent(&self) -> Duration {
        let by_sender = self
            .newest_sent
            .zip(self.offsets.min())
            .map_or(self.known_since, |sign| sign.0.saturating_add(sign.1));

        from_ms(by_sender.max(self.known_since))
    }

    /// The verdict on the worker, given the housekeeper's own lag.
    pub(super) fn judge(&self, lag: Duration, silence: Duration, now: Duration) -> Verdict {
        let age = now.saturating_sub(self.last_sent());
        // Its own link may be slower than ours. Before the first sign nothing of its journey is
        // taken off yet: there and back, and what one sign may be later than another.
        let lateness = match self.newest_sent {
            Some(_) => lag.max(self.offsets.spread()),
            None => lag.saturating_mul(3),
        };

        judge(age, lateness, silence)
    }
}

/// The smallest and the largest of the values of late.
#[derive(Debug, Default)]
struct Extremes {
    current: Option<(i64, i64)>,
    earlier: Option<(i64, i64)>,
    current_since: i64,
}

impl Extremes {
    fn note(&mut self, value: i64, now: i64) {
        if now.saturating_sub(self.current_since) >= MEMORY_MS {
            self.earlier = self.current.take();
            self.current_since = now;
        }

        let current = self.current.get_or_insert((value, value));
        current.0 = current.0.min(value);
        current.1 = current.1.max(value);
    }

    fn min(&self) -> Option<i64> {
        let both = self.current.iter().chain(&self.earlier);
        both.map(|extremes| extremes.0).min()
    }

    fn max(&self) -> Option<i64> {
        let both = self.current.iter().chain(&self.earlier);
        both.map(|extremes| extremes.1).max()
    }

    fn spread(&self) -> Duration {
        let spread = self.max().zip(self.min());
        spread.map_or(Duration::ZERO, |spread| {
            from_ms(spread.0.saturating_sub(spread.1))
        })
    }
}

fn in_ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn from_ms(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
