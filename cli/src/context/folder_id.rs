//! What tells one folder from a copy of it: a folder that is moved stays the same to the file
//! system, a copy does not.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Device and number of a folder on this machine. A rename keeps it, a copy has another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FolderId(String);

impl FolderId {
    /// The id of the folder at `path`.
    ///
    /// # Errors
    /// There is no such folder, or it cannot be looked at.
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self(format!("{}-{}", metadata.dev(), metadata.ino())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_folder_is_the_same_and_a_copy_is_not() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        std::fs::create_dir(place("a")).unwrap();
        let id = FolderId::of(&place("a")).unwrap();

        std::fs::rename(place("a"), place("b")).unwrap();
        std::fs::create_dir(place("a")).unwrap();

        assert_eq!(FolderId::of(&place("b")).unwrap(), id);
        assert_ne!(FolderId::of(&place("a")).unwrap(), id);
    }
}
