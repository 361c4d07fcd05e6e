//! That a version of a model is deleted, or no longer so, and who said it when.

use serde::{Deserialize, Serialize};

/// `deletions/<name>/<version>.<revision>.json`: one deletion of a version, or its undoing. The
/// highest revision counts; creating the next one is the compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionChange {
    /// Version of this layout.
    pub v: u16,
    /// Name of the model.
    pub model: String,
    /// The version that is meant.
    pub version: u32,
    /// 1 for its first deletion.
    pub revision: u32,
    /// False where it is undone.
    pub is_deleted: bool,
    /// Who has said so.
    pub by: String,
    /// Why they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When, microseconds UTC by the clock of the person's host.
    pub at: i64,
}

impl DeletionChange {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}
