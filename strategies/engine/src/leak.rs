//! The leak test: features recomputed without the future must not change.
//!
//! A series is cut at several instants. The features are computed again from what was known at each
//! cut, and every value of every column up to the cut must come out with the same bits. Columns are
//! compared by [`Digest`], one run of rows at a time, so that the test keeps no column and no copy
//! of the bars, and is as strict as one that does.

use market::Utc;

use crate::features::{ColumnSink, FeatureError, KnownBars, bars_known_at};

/// A feature that knew the future.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// Position of the column.
    pub feature: usize,
    /// First and last row among which it changed, both inclusive, by the instants from which these
    /// rows may be used.
    pub rows: (Utc, Utc),
    /// The instant after which nothing was known to the computation that differs.
    pub cut: Utc,
}

/// Digests of the columns of a whole series, to be compared with those of columns that are computed
/// without the future.
#[derive(Clone, Debug)]
pub struct LeakTest {
    /// Consecutive runs of rows. A cut follows on each.
    runs: Vec<RowRun>,
    digests: ColumnDigests,
}

/// Consecutive rows between two cuts.
#[derive(Clone, Copy, Debug)]
struct RowRun {
    first_known_at: Utc,
    last_known_at: Utc,
    /// Number of rows up to the end of the run.
    end: usize,
}

/// By feature, then by run.
type ColumnDigests = Vec<Vec<Digest>>;

impl LeakTest {
    /// A test of rows that are known at these instants, with cuts after a third, after two thirds,
    /// and before the last row. A column that peeks one bar ahead differs at any cut, one that
    /// needs the whole series (a mean over all of it) at the first.
    pub fn new(known_at: &[Utc]) -> Self {
        let rows = known_at.len();
        let mut last_rows = [rows / 3, rows / 3 * 2, rows.saturating_sub(2)];
        last_rows.sort_unstable();

        let mut runs = Vec::new();
        let mut start = 0;
        for last_row in last_rows {
            // Of a short series several cuts may be the same.
            let first_row = start.min(last_row);
            if let (Some(&first_known_at), Some(&last_known_at)) =
                (known_at.get(first_row), known_at.get(last_row))
            {
                runs.push(RowRun {
                    first_known_at,
                    last_known_at,
                    end: last_row + 1,
                });
            }
            start = last_row + 1;
        }

        Self {
            runs,
            digests: Vec::new(),
        }
    }

    /// Number of cuts.
    pub fn cuts(&self) -> usize {
        self.runs.len()
    }

    /// Lets `compute` hand over the columns of the bars known at each cut, and returns the first
    /// leak.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn check(
        &self,
        bars: &KnownBars<'_>,
        mut compute: impl FnMut(&KnownBars<'_>, &mut dyn ColumnSink) -> Result<(), FeatureError>,
    ) -> Result<Option<Leak>, FeatureError> {
        // The latest cut first: it compares most rows.
        for cut in (0..self.runs.len()).rev() {
            let known_runs = self.runs.get(..=cut).unwrap_or_default();
            let Some(last_run) = known_runs.last() else {
                continue;
            };

            let mut recomputed = DigestSink {
                runs: known_runs,
                digests: Vec::new(),
            };
            let known_bars = bars_known_at(bars, last_run.last_known_at);
            compute(&known_bars, &mut recomputed)?;

            if let Some(leak) = self.find_difference(known_runs, &recomputed.digests) {
                return Ok(Some(leak));
            }
        }

        Ok(None)
    }

    /// The first feature, and its first run, whose digest differs from the one without the future.
    fn find_difference(&self, known_runs: &[RowRun], recomputed: &ColumnDigests) -> Option<Leak> {
        for (feature, digests) in self.digests.iter().enumerate() {
            for (position, run) in known_runs.iter().enumerate() {
                // The same rows computed without later bars must give the same bits.
                let without_future = recomputed
                    .get(feature)
                    .and_then(|digests| digests.get(position));
                if digests.get(position) != without_future {
                    return Some(Leak {
                        feature,
                        rows: (run.first_known_at, run.last_known_at),
                        cut: known_runs.last()?.last_known_at,
                    });
                }
            }
        }

        None
    }
}

/// Takes the columns that were computed with everything known.
impl ColumnSink for LeakTest {
    fn take(&mut self, feature: usize, first_row: usize, values: &[f64]) {
        digest_chunk(&mut self.digests, &self.runs, feature, first_row, values);
    }
}

