//! Rows of a CSV file.

use csv::{ErrorKind, StringRecord};

use super::super::stamp::Stamp;
use super::super::{FileError, Mapping};
use super::{PRICE_ROLES, Positions, Sheet, find_columns, find_symbol_column};

/// Reads the text of a file called `name`.
pub(super) fn read(name: &str, text: &[u8], mapping: &Mapping) -> Result<Sheet, FileError> {
    if text.trim_ascii().is_empty() {
        return Err(FileError::Empty {
            file: name.to_owned(),
        });
    }

    // The reader takes bytes; every delimiter in use is one.
    let delimiter = mapping.delimiter.unwrap_or_else(|| guess_delimiter(text));
    let byte = u8::try_from(delimiter).map_err(|_| FileError::Row {
        file: name.to_owned(),
        line: 1,
        reason: format!("the delimiter `{delimiter}` is not a single byte"),
    })?;

    let mut reader = csv::ReaderBuilder::new()
        .delimiter(byte)
        .trim(csv::Trim::All)
        .from_reader(text);
    let header = reader.headers().map_err(|error| row_error(name, &error))?;
    let columns: Vec<String> = header.iter().map(str::to_owned).collect();
    let positions = find_columns(name, &columns, mapping)?;

    // One record for all rows, so that a large file costs no allocation per row.
    let symbol_position = find_symbol_column(&columns);
    let mut sheet = Sheet::empty("csv", Some(delimiter), columns);
    sheet.symbols = symbol_position.map(|position| sheet.symbols_in(position));
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| row_error(name, &error))?
    {
        add_row(&mut sheet, name, &record, &positions)?;
        if let (Some(symbols), Some(position)) = (&mut sheet.symbols, symbol_position) {
            symbols.push(record.get(position).unwrap_or_default());
        }
    }
    Ok(sheet)
}

fn add_row(
    sheet: &mut Sheet,
    name: &str,
    record: &StringRecord,
    positions: &Positions,
) -> Result<(), FileError> {
    let line = record.position().map_or(0, csv::Position::line);
    // Nothing is guessed: a cell that is not a time or a number refuses the file with its line.
    let time = record.get(positions.time).unwrap_or_default();
    let stamp = Stamp::parse(time).ok_or_else(|| FileError::Time {
        file: name.to_owned(),
        line,
        text: time.to_owned(),
    })?;
    sheet.stamps.push(stamp);
    sheet.lines.push(line);

    let roles = PRICE_ROLES.into_iter().zip(positions.prices);
    for (values, (role, position)) in sheet.prices.iter_mut().zip(roles) {
        values.push(read_number(name, record, role, position)?);
    }

    sheet.volume.push(match positions.volume {
        Some(position) => read_number(name, record, "volume", position)?,
        None => f64::NAN,
    });
    Ok(())
}

/// The number in one column of a row, which `role` names in errors.
fn read_number(
    name: &str,
    record: &StringRecord,
    role: &str,
    position: usize,
) -> Result<f64, FileError> {
    let text = record.get(position).unwrap_or_default();
    parse_number(text).ok_or_else(|| FileError::Number {
        file: name.to_owned(),
        line: record.position().map_or(0, csv::Position::line),
        column: role.to_owned(),
        text: text.to_owned(),
    })
}

/// A cell as a number; NaN if it is empty, `None` if it holds anything else.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    if text.is_empty() {
        return Some(f64::NAN);
    }
    text.parse().ok()
}

/// A row that the CSV reader refuses.
fn row_error(name: &str, error: &csv::Error) -> FileError {
    let reason = match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} cells where the header has {expected_len}"),
        _ => error.to_string(),
    };

    FileError::Row {
        file: name.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
        reason,
    }
}

/// The delimiter that is most frequent in the first line.
fn guess_delimiter(text: &[u8]) -> char {
    let header = text.split(|byte| *byte == b'\n').next();
    let header = header.unwrap_or_default();

    // Of equally frequent ones the last counts, so the commonest delimiter comes last.
    let candidates = ['|', '\t', ';', ','];
    let best = candidates
        .into_iter()
        .max_by_key(|delimiter| count_in(header, *delimiter));
    best.unwrap_or(',')
}

fn count_in(text: &[u8], character: char) -> usize {
    let bytes = text.iter();
    bytes.filter(|byte| char::from(**byte) == character).count()
}
