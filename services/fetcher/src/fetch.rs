//! The work itself: plan a series, ask segment by segment, commit each one before the next.

use std::ops::Range;

use jiff::civil::Date;
use market::{Calendar, GapAnalysis, GapClass, Instrument, SeriesKey, Utc, close_times, gaps};
use runtime::{Schedule, StepReporter};
use schemas::codes;
use schemas::commands::fetch::SERIES_MAX;
use schemas::commands::{
    FetchBars, FetchCounts, FetchMode, FetchOutcome, FetchedSeries, SeriesRequest,
};
use schemas::errors::ErrorRecord;
use schemas::gaps::FetchedGaps;
use schemas::manifests::EmptyInterval;
use schemas::progress::{Context, Count, Progress};
use store::{ALL_TIME, Edit, RawBars, SeriesSnapshot, Store, report_key, report_sha256};

use crate::attended::attend;
use crate::error::FetchError;
use crate::finer::{SourceSeries, replace_missing};
use crate::gap_settings::GapSettings;
use crate::ledger::{holding_ranges, is_truncated};
use crate::plan::{
    FetchPlan, FetchWish, Segment, SeriesFacts, completed, find_gaps, is_final, obtainable, plan,
};
use crate::provider::Provider;
use crate::seam::check_scale;
use crate::stored_state::StoredState;
use crate::tally::{FetchCheckpoint, Tally};

/// Warnings kept per series.
const WARNINGS_MAX: usize = 5;

/// Shares of a series' progress: before its gaps are analysed, before the first request, and before
/// what follows the last one.
const ANALYSED: f64 = 0.05;
const PLANNED: f64 = 0.10;
const FETCHED: f64 = 0.94;

/// Fetches what is missing of every series of a command, in order. Run again after a crash, it goes
/// on where the last committed piece ends.
///
/// # Errors
/// See [`FetchError`]; what was committed stays.
pub async fn fetch<P: Provider + ?Sized>(
    store: &Store,
    provider: &P,
    command: &FetchBars,
    settings: &GapSettings,
    now: Utc,
    reporter: &impl StepReporter,
) -> Result<FetchOutcome, FetchError> {
    let sources = sources_of(store, provider, command).await?;
    let mut checkpoint: FetchCheckpoint = reporter.resume_point().unwrap_or_default();
    let mut finished: Vec<Tally> = match &checkpoint.finished {
        Some(hash) => store.reports().get(&report_key(hash)).await?,
        None => Vec::new(),
    };

    let mut series = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        let work = SeriesFetch {
            store,
            provider,
            command,
            settings,
            key: &source.key,
            now,
            reporter,
            index,
            count: sources.len(),
        };

        // A series that an earlier attempt finished is planned again, but its counts are complete.
        let finished_tally = finished.get(index).copied();
        let mut tally = finished_tally.unwrap_or(checkpoint.current);
        let fetched = match work.run(&mut tally, &checkpoint.finished).await {
            Err(FetchError::NothingStored { .. }) => {
                let keys = sources.into_iter().map(|source| source.key);
                return Err(name_all_missing(store, keys.skip(index)).await?);
            }
            result => result?,
        };
        series.push(with_notes(fetched, source));

        if finished_tally.is_none() && index + 1 < sources.len() {
            finished.push(tally);
            checkpoint = checkpoint_after(store, &finished).await?;
            reporter.checkpoint(&checkpoint).await?;
        }
    }
    Ok(FetchOutcome { series })
}

/// The checkpoint of an attempt that has finished these series.
async fn checkpoint_after(
    store: &Store,
    finished: &Vec<Tally>,
) -> Result<FetchCheckpoint, FetchError> {
    let report = store.reports().put(finished).await?;
    Ok(FetchCheckpoint {
        finished: report_sha256(&report).map(str::to_owned),
        current: Tally::default(),
    })
}

/// The series to fetch, in the order of the command.
async fn sources_of(
    store: &Store,
    provider: &(impl Provider + ?Sized),
    command: &FetchBars,
) -> Result<Vec<SourceSeries>, FetchError> {
    let keys = series_keys(store, provider, command).await?;
    if command.accept_finer {
        replace_missing(store, provider, keys).await
    } else {
        Ok(keys.into_iter().map(SourceSeries::of).collect())
    }
}

/// Adds to a fetched series what is made of its bars.
fn with_notes(mut fetched: FetchedSeries, source: &SourceSeries) -> FetchedSeries {
    fetched.warnings.splice(0..0, source.notes());
    fetched.warnings.truncate(WARNINGS_MAX);
    fetched
}

