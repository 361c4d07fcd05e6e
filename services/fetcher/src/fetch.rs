//! The work itself: plan a series, ask segment by segment, store what comes, say what is left.

use std::ops::Range;

use market::{Calendar, GapAnalysis, Instrument, SeriesKey, Utc};
use runtime::StepReporter;
use schemas::codes;
use schemas::commands::fetch::SERIES_MAX;
use schemas::commands::{
    FetchBars, FetchMode, FetchOutcome, FetchState, FetchedSeries, SeriesRequest,
};
use schemas::errors::ErrorRecord;
use schemas::progress::{Context, Count, Progress, SegmentCounts};
use store::{ALL_TIME, SeriesSnapshot, Store, report_key, report_sha256};

use crate::asking::{Asker, Trouble};
use crate::asking_rules::AskingRules;
use crate::attended::attend;
use crate::breaker::Breaker;
use crate::description::{compare_gaps, describe_unanswered, fetched_series, stored_warning};
use crate::error::FetchError;
use crate::finer::{SourceSeries, replace_missing};
use crate::gap_settings::GapSettings;
use crate::ledger::holding_ranges;
use crate::plan::{
    FetchPlan, FetchWish, SeriesFacts, completed, find_gaps, obtainable, plan, require_time,
};
use crate::provider::{Provider, ProviderError};
use crate::segment_loop::{RunEnd, SegmentRun};
use crate::stored_state::StoredState;
use crate::tally::{FetchCheckpoint, Tally};

/// Warnings kept per series.
pub(crate) const WARNINGS_MAX: usize = 5;

/// Shares of a series' progress: before its gaps are analysed, before the first request, and before
/// what follows the last one.
const ANALYSED: f64 = 0.05;
pub(crate) const PLANNED: f64 = 0.10;
pub(crate) const FETCHED: f64 = 0.94;

/// How a provider is asked, and what is remembered of its failures.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// How often, and how many requests at a time.
    pub rules: AskingRules,
    /// The failures of this process with that provider.
    pub breaker: &'a Breaker,
}

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
    let asking = Asking {
        rules: provider.asking_rules(),
        breaker: &Breaker::default(),
    };
    fetch_as(store, provider, command, settings, now, reporter, asking).await
}

/// As [`fetch`], with rules and a breaker of the caller's.
///
/// # Errors
/// As those of [`fetch`].
pub async fn fetch_as<P: Provider + ?Sized>(
    store: &Store,
    provider: &P,
    command: &FetchBars,
    settings: &GapSettings,
    now: Utc,
    reporter: &impl StepReporter,
    asking: Asking<'_>,
) -> Result<FetchOutcome, FetchError> {
    asking.breaker.begin();
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
            asking,
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
pub(crate) struct SeriesFetch<'a, P: ?Sized, R> {
    pub(crate) store: &'a Store,
    pub(crate) provider: &'a P,
    pub(crate) command: &'a FetchBars,
    settings: &'a GapSettings,
    pub(crate) key: &'a SeriesKey,
    pub(crate) now: Utc,
    pub(crate) reporter: &'a R,
    asking: Asking<'a>,
    /// Place of the series in the command, from 0.
    pub(crate) index: usize,
    /// Number of series in the command.
    pub(crate) count: usize,
}

