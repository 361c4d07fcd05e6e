//! The leak test: features recomputed without the future must not change.
//!
//! A series is cut at several instants. What was known at each is given to the computation once
//! more, and every value of every column up to the cut must come out with the same bits. Columns
//! are compared by [`Digest`], a run of rows at a time, so that the test keeps no column and no
//! copy of the bars, and is as strict as one that does.

use market::Utc;

use crate::features::{FeatureError, KnownBars, Take};

/// A feature that knew the future.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// Position of the column.
    pub feature: usize,
    /// Decision times of the rows among which it changed, both inclusive.
    pub rows: (Utc, Utc),
    /// Nothing known after this instant was left.
    pub cut: Utc,
}

/// What the columns of a whole series were, to be compared with what they are without the future.
#[derive(Clone, Debug)]
pub struct LeakTest {
    /// Runs of rows: first and last decision time, and number of rows up to its end. A cut follows
    /// on each.
    runs: Vec<(Utc, Utc, usize)>,
    /// By feature, then run.
    seen: Vec<Vec<Digest>>,
}

impl LeakTest {
    /// Of rows with these decision times: cut after a third, after two thirds, and before the last
    /// row. A column that peeks one bar ahead differs at any cut, one that needs the whole series
    /// (a mean over all of it) at the first.
    pub fn new(close_time: &[Utc]) -> Self {
        let rows = close_time.len();
        let mut last_rows = [rows / 3, rows / 3 * 2, rows.saturating_sub(2)];
        last_rows.sort_unstable();
        let mut start = 0;
        let runs = last_rows.iter().filter_map(|&last| {
            let first = std::mem::replace(&mut start, last + 1).min(last);
            Some((*close_time.get(first)?, *close_time.get(last)?, last + 1))
        });
        Self {
            runs: runs.collect(),
            seen: Vec::new(),
        }
    }

    /// Number of cuts.
    pub fn cuts(&self) -> usize {
        self.runs.len()
    }

    /// Takes a stretch of a column that was computed with everything known, from `row` on.
    /// Stretches come in order.
    pub fn see(&mut self, feature: usize, row: usize, values: &[f64]) {
        take(&self.runs, &mut self.seen, feature, row, values);
    }