async fn series_keys(
    store: &Store,
    provider: &(impl Provider + ?Sized),
    command: &FetchBars,
) -> Result<Vec<SeriesKey>, FetchError> {
    let requests = &command.series;
    if requests.is_empty() || requests.len() > SERIES_MAX {
        return Err(FetchError::Count {
            count: requests.len(),
        });
    }

    // A calendar may have been added to the store after this process started.
    let name = command.calendar.as_deref();
    if name.is_some_and(|name| Calendar::named(name).is_none()) {
        store.calendars().load().await?;
    }
    requests
        .iter()
        .map(|request| series_key(provider, request, name))
        .collect()
}

/// Names all series that are not stored, so that nobody learns of them one run at a time.
async fn name_all_missing(
    store: &Store,
    keys: impl Iterator<Item = SeriesKey>,
) -> Result<FetchError, FetchError> {
    let mut series = Vec::new();

    for key in keys {
        if store.series().snapshot(&key, None).await?.is_none() {
            series.push(key);
        }
    }
    Ok(FetchError::NothingStored { series })
}

fn series_key(
    provider: &(impl Provider + ?Sized),
    request: &SeriesRequest,
    calendar: Option<&str>,
) -> Result<SeriesKey, FetchError> {
    let timeframe = request.timeframe.parse()?;
    let key = provider.series(Instrument::parse(&request.symbol)?, timeframe)?;
    match calendar {
        Some(name) => Ok(key.with_calendar(name)?),
        None => Ok(key),
    }
}

/// The fetch of one series of a command.
struct SeriesFetch<'a, P: ?Sized, R> {
    store: &'a Store,
    provider: &'a P,
    command: &'a FetchBars,
    settings: &'a GapSettings,
    key: &'a SeriesKey,
    now: Utc,
    reporter: &'a R,
    /// Place of the series in the command, from 0.
    index: usize,
    /// Number of series in the command.
    count: usize,
}

