//! Units, splits and dividends put right, by the remedies of their faults.

use market::Timeframe;

use super::{Line, widen};
use crate::Options;
use crate::actions::{Fault, Field, Remedy, find_faults, is_day};
use crate::checks::Rows;

/// Adjusted closes are given with about seven digits.
const ROUNDING: f64 = 1e-6;

/// Applies the remedy of each fault.
pub(super) fn rescale(
    lines: &mut [Line],
    rows: &Rows<'_>,
    options: &Options<'_>,
    timeframe: Timeframe,
) {
    let tolerance = options.rules.dividend_tolerance;
    let faults = find_faults(rows, options.actions, is_day(timeframe), tolerance);

    for fault in &faults {
        // Faults name rows of the input; lines are sorted by time, each time once.
        let index = lines.partition_point(|line| line.row.time < fault.at.1);
        apply(lines, index, fault);
    }

    // Only now: a low that is right already must not be moved to a close that is not.
    for fault in &faults {
        let index = lines.partition_point(|line| line.row.time < fault.at.1);
        if matches!(fault.remedy, Remedy::ScaleField(..))
            && let Some(line) = lines.get_mut(index)
        {
            widen(&mut line.row);
        }
    }
}

fn apply(lines: &mut [Line], index: usize, fault: &Fault) {
    if let Remedy::ScaleAdjustedBefore(factor) = fault.remedy {
        // A correction within rounding would list every bar as changed.
        if (factor - 1.0).abs() < ROUNDING {
            return;
        }
        for line in lines.iter_mut().take(index) {
            line.adjusted *= factor;
        }
        return;
    }
    let Some(line) = lines.get_mut(index) else {
        return;
    };

    match fault.remedy {
        Remedy::ScaleField(Field::Close, factor) => {
            line.row.close *= factor;
            line.adjusted *= factor;
        }
        Remedy::ScaleField(field, factor) => line.row.scale_price(field, factor),
        Remedy::ScaleBar(factor, volume_factor) => {
            line.row = line.row.scaled(factor);
            line.row.volume /= volume_factor;
            line.adjusted *= factor;
            if volume_factor == 1.0 {
                line.dividend *= factor;
            }
        }
        Remedy::ScaleDividend(factor) => line.dividend *= factor,
        Remedy::ScaleAdjustedBefore(_) | Remedy::Unknown => {}
    }
}
