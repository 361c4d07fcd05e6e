//! Which folders hold a local system, and whether a `ktrdr up` runs it now.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
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
        .open(folder.join(LOCK))
}

/// Whether a `ktrdr up` runs the system of this folder; looks only, and creates nothing.
pub(crate) fn holder_of(folder: &Path) -> SystemHolder {
    let Ok(lock) = File::open(folder.join(LOCK)) else {
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
    let text = std::fs::read_to_string(folder.join(LOCK)).unwrap_or_default();
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
    use super::*;

    #[test]
    fn the_holder_is_known_for_as_long_as_it_holds_the_lock() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Nobody);
        assert!(!root.path().join(LOCK).exists());

        let lock = open_lock(root.path()).unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Nobody);

        lock.lock().unwrap();
        std::fs::write(root.path().join(LOCK), "4711\n").unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Up(Some(4711)));

        lock.unlock().unwrap();
        assert_eq!(holder_of(root.path()), SystemHolder::Nobody);
    }
}
