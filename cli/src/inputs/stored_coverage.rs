//! Bars of a series beside the stored bars of the same symbol in other timeframes.

use market::SeriesKey;
use quality::{CoveredBars, Finding, Rules};
use store::{ALL_TIME, Store};

use crate::console::Failure;

/// What a check says of two series.
pub(crate) type CheckPair = fn(CoveredBars<'_>, CoveredBars<'_>, &Rules) -> Vec<Finding>;

/// What `check` says of `bars`, which are of the series `key`, and of the stored bars of each other
/// timeframe.
///
/// # Errors
/// The stored bars cannot be read.
pub(crate) async fn check_against_stored(
    store: &Store,
    key: &SeriesKey,
    bars: CoveredBars<'_>,
    check: CheckPair,
    rules: &Rules,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();

    for other in store.series().in_other_timeframes(key).await? {
        let stored = store.series().bars(&other, ALL_TIME).await?;
        let stored = CoveredBars {
            timeframe: other.key.timeframe,
            known_at: &stored.close_time,
        };
        findings.extend(check(bars, stored, rules));
    }
    Ok(findings)
}
