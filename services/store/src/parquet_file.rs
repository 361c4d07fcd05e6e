//! Arrow columns to and from Parquet bytes, the same way for every file of the system.
//!
//! zstd, row groups of 64 Ki rows, a fixed `created_by`: equal rows give equal bytes, so equal
//! content has one name.

use std::sync::Arc;

use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch, TimestampMicrosecondArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::StoreError;
use crate::object::form_error;

/// Rows of a row group, and of a batch when reading.
const ROW_GROUP_ROWS: usize = 65_536;

/// One column to write.
pub(crate) struct Column {
    name: String,
    is_nullable: bool,
    values: ArrayRef,
}

impl Column {
    /// A column without empty cells.
    pub(crate) fn required(name: impl Into<String>, values: ArrayRef) -> Self {
        Self {
            name: name.into(),
            is_nullable: false,
            values,
        }
    }

    /// A column that may have empty cells.
    pub(crate) fn optional(name: impl Into<String>, values: ArrayRef) -> Self {
        Self {
            is_nullable: true,
            ..Self::required(name, values)
        }
    }
}

/// Instants as the Arrow column `timestamp(us, UTC)`.
pub(crate) fn instant_column(micros: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}

/// True for the type that [`instant_column`] writes.
pub(crate) fn is_instant(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => zone.as_ref() == "UTC",
        _ => false,
    }
}

/// Floats with NaN written as null.
pub(crate) fn nullable_column(values: &[f64]) -> ArrayRef {
    let cells = values
        .iter()
        .map(|value| (!value.is_nan()).then_some(*value));
    Arc::new(cells.collect::<PrimitiveArray<Float64Type>>())
}

/// Parquet bytes of `columns`, all of one length, with key-value `metadata`. `what` names the kind
/// of file in errors.
pub(crate) fn encode(
    what: &'static str,
    columns: Vec<Column>,
    metadata: Option<(&str, String)>,
) -> Result<Bytes, StoreError> {
    write_parquet(columns, metadata).map_err(|error| StoreError::Encode {
        what,
        reason: error.to_string(),
    })
}

/// Arrow IPC bytes of `columns`, all of one length, as readers of Feather take them. `what` names
/// the kind of file in errors.
pub(crate) fn encode_ipc(what: &'static str, columns: Vec<Column>) -> Result<Bytes, StoreError> {
    write_ipc(columns).map_err(|error| StoreError::Encode {
        what,
        reason: error.to_string(),
    })
}

fn write_ipc(columns: Vec<Column>) -> Result<Bytes, ArrowError> {
    let batch = batch_of(columns)?;
    let mut writer = FileWriter::try_new(Vec::new(), batch.schema_ref())?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

fn batch_of(columns: Vec<Column>) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| {
            let data_type = column.values.data_type().clone();
            Field::new(&column.name, data_type, column.is_nullable)
        })
        .collect();
    let arrays = columns.into_iter().map(|column| column.values).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn write_parquet(
    columns: Vec<Column>,
    metadata: Option<(&str, String)>,
) -> Result<Bytes, parquet::errors::ParquetError> {
    let batch = batch_of(columns)?;

    // `created_by` would name the version of the library, and change the bytes with every update.
    let pairs = metadata.map(|(key, value)| vec![KeyValue::new(key.to_owned(), value)]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("ktrdr".to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_key_value_metadata(pairs)
        .build();

    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

/// A Parquet file in memory: its columns by name, and its key-value metadata.
pub(crate) struct Decoded {
    /// Schema of every batch.
    pub(crate) schema: Arc<Schema>,
    /// Rows in file order.
    pub(crate) batches: Vec<RecordBatch>,
    metadata: Vec<KeyValue>,
}

impl Decoded {
    /// Reads every row; `key` names the file in errors.
    pub(crate) fn read(key: &str, bytes: Bytes) -> Result<Self, StoreError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .map_err(|error| form_error(key, error))?;

        let schema = Arc::clone(builder.schema());
        let file_metadata = builder.metadata().file_metadata();
        let metadata = file_metadata.key_value_metadata().cloned();

        let reader = builder
            .with_batch_size(ROW_GROUP_ROWS)
            .build()
            .map_err(|error| form_error(key, error))?;

        let batches = reader
            .collect::<Result<_, _>>()
            .map_err(|error| form_error(key, error))?;
        Ok(Self {
            schema,
            batches,
            metadata: metadata.unwrap_or_default(),
        })
    }

    /// Value of a metadata key.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        let pair = self.metadata.iter().find(|pair| pair.key == key)?;
        pair.value.as_deref()
    }

    /// All values of a column of exactly this type; empty cells become `null`, and are an error
    /// without one.
    pub(crate) fn values<T: ArrowPrimitiveType>(
        &self,
        key: &str,
        name: &str,
        null: Option<T::Native>,
    ) -> Result<Vec<T::Native>, StoreError> {
        // Reserved once, because growing would hold a large column twice.
        let mut values = Vec::with_capacity(self.batches.iter().map(RecordBatch::num_rows).sum());
        for batch in &self.batches {
            let array = primitive_column::<T>(batch, key, name)?;

            // Nearly every column: one copy instead of a look at each cell.
            if array.null_count() == 0 {
                values.extend_from_slice(array.values());
                continue;
            }

            let null =
                null.ok_or_else(|| form_error(key, format!("column `{name}` has empty cells")))?;
            values.extend(array.iter().map(|cell| cell.unwrap_or(null)));
        }
        Ok(values)
    }

    /// A column that [`instant_column`] wrote.
    pub(crate) fn instants(&self, key: &str, name: &str) -> Result<Vec<i64>, StoreError> {
        let field = self
            .schema
            .field_with_name(name)
            .map_err(|error| form_error(key, error))?;
        if !is_instant(field.data_type()) {
            let data_type = field.data_type();
            let reason = format!("column `{name}` is {data_type}, not timestamp(us, UTC)");
            return Err(form_error(key, reason));
        }

        self.values::<TimestampMicrosecondType>(key, name, None)
    }
}

fn primitive_column<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    key: &str,
    name: &str,
) -> Result<&'a PrimitiveArray<T>, StoreError> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| form_error(key, format!("it has no column `{name}`")))?;

    column.as_any().downcast_ref().ok_or_else(|| {
        let data_type = column.data_type();
        let expected = T::DATA_TYPE;
        form_error(
            key,
            format!("column `{name}` is {data_type}, not {expected}"),
        )
    })
}
