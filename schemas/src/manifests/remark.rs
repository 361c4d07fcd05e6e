//! What people say about a version of a model after it was trained: notes and tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most characters of a note.
pub const NOTE_CHARS_MAX: usize = 1_000;
/// Most tags of a version.
pub const TAGS_MAX: usize = 32;
/// Most characters of the value of a tag.
pub const TAG_VALUE_CHARS_MAX: usize = 128;

/// `notes/<first name>/<version>.<revision>.json`: a note about a version. None is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelNote {
    /// Version of this layout.
    pub v: u16,
    /// Name of the model.
    pub model: String,
    /// The version that is meant.
    pub version: u32,
    /// 1 for the first note about it.
    pub revision: u32,
    /// At most [`NOTE_CHARS_MAX`] characters.
    pub text: String,
    /// Who has written it.
    pub by: String,
    /// When, microseconds UTC by the clock of the person's host.
    pub at: i64,
}

/// `tags/<first name>/<version>.<revision>.json`: the tags of a version after a change of them. The
/// highest revision counts; creating the next one is the compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsChange {
    /// Version of this layout.
    pub v: u16,
    /// Name of the model.
    pub model: String,
    /// The version that is meant.
    pub version: u32,
    /// 1 for the first change of its tags.
    pub revision: u32,
    /// All tags that the version has from now on, at most [`TAGS_MAX`].
    pub tags: BTreeMap<String, String>,
    /// Who has changed them.
    pub by: String,
    /// When, microseconds UTC by the clock of the person's host.
    pub at: i64,
}

impl ModelNote {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}

impl TagsChange {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}
