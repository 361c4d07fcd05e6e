//! The folder of a local system: held by one `ktrdr up` at a time, cleared of what a killed one
//! left running.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, unlinkat};

use super::error::UpError;
use super::ports::RememberedPorts;
use super::processes::{self, ProcessList};
use crate::context::{
    DEFAULT_DIR, FILE_NAME, FolderId, KeyFolder, LOCAL_KEYS, SystemHolder, append_to_private_file,
    create_private_folder, holder_of, make_folder_private, open_lock,
};

const LOGS: &str = "logs";
/// What the server stores.
const MESSAGES: &str = "nats";
/// The object store, unless another one is named.
const OBJECTS: &str = "objects";
/// What the stock tool of NATS calls a context: server, key and inbox.
const NATS_CONTEXT: &str = "nats-context.json";

/// A folder that this process holds until the value is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The folder itself, wherever it is moved.
    handle: File,
    id: FolderId,
    processes: ProcessList,
    _lock: File,
}

impl Folder {
    /// Takes the folder, creating it if needed, and ends programs that a killed `ktrdr up` left
    /// running in it.
    ///
    /// # Errors
    /// It cannot be written, or another process holds it.
    pub(crate) async fn claim(path: &Path) -> Result<Self, UpError> {
        let failed = |source| UpError::Folder {
            path: path.to_owned(),
            source,
        };
        create_private_folder(&path.join(LOGS)).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        require_text(&path)?;
        close_to_others(&path).map_err(failed)?;

        let lock = take_lock(&path)?;
        let folder = Self {
            handle: File::open(&path).map_err(failed)?,
            id: FolderId::of(&path).map_err(failed)?,
            processes: ProcessList::of(&path).map_err(failed)?,
            path,
            _lock: lock,
        };
        folder.processes.end_running().await;
        folder.forget();
        Ok(folder)
    }

    /// Absolute path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What tells the folder from a copy of it.
    pub(crate) fn id(&self) -> &FolderId {
        &self.id
    }

    /// The folder of the system's own object store, closed to others.
    ///
    /// # Errors
    /// It cannot be created, or belongs to somebody else.
    pub(crate) fn make_objects(&self) -> Result<PathBuf, UpError> {
        let path = self.path.join(OBJECTS);
        match make_private(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(UpError::Folder { path, source }),
        }
    }

    /// The keys of the system.
    pub(crate) fn keys(&self) -> KeyFolder {
        KeyFolder::at(self.path.join(LOCAL_KEYS))
    }

    /// Path of the file by which the stock tool of NATS finds the system.
    pub(crate) fn nats_context(&self) -> PathBuf {
        self.path.join(NATS_CONTEXT)
    }

    /// Path of the context file.
    pub(crate) fn context_file(&self) -> PathBuf {
        self.path.join(FILE_NAME)
    }

    /// Path of the log of one program.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        log_of(&self.path, name)
    }

    /// The log of one program as people read it: from the folder that `ktrdr up` was typed in, so
    /// that it fits on a narrow screen.
    pub(crate) fn log_text(&self, name: &str) -> String {
        let path = self.log(name);
        let here = std::env::current_dir().unwrap_or_default();
        path.strip_prefix(here)
            .unwrap_or(&path)
            .display()
            .to_string()
    }

    /// The log of one program, opened for appending.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open_log(&self, name: &str) -> Result<File, UpError> {
        let path = self.log(name);
        append_to_private_file(&path).map_err(|source| UpError::Folder { path, source })
    }

    /// Remembers a started program, for the case that this process is killed.
    pub(crate) fn remember(&self, pid: u32, program: &Path) {
        if let Err(error) = self.processes.add(pid, program) {
            tracing::warn!(%error, pid, "a started program could not be noted");
        }
    }

    /// Remembers where the server listens, for the next start.
    pub(crate) fn remember_ports(&self, port: u16, monitor_port: u16) {
        if let Err(error) = RememberedPorts::write(&self.path, port, monitor_port) {
            tracing::warn!(%error, "the ports of the server could not be noted");
        }
    }

    /// Forgets all programs, which have ended, and announces the system no more. By the handle: the
    /// folder may have been moved, and that of another system be where it was.
    pub(crate) fn forget(&self) {
        for name in [processes::FILE_NAME, FILE_NAME, NATS_CONTEXT] {
            // A file that was never written need not be removed.
            let _ = unlinkat(&self.handle, name, AtFlags::empty());
        }
    }
}

