//! How long a step will still take, from what it has reported: a pure function of fractions and
//! instants.
//!
//! Time left = time per fraction · fraction left, where the time per fraction is that of the newer
//! half of the work: a slow beginning is forgotten by half way. Between two reports the estimate
//! counts down.

use std::time::Duration;

use tokio::time::Instant;

/// Estimates are shown after this much work.
const ESTIMATE_AFTER: Duration = Duration::from_secs(2);
/// Weight of the newest estimate against the ones before.
const SMOOTHING: f64 = 0.3;
/// A growth by this much may be a jump to a checkpoint, which took no time.
const JUMP: f64 = 0.05;
/// A jump is faster than the work before it by this factor.
const JUMP_SPEED: f64 = 10.0;
/// Estimates that differ by more than this factor are not shown: nobody knows.
const SPREAD_MAX: f64 = 2.0;
/// A steady run is not made to wait longer more often than this in a row.
const RISES_MAX: u8 = 2;
/// Samples are this far apart at least, which bounds their number.
const SAMPLE_DISTANCE: f64 = 1.0 / 128.0;

/// How much was done at an instant.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    fraction: f64,
}

/// Seconds left, as of an instant.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    at: Instant,
    seconds: f64,
}

impl Estimate {
    /// The seconds that are left at a later instant.
    fn counted_down(self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.seconds - since).max(0.0)
    }
}

/// The estimate of one attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Estimator {
    /// From where counting began to now, ascending.
    samples: Vec<Sample>,
    /// The newest report that was further than those before.
    newest: Option<Sample>,
    estimate: Option<Estimate>,
    /// Rises of the shown value in a row.
    rises: u8,
    /// The last three estimates before smoothing, as seconds after `origin`.
    ends: [Option<f64>; 3],
    origin: Option<Instant>,
    /// The first growth has been seen.
    has_begun: bool,
}

/// Seconds from one instant to a later one; never 0, because speeds are made of them.
fn seconds_between(start: Instant, end: Instant) -> f64 {
    end.saturating_duration_since(start).as_secs_f64().max(1e-3)
}

impl Estimator {
    /// Takes a report of the work: the fraction that is done at `now`. Reports that go no further
    /// than those before say nothing about speed.
    pub(crate) fn observe(&mut self, fraction: f64, now: Instant) {
        let sample = Sample { at: now, fraction };
        let Some(before) = self.newest.replace(sample) else {
            self.begin_at(sample);
            return;
        };
        if fraction <= before.fraction {
            self.newest = Some(before);
            return;
        }
        if self.is_jump(before, sample) {
            self.begin_at(sample);
            return;
        }

        if let Some(raw) = self.raw_estimate(sample) {
            self.show(raw, now);
        }
        let last = self.samples.last().map_or(0.0, |last| last.fraction);
        if fraction - last >= SAMPLE_DISTANCE {
            self.samples.push(sample);
        }
    }

    /// Seconds left at `now`; none while nobody can know.
    pub(crate) fn remaining(&self, now: Instant) -> Option<f64> {
        let estimate = self.estimate.filter(|_| self.is_consistent())?;
        Some(estimate.counted_down(now))
    }

    fn begin_at(&mut self, sample: Sample) {
        *self = Self {
            samples: vec![sample],
            newest: Some(sample),
            origin: Some(self.origin.unwrap_or(sample.at)),
            has_begun: self.has_begun,
            ..Self::default()
        };
    }

    /// True for a growth that is much faster than the work before it. Of the first one nobody can
    /// say, so that it is not counted if it is large.
    fn is_jump(&mut self, before: Sample, sample: Sample) -> bool {
        let grown = sample.fraction - before.fraction;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if grown < JUMP || is_first {
            return grown >= JUMP;
        }

        let speed_before = self.samples.first().map_or(0.0, |first| {
            let done = before.fraction - first.fraction;
            done / seconds_between(first.at, before.at)
        });
        // Right after a jump there is no work before it to compare with.
        let speed = grown / seconds_between(before.at, sample.at);
        speed_before > 0.0 && speed > JUMP_SPEED * speed_before
    }

    /// From the newer half of the work.
    fn raw_estimate(&self, sample: Sample) -> Option<f64> {
        let first = self.samples.first()?;
        if sample.at.saturating_duration_since(first.at) < ESTIMATE_AFTER {
            return None;
        }

        let half = f64::midpoint(first.fraction, sample.fraction);
        let base = self
            .samples
            .iter()
            .rev()
            .find(|each| each.fraction <= half)?;
        let seconds = sample.at.saturating_duration_since(base.at).as_secs_f64();
        Some(seconds / (sample.fraction - base.fraction) * (1.0 - sample.fraction))
    }

    fn show(&mut self, raw: f64, now: Instant) {
        let origin = self.origin.unwrap_or(now);
        let end = now.saturating_duration_since(origin).as_secs_f64() + raw;
        self.ends.rotate_left(1);
        if let Some(last) = self.ends.last_mut() {
            *last = Some(end);
        }

        let Some(estimate) = self.estimate else {
            self.estimate = Some(Estimate {
                at: now,
                seconds: raw,
            });
            return;
        };
        let before = estimate.counted_down(now);
        let mut seconds = before + SMOOTHING * (raw - before);

        // People read a number that keeps rising as a lie; one that is far off is believed.
        let is_far_off = raw > SPREAD_MAX * estimate.seconds;
        let rises = seconds > estimate.seconds;
        if rises && self.rises >= RISES_MAX && !is_far_off {
            seconds = estimate.seconds;
        }
        self.rises = if seconds > estimate.seconds {
            self.rises.saturating_add(1)
        } else {
            0
        };
        self.estimate = Some(Estimate { at: now, seconds });
    }

    /// False when the last three estimates contradict each other.
    fn is_consistent(&self) -> bool {
        let (Some(newest), Some(origin)) = (self.newest, self.origin) else {
            return false;
        };
        let now = newest.at.saturating_duration_since(origin).as_secs_f64();

        // As seconds from now, which is what people read.
        let remaining = self.ends.iter().flatten().map(|end| (end - now).max(1.0));
        let (least, most) = remaining.fold((f64::MAX, 0.0_f64), |(least, most), each| {
            (least.min(each), most.max(each))
        });
        most <= SPREAD_MAX * least
    }
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
