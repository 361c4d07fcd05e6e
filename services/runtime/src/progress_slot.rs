//! Progress from the work to the bus: a latest-value slot, and a task that drains it at most 20
//! times a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::Bus;
use jiff::Timestamp;
use schemas::errors::shortened;
use schemas::ids::{OperationId, Service, StepNumber, WorkerId};
use schemas::progress::{PROGRESS_MESSAGE_BYTES_MAX, Progress, ProgressRecord};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

/// At most one message in this time; after this much quiet the next value goes out at once.
const QUIET: Duration = Duration::from_millis(50);
/// At least one message in this time while the step runs, even without news.
const REPEAT: Duration = Duration::from_secs(5);
/// Estimates are shown after this much work.
const ESTIMATE_AFTER: Duration = Duration::from_secs(2);
/// Weight of the newest estimate against the ones before.
const ESTIMATE_SMOOTHING: f64 = 0.3;

/// Holds the newest value until the publisher takes it; older ones are overwritten.
#[derive(Default)]
pub struct ProgressSlot {
    newest: Mutex<Option<Progress>>,
    filled: Notify,
    puts: AtomicU64,
}

impl ProgressSlot {
    /// Stores a value. Costs well below a microsecond and never waits for the bus: the lock is held
    /// for a swap only.
    pub fn put(&self, progress: Progress) {
        if let Ok(mut newest) = self.newest.lock() {
            *newest = Some(progress);
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.filled.notify_one();
    }

    /// Number of values put so far; it stops growing when the work hangs.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<Progress> {
        self.newest.lock().ok()?.take()
    }
}

/// The attempt that reports, and its place in the operation.
#[derive(Clone, Debug)]
pub(crate) struct ProgressOf {
    pub(crate) op: OperationId,
    pub(crate) step: StepNumber,
    /// Number of steps in the plan.
    pub(crate) steps: u16,
    pub(crate) service: Service,
    pub(crate) worker: WorkerId,
    pub(crate) attempt: u32,
    /// Percent of the operation at the beginning and at the end of the step.
    pub(crate) range: (f64, f64),
}

/// Turns values into records: sequence, percent that never falls, estimate. Its clock is given with
/// each value.
struct Renderer {
    of: ProgressOf,
    started_at: Timestamp,
    started: Instant,
    seq: u64,
    /// The largest fraction of the step so far, 0 to 1.
    fraction: f64,
    /// Where the first report began: estimates count from there.
    first: Option<(Instant, f64)>,
    /// Smoothed estimate of the remaining seconds.
    eta_s: Option<f64>,
}

impl Renderer {
    /// Begins with sequence 1 at 0 %.
    fn new(of: ProgressOf, started_at: Timestamp, started: Instant) -> Self {
        Self {
            of,
            started_at,
            started,
            seq: 0,
            fraction: 0.0,
            first: None,
            eta_s: None,
        }
    }

