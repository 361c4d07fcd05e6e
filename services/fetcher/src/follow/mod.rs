//! Following: each bar is loaded as it closes.
//!
//! It begins with a load of the tail, so that whatever closed before, or while no fetcher was
//! there, is in the store. Then it waits for the earliest next close of its series by their
//! calendars, and loads the tail again. Nothing is asked for in between.
//!
//! | What happens | What follows |
//! |---|---|
//! | a bar is not there at its close | asked for after 1, 2, 4, 8 and 16 s again; then noted, and asked for with each of the next five |
//! | the provider cannot be asked | said once; asked again after 2, 4, 8 … s, at most 5 min; what closed meanwhile comes with the first answer |
//! | a weekend, a holiday | it waits for the first close of the next session |
//! | cancelled | the wait or the request ends at once; what is stored stays |
//! | killed | the next attempt begins with a load of the tail; bars since the last checkpoint are announced once more |
//! | another provider's scale, an unknown symbol | the step fails |

mod checkpoint;
mod clock;
mod reports;
mod schedule;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use market::{Instrument, SeriesKey, Utc};
use runtime::{StepError, StepReporter};
use schemas::commands::follow::FOLLOWED_MAX;
use schemas::commands::{
    FetchBars, FetchMode, FollowBars, FollowOutcome, FollowedSeries, SeriesRequest, StoredBars,
};
use schemas::errors::ErrorRecord;
use schemas::progress::{Context, Progress, Waiting};
use store::Store;

use crate::error::FetchError;
use crate::fetch::fetch;
use crate::gap_settings::{ClassMinimums, GapSettings};
use crate::provider::{Provider, ProviderError};
pub use checkpoint::FollowCheckpoint;
pub use clock::{Clock, HostClock};
use reports::{
    LoadReporter, clock_text, progress_of, wait_for_bar, wait_for_close, wait_for_provider,
};
use schedule::Schedule;
use watched::{Next, Watched};

/// Operations that one fetcher follows at a time.
pub const FOLLOWED_AT_ONCE: usize = 64;

/// How often a wait is reported: it says that the work goes on, and the clock is looked at, which
/// may have been set or have stood still with its host.
const REPEAT: Duration = Duration::from_secs(30);

/// What following works on.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Where bars are stored.
    pub store: &'a Store,
    /// Opens the provider: one that reads files reads them again for each load.
    pub open: &'a (dyn Fn() -> Result<Arc<dyn Provider>, ProviderError> + Sync),
    /// Says what time it is.
    pub clock: &'a dyn Clock,
}

/// Loads each bar as it closes, until the end of the command or a stop.
///
/// # Errors
/// See [`FetchError`]: a provider that cannot be asked ends the first load only. What was stored
/// stays.
pub async fn follow<R: StepReporter>(
    source: Source<'_>,
    command: &FollowBars,
    settings: &GapSettings,
    reporter: &R,
) -> Result<FollowOutcome, FetchError> {
    let resumed: Option<FollowCheckpoint> = reporter.resume_point();
    let now = source.clock.now();
    let checkpoint = resumed.unwrap_or(FollowCheckpoint {
        since: now,
        announced: now,
    });

    let mut following = Following {
        source,
        command,
        settings: &settings.for_young_bars(),
        reporter,
        checkpoint,
        watched: Vec::new(),
        said: "Following begins".to_owned(),
    };
    following.watch_all().await?;
    following.begin(resumed.is_some()).await?;
    following.run().await?;
    following.outcome().await
}

/// The state of following.
struct Following<'a, R> {
    source: Source<'a>,
    command: &'a FollowBars,
    settings: &'a GapSettings,
    reporter: &'a R,
    checkpoint: FollowCheckpoint,
    watched: Vec<Watched>,
    /// What happened last.
    said: String,
}

