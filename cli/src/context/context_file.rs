//! The context file of a running local system: where its server and store are, for every other
//! command to find.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runtime::settings::Profile;
use serde::{Deserialize, Serialize};

use super::folder_id::FolderId;
use super::private_files::replace_private_file;

/// Folder of a local system unless `--dir` says otherwise.
pub(crate) const DEFAULT_DIR: &str = ".ktrdr";
/// Name of the file inside that folder.
pub(crate) const FILE_NAME: &str = "context.json";
/// Variable that names a context file, whatever the working folder is.
pub(crate) const VARIABLE: &str = "KTRDR_CONTEXT";

/// A running local system, as `ktrdr up` announces it to the other commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContextFile {
    /// Version of this layout.
    pub(crate) v: u16,
    /// URL of the server: `nats://127.0.0.1:<port>`.
    pub(crate) nats_url: String,
    /// URL of the object store.
    pub(crate) store_url: String,
    /// Profile of the system's clocks.
    pub(crate) profile: Profile,
    /// URL of the server's monitor: `http://127.0.0.1:<port>`.
    pub(crate) monitor_url: String,
    /// Process id of the `ktrdr up` that runs the system.
    pub(crate) pid: u32,
    /// When the system was started.
    pub(crate) started_at: Timestamp,
    /// The folder of the system as it was then; none in the file of an earlier version.
    #[serde(default)]
    pub(crate) folder: Option<PathBuf>,
    /// What tells that folder from a copy of it.
    #[serde(default)]
    pub(crate) folder_id: Option<FolderId>,
    /// The folder of its keys; none in the file of an earlier version.
    #[serde(default)]
    pub(crate) credentials: Option<PathBuf>,
    /// Where its services read their settings; none in the file of an earlier version.
    #[serde(default)]
    pub(crate) services: Option<ServicesPlace>,
}

/// Where the services of a system read their settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServicesPlace {
    /// The folder that they were started in.
    pub(crate) working_directory: PathBuf,
    /// The settings file that was named for them; without one they read that of their folder.
    pub(crate) settings_file: Option<PathBuf>,
}

/// Whether a context file still lies in the folder of its system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FilePlace {
    /// In the folder that its system works in.
    Original,
    /// The folder was moved or renamed while the system ran.
    Moved {
        /// Where it was when the system was started.
        from: PathBuf,
    },
    /// The folder is a copy of the one in which the system runs.
    Copied {
        /// The folder of the system.
        from: PathBuf,
    },
}

impl ContextFile {
    /// Version of the layout.
    pub(crate) const VERSION: u16 = 1;

    /// Writes the file as a whole, for its owner only.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        replace_private_file(path, &text)
    }

    /// Compares the folder of the file at `path` with the one that it was written for.
    pub(crate) fn place(&self, path: &Path) -> FilePlace {
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        let (Some(folder), Some(from)) = (folder, &self.folder) else {
            return FilePlace::Original;
        };

        let id = self.folder_id.as_ref();
        let is_same = id.is_some_and(|id| id.is_of(&folder, Some(from)));
        match (is_same, folder == *from) {
            (true, true) => FilePlace::Original,
            (true, false) => FilePlace::Moved { from: from.clone() },
            (false, _) => FilePlace::Copied { from: from.clone() },
        }
    }

    /// Reads a context file.
    ///
    /// # Errors
    /// It cannot be read, or it is not a context file.
    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// The context that a command in `working_directory` uses: `$KTRDR_CONTEXT`, else
    /// `.ktrdr/context.json` there or in the nearest parent. A file that cannot be read is an error
    /// only when it was named.
    ///
    /// # Errors
    /// `$KTRDR_CONTEXT` names a file that cannot be read.
    pub(crate) fn find(
        env: &BTreeMap<String, String>,
        working_directory: &Path,
    ) -> std::io::Result<Option<(PathBuf, Self)>> {
        if let Some(named) = env.get(VARIABLE) {
            let path = working_directory.join(named);
            let context = Self::read(&path)?;
            return Ok(Some((path, context)));
        }

        for folder in working_directory.ancestors() {
            let path = folder.join(DEFAULT_DIR).join(FILE_NAME);
            if let Ok(context) = Self::read(&path) {
                return Ok(Some((path, context)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The context file of a system that was started in `folder`.
    fn context_of(folder: &Path) -> ContextFile {
        ContextFile {
            folder: Some(folder.canonicalize().unwrap()),
            folder_id: Some(FolderId::of(folder).unwrap()),
            ..context()
        }
    }

    #[test]
    fn a_moved_and_a_copied_file_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().canonicalize().unwrap().join(name);
        std::fs::create_dir(place("a")).unwrap();
        let system = context_of(&place("a"));
        let from = place("a");

        assert_eq!(
            system.place(&place("a").join(FILE_NAME)),
            FilePlace::Original
        );

        let id = system.folder_id.as_ref().map(FolderId::on_another_device);
        let after_a_reboot = ContextFile {
            folder_id: id,
            ..system.clone()
        };
        assert_eq!(
            after_a_reboot.place(&place("a").join(FILE_NAME)),
            FilePlace::Original
        );

        std::fs::create_dir(place("copy")).unwrap();
        let copied = FilePlace::Copied { from: from.clone() };
        assert_eq!(system.place(&place("copy").join(FILE_NAME)), copied);

        std::fs::rename(place("a"), place("b")).unwrap();
        let moved = FilePlace::Moved { from };
        assert_eq!(system.place(&place("b").join(FILE_NAME)), moved);
    }

    fn context() -> ContextFile {
        ContextFile {
            v: ContextFile::VERSION,
            nats_url: "nats://127.0.0.1:4222".to_owned(),
            store_url: "file:///tmp/store".to_owned(),
            profile: Profile::Dev,
            monitor_url: "http://127.0.0.1:8222".to_owned(),
            pid: 1,
            started_at: "2026-03-01T00:00:00Z".parse().unwrap(),
            folder: None,
            folder_id: None,
            credentials: None,
            services: None,
        }
    }

    #[test]
    fn the_context_of_the_nearest_parent_is_found() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::create_dir(root.path().join(DEFAULT_DIR)).unwrap();
        let path = root.path().join(DEFAULT_DIR).join(FILE_NAME);
        context().write(&path).unwrap();

        let system = ContextFile::find(&BTreeMap::new(), &below).unwrap();

        assert_eq!(system, Some((path, context())));
    }

    #[test]
    fn the_file_that_the_variable_names_must_be_readable() {
        let root = tempfile::tempdir().unwrap();
        let env = [(VARIABLE.to_owned(), "elsewhere.json".to_owned())].into();
        assert!(ContextFile::find(&env, root.path()).is_err());

        let path = root.path().join("elsewhere.json");
        context().write(&path).unwrap();

        let system = ContextFile::find(&env, root.path()).unwrap();
        assert_eq!(system, Some((path, context())));
    }
}
