//! Rolling medians: what is usual around a value, resistant to the values that are not.

/// Values that a statistic looks back over.
pub(crate) const WINDOW: usize = 500;
/// Values that share one statistic; recomputing it for each would cost fifty times as much and
/// change nothing.
const BLOCK: usize = 50;
/// Fewer values say nothing about what is usual.
const WINDOW_MIN: usize = 30;

/// For each value, `statistic` of the [`WINDOW`] values before its block of [`BLOCK`]; the first
/// ones get that of the first window. None where there are fewer than [`WINDOW_MIN`] values.
pub(crate) fn rolling<T: Copy>(
    values: &[f64],
    statistic: impl Fn(&mut [f64]) -> T,
) -> Vec<Option<T>> {
    let mut result = Vec::with_capacity(values.len());
    while result.len() < values.len() {
        let at = result.len();
        let end = at.max(WINDOW.min(values.len()));
        let mut window = values
            .get(end.saturating_sub(WINDOW)..end)
            .unwrap_or_default()
            .to_vec();
        let value = (window.len() >= WINDOW_MIN).then(|| statistic(&mut window));
        result.extend(std::iter::repeat_n(value, BLOCK.min(values.len() - at)));
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
pub(crate) fn centre_and_scale(values: &mut [f64]) -> (f64, f64) {
    let centre = median(values);
    values
        .iter_mut()
        .for_each(|value| *value = (*value - centre).abs());
    let deviation = median(values);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    (
        centre,
        if deviation > 0.0 {
            1.4826 * deviation
        } else {
            1.2533 * mean
        },
    )
}