impl<R: StepReporter> Following<'_, R> {
    async fn watch_all(&mut self) -> Result<(), FetchError> {
        let requests = &self.command.series;
        if requests.is_empty() || requests.len() > FOLLOWED_MAX {
            return Err(FetchError::FollowedCount {
                count: requests.len(),
            });
        }

        let provider = (self.source.open)()?;
        let FollowCheckpoint { since, announced } = self.checkpoint;
        self.source.store.calendars().load().await?;
        for request in requests {
            let schedule = Schedule {
                key: series_key(&*provider, request, self.command.calendar.as_deref())?,
                anchor: provider.anchor(),
            };
            let store = self.source.store;
            let watched = Watched::at(store, request.clone(), schedule, since, announced);
            self.watched.push(watched.await?);
        }
        Ok(())
    }

    /// Loads the tail of every series. Where the command is new, a provider that cannot be asked is
    /// an error that its user sees at once.
    async fn begin(&mut self, is_resumed: bool) -> Result<(), FetchError> {
        for index in 0..self.watched.len() {
            self.ask(index, is_resumed).await?;
        }

        // From here on a failure that may pass does not count against the step.
        self.reporter.checkpoint(&self.checkpoint).await?;
        Ok(())
    }

    async fn run(&mut self) -> Result<(), FetchError> {
        while let Some(due) = self.next_due() {
            let now = self.source.clock.now();
            if due > now {
                self.wait(due).await?;
                continue;
            }

            for index in 0..self.watched.len() {
                let is_due = self.watched.get(index).and_then(Watched::due) <= Some(due);
                if is_due && !self.is_over(index) {
                    self.ask(index, true).await?;
                }
            }
        }
        Ok(())
    }

    /// True for a series that is not waited for any more.
    fn is_over(&self, index: usize) -> bool {
        let Some(watched) = self.watched.get(index) else {
            return true;
        };
        let until = self.command.until.map(Utc::from_timestamp);
        let has_all = self.command.bars.is_some_and(|bars| watched.bars >= bars);
        has_all || watched.is_past(until)
    }

    /// When the next series is looked at; none once all of them are over.
    fn next_due(&self) -> Option<Utc> {
        let going_on = (0..self.watched.len()).filter(|index| !self.is_over(*index));
        going_on
            .filter_map(|index| self.watched.get(index)?.due())
            .min()
    }

    /// Loads a series and says what came of it. `may_fail` is true where a provider that cannot be
    /// asked is asked again later.
    async fn ask(&mut self, index: usize, may_fail: bool) -> Result<(), FetchError> {
        let now = self.source.clock.now();
        let loaded = self.load(index, now).await;
        let progress = self.progress();
        let Some(watched) = self.watched.get_mut(index) else {
            return Ok(());
        };

        match loaded {
            Ok(()) => {}
            // A new listing has no bar at all yet.
            Err(FetchError::NothingThere { .. }) if may_fail => {}
            Err(FetchError::Provider(error) | FetchError::Unanswered { source: error, .. })
                if may_fail && error.is_transient() =>
            {
                let is_first = !matches!(watched.next, Next::Away { .. });
                watched.be_away(now);
                if is_first {
                    let error = FetchError::Provider(error);
                    self.reporter.warn(&ErrorRecord::from_advice(&error)).await;
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        }

        let arrived = watched.look(self.source.store, now).await?;
        if let Some(slot) = watched.ask_again(arrived.absent, now) {
            let title = watched.title();
            self.said = format!("No bar {} of {title}", clock_text(slot.open, now));
        }
        if let Some(news) = arrived.news {
            self.announce(&news, now).await?;
        }
        self.reporter.report(Progress {
            message: self.said.clone(),
            ..progress
        });
        Ok(())
    }

    async fn announce(&mut self, news: &StoredBars, now: Utc) -> Result<(), FetchError> {
        if let Some(bar) = news.bars.last() {
            let open = clock_text(Utc::from_timestamp(bar.open), now);
            self.said = format!("Stored {open} of {} {}", news.symbol, news.timeframe);
        }

        // Announced before it is noted: a crash in between announces it once more, never less.
        self.reporter.announce_stored(news).await?;
        let announced = self.watched.iter().map(|each| each.announced(now)).min();
        self.checkpoint.announced = announced.unwrap_or(now).max(self.checkpoint.announced);
        self.reporter.checkpoint(&self.checkpoint).await?;
        Ok(())
    }

    async fn load(&self, index: usize, now: Utc) -> Result<(), FetchError> {
        let Some(watched) = self.watched.get(index) else {
            return Ok(());
        };
        let FollowBars {
            provider, calendar, ..
        } = self.command;
        let command = FetchBars {
            provider: provider.clone(),
            series: vec![watched.request.clone()],
            mode: FetchMode::Tail,
            start: watched.start().map(Utc::timestamp),
            end: None,
            refetch: false,
            calendar: calendar.clone(),
            accept_finer: false,
            accept_stored: false,
        };

        let reporter = LoadReporter {
            reporter: self.reporter,
            progress: self.progress(),
        };
        let provider = (self.source.open)()?;
        let store = self.source.store;
        fetch(store, &*provider, &command, self.settings, now, &reporter).await?;
        Ok(())
    }

    /// Waits until an instant of the clock, or for a stop.
    async fn wait(&self, until: Utc) -> Result<(), FetchError> {
        let now = self.source.clock.now();
        let progress = Progress {
            message: self.said.clone(),
            waiting: self.waiting(until, now),
            ..self.progress()
        };
        let rest = u64::try_from(until.0 - now.0).unwrap_or(0);
        let time = Duration::from_micros(rest).min(REPEAT);
        self.reporter.report(progress);

        tokio::select! {
            biased;
            () = self.reporter.until_stop() => Err(FetchError::Step(StepError::Stopped)),
            () = self.source.clock.pass(time) => Ok(()),
        }
    }

    fn waiting(&self, until: Utc, now: Utc) -> Option<Waiting> {
        let due = |each: &&Watched| each.due() == Some(until);
        let first = self.watched.iter().find(due)?;
        let others = self.watched.iter().filter(due).count() - 1;

        let title = first.title();
        match first.next {
            Next::Close { slot, due } => Some(wait_for_close(&title, slot, due, others, now)),
            Next::Again { slot, at, .. } => Some(wait_for_bar(&title, slot, at, now)),
            Next::Away { at, .. } => Some(wait_for_provider(&self.command.provider, at)),
            Next::Over => None,
        }
    }

    /// The progress of the step without a message.
    fn progress(&self) -> Progress {
        let next = self.watched.iter().min_by_key(|each| each.due());
        let key = next.map(Watched::key);
        let context = Context::Live {
            symbol: key.map_or_else(String::new, |key| key.instrument.symbol()),
            timeframe: key.map_or_else(String::new, |key| key.timeframe.to_string()),
            bars: self.watched.iter().map(|each| each.bars).sum(),
            missing: self.watched.iter().map(Watched::missing).sum(),
        };
        progress_of(self.fraction(), context)
    }

    /// The share that is done of what has an end; 0 without one.
    fn fraction(&self) -> f64 {
        let now = self.source.clock.now();
        let since = self.checkpoint.since;
        let of_time = self.command.until.map(|until| {
            let whole = Utc::from_timestamp(until).0 - since.0;
            (now.0 - since.0) as f64 / whole.max(1) as f64
        });
        let of_bars = self.command.bars.map(|bars| {
            let done: u64 = self.watched.iter().map(|each| each.bars.min(bars)).sum();
            done as f64 / (bars.max(1) * self.watched.len().max(1) as u64) as f64
        });

        let share = of_time.unwrap_or(0.0).max(of_bars.unwrap_or(0.0));
        share.clamp(0.0, 1.0)
    }

    async fn outcome(&self) -> Result<FollowOutcome, FetchError> {
        let mut followed = Vec::with_capacity(self.watched.len());
        for watched in &self.watched {
            let snapshot = self.source.store.series();
            let snapshot = snapshot.snapshot(watched.key(), None).await?;
            let manifest = snapshot.as_ref().map(|snapshot| &snapshot.manifest);

            followed.push(FollowedSeries {
                series: watched.key().prefix(),
                bars: watched.bars,
                missing: watched.missing(),
                last: manifest.and_then(|manifest| manifest.range().map(|range| range.1)),
                revision: manifest.map_or(0, |manifest| manifest.revision),
            });
        }
        Ok(FollowOutcome { followed })
    }
}

impl GapSettings {
    /// For bars that are as young as those of a live edge: each hole is asked for, and "there is
    /// none" holds for none of them.
    fn for_young_bars(&self) -> Self {
        Self {
            min_bars_below_5m: 1,
            min_bars_below_1h: 1,
            min_bars_from_1h: 1,
            min_bars_of: ClassMinimums::default(),
            empty_holds_hours: 0,
            ..self.clone()
        }
    }
}

fn series_key(
    provider: &dyn Provider,
    request: &SeriesRequest,
    calendar: Option<&str>,
) -> Result<SeriesKey, FetchError> {
    let timeframe = request.timeframe.parse()?;
    let key = provider.series(Instrument::parse(&request.symbol)?, timeframe)?;
    Ok(match calendar {
        Some(name) => key.with_calendar(name)?,
        None => key,
    })
}
