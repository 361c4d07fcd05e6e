//! Progress from the work to the bus: a latest-value slot, and a task that drains it at most 20
//! times a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::Bus;
use jiff::Timestamp;
use schemas::errors::shortened;
use schemas::ids::{OperationId, Service, StepNumber, WorkerId};
use schemas::progress::{PROGRESS_MESSAGE_BYTES_MAX, Progress, ProgressRecord};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::meters;
use crate::time_left::{Schedule, TimeLeft};

/// At most one message in this time; after this much quiet the next value goes out at once.
const QUIET: Duration = Duration::from_millis(50);
/// At least one message in this time while the step runs, even without news.
const REPEAT: Duration = Duration::from_secs(5);
/// A rate is that of this much work at least.
const RATE_AFTER: Duration = Duration::from_secs(2);

/// Holds the newest value, which the publisher takes once; older ones are overwritten.
#[derive(Default)]
pub struct ProgressSlot {
    newest: Mutex<Option<Progress>>,
    /// True until the publisher has taken the newest value.
    is_fresh: AtomicBool,
    filled: Notify,
    puts: AtomicU64,
    /// What the work said last about the time that is left, and when; taken by the publisher.
    schedule: Mutex<Option<(Schedule, Instant)>>,
    /// Items in all, as reported last; 0 while nobody has said so.
    items_total: AtomicU64,
}

impl ProgressSlot {
    /// Stores a value. Costs well below a microsecond and never waits for the bus: the lock is held
    /// for a swap only.
    pub fn put(&self, progress: Progress) {
        if let Some(items) = progress.items {
            self.items_total.store(items.total, Ordering::Relaxed);
        }
        if let Ok(mut newest) = self.newest.lock() {
            *newest = Some(progress);
            self.is_fresh.store(true, Ordering::Release);
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.filled.notify_one();
    }

    /// Stores what the work says about the time that is left.
    pub fn put_schedule(&self, schedule: Schedule) {
        if let Ok(mut newest) = self.schedule.lock() {
            *newest = Some((schedule, Instant::now()));
        }
    }

    fn take_schedule(&self) -> Option<(Schedule, Instant)> {
        self.schedule.lock().ok()?.take()
    }

    /// Number of values put so far; it stops growing when the work hangs.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::Relaxed)
    }

    /// Items of the work in all; 0 while nobody has said so.
    pub fn items_total(&self) -> u64 {
        self.items_total.load(Ordering::Relaxed)
    }

    /// The last value, whether it was taken or not.
    pub(crate) fn last(&self) -> Option<Progress> {
        self.newest.lock().ok()?.clone()
    }

