//! Prices that are too far from the close before, capped. Level and spread are those of the bars
//! before, so that nothing comes from the future.

use super::{Line, widen};
use crate::rolling::{WINDOW, WINDOW_MIN, centre_and_scale};

/// Bars that share one level and spread.
const BLOCK: usize = 50;

/// Caps each price at `deviations` robust deviations of the log return from the repaired close
/// before it. Spikes may be real: a lasting move is followed within a few bars.
pub(super) fn winsorise(lines: &mut [Line], deviations: f64) {
    let mut returns: Vec<f64> = Vec::with_capacity(lines.len());
    let mut limits = None;
    let mut last_close: Option<f64> = None;

    for line in lines.iter_mut().filter(|line| line.row.is_priced()) {
        if returns.len().is_multiple_of(BLOCK) || limits.is_none() {
            limits = limits_of(&returns, deviations).or(limits);
        }
        let close_given = line.row.close;
        if let Some((before, [lowest, highest])) = last_close.zip(limits) {
            let cap = |price: f64| price.clamp(before * lowest.exp(), before * highest.exp());
            line.row.open = cap(line.row.open);
            line.row.high = cap(line.row.high);
            line.row.low = cap(line.row.low);
            line.row.close = cap(line.row.close);
            widen(&mut line.row);
        }

        // Returns are of the prices as given: capped ones would narrow the limits.
        if let Some(before) = last_close {
            returns.push((close_given / before).ln());
        }
        last_close = Some(line.row.close);
    }
}

/// Lowest and highest log return that are possible after these; none of too few.
fn limits_of(returns: &[f64], deviations: f64) -> Option<[f64; 2]> {
    let mut window = returns
        .get(returns.len().saturating_sub(WINDOW)..)?
        .to_vec();
    if window.len() < WINDOW_MIN {
        return None;
    }

    window.sort_unstable_by(f64::total_cmp);
    let statistic = centre_and_scale(&window);
    let reach = deviations * statistic.scale;
    (reach > 0.0).then_some([statistic.centre - reach, statistic.centre + reach])
}
