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

    /// Where it is, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The context file.
    pub(crate) fn context_file(&self) -> PathBuf {
        self.path.join(FILE_NAME)
    }

    /// The log of one program.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// A log opened for appending.
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
        if let Err(error) = list.and_then(|mut list| writeln!(list, "{pid} {}", program.display()))
        {
            tracing::warn!(%error, pid, "a started program could not be noted");
        }
    }

    /// Forgets all programs: they have ended.
    pub(crate) fn forget(&self) {
        drop(std::fs::remove_file(self.process_list()));
        drop(std::fs::remove_file(self.context_file()));
    }

    /// Kills what stands in the list and still runs the same program; a process id may have been
    /// given to another since.
    fn end_leftovers(&self) {
        let list = std::fs::read_to_string(self.process_list()).unwrap_or_default();
        for (pid, program) in list.lines().filter_map(|line| line.split_once(' ')) {
            let same = std::fs::read_link(format!("/proc/{pid}/exe"))
                .is_ok_and(|found| is_program(&found, program));
            if let Ok(number) = pid.parse().map(Pid::from_raw)
                && same
            {
                tracing::warn!(
                    pid,
                    program,
                    "ending a program that a killed `ktrdr up` left running"
                );
                let _ = kill(number, Signal::SIGKILL);
            }
        }
        self.forget();
    }
}

/// True for the program itself, and for one that was built anew since.
fn is_program(found: &Path, program: &str) -> bool {
    found
        .to_str()
        .is_some_and(|found| found.strip_suffix(" (deleted)").unwrap_or(found) == program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_of_the_same_folder_is_refused_and_a_later_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let held = Folder::claim(root.path()).unwrap();
        let refused = Folder::claim(root.path()).unwrap_err();
        assert!(
            matches!(refused, UpError::AlreadyRunning { owner: None, .. }),
            "{refused}"
        );
        drop(held);
        Folder::claim(root.path()).unwrap();
    }

    #[test]
    fn a_process_that_is_not_the_noted_program_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::claim(root.path()).unwrap();
        // This very process, under a name that it does not have.
        folder.remember(std::process::id(), Path::new("/usr/bin/nats-server"));
        drop(folder);
        Folder::claim(root.path()).unwrap();
    }

    #[test]
    fn a_program_behind_a_link_is_ended_with_what_was_left() {
        use std::os::unix::process::ExitStatusExt as _;
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("server");
        std::os::unix::fs::symlink("/bin/sleep", &link).unwrap();
        let folder = Folder::claim(root.path()).unwrap();
        let mut left = std::process::Command::new(&link).arg("60").spawn().unwrap();
        folder.remember(left.id(), &link);
        folder.end_leftovers();
        assert_eq!(left.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_program_that_was_built_anew_is_still_the_same() {
        let found = |text| is_program(Path::new(text), "/bin/x");
        assert!(found("/bin/x") && found("/bin/x (deleted)") && !found("/bin/y"));
    }
}
