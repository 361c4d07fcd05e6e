//! The loop over the segments of a series: several are asked for at a time, answers are taken up in
//! the order of the plan, and one that fails does not keep the others.

use std::collections::VecDeque;
use std::future::pending;

use futures::StreamExt as _;
use futures::stream::{FuturesOrdered, FuturesUnordered};
use jiff::civil::Date;
use runtime::{Schedule, StepError, StepReporter};
use schemas::progress::{Count, SegmentCounts, Waiting};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, interval, sleep_until};

use crate::asking::{Asker, FailedRange, SegmentEnd};
use crate::attended::{REPEAT, is_worth_showing, with_wait};
use crate::error::FetchError;
use crate::fetch::{FETCHED, PLANNED, SeriesFetch};
use crate::plan::{FetchPlan, Segment, completed};
use crate::provider::Provider;
use crate::staging::Staged;
use crate::stored_state::StoredState;
use crate::tally::Tally;
use crate::waits::with_shown_waits;

/// The segments of a series at work.
pub(crate) struct SegmentRun<'a> {
    pub(crate) plan: &'a FetchPlan,
    pub(crate) state: &'a mut StoredState,
    pub(crate) tally: &'a mut Tally,
    pub(crate) finished: &'a Option<String>,
    pub(crate) staged: Staged,
    /// How many segments came to what.
    pub(crate) counts: SegmentCounts,
    /// Missing bars of the segments that have ended.
    done: Count,
    /// The segments that have ended without a whole answer.
    failed: Vec<SegmentEnd>,
    /// The segments that nobody asked for.
    unasked: Vec<Segment>,
}

/// What the segments came to.
pub(crate) struct RunEnd {
    /// How many came to what.
    pub(crate) counts: SegmentCounts,
    /// The ranges without an answer, each with the number of bars that it misses.
    pub(crate) unanswered: Vec<(FailedRange, u64)>,
}

/// A segment that is asked for.
struct Open {
    segment: Segment,
    waits: watch::Receiver<Option<Waiting>>,
}