/// Digests the columns that were computed without the future.
struct DigestSink<'a> {
    runs: &'a [RowRun],
    digests: ColumnDigests,
}

impl ColumnSink for DigestSink<'_> {
    fn take(&mut self, feature: usize, first_row: usize, values: &[f64]) {
        digest_chunk(&mut self.digests, self.runs, feature, first_row, values);
    }
}

/// Adds a chunk of a column to the digests of the runs that it touches.
fn digest_chunk(
    digests: &mut ColumnDigests,
    runs: &[RowRun],
    feature: usize,
    first_row: usize,
    values: &[f64],
) {
    if digests.len() <= feature {
        digests.resize_with(feature + 1, || vec![Digest::default(); runs.len()]);
    }
    let Some(digests) = digests.get_mut(feature) else {
        return;
    };

    let mut row = first_row;
    let mut values = values;
    // A chunk may cross several runs, each with its own digest.
    for (digest, run) in digests.iter_mut().zip(runs) {
        let rows_in_run = run.end.saturating_sub(row).min(values.len());
        let (values_in_run, later_values) = values.split_at(rows_in_run);
        digest.add(row, values_in_run);
        row += rows_in_run;
        values = later_values;
    }
}

/// A digest of a run of values.
///
/// Any one changed value changes it for certain, as every step is reversible; several changed
/// values leave it as it was about once in 2^64 times. All NaN are one value.
///
/// Why not a hash of a library: every value of a data set is digested up to three times. SHA-256
/// takes about eleven times as long for it and the standard library's SipHash four times, which
/// would make a data set of a million rows 80 % or 20 % slower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest {
    /// Row `r` belongs to lane `r % 4`, however the run is cut into chunks; so a processor works on
    /// four rows at once.
    lanes: [u64; LANES],
}

const LANES: usize = 4;

impl Digest {
    /// Adds the values from `first_row` on.
    fn add(&mut self, first_row: usize, values: &[f64]) {
        // Up to the next row of lane 0 one by one, then four rows at a time.
        let rows_to_lane_0 = first_row.wrapping_neg() % LANES;
        let (head, rest) = values.split_at(rows_to_lane_0.min(values.len()));
        let (fours, tail) = rest.as_chunks::<LANES>();

        // A copy, which the compiler keeps in registers.
        let mut lanes = self.lanes;
        for (lane, value) in lanes.iter_mut().skip(first_row % LANES).zip(head) {
            mix(lane, *value);
        }
        for four in fours {
            for (lane, value) in lanes.iter_mut().zip(four) {
                mix(lane, *value);
            }
        }
        for (lane, value) in lanes.iter_mut().zip(tail) {
            mix(lane, *value);
        }
        self.lanes = lanes;
    }
}

