//! How a provider is asked: how often, how many requests at a time, and when it is left alone.

use std::time::Duration;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How the loop asks a provider.
#[derive(Clone, Copy, Debug)]
pub struct AskingRules {
    /// Tries at one request, those of the provider's own included.
    pub tries_max: u32,
    /// Tries that the provider makes itself before it reports a failure.
    pub own_tries: u32,
    /// Requests that are open at the same time.
    pub at_once: usize,
    /// The shortest range that a request is cut down to after timeouts, in microseconds; none where
    /// the provider shortens its requests itself.
    pub span_min: Option<i64>,
    /// The pause after a refusal for pacing that comes without a time.
    pub pacing_pause: Duration,
    /// The longest such pause that is waited out.
    pub pacing_pause_max: Duration,
    /// Failed tries in a row after which the provider rests.
    pub failures_max: u32,
    /// How long that rest is.
    pub rest: Duration,
    /// Failed requests after such a rest, in a row, after which the work is given up.
    pub probes_max: u32,
    /// A number from 0 to 1 that a pause between two tries is multiplied with.
    pub jitter: fn() -> f64,
}

impl Default for AskingRules {
    /// Three tries, one request at a time, a rest of a minute after five failures.
    fn default() -> Self {
        Self {
            tries_max: 3,
            own_tries: 1,
            at_once: 1,
            span_min: Some(3_600_000_000),
            pacing_pause: Duration::from_secs(60),
            pacing_pause_max: Duration::from_secs(900),
            failures_max: 5,
            rest: Duration::from_secs(60),
            probes_max: 3,
            jitter: || rand::random_range(0.0..=1.0),
        }
    }
}

impl AskingRules {
    /// The pause after this number of tries: up to 2.5, 4.5, 8.5 and then 10 seconds.
    pub(crate) fn pause_after(&self, tries: u32) -> Duration {
        let seconds = 2.0_f64.powi(tries.min(10).cast_signed()) + 0.5;
        let longest = Duration::from_secs_f64(seconds).min(PAUSE_MAX);
        longest.mul_f64((self.jitter)())
    }
}
