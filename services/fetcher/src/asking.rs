//! One segment of a series, asked for until there is an answer or no use: tries with pauses
//! between them, waits for pacing, halves after timeouts.

use std::mem::take;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use market::{SeriesKey, Utc};
use store::RawBars;
use tokio::time::Instant;

use crate::asking_rules::AskingRules;
use crate::breaker::{Breaker, Spent};
use crate::metered::MeteredRequest;
use crate::plan::Segment;
use crate::provider::{FailureClass, Provider, ProviderError};
use crate::segments::length;
use crate::waits::wait_until;

/// Refusals for pacing that one request sits out.
const REFUSALS_MAX: u32 = 5;
/// Timeouts of one range after which halves of it are asked for.
const TIMEOUTS_MAX: u32 = 2;
/// Microseconds of a day, at the beginning of which a range is cut where it has one.
const DAY: i64 = 86_400_000_000;
/// Microseconds of an hour, likewise.
const HOUR: i64 = 3_600_000_000;

/// Asks one provider for one series.
pub(crate) struct Asker<'a, P: ?Sized> {
    pub(crate) provider: &'a P,
    pub(crate) key: &'a SeriesKey,
    pub(crate) breaker: &'a Breaker,
    pub(crate) rules: AskingRules,
}

/// What a segment came to.
pub(crate) struct SegmentEnd {
    pub(crate) segment: Segment,
    /// The ranges that were answered, whole or in halves.
    pub(crate) answers: Vec<(Range<Utc>, RawBars)>,
    /// The ranges that were not.
    pub(crate) failures: Vec<FailedRange>,
    /// True if asking for other segments is of no use either.
    pub(crate) ends_series: bool,
}

/// A range that got no answer.
pub(crate) struct FailedRange {
    pub(crate) range: Range<Utc>,
    /// The last failure; absent if the provider was given up before it was asked.
    pub(crate) error: Option<ProviderError>,
    /// Tries that were made.
    pub(crate) tries: u32,
    /// The row of failures that it belongs to.
    pub(crate) row: Option<u64>,
}

/// A question without an answer.
pub(crate) enum Trouble {
    /// Every try failed; other questions may fare better.
    Failed {
        error: ProviderError,
        tries: u32,
        row: u64,
    },
    /// No answer in time, twice: less at a time may help.
    TooSlow {
        error: ProviderError,
        tries: u32,
        row: u64,
    },
    /// Other questions fail as well.
    Final { error: ProviderError, tries: u32 },
    /// The provider was given up.
    Spent,
}

