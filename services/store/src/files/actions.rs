//! Dividends, splits, capital gains and adjusted closes, beside the bars of a file.

use crate::raw_bars::keep_rows;

/// Columns about corporate actions, one value per row of the file; a column that the file does not
/// have is empty, and a cell without a number is NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileActions {
    /// Close adjusted for splits and dividends.
    pub adjusted_close: Vec<f64>,
    /// Dividend per share.
    pub dividends: Vec<f64>,
    /// New shares for one old share.
    pub splits: Vec<f64>,
    /// Capital gain per share that a fund distributed.
    pub capital_gains: Vec<f64>,
}

impl FileActions {
    /// True for a file without any of these columns.
    pub fn is_absent(&self) -> bool {
        let Self {
            adjusted_close,
            dividends,
            splits,
            capital_gains,
        } = self;
        let columns = [adjusted_close, dividends, splits, capital_gains];
        columns.iter().all(|column| column.is_empty())
    }

    /// The columns in the order of `ActionPositions`.
    pub(super) fn from_columns(columns: [Vec<f64>; 4]) -> Self {
        let [adjusted_close, dividends, splits, capital_gains] = columns;
        Self {
            adjusted_close,
            dividends,
            splits,
            capital_gains,
        }
    }

    /// Leaves the rows that are marked.
    pub(super) fn keep_rows(&mut self, rows: &[bool]) {
        keep_rows(&mut self.adjusted_close, rows);
        keep_rows(&mut self.dividends, rows);
        keep_rows(&mut self.splits, rows);
        keep_rows(&mut self.capital_gains, rows);
    }
}
