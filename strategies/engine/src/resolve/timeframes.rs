//! Which timeframe's bars are the rows, and of which others bars are needed.

use market::Timeframe;

use super::plan::PlannedIndicator;
use crate::strategy::DataSection;

/// The base timeframe when the request lists these: that of the strategy if it is among them, else
/// the finest.
pub(super) fn choose_base(data: &DataSection, listed: &[Timeframe]) -> Timeframe {
    if listed.contains(&data.base) {
        return data.base;
    }
    listed.iter().copied().min().unwrap_or(data.base)
}

/// The base, then the other listed timeframes on which an indicator is computed. Bars of the rest
/// would be loaded for nothing.
pub(super) fn order_timeframes(
    base: Timeframe,
    listed: &[Timeframe],
    indicators: &[PlannedIndicator],
) -> Vec<Timeframe> {
    let others = listed.iter().copied().filter(|timeframe| {
        let is_used = indicators
            .iter()
            .any(|planned| planned.timeframe == *timeframe);
        is_used && *timeframe != base
    });
    std::iter::once(base).chain(others).collect()
}
