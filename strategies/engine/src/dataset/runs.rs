//! Which rows stay, as runs: they mostly are few and long, so that whole stretches are moved at
//! once.

use std::ops::Range;

/// Rows that stay, ascending; no two runs touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(Vec<Range<usize>>);

impl Runs {
    /// The rows whose entry is true.
    pub(super) fn of(rows: impl IntoIterator<Item = bool>) -> Self {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (row, _) in rows.into_iter().enumerate().filter(|(_, stays)| *stays) {
            match runs.last_mut() {
                Some(run) if run.end == row => run.end += 1,
                _ => runs.push(row..row + 1),
            }
        }
        Self(runs)
    }

    /// How many rows stay.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// Leaves the values of these rows.
    pub(super) fn keep<T: Copy>(&self, values: &mut Vec<T>) {
        let mut at = 0;
        for run in &self.0 {
            let run = run.start.min(values.len())..run.end.min(values.len());
            values.copy_within(run.clone(), at);
            at += run.len();
        }
        values.truncate(at);
    }

    /// As [`Runs::keep`], in no more memory than is needed.
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

    #[test]
    fn rows_are_kept_whether_they_are_one_run_or_many() {
        for (rows, left) in [
            ("011100", "123"),
            ("110101", "0135"),
            ("000000", ""),
            ("111111", "012345"),
        ] {
            let runs = Runs::of(rows.chars().map(|row| row == '1'));
            let mut values: Vec<char> = "012345".chars().collect();
            assert!(runs.pick(&values).copied().eq(left.chars()));
            runs.keep(&mut values);
            assert_eq!(values.into_iter().collect::<String>(), left);
            assert_eq!(runs.len(), left.len());
        }
    }
}
