//! Which folders hold a local system, and whether a `ktrdr up` runs it now.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::context_file::{ContextFile, DEFAULT_DIR, FILE_NAME};

/// Locked by the `ktrdr up` that runs the system; holds its process id.
const LOCK: &str = "lock";

/// Who runs the system of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemHolder {
    /// Nobody: it was never started, was stopped, or its `ktrdr up` was killed.
    Nobody,
    /// A `ktrdr up`, with its process id if that can be read.
    Up(Option<u32>),
}

/// The lock of a system's folder.
pub(crate) fn lock_of(folder: &Path) -> PathBuf {
    folder.join(LOCK)
}

/// Opens the lock of a system's folder, creating it if needed.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn open_lock(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(lock_of(folder))
}

/// Opens the lock of a folder in which a system was started before; none where none ever was.
///
/// # Errors
/// The lock belongs to somebody else.
pub(crate) fn open_existing_lock(folder: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().write(true).open(lock_of(folder)) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the process has this lock open, as the `ktrdr up` has that holds it. The number of one
/// that has ended may be that of any program by now.
///
/// # Errors
/// The process belongs to somebody else.
pub(crate) fn has_open(process: u32, lock: &File) -> io::Result<bool> {
    let files = match std::fs::read_dir(format!("/proc/{process}/fd")) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };

    let lock = lock.metadata()?;
    let is_lock = |file: std::fs::Metadata| file.dev() == lock.dev() && file.ino() == lock.ino();
    let mut opened = files.filter_map(|file| std::fs::metadata(file.ok()?.path()).ok());
    Ok(opened.any(is_lock))
}

/// Whether a `ktrdr up` runs the system of this folder; looks only, and creates nothing.
pub(crate) fn holder_of(folder: &Path) -> SystemHolder {
    let Ok(lock) = File::open(lock_of(folder)) else {
        return SystemHolder::Nobody;
    };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => SystemHolder::Up(process_of(folder)),
        Ok(()) | Err(TryLockError::Error(_)) => SystemHolder::Nobody,
    }
}

/// The process that holds the lock, as it wrote itself; an `up` of an earlier version is in its
/// context file only.
fn process_of(folder: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(lock_of(folder)).unwrap_or_default();
    let process = text.trim().parse().ok();
    process.or_else(|| {
        let context = ContextFile::read(&folder.join(FILE_NAME)).ok()?;
        Some(context.pid)
    })
}

/// The folders `.ktrdr` of `working_directory` and of those above it, nearest first.
pub(crate) fn folders_above(working_directory: &Path) -> Vec<PathBuf> {
    working_directory
        .ancestors()
        .map(|folder| folder.join(DEFAULT_DIR))
        .filter(|folder| folder.is_dir())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_holder_is_known_for_as_long_as_it_holds_the_lock() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Nobody);
        assert!(!lock_of(root.path()).exists());

        let lock = open_lock(root.path()).unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Nobody);

        lock.lock().unwrap();
        std::fs::write(lock_of(root.path()), "4711\n").unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Up(Some(4711)));

        lock.unlock().unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Nobody);
    }

    #[test]
    fn only_a_process_that_has_the_lock_open_may_hold_it() {
        let root = tempfile::tempdir().unwrap();
        assert!(open_existing_lock(root.path()).unwrap().is_none());
        let lock = open_lock(root.path()).unwrap();
        let mut other = Command::new("sleep").arg("600").spawn().unwrap();

        assert!(has_open(std::process::id(), &lock).unwrap());
        assert!(!has_open(other.id(), &lock).unwrap());
        assert!(!has_open(u32::MAX, &lock).unwrap(), "no such process");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
