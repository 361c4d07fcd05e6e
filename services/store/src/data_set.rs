//! Data sets: features and labels of one training job as one Parquet file, looked up by the hash
//! of what made it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::types::{ArrowDictionaryKeyType, Float32Type, UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float32Array, PrimitiveArray, StringArray, UInt32Array,
};
use bytes::Bytes;
use schemas::manifests::{ColumnRange, DataSetManifest, ObjectRef, SealedRows};
use schemas::names::{PARTS, SEALED_PART};

use crate::object::{Created, checked_segment, form_error, reference_to, run_blocking};
use crate::parquet_file::{Column, Decoded, encode, instant_column};
use crate::{Store, StoreError};

/// Columns that are not features, in file order.
const FIXED: [&str; 6] = [
    "symbol",
    "open_time",
    "known_at",
    "part",
    "label",
    "label_known_at",
];

/// Column of the bar numbers, after those; absent in data sets of older programs.
const BAR: &str = "bar";

/// Column of the weights, after that one; absent in a data set without weights.
const WEIGHT: &str = "weight";

/// Column of the forward returns, after that one; absent in data sets of older programs.
const FORWARD_RETURN: &str = "forward_return";

/// Columns that are no features, and that a data set may lack.
const OPTIONAL: [&str; 3] = [BAR, WEIGHT, FORWARD_RETURN];
/// Names of the part column by code: the parts, then the rows that are an object of their own.
const PART_NAMES: [&str; 4] = [PARTS[0], PARTS[1], PARTS[2], SEALED_PART];

/// Metadata key of the list of symbols, JSON.
const SYMBOLS: &str = "ktrdr:symbols";

/// Rows of a data set as columns, all of one length; symbols stacked in order, never mixed.
///
/// In the Parquet file the columns are `symbol` and `part` (text), `open_time`, `known_at`,
/// `label_known_at` (timestamp(us, UTC)), `label` (float32), `bar` (uint32), `weight` (float32)
/// where rows are weighed, `forward_return` (float32,
/// nullable), and one column per feature (float32).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSetTable {
    /// Instrument ids of the rows, each once.
    pub symbols: Vec<String>,
    /// Index into `symbols`.
    pub symbol: Vec<u16>,
    /// Open of the base bar, microseconds UTC.
    pub open_time: Vec<i64>,
    /// Instant from which every feature of the row was known, microseconds UTC.
    pub known_at: Vec<i64>,
    /// 0 train, 1 validation, 2 test: index into [`PARTS`]; 3 in a file of sealed rows.
    pub part: Vec<u8>,
    /// Class index, or the forward return as a fraction.
    pub label: Vec<f32>,
    /// Instant from which the label was known, microseconds UTC.
    pub label_known_at: Vec<i64>,
    /// Number of the base bar among those of its symbol, from 0: a bar lies between two rows whose
    /// numbers do not follow each other. Absent in data sets of older programs.
    pub bar: Option<Vec<u32>>,
    /// How often the row is drawn in training relative to other rows: above 0. Absent where rows
    /// are not weighed.
    pub weight: Option<Vec<f32>>,
    /// What came of the row, as a fraction: relative change of the close over as many bars as the
    /// manifest says; none where it is not known. Nothing learns from it. Absent in data sets of
    /// older programs.
    pub forward_return: Option<Vec<Option<f32>>>,
    /// Feature columns in contract order.
    pub feature_names: Vec<String>,
    /// Values by feature, then row: `features[f][r]`.
    pub features: Vec<Vec<f32>>,
}

