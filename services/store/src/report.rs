//! Reports: JSON documents named by their content, for results too large for a record.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::object::form;
use crate::{Store, StoreError};

/// Folder of all reports, with the separator.
const PREFIX: &str = "reports/";

/// Key of the report whose canonical JSON has this SHA-256 (64 lowercase hex digits).
pub fn report_key(sha256: &str) -> String {
    format!("{PREFIX}{sha256}.json")
}

/// SHA-256 in the key of a report; `None` for a key of anything else.
pub fn report_sha256(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)?.strip_suffix(".json")
}

/// Reports by the hash of their content: the handle that [`Store::reports`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredReports<'a> {
    pub(crate) store: &'a Store,
}

impl StoredReports<'_> {
    /// Stores a JSON report (canonical: keys sorted) and returns its key `reports/<sha256>.json`.
    ///
    /// # Errors
    /// The value is no JSON, or writing fails.
    pub async fn put(self, report: &impl Serialize) -> Result<String, StoreError> {
        let encode = |error: serde_json::Error| StoreError::Encode {
            what: "a report",
            reason: error.to_string(),
        };
        let value = serde_json::to_value(report).map_err(encode)?;
        let bytes = serde_json::to_vec_pretty(&value).map_err(encode)?;
        Ok(self
            .store
            .put_content(PREFIX, "json", bytes.into())
            .await?
            .0)
    }

    /// Reads a report by its key.
    ///
    /// # Errors
    /// The key is no report's, the report is absent, damaged or of another form.
    pub async fn get<T: DeserializeOwned>(self, key: &str) -> Result<T, StoreError> {
        let hash = report_sha256(key).ok_or_else(|| StoreError::Name {
            what: "the key of a report",
            text: key.to_owned(),
        })?;
        let bytes = self.store.get_checked(key, hash).await?;
        serde_json::from_slice(&bytes).map_err(|error| form(key, error))
    }
}
