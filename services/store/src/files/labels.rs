//! The open of every bar from the times that label them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use market::{DayBoundary, TimeframeUnit, Utc};

use super::clock::LocalClock;
use super::sheet::Sheet;
use super::stamp::{StampKind, StampProblem, Stamps, day_at_midnight};
use super::{DAY, Expected, LabelSide, RepeatedHour};

/// Hours of a local day in which the first session of a market opens.
const MORNING: std::ops::Range<i64> = 4..13;
/// Microseconds of an hour.
const HOUR: i64 = DAY / 24;

/// How the timestamps of a file name its bars.
pub(super) struct Labels<'a> {
    /// Zone of times that carry none.
    pub(super) zone: Option<TimeZone>,
    pub(super) side: LabelSide,
    pub(super) repeated_hour: Option<RepeatedHour>,
    pub(super) expected: &'a Expected,
}

/// The opens of all rows, and what was read otherwise than it is written.
#[derive(Debug, Default)]
pub(super) struct Opens {
    pub(super) times: Vec<Utc>,
    /// The days that the rows name, before they were moved to labels; `None` for intraday bars.
    pub(super) stamped_times: Option<Vec<Utc>>,
    pub(super) notes: Vec<String>,
}

/// The label of a bar of days, weeks or months.
struct Label {
    time: Utc,
    /// The row named another day.
    was_moved: bool,
}

/// The first row that labels no bar.
#[derive(Clone, Copy, Debug)]
pub(super) struct BadRow {
    pub(super) row: usize,
    pub(super) problem: StampProblem,
}