impl DataSetTable {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.open_time.len()
    }

    /// The columns of the file that a data set may lack, as far as it has them.
    fn optional_columns(&mut self) -> Vec<Column> {
        let mut columns = Vec::with_capacity(OPTIONAL.len());
        if let Some(bar) = self.bar.take() {
            columns.push(Column::required(BAR, Arc::new(UInt32Array::from(bar))));
        }
        if let Some(weight) = self.weight.take() {
            columns.push(Column::required(WEIGHT, float_column(weight)));
        }

        if let Some(forward_return) = self.forward_return.take() {
            let column = Arc::new(Float32Array::from(forward_return));
            columns.push(Column::optional(FORWARD_RETURN, column));
        }
        columns
    }

    /// The Parquet file.
    ///
    /// # Errors
    /// Columns of unequal length, a code without a name, or two columns of one name.
    fn encode(mut self) -> Result<Bytes, StoreError> {
        self.check_names()?;
        let mut optional_columns = self.optional_columns();

        // The dictionary in the file may lose symbols that have no row; the metadata keeps all.
        let list = serde_json::to_string(&self.symbols).map_err(encode_error)?;

        // As dictionaries: readers see text, and a row costs one or two bytes.
        let symbols = StringArray::from_iter_values(&self.symbols);
        let symbol = DictionaryArray::<UInt16Type>::try_new(self.symbol.into(), Arc::new(symbols));
        let parts = StringArray::from_iter_values(PART_NAMES);
        let part = DictionaryArray::<UInt8Type>::try_new(self.part.into(), Arc::new(parts));

        let fixed: [ArrayRef; 6] = [
            Arc::new(symbol.map_err(encode_error)?),
            instant_column(self.open_time),
            instant_column(self.known_at),
            Arc::new(part.map_err(encode_error)?),
            float_column(self.label),
            instant_column(self.label_known_at),
        ];

        let mut columns = Vec::with_capacity(FIXED.len() + OPTIONAL.len() + self.features.len());
        for (name, values) in FIXED.into_iter().zip(fixed) {
            columns.push(Column::required(name, values));
        }
        columns.append(&mut optional_columns);
        for (name, values) in self.feature_names.into_iter().zip(self.features) {
            columns.push(Column::required(name, float_column(values)));
        }
        encode("a data set", columns, Some((SYMBOLS, list)))
    }

    /// One name per feature, and no name twice.
    fn check_names(&self) -> Result<(), StoreError> {
        let names = self.feature_names.len();
        let features = self.features.len();
        if names != features {
            return Err(encode_error(format!(
                "{names} names for {features} features"
            )));
        }

        // Readers find columns by name, so a feature may not hide one of the fixed columns.
        let mut taken: BTreeSet<&str> = FIXED.into_iter().chain(OPTIONAL).collect();
        match self.feature_names.iter().find(|name| !taken.insert(name)) {
            Some(twice) => Err(encode_error(format!("two columns are called `{twice}`"))),
            None => Ok(()),
        }
    }

    fn decode(key: &str, bytes: Bytes) -> Result<Self, StoreError> {
        let file = Decoded::read(key, bytes)?;
        let list = file
            .metadata(SYMBOLS)
            .ok_or_else(|| form_error(key, format!("it has no metadata `{SYMBOLS}`")))?;
        let symbols: Vec<String> =
            serde_json::from_str(list).map_err(|error| form_error(key, error))?;

        let symbol = read_codes::<UInt16Type>(&file, key, "symbol", &symbols)?;
        let parts = PART_NAMES.map(str::to_owned);
        let part = read_codes::<UInt8Type>(&file, key, "part", &parts)?;

        let feature_names = feature_names_of(&file);
        let floats = |name: &str| file.values::<Float32Type>(key, name, None);
        let mut features = Vec::with_capacity(feature_names.len());
        for name in &feature_names {
            features.push(floats(name)?);
        }

        // Data sets of older programs have no numbers of bars nor forward returns, and most have no
        // weights.
        let has_bars = file.schema.column_with_name(BAR).is_some();
        let has_forward = file.schema.column_with_name(FORWARD_RETURN).is_some();
        let is_weighted = file.schema.column_with_name(WEIGHT).is_some();

        Ok(Self {
            symbol,
            part,
            open_time: file.instants(key, "open_time")?,
            known_at: file.instants(key, "known_at")?,
            label: floats("label")?,
            label_known_at: file.instants(key, "label_known_at")?,
            bar: has_bars
                .then(|| file.values::<UInt32Type>(key, BAR, None))
                .transpose()?,
            weight: is_weighted.then(|| floats(WEIGHT)).transpose()?,
            forward_return: has_forward
                .then(|| read_forward_returns(&file, key))
                .transpose()?,
            features,
            symbols,
            feature_names,
        })
    }
}

