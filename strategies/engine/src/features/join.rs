//! Which bars of another timeframe are visible at each row of the base: those that have closed.

use std::ops::Range;

use market::Utc;

/// Rows of the base that follow each other and see the same bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Bars that have closed when the rows are decided on.
    pub(super) closed_bars: usize,
    /// The row after the last one; the first one is where the run before ends.
    pub(super) end: usize,
}

/// The rows of the base as runs, which are fewer than the rows where the base is finer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Join {
    runs: Vec<Run>,
}

impl Join {
    /// Joins rows that are decided on at `known_at` with bars that close at `close_time`; both
    /// ascend. A bar that closes just then is visible.
    pub(super) fn new(known_at: &[Utc], close_time: &[Utc]) -> Self {
        let mut runs = Vec::with_capacity(known_at.len().min(close_time.len() + 1));
        let mut closed_bars = 0;
        let mut row = 0;

        while let Some(decided) = known_at.get(row) {
            let rows_left = tail(known_at, row);
            closed_bars += count_leading(tail(close_time, closed_bars), |close| close <= decided);
            row += match close_time.get(closed_bars) {
                Some(next) => count_leading(rows_left, |decided| decided < next),
                None => rows_left.len(),
            };
            runs.push(Run {
                closed_bars,
                end: row,
            });
        }
        Self { runs }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.runs.last().map_or(0, |run| run.end)
    }

    /// The runs that rows of `rows` belong to, in order.
    pub(super) fn runs_within(&self, rows: Range<usize>) -> &[Run] {
        let first = self.runs.partition_point(|run| run.end <= rows.start);
        let runs = tail(&self.runs, first);
        let last = runs.partition_point(|run| run.end < rows.end);
        runs.get(..=last).unwrap_or(runs)
    }
}

fn tail<T>(values: &[T], start: usize) -> &[T] {
    values.get(start..).unwrap_or_default()
}

/// How many values at the start `is_leading` accepts, where none after the first refused one is
/// accepted. Looks at few of them, because most runs are short: at 1, 2, 4, 8, …, then between.
fn count_leading<T>(values: &[T], is_leading: impl Fn(&T) -> bool) -> usize {
    let mut reach = 1;
    while values.get(reach).is_some_and(&is_leading) {
        reach *= 2;
    }

    let passed = reach / 2;
    let end = values.len().min(reach);
    let between = values.get(passed..end).unwrap_or_default();
    passed + between.partition_point(is_leading)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instants(micros: &[i64]) -> Vec<Utc> {
        micros.iter().copied().map(Utc).collect()
    }

    /// Bars that have closed at each row, counted one by one.
    fn counted(known_at: &[Utc], close_time: &[Utc]) -> Vec<usize> {
        let count = |decided: &Utc| close_time.iter().filter(|close| *close <= decided).count();
        known_at.iter().map(count).collect()
    }

    fn expanded(join: &Join) -> Vec<usize> {
        let mut rows = Vec::new();
        for run in &join.runs {
            rows.resize(run.end, run.closed_bars);
        }
        rows
    }

    #[test]
    fn a_bar_is_visible_from_its_close_on() {
        let known_at = instants(&[5, 10, 11, 20, 35]);
        let join = Join::new(&known_at, &instants(&[10, 20, 30]));

        let run = |closed_bars, end| Run { closed_bars, end };
        assert_eq!(join.runs, [run(0, 1), run(1, 3), run(2, 4), run(3, 5)]);
        assert_eq!(join.runs_within(2..4), [run(1, 3), run(2, 4)]);
        assert_eq!(join.runs_within(0..1), [run(0, 1)]);
    }

    fn ascending() -> impl Strategy<Value = Vec<Utc>> {
        let steps = prop::collection::vec(1_i64..40, 0..200);
        steps.prop_map(|steps| {
            let times = steps.iter().scan(0, |time, step| {
                *time += step;
                Some(Utc(*time))
            });
            times.collect()
        })
    }

    proptest! {
        #[test]
        fn runs_say_of_each_row_what_counting_says(known in ascending(), close in ascending()) {
            let join = Join::new(&known, &close);
            prop_assert_eq!(join.rows(), known.len());
            prop_assert_eq!(expanded(&join), counted(&known, &close));
        }
    }
}