    fn take(&self) -> Option<Progress> {
        let newest = self.newest.lock().ok()?;
        let is_fresh = self.is_fresh.swap(false, Ordering::Acquire);
        newest.clone().filter(|_| is_fresh)
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

/// Turns values into records: sequence, percent that never falls, estimate, rate. Its clock is
/// given with each value.
struct Renderer {
    of: ProgressOf,
    started_at: Timestamp,
    seq: u64,
    /// The largest fraction of the step so far, 0 to 1.
    fraction: f64,
    time_left: TimeLeft,
    rate: Rate,
}

impl Renderer {
    /// Begins with sequence 1 at 0 %.
    fn new(of: ProgressOf, started_at: Timestamp) -> Self {
        Self {
            of,
            started_at,
            seq: 0,
            fraction: 0.0,
            time_left: TimeLeft::default(),
            rate: Rate::default(),
        }
    }

    /// The next record for `progress`, taken at `now`.
    fn render(&mut self, progress: &Progress, at: Timestamp, now: Instant) -> ProgressRecord {
        self.seq += 1;

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
            eta_s: self.time_left.remaining(now).map(round_to_tenth),
            rate: self.rate.per_second.map(round_to_tenth),
            message: shortened(&progress.message, PROGRESS_MESSAGE_BYTES_MAX),
            items: progress.items,
            context: progress.context.clone(),
            waiting: progress.waiting.clone(),
        }
    }

    /// Takes a report of the work. Repetitions of an older one are none.
    fn observe(&mut self, progress: &Progress, now: Instant) {
        let reported = if progress.fraction.is_finite() {
            progress.fraction.clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.fraction = self.fraction.max(reported);
        self.time_left.observe(progress, self.fraction, now);
        if let Some(items) = progress.items {
            self.rate.observe(items.done, now);
        }
    }
}

/// How many items the work does in a second, since its first report.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    first: Option<(Instant, u64)>,
    per_second: Option<f64>,
}

impl Rate {
    fn observe(&mut self, done: u64, now: Instant) {
        let (since, from) = *self.first.get_or_insert((now, done));
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= RATE_AFTER && done > from {
            self.per_second = Some((done - from) as f64 / elapsed.as_secs_f64());
        }
    }
}

fn round_to_tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Publishes the values of the slot until it is dropped.
pub(crate) async fn publish(bus: Bus, slot: Arc<ProgressSlot>, of: ProgressOf) {
    let mut renderer = Renderer::new(of, Timestamp::now());
    let mut last = Progress::default();
    let mut puts = slot.puts();

    loop {
        // Without news the last value is repeated, so that a late follower finds one.
        let _ = timeout(REPEAT, slot.filled.notified()).await;
        let puts_before = std::mem::replace(&mut puts, slot.puts());
        if let Some(progress) = slot.take() {
            last = progress;
            renderer.observe(&last, Instant::now());
        }
        if let Some((schedule, at)) = slot.take_schedule() {
            renderer.time_left.note_schedule(schedule, at);
        }

        let record = renderer.render(&last, Timestamp::now(), Instant::now());
        if let Err(error) = bus.progress().publish(&record).await {
            tracing::debug!(error = %error, "progress not published");
        }
        meters::progress_published((puts - puts_before).saturating_sub(1));
        sleep_until(Instant::now() + QUIET).await;
    }
}

#[cfg(test)]
mod tests {
    use schemas::progress::Count;

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

    /// The record of a report at the start of the attempt.
    fn record_of(renderer: &mut Renderer, progress: &Progress, now: Instant) -> ProgressRecord {
        renderer.observe(progress, now);
        renderer.render(progress, Timestamp::UNIX_EPOCH, now)
    }

    #[test]
    fn percent_stays_in_the_range_of_the_step_and_never_falls() {
        let start = Instant::now();
        let mut renderer = Renderer::new(of((20.0, 40.0)), Timestamp::UNIX_EPOCH);

        let percents = [0.0, 0.5, 0.25, f64::NAN, 1.0]
            .map(|fraction| record_of(&mut renderer, &at_fraction(fraction), start).percent);

        assert_eq!(percents, [20.0, 30.0, 30.0, 30.0, 40.0]);
    }

    #[test]
    fn a_hundred_percent_is_left_to_completion() {
        let mut renderer = Renderer::new(of((0.0, 100.0)), Timestamp::UNIX_EPOCH);

        let record = record_of(&mut renderer, &at_fraction(1.0), Instant::now());

        assert_eq!(record.percent, 99.9);
    }

    #[test]
    fn the_rate_counts_items_from_the_first_report_on() {
        let start = Instant::now();
        let mut renderer = Renderer::new(of((0.0, 100.0)), Timestamp::UNIX_EPOCH);
        let at_item = |done| Progress {
            items: Some(Count { done, total: 100 }),
            ..Progress::default()
        };

        // A resumed step begins at 40: 20 items in 4 s are 5 a second.
        assert_eq!(record_of(&mut renderer, &at_item(40), start).rate, None);
        let later = start + Duration::from_secs(4);
        assert_eq!(
            record_of(&mut renderer, &at_item(60), later).rate,
            Some(5.0)
        );
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
