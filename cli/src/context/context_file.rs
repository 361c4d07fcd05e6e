//! The context file of a running local system: where its server and store are, for every other
//! command to find.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runtime::settings::Profile;
use serde::{Deserialize, Serialize};

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
}

impl ContextFile {
    /// Version of the layout.
    pub(crate) const VERSION: u16 = 1;

    /// Writes another file and renames it, so that no reader sees half of the text.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let unfinished = path.with_extension("json.new");
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)
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

    fn context() -> ContextFile {
        ContextFile {
            v: ContextFile::VERSION,
            nats_url: "nats://127.0.0.1:4222".to_owned(),
            store_url: "file:///tmp/store".to_owned(),
            profile: Profile::Dev,
            monitor_url: "http://127.0.0.1:8222".to_owned(),
            pid: 1,
            started_at: "2026-03-01T00:00:00Z".parse().unwrap(),
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
