//! The folder of a local system: held by one `ktrdr up` at a time, cleared of what a killed one
//! left running.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::UpError;
use crate::context::{ContextFile, FILE_NAME};

/// A folder that this process holds until the value is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder, creating it if needed, and ends programs that a killed `ktrdr up` left
    /// running in it.
    ///
    /// # Errors
    /// It cannot be written, or another process holds it.
    pub(crate) fn claim(path: &Path) -> Result<Self, UpError> {
        let failed = |source| UpError::Folder {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(path.join("logs")).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        require_text(&path)?;

        // A lock of the system and not the context file: it is gone with a process that was killed.
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = ContextFile::read(&path.join(FILE_NAME))
                    .ok()
                    .map(|context| context.pid);
                return Err(UpError::AlreadyRunning { dir: path, owner });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }

        let folder = Self { path, _lock: lock };
        folder.end_leftovers();
        Ok(folder)
    }

    /// Absolute path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the context file.
    pub(crate) fn context_file(&self) -> PathBuf {
        self.path.join(FILE_NAME)
    }

    /// Path of the log of one program.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// The log of one program, opened for appending.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open_log(&self, name: &str) -> Result<File, UpError> {
        let path = self.log(name);
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.map_err(|source| UpError::Folder { path, source })
    }

    fn process_list(&self) -> PathBuf {
        self.path.join("processes")
    }

    /// Remembers a started program, for the case that this process is killed.
    pub(crate) fn remember(&self, pid: u32, program: &Path) {
        // The system knows a running program by its real path.
        let program = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
        let list = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.process_list());

        let written = list.and_then(|mut list| writeln!(list, "{pid} {}", program.display()));
        if let Err(error) = written {
            tracing::warn!(%error, pid, "a started program could not be noted");
        }
    }

    /// Forgets all programs: they have ended.
    pub(crate) fn forget(&self) {
        // A file that was never written need not be removed.
        let _ = std::fs::remove_file(self.process_list());
        let _ = std::fs::remove_file(self.context_file());
    }

    /// Kills every process in the list that still runs the same program; a process id may belong to
    /// another program by now.
    fn end_leftovers(&self) {
        let list = std::fs::read_to_string(self.process_list()).unwrap_or_default();
        for (pid, program) in list.lines().filter_map(|line| line.split_once(' ')) {
            let is_same = std::fs::read_link(format!("/proc/{pid}/exe"))
                .is_ok_and(|running| is_program(&running, program));
            if let Ok(number) = pid.parse().map(Pid::from_raw)
                && is_same
            {
                tracing::warn!(
                    pid,
                    program,
                    "ending a program that a killed `ktrdr up` left running"
                );
                // It may have ended by itself just now.
                let _ = kill(number, Signal::SIGKILL);
            }
        }

        self.forget();
    }
}

/// True for the program itself, and for one that was rebuilt while it ran.
fn is_program(running: &Path, program: &str) -> bool {
    let Some(running) = running.to_str() else {
        return false;
    };
    running.strip_suffix(" (deleted)").unwrap_or(running) == program
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
    fn claim_again(path: &Path) -> Folder {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match Folder::claim(path) {
                Err(UpError::AlreadyRunning { .. }) if Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                claimed => return claimed.unwrap(),
            }
        }
    }

    #[test]
    fn a_second_claim_of_the_same_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::claim(root.path()).unwrap();

        let refused = Folder::claim(root.path()).unwrap_err();
        assert!(
            matches!(refused, UpError::AlreadyRunning { owner: None, .. }),
            "{refused}"
        );

        drop(folder);
        claim_again(root.path());
    }

    #[test]
    fn a_process_that_is_not_the_noted_program_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::claim(root.path()).unwrap();
        // This very process, under a name that it does not have.
        folder.remember(std::process::id(), Path::new("/usr/bin/nats-server"));
        drop(folder);

        claim_again(root.path());
    }

    #[test]
    fn a_program_behind_a_link_is_ended_with_the_leftovers() {
        use std::os::unix::process::ExitStatusExt as _;
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("server");
        std::os::unix::fs::symlink("/bin/sleep", &link).unwrap();
        let folder = Folder::claim(root.path()).unwrap();
        let mut leftover = std::process::Command::new(&link).arg("60").spawn().unwrap();
        folder.remember(leftover.id(), &link);

        folder.end_leftovers();

        assert_eq!(leftover.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_program_that_was_rebuilt_is_still_the_same() {
        let is_x = |text| is_program(Path::new(text), "/bin/x");

        assert!(is_x("/bin/x"));
        assert!(is_x("/bin/x (deleted)"));
        assert!(!is_x("/bin/y"));
    }
}
