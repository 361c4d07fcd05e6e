//! Small tables for people and their tools: training history, predictions, exported bars, as
//! Parquet or CSV.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, StringArray};
use bytes::Bytes;
use market::Utc;

use crate::StoreError;
use crate::parquet_file::{encode, instants, nullable};
use crate::raw_bars::RawBars;

/// The cells of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Instants, microseconds UTC; RFC 3339 with `Z` in CSV.
    Time(Vec<i64>),
    /// Words.
    Text(Vec<String>),
    /// Numbers; NaN is an empty cell.
    Number(Vec<f64>),
    /// Whole numbers.
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

    fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Time(cells) => cells.get(row).map(|micros| Utc(*micros).to_string()),
            Self::Text(cells) => cells.get(row).cloned(),
            Self::Number(cells) => cells
                .get(row)
                .filter(|number| !number.is_nan())
                .map(f64::to_string),
            Self::Integer(cells) => cells.get(row).map(i64::to_string),
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
        Self {
            columns: columns
                .into_iter()
                .map(|(name, values)| (name, Cells::Number(values)))
                .collect(),
        }
    }

    /// `timestamp`, `open`, `high`, `low`, `close`, `volume`: what the bar readers accept again.
    pub fn bars(bars: &RawBars) -> Self {
        Self::default()
            .with(
                "timestamp",
                Cells::Time(bars.open_time.iter().map(|open| open.0).collect()),
            )
            .with("open", Cells::Number(bars.open.clone()))
            .with("high", Cells::Number(bars.high.clone()))
            .with("low", Cells::Number(bars.low.clone()))
            .with("close", Cells::Number(bars.close.clone()))
            .with("volume", Cells::Number(bars.volume.clone()))
    }

    /// Parquet bytes: timestamp(us, UTC), text, float64 with nulls for NaN, int64.
    ///
    /// # Errors
    /// Columns of unequal length or of one name.
    pub fn to_parquet(&self) -> Result<Bytes, StoreError> {
        self.check()?;
        let columns = self.columns.iter().map(|(name, cells)| match cells {
            Cells::Time(values) => (name.clone(), false, instants(values.clone())),
            Cells::Text(values) => (
                name.clone(),
                false,
                Arc::new(StringArray::from_iter_values(values)) as _,
            ),
            Cells::Number(values) => (name.clone(), true, nullable(values)),
            Cells::Integer(values) => (
                name.clone(),
                false,
                Arc::new(Int64Array::from(values.clone())) as _,
            ),
        });
        encode("a table", columns.collect(), None)
    }

    /// CSV bytes with a header; numbers in the shortest form that reads back to the same value.
    ///
    /// # Errors
    /// Columns of unequal length or of one name.
    pub fn to_csv(&self) -> Result<Bytes, StoreError> {
        let rows = self.check()?;
        let fail = |error: csv::Error| StoreError::Encode {
            what: "a table",
            reason: error.to_string(),
        };
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer
            .write_record(self.columns.iter().map(|(name, _)| name))
            .map_err(fail)?;
        for row in 0..rows {
            let cells = self
                .columns
                .iter()
                .map(|(_, cells)| cells.text(row).unwrap_or_default());
            writer.write_record(cells).map_err(fail)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| fail(error.into_error().into()))?;
        Ok(bytes.into())
    }

    /// Writes a local file, Parquet if its name ends in `.parquet`, else CSV, gzipped if it ends in
    /// `.gz`. The file appears whole or not at all.
    ///
    /// # Errors
    /// Columns of unequal length or of one name, or a failed write.
    pub fn write(&self, file: &Path) -> Result<(), StoreError> {
        let fail = |source| StoreError::Export {
            path: file.display().to_string(),
            source,
        };
        let ends = |extension: &str| {
            file.extension()
                .is_some_and(|found| found.eq_ignore_ascii_case(extension))
        };
        let bytes = if ends("parquet") {
            self.to_parquet()?
        } else {
            self.to_csv()?
        };
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = file.with_file_name(name);
        let mut target = std::fs::File::create(&partial).map_err(fail)?;
        if ends("gz") {
            let mut packer = flate2::write::GzEncoder::new(&target, flate2::Compression::default());
            packer
                .write_all(&bytes)
                .and_then(|()| packer.try_finish())
                .map_err(fail)?;
        } else {
            target.write_all(&bytes).map_err(fail)?;
        }
        target.sync_all().map_err(fail)?;
        std::fs::rename(&partial, file).map_err(fail)
    }

    /// Number of rows, if all columns agree.
    fn check(&self) -> Result<usize, StoreError> {
        let rows = self.columns.first().map_or(0, |(_, cells)| cells.len());
        let fail = |reason| StoreError::Encode {
            what: "a table",
            reason,
        };
        if let Some((name, cells)) = self.columns.iter().find(|(_, cells)| cells.len() != rows) {
            return Err(fail(format!(
                "column `{name}` has {} rows, the first one {rows}",
                cells.len()
            )));
        }
        let mut names = std::collections::BTreeSet::new();
        match self.columns.iter().find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(fail(format!("two columns are called `{name}`"))),
            None => Ok(rows),
        }
    }
}