/// One step of FxHash: rotation, exclusive or, and multiplication by an odd number.
#[inline]
fn mix(lane: &mut u64, value: f64) {
    let bits = if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        value.to_bits()
    };
    *lane = (lane.rotate_left(5) ^ bits).wrapping_mul(0x517c_c1b7_2722_0a95);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use market::{Bars, Timeframe};

    use super::*;
    use crate::features::{SymbolBars, borrow_bars};

    /// The digest of these chunks of a column, of which the first begins at row 3.
    fn digest(chunks: &[&[f64]]) -> Digest {
        let mut digest = Digest::default();
        let mut row = 3;
        for chunk in chunks {
            digest.add(row, chunk);
            row += chunk.len();
        }
        digest
    }

    fn twenty_three_values() -> Vec<f64> {
        (0..23).map(f64::from).collect()
    }

    /// One bit of one value, at any place, in any of the four lanes and in the rest.
    #[test]
    fn a_digest_changes_with_the_last_bit_of_any_value() {
        let values = twenty_three_values();
        let whole = digest(&[&values]);

        for row in 0..values.len() {
            let mut other = values.clone();
            other[row] = f64::from_bits(other[row].to_bits() ^ 1);
            assert_ne!(digest(&[&other]), whole, "row {row}");
            assert_ne!(digest(&[&values[..row]]), whole, "only {row} rows");
        }
        assert_ne!(digest(&[&[0.0]]), digest(&[&[-0.0]]), "bit for bit");
        assert_ne!(digest(&[&[1.0, 2.0]]), digest(&[&[2.0, 1.0]]));
    }

    #[test]
    fn all_nan_are_one_value() {
        assert_eq!(digest(&[&[f64::NAN, 1.0]]), digest(&[&[-f64::NAN, 1.0]]));
    }

    #[test]
    fn a_digest_is_the_same_however_a_run_is_cut_into_chunks() {
        let values = twenty_three_values();
        let whole = digest(&[&values]);

        for first in 0..=23 {
            for second in first..=23 {
                let chunks = [&values[..first], &values[first..second], &values[second..]];
                assert_eq!(digest(&chunks), whole, "cut at {first} and {second}");
            }
        }
    }

    fn rising_bars(rows: usize) -> SymbolBars {
        let times: Vec<Utc> = (0..rows).map(|row| Utc(row as i64)).collect();
        let prices: Vec<f64> = (0..rows).map(|row| row as f64).collect();

        BTreeMap::from([(
            Timeframe::HOUR_1,
            Bars {
                open_time: times.clone(),
                close_time: times,
                open: prices.clone(),
                high: prices.clone(),
                low: prices.clone(),
                close: prices.clone(),
                volume: prices,
            },
        )])
    }

    /// Two columns, in chunks of seven rows: the close, and what `column` makes of it.
    fn pass_columns(
        bars: &KnownBars<'_>,
        column: impl Fn(&[f64]) -> Vec<f64>,
        sink: &mut dyn ColumnSink,
    ) -> Result<(), FeatureError> {
        let close = bars[&Timeframe::HOUR_1].close;

        for (feature, values) in [close.to_vec(), column(close)].iter().enumerate() {
            for (chunk, values) in values.chunks(7).enumerate() {
                sink.take(feature, 7 * chunk, values);
            }
        }
        Ok(())
    }

    /// The leak that the test finds where `column` makes the second of two columns.
    fn find_leak(rows: usize, column: impl Fn(&[f64]) -> Vec<f64>) -> Option<Leak> {
        let bars = rising_bars(rows);
        let compute =
            |bars: &KnownBars<'_>, sink: &mut dyn ColumnSink| pass_columns(bars, &column, sink);

        let mut test = LeakTest::new(&bars[&Timeframe::HOUR_1].close_time);
        assert_eq!(test.cuts(), 3);
        compute(&borrow_bars(&bars), &mut test).unwrap();
        test.check(&borrow_bars(&bars), compute).unwrap()
    }

    /// A leak in the second column. Of 30 rows the last ones before a cut are 10, 20 and 28, so
    /// that the runs are 0..=10, 11..=20 and 21..=28.
    fn leak(rows: (i64, i64), cut: i64) -> Option<Leak> {
        Some(Leak {
            feature: 1,
            rows: (Utc(rows.0), Utc(rows.1)),
            cut: Utc(cut),
        })
    }

    #[test]
    fn a_column_of_the_past_does_not_leak() {
        let doubled = |close: &[f64]| close.iter().map(|price| price * 2.0).collect();

        assert_eq!(find_leak(30, doubled), None);
    }

    #[test]
    fn a_column_that_peeks_one_bar_ahead_leaks_in_the_last_run() {
        let next = |close: &[f64]| close.iter().skip(1).chain([&f64::NAN]).copied().collect();

        assert_eq!(find_leak(30, next), leak((21, 28), 28));
    }

    #[test]
    fn a_mean_over_the_whole_series_leaks_in_the_first_run() {
        let mean =
            |close: &[f64]| vec![close.iter().sum::<f64>() / close.len() as f64; close.len()];

        assert_eq!(find_leak(30, mean), leak((0, 10), 28));
    }

    /// Different only while fewer than 25 rows are known: the latest cut does not show it, the one
    /// at 20 does.
    #[test]
    fn a_leak_that_only_an_earlier_cut_shows_is_found() {
        let late = |close: &[f64]| vec![if close.len() < 25 { 1.0 } else { 2.0 }; close.len()];

        assert_eq!(find_leak(30, late), leak((0, 10), 20));
    }

    #[test]
    fn the_shortest_series_can_be_tested() {
        for rows in 1..5 {
            assert_eq!(find_leak(rows, <[f64]>::to_vec), None, "{rows} rows");
        }
    }
}
