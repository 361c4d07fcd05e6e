//! Answers on their way into the store: many are committed at a time, with what the provider did
//! not have, so that a fetch writes seldom and a crash costs little.

use std::mem::take;
use std::ops::Range;
use std::time::Duration;

use market::{Calendar, Utc, close_times, gaps};
use runtime::StepReporter;
use schemas::manifests::EmptyInterval;
use store::{Edit, RawBars};
use tokio::time::Instant;

use crate::error::FetchError;
use crate::fetch::SeriesFetch;
use crate::ledger::is_truncated;
use crate::plan::{completed, is_final};
use crate::provider::Provider;
use crate::seam::check_scale;
use crate::segment_loop::SegmentRun;
use crate::stored_state::StoredState;
use crate::tally::FetchCheckpoint;

/// The longest time that an answer stays out of the store.
const STAGED_FOR_MAX: Duration = Duration::from_secs(30);
/// Bars that stay out of the store, at most, beside those of the last answer.
const STAGED_BARS_MAX: usize = 50_000;

/// Answers that are not committed yet.
#[derive(Default)]
pub(crate) struct Staged {
    bars: RawBars,
    absent: Vec<EmptyInterval>,
    /// Bars that were answered, stored before or not.
    fetched: u64,
    answers: u64,
    empty_answers: u64,
    /// When the oldest of them came; absent without one.
    since: Option<Instant>,
}

impl Staged {
    /// When they must be committed; absent without any.
    pub(crate) fn due(&self) -> Option<Instant> {
        let since = self.since?;
        if self.bars.len() >= STAGED_BARS_MAX {
            return Some(since);
        }
        Some(since + STAGED_FOR_MAX)
    }
}

impl<P: Provider + ?Sized, R: StepReporter> SeriesFetch<'_, P, R> {
    /// Takes up the answer for a range of labels, together with what the provider turned out not to
    /// have.
    pub(crate) async fn stage(
        &self,
        range: &Range<Utc>,
        answer: &RawBars,
        run: &mut SegmentRun<'_>,
    ) -> Result<(), FetchError> {
        let answer = answer.between(range);

        // Bars of two scales in one series would look like a jump of the market.
        if !self.command.refetch
            && let Some(snapshot) = &run.state.snapshot
        {
            check_scale(self.store, self.key, snapshot, &answer).await?;
        }
        let bars = self.storable_bars(&answer, &run.state.opens)?;

        run.state.add_opens(&bars.open_time);
        let absent = self.absent_bars(range, &answer, run.plan.head, run.state);
        let staged = &mut run.staged;
        staged.bars.extend(&bars);
        staged.absent.extend(absent);
        staged.fetched += answer.len() as u64;
        staged.answers += 1;
        staged.empty_answers += u64::from(answer.is_empty());
        staged.since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Commits what is staged, bars and absences in one transaction, then leaves a checkpoint.
    pub(crate) async fn commit_staged(&self, run: &mut SegmentRun<'_>) -> Result<(), FetchError> {
        let staged = take(&mut run.staged);
        if staged.since.is_none() {
            return Ok(());
        }

        let edit = Edit {
            bars: staged.bars,
            empty_intervals: staged.absent,
            calendar: Calendar::for_key(self.key).name().to_owned(),
            at: self.now,
        };
        let snapshot = run.state.snapshot.as_ref();
        let revision = snapshot.map(|snapshot| snapshot.manifest.revision);
        let outcome = self.store.series().commit(self.key, edit, revision).await?;
        run.state.snapshot = Some(outcome.snapshot);

        // Counts of an earlier attempt come from the record, where anything may be written.
        let work = &mut run.tally.work;
        work.fetched = work.fetched.saturating_add(staged.fetched);
        work.new = work.new.saturating_add(outcome.new);
        work.changed = work.changed.saturating_add(outcome.changed);
        work.segments = work.segments.saturating_add(staged.answers);
        work.empty = work.empty.saturating_add(staged.empty_answers);

        // Written after the commit: a crash between the two loses counts, but never bars.
        let checkpoint = FetchCheckpoint {
            finished: run.finished.clone(),
            current: *run.tally,
        };
        self.reporter.checkpoint(&checkpoint).await?;
        Ok(())
    }

    /// The expected bars of a segment that did not come: they are kept as absent, so that they are
    /// not asked for again. An answer without its beginning says nothing about it.
    fn absent_bars(
        &self,
        range: &Range<Utc>,
        answer: &RawBars,
        head: Option<Utc>,
        state: &mut StoredState,
    ) -> Vec<EmptyInterval> {
        let mut slots = completed(&self.facts(state, None), range.clone());
        let first_label = answer.open_time.first().copied();
        let begins_after_head = head.is_none_or(|head| head < range.start);

        // At the provider's first bar a late beginning is normal; elsewhere the answer was cut.
        if self.provider.may_truncate() && begins_after_head && is_truncated(&slots, first_label) {
            let start = first_label.unwrap_or(range.start);
            slots.retain(|slot| slot.close > start);
            state.warnings.push(format!(
                "the provider's answer from {} begins at {start} only; what is missing before is \
                 asked for again",
                range.start
            ));
        }

        // What is there and cannot be used is not known to be absent.
        let mut present = self.provider.unusable(self.key, range);
        present.extend_from_slice(state.opens_in(&slots));
        present.sort_unstable();
        let absent = gaps(&slots, &present).into_iter();
        let intervals = absent.map(|gap| EmptyInterval {
            start: gap.start.0,
            end: gap.end.0,
            asked_at: self.now.0,
        });
        intervals.collect()
    }

    /// The bars of an answer that are complete, and new unless a refetch was asked for.
    fn storable_bars(&self, answer: &RawBars, stored: &[Utc]) -> Result<RawBars, FetchError> {
        let calendar = Calendar::for_key(self.key);
        let close_times = close_times(calendar, self.key, &answer.open_time)?;
        let mut bars = RawBars::default();

        for (bar, close_time) in answer.iter().zip(close_times) {
            let is_new = stored.binary_search(&bar.open_time).is_err();
            let is_complete = is_final(self.key.timeframe, close_time, self.now);
            if is_complete && (is_new || self.command.refetch) {
                bars.push(bar);
            }
        }
        Ok(bars)
    }
}
