//! The leak test: features recomputed without the future must not change.
//!
//! A series is cut at several instants. What was known at each is given to the computation once more, and every value of
//! every column up to the cut must come out with the same bits. Columns are compared by [`Digest`], a run of rows at a
//! time, so that the test keeps no column and no copy of the bars, and is as strict as one that does.

use market::Utc;

use crate::features::{FeatureError, SymbolBars};

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

/// Forgets what is not known at `instant`.
pub fn truncate(bars: &mut SymbolBars, instant: Utc) {
    for bars in bars.values_mut() {
        let known = bars.close_time.partition_point(|close| *close <= instant);
        bars.open_time.truncate(known);
        bars.close_time.truncate(known);
        [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close, &mut bars.volume]
            .into_iter()
            .for_each(|column| column.truncate(known));
    }
}

/// What the columns of a whole series were, to be compared with what they are without the future.
#[derive(Clone, Debug)]
pub struct LeakTest {
    /// Runs of rows: first and last decision time, and number of rows up to its end. A cut follows on each.
    runs: Vec<(Utc, Utc, usize)>,
    /// By feature, then run.
    seen: Vec<Vec<Digest>>,
}

impl LeakTest {
    /// Of rows with these decision times: cut after a third, after two thirds, and before the last row. A column that
    /// peeks one bar ahead differs at any cut, one that needs the whole series (a mean over all of it) at the first.
    pub fn new(close_time: &[Utc]) -> Self {
        let rows = close_time.len();
        let mut last_rows = [rows / 3, rows / 3 * 2, rows.saturating_sub(2)];
        last_rows.sort_unstable();
        let mut start = 0;
        let runs = last_rows.iter().filter_map(|&last| {
            let first = std::mem::replace(&mut start, last + 1).min(last);
            Some((*close_time.get(first)?, *close_time.get(last)?, last + 1))
        });
        Self { runs: runs.collect(), seen: Vec::new() }
    }

    /// Number of cuts.
    pub fn cuts(&self) -> usize {
        self.runs.len()
    }

    /// Takes a column that was computed with everything known.
    pub fn see(&mut self, feature: usize, values: &[f64]) {
        if self.seen.len() <= feature {
            self.seen.resize_with(feature + 1, Vec::new);
        }
        let digests = self.digests(values, self.runs.len());
        if let Some(seen) = self.seen.get_mut(feature) {
            *seen = digests;
        }
    }

    /// Lets `compute` hand over the columns of the bars known at each cut, the latest first, and gives the first leak.
    /// Nothing is left of `bars` in the end but what is known at the first cut.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn check(
        &self,
        bars: &mut SymbolBars,
        mut compute: impl FnMut(&SymbolBars, &mut dyn FnMut(usize, &[f64])) -> Result<(), FeatureError>,
    ) -> Result<Option<Leak>, FeatureError> {
        for (number, &(_, cut, _)) in self.runs.iter().enumerate().rev() {
            truncate(bars, cut);
            let mut leak = None;
            compute(bars, &mut |feature, values| {
                let (with, without) = (self.seen.get(feature), self.digests(values, number + 1));
                let same = |run: usize| with.and_then(|with| with.get(run)) == without.get(run);
                let changed = (0..=number).find(|run| !same(*run));
                if let (None, Some((first, last, _))) = (&leak, changed.and_then(|run| self.runs.get(run))) {
                    leak = Some(Leak { feature, rows: (*first, *last), cut });
                }
            })?;
            if leak.is_some() {
                return Ok(leak);
            }
        }
        Ok(None)
    }

    /// Of the first `runs` runs, as far as the values reach.
    fn digests(&self, values: &[f64], runs: usize) -> Vec<Digest> {
        let mut start = 0;
        let ends = self.runs.iter().take(runs).map(|run| run.2);
        ends.map_while(|end| values.get(std::mem::replace(&mut start, end)..end)).map(Digest::of).collect()
    }
}

/// What a run of values amounts to: 256 bits that any one changed value changes for certain, as every step is reversible,
/// and that several changed values leave as they are about once in 2^64 times. All NaN are one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digest([u64; 4]);

