//! Rows of files that hold columns, Parquet and Arrow: which columns are read, and their cells.

mod numbers;
mod texts;
mod times;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use serde_json::Value;

use super::super::{FileError, Mapping};
use super::{PRICE_ROLES, Positions, Sheet, find_columns, find_symbol_column};

/// A file of columns while its batches are read.
pub(super) struct Columnar<'a> {
    source: Source<'a>,
    positions: Positions,
    /// Position of the column that says whose row it is.
    symbol: Option<usize>,
    sheet: Sheet,
}

/// Where the columns of a batch come from.
struct Source<'a> {
    name: &'a str,
    /// Names of all columns of the file.
    columns: Vec<String>,
    /// Positions in the file of the columns that are read, ascending: the columns of a batch.
    read_positions: Vec<usize>,
}

impl<'a> Columnar<'a> {
    /// Chooses the columns of a file called `name`.
    ///
    /// # Errors
    /// A required column is absent.
    pub(super) fn new(
        name: &'a str,
        format: &'static str,
        schema: &Schema,
        mapping: &Mapping,
    ) -> Result<Self, FileError> {
        let fields = schema.fields().iter();
        let columns: Vec<String> = fields.map(|field| field.name().clone()).collect();
        let mut notes = Vec::new();

        // Columns say that they hold times, so an unusual name is no obstacle if there is only one.
        let positions = match find_columns(name, &columns, mapping) {
            Err(error) if mapping.columns.time.is_none() => {
                let time = only_time_column(schema).ok_or(error)?;
                notes.push(format!(
                    "times are those of `{time}`, the only column of times"
                ));

                let mut mapping = mapping.clone();
                mapping.columns.time = Some(time.to_owned());
                find_columns(name, &columns, &mapping)?
            }
            positions => positions?,
        };

        let mut read_positions = vec![positions.time];
        read_positions.extend(positions.prices);
        read_positions.extend(positions.volume);
        let symbol = find_symbol_column(&columns);
        read_positions.extend(symbol);
        read_positions.sort_unstable();
        read_positions.dedup();

        let mut sheet = Sheet::empty(format, columns.clone());
        let time_field = schema.fields().get(positions.time);
        sheet.zone = time_field.and_then(|field| {
            zone_of_pandas(schema, field.name()).or_else(|| zone_of(field.data_type()))
        });
        sheet.symbols = symbol.map(|position| sheet.symbols_in(position));
        sheet.notes = notes;
        sheet.name_roles(&positions);
        Ok(Self {
            source: Source {
                name,
                columns,
                read_positions,
            },
            positions,
            symbol,
            sheet,
        })
    }

    /// The columns to read, in the order in which [`add`](Self::add) expects them.
    pub(super) fn read_positions(&self) -> &[usize] {
        &self.source.read_positions
    }

    /// Appends the rows of a batch that has the columns of `read_positions`.
    ///
    /// # Errors
    /// A column of an unusable type, or a cell that cannot be read.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), FileError> {
        let Self {
            source,
            positions,
            symbol,
            sheet,
        } = self;
        source.add_times(batch, positions.time, sheet)?;
        if let Some(symbols) = &mut sheet.symbols
            && let Some(position) = *symbol
        {
            let column = source.column_at(batch, position)?;
            texts::add_symbols(column, symbols)
                .ok_or_else(|| source.type_error(column, position, "the names of symbols"))?;
        }

        let roles = PRICE_ROLES.into_iter().zip(positions.prices);
        for (values, (role, position)) in sheet.prices.iter_mut().zip(roles) {
            source.add_numbers(batch, role, position, values)?;
        }

        // Without a column the volume is unknown, which is something else than 0.
        match positions.volume {
            Some(position) => source.add_numbers(batch, "volume", position, &mut sheet.volume),
            None => {
                sheet.volume.resize(sheet.lines.len(), f64::NAN);
                Ok(())
            }
        }
    }

    /// All rows that were added.
    pub(super) fn into_sheet(self) -> Sheet {
        self.sheet
    }
}