impl<P: Provider + ?Sized, R: StepReporter> SeriesFetch<'_, P, R> {
    async fn run(
        &self,
        tally: &mut Tally,
        finished: &Option<String>,
    ) -> Result<FetchedSeries, FetchError> {
        self.reporter.check_stop()?;
        let message = format!("Reading what is stored of {}", self.title());
        self.report(0.0, 0, message);
        let snapshot = self.store.series().snapshot(self.key, None).await?;
        let warnings = self.warn_of_loss(snapshot.as_ref()).await;
        self.report(ANALYSED, 0, self.analysis_message());

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
        match self.fetch_missing(&mut state, tally, finished).await {
            Err(FetchError::Unanswered { source, .. }) if self.command.accept_stored => {
                self.accept_stored(state, *tally, source).await
            }
            result => result,
        }
    }

    /// Asks for what is missing, and describes what is stored then.
    async fn fetch_missing(
        &self,
        state: &mut StoredState,
        tally: &mut Tally,
        finished: &Option<String>,
    ) -> Result<FetchedSeries, FetchError> {
        require_time(&self.wish(), self.now)?;
        let coverage = self.ask_for_coverage(state).await?;
        let plan = plan(&self.wish(), &self.facts(state, coverage.clone()))?;
        state.warnings.extend(plan.warnings.iter().cloned());
        tally.missing.get_or_insert(plan.missing);
        let run = SegmentRun::new(&plan, state, tally, finished);
        let end = self.fetch_segments(run).await?;
        let end = Self::require_answers(end, tally, state)?;

        let remaining = self.find_remaining(&plan, state, coverage);
        let fetched = self.finish(&plan, state, *tally, &remaining)?;
        Ok(self.with_unanswered(fetched, &end).await)
    }

    pub(crate) const fn asker(&self) -> Asker<'_, P> {
        Asker {
            provider: self.provider,
            key: self.key,
            breaker: self.asking.breaker,
            rules: self.asking.rules,
        }
    }

    /// Asks what the provider may have.
    async fn ask_for_coverage(
        &self,
        state: &StoredState,
    ) -> Result<Option<Range<Utc>>, FetchError> {
        let asker = self.asker();
        let progress = self.progress(ANALYSED, 0, SegmentCounts::default());

        loop {
            return match attend(self.reporter, &progress, asker.coverage()).await? {
                Ok(coverage) => Ok(coverage),
                Err(
                    Trouble::Failed { error, .. }
                    | Trouble::TooSlow { error, .. }
                    | Trouble::Final { error, .. },
                ) => Err(Self::unanswered(error, state)),

                // Given up by other work meanwhile: a series begins with a try of its own.
                Err(Trouble::Spent) => {
                    asker.breaker.begin();
                    continue;
                }
            };
        }
    }

    /// Refuses an end in which nothing was answered, in this attempt or in one before.
    fn require_answers(
        mut end: RunEnd,
        tally: &Tally,
        state: &StoredState,
    ) -> Result<RunEnd, FetchError> {
        let has_answers = end.counts.ok + end.counts.empty + tally.work.segments > 0;
        if has_answers {
            return Ok(end);
        }

        // The last failure says most: it is the one that ended the work.
        let mut errors = end.unanswered.iter_mut().rev();
        match errors.find_map(|(range, _)| range.error.take()) {
            Some(error) => Err(Self::unanswered(error, state)),
            None => Ok(end),
        }
    }

    fn unanswered(source: ProviderError, state: &StoredState) -> FetchError {
        if !source.is_transient() || matches!(source, ProviderError::Stopped { .. }) {
            return source.into();
        }

        let manifest = state.snapshot.as_ref().map(|snapshot| &snapshot.manifest);
        FetchError::Unanswered {
            stored: manifest.map_or(0, |manifest| manifest.rows()),
            source,
        }
    }

    /// Ends with the stored bars, and says at once and in the outcome how old they are.
    async fn accept_stored(
        &self,
        state: StoredState,
        tally: Tally,
        source: ProviderError,
    ) -> Result<FetchedSeries, FetchError> {
        let StoredState {
            snapshot,
            opens,
            mut warnings,
        } = state;
        let Some(snapshot) = snapshot.filter(|_| !opens.is_empty()) else {
            return Err(FetchError::Unanswered { stored: 0, source });
        };

        let warning = stored_warning(&self.title(), &opens, self.now, &source);
        self.reporter.warn(&warning).await;
        warnings.insert(0, warning.message);
        self.report(1.0, tally.work.new, format!("Stored {}", self.title()));
        Ok(FetchedSeries {
            state: FetchState::Stored,
            remaining: tally.missing.unwrap_or(0),
            ..fetched_series(&snapshot, tally, warnings)
        })
    }

    /// Adds to a fetched series what is left of it, and tells people at once.
    async fn with_unanswered(&self, mut fetched: FetchedSeries, end: &RunEnd) -> FetchedSeries {
        fetched.segments = end.counts;
        if end.unanswered.is_empty() {
            return fetched;
        }

        fetched.state = FetchState::Partial;
        fetched.unanswered = describe_unanswered(&end.unanswered);
        let first = fetched.unanswered.first();
        let reason = first.map_or("", |range| range.reason.as_str());
        let SegmentCounts {
            total,
            failed,
            skipped,
            ..
        } = end.counts;

        let message = format!(
            "{} of {total} requests for {} were not answered: {reason}",
            failed + skipped,
            self.title()
        );
        let hint = "the bars that came are stored; run the same command again: it asks only for \
                    what is left";
        let warning = ErrorRecord::new(codes::DATA_PARTIAL, message, hint);
        self.reporter.warn(&warning).await;
        fetched
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
        state: &StoredState,
        tally: Tally,
        remaining: &GapAnalysis,
    ) -> Result<FetchedSeries, FetchError> {
        // Nothing is stored and nothing could be asked for: there is no series to describe.
        let Some(snapshot) = &state.snapshot else {
            let series = self.title();
            return Err(FetchError::NothingThere { series });
        };

        let mut warnings = state.warnings.clone();
        warnings.extend(self.provider.notes(self.key));
        let message = format!("Stored {}", self.title());
        self.report(1.0, tally.work.new, message);

        Ok(FetchedSeries {
            remaining: obtainable(remaining),
            gaps: compare_gaps(plan, tally, remaining),
            ..fetched_series(snapshot, tally, warnings)
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

    pub(crate) fn facts<'k>(
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

    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.key.instrument.symbol(), self.key.timeframe)
    }

    fn analysis_message(&self) -> String {
        let mode = self.command.mode.as_str();
        format!("Analyse gaps of {} ({mode} mode)", self.title())
    }

    /// Shows progress; `share` is the part of this series that is done, from 0 to 1.
    fn report(&self, share: f64, saved_bars: u64, message: String) {
        let progress = Progress {
            message,
            ..self.progress(share, saved_bars, SegmentCounts::default())
        };
        self.reporter.report(progress);
    }

    /// Shows progress amid the requests: `items` are the missing bars of those that have ended.
    pub(crate) fn report_segments(&self, progress: Progress, items: Count, message: String) {
        let mut progress = Progress {
            message,
            items: Some(items),
            ..progress
        };
        if let Context::Data { bars, .. } = &mut progress.context {
            *bars = items.done;
        }
        self.reporter.report(progress);
    }

    /// The progress of this series without a message.
    pub(crate) fn progress(
        &self,
        share: f64,
        saved_bars: u64,
        segments: SegmentCounts,
    ) -> Progress {
        let context = Context::Data {
            symbol: self.key.instrument.symbol(),
            timeframe: self.key.timeframe.to_string(),
            bars: 0,
            saved_bars,
            segments: (segments.total > 0).then_some(segments),
        };

        // Every series has an equal share, as nobody knows yet how much the later ones miss.
        Progress {
            fraction: (self.index as f64 + share) / self.count as f64,
            context,
            ..Progress::default()
        }
    }
}