impl Labels<'_> {
    /// The opens of the bars that the rows of `sheet` label; the times of the sheet are used up.
    ///
    /// # Errors
    /// The first row that cannot be placed: a person has to look at it.
    pub(super) fn opens(&self, sheet: &mut Sheet) -> Result<Opens, BadRow> {
        if self.expected.timeframe.is_intraday() {
            self.intraday_opens(sheet)
        } else {
            self.daily_opens(sheet)
        }
    }

    fn intraday_opens(&self, sheet: &mut Sheet) -> Result<Opens, BadRow> {
        let mut notes = Vec::new();
        let mut micros = match sheet.stamps.kind() {
            StampKind::Instant => std::mem::take(&mut sheet.stamps).into_micros(),
            StampKind::Local => {
                let zone = sheet.written_zone.as_ref().or(self.zone.as_ref());
                let zone = zone.ok_or(BadRow {
                    row: 0,
                    problem: StampProblem::Naive,
                })?;
                let clock = LocalClock::new(zone, self.repeated_hour);
                clock.instants(sheet.stamps.micros(), &mut notes)?
            }
            // A day is no time of day: all bars of it would be one.
            StampKind::Date => {
                return Err(BadRow {
                    row: 0,
                    problem: StampProblem::NoTimeOfDay,
                });
            }
        };

        if self.side == LabelSide::Close {
            notes.extend(round_up_last_moments(&mut micros));
            let length = self.expected.timeframe.micros();
            micros.iter_mut().for_each(|time| *time -= length);
        }
        Ok(Opens {
            times: micros.into_iter().map(Utc).collect(),
            stamped_times: None,
            notes,
        })
    }

    fn daily_opens(&self, sheet: &Sheet) -> Result<Opens, BadRow> {
        let mut opens = Opens::default();
        let mut stamped_times = Vec::with_capacity(sheet.stamps.len());
        let mut moved_labels = 0_usize;
        // A trading date is itself, whichever end is meant; a day in UTC ends at the next midnight.
        let names_the_next_day =
            self.side == LabelSide::Close && self.expected.day_boundary == DayBoundary::UtcMidnight;

        for row in 0..sheet.stamps.len() {
            let day = self.day_of(sheet, row);
            let day = day.map_err(|problem| BadRow { row, problem })?;
            if self.ends_after_utc_day(sheet, row, day) {
                let problem = StampProblem::EndsAfterUtcDay;
                return Err(BadRow { row, problem });
            }
            let day = Utc((day - i64::from(names_the_next_day)) * DAY);
            let label = self.label_of(day);
            moved_labels += usize::from(label.was_moved);
            opens.times.push(label.time);
            stamped_times.push(day);
        }

        if moved_labels > 0 {
            let label = match self.expected.timeframe.unit() {
                TimeframeUnit::Month => "monthly bars are labelled by the first of their month",
                _ => "weekly bars are labelled by their Monday",
            };
            opens
                .notes
                .push(format!("{label}: {moved_labels} rows moved to it"));
        }
        opens.stamped_times = Some(stamped_times);
        Ok(opens)
    }

    /// The label of the bar that a row names by `day`.
    fn label_of(&self, day: Utc) -> Label {
        let timeframe = self.expected.timeframe;
        let time = match self.side {
            LabelSide::Open => timeframe.label_of_first_day(day),
            LabelSide::Close => timeframe.label_of_last_day(day),
        };

        // Files name a week or month by any of its days; only the nominal one needs no note.
        let nominal_day = match self.side {
            LabelSide::Open => time,
            LabelSide::Close => timeframe.nominal_end(time).plus_micros(-DAY),
        };

        Label {
            time,
            was_moved: day != nominal_day,
        }
    }

    /// The date that a row names, in days since 1970: a date, a local midnight, an instant that is
    /// midnight where it was written, in the zone or in UTC, or the morning of a session.
    fn day_of(&self, sheet: &Sheet, row: usize) -> Result<i64, StampProblem> {
        let stamps = &sheet.stamps;
        let micros = stamps.micros().get(row).copied().unwrap_or_default();

        match stamps.kind() {
            StampKind::Date => Ok(micros.div_euclid(DAY)),
            StampKind::Local if sheet.has_date_column => Ok(micros.div_euclid(DAY)),
            StampKind::Local => day_at_midnight(micros).ok_or(StampProblem::NotADate),
            StampKind::Instant => self.day_of_instant(stamps, row, micros),
        }
    }

    /// A day of UTC is known at the next midnight UTC. Where a zone west of Greenwich counts the
    /// days, that is hours before the bar is over.
    fn ends_after_utc_day(&self, sheet: &Sheet, row: usize, day: i64) -> bool {
        if self.expected.day_boundary != DayBoundary::UtcMidnight {
            return false;
        }
        let micros = sheet.stamps.micros().get(row).copied().unwrap_or_default();
        if sheet.stamps.kind() == StampKind::Instant {
            // An instant that is midnight in UTC says itself which day it means.
            if micros == day * DAY {
                return false;
            }
            if sheet.stamps.written_clock(row).and_then(day_at_midnight) == Some(day) {
                return micros > day * DAY;
            }
        }

        let zone = sheet.written_zone.as_ref().or(self.zone.as_ref());
        let end = zone.and_then(|zone| local_day_end(day, zone));
        end.is_some_and(|end| end > (day + 1) * DAY)
    }

    fn day_of_instant(
        &self,
        stamps: &Stamps,
        row: usize,
        micros: i64,
    ) -> Result<i64, StampProblem> {
        if let Some(day) = day_at_midnight(micros) {
            return Ok(day);
        }
        let written = stamps.written_clock(row).and_then(day_at_midnight);
        let local = self.zone.as_ref().map(|zone| local_micros(zone, micros));
        let local_day = local.and_then(day_at_midnight);

        if let Some(day) = written.or(local_day) {
            return Ok(day);
        }

        // A session that opens in the morning belongs to its date.
        let has_sessions = self.expected.day_boundary != DayBoundary::UtcMidnight;
        let morning =
            local.filter(|local| has_sessions && MORNING.contains(&(local.rem_euclid(DAY) / HOUR)));
        let day = morning.map(|local| local.div_euclid(DAY));
        day.ok_or(StampProblem::NotADate)
    }
}

/// When the local day ends that is `day` days after 1970, in microseconds.
fn local_day_end(day: i64, zone: &TimeZone) -> Option<i64> {
    let next_midnight = civil((day + 1).checked_mul(DAY)?);
    let end = zone.to_timestamp(next_midnight).ok()?;
    Some(end.as_microsecond())
}

/// The reading of the clock of `zone` at an instant, in microseconds as if it were UTC.
fn local_micros(zone: &TimeZone, instant: i64) -> i64 {
    let offset = zone.to_offset(Utc(instant).timestamp());
    instant + i64::from(offset.seconds()) * 1_000_000
}

/// Ends such as 10:59:59.999 are the last moment of a bar, not its end.
fn round_up_last_moments(micros: &mut [i64]) -> Option<String> {
    let minute = 60 * 1_000_000;
    let mut count = 0_usize;
    for time in micros {
        let missing = minute - time.rem_euclid(minute);
        if (1..=1_000).contains(&missing) {
            *time += missing;
            count += 1;
        }
    }
    (count > 0).then(|| {
        format!("ends such as 10:59:59.999 are read as the full minute behind them ({count} rows)")
    })
}

/// A local time as jiff writes it.
pub(super) fn civil(micros: i64) -> DateTime {
    TimeZone::UTC.to_datetime(Utc(micros).timestamp())
}