/// The folder of the logs of the system in `folder`.
pub(crate) fn logs_of(folder: &Path) -> PathBuf {
    folder.join(LOGS)
}

/// The log of one program of the system in `folder`.
pub(crate) fn log_of(folder: &Path, name: &str) -> PathBuf {
    logs_of(folder).join(format!("{name}.log"))
}

/// Takes the lock of a folder, and writes into it who has it. A lock of the system and not the
/// context file: it is gone with a process that was killed.
fn take_lock(folder: &Path) -> Result<File, UpError> {
    let failed = |source| UpError::Folder {
        path: folder.to_owned(),
        source,
    };
    let mut lock = open_lock(folder).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let owner = match holder_of(folder) {
                SystemHolder::Up(owner) => owner,
                SystemHolder::Nobody => None,
            };
            let dir = folder.to_owned();
            return Err(UpError::AlreadyRunning { dir, owner });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }

    lock.set_len(0).map_err(failed)?;
    writeln!(lock, "{}", std::process::id()).map_err(failed)?;
    Ok(lock)
}

/// Takes the rights of others away from our own folder. One that `--dir` names may hold more than
/// the system, so that only what is ours in it is closed.
fn close_to_others(folder: &Path) -> std::io::Result<()> {
    make_folder_private(&logs_of(folder))?;
    make_private(&folder.join(MESSAGES))?;
    if folder.file_name().is_some_and(|name| name == DEFAULT_DIR) {
        make_folder_private(folder)?;
    }
    Ok(())
}

/// Creates a folder, or closes the one that there is.
fn make_private(folder: &Path) -> std::io::Result<()> {
    create_private_folder(folder)?;
    make_folder_private(folder)
}

/// The settings of the server and the context file hold the path as text.
fn require_text(path: &Path) -> Result<(), UpError> {
    if path.to_str().is_some() {
        return Ok(());
    }
    Err(UpError::FolderName {
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Claims a folder that was released. A process that another test starts holds every open lock
    /// for an instant, until it runs its own program.
    async fn claim_again(path: &Path) -> Folder {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match Folder::claim(path).await {
                Err(UpError::AlreadyRunning { .. }) if Instant::now() < deadline => {
                    tokio::task::yield_now().await;
                }
                claimed => return claimed.unwrap(),
            }
        }
    }

    #[tokio::test]
    async fn a_second_claim_of_the_same_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::claim(root.path()).await.unwrap();

        let refused = Folder::claim(root.path()).await.unwrap_err();
        let myself = std::process::id();
        assert!(
            matches!(refused, UpError::AlreadyRunning { owner: Some(pid), .. } if pid == myself),
            "{refused}"
        );

        drop(folder);
        claim_again(root.path()).await;
    }

    #[tokio::test]
    async fn a_moved_folder_forgets_its_own_system_only() {
        let root = tempfile::tempdir().unwrap();
        let before = root.path().join("before");
        let after = root.path().join("after");
        let first = Folder::claim(&before).await.unwrap();
        std::fs::write(first.context_file(), "first").unwrap();
        std::fs::rename(&before, &after).unwrap();
        let second = Folder::claim(&before).await.unwrap();
        std::fs::write(second.context_file(), "second").unwrap();

        first.forget();

        assert!(!after.join(FILE_NAME).exists());
        assert!(before.join(FILE_NAME).exists());
    }

    #[tokio::test]
    async fn only_our_own_folder_is_closed_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let private = root.path().join(DEFAULT_DIR);
        let shared = root.path().join("shared");
        for folder in [&private, &shared] {
            std::fs::create_dir(folder).unwrap();
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
            let claimed = Folder::claim(folder).await.unwrap();
            claimed.make_objects().unwrap();
        }

        assert_eq!(mode(&private), 0o700);
        assert_eq!(mode(&shared), 0o755);
        for name in ["logs", "nats", "objects"] {
            assert_eq!(mode(&shared.join(name)), 0o700, "{name}");
        }
    }
}
