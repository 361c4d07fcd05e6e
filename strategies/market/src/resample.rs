//! Coarser bars from finer ones: each bucket the first, highest, lowest and last price and the sum
//! of the volumes of the bars in it.
//!
//! A bucket is a slot of the grid, so its label and its end are those of any other bar of its
//! timeframe: intraday buckets are counted from the open of their session or on the clock and do
//! not leave it, days are trading dates or UTC dates. Nothing is invented: a bucket without a bar
//! is absent, a volume that no bar knows stays unknown. The last bucket is left out while a bar of
//! it may still come.

use std::ops::Range;

use crate::bars::{BarSlice, Bars};
use crate::calendar::Calendar;
use crate::grid::{
    CloseTimeError, HourAnchor, close_times, date_end, date_label, expected, expected_runs,
};
use crate::series::{DayBoundary, SeriesKey};
use crate::slot_runs::{EndCounter, SlotRun};
use crate::time::{DAY_MICROS, Utc, count_passed};
use crate::timeframe::{Timeframe, TimeframeUnit};

/// How bars of one series become bars of a coarser one.
#[derive(Clone, Copy, Debug)]
pub struct Resampling<'a> {
    /// The series of the finer bars: their timeframe, and what a day is.
    pub source: &'a SeriesKey,
    /// When the market trades.
    pub calendar: &'a Calendar,
    /// Timeframe of the coarser bars.
    pub timeframe: Timeframe,
    /// What intraday buckets are counted from.
    pub anchor: HourAnchor,
    /// Whether a last bucket of which bars may still come is kept, too.
    pub keeps_partial: bool,
}

/// Coarser bars, and what they were made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resampled {
    /// One bar per bucket that has any; each is known when its bucket has ended, and not before the
    /// last of its finer bars was.
    pub bars: Bars,
    /// Finer bars in each bucket, at least 1.
    pub sources: Vec<usize>,
    /// Whether a bucket has as many finer bars as the calendar expects there.
    pub complete: Vec<bool>,
    /// Finer bars of a last bucket that was left out.
    pub partial: usize,
    /// Finer bars outside of every session, which belong to no bucket.
    pub outside: usize,
}

impl Resampling<'_> {
    /// Makes the coarser bars of `bars`, whose times ascend strictly.
    ///
    /// # Errors
    /// A timeframe that is not coarser or does not hold whole bars of the finer one, a finer bar
    /// that lies in two buckets, or a label that names no date.
    pub fn run(&self, bars: BarSlice<'_>) -> Result<Resampled, ResampleError> {
        check_factor(self.source.timeframe, self.timeframe)?;
        let Some(first) = bars.open_time.first() else {
            return Ok(Resampled::default());
        };
        let Some(last) = bars.close_time.last() else {
            return Ok(Resampled::default());
        };

        let stretches = self.stretches(*first, *last);
        let expected_runs = self.expected_runs(*first, *last);
        let mut ends = EndCounter::new(&expected_runs);
        let mut made = Making::default();
        let mut row = 0;
        let mut ends_seen = 0;

        // Rows and expected bars between two stretches belong to no bucket and are passed over.
        for (index, stretch) in stretches.iter().enumerate() {
            let rows = self.rows_of(stretch, stretches.get(index + 1), bars, row)?;
            made.outside += rows.start - row;
            row = rows.end;

            let before = ends.count_until(stretch.start).max(ends_seen);
            ends_seen = ends.count_until(stretch.end).max(before);
            made.add(stretch, bars, rows, ends_seen - before);
        }

        made.outside += bars.len() - row;
        self.finish(made)
    }

    /// The stretches of time that belong to one bucket each, in order, disjoint. A bucket of
    /// several sessions has several, one after the other.
    fn stretches(&self, first: Utc, last: Utc) -> Vec<Stretch> {
        let reach = self.timeframe.micros_max() + 2 * DAY_MICROS;
        let around = first.plus_micros(-reach)..last.plus_micros(reach);
        let boundary = self.source.day_boundary;

        if self.timeframe.is_intraday() {
            let slots = expected(self.calendar, self.timeframe, boundary, self.anchor, around);
            let stretches = slots.iter().map(|slot| Stretch {
                label: slot.open,
                start: slot.open,
                end: slot.close,
            });
            return stretches.collect();
        }

        // A trading date may begin on the evening before its label.
        if boundary == DayBoundary::SessionClose {
            let sessions = self.calendar.sessions_between(around);
            let stretches = sessions.iter().map(|session| Stretch {
                label: date_label(Utc::midnight(session.date), self.timeframe),
                start: session.open,
                end: session.close,
            });
            return stretches.collect();
        }

        // UTC dates do not depend on sessions.
        let first_label = date_label(first, self.timeframe);
        let labels = std::iter::successors(Some(first_label), |label| {
            Some(date_end(*label, self.timeframe))
        });
        let labels = labels.take_while(|label| *label < last);
        let stretches = labels.map(|label| Stretch {
            label,
            start: label,
            end: date_end(label, self.timeframe),
        });
        stretches.collect()
    }

    /// The finer bars that the calendar expects, from a bucket before the first one to a bucket
    /// after the last one.
    fn expected_runs(&self, first: Utc, last: Utc) -> Vec<SlotRun> {
        let reach = self.timeframe.micros_max() + DAY_MICROS;
        expected_runs(
            self.calendar,
            self.source.timeframe,
            self.source.day_boundary,
            self.anchor,
            first.plus_micros(-reach)..last.plus_micros(reach),
        )
    }

    /// The rows from `row` on that end in a stretch; those before them end before it begins.
    fn rows_of(
        &self,
        stretch: &Stretch,
        next: Option<&Stretch>,
        bars: BarSlice<'_>,
        row: usize,
    ) -> Result<Range<usize>, ResampleError> {
        let start = row + count_passed(bars.close_time, row, |close| close <= stretch.start);
        let mut end = start + count_passed(bars.close_time, start, |close| close <= stretch.end);

        // A bar that begins in this stretch and ends after it.
        let ends_later = bars.open_time.get(end).zip(bars.close_time.get(end));
        if let Some((open, close)) = ends_later.filter(|(open, _)| **open < stretch.end) {
            match next.filter(|next| next.start < *close) {
                None => end += 1,
                Some(next) if next.label == stretch.label => {}
                Some(_) => {
                    return Err(ResampleError::Straddles {
                        open: *open,
                        source_timeframe: self.source.timeframe,
                        target: self.timeframe,
                    });
                }
            }
        }
        Ok(start..end)
    }

    /// Leaves out a last bucket of which bars may still come, and says when the others are known.
    fn finish(&self, made: Making) -> Result<Resampled, ResampleError> {
        let Making {
            mut bars,
            mut sources,
            expected_counts,
            ended_at,
            outside,
            bucket: _,
        } = made;
        let counts = sources.iter().zip(&expected_counts);
        let mut complete: Vec<bool> = counts.map(|(count, expected)| count >= expected).collect();

        let mut partial = 0;
        if complete.last() == Some(&false) && !self.keeps_partial {
            bars = bars.slice(0..bars.len().saturating_sub(1));
            partial = sources.pop().unwrap_or_default();
            complete.pop();
        }

        // By the calendar, and not before the last bar of each bucket.
        let mut key = self.source.clone();
        key.timeframe = self.timeframe;
        let known_at = close_times(self.calendar, &key, &bars.open_time)?;
        let ends = known_at.iter().zip(&ended_at);
        bars.close_time = ends
            .map(|(by_calendar, of_last)| *by_calendar.max(of_last))
            .collect();
        Ok(Resampled {
            bars,
            sources,
            complete,
            partial,
            outside,
        })
    }
}

