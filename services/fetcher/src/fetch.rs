//! The work itself: plan a series, ask piece by piece, commit each piece before the next.

use std::ops::Range;

use jiff::civil::Date;
use market::{Calendar, Instrument, SeriesKey, Utc, close_times, gaps, missing};
use schemas::commands::{
    FetchBars, FetchCounts, FetchMode, FetchOutcome, FetchedSeries, SeriesRequest,
};
use schemas::manifests::EmptyInterval;
use schemas::progress::{Context, Count, Progress};
use serde::{Deserialize, Serialize};
use store::{ALL_TIME, Edit, RawBars, SeriesSnapshot, Store, report_key, report_sha256};

use crate::error::FetchError;
use crate::plan::{Known, Segment, Wanted, completed, is_final, plan};
use crate::provider::Provider;
use runtime::StepError;

/// Warnings kept per series.
const WARNINGS_MAX: usize = 5;

/// Share of a series' progress that is spent before the first and after the last request.
const PLANNED: f64 = 0.10;
const FETCHED: f64 = 0.94;

/// What the work needs of whoever runs it.
pub trait Attempt: Sync {
    /// Shows progress.
    fn report(&self, progress: Progress);

    /// Fails once the work must be left.
    ///
    /// # Errors
    /// The reason to leave.
    fn check_stop(&self) -> Result<(), StepError>;

    /// What an earlier attempt recorded last.
    fn resume_point(&self) -> Option<Advance>;

    /// Records that a piece is committed.
    fn advance(&self, advance: &Advance) -> impl Future<Output = Result<(), StepError>> + Send;
}

/// What attempts hand on to each other besides the bars, which are in the store. Bounded by what a
/// record takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    /// Hash of the report that holds a [`Tally`] for each finished series; absent while the first
    /// one is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// The series in hand.
    pub current: Tally,
}

/// Counts of one series over all attempts: fetched, new, changed, segments and empty of
/// [`FetchCounts`], and the bars that were missing when it was first planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 6]", into = "[u64; 6]")]
pub struct Tally {
    /// Work done.
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
    attempt: &impl Attempt,
) -> Result<FetchOutcome, FetchError> {
    let mut keys = Vec::with_capacity(command.series.len());
    for request in &command.series {
        keys.push(series_key(provider, request)?);
    }
    if keys.is_empty() || keys.len() > schemas::commands::fetch::SERIES_MAX {
        return Err(FetchError::Count { count: keys.len() });
    }
    let resumed = attempt.resume_point().unwrap_or_default();
    let mut finished: Vec<Tally> = match &resumed.finished {
        Some(hash) => store.reports().get(&report_key(hash)).await?,
        None => Vec::new(),
    };
    let mut advance = resumed;
    let mut series = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let job = Job {
            store,
            provider,
            command,
            key,
            now,
            attempt,
            index,
            of: keys.len(),
        };
        let known = finished.get(index).copied();
        let mut tally = known.unwrap_or(advance.current);
        let fetched = match job.run(&mut tally, &advance.finished).await {
            Err(FetchError::NothingStored { .. }) => {
                return Err(not_stored(store, keys.into_iter().skip(index)).await?);
            }
            other => other?,
        };
        series.push(fetched);
        if known.is_none() && index + 1 < keys.len() {
            finished.push(tally);
            let report = store.reports().put(&finished).await?;
            advance = Advance {
                finished: report_sha256(&report).map(str::to_owned),
                current: Tally::default(),
            };
            attempt.advance(&advance).await?;
        }
    }
    Ok(FetchOutcome { series })
}

/// Names all series that are not stored, so that nobody learns of them one run at a time.
async fn not_stored(
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

fn series_key(provider: &impl Provider, request: &SeriesRequest) -> Result<SeriesKey, FetchError> {
    let timeframe = request.timeframe.parse()?;
    Ok(provider.series(Instrument::parse(&request.symbol)?, timeframe)?)
}

/// One series of a command.
struct Job<'a, P, A> {
    store: &'a Store,
    provider: &'a P,
    command: &'a FetchBars,
    key: &'a SeriesKey,
    now: Utc,
    attempt: &'a A,
    index: usize,
    of: usize,
}