impl Digest {
    /// Four sums in turn, so that a processor works on all of them at once.
    fn of(values: &[f64]) -> Self {
        let mut lanes = [0_u64; 4];
        let mix = |lane: &mut u64, value: f64| {
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            *lane = (lane.rotate_left(5) ^ bits).wrapping_mul(0x517c_c1b7_2722_0a95);
        };
        let mut rows = values.chunks_exact(4);
        for row in &mut rows {
            lanes.iter_mut().zip(row).for_each(|(lane, value)| mix(lane, *value));
        }
        lanes.iter_mut().zip(rows.remainder()).for_each(|(lane, value)| mix(lane, *value));
        Self(lanes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use market::{Bars, Timeframe};

    use super::*;

    /// One bit of one value, at any place, in any of the four lanes and in the rest.
    #[test]
    fn a_digest_changes_with_the_last_bit_of_any_value_and_not_with_the_kind_of_nan() {
        let values: Vec<f64> = (0..23).map(f64::from).collect();
        let digest = Digest::of(&values);
        for row in 0..values.len() {
            let mut other = values.clone();
            other[row] = f64::from_bits(other[row].to_bits() ^ 1);
            assert_ne!(Digest::of(&other), digest, "row {row}");
        }
        assert_eq!(Digest::of(&[f64::NAN, 1.0]), Digest::of(&[-f64::NAN, 1.0]));
        assert_ne!(Digest::of(&[0.0]), Digest::of(&[-0.0]), "bit for bit");
        assert_ne!(Digest::of(&[1.0, 2.0]), Digest::of(&[2.0, 1.0]));
    }

    fn rising(rows: usize) -> SymbolBars {
        let times: Vec<Utc> = (0..rows).map(|row| Utc(row as i64)).collect();
        let prices: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        let [open, high, low, close, volume] = [(); 5].map(|()| prices.clone());
        BTreeMap::from([(
            Timeframe::Hour1,
            Bars { open_time: times.clone(), close_time: times, open, high, low, close, volume },
        )])
    }

    type Take<'a> = &'a mut dyn FnMut(usize, &[f64]);

    /// The leak that the test finds where `column` makes the second of two columns.
    fn leak(rows: usize, column: impl Fn(&[f64]) -> Vec<f64>) -> Option<Leak> {
        let mut bars = rising(rows);
        let compute = |bars: &SymbolBars, take: Take<'_>| {
            let close = &bars[&Timeframe::Hour1].close;
            take(0, close);
            take(1, &column(close));
            Ok(())
        };
        let mut test = LeakTest::new(&bars[&Timeframe::Hour1].close_time);
        assert_eq!(test.cuts(), 3);
        compute(&bars, &mut |feature, values| test.see(feature, values)).unwrap();
        test.check(&mut bars, compute).unwrap()
    }

    /// Of 30 rows the last ones left are 28, 20 and 10; the runs between are 0..=10, 11..=20, 21..=28.
    #[test]
    fn the_test_names_the_column_the_cut_and_the_run_of_rows_that_changed() {
        assert_eq!(leak(30, |close| close.iter().map(|price| price * 2.0).collect()), None);
        let next = |close: &[f64]| close.iter().skip(1).chain([&f64::NAN]).copied().collect();
        assert_eq!(leak(30, next), Some(Leak { feature: 1, rows: (Utc(21), Utc(28)), cut: Utc(28) }));
        let mean = |close: &[f64]| vec![close.iter().sum::<f64>() / close.len() as f64; close.len()];
        assert_eq!(leak(30, mean), Some(Leak { feature: 1, rows: (Utc(0), Utc(10)), cut: Utc(28) }));
        // Known only while 25 rows are: neither the latest cut nor its rows show it, the one at 20 does.
        let late = |close: &[f64]| vec![if close.len() < 25 { 1.0 } else { 2.0 }; close.len()];
        assert_eq!(leak(30, late), Some(Leak { feature: 1, rows: (Utc(0), Utc(10)), cut: Utc(20) }));
        for rows in 1..5 {
            assert_eq!(leak(rows, <[f64]>::to_vec), None, "{rows} rows");
        }
    }
}