impl<P: Provider + ?Sized, R: StepReporter> SeriesFetch<'_, P, R> {
    async fn run(
        &self,
        tally: &mut Tally,
        finished: &Option<String>,
    ) -> Result<FetchedSeries, FetchError> {
        self.reporter.check_stop()?;
        let message = format!("Reading what is stored of {}", self.title());
        self.report(0.0, 0, message, None);
        let snapshot = self.store.series().snapshot(self.key, None).await?;
        let warnings = self.warn_of_loss(snapshot.as_ref()).await;
        self.report(ANALYSED, 0, self.analysis_message(), None);

        // Mode `local` asks no provider for anything.
        if self.command.mode == FetchMode::Local {
            let snapshot = snapshot.ok_or_else(|| FetchError::NothingStored {
                series: vec![self.key.clone()],
            })?;
            return Ok(fetched_series(&snapshot, Tally::default(), warnings));
        }

        let mut state = StoredState {
            opens: self.stored_opens(snapshot.as_ref()).await?,
            snapshot,
            warnings,
        };
        let request = self.provider.coverage(self.key);
        let coverage = attend(self.reporter, &self.progress(ANALYSED, 0), request).await?;
        let plan = plan(&self.wish(), &self.facts(&state, coverage.clone()))?;
        state.warnings.extend(plan.warnings.iter().cloned());
        tally.missing.get_or_insert(plan.missing);
        self.fetch_segments(&plan, &mut state, tally, finished)
            .await?;

        let remaining = self.find_remaining(&plan, &state, coverage);
        self.finish(&plan, state, *tally, &remaining)
    }

    /// Says that the newest manifest is gone, for the outcome and at once.
    async fn warn_of_loss(&self, snapshot: Option<&SeriesSnapshot>) -> Vec<String> {
        let Some(loss) = snapshot.and_then(SeriesSnapshot::describe_loss) else {
            return Vec::new();
        };

        let hint = "look for the cause in the store; the next commit writes a new manifest";
        let warning = ErrorRecord::new(codes::STORE_MANIFEST_LOST, loss.clone(), hint);
        self.reporter.warn(&warning).await;
        vec![loss]
    }

    /// Describes a series after its last request.
    fn finish(
        &self,
        plan: &FetchPlan,
        state: StoredState,
        tally: Tally,
        remaining: &GapAnalysis,
    ) -> Result<FetchedSeries, FetchError> {
        let StoredState {
            snapshot,
            mut warnings,
            ..
        } = state;

        // Nothing is stored and nothing could be asked for: there is no series to describe.
        let snapshot = snapshot.ok_or_else(|| FetchError::NothingThere {
            series: self.title(),
        })?;

        warnings.extend(self.provider.notes(self.key));
        let message = format!("Stored {}", self.title());
        self.report(1.0, tally.work.new, message, None);

        Ok(FetchedSeries {
            remaining: obtainable(remaining),
            gaps: compare_gaps(plan, tally, remaining),
            ..fetched_series(&snapshot, tally, warnings)
        })
    }

    /// Opens of the bars that are stored, ascending.
    async fn stored_opens(
        &self,
        snapshot: Option<&SeriesSnapshot>,
    ) -> Result<Vec<Utc>, FetchError> {
        match snapshot {
            Some(snapshot) => {
                let bars = self.store.series().raw_bars(snapshot, ALL_TIME).await?;
                Ok(bars.open_time)
            }
            None => Ok(Vec::new()),
        }
    }

    /// Asks for each segment and commits the answer before the next one, so that a crash costs one
    /// request.
    async fn fetch_segments(
        &self,
        plan: &FetchPlan,
        state: &mut StoredState,
        tally: &mut Tally,
        finished: &Option<String>,
    ) -> Result<(), FetchError> {
        let total: u64 = plan.segments.iter().map(|segment| segment.bars).sum();
        let mut done = 0;

        for (number, segment) in plan.segments.iter().enumerate() {
            self.reporter.check_stop()?;
            let share = PLANNED + (FETCHED - PLANNED) * done as f64 / total.max(1) as f64;
            let message = self.segment_message(number + 1, plan.segments.len(), &segment.range);
            self.report(share, tally.work.new, message, Some(Count { done, total }));

            self.reporter.schedule(Schedule {
                until: (self.index + 1) as f64 / self.count as f64,
                lasts: self
                    .provider
                    .scheduled_time(self.key, plan.segments.len() - number),
            });

            let progress = self.progress(share, tally.work.new);
            let request = self.provider.bars(self.key, segment.range.clone());
            let answer = attend(self.reporter, &progress, request).await?;
            self.commit_answer(&answer, segment, plan.head, state, &mut tally.work)
                .await?;
            done += segment.bars;

            // Written after the commit: a crash between the two loses counts, but never bars.
            let checkpoint = FetchCheckpoint {
                finished: finished.clone(),
                current: *tally,
            };
            self.reporter.checkpoint(&checkpoint).await?;
        }
        Ok(())
    }

    /// Commits the answer for one segment, together with what the provider turned out not to have.
    /// `head` is the label of the provider's first bar.
    async fn commit_answer(
        &self,
        answer: &RawBars,
        segment: &Segment,
        head: Option<Utc>,
        state: &mut StoredState,
        work: &mut FetchCounts,
    ) -> Result<(), FetchError> {
        let answer = answer.between(&segment.range);

        // Bars of two scales in one series would look like a jump of the market.
        if !self.command.refetch
            && let Some(snapshot) = &state.snapshot
        {
            check_scale(self.store, self.key, snapshot, &answer).await?;
        }
        let bars = self.storable_bars(&answer, &state.opens)?;

        state.add_opens(&bars.open_time);
        let empty_intervals = self.absent_bars(segment, &answer, head, state);
        let edit = Edit {
            bars,
            empty_intervals,
            calendar: Calendar::for_key(self.key).name().to_owned(),
            at: self.now,
        };
        let revision = state
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.manifest.revision);
        let outcome = self.store.series().commit(self.key, edit, revision).await?;

        // Counts of an earlier attempt come from the record, where anything may be written.
        work.fetched = work.fetched.saturating_add(answer.len() as u64);
        work.new = work.new.saturating_add(outcome.new);
        work.changed = work.changed.saturating_add(outcome.changed);
        work.segments = work.segments.saturating_add(1);
        work.empty = work.empty.saturating_add(u64::from(answer.is_empty()));
        state.snapshot = Some(outcome.snapshot);
        Ok(())
    }

    /// The expected bars of a segment that did not come: they are kept as absent, so that they are
    /// not asked for again. An answer without its beginning says nothing about it.
    fn absent_bars(
        &self,
        segment: &Segment,
        answer: &RawBars,
        head: Option<Utc>,
        state: &mut StoredState,
    ) -> Vec<EmptyInterval> {
        let mut slots = completed(&self.facts(state, None), segment.range.clone());
        let first_label = answer.open_time.first().copied();
        let begins_after_head = head.is_none_or(|head| head < segment.range.start);

        // At the provider's first bar a late beginning is normal; elsewhere the answer was cut.
        if self.provider.may_truncate() && begins_after_head && is_truncated(&slots, first_label) {
            let start = first_label.unwrap_or(segment.range.start);
            slots.retain(|slot| slot.close > start);
            state.warnings.push(format!(
                "the provider's answer from {} begins at {start} only; what is missing before is \
                 asked for again",
                segment.range.start
            ));
        }

        let absent = gaps(&slots, state.opens_in(&slots)).into_iter();
        let intervals = absent.map(|gap| EmptyInterval {
            start: gap.start.0,
            end: gap.end.0,
            asked_at: self.now.0,
        });
        intervals.collect()
    }

    /// The gaps of the planned range after the fetch.
    fn find_remaining(
        &self,
        plan: &FetchPlan,
        state: &StoredState,
        coverage: Option<Range<Utc>>,
    ) -> GapAnalysis {
        let Some(range) = &plan.range else {
            return GapAnalysis::default();
        };

        // Counted again: bars and ledger now hold what the plan could only ask for.
        let facts = self.facts(state, coverage);
        let slots = completed(&facts, range.clone());
        let known_empty = holding_ranges(state.ledger(), self.settings, self.now);
        find_gaps(&facts, range, &slots, &known_empty)
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

    fn wish(&self) -> FetchWish {
        let FetchBars {
            mode,
            start,
            end,
            refetch,
            ..
        } = self.command;

        FetchWish {
            mode: *mode,
            start: start.map(Utc::from_timestamp),
            end: end.map(Utc::from_timestamp),
            refetch: *refetch,
        }
    }

    fn facts<'k>(
        &'k self,
        state: &'k StoredState,
        coverage: Option<Range<Utc>>,
    ) -> SeriesFacts<'k> {
        SeriesFacts {
            key: self.key,
            calendar: Calendar::for_key(self.key),
            anchor: self.provider.anchor(),
            stored: &state.opens,
            empty: state.ledger(),
            coverage,
            span_max: self.provider.span_max(self.key.timeframe),
            settings: self.settings,
            now: self.now,
        }
    }

    fn title(&self) -> String {
        format!("{} {}", self.key.instrument.symbol(), self.key.timeframe)
    }

    fn analysis_message(&self) -> String {
        let mode = self.command.mode.as_str();
        format!("Analyse gaps of {} ({mode} mode)", self.title())
    }

    fn segment_message(&self, number: usize, count: usize, range: &Range<Utc>) -> String {
        let start: Date = range.start.date();
        let end: Date = range.end.date();

        format!(
            "Segment {number}/{count}: {start} to {end} ({}, {} mode)",
            self.title(),
            self.command.mode.as_str()
        )
    }

    /// Shows progress; `share` is the part of this series that is done, from 0 to 1.
    fn report(&self, share: f64, saved_bars: u64, message: String, items: Option<Count>) {
        let mut progress = self.progress(share, saved_bars);
        progress.message = message;
        progress.items = items;
        if let Context::Data { bars, .. } = &mut progress.context {
            *bars = items.map_or(0, |items| items.done);
        }
        self.reporter.report(progress);
    }

    /// The progress of this series without a message.
    fn progress(&self, share: f64, saved_bars: u64) -> Progress {
        let context = Context::Data {
            symbol: self.key.instrument.symbol(),
            timeframe: self.key.timeframe.to_string(),
            bars: 0,
            saved_bars,
        };

        // Every series has an equal share, as nobody knows yet how much the later ones miss.
        Progress {
            fraction: (self.index as f64 + share) / self.count as f64,
            context,
            ..Progress::default()
        }
    }
}

