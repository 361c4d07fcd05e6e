//! The work itself: plan a series, ask segment by segment, commit each one before the next.

use std::ops::Range;

use jiff::civil::Date;
use market::{Calendar, Instrument, SeriesKey, Utc, close_times, gaps, missing};
use runtime::StepReporter;
use schemas::commands::fetch::SERIES_MAX;
use schemas::commands::{
    FetchBars, FetchCounts, FetchMode, FetchOutcome, FetchedSeries, SeriesRequest,
};
use schemas::manifests::EmptyInterval;
use schemas::progress::{Context, Count, Progress};
use serde::{Deserialize, Serialize};
use store::{ALL_TIME, Edit, RawBars, SeriesSnapshot, Store, report_key, report_sha256};

use crate::error::FetchError;
use crate::plan::{FetchPlan, FetchWish, Segment, SeriesFacts, completed, is_final, plan};
use crate::provider::Provider;

/// Warnings kept per series.
const WARNINGS_MAX: usize = 5;

/// Share of a series' progress that is spent before the first and after the last request.
const PLANNED: f64 = 0.10;
const FETCHED: f64 = 0.94;

/// The checkpoint that an attempt leaves for the next one; the bars themselves are in the store.
/// Bounded by the room that a record has for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchCheckpoint {
    /// Hash of the report that holds a [`Tally`] for each finished series; absent while the first
    /// one is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// Counts of the series that is being fetched.
    pub current: Tally,
}

/// Counts of one series over all attempts. Written as six numbers: fetched, new, changed, segments
/// and empty of [`FetchCounts`], then one more than the missing bars, 0 while these are not
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 6]", into = "[u64; 6]")]
pub struct Tally {
    /// Bars and requests so far.
    pub work: FetchCounts,
    /// Bars that were missing when it was first planned; `None` before.
    pub missing: Option<u64>,
}

impl From<[u64; 6]> for Tally {
    fn from([fetched, new, changed, segments, empty, missing]: [u64; 6]) -> Self {
        let work = FetchCounts {
            fetched,
            new,
            changed,
            segments,
            empty,
        };

        Self {
            work,
            missing: missing.checked_sub(1),
        }
    }
}

impl From<Tally> for [u64; 6] {
    fn from(Tally { work, missing }: Tally) -> Self {
        let FetchCounts {
            fetched,
            new,
            changed,
            segments,
            empty,
        } = work;

        [
            fetched,
            new,
            changed,
            segments,
            empty,
            missing.map_or(0, |missing| missing + 1),
        ]
    }
}

/// Fetches what is missing of every series of a command, in order. Run again after a crash, it goes
/// on where the last committed piece ends.
///
/// # Errors
/// See [`FetchError`]; what was committed stays.
pub async fn fetch<P: Provider>(
    store: &Store,
    provider: &P,
    command: &FetchBars,
    now: Utc,
    reporter: &impl StepReporter,
) -> Result<FetchOutcome, FetchError> {
    let keys = series_keys(store, provider, command).await?;
    let mut checkpoint: FetchCheckpoint = reporter.resume_point().unwrap_or_default();
    let mut finished: Vec<Tally> = match &checkpoint.finished {
        Some(hash) => store.reports().get(&report_key(hash)).await?,
        None => Vec::new(),
    };

    let mut series = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let work = SeriesFetch {
            store,
            provider,
            command,
            key,
            now,
            reporter,
            index,
            count: keys.len(),
        };

        // A series that an earlier attempt finished is planned again, but its counts are complete.
        let finished_tally = finished.get(index).copied();
        let mut tally = finished_tally.unwrap_or(checkpoint.current);
        let fetched = match work.run(&mut tally, &checkpoint.finished).await {
            Err(FetchError::NothingStored { .. }) => {
                return Err(name_all_missing(store, keys.into_iter().skip(index)).await?);
            }
            result => result?,
        };
        series.push(fetched);

        if finished_tally.is_none() && index + 1 < keys.len() {
            finished.push(tally);
            let report = store.reports().put(&finished).await?;
            checkpoint = FetchCheckpoint {
                finished: report_sha256(&report).map(str::to_owned),
                current: Tally::default(),
            };
            reporter.checkpoint(&checkpoint).await?;
        }
    }
    Ok(FetchOutcome { series })
}

async fn series_keys(
    store: &Store,
    provider: &impl Provider,
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
    provider: &impl Provider,
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
struct SeriesFetch<'a, P, R> {
    store: &'a Store,
    provider: &'a P,
    command: &'a FetchBars,
    key: &'a SeriesKey,
    now: Utc,
    reporter: &'a R,
    /// Place of the series in the command, from 0.
    index: usize,
    /// Number of series in the command.
    count: usize,
}

