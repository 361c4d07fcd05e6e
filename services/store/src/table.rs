//! Small tables for people and their tools: training history, predictions, exported bars, as
//! Parquet or CSV.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, StringArray};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use market::Utc;

use crate::StoreError;
use crate::parquet_file::{Column, encode, encode_ipc, instant_column, nullable_column};
use crate::raw_bars::RawBars;

/// The cells of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Instants, microseconds UTC; RFC 3339 with `Z` in CSV.
    Time(Vec<i64>),
    /// Text of any length.
    Text(Vec<String>),
    /// Numbers; NaN is an empty cell.
    Number(Vec<f64>),
    /// Whole numbers without empty cells.
    Integer(Vec<i64>),
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Self::Time(cells) | Self::Integer(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
            Self::Number(cells) => cells.len(),
        }
    }

    /// Adds the cells of `other` at the end, unless their type differs.
    fn append(&mut self, other: Self) -> bool {
        match (self, other) {
            (Self::Time(cells), Self::Time(other))
            | (Self::Integer(cells), Self::Integer(other)) => {
                cells.extend(other);
            }
            (Self::Text(cells), Self::Text(other)) => cells.extend(other),
            (Self::Number(cells), Self::Number(other)) => cells.extend(other),
            _ => return false,
        }
        true
    }

    /// A cell as in CSV; `None` for an empty one.
    fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Time(cells) => cells.get(row).map(|micros| Utc(*micros).to_string()),
            Self::Text(cells) => cells.get(row).cloned(),
            Self::Number(cells) => {
                let number = cells.get(row).filter(|number| !number.is_nan())?;
                Some(number_text(*number))
            }
            Self::Integer(cells) => cells.get(row).map(i64::to_string),
        }
    }

    fn to_column(&self, name: &str) -> Column {
        match self {
            Self::Time(values) => Column::required(name, instant_column(values.clone())),
            Self::Text(values) => {
                let texts = StringArray::from_iter_values(values);
                Column::required(name, Arc::new(texts))
            }
            Self::Number(values) => Column::optional(name, nullable_column(values.clone())),
            Self::Integer(values) => {
                Column::required(name, Arc::new(Int64Array::from(values.clone())))
            }
        }
    }
}

/// The format of a table file, by the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Comma-separated text with a header.
    Csv,
    /// The same, gzipped.
    GzippedCsv,
    /// Parquet, compressed by column.
    Parquet,
    /// Arrow IPC, which Feather is, too.
    Arrow,
}

impl TableFormat {
    /// The endings that name a format, in upper or lower case.
    pub const ENDINGS: [&str; 5] = [".csv", ".csv.gz", ".parquet", ".arrow", ".feather"];

    /// The format that the name of a file says; `None` for any other ending, and for a name that is
    /// nothing but an ending.
    pub fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_string_lossy().to_ascii_lowercase();
        let ends_in = |ending: &str| name.len() > ending.len() && name.ends_with(ending);

        if ends_in(".csv") {
            Some(Self::Csv)
        } else if ends_in(".csv.gz") {
            Some(Self::GzippedCsv)
        } else if ends_in(".parquet") {
            Some(Self::Parquet)
        } else if ends_in(".arrow") || ends_in(".feather") {
            Some(Self::Arrow)
        } else {
            None
        }
    }
}

/// Named columns of one length, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Cells)>,
}

