//! What a commit changes, decided without I/O: periods, merged bars, merged knowledge of emptiness.

use std::fmt;
use std::ops::Range;

use market::{Timeframe, Utc};
use schemas::manifests::EmptyInterval;

use crate::raw_bars::RawBars;

/// The opens that one stored file holds, around `instant`, half-open: a UTC month up to five-minute
/// bars, else a UTC year.
pub fn file_period(timeframe: Timeframe, instant: Utc) -> Range<Utc> {
    let date = instant.date();

    let (first, last) = if is_monthly(timeframe) {
        (date.first_of_month(), date.last_of_month())
    } else {
        (date.first_of_year(), date.last_of_year())
    };
    let end = last.tomorrow().map_or(Utc(i64::MAX), Utc::midnight);
    Utc::midnight(first)..end
}

/// True if a file holds a month of these bars: a year of them would be too large to write again for
/// a few new bars.
fn is_monthly(timeframe: Timeframe) -> bool {
    timeframe <= Timeframe::MINUTE_5
}

/// The name of a file's period, `2018` or `2018-03`, from its first instant.
fn name_period(timeframe: Timeframe, start: Utc) -> String {
    let pattern = if is_monthly(timeframe) { "%Y-%m" } else { "%Y" };
    start.date().strftime(pattern).to_string()
}

/// Cuts sorted bars by period, oldest first; each piece with the name of its period.
pub(crate) fn cut_by_period(timeframe: Timeframe, bars: &RawBars) -> Vec<(String, RawBars)> {
    let mut pieces = Vec::new();
    let mut next = bars.open_time.first().copied();
    while let Some(open) = next {
        let period = file_period(timeframe, open);
        let name = name_period(timeframe, period.start);

        // The bars are sorted, so those of the period are one stretch.
        let end = bars.open_time.partition_point(|other| *other < period.end);
        next = bars.open_time.get(end).copied();
        pieces.push((name, bars.between(&period)));
    }
    pieces
}

/// Two sorted series in one.
pub(crate) struct Merged {
    /// The bars of both, in order.
    pub(crate) bars: RawBars,
    /// Bars that were not stored.
    pub(crate) new: u64,
    /// Bars that were stored with other values; the newer ones stay.
    pub(crate) changed: u64,
}

/// Merges newly fetched bars into the stored ones of the same period. The newest wins; nothing else
/// is touched.
pub(crate) fn merge(stored: &RawBars, newer: &RawBars) -> Merged {
    let mut merged = Merged {
        bars: RawBars::default(),
        new: 0,
        changed: 0,
    };
    let mut rest = stored.iter().peekable();

    // Both are sorted: one walk over the two.
    for bar in newer.iter() {
        while let Some(older) = rest.next_if(|older| older.open_time < bar.open_time) {
            merged.bars.push(older);
        }
        match rest.next_if(|older| older.open_time == bar.open_time) {
            None => merged.new += 1,
            Some(older) if !older.equals(&bar) => merged.changed += 1,
            Some(_) => {}
        }
        merged.bars.push(bar);
    }

    for older in rest {
        merged.bars.push(older);
    }
    merged
}

/// A bar that must not be stored.
pub(crate) struct UnstorableBar {
    open_time: Utc,
    reason: &'static str,
}

impl fmt::Display for UnstorableBar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the bar at {} has {}",
            self.open_time, self.reason
        )
    }
}

/// The first bar that must not be stored.
pub(crate) fn find_unstorable(bars: &RawBars) -> Option<UnstorableBar> {
    bars.iter().find_map(|bar| {
        let reason = if bar.prices.iter().any(|price| !price.is_finite()) {
            "a price that is not a number"
        } else if bar.volume.is_infinite() {
            "an infinite volume"
        } else {
            return None;
        };

        Some(UnstorableBar {
            open_time: bar.open_time,
            reason,
        })
    })
}

/// Adds newly learnt empty intervals. Touching intervals asked at one time become one; where an
/// older and a newer answer overlap, the newer one counts.
pub(crate) fn merge_empty(stored: &[EmptyInterval], newer: &[EmptyInterval]) -> Vec<EmptyInterval> {
    let mut all: Vec<EmptyInterval> = stored.to_vec();

    // A newer answer replaces what an older one said of the same time.
    for added in newer {
        if added.start >= added.end {
            continue;
        }
        let mut rest = Vec::with_capacity(all.len() + 1);
        for old in all {
            rest.extend(cut_out(old, added));
        }

        rest.push(added.clone());
        all = rest;
    }
    all.sort_by_key(|interval| interval.start);

    // Joined where they touch, so that a daily question does not grow the manifest every day.
    let mut joined: Vec<EmptyInterval> = Vec::with_capacity(all.len());
    for next in all {
        match joined.last_mut() {
            Some(last) if last.end == next.start && last.asked_at == next.asked_at => {
                last.end = next.end
            }
            _ => joined.push(next),
        }
    }
    joined
}

