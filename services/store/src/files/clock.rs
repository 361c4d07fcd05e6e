//! Local times as instants, many at once: the offset of a zone is looked up where it changes, and
//! the order of the rows tells the two passes of a repeated hour apart.

use jiff::tz::{AmbiguousOffset, TimeZone};
use market::Utc;

use super::RepeatedHour;
use super::labels::{BadRow, civil};
use super::stamp::StampProblem;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// The clock of a zone.
pub(super) struct LocalClock<'a> {
    zone: &'a TimeZone,
    repeated_hour: Option<RepeatedHour>,
}

/// Local times between two changes of clocks, which all have one offset.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    /// First and last local time of which it is certain, in microseconds; half-open.
    start: i64,
    end: i64,
    /// Local time minus UTC.
    offset: i64,
}

/// The two offsets of a local time that happens twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TwoOffsets {
    /// Of the first time, before clocks go back.
    earlier: i64,
    later: i64,
}

/// What a local time is.
enum Reading {
    Once(Span),
    Twice(TwoOffsets),
    Never,
}

impl<'a> LocalClock<'a> {
    pub(super) fn new(zone: &'a TimeZone, repeated_hour: Option<RepeatedHour>) -> Self {
        Self {
            zone,
            repeated_hour,
        }
    }

    /// The instants of local times in file order.
    ///
    /// # Errors
    /// A time that never happens, or one that happens twice where neither the rows nor the options
    /// say which.
    pub(super) fn instants(
        &self,
        local: &[i64],
        notes: &mut Vec<String>,
    ) -> Result<Vec<i64>, BadRow> {
        let is_newest_first = local.first() > local.last();
        let mut instants = Vec::with_capacity(local.len());
        let mut span = Span::default();
        let mut row = 0;
        let mut told_apart = 0;

        // Nearly every row lies in the span of the row before it, and needs no look-up in the zone.
        while let Some(time) = local.get(row) {
            if (span.start..span.end).contains(time) {
                instants.push(time - span.offset);
                row += 1;
                continue;
            }
            match self.read(*time) {
                Reading::Once(next) => span = next,
                Reading::Never => return Err(bad(row, StampProblem::Skipped)),
                Reading::Twice(offsets) => {
                    let rest = local.get(row..).unwrap_or_default();
                    let run = self.run_of(rest, offsets);
                    let times = rest.get(..run).unwrap_or_default();
                    let places = self.tell_apart(times, offsets, is_newest_first);
                    instants.extend(places.ok_or(bad(row, StampProblem::Repeated))?);
                    told_apart += run;
                    row += run;
                }
            }
        }

        // People have to see this choice: a wrong one moves these bars by an hour.
        if told_apart > 0 {
            let how = match self.repeated_hour {
                Some(_) => "by the option",
                None => "by the order of the rows",
            };
            notes.push(format!(
                "clocks went back and an hour happened twice: {told_apart} rows told apart {how}"
            ));
        }
        Ok(instants)
    }

    /// How many of the first rows are within the same repeated hour.
    fn run_of(&self, local: &[i64], offsets: TwoOffsets) -> usize {
        let is_inside =
            |time: &&i64| matches!(self.read(**time), Reading::Twice(other) if other == offsets);
        local.iter().take_while(is_inside).count()
    }

    /// The instants of a repeated hour: where the clock does not go on, it went back.
    fn tell_apart(
        &self,
        times: &[i64],
        offsets: TwoOffsets,
        is_newest_first: bool,
    ) -> Option<Vec<i64>> {
        let mut turn = 1 + times
            .windows(2)
            .take_while(|pair| goes_on(pair, is_newest_first))
            .count();
        // Of three passes through one hour nobody can say what they are.
        let second_pass = times.get(turn..).unwrap_or_default();
        if !second_pass
            .windows(2)
            .all(|pair| goes_on(pair, is_newest_first))
        {
            return None;
        }
        let is_told = turn < times.len();
        let is_first_earlier = match (is_told, self.repeated_hour) {
            (true, _) => !is_newest_first,
            (false, Some(RepeatedHour::Earlier)) => true,
            (false, Some(RepeatedHour::Later)) => false,
            (false, None) => return None,
        };
        if !is_told {
            turn = times.len();
        }

        let places = times.iter().enumerate().map(|(index, time)| {
            let is_earlier = (index < turn) == is_first_earlier;
            let offset = if is_earlier {
                offsets.earlier
            } else {
                offsets.later
            };
            time - offset
        });
        Some(places.collect())
    }

    fn read(&self, local: i64) -> Reading {
        let ambiguous = self.zone.to_ambiguous_timestamp(civil(local));
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                Reading::Once(self.span_around(local, i64::from(offset.seconds()) * SECOND))
            }
            AmbiguousOffset::Gap { .. } => Reading::Never,
            AmbiguousOffset::Fold { before, after } => Reading::Twice(TwoOffsets {
                earlier: i64::from(before.seconds()) * SECOND,
                later: i64::from(after.seconds()) * SECOND,
            }),
        }
    }

    /// The local times around `local` that have its offset for certain: up to the next changes of
    /// clocks, less what happens twice there.
    fn span_around(&self, local: i64, offset: i64) -> Span {
        let instant = Utc(local - offset).timestamp();
        let next = self.zone.following(instant).next();
        let end = next.map_or(i64::MAX, |change| {
            let other = i64::from(change.offset().seconds()) * SECOND;
            change.timestamp().as_microsecond() + offset.min(other)
        });

        // The change at this instant itself counts as one before it.
        let behind = Utc(local - offset + 1).timestamp();
        let start = self
            .zone
            .preceding(behind)
            .next()
            .map_or(i64::MIN, |change| {
                let at = change.timestamp().as_microsecond();
                let before = self.zone.to_offset(Utc(at - 1).timestamp());
                at + offset.max(i64::from(before.seconds()) * SECOND)
            });
        Span {
            start: start.min(local),
            end: end.max(local + 1),
            offset,
        }
    }
}

/// True where the clock goes on from one row to the next.
fn goes_on(pair: &[i64], is_newest_first: bool) -> bool {
    if is_newest_first {
        pair.last() < pair.first()
    } else {
        pair.last() > pair.first()
    }
}

fn bad(row: usize, problem: StampProblem) -> BadRow {
    BadRow { row, problem }
}
