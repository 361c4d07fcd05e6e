//! That a model has got another name, and who said so when.

use serde::{Deserialize, Serialize};

/// `renames/<first name>/name.<revision>.json`: one change of the name of a model, whose versions
/// stay where they are, under its first name. It counts once the name is reserved: see
/// [`NameReservation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenameChange {
    /// Version of this layout.
    pub v: u16,
    /// The first name of the model.
    pub model: String,
    /// 1 for the first change of its name.
    pub revision: u32,
    /// Its name before.
    pub from: String,
    /// Its name from now on.
    pub to: String,
    /// Who has changed it.
    pub by: String,
    /// Why they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When, microseconds UTC by the clock of the person's host.
    pub at: i64,
}

/// `models/<name>/1/manifest.json` where the first version of a model of this name would lie: the
/// name means another model for good. Creating it is what renames that model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReservation {
    /// Version of this layout.
    pub v: u16,
    /// The first name of the model that is meant.
    pub moved_to: String,
}

impl RenameChange {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}

impl NameReservation {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}
