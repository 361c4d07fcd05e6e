//! Columns of a Parquet file as plain vectors, decoded straight into their final place: a whole
//! series is never held twice.

use bytes::Bytes;
use parquet::basic::{LogicalType, TimeUnit, TimestampType, Type};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescPtr;

use crate::StoreError;
use crate::object::form_error;

/// A file of flat columns, in memory.
pub(crate) struct ColumnFile<'a> {
    key: &'a str,
    reader: SerializedFileReader<Bytes>,
}

impl<'a> ColumnFile<'a> {
    /// Reads what the file says of itself; `key` names it in errors.
    pub(crate) fn open(key: &'a str, bytes: Bytes) -> Result<Self, StoreError> {
        let reader = SerializedFileReader::new(bytes).map_err(|error| form_error(key, error))?;
        Ok(Self { key, reader })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        let rows = self.reader.metadata().file_metadata().num_rows();
        usize::try_from(rows).unwrap_or(0)
    }

    /// A column of timestamp(us, UTC), without empty cells.
    pub(crate) fn instants(&self, name: &str) -> Result<Vec<i64>, StoreError> {
        let (position, column) = self.find(name)?;

        // Another unit or a local time would be read as numbers, wrong by a factor or by hours.
        let is_instant = matches!(
            column.logical_type_ref(),
            Some(LogicalType::Timestamp(TimestampType {
                is_adjusted_to_u_t_c: true,
                unit: TimeUnit::MICROS,
            }))
        );
        if column.physical_type() != Type::INT64 || !is_instant {
            let physical = column.physical_type();
            let reason = format!("column `{name}` is {physical}, not timestamp(us, UTC)");
            return Err(form_error(self.key, reason));
        }

        self.values::<Int64Type>(name, position, None)
    }

    /// A column of float64; an empty cell becomes `null`, and is an error without one.
    pub(crate) fn floats(&self, name: &str, null: Option<f64>) -> Result<Vec<f64>, StoreError> {
        let (position, column) = self.find(name)?;
        if column.physical_type() != Type::DOUBLE {
            let physical = column.physical_type();
            let reason = format!("column `{name}` is {physical}, not float64");
            return Err(form_error(self.key, reason));
        }

        self.values::<DoubleType>(name, position, null)
    }

    /// The position of a column, and what the file says of it.
    fn find(&self, name: &str) -> Result<(usize, ColumnDescPtr), StoreError> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let mut columns = schema.columns().iter().enumerate();
        let column = columns.find(|(_, column)| column.path().parts() == [name]);

        let (position, column) =
            column.ok_or_else(|| form_error(self.key, format!("it has no column `{name}`")))?;
        if column.max_rep_level() > 0 {
            return Err(form_error(self.key, format!("column `{name}` holds lists")));
        }
        Ok((position, column.clone()))
    }

    fn values<T: DataType>(
        &self,
        name: &str,
        position: usize,
        null: Option<T::T>,
    ) -> Result<Vec<T::T>, StoreError> {
        // Reserved once, because growing would hold a large column twice.
        let mut values = Vec::with_capacity(self.rows());

        for group in 0..self.reader.num_row_groups() {
            let problem = self.add_group::<T>(group, position, null.as_ref(), &mut values);
            match problem.map_err(|error| form_error(self.key, error))? {
                Cells::All => {}
                Cells::SomeEmpty => {
                    let reason = format!("column `{name}` has empty cells");
                    return Err(form_error(self.key, reason));
                }
            }
        }
        Ok(values)
    }

    /// Appends a column of one row group.
    fn add_group<T: DataType>(
        &self,
        group: usize,
        position: usize,
        null: Option<&T::T>,
        values: &mut Vec<T::T>,
    ) -> Result<Cells, ParquetError> {
        let group = self.reader.get_row_group(group)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let mut column = get_typed_column_reader::<T>(group.get_column_reader(position)?);

        let start = values.len();
        let mut levels: Vec<i16> = Vec::new();
        let (records, _, _) = column.read_records(rows, Some(&mut levels), None, values)?;
        if records != rows {
            let reason = format!("{records} of {rows} rows are there");
            return Err(ParquetError::General(reason));
        }

        // A column that may have empty cells and has none looks like one that may not.
        if values.len() - start == rows {
            return Ok(Cells::All);
        }
        match null {
            Some(null) => spread(values, start, &levels, null),
            None => return Ok(Cells::SomeEmpty),
        }
        Ok(Cells::All)
    }
}

/// Whether every cell of a column has a value, its own or the one for empty cells.
enum Cells {
    All,
    SomeEmpty,
}

/// Moves the values from `start` on to their rows, and puts `null` into the others. A level of 1
/// is a cell with a value.
fn spread<T: Clone>(values: &mut Vec<T>, start: usize, levels: &[i16], null: &T) {
    let mut filled_cells = values.split_off(start).into_iter();
    values.extend(levels.iter().map(|level| match level {
        0 => null.clone(),
        _ => filled_cells.next().unwrap_or_else(|| null.clone()),
    }));
}