/// A stretch of time whose bars belong to one bucket.
struct Stretch {
    /// Label of the bucket.
    label: Utc,
    start: Utc,
    end: Utc,
}

/// Coarser bars while they are made; without their close times.
#[derive(Default)]
struct Making {
    bars: Bars,
    /// Finer bars in each.
    sources: Vec<usize>,
    /// Finer bars that the calendar expects in each.
    expected_counts: Vec<usize>,
    /// When the last finer bar of each was known.
    ended_at: Vec<Utc>,
    outside: usize,
    /// Label of the bucket at work, and the finer bars expected in it so far.
    bucket: Option<(Utc, usize)>,
}

impl Making {
    /// Adds the rows of a stretch, which may be none, to the bucket that it belongs to.
    fn add(
        &mut self,
        stretch: &Stretch,
        bars: BarSlice<'_>,
        rows: Range<usize>,
        expected_count: usize,
    ) {
        let expected_before = match self.bucket {
            Some((label, count)) if label == stretch.label => count,
            _ => 0,
        };
        let expected_count = expected_before + expected_count;
        self.bucket = Some((stretch.label, expected_count));

        // An earlier session of the bucket may have had bars.
        let is_begun = self.bars.open_time.last() == Some(&stretch.label);
        if is_begun {
            replace_last(&mut self.expected_counts, |_| expected_count);
        }
        let Some(ended_at) = bars.close_time.get(rows.clone()).and_then(<[_]>::last) else {
            return;
        };

        let values = Values::of(bars, &rows);
        if is_begun {
            self.extend_last(&values, rows.len(), *ended_at);
        } else {
            self.push(stretch.label, &values);
            self.sources.push(rows.len());
            self.expected_counts.push(expected_count);
            self.ended_at.push(*ended_at);
        }
    }

    fn push(&mut self, label: Utc, values: &Values) {
        self.bars.open_time.push(label);
        self.bars.open.push(values.open);
        self.bars.high.push(values.high);
        self.bars.low.push(values.low);
        self.bars.close.push(values.close);
        self.bars.volume.push(values.volume);
    }