/// A null is a return that is not known.
fn read_forward_returns(file: &Decoded, key: &str) -> Result<Vec<Option<f32>>, StoreError> {
    let values = file.values::<Float32Type>(key, FORWARD_RETURN, Some(f32::NAN))?;
    Ok(values
        .into_iter()
        .map(|value| (!value.is_nan()).then_some(value))
        .collect())
}

/// Every column but the fixed ones, in the order of the file, which is the contract.
fn feature_names_of(file: &Decoded) -> Vec<String> {
    let others: Vec<&str> = FIXED.into_iter().chain(OPTIONAL).collect();
    let fields = file.schema.fields().iter();
    let names = fields.map(|field| field.name());
    names
        .filter(|name| !others.contains(&name.as_str()))
        .cloned()
        .collect()
}

fn float_column(values: Vec<f32>) -> ArrayRef {
    Arc::new(Float32Array::from(values))
}

fn encode_error(reason: impl ToString) -> StoreError {
    StoreError::Encode {
        what: "a data set",
        reason: reason.to_string(),
    }
}

/// The codes of a text column in terms of `names`; the dictionary in the file may have another
/// order.
fn read_codes<K>(
    file: &Decoded,
    key: &str,
    column: &str,
    names: &[String],
) -> Result<Vec<K::Native>, StoreError>
where
    K: ArrowDictionaryKeyType,
    K::Native: TryFrom<usize>,
{
    let mut codes = Vec::new();
    for batch in &file.batches {
        let array = batch
            .column_by_name(column)
            .and_then(|array| array.as_any().downcast_ref::<DictionaryArray<K>>())
            .ok_or_else(|| form_error(key, format!("it has no text column `{column}`")))?;
        let texts = array
            .values()
            .as_any()
            .downcast_ref::<StringArray>()
            .ok_or_else(|| form_error(key, format!("column `{column}` is not text")))?;

        // Looked up once per text of the dictionary, not once per row.
        let meanings: Vec<Option<K::Native>> =
            texts.iter().map(|text| code_of(names, text?)).collect();
        let keys: &PrimitiveArray<K> = array.keys();

        for row in 0..keys.len() {
            let code = array
                .key(row)
                .and_then(|entry| meanings.get(entry).copied().flatten());
            codes.push(code.ok_or_else(|| {
                let reason = format!("column `{column}` has an unknown name in row {row}");
                form_error(key, reason)
            })?);
        }
    }
    Ok(codes)
}

/// The position of `text` among `names`, if the code can hold it.
fn code_of<C: TryFrom<usize>>(names: &[String], text: &str) -> Option<C> {
    let position = names.iter().position(|name| name == text)?;
    C::try_from(position).ok()
}

/// Data sets by the hash of their inputs: the handle that [`Store::data_sets`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredDataSets<'a> {
    pub(crate) store: &'a Store,
}

