//! Bars of a timeframe that is not stored, put together from finer ones.

use std::ops::Range;

use market::{Bars, Calendar, HourAnchor, Resampling, SeriesKey, Timeframe, Utc, can_resample};

use super::{SeriesSnapshot, StoredSeries};
use crate::StoreError;

/// How much more than its length a bar may reach around its open: its exchange's day is not UTC's.
const DAY_MICROS: i64 = 24 * 3_600_000_000;

impl StoredSeries<'_> {
    /// The newest snapshot of the coarsest stored series of whose bars those of `key` can be made:
    /// it differs from `key` in nothing but its finer timeframe. One without bars, as a deletion
    /// leaves it, is none.
    ///
    /// # Errors
    /// Listing or reading fails, or a manifest is damaged.
    pub async fn find_finer(self, key: &SeriesKey) -> Result<Option<SeriesSnapshot>, StoreError> {
        let mut stored = self.in_other_timeframes(key).await?;
        stored.retain(|finer| can_resample(finer.key.timeframe, key.timeframe));

        Ok(stored
            .into_iter()
            .max_by_key(|snapshot| snapshot.key.timeframe))
    }

    /// The bars of `timeframe` that a snapshot holds or can be put together to, with opens in
    /// `range`, half-open, and the instants at which they became known. A last bar of which finer
    /// ones may still come is left out; one that lacks some of its finer bars is made of the
    /// others.
    ///
    /// # Errors
    /// As [`bars`](Self::bars), or the stored bars cannot be put together to this timeframe.
    pub async fn bars_in(
        self,
        snapshot: &SeriesSnapshot,
        timeframe: Timeframe,
        range: Range<Utc>,
    ) -> Result<Bars, StoreError> {
        if snapshot.key.timeframe == timeframe {
            return self.bars(snapshot, range).await;
        }

        // The first and the last bar of the range need finer bars that lie outside of it.
        let reach = timeframe.micros_max() + DAY_MICROS;
        let around =
            Utc(range.start.0.saturating_sub(reach))..Utc(range.end.0.saturating_add(reach));
        let finer = self.bars(snapshot, around).await?;
        let resampling = Resampling {
            source: &snapshot.key,
            calendar: Calendar::for_key(&snapshot.key),
            timeframe,
            anchor: HourAnchor::of_boundary(snapshot.key.day_boundary),
            keeps_partial: false,
        };

        let resampled = resampling.run(finer.as_slice());
        let resampled = resampled.map_err(|source| StoreError::Resample {
            series: snapshot.key.prefix(),
            timeframe,
            source,
        })?;
        let bars = resampled.bars;
        let first = bars.open_time.partition_point(|open| *open < range.start);
        let end = bars.open_time.partition_point(|open| *open < range.end);
        Ok(bars.slice(first..end))
    }
}