    /// The next record for `progress`, taken at `now`.
    fn render(&mut self, progress: &Progress, at: Timestamp, now: Instant) -> ProgressRecord {
        let reported = if progress.fraction.is_finite() {
            progress.fraction.clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.fraction = self.fraction.max(reported);
        self.seq += 1;
        self.update_estimate(now);

        let (start, end) = self.of.range;
        let percent = start + (end - start) * self.fraction;
        ProgressRecord {
            v: 1,
            op: self.of.op.clone(),
            step: self.of.step,
            steps: self.of.steps,
            service: self.of.service,
            worker: self.of.worker.clone(),
            attempt: self.of.attempt,
            seq: self.seq,
            at,
            started_at: self.started_at,
            // 100 is reserved for completion, which only the record can show.
            percent: round_to_tenth(percent).min(99.9),
            step_percent: round_to_tenth(100.0 * self.fraction),
            eta_s: self.eta_s.map(round_to_tenth),
            message: shortened(&progress.message, PROGRESS_MESSAGE_BYTES_MAX),
            items: progress.items,
            context: progress.context.clone(),
            waiting: progress.waiting.clone(),
        }
    }

    /// Remaining seconds = seconds per fraction so far · fraction left, smoothed. Counted from the
    /// first report, so that a resumed step does not credit the work of the attempt before.
    fn update_estimate(&mut self, now: Instant) {
        let (since, from) = *self
            .first
            .get_or_insert((self.started, self.fraction.min(0.999)));
        let done = self.fraction - from;
        let elapsed = now.saturating_duration_since(since);
        if elapsed < ESTIMATE_AFTER || done <= 0.0 {
            return;
        }

        let remaining = elapsed.as_secs_f64() / done * (1.0 - self.fraction);
        let before = self.eta_s.unwrap_or(remaining);
        self.eta_s = Some(before + ESTIMATE_SMOOTHING * (remaining - before));
    }
}

fn round_to_tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Publishes the values of the slot until it is dropped.
pub(crate) async fn publish(bus: Bus, slot: Arc<ProgressSlot>, of: ProgressOf) {
    let mut renderer = Renderer::new(of, Timestamp::now(), Instant::now());
    let mut last = Progress::default();

    loop {
        // Without news the last value is repeated, so that a late follower finds one.
        let _ = timeout(REPEAT, slot.filled.notified()).await;
        if let Some(progress) = slot.take() {
            last = progress;
        }

        let record = renderer.render(&last, Timestamp::now(), Instant::now());
        if let Err(error) = bus.progress().publish(&record).await {
            tracing::debug!(error = %error, "progress not published");
        }
        sleep_until(Instant::now() + QUIET).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: (f64, f64)) -> ProgressOf {
        ProgressOf {
            op: "op_dummy_20260301_142233_9f3a01bc".parse().unwrap(),
            step: StepNumber::FIRST,
            steps: 1,
            service: Service::Dummy,
            worker: "dummy-here-1-0001".parse().unwrap(),
            attempt: 1,
            range,
        }
    }

    fn at_fraction(fraction: f64) -> Progress {
        Progress {
            fraction,
            ..Progress::default()
        }
    }

    #[test]
    fn percent_stays_in_the_range_of_the_step_and_never_falls() {
        let start = Instant::now();
        let now = Timestamp::UNIX_EPOCH;
        let mut renderer = Renderer::new(of((20.0, 40.0)), now, start);

        let percents = [0.0, 0.5, 0.25, f64::NAN, 1.0]
            .map(|fraction| renderer.render(&at_fraction(fraction), now, start).percent);

        assert_eq!(percents, [20.0, 30.0, 30.0, 30.0, 40.0]);
    }

    #[test]
    fn a_hundred_percent_is_left_to_completion() {
        let start = Instant::now();
        let now = Timestamp::UNIX_EPOCH;
        let mut renderer = Renderer::new(of((0.0, 100.0)), now, start);

        assert_eq!(renderer.render(&at_fraction(1.0), now, start).percent, 99.9);
    }

    #[test]
    fn half_of_a_steady_step_after_ten_seconds_leaves_ten() {
        let start = Instant::now();
        let now = Timestamp::UNIX_EPOCH;
        let mut renderer = Renderer::new(of((0.0, 100.0)), now, start);
        assert_eq!(renderer.render(&at_fraction(0.05), now, start).eta_s, None);

        // From 5 % at the start to 50 % after 9 s is 5 % a second: ten seconds are left.
        let after = start + Duration::from_secs(9);
        let record = renderer.render(&at_fraction(0.5), now, after);
        assert_eq!(record.eta_s, Some(10.0));
    }

    #[test]
    fn eight_threads_of_updates_lose_no_final_value() {
        let slot = ProgressSlot::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        slot.put(at_fraction(0.5));
                    }
                });
            }
        });

        slot.put(at_fraction(1.0));

        assert_eq!(slot.take().map(|progress| progress.fraction), Some(1.0));
        assert_eq!(slot.puts(), 80_001);
    }
}
