//! The cells of a file as stamps and numbers, before anything is decided about their meaning.

mod arrow_rows;
mod arrow_sizes;
mod columnar;
mod guard;
mod parquet_rows;
mod part_rows;

use std::path::Path;

use bytes::Bytes;
use jiff::tz::TimeZone;
use market::Instrument;

use super::container::{self, Kind};
use super::stamp::Stamps;
use super::symbols::{Symbols, find_symbol_column};
use super::text::{self, Choice};
use super::{ColumnNames, FILE_BYTES_MAX, FileActions, FileError, Mapping};
use crate::raw_bars::keep_rows;

/// A file's rows in file order, all columns of one length.
#[derive(Debug)]
pub(super) struct Sheet {
    /// `csv`, `parquet`, `arrow` or `arrow stream`.
    pub(super) format: &'static str,
    /// Between cells, for CSV.
    pub(super) delimiter: Option<char>,
    /// All column names.
    pub(super) columns: Vec<String>,
    /// What each column is read as; `None` for a column that is not read.
    pub(super) roles: Vec<Option<&'static str>>,
    /// What is not plain about the file, with reasons.
    pub(super) choices: Vec<Choice>,
    /// Zone that stands behind every time.
    pub(super) written_zone: Option<TimeZone>,
    /// Dates have a column of their own.
    pub(super) has_date_column: bool,
    /// Line of each row.
    pub(super) lines: Vec<u64>,
    /// Time of each row as it is written.
    pub(super) stamps: Stamps,
    /// Open, high, low, close; NaN = empty cell.
    pub(super) prices: [Vec<f64>; 4],
    /// NaN = empty cell or no such column.
    pub(super) volume: Vec<f64>,
    /// Dividends and splits of the rows, if columns say them.
    pub(super) actions: FileActions,
    /// Whose row each one is, if a column says so.
    pub(super) symbols: Option<Symbols>,
    /// The zone that the time column names, beside its instants, or the one of the format.
    pub(super) zone: Option<String>,
    /// What was done that nobody asked for, for people.
    pub(super) notes: Vec<String>,
}

impl Sheet {
    /// Reads a local file, or a folder of Parquet files; of a text with several symbols the rows of
    /// `instrument`.
    ///
    /// # Errors
    /// See [`FileError`]; a file without rows is refused, too.
    pub(super) fn open(
        path: &Path,
        mapping: &Mapping,
        instrument: Option<&Instrument>,
    ) -> Result<Self, FileError> {
        if path.is_dir() {
            part_rows::read(path, mapping)
        } else {
            Self::read_file(path, mapping, instrument)
        }
    }

    fn read_file(
        path: &Path,
        mapping: &Mapping,
        instrument: Option<&Instrument>,
    ) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let open_error = |source| FileError::Open {
            file: name.clone(),
            source,
        };
        // Nobody waits until gigabytes are read to hear that they are too many.
        let size = std::fs::metadata(path).map_err(open_error)?.len();
        if size > FILE_BYTES_MAX {
            return Err(FileError::TooLarge { file: name, size });
        }

        let bytes = std::fs::read(path).map_err(open_error)?;
        Self::read(&name, bytes.into(), mapping, instrument)
    }

    /// Reads the bytes of a file for what they are, whatever its name says.
    ///
    /// # Errors
    /// See [`FileError`]; a file without rows is refused, too.
    pub(super) fn read(
        name: &str,
        bytes: Bytes,
        mapping: &Mapping,
        instrument: Option<&Instrument>,
    ) -> Result<Self, FileError> {
        let contents = container::open(name, bytes)?;
        let inner_name = contents.name.as_str();
        let bytes = contents.bytes;

        let mut sheet = match contents.kind {
            Kind::Text => text::read(inner_name, &bytes, mapping, instrument)?,
            Kind::Parquet => parquet_rows::read(inner_name, bytes, mapping)?,
            Kind::ArrowFile => arrow_rows::read_file(inner_name, bytes, mapping)?,
            Kind::ArrowStream => arrow_rows::read_stream(inner_name, bytes, mapping)?,
        };
        sheet.notes.splice(0..0, contents.notes);

        // Refused for every format in one place: nobody else has to cope with a sheet of no rows.
        if sheet.stamps.is_empty() {
            return Err(FileError::Empty {
                file: name.to_owned(),
            });
        }
        Ok(sheet)
    }

    /// Leaves the rows of one symbol, where a column says whose row each one is.
    ///
    /// # Errors
    /// There are several symbols, and none or more than one of them fits.
    pub(super) fn take_symbol(
        &mut self,
        name: &str,
        instrument: &Instrument,
    ) -> Result<(), FileError> {
        let Some(symbols) = self.symbols.take() else {
            return Ok(());
        };
        let Some(rows) = symbols.rows_of(name, instrument)? else {
            return Ok(());
        };

        // Every column loses the same rows, so that one index still means one bar.
        self.stamps.keep(&rows);
        keep_rows(&mut self.lines, &rows);
        keep_rows(&mut self.volume, &rows);
        self.actions.keep_rows(&rows);
        for prices in &mut self.prices {
            keep_rows(prices, &rows);
        }
        self.notes.push(format!(
            "{}: only the rows of {} are read",
            symbols.describe(),
            instrument.symbol()
        ));
        Ok(())
    }

    /// Says what the columns at these positions are read as.
    fn name_roles(&mut self, positions: &Positions) {
        let prices = PRICE_ROLES.into_iter().zip(positions.prices);
        let volume = positions.volume.map(|position| ("volume", position));
        let time = std::iter::once(("time", positions.time));

        for (role, position) in time.chain(prices).chain(volume) {
            if let Some(place) = self.roles.get_mut(position) {
                *place = Some(role);
            }
        }
    }

    /// An empty list of symbols that stand in the column at `position`.
    fn symbols_in(&self, position: usize) -> Symbols {
        let column = self.columns.get(position);
        Symbols::new(column.map_or("", String::as_str))
    }

    /// A sheet without rows.
    pub(super) fn empty(format: &'static str, columns: Vec<String>) -> Self {
        Self {
            format,
            delimiter: None,
            roles: vec![None; columns.len()],
            columns,
            choices: Vec::new(),
            written_zone: None,
            has_date_column: false,
            lines: Vec::new(),
            stamps: Stamps::default(),
            prices: Default::default(),
            volume: Vec::new(),
            actions: FileActions::default(),
            symbols: None,
            zone: None,
            notes: Vec::new(),
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
        ..
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
            line: 1,
        }
    }
}
