//! Before an import: do the new bars fit those that are stored?

use std::ops::Range;

use market::{SeriesKey, Utc};
use quality::{Finding, Rules, SeamBars, check_seam};
use schemas::names::MICROS_PER_DAY;
use store::{RawBars, Store};

use crate::console::Failure;

/// Stored bars are compared up to this time before and after the new ones: ten days.
const AROUND_MICROS: i64 = 10 * MICROS_PER_DAY;

/// Finds that the prices of `bars`, which are sorted, have another scale than the stored ones.
///
/// # Errors
/// The stored bars cannot be read.
pub(super) async fn find_seam(
    store: &Store,
    key: &SeriesKey,
    bars: &RawBars,
) -> Result<Option<Finding>, Failure> {
    let Some(range) = range_around(bars) else {
        return Ok(None);
    };
    let Some(snapshot) = store.series().snapshot(key, None).await? else {
        return Ok(None);
    };

    // All stored bars count, not those nearby: where every one is replaced, there is no seam.
    let files = snapshot.manifest.files.iter();
    let stored_count: u64 = files.map(|file| file.rows).sum();
    let stored = store.series().raw_bars(&snapshot, range).await?;
    let stored_count = usize::try_from(stored_count).unwrap_or(usize::MAX);
    Ok(check_seam(
        sides_of(&stored),
        stored_count,
        sides_of(bars),
        &Rules::default(),
    ))
}

fn range_around(bars: &RawBars) -> Option<Range<Utc>> {
    let first = bars.open_time.first()?;
    let last = bars.open_time.last()?;
    Some(first.plus_micros(-AROUND_MICROS)..last.plus_micros(AROUND_MICROS))
}

fn sides_of(bars: &RawBars) -> SeamBars<'_> {
    SeamBars {
        times: &bars.open_time,
        opens: &bars.open,
        closes: &bars.close,
    }
}
