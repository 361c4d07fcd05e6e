//! Files and folders of a local system, readable by their owner only: a context file leads to a
//! server that takes commands, and logs name what somebody works on.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Creates a folder, with those above it. One that exists keeps its mode.
///
/// # Errors
/// It cannot be created.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
}

/// Takes the rights of other users to a folder away.
///
/// # Errors
/// The folder belongs to somebody else.
pub(crate) fn make_folder_private(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
}

/// Opens a file for appending, creating it if needed.
///
/// # Errors
/// It cannot be opened.
pub(crate) fn append_to_private_file(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(FILE_MODE)
        .open(path)?;
    // The mode above is for a new file; one of an earlier version was open to everybody.
    opened.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(opened)
}

/// Writes another file and renames it, so that no reader sees half of the text.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn replace_private_file(path: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);

    // What a killed process left may be open to everybody.
    let _ = std::fs::remove_file(unfinished);
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(FILE_MODE)
        .open(unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_created_is_for_its_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        let file = folder.join("context.json");

        create_private_folder(&folder).unwrap();
        replace_private_file(&file, "one").unwrap();
        replace_private_file(&file, "two").unwrap();

        assert_eq!(mode_of(&root.path().join("a")), 0o700);
        assert_eq!(mode_of(&folder), 0o700);
        assert_eq!(mode_of(&file), 0o600);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
    }

    #[test]
    fn a_log_that_everybody_could_read_is_closed() {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("fetcher.log");
        std::fs::write(&log, "old\n").unwrap();
        std::fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();

        writeln!(append_to_private_file(&log).unwrap(), "new").unwrap();

        assert_eq!(mode_of(&log), 0o600);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "old\nnew\n");
    }
}