impl StoredDataSets<'_> {
    /// How many data sets there are; one whose manifest is not written yet is none.
    ///
    /// # Errors
    /// Listing fails.
    pub async fn count(self) -> Result<usize, StoreError> {
        let keys = self.store.keys("datasets").await?;
        let manifests = keys.iter().filter(|key| key.ends_with("/manifest.json"));
        Ok(manifests.count())
    }

    /// The data set made from these inputs, `None` if there is none yet.
    ///
    /// # Errors
    /// The text is not a hash, or the manifest cannot be read.
    pub async fn find(self, inputs_sha256: &str) -> Result<Option<DataSetManifest>, StoreError> {
        let key = format!("{}manifest.json", prefix_of(inputs_sha256)?);
        self.store.document(&key).await
    }

    /// Key of the file that holds the rows of a data set.
    ///
    /// # Errors
    /// The manifest names no hash.
    pub fn file_key(self, manifest: &DataSetManifest) -> Result<String, StoreError> {
        let prefix = prefix_of(&manifest.inputs_sha256)?;
        Ok(format!("{prefix}{}.parquet", manifest.sha256))
    }

    /// Stores a data set: the Parquet file, then the manifest, of which `sha256`, `size_bytes` and
    /// `rows` are filled in here. If there is a manifest for these inputs already, that one is
    /// returned and counts.
    ///
    /// # Errors
    /// Columns that do not fit together, or a failed write.
    pub async fn publish(
        self,
        table: DataSetTable,
        draft: DataSetManifest,
    ) -> Result<DataSetManifest, StoreError> {
        let prefix = prefix_of(&draft.inputs_sha256)?;
        let rows = table.rows() as u64;
        let written = self.put_table(&prefix, table).await?;

        let manifest = DataSetManifest {
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            rows,
            ..draft
        };
        let key = format!("{prefix}manifest.json");

        // Somebody else may have built the same data set meanwhile; the first manifest counts, so
        // that everybody trains on the same rows.
        match self.store.create_document(&key, &manifest).await? {
            Created::New => Ok(manifest),
            Created::Existed => {
                let existing = self.store.document(&key).await?;
                existing.ok_or(StoreError::Missing { key })
            }
        }
    }

    /// Stores the rows that the data set made from these inputs withholds, of a period that begins
    /// at `from`; what is returned belongs into its manifest, which is to be published after them.
    ///
    /// # Errors
    /// Columns that do not fit together, no rows, or a failed write.
    pub async fn publish_sealed(
        self,
        inputs_sha256: &str,
        from: i64,
        table: DataSetTable,
    ) -> Result<SealedRows, StoreError> {
        let prefix = sealed_prefix_of(inputs_sha256)?;
        let known_at = table.known_at.iter().copied();
        let range = known_at.clone().min().zip(known_at.max());
        let (first, last) = range.ok_or_else(|| encode_error("there are no sealed rows"))?;

        let rows = table.rows() as u64;
        let written = self.put_table(&prefix, table).await?;
        Ok(SealedRows {
            from,
            range: ColumnRange { first, last },
            rows,
            sha256: written.sha256,
            size_bytes: written.size_bytes,
        })
    }

    /// Writes a table below `prefix`, under the name of its content.
    async fn put_table(self, prefix: &str, table: DataSetTable) -> Result<ObjectRef, StoreError> {
        // Compressing takes seconds for a large table, which no thread of the runtime can spare.
        let encoded = run_blocking(prefix, move || {
            let bytes = table.encode()?;
            let written = reference_to(&bytes);
            Ok((bytes, written))
        });
        let (bytes, written) = encoded.await?;

        let file = format!("{prefix}{}.parquet", written.sha256);
        self.store.put_verified(&file, &written, bytes).await?;
        Ok(written)
    }

    /// Reads the rows of a data set.
    ///
    /// # Errors
    /// The file is absent, damaged, or not of the manifest's form.
    pub async fn read(self, manifest: &DataSetManifest) -> Result<DataSetTable, StoreError> {
        let key = self.file_key(manifest)?;
        self.read_table(&key, &manifest.sha256).await
    }

    /// Reads the rows that a data set withholds. Only a confirmation may, which has noted before
    /// that it does.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_sealed(
        self,
        inputs_sha256: &str,
        sealed: &SealedRows,
    ) -> Result<DataSetTable, StoreError> {
        let prefix = sealed_prefix_of(inputs_sha256)?;
        let key = format!("{prefix}{}.parquet", sealed.sha256);
        self.read_table(&key, &sealed.sha256).await
    }

    async fn read_table(self, key: &str, sha256: &str) -> Result<DataSetTable, StoreError> {
        let bytes = self.store.get_checked(key, sha256).await?;
        let name = key.to_owned();
        run_blocking(key, move || DataSetTable::decode(&name, bytes)).await
    }
}

/// The folder of the sealed rows of a data set, with the separator: below a prefix of its own, so
/// that a trainer can do without the right to read it.
fn sealed_prefix_of(inputs_sha256: &str) -> Result<String, StoreError> {
    let hash = checked_segment("the hash of inputs", inputs_sha256)?;
    Ok(format!("sealed/{hash}/"))
}

/// The folder of a data set, with the separator.
fn prefix_of(inputs_sha256: &str) -> Result<String, StoreError> {
    let hash = checked_segment("the hash of inputs", inputs_sha256)?;
    Ok(format!("datasets/{hash}/"))
}
