//! Where the header of a text ends and its data starts, and what is written between its cells.

use super::super::{FileError, Mapping};
use super::names::{Role, plain_name, rank_of};
use super::numbers::{NumberRules, is_nothing, read_number};
use super::rows::{CellsOf, Dialect, Row, Rows, clean};
use super::time::{TimeRules, looks_like_time};

/// Rows from which everything is decided that a few rows show.
pub(super) const SAMPLE_ROWS: usize = 256;
/// Rows before the data, at most: a title, a comment, three rows of header.
const HEAD_ROWS: usize = 40;
/// Cells that a row of bars has at least: a time and four prices.
const CELLS_MIN: usize = 5;

/// A row with its cells.
#[derive(Clone, Debug)]
pub(super) struct SampleRow<'a> {
    pub(super) row: Row<'a>,
    /// Its cells without blanks and quotes.
    pub(super) cells: Vec<&'a [u8]>,
    /// What follows the row.
    rest: &'a [u8],
}

/// The first rows of a text, cut into header and data.
#[derive(Clone, Debug)]
pub(super) struct Frame<'a> {
    pub(super) dialect: Dialect,
    /// Rows of names: the row that names the prices first; none for a file without header.
    pub(super) header: Vec<SampleRow<'a>>,
    /// The first rows of data.
    pub(super) data: Vec<SampleRow<'a>>,
    /// Rows before the header that are none of it, such as a web address.
    pub(super) foreign_rows: usize,
    /// The text from the first row of data on.
    pub(super) data_text: &'a [u8],
    /// The line of the first row of data.
    pub(super) data_line: u64,
}

impl<'a> Frame<'a> {
    /// Cuts `text` by what its rows hold and by the names of columns that are asked for.
    ///
    /// # Errors
    /// The delimiter is not one byte, or there is neither header nor data.
    pub(super) fn find(
        file: &str,
        text: &'a [u8],
        mapping: &Mapping,
        times: &TimeRules,
    ) -> Result<Self, FileError> {
        let dialect = find_dialect(file, text, mapping)?;
        let rows = sample_rows(text, dialect);
        let header = match mapping.header {
            Some(false) => None,
            Some(true) | None => find_header(&rows, mapping, times),
        };

        // Behind a header the first row with a time or a number is data, whatever else it holds.
        let first_data = match header {
            Some(header) => {
                let behind = rows.iter().skip(header + 1);
                let names_before = behind.take_while(|row| !has_value(row, times)).count();
                Some(header + 1 + names_before)
            }
            None => rows.iter().position(|row| is_data(row, times)),
        };
        let Some(first_data) = first_data else {
            return Err(no_table(file, &rows));
        };

        let before = rows.get(..first_data).unwrap_or_default();
        let last_before = before.last();
        let data_text = last_before.map_or(text, |row| row.rest);
        let lines_before = text.len() - data_text.len();
        let lines_before = text.get(..lines_before).unwrap_or_default();
        let mut names = Vec::new();
        if let Some(header) = header {
            names.extend(before.iter().skip(header).cloned());
        }

        Ok(Self {
            dialect,
            foreign_rows: header.unwrap_or(first_data),
            header: names,
            data: rows.get(first_data..).unwrap_or_default().to_vec(),
            data_text,
            data_line: memchr::memchr_iter(b'\n', lines_before).count() as u64 + 1,
        })
    }
}

impl<'a> Frame<'a> {
    /// The rows of the header as they are written.
    pub(super) fn header_rows(&self) -> Vec<&'a [u8]> {
        self.header.iter().map(|row| row.row.bytes).collect()
    }
}

/// A text without a row of prices, and without a header for them.
fn no_table(file: &str, rows: &[SampleRow<'_>]) -> FileError {
    let Some(first) = rows.first() else {
        return FileError::Empty {
            file: file.to_owned(),
        };
    };
    let names = first.cells.iter().map(|cell| String::from_utf8_lossy(cell));
    FileError::Column {
        file: file.to_owned(),
        column: "time and prices".to_owned(),
        existing: names.collect::<Vec<_>>().join(", "),
        line: first.row.line,
    }
}

fn sample_rows(text: &[u8], dialect: Dialect) -> Vec<SampleRow<'_>> {
    let mut rows = Rows::new(text, 1, dialect);
    let mut sample = Vec::new();
    while sample.len() < SAMPLE_ROWS
        && let Some(row) = rows.next()
    {
        let cells = CellsOf::new(row.bytes, dialect).map(clean).collect();
        let rest = rows.rest();
        sample.push(SampleRow { row, cells, rest });
    }
    sample
}

