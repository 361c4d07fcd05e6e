//! Dividends, splits, capital gains and adjusted closes of a text file of bars.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use quality::Actions;

/// First bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Lines at the beginning of a file in which its columns can be named.
const HEAD_LINES_MAX: usize = 10;
/// Column of a repaired file whose values come from later bars.
pub(crate) const FUTURE_COLUMN: &str = "repaired_with_future";

/// Names of each column, in lower case without blanks and underscores.
const ADJUSTED: [&str; 3] = ["adjclose", "adjustedclose", "adjclose*"];
const DIVIDENDS: [&str; 3] = ["dividends", "dividend", "dividendamount"];
const SPLITS: [&str; 4] = ["stocksplits", "splits", "split", "splitcoefficient"];
const GAINS: [&str; 2] = ["capitalgains", "capitalgain"];

/// The columns of a file that are not those of bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ActionColumns {
    /// One value per row that was asked for; absent columns are empty.
    pub(crate) actions: Actions,
    /// The file was repaired with values of later bars.
    pub(crate) has_future_repairs: bool,
}

/// Reads the columns of the rows that stand on `lines` of the file, counted from 1; none for a file
/// that is no text, or whose columns have no such names.
pub(crate) fn read_action_columns(path: &Path, lines: &[u64]) -> Option<ActionColumns> {
    let text = read_text(path)?;
    let all_lines: Vec<&str> = text.lines().collect();
    let head = all_lines
        .iter()
        .take(HEAD_LINES_MAX)
        .find_map(|line| Head::of(line))?;

    // A line that is not there becomes none, so that every column keeps one value per row.
    let rows: Vec<Option<&str>> = lines
        .iter()
        .map(|line| {
            let index = usize::try_from(*line).ok()?.checked_sub(1)?;
            all_lines.get(index).copied()
        })
        .collect();
    Some(ActionColumns {
        actions: Actions {
            adjusted_close: head.read(head.adjusted, &rows),
            dividends: head.read(head.dividends, &rows),
            splits: head.read(head.splits, &rows),
            capital_gains: head.read(head.gains, &rows),
        },
        has_future_repairs: head.has_future_repairs,
    })
}

/// The text of a file, unpacked; none for another kind of file.
fn read_text(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    if !bytes.starts_with(&GZIP) {
        return String::from_utf8(bytes).ok();
    }

    let mut text = String::new();
    GzDecoder::new(bytes.as_slice())
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

/// Where the columns are.
struct Head {
    delimiter: char,
    /// Number of columns.
    width: usize,
    adjusted: Option<usize>,
    dividends: Option<usize>,
    splits: Option<usize>,
    gains: Option<usize>,
    has_future_repairs: bool,
}

impl Head {
    /// The columns that a line names; none if it names none of them.
    fn of(line: &str) -> Option<Self> {
        let delimiters = [',', ';', '\t', '|'];
        let delimiter = delimiters
            .into_iter()
            .max_by_key(|each| line.matches(*each).count())?;
        let names: Vec<String> = line.split(delimiter).map(normalise_name).collect();
        let position = |known_names: &[&str]| position_of(&names, known_names);

        // Titles above the head name none of these columns, and the search goes on below them.
        let head = Self {
            delimiter,
            width: names.len(),
            adjusted: position(&ADJUSTED),
            dividends: position(&DIVIDENDS),
            splits: position(&SPLITS),
            gains: position(&GAINS),
            has_future_repairs: position(&[&normalise_name(FUTURE_COLUMN)]).is_some(),
        };
        let columns = [head.adjusted, head.dividends, head.splits, head.gains];
        let has_any = columns.iter().any(Option::is_some) || head.has_future_repairs;
        has_any.then_some(head)
    }

    /// The numbers of a column; NaN for a cell without one.
    fn read(&self, column: Option<usize>, rows: &[Option<&str>]) -> Vec<f64> {
        let Some(column) = column else {
            return Vec::new();
        };
        let numbers = rows.iter().map(|row| self.number(*row, column));
        numbers.map(|number| number.unwrap_or(f64::NAN)).collect()
    }

    fn number(&self, row: Option<&str>, column: usize) -> Option<f64> {
        // A delimiter within quotes moves the cells behind it: no value is better than another's.
        let cells: Vec<&str> = row?.split(self.delimiter).collect();
        if cells.len() != self.width {
            return None;
        }
        let cell = cells.get(column)?;
        cell.trim().trim_matches('"').parse().ok()
    }
}

/// The first of these names that is a known one.
fn position_of(names: &[String], known_names: &[&str]) -> Option<usize> {
    let mut names = names.iter();
    names.position(|name| known_names.contains(&name.as_str()))
}

/// `Adj Close` and `adj_close` are one name.
fn normalise_name(name: &str) -> String {
    let letters = name
        .chars()
        .filter(|each| !" _\"\u{feff}\r".contains(*each));
    letters.collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_whose_cells_are_moved_by_quotes_has_no_values() {
        let head = Head::of("Date,Volume,Dividends,Stock Splits").unwrap();
        let rows = [
            Some("2024-01-02,\"1,234\",0.5,0"),
            Some("2024-01-03,7,0.5,0"),
        ];

        let dividends = head.read(head.dividends, &rows);
        assert!(dividends[0].is_nan(), "{dividends:?}");
        assert_eq!(dividends[1], 0.5);
    }

    #[test]
    fn columns_are_found_by_their_usual_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let rows = "Date,Open,Close,Adj Close,Dividends,Stock Splits\r\n\
                    2024-01-02,1,2,1.9,0.5,0.0\r\n\
                    2024-01-03,1,2,2,,4\r\n";
        std::fs::write(&path, rows).unwrap();

        let columns = read_action_columns(&path, &[3, 2]).unwrap();
        assert_eq!(columns.actions.adjusted_close, [2.0, 1.9]);
        assert_eq!(columns.actions.splits, [4.0, 0.0]);
        assert!(columns.actions.dividends[0].is_nan());
        assert_eq!(columns.actions.capital_gains, [0.0; 0]);
        assert!(!columns.has_future_repairs);
    }

    #[test]
    fn a_file_of_bars_alone_has_no_actions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "time,open,close\n2024-01-02,1,2\n").unwrap();
        assert_eq!(read_action_columns(&path, &[2]), None);
    }
}
