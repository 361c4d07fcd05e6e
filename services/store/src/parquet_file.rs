//! Arrow columns to and from Parquet bytes, the same way for every file of the system.
//!
//! zstd, row groups of 64 Ki rows, a fixed `created_by`: equal rows give equal bytes, so equal
//! content has one name.

use std::sync::Arc;

use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::StoreError;
use crate::object::form;

/// Rows of a row group, and of a batch when reading.
const ROW_GROUP_ROWS: usize = 65_536;

/// One column to write: name, may it hold nulls, values.
pub(crate) type Column = (String, bool, ArrayRef);

/// Instants as the Arrow column `timestamp(us, UTC)`.
pub(crate) fn instants(micros: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}

/// True for the type that [`instants`] writes.
pub(crate) fn is_instant(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC")
}

/// Floats with NaN written as null.
pub(crate) fn nullable(values: &[f64]) -> ArrayRef {
    let cells = values
        .iter()
        .map(|value| (!value.is_nan()).then_some(*value));
    Arc::new(cells.collect::<PrimitiveArray<Float64Type>>())
}

/// Parquet bytes of `columns`, all of one length, with key-value `metadata`.
pub(crate) fn encode(
    what: &'static str,
    columns: Vec<Column>,
    metadata: Option<(&str, String)>,
) -> Result<Bytes, StoreError> {
    let fail = |error: &dyn std::error::Error| StoreError::Encode {
        what,
        reason: error.to_string(),
    };
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, null, values)| Field::new(name, values.data_type().clone(), *null))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, _, values)| values).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| fail(&error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("ktrdr".to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_key_value_metadata(
            metadata.map(|(key, value)| vec![KeyValue::new(key.to_owned(), value)]),
        )
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(|error| fail(&error))?;
    writer.write(&batch).map_err(|error| fail(&error))?;
    Ok(writer.into_inner().map_err(|error| fail(&error))?.into())
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
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| form(key, error))?;
        let schema = Arc::clone(builder.schema());
        let metadata = builder
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .cloned()
            .unwrap_or_default();
        let reader = builder
            .with_batch_size(ROW_GROUP_ROWS)
            .build()
            .map_err(|error| form(key, error))?;
        let batches = reader
            .collect::<Result<_, _>>()
            .map_err(|error| form(key, error))?;
        Ok(Self {
            schema,
            batches,
            metadata,
        })
    }

    /// Value of a metadata key.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata
            .iter()
            .find(|pair| pair.key == key)?
            .value
            .as_deref()
    }

    /// All values of a column of exactly this type; nulls become `null`.
    pub(crate) fn values<T: ArrowPrimitiveType>(
        &self,
        key: &str,
        name: &str,
        null: Option<T::Native>,
    ) -> Result<Vec<T::Native>, StoreError> {
        let mut all = Vec::with_capacity(self.batches.iter().map(RecordBatch::num_rows).sum());
        for batch in &self.batches {
            let column = batch
                .column_by_name(name)
                .ok_or_else(|| form(key, format!("it has no column `{name}`")))?;
            let array = column.as_any().downcast_ref::<PrimitiveArray<T>>();
            let array = array.ok_or_else(|| {
                form(
                    key,
                    format!(
                        "column `{name}` is {}, not {}",
                        column.data_type(),
                        T::DATA_TYPE
                    ),
                )
            })?;
            if array.null_count() == 0 {
                all.extend_from_slice(array.values());
                continue;
            }
            let null = null.ok_or_else(|| form(key, format!("column `{name}` has empty cells")))?;
            all.extend(array.iter().map(|cell| cell.unwrap_or(null)));
        }
        Ok(all)
    }

    /// A column that [`instants`] wrote.
    pub(crate) fn instants(&self, key: &str, name: &str) -> Result<Vec<i64>, StoreError> {
        let field = self
            .schema
            .field_with_name(name)
            .map_err(|error| form(key, error))?;
        if !is_instant(field.data_type()) {
            return Err(form(
                key,
                format!(
                    "column `{name}` is {}, not timestamp(us, UTC)",
                    field.data_type()
                ),
            ));
        }
        self.values::<TimestampMicrosecondType>(key, name, None)
    }
}
