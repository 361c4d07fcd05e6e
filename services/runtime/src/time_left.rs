//! How long a step will still take: what its reports show, or what its own schedule says, whichever
//! is longer.
//!
//! Work that is held to a limit is done in bursts, so that its speed in one moment says nothing. It
//! knows the limit: it says how long what is left takes by that alone. Then the reports show how
//! long the work itself takes, the waits not counted.

use std::time::Duration;

use schemas::progress::Progress;
use tokio::time::Instant;

use crate::estimate::Estimator;

/// A schedule that is shorter says nothing while no work has been seen.
const LONG: f64 = 10.0;

/// What the work says about the time that is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The fraction of the step that it is about: from the one of now to this one.
    pub until: f64,
    /// The time to get there, at least.
    pub lasts: Duration,
}

/// The schedule as of an instant.
#[derive(Clone, Copy, Debug)]
struct Noted {
    at: Instant,
    /// Seconds from then to the end of the step.
    seconds: f64,
}

/// The time that one attempt will still take.
#[derive(Clone, Debug, Default)]
pub struct TimeLeft {
    by_clock: Estimator,
    /// By a clock that stands still during waits.
    by_work: Estimator,
    waited: Duration,
    waiting_since: Option<Instant>,
    fraction: f64,
    noted: Option<Noted>,
}

impl TimeLeft {
    /// Takes a report of the work. `fraction` is what is done of the step.
    pub fn observe(&mut self, progress: &Progress, fraction: f64, now: Instant) {
        self.fraction = fraction;
        self.by_clock.observe(fraction, now);
        self.by_work.observe(fraction, self.working_time(now));

        match (progress.waiting.is_some(), self.waiting_since) {
            (true, None) => self.waiting_since = Some(now),
            (false, Some(since)) => {
                self.waited += now.saturating_duration_since(since);
                self.waiting_since = None;
            }
            _ => {}
        }
    }

    /// Takes what the work says about the time that is left. What comes after its fraction takes
    /// as long in proportion.
    pub fn note_schedule(&mut self, schedule: Schedule, now: Instant) {
        let covered = (schedule.until - self.fraction).max(f64::EPSILON);
        let rest = (1.0 - self.fraction).max(0.0);
        self.noted = Some(Noted {
            at: now,
            seconds: schedule.lasts.as_secs_f64() * (rest / covered).max(1.0),
        });
    }

    /// Seconds left at `now`; none while nobody can know.
    pub fn remaining(&self, now: Instant) -> Option<f64> {
        let Some(noted) = self.noted else {
            return self.by_clock.remaining(now);
        };

        let elapsed = now.saturating_duration_since(noted.at).as_secs_f64();
        let scheduled = (noted.seconds - elapsed).max(0.0);
        match self.by_work.remaining(self.working_time(now)) {
            Some(observed) => Some(observed.max(scheduled)),
            None => Some(scheduled).filter(|seconds| *seconds >= LONG),
        }
    }

    /// The instant by the clock that stands still during waits.
    fn working_time(&self, now: Instant) -> Instant {
        let waiting = self
            .waiting_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        now.checked_sub(self.waited + waiting).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use schemas::progress::Waiting;

    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn report(is_waiting: bool) -> Progress {
        let waiting = Waiting {
            reason: "a limit".to_owned(),
            until: None,
        };
        Progress {
            waiting: is_waiting.then_some(waiting),
            ..Progress::default()
        }
    }

    #[test]
    fn the_longer_one_of_schedule_and_work_is_said() {
        let start = Instant::now();
        let mut time_left = TimeLeft::default();

        // A hundredth in 4 s is 400 s of work in all.
        for number in 0..=10_u32 {
            let now = start + seconds(4) * number;
            time_left.observe(&report(false), f64::from(number) / 100.0, now);
        }
        let now = start + seconds(40);
        let until = |lasts| Schedule {
            until: 1.0,
            lasts: seconds(lasts),
        };
        time_left.note_schedule(until(10), now);
        let by_work = time_left.remaining(now).unwrap();
        assert!((by_work - 360.0).abs() < 1.0, "{by_work}");

        // By the limit it takes three hours; nothing is capped.
        time_left.note_schedule(until(10_800), now);
        assert_eq!(time_left.remaining(now), Some(10_800.0));
        assert_eq!(time_left.remaining(now + seconds(800)), Some(10_000.0));
    }

    #[test]
    fn waits_do_not_make_the_work_slow() {
        let start = Instant::now();
        let mut time_left = TimeLeft::default();
        for number in 0..=10_u32 {
            let now = start + seconds(4) * number;
            time_left.observe(&report(false), f64::from(number) / 100.0, now);
        }

        // It waits for ten minutes, and goes on as before.
        time_left.observe(&report(true), 0.1, start + seconds(40));
        time_left.observe(&report(false), 0.1, start + seconds(640));
        for number in 1..=10_u32 {
            let now = start + seconds(640) + seconds(4) * number;
            time_left.observe(&report(false), 0.1 + f64::from(number) / 100.0, now);
        }
        let now = start + seconds(680);
        let nothing = Schedule {
            until: 1.0,
            lasts: Duration::ZERO,
        };
        time_left.note_schedule(nothing, now);

        let by_work = time_left.remaining(now).unwrap();
        assert!((by_work - 320.0).abs() < 1.0, "{by_work}");
    }

    #[test]
    fn what_a_schedule_leaves_out_takes_as_long_in_proportion() {
        let now = Instant::now();
        let mut time_left = TimeLeft::default();
        time_left.observe(&report(false), 0.2, now);

        // The first of two series takes 300 s from 0.2 to 0.5; 0.8 are left.
        let schedule = Schedule {
            until: 0.5,
            lasts: seconds(300),
        };
        time_left.note_schedule(schedule, now);

        let seconds_left = time_left.remaining(now).unwrap();
        assert!((seconds_left - 800.0).abs() < 0.1, "{seconds_left}");
    }
}
