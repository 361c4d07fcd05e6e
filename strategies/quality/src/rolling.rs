//! Rolling medians: the level and spread around a value, which outliers hardly move.
//!
//! The window is kept sorted and moves by a block at a time: the values that leave and those that
//! come are sorted and merged, so that a block costs one pass over the window.

/// Values that a statistic looks back over.
pub(crate) const WINDOW: usize = 500;
/// Values that share one statistic; recomputing it for each would cost fifty times as much and
/// change nothing.
const BLOCK: usize = 50;
/// Fewer values say too little about level and spread.
pub(crate) const WINDOW_MIN: usize = 30;

/// For each value, `statistic` of the [`WINDOW`] values before its block of [`BLOCK`], which it
/// gets in ascending order; the first ones get that of the first window. None where there are fewer
/// than [`WINDOW_MIN`] values. The values are numbers.
pub(crate) fn rolling<T: Copy>(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> T,
) -> impl Iterator<Item = Option<T>> {
    let blocks = rolling_blocks(values, statistic).into_iter();
    let repeated = blocks.flat_map(|value| std::iter::repeat_n(value, BLOCK));
    repeated.take(values.len())
}

/// The statistic of each block.
fn rolling_blocks<T>(values: &[f64], statistic: impl Fn(&[f64]) -> T) -> Vec<Option<T>> {
    let mut blocks = Vec::with_capacity(values.len().div_ceil(BLOCK));
    let mut window = SortedWindow::default();
    let mut start = 0;
    let mut end = 0;

    for block_start in (0..values.len()).step_by(BLOCK) {
        let next_end = block_start.max(WINDOW.min(values.len()));
        let next_start = next_end.saturating_sub(WINDOW);

        // The first window is longer than a block; all later ones move by one.
        let leaving = values.get(start..next_start).unwrap_or_default();
        let coming = values.get(end..next_end).unwrap_or_default();
        if !(leaving.is_empty() && coming.is_empty()) {
            window.replace(leaving, coming);
        }
        start = next_start;
        end = next_end;

        let sorted = window.sorted.as_slice();
        blocks.push((sorted.len() >= WINDOW_MIN).then(|| statistic(sorted)));
    }
    blocks
}

/// Values in ascending order, and room for those of the next block.
#[derive(Default)]
struct SortedWindow {
    sorted: Vec<f64>,
    spare: Vec<f64>,
}

impl SortedWindow {
    /// Takes out the values of `leaving`, which are in it, and puts in those of `coming`.
    fn replace(&mut self, leaving: &[f64], coming: &[f64]) {
        let leaving = sorted_copy(leaving);
        let coming = sorted_copy(coming);
        let mut leaving = leaving.iter().peekable();
        let mut coming = coming.iter().peekable();

        // One pass for the whole block: to insert each value alone would move half of the window.
        self.spare.clear();
        for value in &self.sorted {
            if leaving
                .next_if(|gone| gone.total_cmp(value).is_eq())
                .is_some()
            {
                continue;
            }
            while let Some(new) = coming.next_if(|new| new.total_cmp(value).is_lt()) {
                self.spare.push(*new);
            }
            self.spare.push(*value);
        }
        self.spare.extend(coming);
        std::mem::swap(&mut self.sorted, &mut self.spare);
    }
}

fn sorted_copy(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The median of values in any order; of an even number of them the upper one. NaN without values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        f64::NAN
    } else {
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    }
}

/// The median of ascending values; of an even number of them the upper one. NaN without values.
pub(crate) fn sorted_median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Centre and scale: the median, and the median absolute deviation × 1.4826, which estimates the
/// standard deviation of a normal distribution (Iglewicz and Hoaglin 1993). Where more than half of
/// the values are equal the latter is 0 and the mean absolute deviation × 1.2533 takes its place.
/// The values ascend.
pub(crate) fn centre_and_scale(sorted: &[f64]) -> CentreAndScale {
    let centre = sorted_median(sorted);
    let median_deviation = median_deviation(sorted, centre);
    if median_deviation > 0.0 {
        return CentreAndScale {
            centre,
            scale: 1.4826 * median_deviation,
        };
    }

    // A scale of 0 would make an infinite outlier of every other value.
    let deviations = sorted.iter().map(|value| (value - centre).abs());
    let mean_deviation = deviations.sum::<f64>() / sorted.len().max(1) as f64;
    CentreAndScale {
        centre,
        scale: 1.2533 * mean_deviation,
    }
}

/// The median of the distances from `centre`, the median of the ascending values. The nearest ones
/// lie around it, so that two fingers moving outwards meet them in order.
fn median_deviation(sorted: &[f64], centre: f64) -> f64 {
    let middle = sorted.len() / 2;
    let (below, above) = sorted.split_at_checked(middle).unwrap_or_default();
    let mut below = below.iter().rev().map(|value| centre - value).peekable();
    let mut above = above.iter().map(|value| value - centre).peekable();

    // As in `median`, the upper one of two middle values: hence one step more than half.
    let mut deviation = f64::NAN;
    for _ in 0..=middle {
        let is_above_nearer = match (below.peek(), above.peek()) {
            (Some(lower), Some(upper)) => upper <= lower,
            (None, _) => true,
            (_, None) => false,
        };
        let nearest = if is_above_nearer {
            above.next()
        } else {
            below.next()
        };
        deviation = nearest.unwrap_or(deviation);
    }
    deviation
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As the definition says: a copy of the window for each block.
    fn by_definition(values: &[f64]) -> Vec<Option<[f64; 2]>> {
        let mut result = Vec::new();
        for row in 0..values.len() {
            let block_start = row / BLOCK * BLOCK;
            let end = block_start.max(WINDOW.min(values.len()));
            let mut window = values[end.saturating_sub(WINDOW)..end].to_vec();
            let length = window.len();
            let centre = median(&mut window);
            let mut deviations: Vec<f64> = window.iter().map(|x| (x - centre).abs()).collect();
            let deviation = median(&mut deviations);
            result.push((length >= WINDOW_MIN).then_some([centre, 1.4826 * deviation]));
        }
        result
    }

    /// A number of few digits, so that many are equal.
    fn next_random(state: &mut u64) -> f64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((*state >> 40) % 997) as f64 / 10.0 - 40.0
    }

    #[test]
    fn the_moving_window_gives_what_each_window_alone_gives() {
        let mut state = 3_u64;

        for length in [0, 1, 29, 30, 499, 500, 501, 549, 551, 2_000] {
            let values: Vec<f64> = (0..length).map(|_| next_random(&mut state)).collect();
            let moving: Vec<Option<[f64; 2]>> = rolling(&values, centre_and_scale)
                .map(|value| value.map(|value| [value.centre, value.scale]))
                .collect();
            assert_eq!(moving, by_definition(&values), "{length}");
        }
    }
}
