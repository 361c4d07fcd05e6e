//! The bars of one symbol on several timeframes: all of them, or those known at an instant.
//!
//! Whether a series exists and is well formed is checked here, before anything is computed on it.

use std::collections::BTreeMap;

use market::{BarSlice, Bars, Timeframe, Utc};

use super::FeatureError;
use crate::resolve::Resolved;

/// Bars of one symbol, one series per timeframe.
pub type SymbolBars = BTreeMap<Timeframe, Bars>;

/// Borrowed bars of one symbol: all of them, or those that were known at an instant.
pub type KnownBars<'a> = BTreeMap<Timeframe, BarSlice<'a>>;

/// Borrows all bars of every timeframe.
pub fn borrow_bars(bars: &SymbolBars) -> KnownBars<'_> {
    bars.iter()
        .map(|(timeframe, bars)| (*timeframe, bars.as_slice()))
        .collect()
}

/// The bars of every timeframe that were known at `instant`, one that closes just then included.
pub(crate) fn bars_known_at<'a>(bars: &KnownBars<'a>, instant: Utc) -> KnownBars<'a> {
    bars.iter()
        .map(|(timeframe, bars)| (*timeframe, bars.known_at(instant)))
        .collect()
}

/// Refuses a series without any volume where an indicator is computed from it.
///
/// # Errors
/// [`FeatureError::NoBars`], or [`FeatureError::Indicator`] of the first indicator that lacks its
/// volume.
pub(crate) fn check_volumes(resolved: &Resolved, bars: &KnownBars<'_>) -> Result<(), FeatureError> {
    for planned in &resolved.indicators {
        let series = get_series(bars, planned.timeframe)?;
        planned
            .indicator
            .check_volume(series)
            .map_err(|source| FeatureError::of_indicator(planned, source))?;
    }

    Ok(())
}

/// The series of one timeframe.
///
/// # Errors
/// [`FeatureError::NoBars`].
pub(crate) fn get_series<'a>(
    bars: &KnownBars<'a>,
    timeframe: Timeframe,
) -> Result<BarSlice<'a>, FeatureError> {
    bars.get(&timeframe)
        .copied()
        .ok_or(FeatureError::NoBars { timeframe })
}

/// The series of one timeframe, every bar of which has been looked at: times ascend, and all
/// columns have one length.
///
/// # Errors
/// [`FeatureError::NoBars`] or [`FeatureError::Malformed`].
pub(super) fn get_well_formed_series<'a>(
    bars: &KnownBars<'a>,
    timeframe: Timeframe,
) -> Result<BarSlice<'a>, FeatureError> {
    let series = get_series(bars, timeframe)?;

    if is_well_formed(&series) {
        Ok(series)
    } else {
        Err(FeatureError::Malformed { timeframe })
    }
}

fn is_well_formed(bars: &BarSlice<'_>) -> bool {
    let columns = [bars.open, bars.high, bars.low, bars.close, bars.volume];

    bars.close_time.len() == bars.len()
        && columns.iter().all(|column| column.len() == bars.len())
        && is_ascending(bars.open_time)
        && is_ascending(bars.close_time)
}

/// Looks at all pairs without leaving early, which a processor does several at a time.
fn is_ascending(times: &[Utc]) -> bool {
    let next = times.get(1..).unwrap_or_default();
    let pairs = times.iter().zip(next);
    pairs.fold(true, |ascending, (one, next)| ascending & (one < next))
}
