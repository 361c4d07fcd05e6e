//! Arrow columns to and from Parquet bytes, the same way for every file of the system.
//!
//! zstd, row groups of 1 Mi rows, a fixed `created_by`: equal rows give equal bytes, so equal
//! content has one name.

use std::sync::Arc;

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, Float64Array, PrimitiveArray, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow_buffer::NullBuffer;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::StoreError;
use crate::jobs::run_jobs;
use crate::object::form_error;

/// Rows of a row group: each has dictionaries of its own, and smaller ones repeat them.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Rows of a batch when reading.
const BATCH_ROWS: usize = 65_536;

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
pub(crate) fn nullable_column(values: Vec<f64>) -> ArrayRef {
    // Most columns have every value, and need no look at each cell.
    let is_known: Vec<bool> = values.iter().map(|value| !value.is_nan()).collect();
    let nulls = is_known
        .contains(&false)
        .then(|| NullBuffer::from(is_known));
    Arc::new(Float64Array::new(values.into(), nulls))
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
) -> Result<Bytes, ParquetError> {
    let batch = batch_of(columns)?;
    let schema = batch.schema();

    let properties = form_of(&schema, metadata);
    let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    let (mut writer, columns) = writer.into_serialized_writer()?;

    // Chunks are encoded in parallel, but a file can only take them one after the other.
    for group in encode_groups(&batch, &columns)? {
        let mut row_group = writer.next_row_group()?;
        for chunk in group {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
    }
    Ok(writer.into_inner()?.into())
}

/// How the columns of a file are written, and its key-value metadata.
fn form_of(schema: &Schema, metadata: Option<(&str, String)>) -> WriterProperties {
    // `created_by` would name the version of the library, and change the bytes with every update.
    let pairs = metadata.map(|(key, value)| vec![KeyValue::new(key.to_owned(), value)]);
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("ktrdr".to_owned())
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_key_value_metadata(pairs);

    // Bars follow each other at one distance, which takes next to nothing as differences. Prices
    // are on a grid, so that a dictionary of them is smaller and faster than they are.
    let is_time = |field: &&Arc<Field>| matches!(field.data_type(), DataType::Timestamp(..));
    for field in schema.fields().iter().filter(is_time) {
        let path = ColumnPath::from(field.name().as_str());
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

/// The columns of every row group, encoded by as many threads as there are processors.
fn encode_groups(
    batch: &RecordBatch,
    writers: &ArrowRowGroupWriterFactory,
) -> Result<Vec<Vec<ArrowColumnChunk>>, ParquetError> {
    let rows = batch.num_rows();
    let starts: Vec<usize> = (0..rows).step_by(ROW_GROUP_ROWS).collect();

    // Each job is one column of one row group, so that a slow column does not hold up the others.
    let mut jobs = Vec::new();
    for (group, start) in starts.iter().enumerate() {
        let columns = writers.create_column_writers(group)?.into_iter();
        let fields = batch.schema_ref().fields().iter();
        for ((writer, field), values) in columns.zip(fields).zip(batch.columns()) {
            let length = ROW_GROUP_ROWS.min(rows - start);
            let values = values.slice(*start, length);
            jobs.push(move || encode_chunk(writer, field, &values));
        }
    }

    let mut chunks = run_jobs(jobs, rows).into_iter();
    let width = batch.num_columns();
    let groups = starts.iter().map(|_| chunks.by_ref().take(width).collect());
    groups.collect()
}

fn encode_chunk(
    mut writer: ArrowColumnWriter,
    field: &Field,
    values: &ArrayRef,
) -> Result<ArrowColumnChunk, ParquetError> {
    for leaf in compute_leaves(field, values)? {
        writer.write(&leaf)?;
    }
    writer.close()
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

        // The schema comes from the file: one without rows has no batch that could show it.
        let schema = Arc::clone(builder.schema());
        let file_metadata = builder.metadata().file_metadata();
        let metadata = file_metadata.key_value_metadata().cloned();

        let reader = builder
            .with_batch_size(BATCH_ROWS)
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