impl Open {
    /// Returns when it begins or ends a wait; never once it has ended.
    async fn wait_changes(&mut self) {
        if self.waits.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

impl<'a> SegmentRun<'a> {
    /// With nothing asked for yet.
    pub(crate) fn new(
        plan: &'a FetchPlan,
        state: &'a mut StoredState,
        tally: &'a mut Tally,
        finished: &'a Option<String>,
    ) -> Self {
        let total = plan.segments.iter().map(|segment| segment.bars).sum();

        Self {
            plan,
            state,
            tally,
            finished,
            staged: Staged::default(),
            counts: SegmentCounts {
                total: plan.segments.len() as u64,
                ..SegmentCounts::default()
            },
            done: Count { done: 0, total },
            failed: Vec::new(),
            unasked: Vec::new(),
        }
    }

    /// The segments of which nobody knows more than that the provider was away; they are taken off
    /// the failed ones.
    fn take_outages(&mut self, was_outage: impl Fn(u64) -> bool) -> Vec<Segment> {
        let failed = std::mem::take(&mut self.failed);
        let (outages, others) = failed.into_iter().partition(|end: &SegmentEnd| {
            let mut rows = end.failures.iter().map(|failure| failure.row);
            rows.all(|row| row.is_some_and(&was_outage))
        });
        self.failed = others;
        self.counts.failed = self.failed.len() as u64;

        let outages: Vec<SegmentEnd> = outages;
        outages.iter().map(SegmentEnd::unanswered).collect()
    }

    /// The share of the series that is done.
    fn share(&self) -> f64 {
        let done = self.done.done as f64 / self.done.total.max(1) as f64;
        PLANNED + (FETCHED - PLANNED) * done.min(1.0)
    }
}

impl<P: Provider + ?Sized, R: StepReporter> SeriesFetch<'_, P, R> {
    /// Asks for every segment, and stores the answers.
    pub(crate) async fn fetch_segments(
        &self,
        mut run: SegmentRun<'_>,
    ) -> Result<RunEnd, FetchError> {
        let answered = self.ask_twice(&mut run).await;
        // Whatever ended the loop: what came before is kept.
        let committed = self.commit_staged(&mut run).await;
        answered?;
        committed?;

        let SegmentRun {
            state,
            mut counts,
            failed,
            unasked,
            ..
        } = run;
        counts.skipped = unasked.len() as u64;
        let unasked = unasked.into_iter().map(|segment| {
            let bars = segment.bars;
            (FailedRange::unasked(segment.range), bars)
        });
        let failures = failed.into_iter().flat_map(|end| end.failures);
        let mut unanswered: Vec<(FailedRange, u64)> = failures
            .map(|failure| {
                let slots = completed(&self.facts(state, None), failure.range.clone());
                let missing = slots.len() - state.opens_in(&slots).len().min(slots.len());
                (failure, missing as u64)
            })
            .collect();
        unanswered.extend(unasked);
        Ok(RunEnd { counts, unanswered })
    }

    /// Asks for every segment, and once more for those that failed in an outage which is over.
    async fn ask_twice(&self, run: &mut SegmentRun<'_>) -> Result<(), FetchError> {
        let asker = self.asker();
        self.ask_all(&asker, run.plan.segments.clone(), run).await?;

        if asker.breaker.is_spent() || !run.unasked.is_empty() {
            return Ok(());
        }
        let again = run.take_outages(|row| asker.breaker.was_outage(row));
        self.ask_all(&asker, again, run).await
    }

    async fn ask_all(
        &self,
        asker: &Asker<'_, P>,
        segments: Vec<Segment>,
        run: &mut SegmentRun<'_>,
    ) -> Result<(), FetchError> {
        let mut rest = segments.into_iter();
        let mut answers = FuturesOrdered::new();
        let mut open: VecDeque<Open> = VecDeque::new();
        let mut repeats = interval(REPEAT);
        let mut is_shown = false;

        loop {
            while open.len() < asker.rules.at_once.max(1)
                && let Some(segment) = rest.next()
            {
                self.reporter.check_stop()?;
                let (sender, waits) = watch::channel(None);
                answers.push_back(with_shown_waits(sender, asker.segment(segment.clone())));
                open.push_back(Open { segment, waits });
                self.show_segment(run, open.front());
            }

            tokio::select! {
                biased;
                () = self.reporter.until_stop() => return Err(StepError::Stopped.into()),
                () = until(run.staged.due()) => self.commit_staged(run).await?,
                end = answers.next() => {
                    let Some(end) = end else { return Ok(()) };
                    open.pop_front();
                    if self.take_up(end, run).await? {
                        let open = open.drain(..).map(|open| open.segment);
                        run.unasked.extend(open.chain(rest));
                        return Ok(());
                    }
                    self.show_segment(run, open.front());
                }
                () = next_look(&mut open, &mut repeats) => {
                    is_shown = self.show_wait(run, &open, is_shown);
                }
            }
        }
    }

    /// Takes up what a segment came to; true if no other one may be asked for.
    async fn take_up(
        &self,
        mut end: SegmentEnd,
        run: &mut SegmentRun<'_>,
    ) -> Result<bool, FetchError> {
        let answers = end.whole_answers();
        let is_empty = answers.iter().all(|(_, bars)| bars.is_empty());
        for (range, bars) in &answers {
            self.stage(range, bars, run).await?;
        }

        run.done.done = (run.done.done + end.segment.bars).min(run.done.total);
        if end.failures.is_empty() {
            let of_kind = match is_empty {
                true => &mut run.counts.empty,
                false => &mut run.counts.ok,
            };
            *of_kind += 1;
            return Ok(false);
        }

        let ends_series = end.ends_series;
        run.failed.push(end);
        run.counts.failed = run.failed.len() as u64;
        Ok(ends_series)
    }

    /// Shows the oldest segment without an answer.
    fn show_segment(&self, run: &SegmentRun<'_>, open: Option<&Open>) {
        let Some(open) = open else { return };
        let start: Date = open.segment.range.start.date();
        let end: Date = open.segment.range.end.date();
        let counts = run.counts;
        let number = (counts.ended() + 1).min(counts.total);

        let rest = counts.total.saturating_sub(counts.ended());
        self.reporter.schedule(Schedule {
            until: (self.index + 1) as f64 / self.count as f64,
            lasts: self
                .provider
                .scheduled_time(self.key, usize::try_from(rest).unwrap_or(usize::MAX)),
        });

        let message = format!(
            "Segment {number}/{}: {start} to {end} ({}, {} mode)",
            counts.total,
            self.title(),
            self.command.mode.as_str()
        );
        let progress = self.progress(run.share(), run.tally.work.new, counts);
        self.report_segments(progress, run.done, message);
    }

    /// Shows what the requests wait for; a wait that is over must not be seen any longer.
    fn show_wait(&self, run: &SegmentRun<'_>, open: &VecDeque<Open>, is_shown: bool) -> bool {
        let waits = open.iter().filter_map(|open| open.waits.borrow().clone());
        let lasting = waits.filter(is_worth_showing);
        let longest = lasting.max_by_key(|waiting| waiting.until);
        let is_waiting = longest.is_some();

        if is_waiting || is_shown {
            let progress = self.progress(run.share(), run.tally.work.new, run.counts);
            self.reporter.report(with_wait(&progress, longest));
        }
        is_waiting
    }
}

/// Waits until what the requests wait for is to be shown: for the first time, or again.
async fn next_look(open: &mut VecDeque<Open>, repeats: &mut Interval) {
    tokio::select! {
        () = any_wait_changes(open) => {}
        _ = repeats.tick() => {}
    }
}

/// Waits until one of the requests begins or ends a wait.
async fn any_wait_changes(open: &mut VecDeque<Open>) {
    let mut changes: FuturesUnordered<_> = open.iter_mut().map(Open::wait_changes).collect();
    if changes.next().await.is_none() {
        pending::<()>().await;
    }
}

/// Waits until an instant; for ever without one.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