impl<P: Provider, R: StepReporter> SeriesFetch<'_, P, R> {
    async fn run(
        &self,
        tally: &mut Tally,
        finished: &Option<String>,
    ) -> Result<FetchedSeries, FetchError> {
        self.reporter.check_stop()?;
        let message = format!("Reading what is stored of {}", self.title());
        self.report(0.0, 0, message, None);
        let snapshot = self.store.series().snapshot(self.key, None).await?;

        // Mode `local` asks no provider for anything.
        if self.command.mode == FetchMode::Local {
            let snapshot = snapshot.ok_or_else(|| FetchError::NothingStored {
                series: vec![self.key.clone()],
            })?;
            return Ok(fetched_series(&snapshot, Tally::default(), 0, Vec::new()));
        }

        let mut stored = self.stored_opens(snapshot.as_ref()).await?;
        let mut plan = self.plan(&stored, snapshot.as_ref()).await?;
        tally.missing.get_or_insert(plan.missing);
        let snapshot = self
            .fetch_segments(&plan, snapshot, &mut stored, tally, finished)
            .await?;
        let snapshot = snapshot.ok_or_else(|| FetchError::NothingThere {
            series: self.title(),
        })?;

        let facts = self.facts(&stored, &[], None);
        let remaining = plan.range.take().map_or(0, |range| {
            missing(&completed(&facts, range), &stored).len() as u64
        });
        plan.warnings.extend(self.provider.notes(self.key));
        let message = format!("Stored {}", self.title());
        self.report(1.0, tally.work.new, message, None);
        Ok(fetched_series(&snapshot, *tally, remaining, plan.warnings))
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

    async fn plan(
        &self,
        stored: &[Utc],
        snapshot: Option<&SeriesSnapshot>,
    ) -> Result<FetchPlan, FetchError> {
        let coverage = self.provider.coverage(self.key).await?;
        let empty: &[EmptyInterval] = match snapshot {
            Some(snapshot) => &snapshot.manifest.empty,
            None => &[],
        };

        Ok(plan(&self.wish(), &self.facts(stored, empty, coverage))?)
    }

    /// Asks for each segment and commits the answer before the next one, so that a crash costs one
    /// request. Returns the newest snapshot.
    async fn fetch_segments(
        &self,
        plan: &FetchPlan,
        mut snapshot: Option<SeriesSnapshot>,
        stored: &mut Vec<Utc>,
        tally: &mut Tally,
        finished: &Option<String>,
    ) -> Result<Option<SeriesSnapshot>, FetchError> {
        let total: u64 = plan.segments.iter().map(|segment| segment.bars).sum();
        let mut done = 0;

        for (number, segment) in plan.segments.iter().enumerate() {
            self.reporter.check_stop()?;
            let share = PLANNED + (FETCHED - PLANNED) * done as f64 / total.max(1) as f64;
            let message = self.segment_message(number + 1, plan.segments.len(), &segment.range);
            self.report(share, tally.work.new, message, Some(Count { done, total }));

            let revision = snapshot.as_ref().map(|snapshot| snapshot.manifest.revision);
            let committed = self
                .fetch_segment(segment, revision, stored, &mut tally.work)
                .await?;
            snapshot = Some(committed);
            done += segment.bars;

            let checkpoint = FetchCheckpoint {
                finished: finished.clone(),
                current: *tally,
            };
            self.reporter.checkpoint(&checkpoint).await?;
        }
        Ok(snapshot)
    }

    /// Asks for one segment and commits the answer, together with what the provider turned out not
    /// to have. `revision` is the newest one that this attempt has seen.
    async fn fetch_segment(
        &self,
        segment: &Segment,
        revision: Option<u64>,
        stored: &mut Vec<Utc>,
        work: &mut FetchCounts,
    ) -> Result<SeriesSnapshot, FetchError> {
        let answer = self
            .provider
            .bars(self.key, segment.range.clone())
            .await?
            .between(&segment.range);
        let bars = self.storable_bars(&answer, stored)?;

        // Expected bars that did not come are kept as absent, so that they are not asked for again.
        merge_opens(stored, &bars.open_time);
        let slots = completed(&self.facts(stored, &[], None), segment.range.clone());
        let empty_intervals = gaps(&slots, stored)
            .into_iter()
            .map(|gap| EmptyInterval {
                start: gap.start.0,
                end: gap.end.0,
                asked_at: self.now.0,
            })
            .collect();

        let edit = Edit {
            bars,
            empty_intervals,
            calendar: Calendar::for_key(self.key).name().to_owned(),
            at: self.now,
        };
        let outcome = self.store.series().commit(self.key, edit, revision).await?;

        work.fetched += answer.len() as u64;
        work.new += outcome.new;
        work.changed += outcome.changed;
        work.segments += 1;
        work.empty += u64::from(answer.is_empty());
        Ok(outcome.snapshot)
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
        stored: &'k [Utc],
        empty: &'k [EmptyInterval],
        coverage: Option<Range<Utc>>,
    ) -> SeriesFacts<'k> {
        let calendar = Calendar::for_key(self.key);

        SeriesFacts {
            key: self.key,
            calendar,
            anchor: self.provider.anchor(),
            stored,
            empty,
            coverage,
            span_max: self.provider.span_max(self.key.timeframe),
            now: self.now,
        }
    }

    fn title(&self) -> String {
        format!("{} {}", self.key.instrument.symbol(), self.key.timeframe)
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
        let context = Context::Data {
            symbol: self.key.instrument.symbol(),
            timeframe: self.key.timeframe.to_string(),
            bars: items.map_or(0, |items| items.done),
            saved_bars,
        };
        let fraction = (self.index as f64 + share) / self.count as f64;

        self.reporter.report(Progress {
            fraction,
            message,
            items,
            context,
            waiting: None,
        });
    }
}

fn merge_opens(stored: &mut Vec<Utc>, new: &[Utc]) {
    stored.extend_from_slice(new);
    stored.sort_unstable();
    stored.dedup();
}

/// The outcome of one series.
fn fetched_series(
    snapshot: &SeriesSnapshot,
    tally: Tally,
    remaining: u64,
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
        remaining,
        warnings,
    }
}