impl Source<'_> {
    /// Appends the stamps of a batch, and the lines of its rows.
    fn add_times(
        &self,
        batch: &RecordBatch,
        position: usize,
        sheet: &mut Sheet,
    ) -> Result<(), FileError> {
        let column = self.column_at(batch, position)?;
        let stamps = times::read_stamps(column)
            .ok_or_else(|| self.type_error(column, position, "a time"))?;

        // Batches follow each other; lines count through the whole file.
        let first_line = sheet.lines.len() as u64 + 1;
        for (row, (stamp, line)) in stamps.into_iter().zip(first_line..).enumerate() {
            let stamp = stamp.ok_or_else(|| FileError::Time {
                file: self.name.to_owned(),
                line,
                text: texts::describe_cell(column, row),
            })?;
            if !sheet.stamps.push(stamp) {
                return Err(FileError::Row {
                    file: self.name.to_owned(),
                    line,
                    reason: "times with a zone and times without one in one column".to_owned(),
                });
            }
            sheet.lines.push(line);
        }
        Ok(())
    }

    /// Appends a column of numbers to `values`, which has the rows before.
    fn add_numbers(
        &self,
        batch: &RecordBatch,
        role: &str,
        position: usize,
        values: &mut Vec<f64>,
    ) -> Result<(), FileError> {
        // Counted before the cells are added: errors name a line of the file, not of the batch.
        let first_line = values.len() as u64 + 1;
        let column = self.column_at(batch, position)?;

        let outcome = numbers::add_numbers(column, values);
        outcome.map_err(|problem| match problem {
            numbers::NumberProblem::Type => self.type_error(column, position, "numbers"),
            numbers::NumberProblem::Cell { row, text } => FileError::Number {
                file: self.name.to_owned(),
                line: first_line + row as u64,
                column: role.to_owned(),
                text,
            },
        })
    }

    fn column_at<'b>(
        &self,
        batch: &'b RecordBatch,
        position: usize,
    ) -> Result<&'b ArrayRef, FileError> {
        // A batch holds only the columns that are read: positions in the file do not fit it.
        let place = self
            .read_positions
            .iter()
            .position(|read| *read == position);
        let column = place.and_then(|place| batch.columns().get(place));

        column.ok_or_else(|| FileError::Parquet {
            file: self.name.to_owned(),
            reason: "a row group has fewer columns than the file".to_owned(),
        })
    }

    fn type_error(&self, column: &ArrayRef, position: usize, role: &'static str) -> FileError {
        let name = self.columns.get(position);
        FileError::Type {
            file: self.name.to_owned(),
            column: name.cloned().unwrap_or_default(),
            data_type: column.data_type().to_string(),
            role,
        }
    }
}

/// The name of the only column whose type is that of times.
fn only_time_column(schema: &Schema) -> Option<&str> {
    let mut columns = schema.fields().iter().filter(|field| {
        let data_type = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref(),
            other => other,
        };
        matches!(
            data_type,
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
        )
    });
    let only = columns.next()?;
    columns.next().is_none().then(|| only.name().as_str())
}

/// The zone that a column of instants names.
fn zone_of(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.as_ref().map(|zone| zone.to_string()),
        DataType::Dictionary(_, values) => zone_of(values),
        _ => None,
    }
}

/// The zone that pandas noted of a column. Parquet keeps seconds as milliseconds, and loses the
/// zone with it.
fn zone_of_pandas(schema: &Schema, column: &str) -> Option<String> {
    let notes: Value = serde_json::from_str(schema.metadata().get("pandas")?).ok()?;
    let columns = notes.get("columns")?.as_array()?;
    let column = columns
        .iter()
        .find(|each| each.get("field_name").and_then(Value::as_str) == Some(column))?;
    let zone = column.get("metadata")?.get("timezone")?.as_str()?;
    Some(zone.to_owned())
}
