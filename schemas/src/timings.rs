//! How long steps of a kind have taken, and what a new one may be expected to take.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::codec::Message;

/// Durations that are kept; older ones go.
pub const DURATIONS_MAX: usize = 10;
/// Fewest durations from which one is expected.
const DURATIONS_MIN: usize = 2;
/// What a duration counts after a week, and after a month.
const AGE_WEIGHTS: [(SignedDuration, f64); 2] = [
    (SignedDuration::from_hours(30 * 24), 0.5),
    (SignedDuration::from_hours(7 * 24), 0.8),
];
/// Items from which a step counts as of medium size, and as large.
const MEDIUM: u64 = 1_000;
const LARGE: u64 = 10_000;

/// How long one step took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimedStep {
    /// From its claim to its end, in seconds.
    pub seconds: f64,
    /// When it ended.
    pub at: Timestamp,
}

/// The last durations of the steps of one key, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Version of this layout.
    pub v: u16,
    /// At most [`DURATIONS_MAX`] of them.
    pub steps: Vec<TimedStep>,
}

impl Message for Timings {
    const NAME: &'static str = "timings";
    const VERSION: u16 = 1;
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            v: Self::VERSION,
            steps: Vec::new(),
        }
    }
}

impl Timings {
    /// Adds the newest duration; the oldest one goes if there are too many.
    pub fn add(&mut self, step: TimedStep) {
        self.steps.push(step);
        let surplus = self.steps.len().saturating_sub(DURATIONS_MAX);
        self.steps.drain(..surplus);
    }
}

/// The seconds that a step may be expected to take at `now`: the mean of the last durations, the
/// newest counting most. None while there are too few.
pub fn expected_seconds(steps: &[TimedStep], now: Timestamp) -> Option<f64> {
    let mut newest_last: Vec<&TimedStep> = steps.iter().collect();
    newest_last.sort_by_key(|step| step.at);
    let surplus = newest_last.len().saturating_sub(DURATIONS_MAX);
    newest_last.drain(..surplus);
    if newest_last.len() < DURATIONS_MIN {
        return None;
    }

    let mut sum = 0.0;
    let mut weights = 0.0;
    for (index, step) in newest_last.iter().enumerate() {
        let weight = (index + 1) as f64 * weight_of_age(now.duration_since(step.at));
        sum += weight * step.seconds;
        weights += weight;
    }
    Some(sum / weights)
}

fn weight_of_age(age: SignedDuration) -> f64 {
    let weight = AGE_WEIGHTS.iter().find(|(limit, _)| age >= *limit);
    weight.map_or(1.0, |(_, weight)| *weight)
}

/// The size class of a step by the items that it works on: `small`, `medium`, `large`, or `unknown`
/// where there are none to count.
pub fn size_class(items: u64) -> &'static str {
    match items {
        0 => "unknown",
        1..MEDIUM => "small",
        MEDIUM..LARGE => "medium",
        _ => "large",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(seconds: f64, days_ago: i64, now: Timestamp) -> TimedStep {
        TimedStep {
            seconds,
            at: now - SignedDuration::from_hours(24 * days_ago),
        }
    }

    #[test]
    fn the_newest_duration_counts_most() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();

        // Weights 1 and 2: (1 · 10 + 2 · 40) / 3.
        let steps = [step(10.0, 1, now), step(40.0, 0, now)];
        assert_eq!(expected_seconds(&steps, now), Some(30.0));

        // The older one is 8 days old: (0.8 · 10 + 2 · 40) / 2.8.
        let steps = [step(10.0, 8, now), step(40.0, 0, now)];
        let expected = expected_seconds(&steps, now).unwrap();
        assert!((expected - 88.0 / 2.8).abs() < 1e-9, "{expected}");

        // 31 days old: (0.5 · 10 + 2 · 40) / 2.5, in whatever order they come.
        let steps = [step(40.0, 0, now), step(10.0, 31, now)];
        assert_eq!(expected_seconds(&steps, now), Some(34.0));
    }

    #[test]
    fn one_duration_is_no_history() {
        let now = Timestamp::UNIX_EPOCH;

        assert_eq!(expected_seconds(&[], now), None);
        assert_eq!(expected_seconds(&[step(10.0, 0, now)], now), None);
    }

    #[test]
    fn the_last_ten_durations_are_kept() {
        let now = Timestamp::UNIX_EPOCH;
        let mut timings = Timings::default();
        for seconds in 1..=12 {
            timings.add(step(f64::from(seconds), 0, now));
        }

        let last: Vec<f64> = timings.steps.iter().map(|step| step.seconds).collect();
        assert_eq!(last, [3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]);
    }

    #[test]
    fn a_size_is_that_of_the_items() {
        let classes = [0, 1, 999, 1_000, 9_999, 10_000].map(size_class);

        let expected = ["unknown", "small", "small", "medium", "medium", "large"];
        assert_eq!(classes, expected);
    }
}
