//! The rows to keep, as runs of consecutive rows. Runs are mostly few and long, so that whole runs
//! are moved at once.

use std::ops::Range;

/// Rows to keep, ascending; no two runs touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(Vec<Range<usize>>);

impl Runs {
    /// The rows whose entry is true.
    pub(super) fn of(rows: impl IntoIterator<Item = bool>) -> Self {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (row, is_kept) in rows.into_iter().enumerate() {
            if !is_kept {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == row => run.end += 1,
                _ => runs.push(row..row + 1),
            }
        }

        Self(runs)
    }

    /// Number of rows to keep.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// Drops the values of all other rows.
    pub(super) fn keep<T: Copy>(&self, values: &mut Vec<T>) {
        let mut next_row = 0;
        for run in &self.0 {
            let run = run.start.min(values.len())..run.end.min(values.len());
            values.copy_within(run.clone(), next_row);
            next_row += run.len();
        }

        values.truncate(next_row);
    }

    /// As [`Runs::keep`], and frees the memory of the others.
    pub(super) fn keep_tight<T: Copy>(&self, values: &mut Vec<T>) {
        self.keep(values);
        values.shrink_to_fit();
    }

    /// The values of these rows.
    pub(super) fn pick<'a, T>(&'a self, values: &'a [T]) -> impl Iterator<Item = &'a T> + Clone {
        self.0
            .iter()
            .flat_map(|run| values.get(run.clone()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_keeps(pattern: &str, expected: &str) {
        let runs = Runs::of(pattern.chars().map(|row| row == '1'));
        let mut values: Vec<char> = "012345".chars().collect();
        assert!(runs.pick(&values).copied().eq(expected.chars()));

        runs.keep(&mut values);
        assert_eq!(values.into_iter().collect::<String>(), expected);
        assert_eq!(runs.len(), expected.len());
    }

    #[test]
    fn rows_are_kept_whether_they_are_one_run_or_many() {
        assert_keeps("011100", "123");
        assert_keeps("110101", "0135");
        assert_keeps("000000", "");
        assert_keeps("111111", "012345");
    }
}