    /// Lets `compute` hand over the columns of the bars known at each cut, stretch by stretch, and
    /// gives the first leak.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn check(
        &self,
        bars: &KnownBars<'_>,
        mut compute: impl FnMut(&KnownBars<'_>, Take<'_>) -> Result<(), FeatureError>,
    ) -> Result<Option<Leak>, FeatureError> {
        for (number, &(_, cut, _)) in self.runs.iter().enumerate().rev() {
            let known = bars
                .iter()
                .map(|(timeframe, bars)| (*timeframe, bars.known_at(cut)))
                .collect();
            let left = self.runs.get(..=number).unwrap_or_default();
            let mut seen = Vec::new();
            compute(&known, &mut |feature, row, values| {
                take(left, &mut seen, feature, row, values)
            })?;
            for (feature, with) in self.seen.iter().enumerate() {
                let without = seen.get(feature);
                let same = |run: usize| {
                    with.get(run) == without.and_then(|without: &Vec<Digest>| without.get(run))
                };
                let changed = (0..=number)
                    .find(|run| !same(*run))
                    .and_then(|run| self.runs.get(run));
                if let Some((first, last, _)) = changed {
                    return Ok(Some(Leak {
                        feature,
                        rows: (*first, *last),
                        cut,
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// Adds a stretch of a column to the digests of the runs that it touches.
fn take(
    runs: &[(Utc, Utc, usize)],
    seen: &mut Vec<Vec<Digest>>,
    feature: usize,
    row: usize,
    values: &[f64],
) {
    if seen.len() <= feature {
        seen.resize_with(feature + 1, Vec::new);
    }
    let digests = seen.iter_mut().skip(feature).take(1);
    let (mut row, mut rest) = (row, values);
    for digests in digests {
        digests.resize(runs.len(), Digest::default());
        for (digest, (_, _, end)) in digests.iter_mut().zip(runs) {
            let (own, later) = rest.split_at(end.saturating_sub(row).min(rest.len()));
            digest.take(row, own);
            (row, rest) = (row + own.len(), later);
        }
    }
}

/// What a run of values amounts to: 256 bits that any one changed value changes for certain, as
/// every step is reversible, and that several changed values leave as they are about once in 2^64
/// times. All NaN are one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest([u64; 4]);

impl Digest {
    /// Adds the values from `row` on. A row's lane is its number modulo four, however the run is
    /// cut into stretches; so a processor works on four rows at once.
    fn take(&mut self, row: usize, values: &[f64]) {
        let mix = |lane: &mut u64, value: f64| {
            let bits = if value.is_nan() {
                f64::NAN.to_bits()
            } else {
                value.to_bits()
            };
            *lane = (lane.rotate_left(5) ^ bits).wrapping_mul(0x517c_c1b7_2722_0a95);
        };
        let (head, values) = values.split_at((row.wrapping_neg() % 4).min(values.len()));
        let mut lanes = self.0;
        lanes
            .iter_mut()
            .skip(row % 4)
            .zip(head)
            .for_each(|(lane, value)| mix(lane, *value));
        let (fours, tail) = values.as_chunks::<4>();
        for four in fours {
            lanes
                .iter_mut()
                .zip(four)
                .for_each(|(lane, value)| mix(lane, *value));
        }
        lanes
            .iter_mut()
            .zip(tail)
            .for_each(|(lane, value)| mix(lane, *value));
        self.0 = lanes;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use market::{Bars, Timeframe};

    use super::*;
    use crate::features::{SymbolBars, known};

    fn digest(stretches: &[&[f64]]) -> Digest {
        let (mut digest, mut row) = (Digest::default(), 3);
        for stretch in stretches {
            digest.take(row, stretch);
            row += stretch.len();
        }
        digest
    }

    /// One bit of one value, at any place, in any of the four lanes and in the rest.
    #[test]
    fn a_digest_changes_with_the_last_bit_of_any_value_and_not_with_the_kind_of_nan() {
        let values: Vec<f64> = (0..23).map(f64::from).collect();
        let whole = digest(&[&values]);
        for row in 0..values.len() {
            let mut other = values.clone();
            other[row] = f64::from_bits(other[row].to_bits() ^ 1);
            assert_ne!(digest(&[&other]), whole, "row {row}");
            assert_ne!(digest(&[&values[..row]]), whole, "only {row} rows");
        }
        assert_eq!(digest(&[&[f64::NAN, 1.0]]), digest(&[&[-f64::NAN, 1.0]]));
        assert_ne!(digest(&[&[0.0]]), digest(&[&[-0.0]]), "bit for bit");
        assert_ne!(digest(&[&[1.0, 2.0]]), digest(&[&[2.0, 1.0]]));
    }

    #[test]
    fn a_digest_is_the_same_however_a_run_is_cut_into_stretches() {
        let values: Vec<f64> = (0..23).map(f64::from).collect();
        for (one, other) in (0..=23).flat_map(|one| (one..=23).map(move |other| (one, other))) {
            let stretches = [&values[..one], &values[one..other], &values[other..]];
            assert_eq!(
                digest(&stretches),
                digest(&[&values]),
                "cut at {one} and {other}"
            );
        }
    }

    fn rising(rows: usize) -> SymbolBars {
        let times: Vec<Utc> = (0..rows).map(|row| Utc(row as i64)).collect();
        let prices: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        let [open, high, low, close, volume] = [(); 5].map(|()| prices.clone());
        BTreeMap::from([(
            Timeframe::Hour1,
            Bars {
                open_time: times.clone(),
                close_time: times,
                open,
                high,
                low,
                close,
                volume,
            },
        )])
    }

    /// The leak that the test finds where `column` makes the second of two columns.
    fn leak(rows: usize, column: impl Fn(&[f64]) -> Vec<f64>) -> Option<Leak> {
        let bars = rising(rows);
        let compute = |bars: &KnownBars<'_>, take: Take<'_>| {
            let close = bars[&Timeframe::Hour1].close;
            for (feature, values) in [close.to_vec(), column(close)].iter().enumerate() {
                values
                    .chunks(7)
                    .enumerate()
                    .for_each(|(number, values)| take(feature, 7 * number, values));
            }
            Ok(())
        };
        let mut test = LeakTest::new(&bars[&Timeframe::Hour1].close_time);
        assert_eq!(test.cuts(), 3);
        compute(&known(&bars), &mut |feature, row, values| {
            test.see(feature, row, values)
        })
        .unwrap();
        test.check(&known(&bars), compute).unwrap()
    }

    /// Of 30 rows the last ones left are 28, 20 and 10; the runs between are 0..=10, 11..=20,
    /// 21..=28.
    #[test]
    fn the_test_names_the_column_the_cut_and_the_run_of_rows_that_changed() {
        assert_eq!(
            leak(30, |close| close.iter().map(|price| price * 2.0).collect()),
            None
        );
        let next = |close: &[f64]| close.iter().skip(1).chain([&f64::NAN]).copied().collect();
        assert_eq!(
            leak(30, next),
            Some(Leak {
                feature: 1,
                rows: (Utc(21), Utc(28)),
                cut: Utc(28)
            })
        );
        let mean =
            |close: &[f64]| vec![close.iter().sum::<f64>() / close.len() as f64; close.len()];
        assert_eq!(
            leak(30, mean),
            Some(Leak {
                feature: 1,
                rows: (Utc(0), Utc(10)),
                cut: Utc(28)
            })
        );
        // Known only while 25 rows are: neither the latest cut nor its rows show it, the one at 20
        // does.
        let late = |close: &[f64]| vec![if close.len() < 25 { 1.0 } else { 2.0 }; close.len()];
        assert_eq!(
            leak(30, late),
            Some(Leak {
                feature: 1,
                rows: (Utc(0), Utc(10)),
                cut: Utc(20)
            })
        );
        for rows in 1..5 {
            assert_eq!(leak(rows, <[f64]>::to_vec), None, "{rows} rows");
        }
    }
}
