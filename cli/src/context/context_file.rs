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
/// Variable that names a context file, wherever the caller stands.
pub(crate) const VARIABLE: &str = "KTRDR_CONTEXT";

/// What `ktrdr up` tells the other commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContextFile {
    /// Version of this layout.
    pub(crate) v: u16,
    /// `nats://127.0.0.1:<port>`.
    pub(crate) nats_url: String,
    /// URL of the object store.
    pub(crate) store_url: String,
    /// Timing of the system.
    pub(crate) profile: Profile,
    /// `http://127.0.0.1:<port>`: the server's monitor.
    pub(crate) monitor_url: String,
    /// The `ktrdr up` that runs it.
    pub(crate) pid: u32,
    /// When it was started.
    pub(crate) started_at: Timestamp,
}

impl ContextFile {
    /// Version of the layout.
    pub(crate) const VERSION: u16 = 1;

    /// Writes the file beside its place and renames it, so that nobody reads half of it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let beside = path.with_extension("json.new");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read or is no context file.
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
            return Ok(Some((path.clone(), Self::read(&path)?)));
        }
        let mut folders = working_directory
            .ancestors()
            .map(|folder| folder.join(DEFAULT_DIR).join(FILE_NAME));
        Ok(folders.find_map(|path| Self::read(&path).ok().map(|context| (path, context))))
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
    fn a_command_in_a_folder_below_finds_the_context_of_the_nearest_parent() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::create_dir(root.path().join(DEFAULT_DIR)).unwrap();
        let path = root.path().join(DEFAULT_DIR).join(FILE_NAME);
        context().write(&path).unwrap();
        assert_eq!(
            ContextFile::find(&BTreeMap::new(), &below).unwrap(),
            Some((path, context()))
        );
    }

    #[test]
    fn the_variable_wins_and_must_name_a_file_that_can_be_read() {
        let root = tempfile::tempdir().unwrap();
        let env = [(VARIABLE.to_owned(), "elsewhere.json".to_owned())].into();
        assert!(ContextFile::find(&env, root.path()).is_err());
        context()
            .write(&root.path().join("elsewhere.json"))
            .unwrap();
        assert_eq!(
            ContextFile::find(&env, root.path()).unwrap().unwrap().1,
            context()
        );
    }
}
