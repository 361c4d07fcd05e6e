//! The rows of a text and the cells of a row, with the line on which each row starts.

use memchr::{memchr, memchr_iter};

/// Where cells end, and whether quotes keep a delimiter from ending one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The byte between cells.
    pub(super) delimiter: u8,
    /// The text holds a quote.
    pub(super) has_quotes: bool,
}

/// One row of a text, without its line end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) bytes: &'a [u8],
    /// The line of the text on which it starts, from 1.
    pub(super) line: u64,
}

/// The rows of a text that are not blank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    rest: &'a [u8],
    /// Of the next row.
    line: u64,
    has_quotes: bool,
}

impl<'a> Rows<'a> {
    /// The rows of `text`, whose first line has the number `line`.
    pub(super) fn new(text: &'a [u8], line: u64, dialect: Dialect) -> Self {
        Self {
            rest: text,
            line,
            has_quotes: dialect.has_quotes,
        }
    }

    /// What follows the rows so far.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The length of the next row and of its line end; a quoted cell may hold line ends.
    fn end_of_row(&self) -> (usize, usize) {
        let Some(end) = memchr(b'\n', self.rest) else {
            return (self.rest.len(), 0);
        };
        if !self.has_quotes || quotes_are_closed(self.rest, end) {
            return (end, 1);
        }

        let later_ends = memchr_iter(b'\n', self.rest).skip(1);
        for later_end in later_ends.take(LINES_OF_ROW_MAX) {
            if quotes_are_closed(self.rest, later_end) {
                return (later_end, 1);
            }
        }
        // A quote that nothing closes is an error of its own line, not of all lines behind it.
        (end, 1)
    }
}

/// Lines that a quoted cell may have.
const LINES_OF_ROW_MAX: usize = 8;

fn quotes_are_closed(text: &[u8], end: usize) -> bool {
    let row = text.get(..end).unwrap_or_default();
    memchr_iter(b'"', row).count().is_multiple_of(2)
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        while !self.rest.is_empty() {
            let (length, end) = self.end_of_row();
            let (row, behind) = self.rest.split_at_checked(length)?;
            let line = self.line;
            self.rest = behind.get(end..).unwrap_or_default();
            self.line += if self.has_quotes {
                memchr_iter(b'\n', row).count() as u64 + 1
            } else {
                1
            };

            // Tabs alone may be a row of empty cells rather than a blank line.
            let bytes = row.strip_suffix(b"\r").unwrap_or(row);
            if !bytes.iter().all(u8::is_ascii_whitespace) || bytes.contains(&b'\t') {
                return Some(Row { bytes, line });
            }
        }
        None
    }
}

/// The cells of a row as they are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellsOf<'a> {
    rest: Option<&'a [u8]>,
    dialect: Dialect,
}

impl<'a> CellsOf<'a> {
    pub(super) fn new(row: &'a [u8], dialect: Dialect) -> Self {
        Self {
            rest: Some(row),
            dialect,
        }
    }
}

impl<'a> Iterator for CellsOf<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let delimiter = self.dialect.delimiter;
        let end = if self.dialect.has_quotes {
            end_of_cell(rest, delimiter)
        } else {
            find_byte(rest, delimiter)
        };

        let Some(end) = end else {
            self.rest = None;
            return Some(rest);
        };
        let (cell, behind) = rest.split_at_checked(end)?;
        let behind = behind.get(1..)?;
        // Columns of text files that are lined up by blanks.
        self.rest = Some(if delimiter == b' ' {
            behind.trim_ascii_start()
        } else {
            behind
        });
        Some(cell)
    }
}

/// The first place of a byte, looked for in eight bytes at once: a cell is too short for the start
/// of a wider search to be worth it.
#[inline]
fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let places = places_of(u64::from_le_bytes(*word), byte);
        if places != 0 {
            return Some(8 * index + places.trailing_zeros() as usize / 8);
        }
    }
    let in_rest = rest.iter().position(|each| *each == byte)?;
    Some(8 * words.len() + in_rest)
}

/// The high bit of each byte of `word` that is `byte`; those above the lowest one may be wrong.
#[inline]
fn places_of(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ u64::from_le_bytes([byte; 8]);
    let borrowed = zero_where_equal.wrapping_sub(u64::from_le_bytes([1; 8]));
    borrowed & !zero_where_equal & u64::from_le_bytes([0x80; 8])
}

/// The delimiter that ends the first cell of `row`, not counting those within quotes.
fn end_of_cell(row: &[u8], delimiter: u8) -> Option<usize> {
    let start = row.iter().position(|byte| *byte != b' ').unwrap_or(0);
    let Some(b'"') = row.get(start) else {
        return memchr(delimiter, row);
    };

    // Two quotes in a row are one that is meant, and leave the state as it was.
    let mut is_inside = false;
    for (index, byte) in row.iter().enumerate() {
        if *byte == b'"' {
            is_inside = !is_inside;
        } else if *byte == delimiter && !is_inside {
            return Some(index);
        }
    }
    None
}

/// A cell without blanks and quotes around it, and without the `=` of a formula that keeps a
/// spreadsheet from changing it.
#[inline]
pub(super) fn clean(cell: &[u8]) -> &[u8] {
    // Nearly every cell is a bare number, and has nothing around it.
    if let [first, .., last] = cell
        && first.is_ascii_digit()
        && last.is_ascii_digit()
    {
        return cell;
    }

    let mut bare = cell;
    while let [first, rest @ ..] = bare
        && is_wrapping(*first)
    {
        bare = rest;
    }
    while let [rest @ .., last] = bare
        && is_wrapping(*last)
    {
        bare = rest;
    }
    bare
}

fn is_wrapping(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'"' | b'\'' | b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::find_byte;

    proptest! {
        /// The bytes beside a comma are those that a borrow could mistake for one.
        #[test]
        fn a_byte_is_found_at_its_first_place(text in "[,+.\\-0-9]{0,40}", byte in b'+'..=b'.') {
            let position = text.bytes().position(|each| each == byte);

            prop_assert_eq!(find_byte(text.as_bytes(), byte), position);
        }
    }
}
