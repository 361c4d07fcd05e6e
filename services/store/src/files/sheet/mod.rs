//! The cells of a file as stamps and numbers, before anything is decided about their meaning.

mod csv_rows;
mod parquet_rows;

use bytes::Bytes;

use super::stamp::Stamp;
use super::{ColumnNames, FileError, Mapping};

/// A file's rows in file order, all columns of one length.
#[derive(Debug)]
pub(super) struct Sheet {
    /// `csv` or `parquet`.
    pub(super) format: &'static str,
    /// Between cells, for CSV.
    pub(super) delimiter: Option<char>,
    /// All column names.
    pub(super) columns: Vec<String>,
    /// Line of each row.
    pub(super) lines: Vec<u64>,
    /// Time of each row as it is written.
    pub(super) stamps: Vec<Stamp>,
    /// Open, high, low, close; NaN = empty cell.
    pub(super) prices: [Vec<f64>; 4],
    /// NaN = empty cell or no such column.
    pub(super) volume: Vec<f64>,
}

impl Sheet {
    /// Reads a file of a kind that its name says.
    ///
    /// # Errors
    /// See [`FileError`]; a file without rows is refused, too.
    pub(super) fn read(name: &str, bytes: Bytes, mapping: &Mapping) -> Result<Self, FileError> {
        // By the name and not by the bytes, so that a damaged file is refused for what it is.
        let lower = name.to_ascii_lowercase();
        let sheet = if lower.ends_with(".parquet") {
            parquet_rows::read(name, bytes, mapping)?
        } else if lower.ends_with(".csv") {
            csv_rows::read(name, &bytes, mapping)?
        } else if lower.ends_with(".csv.gz") {
            csv_rows::read(name, &csv_rows::unpack(name, &bytes)?, mapping)?
        } else {
            return Err(FileError::Format {
                file: name.to_owned(),
            });
        };

        if sheet.stamps.is_empty() {
            return Err(FileError::Empty {
                file: name.to_owned(),
            });
        }
        Ok(sheet)
    }

    fn empty(format: &'static str, delimiter: Option<char>, columns: Vec<String>) -> Self {
        Self {
            format,
            delimiter,
            columns,
            lines: Vec::new(),
            stamps: Vec::new(),
            prices: Default::default(),
            volume: Vec::new(),
        }
    }
}

/// Positions of the columns that are read.
#[derive(Clone, Copy)]
struct Positions {
    time: usize,
    /// Open, high, low, close.
    prices: [usize; 4],
    volume: Option<usize>,
}

/// Names by which the prices are known in errors, in the order of [`Positions::prices`].
const PRICE_ROLES: [&str; 4] = ["open", "high", "low", "close"];

/// Finds the columns by the names in `mapping`, else by common names; only volume may be absent.
fn find_columns(file: &str, columns: &[String], mapping: &Mapping) -> Result<Positions, FileError> {
    let ColumnNames {
        time,
        open,
        high,
        low,
        close,
        volume,
    } = &mapping.columns;
    let header = Header { file, columns };

    let time_names = [
        "timestamp",
        "time",
        "datetime",
        "date",
        "ts",
        "open_time",
        // Indices that pandas writes without a name.
        "",
        "__index_level_0__",
        "unnamed: 0",
    ];

    // A volume that was named and is absent is a mistake; without a name it is optional.
    let volume_position = header.position(volume, &["volume", "v", "vol"]);
    if volume_position.is_none() && volume.is_some() {
        return Err(header.no_column("volume", volume));
    }

    Ok(Positions {
        time: header.required("time", time, &time_names)?,
        prices: [
            header.required("open", open, &["open", "o"])?,
            header.required("high", high, &["high", "h"])?,
            header.required("low", low, &["low", "l"])?,
            header.required("close", close, &["close", "c", "last"])?,
        ],
        volume: volume_position,
    })
}

/// The names of all columns of a file.
struct Header<'a> {
    file: &'a str,
    columns: &'a [String],
}

impl Header<'_> {
    fn required(
        &self,
        role: &str,
        name: &Option<String>,
        common_names: &[&str],
    ) -> Result<usize, FileError> {
        let position = self.position(name, common_names);
        position.ok_or_else(|| self.no_column(role, name))
    }

    /// The column called `name`; without a name, the first one with a common name.
    fn position(&self, name: &Option<String>, common_names: &[&str]) -> Option<usize> {
        match name {
            Some(name) => self.position_of(name),
            None => common_names.iter().find_map(|name| self.position_of(name)),
        }
    }

    fn position_of(&self, name: &str) -> Option<usize> {
        let mut columns = self.columns.iter();
        columns.position(|column| column.trim().eq_ignore_ascii_case(name))
    }

    fn no_column(&self, role: &str, name: &Option<String>) -> FileError {
        let column = match name {
            Some(name) => format!("{role}, `{name}`"),
            None => role.to_owned(),
        };
        FileError::Column {
            file: self.file.to_owned(),
            column,
            existing: self.columns.join(", "),
        }
    }
}