/// The row that names most prices, or a row of unknown names above the data.
fn find_header(rows: &[SampleRow<'_>], mapping: &Mapping, times: &TimeRules) -> Option<usize> {
    let first_data = rows.iter().position(|row| is_data(row, times));
    let head = rows
        .iter()
        .take(first_data.unwrap_or(HEAD_ROWS).min(HEAD_ROWS));
    let best = head
        .clone()
        .enumerate()
        .map(|(index, row)| (count_names(row, mapping), index))
        // Of equally good rows the first: a header may be repeated further down.
        .max_by_key(|(count, index)| (*count, usize::MAX - index));
    if let Some((count, index)) = best
        && count >= 2
    {
        return Some(index);
    }

    // Names that nobody knows, directly above the data and as many as its cells.
    let index = first_data?.checked_sub(1)?;
    let above = rows.get(index)?;
    let cells = rows.get(index + 1)?.cells.len();
    let has_names = above.cells.len() >= CELLS_MIN && above.cells.len() + 1 >= cells;
    (has_names && !has_value(above, times)).then_some(index)
}

/// Columns whose names are known or asked for.
fn count_names(row: &SampleRow<'_>, mapping: &Mapping) -> usize {
    let roles = [Role::Open, Role::High, Role::Low, Role::Close, Role::Volume];
    let names: Vec<String> = row.cells.iter().map(|cell| name_of(cell)).collect();
    let plain: Vec<String> = names.iter().map(|name| plain_name(name)).collect();

    let has_role = |role: &&Role| plain.iter().any(|name| rank_of(**role, name).is_some());
    let usual_names = roles.iter().filter(has_role).count();
    let is_named = |column: &&String| names.iter().any(|name| is_same_name(name, column));
    let named = mapping.columns.all().into_iter().filter(is_named).count();
    usual_names.max(named * 2)
}

/// The text of a header cell; pandas writes the name and the symbol of a column as a pair.
pub(super) fn name_of(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    let pair = text.strip_prefix('(').and_then(|pair| pair.split_once(','));
    match pair {
        Some((name, _)) => name.trim_matches(['\'', '"', ' ']).to_owned(),
        None => text.into_owned(),
    }
}

/// True for two names that differ in case and blanks alone.
pub(super) fn is_same_name(name: &str, other: &str) -> bool {
    name.trim().to_lowercase() == other.trim().to_lowercase()
}

/// True for a row with a time and at least three prices.
fn is_data(row: &SampleRow<'_>, times: &TimeRules) -> bool {
    let numbers = row.cells.iter().filter(|cell| is_number(cell)).count();
    numbers >= 3 && row.cells.iter().any(|cell| looks_like_time(cell, times))
}

/// True for a row that is no row of names: it has a time or a number.
fn has_value(row: &SampleRow<'_>, times: &TimeRules) -> bool {
    let is_comment = row.row.bytes.starts_with(b"#");
    let mut cells = row.cells.iter();
    !is_comment && cells.any(|cell| is_number(cell) || looks_like_time(cell, times))
}

/// True for a cell that is a number under some rules.
fn is_number(cell: &[u8]) -> bool {
    let has_digit = cell.iter().any(u8::is_ascii_digit);
    let rules = [b'.', b','].map(|decimal| NumberRules {
        decimal,
        ..NumberRules::default()
    });
    let mut readings = rules.into_iter().map(|rules| read_number(cell, rules));
    has_digit && !is_nothing(cell) && readings.any(|number| number.is_some())
}

/// The delimiter that was named, the one in a line `sep=;`, or the one that cuts most rows alike.
fn find_dialect(file: &str, text: &[u8], mapping: &Mapping) -> Result<Dialect, FileError> {
    let has_quotes = memchr::memchr(b'"', text).is_some();
    if let Some(delimiter) = mapping.delimiter {
        // The reader takes bytes; every delimiter in use is one.
        let delimiter = u8::try_from(delimiter).map_err(|_| FileError::Row {
            file: file.to_owned(),
            line: 1,
            reason: format!("the delimiter `{delimiter}` is not a single byte"),
        })?;
        return Ok(Dialect {
            delimiter,
            has_quotes,
        });
    }

    let start = text.trim_ascii_start();
    if let Some([b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter]) = start.get(..5)
        && !delimiter.is_ascii_alphanumeric()
        && !matches!(delimiter, b'\r' | b'\n')
    {
        return Ok(Dialect {
            delimiter: *delimiter,
            has_quotes,
        });
    }
    Ok(guess_dialect(text, has_quotes))
}

fn guess_dialect(text: &[u8], has_quotes: bool) -> Dialect {
    // Of equally good ones the last counts: a comma may stand inside of numbers.
    let candidates = [b',', b'|', b';', b'\t'];
    let mut best = Dialect {
        delimiter: b',',
        has_quotes,
    };
    let mut best_score = Score::default();

    for delimiter in candidates {
        let dialect = Dialect {
            delimiter,
            has_quotes,
        };
        let score = score_of(text, dialect);
        if score >= best_score {
            best = dialect;
            best_score = score;
        }
    }
    best
}

/// How well a delimiter cuts rows: compared field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
struct Score {
    /// The commonest number of cells is enough for bars.
    is_enough: bool,
    /// Rows with that number of cells.
    rows: usize,
}

fn score_of(text: &[u8], dialect: Dialect) -> Score {
    let rows = Rows::new(text, 1, dialect).take(HEAD_ROWS);
    let mut counts: Vec<usize> = rows
        .map(|row| CellsOf::new(row.bytes, dialect).count())
        .collect();
    counts.sort_unstable();

    // Text above and below a table has other counts, so that the commonest one decides.
    let runs = counts.chunk_by(|one, other| one == other);
    let longest = runs.max_by_key(|run| (run.first() >= Some(&CELLS_MIN), run.len()));
    let cells = longest.and_then(|run| run.first()).copied().unwrap_or(0);
    Score {
        is_enough: cells >= CELLS_MIN,
        rows: if cells > 1 {
            longest.map_or(0, <[usize]>::len)
        } else {
            0
        },
    }
}
