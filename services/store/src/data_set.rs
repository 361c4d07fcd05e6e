//! Data sets: features and labels of one training job as one Parquet file, found again by the hash
//! of what made it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::types::{Float32Type, UInt8Type, UInt16Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Float32Array, PrimitiveArray, StringArray};
use bytes::Bytes;
use schemas::manifests::DatasetManifest;
use schemas::names::PARTS;

use crate::object::{Created, computed, form, reference, segment};
use crate::parquet_file::{Column, Decoded, encode, instants};
use crate::{Store, StoreError};

/// Columns that are no features, in file order.
const FIXED: [&str; 6] = [
    "symbol",
    "open_time",
    "known_at",
    "part",
    "label",
    "label_known_at",
];

/// Column of the weights, after those; absent in a data set without weights.
const WEIGHT: &str = "weight";

/// Metadata key of the list of symbols, JSON.
const SYMBOLS: &str = "ktrdr:symbols";

/// Rows of a data set as columns, all of one length; symbols stacked in order, never mixed.
///
/// In the Parquet file the columns are `symbol` and `part` (text), `open_time`, `known_at`,
/// `label_known_at` (timestamp(us, UTC)), `label`, `weight` where rows are weighed, and one column
/// per feature (float32).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSetTable {
    /// Instrument ids.
    pub symbols: Vec<String>,
    /// Index into `symbols`.
    pub symbol: Vec<u16>,
    /// Open of the base bar, microseconds UTC.
    pub open_time: Vec<i64>,
    /// Decision time: every feature of the row was known then, microseconds UTC.
    pub known_at: Vec<i64>,
    /// 0 train, 1 validation, 2 test: index into [`PARTS`].
    pub part: Vec<u8>,
    /// Class index, or the forward return as a fraction.
    pub label: Vec<f32>,
    /// When the label became known, microseconds UTC.
    pub label_known_at: Vec<i64>,
    /// How often the row is drawn in training, beside others: above 0. Absent where rows are not
    /// weighed.
    pub weight: Option<Vec<f32>>,
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

    /// The Parquet file.
    ///
    /// # Errors
    /// Columns of unequal length, a code without a name, or two columns of one name.
    fn encode(self) -> Result<Bytes, StoreError> {
        let fail = |reason: String| StoreError::Encode {
            what: "a data set",
            reason,
        };
        let mut names: BTreeSet<&str> = FIXED.into_iter().chain([WEIGHT]).collect();
        if let Some(twice) = self.feature_names.iter().find(|name| !names.insert(name)) {
            return Err(fail(format!("two columns are called `{twice}`")));
        }
        if self.feature_names.len() != self.features.len() {
            return Err(fail(format!(
                "{} names for {} features",
                self.feature_names.len(),
                self.features.len()
            )));
        }
        let symbols = StringArray::from_iter_values(&self.symbols);
        let symbol = DictionaryArray::<UInt16Type>::try_new(self.symbol.into(), Arc::new(symbols));
        let parts = StringArray::from_iter_values(PARTS);
        let part = DictionaryArray::<UInt8Type>::try_new(self.part.into(), Arc::new(parts));
        let float = |values: Vec<f32>| Arc::new(Float32Array::from(values)) as ArrayRef;
        let values: [ArrayRef; 6] = [
            Arc::new(symbol.map_err(|error| fail(error.to_string()))?),
            instants(self.open_time),
            instants(self.known_at),
            Arc::new(part.map_err(|error| fail(error.to_string()))?),
            float(self.label),
            instants(self.label_known_at),
        ];
        let fixed = FIXED.iter().map(|name| (*name).to_owned()).zip(values);
        let weight = self.weight.map(|values| (WEIGHT.to_owned(), float(values)));
        let features = self
            .feature_names
            .into_iter()
            .zip(self.features.into_iter().map(float));
        let columns: Vec<Column> = fixed
            .chain(weight)
            .chain(features)
            .map(|(name, values)| (name, false, values))
            .collect();
        let symbols =
            serde_json::to_string(&self.symbols).map_err(|error| fail(error.to_string()))?;
        encode("a data set", columns, Some((SYMBOLS, symbols)))
    }

    fn decode(key: &str, bytes: Bytes) -> Result<Self, StoreError> {
        let file = Decoded::read(key, bytes)?;
        let symbols = file
            .metadata(SYMBOLS)
            .ok_or_else(|| form(key, format!("it has no metadata `{SYMBOLS}`")))?;
        let symbols: Vec<String> =
            serde_json::from_str(symbols).map_err(|error| form(key, error))?;
        let mut feature_names: Vec<String> = file
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let weighted = feature_names.iter().any(|name| name == WEIGHT);
        feature_names.retain(|name| name != WEIGHT && !FIXED.contains(&name.as_str()));
        let features = feature_names
            .iter()
            .map(|name| file.values::<Float32Type>(key, name, None));
        let part_names: Vec<String> = PARTS.map(str::to_owned).to_vec();
        Ok(Self {
            symbol: codes::<UInt16Type>(&file, key, "symbol", &symbols)?
                .into_iter()
                .filter_map(|code| u16::try_from(code).ok())
                .collect(),
            part: codes::<UInt8Type>(&file, key, "part", &part_names)?
                .into_iter()
                .filter_map(|code| u8::try_from(code).ok())
                .collect(),
            open_time: file.instants(key, "open_time")?,
            known_at: file.instants(key, "known_at")?,
            label: file.values::<Float32Type>(key, "label", None)?,
            label_known_at: file.instants(key, "label_known_at")?,
            weight: weighted
                .then(|| file.values::<Float32Type>(key, WEIGHT, None))
                .transpose()?,
            features: features.collect::<Result<_, _>>()?,
            symbols,
            feature_names,
        })
    }
}