impl<P: Provider, A: Attempt> Job<'_, P, A> {
    async fn run(
        &self,
        tally: &mut Tally,
        finished: &Option<String>,
    ) -> Result<FetchedSeries, FetchError> {
        self.attempt.check_stop()?;
        self.report(
            0.0,
            0,
            format!("Reading what is stored of {}", self.title()),
            None,
        );
        let mut snapshot = self.store.series().snapshot(self.key, None).await?;
        let mut stored = match &snapshot {
            Some(snapshot) => {
                self.store
                    .series()
                    .raw_bars(snapshot, ALL_TIME)
                    .await?
                    .open_time
            }
            None => Vec::new(),
        };
        if self.command.mode == FetchMode::Local {
            let snapshot = snapshot.ok_or_else(|| FetchError::NothingStored {
                series: vec![self.key.clone()],
            })?;
            return Ok(fetched(&snapshot, Tally::default(), 0, Vec::new()));
        }
        let coverage = self.provider.coverage(self.key).await?;
        let empty = snapshot
            .as_ref()
            .map(|snapshot| snapshot.manifest.empty.clone())
            .unwrap_or_default();
        let mut plan = plan(&self.wanted(), &self.known(&stored, &empty, coverage))?;
        tally.missing.get_or_insert(plan.missing);
        let total: u64 = plan.segments.iter().map(|segment| segment.bars).sum();
        let mut done = 0;
        for (number, segment) in plan.segments.iter().enumerate() {
            self.attempt.check_stop()?;
            let share = PLANNED + (FETCHED - PLANNED) * done as f64 / total.max(1) as f64;
            let message = self.segment_message(number + 1, plan.segments.len(), &segment.range);
            self.report(share, tally.work.new, message, Some(Count { done, total }));
            let cached = snapshot.as_ref().map(|snapshot| snapshot.manifest.revision);
            let stands = self
                .piece(segment, cached, &mut stored, &mut tally.work)
                .await?;
            snapshot = Some(stands);
            done += segment.bars;
            self.attempt
                .advance(&Advance {
                    finished: finished.clone(),
                    current: *tally,
                })
                .await?;
        }
        let snapshot = snapshot.ok_or_else(|| FetchError::NothingThere {
            series: self.title(),
        })?;
        let known = self.known(&stored, &[], None);
        let remaining = plan.range.take().map_or(0, |range| {
            missing(&completed(&known, range), &stored).len() as u64
        });
        plan.warnings.extend(self.provider.notes(self.key));
        self.report(
            (self.index + 1) as f64,
            tally.work.new,
            format!("Stored {}", self.title()),
            None,
        );
        Ok(fetched(&snapshot, *tally, remaining, plan.warnings))
    }

    /// Asks for one piece and commits the answer, with what the provider turned out not to have.
    async fn piece(
        &self,
        segment: &Segment,
        cached: Option<u64>,
        stored: &mut Vec<Utc>,
        work: &mut FetchCounts,
    ) -> Result<SeriesSnapshot, FetchError> {
        let answer = self
            .provider
            .bars(self.key, segment.range.clone())
            .await?
            .between(&segment.range);
        let calendar = Calendar::for_key(self.key);
        let closes = close_times(calendar, self.key, &answer.open_time)?;
        let is_kept = |open: Utc, close: Utc| {
            let wanted = self.command.refetch || stored.binary_search(&open).is_err();
            wanted && is_final(self.key.timeframe, close, self.now)
        };
        let rows = answer.iter().zip(closes);
        let bars: RawBars = rows
            .filter(|(bar, close)| is_kept(bar.open_time, *close))
            .map(|(bar, _)| bar)
            .collect();
        let fetched = answer.len() as u64;
        merge_opens(stored, &bars.open_time);
        let slots = completed(&self.known(stored, &[], None), segment.range.clone());
        let nothing = gaps(&slots, stored).into_iter();
        let asked_at = self.now.0;
        let empty_intervals = nothing
            .map(|gap| EmptyInterval {
                start: gap.start.0,
                end: gap.end.0,
                asked_at,
            })
            .collect();
        let edit = Edit {
            bars,
            empty_intervals,
            calendar: calendar.name().to_owned(),
            at: self.now,
        };
        let outcome = self.store.series().commit(self.key, edit, cached).await?;
        work.fetched += fetched;
        work.new += outcome.new;
        work.changed += outcome.changed;
        work.segments += 1;
        work.empty += u64::from(fetched == 0);
        Ok(outcome.snapshot)
    }

    fn wanted(&self) -> Wanted {
        let instant = |bound: Option<jiff::Timestamp>| bound.map(Utc::from_timestamp);
        let FetchBars {
            mode,
            start,
            end,
            refetch,
            ..
        } = self.command;
        Wanted {
            mode: *mode,
            start: instant(*start),
            end: instant(*end),
            refetch: *refetch,
        }
    }

    fn known<'k>(
        &'k self,
        stored: &'k [Utc],
        empty: &'k [EmptyInterval],
        coverage: Option<Range<Utc>>,
    ) -> Known<'k> {
        Known {
            key: self.key,
            calendar: Calendar::for_key(self.key),
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

    fn segment_message(&self, number: usize, of: usize, range: &Range<Utc>) -> String {
        let day = |instant: Utc| -> Date { instant.date() };
        let (start, end) = (day(range.start), day(range.end));
        format!(
            "Segment {number}/{of}: {start} to {end} ({}, {} mode)",
            self.title(),
            self.command.mode.as_str()
        )
    }

    /// Shows progress; `share` is that of this series.
    fn report(&self, share: f64, saved_bars: u64, message: String, items: Option<Count>) {
        let context = Context::Data {
            symbol: self.key.instrument.symbol(),
            timeframe: self.key.timeframe.to_string(),
            bars: items.map_or(0, |items| items.done),
            saved_bars,
        };
        let fraction = (self.index as f64 + share.min(1.0)) / self.of as f64;
        self.attempt.report(Progress {
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

fn fetched(
    snapshot: &SeriesSnapshot,
    tally: Tally,
    remaining: u64,
    mut warnings: Vec<String>,
) -> FetchedSeries {
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
