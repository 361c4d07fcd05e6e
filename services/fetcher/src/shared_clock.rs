//! The clock of all processes that share a memory, read now and then and counted on from there, so
//! that a wrong clock of this machine does not matter.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as RealInstant, SystemTime};

use jiff::Timestamp;
use runtime::{MemoryAway, SharedMemory};
use tokio::time::Instant;

/// How long a reading is counted on: clocks drift.
const READING_HOLDS: Duration = Duration::from_secs(600);
/// A question that took longer is asked again: its answer is old by an unknown part of that.
const QUICK: Duration = Duration::from_millis(500);
/// Questions for one reading.
const QUESTIONS_MAX: usize = 3;
/// A difference between two clocks that says that this machine has slept.
const SLEPT: Duration = Duration::from_secs(2);

/// A clock whose instants are durations since 1970, in whole microseconds.
#[derive(Debug)]
pub(crate) struct SharedClock(Mutex<Reading>);

/// What the clock showed at an instant.
#[derive(Clone, Copy, Debug)]
struct Reading {
    time: Duration,
    at: Instant,
    /// It may have shown that much more.
    doubt: Duration,
    /// The same instant by a clock that sleeps with the machine, and by one that does not.
    real: (RealInstant, SystemTime),
    /// False for this machine's own clock.
    is_shared: bool,
}

impl Reading {
    fn new(time: Duration, doubt: Duration, is_shared: bool) -> Self {
        Self {
            time,
            doubt: in_micros(doubt),
            at: Instant::now(),
            real: (RealInstant::now(), SystemTime::now()),
            is_shared,
        }
    }

    fn now(&self) -> Duration {
        in_micros(self.time + self.at.elapsed())
    }

    fn is_due(&self) -> bool {
        let on_the_wall = self.real.1.elapsed().unwrap_or_default();
        let has_slept = on_the_wall.abs_diff(self.real.0.elapsed()) > SLEPT;
        !self.is_shared || has_slept || self.at.elapsed() >= READING_HOLDS
    }
}

impl Default for SharedClock {
    /// The clock of this machine, until the shared one is read.
    fn default() -> Self {
        Self(Mutex::new(Reading::new(
            since_1970(Timestamp::now()),
            Duration::ZERO,
            false,
        )))
    }
}

impl SharedClock {
    /// What it shows now at least: who waits for an instant goes by this.
    pub(crate) fn now(&self) -> Duration {
        self.reading().now()
    }

    /// What it shows now at most: who says when something was done goes by this.
    pub(crate) fn latest(&self) -> Duration {
        let reading = *self.reading();
        reading.now() + reading.doubt
    }

    /// The instant at which it shows something; now if it has shown it already.
    pub(crate) fn instant_of(&self, time: Duration) -> Instant {
        Instant::now() + time.saturating_sub(self.now())
    }

    /// Reads it, if the last reading is old. True if instants before were those of this machine's
    /// own clock.
    pub(crate) async fn read(&self, memory: &dyn SharedMemory) -> Result<bool, MemoryAway> {
        let before = *self.reading();
        if !before.is_due() {
            return Ok(false);
        }

        let mut best: Option<Reading> = None;
        for _ in 0..QUESTIONS_MAX {
            let began = Instant::now();
            let time = since_1970(memory.time().await?);
            let took = began.elapsed();

            // It was true at some instant between question and answer.
            let reading = Reading::new(time, took, true);
            if best.is_none_or(|best| took < best.doubt) {
                best = Some(reading);
            }
            if took <= QUICK {
                break;
            }
        }
        if let Some(reading) = best {
            *self.reading() = reading;
        }
        Ok(!before.is_shared)
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole microseconds, which is what records hold.
fn in_micros(duration: Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn since_1970(time: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
}
