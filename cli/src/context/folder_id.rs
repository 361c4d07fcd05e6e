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

    /// Whether the folder at `path` is the one that had this id when it was at `before`. A system
    /// may give its devices other numbers each time that it is started, so that at the same path
    /// the number of the folder on its device is enough.
    pub(crate) fn is_of(&self, path: &Path, before: Option<&Path>) -> bool {
        let Ok(id) = Self::of(path) else {
            return false;
        };
        id == *self || (before == Some(path) && id.number() == self.number())
    }

    /// The number on the device.
    fn number(&self) -> &str {
        let (_, number) = self.0.split_once('-').unwrap_or_default();
        number
    }

    /// The id of the same folder after its device got another number.
    #[cfg(test)]
    pub(crate) fn on_another_device(&self) -> Self {
        Self(format!("0-{}", self.number()))
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

    #[test]
    fn at_its_own_path_a_folder_is_known_by_its_number() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        std::fs::create_dir(place("a")).unwrap();
        let before_start = FolderId::of(&place("a")).unwrap().on_another_device();

        assert!(before_start.is_of(&place("a"), Some(&place("a"))));
        assert!(!before_start.is_of(&place("a"), Some(&place("elsewhere"))));
        assert!(!before_start.is_of(&place("a"), None));

        // A copy in the place of the original, which was moved away.
        std::fs::rename(place("a"), place("b")).unwrap();
        std::fs::create_dir(place("a")).unwrap();
        assert!(!before_start.is_of(&place("a"), Some(&place("a"))));
    }
}
