//! What a commit changes, decided without I/O: periods, merged bars, merged knowledge of emptiness.

use std::ops::Range;

use market::{Timeframe, Utc};
use schemas::manifests::EmptyInterval;

use crate::raw_bars::{RawBar, RawBars};

/// The labels that one stored file holds, around `instant`: a UTC month up to five-minute bars,
/// else a UTC year.
pub fn file_period(timeframe: Timeframe, instant: Utc) -> Range<Utc> {
    let date = instant.date();
    let monthly = timeframe <= Timeframe::Minute5;
    let start = if monthly {
        date.first_of_month()
    } else {
        date.first_of_year()
    };
    let last = if monthly {
        date.last_of_month()
    } else {
        date.last_of_year()
    };
    Utc::midnight(start)..last.tomorrow().map_or(Utc(i64::MAX), Utc::midnight)
}

/// The name of that file's period, `2018` or `2018-03`, and the labels in it.
pub(crate) fn period(timeframe: Timeframe, instant: Utc) -> (String, Range<Utc>) {
    let covered = file_period(timeframe, instant);
    let pattern = if timeframe <= Timeframe::Minute5 {
        "%Y-%m"
    } else {
        "%Y"
    };
    (covered.start.date().strftime(pattern).to_string(), covered)
}

/// Cuts sorted bars by period, oldest first.
pub(crate) fn by_period(timeframe: Timeframe, bars: &RawBars) -> Vec<(String, RawBars)> {
    let mut pieces = Vec::new();
    let mut next = bars.open_time.first().copied();
    while let Some(open) = next {
        let (name, covered) = period(timeframe, open);
        let after = bars.open_time.partition_point(|other| *other < covered.end);
        next = bars.open_time.get(after).copied();
        pieces.push((name, bars.between(&covered)));
    }
    pieces
}

/// Two sorted series made one.
pub(crate) struct Merged {
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
    for bar in newer.iter() {
        while let Some(older) = rest.next_if(|older| older.open_time < bar.open_time) {
            merged.bars.push(older);
        }
        match rest.next_if(|older| older.open_time == bar.open_time) {
            None => merged.new += 1,
            Some(older) if !older.same(&bar) => merged.changed += 1,
            Some(_) => {}
        }
        merged.bars.push(bar);
    }
    rest.for_each(|older| merged.bars.push(older));
    merged
}

/// The first bar that must not be stored, and why.
pub(crate) fn refused(bars: &RawBars) -> Option<(RawBar, &'static str)> {
    bars.iter().find_map(|bar| {
        let reason = if bar.prices.iter().any(|price| !price.is_finite()) {
            "a price that is no number"
        } else if bar.volume.is_infinite() {
            "an infinite volume"
        } else {
            return None;
        };
        Some((bar, reason))
    })
}

/// Adds newly learnt empty intervals. Touching intervals asked at one time become one; where an
/// older and a newer answer overlap, the newer one counts.
pub(crate) fn merge_empty(stored: &[EmptyInterval], newer: &[EmptyInterval]) -> Vec<EmptyInterval> {
    let mut all: Vec<EmptyInterval> = stored.to_vec();
    for added in newer
        .iter()
        .filter(|interval| interval.start < interval.end)
    {
        let pieces = all
            .into_iter()
            .flat_map(|old| without(old, added))
            .collect::<Vec<_>>();
        all = pieces;
        all.push(added.clone());
    }
    all.sort_by_key(|interval| interval.start);
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

/// What remains of `old` outside `cut`.
fn without(old: EmptyInterval, cut: &EmptyInterval) -> impl Iterator<Item = EmptyInterval> {
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
    use proptest::prelude::*;

    use super::*;

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
    fn hourly_bars_lie_in_years_and_five_minute_bars_in_months() {
        let instant = utc("2020-02-29T23:55:00Z");
        let (month, covered) = period(Timeframe::Minute5, instant);
        assert_eq!(
            (month.as_str(), covered),
            (
                "2020-02",
                utc("2020-02-01T00:00:00Z")..utc("2020-03-01T00:00:00Z")
            )
        );
        let (year, covered) = period(Timeframe::Minute15, instant);
        assert_eq!(
            (year.as_str(), covered),
            (
                "2020",
                utc("2020-01-01T00:00:00Z")..utc("2021-01-01T00:00:00Z")
            )
        );
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
    fn a_newer_empty_answer_replaces_the_older_one_where_they_overlap() {
        // [0,10) asked at 1 and [5,15) asked at 2 leave [0,5) of the first; [15,20) asked at 2
        // touches and joins.
        let merged = merge_empty(
            &[interval(0, 10, 1)],
            &[interval(5, 15, 2), interval(15, 20, 2)],
        );
        assert_eq!(merged, [interval(0, 5, 1), interval(5, 20, 2)]);
    }

    proptest! {
        #[test]
        fn merging_equals_a_map_with_the_newest_value(
            stored in prop::collection::btree_map(0_i64..60, 0_i32..3, 0..40),
            newer in prop::collection::btree_map(0_i64..60, 0_i32..3, 0..40),
        ) {
            let rows = |map: &std::collections::BTreeMap<i64, i32>| {
                map.iter().map(|(open, close)| bar(*open, f64::from(*close))).collect::<RawBars>()
            };
            let mut expected = stored.clone();
            let mut counts = (0, 0);
            for (open, close) in &newer {
                match expected.insert(*open, *close) {
                    None => counts.0 += 1,
                    Some(old) if old != *close => counts.1 += 1,
                    Some(_) => {}
                }
            }
            let merged = merge(&rows(&stored), &rows(&newer));
            prop_assert_eq!((merged.new, merged.changed), counts);
            prop_assert_eq!(merged.bars.close, rows(&expected).close);
            prop_assert_eq!(merged.bars.open_time, rows(&expected).open_time);
        }
    }
}
