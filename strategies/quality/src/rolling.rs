//! Rolling medians: the level and spread around a value, which outliers hardly move.

/// Values that a statistic looks back over.
pub(crate) const WINDOW: usize = 500;
/// Values that share one statistic; recomputing it for each would cost fifty times as much and
/// change nothing.
const BLOCK: usize = 50;
/// Fewer values say too little about level and spread.
pub(crate) const WINDOW_MIN: usize = 30;

/// For each value, `statistic` of the [`WINDOW`] values before its block of [`BLOCK`]; the first
/// ones get that of the first window. None where there are fewer than [`WINDOW_MIN`] values.
pub(crate) fn rolling<T: Copy>(
    values: &[f64],
    statistic: impl Fn(&mut [f64]) -> T,
) -> Vec<Option<T>> {
    let mut result = Vec::with_capacity(values.len());
    while result.len() < values.len() {
        let block_start = result.len();
        let end = block_start.max(WINDOW.min(values.len()));
        let window = values.get(end.saturating_sub(WINDOW)..end);
        let mut window = window.unwrap_or_default().to_vec();

        let value = (window.len() >= WINDOW_MIN).then(|| statistic(&mut window));
        let block_length = BLOCK.min(values.len() - block_start);
        result.extend(std::iter::repeat_n(value, block_length));
    }
    result
}

/// The median; of an even number of values the upper one. NaN without values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        f64::NAN
    } else {
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    }
}

/// Centre and scale: the median, and the median absolute deviation × 1.4826, which estimates the
/// standard deviation of a normal distribution (Iglewicz and Hoaglin 1993). Where more than half of
/// the values are equal the latter is 0 and the mean absolute deviation × 1.2533 takes its place.
pub(crate) fn centre_and_scale(values: &mut [f64]) -> CentreAndScale {
    let centre = median(values);

    for value in values.iter_mut() {
        *value = (*value - centre).abs();
    }
    let median_deviation = median(values);
    let mean_deviation = values.iter().sum::<f64>() / values.len().max(1) as f64;

    let has_spread = median_deviation > 0.0;
    let scale = if has_spread {
        1.4826 * median_deviation
    } else {
        1.2533 * mean_deviation
    };
    CentreAndScale { centre, scale }
}

/// Robust level and spread of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CentreAndScale {
    pub(crate) centre: f64,
    pub(crate) scale: f64,
}

impl CentreAndScale {
    /// Distance from the centre in units of the scale; 0 where nothing varies.
    pub(crate) fn z_of(self, value: f64) -> f64 {
        if self.scale > 0.0 {
            (value - self.centre).abs() / self.scale
        } else {
            0.0
        }
    }
}
