//! Windows of consecutive bars: which rows have enough rows before them for a network that reads
//! several at once.

/// Which bar a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowBar {
    /// Position of the symbol.
    pub symbol: u16,
    /// Number of the bar within its symbol.
    pub bar: u32,
}

impl RowBar {
    /// True when this is the very next bar of the same symbol.
    fn follows(self, earlier: Self) -> bool {
        self.symbol == earlier.symbol && earlier.bar.checked_add(1) == Some(self.bar)
    }
}

/// The windows in a list of rows. They are an index into the rows: no value is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Rows of each window, ≥ 1.
    pub length: usize,
    /// The last row of each window, ascending; the `length` − 1 rows before it are the others.
    pub last_rows: Vec<usize>,
    /// Rows of the longest stretch of consecutive bars: the longest window that would fit.
    pub longest_stretch: usize,
}

impl Windows {
    /// Every window of `length` rows that are consecutive bars of one symbol, in the order of
    /// `rows`. Windows overlap: each row ends at most one.
    ///
    /// A stretch of n consecutive bars has n − `length` + 1 windows, or none. A bar without a row
    /// ends a stretch, so that no window bridges it.
    pub fn find(rows: impl IntoIterator<Item = RowBar>, length: usize) -> Self {
        let length = length.max(1);
        let mut windows = Self {
            length,
            last_rows: Vec::new(),
            longest_stretch: 0,
        };

        let mut stretch = 0;
        let mut earlier: Option<RowBar> = None;
        for (position, row) in rows.into_iter().enumerate() {
            let goes_on = earlier.is_some_and(|earlier| row.follows(earlier));
            stretch = if goes_on { stretch + 1 } else { 1 };
            earlier = Some(row);

            windows.longest_stretch = windows.longest_stretch.max(stretch);
            if stretch >= length {
                windows.last_rows.push(position);
            }
        }

        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows of rows that are written as symbol and bar.
    fn windows_of(rows: &[(u16, u32)], length: usize) -> Windows {
        let rows = rows.iter();
        Windows::find(rows.map(|&(symbol, bar)| RowBar { symbol, bar }), length)
    }

    #[test]
    fn a_stretch_of_five_bars_has_three_windows_of_three() {
        let rows = [(0, 40), (0, 41), (0, 42), (0, 43), (0, 44)];
        let windows = windows_of(&rows, 3);
        assert_eq!(windows.last_rows, [2, 3, 4]);
        assert_eq!(windows.longest_stretch, 5);
    }

    #[test]
    fn a_missing_bar_is_never_bridged() {
        // Bar 3 has no row: the stretches are 1, 2 and 4, 5, 6.
        let rows = [(0, 1), (0, 2), (0, 4), (0, 5), (0, 6)];
        let windows = windows_of(&rows, 2);
        assert_eq!(windows.last_rows, [1, 3, 4]);
        assert_eq!(windows.longest_stretch, 3);
    }

    #[test]
    fn two_symbols_share_no_window() {
        // The second symbol happens to go on with the next number.
        let rows = [(0, 1), (0, 2), (1, 3), (1, 4)];
        assert_eq!(windows_of(&rows, 2).last_rows, [1, 3]);
        assert_eq!(windows_of(&rows, 3).last_rows, [0; 0]);
        assert_eq!(windows_of(&rows, 3).longest_stretch, 2);
    }

    #[test]
    fn every_row_is_a_window_of_one() {
        assert_eq!(
            windows_of(&[(0, 9), (0, 2), (1, 2)], 1).last_rows,
            [0, 1, 2]
        );
        assert_eq!(windows_of(&[], 1).longest_stretch, 0);
    }
}
