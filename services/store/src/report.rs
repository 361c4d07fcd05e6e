//! Reports: JSON documents named by their content, for results too large for a record.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::object::{form_error, reference_to};
use crate::{Store, StoreError};

/// Folder of all reports, with the separator.
const FOLDER: &str = "reports/";

/// Key of the report whose bytes have this SHA-256 (64 lowercase hex digits).
pub fn report_key(sha256: &str) -> String {
    format!("{FOLDER}{sha256}.json")
}

/// SHA-256 in the key of a report; `None` for a key of anything else.
pub fn report_sha256(key: &str) -> Option<&str> {
    key.strip_prefix(FOLDER)?.strip_suffix(".json")
}

/// Reports by the hash of their content: the handle that [`Store::reports`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredReports<'a> {
    pub(crate) store: &'a Store,
}

impl StoredReports<'_> {
    /// Stores a JSON report (canonical: keys sorted) and returns its key, see [`report_key`].
    /// Storing the same report twice is one object.
    ///
    /// # Errors
    /// The value cannot be written as JSON, writing fails, or damaged bytes are already there.
    pub async fn put(self, report: &impl Serialize) -> Result<String, StoreError> {
        let value = serde_json::to_value(report).map_err(encode_error)?;
        let bytes = serde_json::to_vec_pretty(&value).map_err(encode_error)?;

        let bytes = bytes.into();
        let written = reference_to(&bytes);
        let key = report_key(&written.sha256);
        self.store.put_verified(&key, &written, bytes).await?;
        Ok(key)
    }

    /// Reads a report by its key.
    ///
    /// # Errors
    /// The key is not that of a report, or the report is absent, damaged or of another form.
    pub async fn get<T: DeserializeOwned>(self, key: &str) -> Result<T, StoreError> {
        let sha256 = report_sha256(key).ok_or_else(|| StoreError::Name {
            what: "the key of a report",
            text: key.to_owned(),
        })?;
        let bytes = self.store.get_checked(key, sha256).await?;
        serde_json::from_slice(&bytes).map_err(|error| form_error(key, error))
    }
}

fn encode_error(error: serde_json::Error) -> StoreError {
    StoreError::Encode {
        what: "a report",
        reason: error.to_string(),
    }
}
