//! Chaikin's money flow: the volume of a bar, weighted by where the bar closed in its range.

use crate::indicators::engine::{BarRows, gap_bits};

/// Where the bar closed in its range, from −1 at the low to 1 at the high; 0 without a range.
#[inline(always)]
pub(crate) fn money_flow_multiplier(high: f64, low: f64, close: f64) -> f64 {
    let range = high - low;
    if range == 0.0 {
        0.0
    } else {
        ((close - low) - (high - close)) / range
    }
}

/// Multiplier and money flow of each row. True if no input is missing and every flow is finite.
#[inline(always)]
pub(crate) fn fill_money_flows(
    rows: BarRows<'_>,
    multipliers: &mut [f64],
    flows: &mut [f64],
) -> bool {
    let prices = rows.high.iter().zip(rows.low).zip(rows.close);
    let cells = multipliers.iter_mut().zip(flows);

    let mut bits = 0;
    for ((multiplier, flow), (((high, low), close), volume)) in cells.zip(prices.zip(rows.volume)) {
        *multiplier = money_flow_multiplier(*high, *low, *close);
        *flow = *multiplier * volume;
        // Without a range the flow does not show the close.
        bits |= gap_bits(*flow) | gap_bits(*close) | u64::from(*volume < 0.0);
    }
    bits == 0
}