/// The gaps before and after a fetch.
fn compare_gaps(plan: &FetchPlan, tally: Tally, remaining: &GapAnalysis) -> FetchedGaps {
    let mut counts = plan.gaps.counts();
    let missing = tally.missing.unwrap_or(plan.missing);

    // An attempt before this one filled the bars that are not missing any more.
    let filled_before = missing.saturating_sub(plan.missing);
    if filled_before > 0 {
        let missing_data = counts.entry(GapClass::MissingData).or_default();
        missing_data.bars = missing_data.bars.saturating_add(filled_before);
    }

    FetchedGaps {
        found: counts,
        filled: missing.saturating_sub(obtainable(remaining)),
        remaining: remaining.counts(),
    }
}

/// The outcome of one series, without its gaps.
fn fetched_series(
    snapshot: &SeriesSnapshot,
    tally: Tally,
    mut warnings: Vec<String>,
) -> FetchedSeries {
    // The outcome has a share of the operation's record.
    warnings.truncate(WARNINGS_MAX);
    let range = snapshot.manifest.range();

    FetchedSeries {
        series: snapshot.key.prefix(),
        revision: snapshot.manifest.revision,
        content_sha256: snapshot.content_sha256(),
        rows: snapshot.manifest.rows(),
        first: range.map(|(first, _)| first),
        last: range.map(|(_, last)| last),
        work: tally.work,
        missing: tally.missing.unwrap_or(0),
        remaining: 0,
        gaps: FetchedGaps::default(),
        warnings,
    }
}