impl Table {
    /// The same with one more column.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, cells: Cells) -> Self {
        self.columns.push((name.into(), cells));
        self
    }

    /// Number columns only, such as a training history.
    pub fn numbers(columns: impl IntoIterator<Item = (String, Vec<f64>)>) -> Self {
        let mut table = Self::default();
        for (name, values) in columns {
            table = table.with(name, Cells::Number(values));
        }
        table
    }

    /// `timestamp`, `open`, `high`, `low`, `close`, `volume`: a table that the bar readers accept.
    pub fn bars(bars: &RawBars) -> Self {
        let opens = bars.open_time.iter().map(|open| open.0).collect();
        Self::default()
            .with("timestamp", Cells::Time(opens))
            .with("open", Cells::Number(bars.open.clone()))
            .with("high", Cells::Number(bars.high.clone()))
            .with("low", Cells::Number(bars.low.clone()))
            .with("close", Cells::Number(bars.close.clone()))
            .with("volume", Cells::Number(bars.volume.clone()))
    }

    /// The bars of several symbols below each other: `symbol`, whose cells are as many as the bars,
    /// and the columns of [`bars`](Self::bars).
    pub fn bars_of_symbols(symbols: Vec<String>, bars: &RawBars) -> Self {
        let mut table = Self::default().with("symbol", Cells::Text(symbols));
        table.columns.extend(Self::bars(bars).columns);
        table
    }

    /// The rows of `tables` below each other.
    ///
    /// # Errors
    /// Their columns differ in number, name or type.
    pub fn stacked(tables: Vec<Self>) -> Result<Self, StoreError> {
        let mut tables = tables.into_iter();
        let mut stacked = tables.next().unwrap_or_default();

        for table in tables {
            if table.columns.len() != stacked.columns.len() {
                return Err(encode_error("its parts have other columns".to_owned()));
            }

            for ((name, cells), (other_name, other)) in
                stacked.columns.iter_mut().zip(table.columns)
            {
                if *name != other_name || !cells.append(other) {
                    let reason =
                        format!("the column `{name}` of one part is another's `{other_name}`");
                    return Err(encode_error(reason));
                }
            }
        }
        Ok(stacked)
    }

    /// Parquet bytes: timestamp(us, UTC), text, float64 with nulls for NaN, int64.
    ///
    /// # Errors
    /// Columns of unequal length or of one name.
    pub fn to_parquet(&self) -> Result<Bytes, StoreError> {
        self.check()?;
        let columns = self.columns.iter();
        let columns = columns.map(|(name, cells)| cells.to_column(name)).collect();
        encode("a table", columns, None)
    }

    /// Arrow IPC bytes, with the types of [`to_parquet`](Self::to_parquet).
    ///
    /// # Errors
    /// Columns of unequal length or of one name.
    pub fn to_arrow(&self) -> Result<Bytes, StoreError> {
        self.check()?;
        let columns = self.columns.iter();
        let columns = columns.map(|(name, cells)| cells.to_column(name)).collect();
        encode_ipc("a table", columns)
    }

    /// CSV bytes with a header; numbers in the shortest form that reads back to the same value,
    /// with a point in each, so that a reader that guesses types takes a column for what it is.
    ///
    /// # Errors
    /// Columns of unequal length or of one name.
    pub fn to_csv(&self) -> Result<Bytes, StoreError> {
        let rows = self.check()?;
        self.write_csv(rows)
            .map_err(|error| encode_error(error.to_string()))
    }

    fn write_csv(&self, rows: usize) -> Result<Bytes, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|(name, _)| name))?;

        for row in 0..rows {
            let cells = self.columns.iter();
            writer.write_record(cells.map(|(_, cells)| cells.text(row).unwrap_or_default()))?;
        }

        let bytes = writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        Ok(bytes.into())
    }

    /// Writes a local file in the format that its ending says. The file appears whole or not at
    /// all.
    ///
    /// # Errors
    /// An ending without a format, columns of unequal length or of one name, or a failed write.
    pub fn write(&self, file: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Export {
            path: file.display().to_string(),
            source,
        };
        let Some(format) = TableFormat::of(file) else {
            let reason = format!(
                "its name does not end in {}",
                TableFormat::ENDINGS.join(", ")
            );
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        };

        // Encoded in memory first: a table that cannot be encoded leaves no file behind.
        let bytes = match format {
            TableFormat::Parquet => self.to_parquet()?,
            TableFormat::Arrow => self.to_arrow()?,
            TableFormat::Csv | TableFormat::GzippedCsv => self.to_csv()?,
        };
        write_whole(file, format, &bytes).map_err(failed)
    }

    /// Number of rows, if all columns agree.
    fn check(&self) -> Result<usize, StoreError> {
        let rows = self.columns.first().map_or(0, |(_, cells)| cells.len());
        let mut names = BTreeSet::new();

        for (name, cells) in &self.columns {
            let length = cells.len();
            if length != rows {
                let reason = format!("column `{name}` has {length} rows, the first one {rows}");
                return Err(encode_error(reason));
            }
            if !names.insert(name) {
                return Err(encode_error(format!("two columns are called `{name}`")));
            }
        }
        Ok(rows)
    }
}

fn encode_error(reason: String) -> StoreError {
    StoreError::Encode {
        what: "a table",
        reason,
    }
}

/// A number with a point, as in `5.0`: without it, a column whose first cells are whole looks like
/// one of integers.
fn number_text(number: f64) -> String {
    let mut text = number.to_string();
    if number.is_finite() && !text.contains('.') {
        text.push_str(".0");
    }
    text
}

/// Writes beside the file and renames, so that nobody ever sees half of it.
fn write_whole(file: &Path, format: TableFormat, bytes: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = file.with_file_name(name);

    let written =
        write_synced(&partial, format, bytes).and_then(|()| std::fs::rename(&partial, file));
    if written.is_err() {
        // On a full disk, half of a file takes the room that is needed most.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// Synced before anything else: after a power cut the name must not lead to an empty file.
fn write_synced(partial: &Path, format: TableFormat, bytes: &[u8]) -> io::Result<()> {
    let mut target = File::create(partial)?;
    if format == TableFormat::GzippedCsv {
        let mut packer = GzEncoder::new(&target, Compression::default());
        packer.write_all(bytes)?;
        packer.try_finish()?;
    } else {
        target.write_all(bytes)?;
    }
    target.sync_all()
}