/// The parts of `old` before and after `cut`.
fn cut_out(old: EmptyInterval, cut: &EmptyInterval) -> impl Iterator<Item = EmptyInterval> {
    let before = EmptyInterval {
        end: old.end.min(cut.start),
        ..old.clone()
    };
    let after = EmptyInterval {
        start: old.start.max(cut.end),
        ..old
    };

    [before, after]
        .into_iter()
        .filter(|piece| piece.start < piece.end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::raw_bars::RawBar;

    fn bar(open: i64, close: f64) -> RawBar {
        RawBar {
            open_time: Utc(open),
            prices: [1.0, 2.0, 0.5, close],
            volume: f64::NAN,
        }
    }

    fn utc(text: &str) -> Utc {
        Utc::from_timestamp(text.parse().unwrap())
    }

    fn interval(start: i64, end: i64, asked_at: i64) -> EmptyInterval {
        EmptyInterval {
            start,
            end,
            asked_at,
        }
    }

    #[test]
    fn five_minute_bars_are_filed_by_month() {
        let month = file_period(Timeframe::MINUTE_5, utc("2020-02-29T23:55:00Z"));
        assert_eq!(
            month,
            utc("2020-02-01T00:00:00Z")..utc("2020-03-01T00:00:00Z")
        );
        assert_eq!(name_period(Timeframe::MINUTE_5, month.start), "2020-02");
    }

    #[test]
    fn longer_bars_are_filed_by_year() {
        let year = file_period(Timeframe::MINUTE_15, utc("2020-02-29T23:55:00Z"));
        assert_eq!(
            year,
            utc("2020-01-01T00:00:00Z")..utc("2021-01-01T00:00:00Z")
        );
        assert_eq!(name_period(Timeframe::MINUTE_15, year.start), "2020");
    }

    #[test]
    fn the_newest_bar_wins_and_is_counted_once() {
        let stored: RawBars = [bar(1, 10.0), bar(2, 20.0), bar(4, 40.0)]
            .into_iter()
            .collect();
        let newer: RawBars = [bar(2, 21.0), bar(3, 30.0), bar(4, 40.0)]
            .into_iter()
            .collect();

        let merged = merge(&stored, &newer);

        assert_eq!(merged.bars.close, [10.0, 21.0, 30.0, 40.0]);
        assert_eq!((merged.new, merged.changed), (1, 1));
    }

    #[test]
    fn a_newer_empty_answer_replaces_the_overlap_of_an_older_one() {
        // [0,10) asked at 1 and [5,15) asked at 2 leave [0,5) of the first; [15,20) asked at 2
        // touches and joins.
        let merged = merge_empty(
            &[interval(0, 10, 1)],
            &[interval(5, 15, 2), interval(15, 20, 2)],
        );
        assert_eq!(merged, [interval(0, 5, 1), interval(5, 20, 2)]);
    }

    fn rows(closes: &BTreeMap<i64, i32>) -> RawBars {
        closes
            .iter()
            .map(|(open, close)| bar(*open, f64::from(*close)))
            .collect()
    }

    proptest! {
        #[test]
        fn merging_equals_a_map_with_the_newest_value(
            stored in prop::collection::btree_map(0_i64..60, 0_i32..3, 0..40),
            newer in prop::collection::btree_map(0_i64..60, 0_i32..3, 0..40),
        ) {
            let mut expected = stored.clone();
            let mut new = 0;
            let mut changed = 0;
            for (open, close) in &newer {
                match expected.insert(*open, *close) {
                    None => new += 1,
                    Some(old) if old != *close => changed += 1,
                    Some(_) => {}
                }
            }

            let merged = merge(&rows(&stored), &rows(&newer));

            prop_assert_eq!((merged.new, merged.changed), (new, changed));
            prop_assert_eq!(merged.bars.close, rows(&expected).close);
            prop_assert_eq!(merged.bars.open_time, rows(&expected).open_time);
        }
    }
}
