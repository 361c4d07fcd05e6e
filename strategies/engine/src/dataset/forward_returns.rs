//! What came of each row: the return that a position would have made which is opened at its close
//! and held for as long as the labels look ahead. Nothing learns from it; the measure of an edge is
//! made of it.
//!
//! (close\[i+h\] − close\[i\]) / close\[i\] over h bars. A return that is not known before the part
//! after that of its row begins would show that part, so it is left out.

use market::Utc;

use crate::splits::{CutDates, Part};

/// The closes of all base bars of a symbol.
pub(super) struct Closes<'a> {
    pub(super) time: &'a [Utc],
    pub(super) price: &'a [f64],
}

/// A row that belongs to a part.
#[derive(Clone, Copy)]
pub(super) struct ForwardRow {
    /// Position of its instrument.
    pub(super) symbol: usize,
    /// Number of its base bar.
    pub(super) bar: usize,
    pub(super) label_known_at: Utc,
    pub(super) part: Part,
}

/// The column of forward returns.
pub(super) struct ForwardReturns {
    /// None where a return is not known.
    pub(super) values: Vec<Option<f32>>,
    /// How far they look ahead.
    pub(super) bars: u32,
}

impl ForwardReturns {
    /// The returns of `rows` over the horizon of the labels. Without one it is the mean number of
    /// bars until a label of the training part is known, rounded.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "forward returns are stored as f32"
    )]
    pub(super) fn of(
        rows: impl Iterator<Item = ForwardRow> + Clone,
        closes: &[Closes<'_>],
        horizon: Option<u32>,
        cuts: &CutDates,
    ) -> Self {
        let bars = horizon.unwrap_or_else(|| mean_look_ahead(rows.clone(), closes));

        let values = rows.map(|row| {
            let closes = closes.get(row.symbol);
            let value = closes.and_then(|closes| closes.forward_return(&row, bars as usize, cuts));
            value.map(|value| value as f32)
        });
        Self {
            values: values.collect(),
            bars,
        }
    }
}

impl Closes<'_> {
    fn forward_return(&self, row: &ForwardRow, bars: usize, cuts: &CutDates) -> Option<f64> {
        let exit = row.bar.checked_add(bars)?;
        let known_at = *self.time.get(exit)?;
        let is_later_part = match row.part {
            Part::Train => known_at >= cuts.validation_start,
            Part::Validation => known_at >= cuts.test_start,
            Part::Test => false,
        };
        if is_later_part {
            return None;
        }

        let entry = *self.price.get(row.bar)?;
        let change = (self.price.get(exit)? - entry) / entry;
        change.is_finite().then_some(change)
    }

    /// Bars from that of a row until its label is known.
    fn look_ahead(&self, row: &ForwardRow) -> usize {
        let known_bar = self
            .time
            .partition_point(|close| *close < row.label_known_at);
        known_bar.saturating_sub(row.bar)
    }
}

/// The mean over the training part, rounded, and at least one bar.
fn mean_look_ahead(rows: impl Iterator<Item = ForwardRow>, closes: &[Closes<'_>]) -> u32 {
    let mut bars = 0;
    let mut count = 0;
    for row in rows.filter(|row| row.part == Part::Train) {
        bars += closes
            .get(row.symbol)
            .map_or(0, |closes| closes.look_ahead(&row));
        count += 1;
    }

    let rounded = (2 * bars + count) / (2 * count).max(1);
    u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: [f64; 6] = [100.0, 101.0, 99.0, 103.0, 110.0, 121.0];

    /// Closes at 1, 2, … 6.
    fn times() -> Vec<Utc> {
        (1..=6).map(Utc).collect()
    }

    fn row(bar: usize, label_known_at: i64, part: Part) -> ForwardRow {
        ForwardRow {
            symbol: 0,
            bar,
            label_known_at: Utc(label_known_at),
            part,
        }
    }

    fn returns_of(rows: &[ForwardRow], horizon: Option<u32>) -> ForwardReturns {
        let cuts = CutDates {
            validation_start: Utc(4),
            test_start: Utc(6),
        };
        let time = times();
        let closes = [Closes {
            time: &time,
            price: &PRICES,
        }];
        ForwardReturns::of(rows.iter().copied(), &closes, horizon, &cuts)
    }

    #[test]
    fn returns_end_before_the_next_part_and_within_the_bars() {
        let rows = [
            row(0, 2, Part::Train),
            row(1, 2, Part::Train),
            row(2, 5, Part::Validation),
            row(3, 5, Part::Validation),
            row(3, 6, Part::Test),
            row(4, 6, Part::Test),
        ];

        let forward = returns_of(&rows, Some(2));

        // Not known: bar 1 to 3, which closes as validation begins, bar 3 to 5 of validation, which
        // closes as the test begins, and bar 4 to 6, which is not there.
        let expected = [
            Some(-0.01),
            None,
            Some(11.0 / 99.0),
            None,
            Some(18.0 / 103.0),
            None,
        ];
        assert_eq!(forward.values, expected);
    }

    #[test]
    fn without_a_horizon_the_mean_of_the_training_part_counts() {
        // Labels of bars 0, 1 and 1 known after 1, 1 and 3 bars: the mean of 5/3 is 2 bars. That of
        // the test part does not count.
        let rows = [
            row(0, 2, Part::Train),
            row(1, 3, Part::Train),
            row(1, 5, Part::Train),
            row(0, 6, Part::Test),
        ];
        assert_eq!(returns_of(&rows, None).bars, 2);
        assert_eq!(returns_of(&rows, Some(5)).bars, 5);
        assert_eq!(returns_of(&[row(0, 1, Part::Train)], None).bars, 1);
    }
}
