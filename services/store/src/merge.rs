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
pub(crate) fn merge(mut stored: RawBars, newer: &RawBars) -> Merged {
    // Nearly every commit appends: whole columns are copied, not rows.
    if stored.open_time.last() < newer.open_time.first() {
        stored.reserve(newer.len());
        stored.extend(newer);
        return Merged {
            bars: stored,
            new: newer.len() as u64,
            changed: 0,
        };
    }

    let mut merged = Merged {
        bars: RawBars::default(),
        new: 0,
        changed: 0,
    };
    merged.bars.reserve(stored.len() + newer.len());
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
        // An unknown volume is NaN and may be stored; an infinite one is a defect of its source.
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
/// older and a newer answer overlap, the newer one counts. `stored` ascends and is disjoint.
pub(crate) fn merge_empty(stored: &[EmptyInterval], newer: &[EmptyInterval]) -> Vec<EmptyInterval> {
    let is_interval = |interval: &&EmptyInterval| interval.start < interval.end;
    let newer: Vec<EmptyInterval> = newer.iter().filter(is_interval).cloned().collect();

    // The intervals of one answer ascend. Of others each one replaces those before it.
    if newer.is_sorted_by(|one, next| one.end <= next.start) {
        return join_touching(overlay(stored, &newer));
    }
    let mut all = stored.to_vec();
    for interval in newer {
        all = overlay(&all, &[interval]);
    }
    join_touching(all)
}

/// The newer intervals and what they leave of the older ones, ascending. Both ascend and are
/// disjoint: one walk over the two.
fn overlay(stored: &[EmptyInterval], newer: &[EmptyInterval]) -> Vec<EmptyInterval> {
    let mut all = Vec::with_capacity(stored.len() + 2 * newer.len());
    let mut first_cut = 0;

    for old in stored {
        let is_before = |cut: &&EmptyInterval| cut.end <= old.start;
        let passed = newer.iter().skip(first_cut).take_while(is_before).count();
        first_cut += passed;

        // A newer answer replaces what an older one said of the same time.
        let mut start = old.start;
        let cuts = newer.iter().skip(first_cut);
        for cut in cuts.take_while(|cut| cut.start < old.end) {
            if start < cut.start {
                let end = cut.start;
                all.push(EmptyInterval {
                    start,
                    end,
                    ..old.clone()
                });
            }
            start = cut.end;
        }
        if start < old.end {
            all.push(EmptyInterval {
                start,
                ..old.clone()
            });
        }
    }

    all.extend_from_slice(newer);
    all.sort_by_key(|interval| interval.start);
    all
}

/// Joins intervals where they touch, so that a daily question does not grow the manifest every day.
fn join_touching(all: Vec<EmptyInterval>) -> Vec<EmptyInterval> {
    let mut joined: Vec<EmptyInterval> = Vec::with_capacity(all.len());

    for next in all {
        match joined.last_mut() {
            Some(last) if last.end == next.start && last.asked_at == next.asked_at => {
                last.end = next.end;
            }
            _ => joined.push(next),
        }
    }
    joined
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

        let merged = merge(stored, &newer);

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

    /// The time of the newest answer about each instant below 80.
    fn answers(intervals: &[EmptyInterval], into: &mut BTreeMap<i64, i64>) {
        for interval in intervals {
            for instant in interval.start..interval.end {
                into.insert(instant, interval.asked_at);
            }
        }
    }

    fn rows(closes: &BTreeMap<i64, i32>) -> RawBars {
        closes
            .iter()
            .map(|(open, close)| bar(*open, f64::from(*close)))
            .collect()
    }

    proptest! {
        #[test]
        fn the_ledger_remembers_the_newest_answer_about_each_instant(
            edits in prop::collection::vec(
                prop::collection::vec((0_i64..60, -2_i64..20), 0..8),
                1..6,
            ),
        ) {
            let mut ledger = Vec::new();
            let mut expected = BTreeMap::new();
            for (asked_at, edit) in (1_i64..).zip(edits) {
                let newer: Vec<EmptyInterval> = edit
                    .into_iter()
                    .map(|(start, length)| interval(start, start + length, asked_at))
                    .collect();
                ledger = merge_empty(&ledger, &newer);
                answers(&newer, &mut expected);
            }

            let mut remembered = BTreeMap::new();
            answers(&ledger, &mut remembered);
            prop_assert_eq!(remembered, expected);
            prop_assert!(ledger.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }

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

            let merged = merge(rows(&stored), &rows(&newer));

            prop_assert_eq!((merged.new, merged.changed), (new, changed));
            prop_assert_eq!(merged.bars.close, rows(&expected).close);
            prop_assert_eq!(merged.bars.open_time, rows(&expected).open_time);
        }
    }
}