impl<P: Provider + ?Sized> Asker<'_, P> {
    /// What the provider may have.
    pub(crate) async fn coverage(&self) -> Result<Option<Range<Utc>>, Trouble> {
        let ask = || self.provider.coverage(self.key);
        self.ask(ask, u32::MAX).await
    }

    /// Asks for a segment, and for halves of it where it is too much at a time.
    pub(crate) async fn segment(&self, segment: Segment) -> SegmentEnd {
        let mut rest = vec![segment.range.clone()];
        let mut end = SegmentEnd {
            segment,
            answers: Vec::new(),
            failures: Vec::new(),
            ends_series: false,
        };

        while let Some(range) = rest.pop() {
            let middle = self.middle_of(&range);
            let timeouts_max = middle.map_or(u32::MAX, |_| TIMEOUTS_MAX);
            let ask = || self.provider.bars(self.key, range.clone());
            match self.ask(ask, timeouts_max).await {
                Ok(bars) => {
                    self.learn(&range, &end.segment).await;
                    end.answers.push((range, bars));
                }
                Err(trouble) => match (trouble, middle) {
                    (Trouble::TooSlow { .. }, Some(middle)) => {
                        rest.push(middle..range.end);
                        rest.push(range.start..middle);
                    }
                    (trouble, _) => end.note(range, trouble),
                },
            }

            if end.ends_series {
                let unasked = rest.drain(..).map(FailedRange::unasked);
                end.failures.extend(unasked);
            }
        }
        end.answers.sort_by_key(|(range, _)| range.start);
        end
    }

    /// Lets later loads begin with the span of a part that was answered.
    async fn learn(&self, range: &Range<Utc>, segment: &Segment) {
        if *range != segment.range {
            let timeframe = self.key.timeframe;
            self.provider.learn_span(timeframe, length(range)).await;
        }
    }

    /// Asks until there is an answer, as often as the rules say.
    async fn ask<T, F>(&self, make: impl Fn() -> F, timeouts_max: u32) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let own_tries = self.rules.own_tries.max(1);
        let mut tries = 0;
        let mut timeouts = 0;
        let mut refusals = 0;

        loop {
            let permit = self.breaker.enter().await.map_err(|Spent| Trouble::Spent)?;
            let error = match self.meter(make()).await {
                Ok(answer) => {
                    permit.succeed();
                    return Ok(answer);
                }
                Err(error) => error,
            };

            // A refusal for pacing is an answer of sorts: it is waited out and counts as no try.
            if error.class() == FailureClass::Pacing {
                drop(permit);
                refusals += 1;
                self.wait_for_pacing(error, refusals, tries).await?;
                continue;
            }
            if !error.is_transient() || matches!(error, ProviderError::Stopped { .. }) {
                tries += own_tries;
                return Err(Trouble::Final { error, tries });
            }

            tries += own_tries;
            timeouts += own_tries * u32::from(error.class() == FailureClass::Timeout);
            let row = permit.fail(own_tries, &self.rules);
            if self.breaker.is_spent() {
                return Err(Trouble::Final { error, tries });
            }
            if timeouts >= timeouts_max {
                return Err(Trouble::TooSlow { error, tries, row });
            }
            if tries >= self.rules.tries_max {
                return Err(Trouble::Failed { error, tries, row });
            }
            self.wait_for_next(tries, &error).await;
        }
    }

    /// One try, which is counted.
    async fn meter<T>(
        &self,
        request: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let mut metered = MeteredRequest::begin(self.provider.name());
        let answer = request.await;
        metered.end(answer.is_ok());
        answer
    }

    async fn wait_for_pacing(
        &self,
        error: ProviderError,
        refusals: u32,
        tries: u32,
    ) -> Result<(), Trouble> {
        let pause = match error.asks_to_wait_until() {
            Some(until) => duration_until(until),
            None => self.rules.pacing_pause,
        };
        if refusals > REFUSALS_MAX || pause > self.rules.pacing_pause_max {
            return Err(Trouble::Final { error, tries });
        }

        wait_until(Instant::now() + pause, &error.to_string()).await;
        Ok(())
    }

    async fn wait_for_next(&self, tries: u32, error: &ProviderError) {
        let next = tries + 1;
        let reason = format!("try {next} of {}: {error}", self.rules.tries_max);
        wait_until(Instant::now() + self.rules.pause_after(tries), &reason).await;
    }

    /// Where a range is cut into halves; none if it is short enough.
    fn middle_of(&self, range: &Range<Utc>) -> Option<Utc> {
        let span_min = self.rules.span_min?.max(HOUR);
        if length(range) < 2 * span_min {
            return None;
        }

        let unit = if length(range) >= 2 * DAY { DAY } else { HOUR };
        let middle = i64::midpoint(range.start.0, range.end.0);
        let cut = Utc(middle - middle.rem_euclid(unit));
        (range.start < cut && cut < range.end).then_some(cut)
    }
}

impl SegmentEnd {
    /// The answers; those of halves are one where nothing failed.
    pub(crate) fn whole_answers(&mut self) -> Vec<(Range<Utc>, RawBars)> {
        let answers = take(&mut self.answers);
        if !self.failures.is_empty() || answers.len() < 2 {
            return answers;
        }

        let mut whole = RawBars::default();
        for (range, bars) in &answers {
            whole.extend(&bars.between(range));
        }
        vec![(self.segment.range.clone(), whole)]
    }

    /// The part from the first to the last range without an answer, to be asked for again.
    pub(crate) fn unanswered(&self) -> Segment {
        let ranges = self.failures.iter().map(|failure| &failure.range);
        let start = ranges.clone().map(|range| range.start).min();
        let end = ranges.map(|range| range.end).max();

        let whole = &self.segment.range;
        Segment {
            range: start.unwrap_or(whole.start)..end.unwrap_or(whole.end),
            bars: self.segment.bars,
        }
    }

    /// Notes why a range got no answer.
    fn note(&mut self, range: Range<Utc>, trouble: Trouble) {
        let failed = match trouble {
            Trouble::Failed { error, tries, row } | Trouble::TooSlow { error, tries, row } => {
                FailedRange {
                    range,
                    error: Some(error),
                    tries,
                    row: Some(row),
                }
            }

            Trouble::Final { error, tries } => {
                self.ends_series = true;
                FailedRange {
                    range,
                    error: Some(error),
                    tries,
                    row: None,
                }
            }
            Trouble::Spent => {
                self.ends_series = true;
                FailedRange::unasked(range)
            }
        };
        self.failures.push(failed);
    }
}

impl FailedRange {
    pub(crate) const fn unasked(range: Range<Utc>) -> Self {
        Self {
            range,
            error: None,
            tries: 0,
            row: None,
        }
    }
}

fn duration_until(instant: Timestamp) -> Duration {
    let rest = instant.duration_since(Timestamp::now());
    Duration::try_from(rest).unwrap_or_default()
}