    /// Adds a later session to the last bucket.
    fn extend_last(&mut self, later: &Values, rows: usize, ended_at: Utc) {
        let bars = &mut self.bars;
        replace_last(&mut bars.open, |open| first_known(open, later.open));
        replace_last(&mut bars.high, |high| high.max(later.high));
        replace_last(&mut bars.low, |low| low.min(later.low));
        replace_last(&mut bars.close, |close| first_known(later.close, close));
        replace_last(&mut bars.volume, |volume| add_known(volume, later.volume));

        replace_last(&mut self.sources, |sources| sources + rows);
        replace_last(&mut self.ended_at, |_| ended_at);
    }
}

fn replace_last<T: Copy>(column: &mut [T], change: impl Fn(T) -> T) {
    if let Some(last) = column.last_mut() {
        *last = change(*last);
    }
}

/// The prices and the volume of some rows; NaN where none of them has one.
struct Values {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

impl Values {
    fn of(bars: BarSlice<'_>, rows: &Range<usize>) -> Self {
        let is_known = |value: &&f64| !value.is_nan();
        let opens = rows_of(bars.open, rows).iter().find(is_known);
        let closes = rows_of(bars.close, rows).iter().rfind(is_known);

        // `max` and `min` pass over NaN.
        let highs = rows_of(bars.high, rows).iter().copied();
        let lows = rows_of(bars.low, rows).iter().copied();
        let volumes = rows_of(bars.volume, rows).iter().copied();
        Self {
            open: opens.copied().unwrap_or(f64::NAN),
            high: highs.fold(f64::NAN, f64::max),
            low: lows.fold(f64::NAN, f64::min),
            close: closes.copied().unwrap_or(f64::NAN),
            volume: volumes.fold(f64::NAN, add_known),
        }
    }
}

fn rows_of<'a>(column: &'a [f64], rows: &Range<usize>) -> &'a [f64] {
    column.get(rows.clone()).unwrap_or_default()
}

fn first_known(one: f64, other: f64) -> f64 {
    if one.is_nan() { other } else { one }
}

/// The sum of two volumes; an unknown one adds nothing.
fn add_known(one: f64, other: f64) -> f64 {
    if one.is_nan() {
        other
    } else if other.is_nan() {
        one
    } else {
        one + other
    }
}

/// True if bars of `source` can be put together to bars of `target`: minutes to a multiple of them
/// or to days, weeks or a month; days to a multiple of them, single days also to weeks or a month;
/// weeks to a multiple of them.
pub fn can_resample(source: Timeframe, target: Timeframe) -> bool {
    check_factor(source, target).is_ok()
}

fn check_factor(source: Timeframe, target: Timeframe) -> Result<(), ResampleError> {
    use TimeframeUnit::{Day, Minute, Month, Week};

    if target <= source {
        return Err(ResampleError::NotCoarser {
            source_timeframe: source,
            target,
        });
    }

    // Providers count several days from a day of their own, so that a week may begin within a bar.
    let is_multiple = target.count().is_multiple_of(source.count());
    let is_whole = match (source.unit(), target.unit()) {
        (Minute, Minute) | (Day, Day) | (Week, Week) => is_multiple,
        (Minute, Day | Week | Month) => true,
        (Day, Week | Month) => source.count() == 1,
        (Day | Week | Month, _) => false,
    };
    if is_whole {
        Ok(())
    } else {
        Err(ResampleError::NotWhole {
            source_timeframe: source,
            target,
        })
    }
}

/// Why bars cannot be put together.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResampleError {
    /// The wanted bars are as long as the bars that there are, or shorter.
    #[error("{source_timeframe} bars cannot become {target} bars: these are not longer")]
    NotCoarser {
        /// Timeframe of the bars that there are.
        source_timeframe: Timeframe,
        /// Timeframe of the wanted bars.
        target: Timeframe,
    },
    /// The wanted bars do not hold whole bars of the source.
    #[error("{source_timeframe} bars cannot become {target} bars: these do not hold whole ones")]
    NotWhole {
        /// Timeframe of the bars that there are.
        source_timeframe: Timeframe,
        /// Timeframe of the wanted bars.
        target: Timeframe,
    },
    /// A bar lies in two of the wanted bars.
    #[error("the {source_timeframe} bar of {open} lies in two {target} bars")]
    Straddles {
        /// Label of the bar.
        open: Utc,
        /// Timeframe of the bars that there are.
        source_timeframe: Timeframe,
        /// Timeframe of the wanted bars.
        target: Timeframe,
    },
    /// A label names no date.
    #[error("the bars have no close times")]
    Labels(#[from] CloseTimeError),
}

impl ResampleError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotCoarser { .. } => "choose a longer timeframe, or load finer bars",
            Self::NotWhole { .. } => {
                "choose a multiple of the timeframe, or days, weeks or a month"
            }
            Self::Straddles { .. } => {
                "start from finer bars, or count the longer ones from the clock or the session as \
                 these are"
            }
            Self::Labels(error) => error.hint(),
        }
    }
}