/// The codes of a text column in terms of `names`; the dictionary in the file may have another
/// order.
fn codes<K: arrow_array::types::ArrowDictionaryKeyType>(
    file: &Decoded,
    key: &str,
    column: &str,
    names: &[String],
) -> Result<Vec<usize>, StoreError> {
    let mut all = Vec::new();
    for batch in &file.batches {
        let array = batch
            .column_by_name(column)
            .and_then(|array| array.as_any().downcast_ref::<DictionaryArray<K>>());
        let array = array.ok_or_else(|| form(key, format!("it has no text column `{column}`")))?;
        let texts = array.values().as_any().downcast_ref::<StringArray>();
        let texts = texts.ok_or_else(|| form(key, format!("column `{column}` is no text")))?;
        let position =
            |text: Option<&str>| text.and_then(|text| names.iter().position(|name| name == text));
        let meaning: Vec<Option<usize>> = texts.iter().map(position).collect();
        let keys: &PrimitiveArray<K> = array.keys();
        for row in 0..keys.len() {
            let code = array
                .key(row)
                .and_then(|code| meaning.get(code).copied().flatten());
            all.push(code.ok_or_else(|| {
                form(
                    key,
                    format!("column `{column}` has an unknown name in row {row}"),
                )
            })?);
        }
    }
    Ok(all)
}

/// Data sets by the hash of their inputs: the handle that [`Store::data_sets`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredDataSets<'a> {
    pub(crate) store: &'a Store,
}

impl StoredDataSets<'_> {
    /// The data set made from these inputs, if one stands.
    ///
    /// # Errors
    /// The hash is no hash, or the manifest cannot be read.
    pub async fn find(self, inputs_sha256: &str) -> Result<Option<DatasetManifest>, StoreError> {
        let key = format!(
            "datasets/{}/manifest.json",
            segment("the hash of inputs", inputs_sha256)?
        );
        self.store.document(&key).await
    }

    /// Stores a data set: the Parquet file, then the manifest, of which `sha256`, `size_bytes` and
    /// `rows` are filled in here. If a manifest for these inputs stands already, that one is
    /// returned and counts.
    ///
    /// # Errors
    /// Columns that do not fit together, or a failed write.
    pub async fn publish(
        self,
        table: DataSetTable,
        draft: DatasetManifest,
    ) -> Result<DatasetManifest, StoreError> {
        let prefix = format!(
            "datasets/{}/",
            segment("the hash of inputs", &draft.inputs_sha256)?
        );
        let rows = table.rows() as u64;
        let (bytes, written) = computed(&prefix, move || {
            let bytes = table.encode()?;
            let written = reference(&bytes);
            Ok((bytes, written))
        })
        .await?;
        self.store
            .put_verified(
                &format!("{prefix}{}.parquet", written.sha256),
                &written,
                bytes,
            )
            .await?;
        let manifest = DatasetManifest {
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            rows,
            ..draft
        };
        let key = format!("{prefix}manifest.json");
        match self.store.create_document(&key, &manifest).await? {
            Created::New => Ok(manifest),
            Created::Stood => self
                .store
                .document(&key)
                .await?
                .ok_or(StoreError::Missing { key }),
        }
    }

    /// Reads the rows of a data set.
    ///
    /// # Errors
    /// The file is absent, damaged, or not of the manifest's form.
    pub async fn read(self, manifest: &DatasetManifest) -> Result<DataSetTable, StoreError> {
        let key = format!(
            "datasets/{}/{}.parquet",
            manifest.inputs_sha256, manifest.sha256
        );
        let bytes = self.store.get_checked(&key, &manifest.sha256).await?;
        let name = key.clone();
        computed(&key, move || DataSetTable::decode(&name, bytes)).await
    }
}
