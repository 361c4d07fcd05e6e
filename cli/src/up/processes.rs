//! The programs that a `ktrdr up` has started, noted in its folder: whoever comes after a killed
//! one ends them.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::context::{FolderId, append_to_private_file};

/// Name of the list in the folder of a system.
pub(super) const FILE_NAME: &str = "processes";
/// A killed process is gone within milliseconds; more than this means that the system is stuck.
const KILLED_TIMEOUT: Duration = Duration::from_secs(5);

/// A program that was started, one line of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StartedProgram {
    pid: u32,
    /// Real path of the program.
    program: String,
    /// The folder that it was started for; none in a list of an earlier version.
    #[serde(default)]
    folder: Option<FolderId>,
}

/// The list in the folder of one system.
#[derive(Clone, Debug)]
pub(crate) struct ProcessList {
    path: PathBuf,
    folder: FolderId,
}

impl ProcessList {
    /// The list of the system in `folder`.
    ///
    /// # Errors
    /// There is no such folder.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            path: folder.join(FILE_NAME),
            folder: FolderId::of(folder)?,
        })
    }

    /// Adds a program that was started.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(crate) fn add(&self, pid: u32, program: &Path) -> io::Result<()> {
        // The system knows a running program by its real path.
        let program = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
        let line = serde_json::to_string(&StartedProgram {
            pid,
            program: program.display().to_string(),
            folder: Some(self.folder.clone()),
        })?;

        writeln!(append_to_private_file(&self.path)?, "{line}")
    }

    /// Forgets all programs: they have ended.
    pub(crate) fn clear(&self) {
        // A file that was never written need not be removed.
        let _ = std::fs::remove_file(&self.path);
    }

    /// The programs that still run. Those that a copied list names belong to another system.
    pub(crate) fn running(&self) -> Vec<StartedProgram> {
        let list = std::fs::read_to_string(&self.path).unwrap_or_default();
        list.lines()
            .filter_map(parse_line)
            .filter(|each| each.folder.as_ref().is_none_or(|id| *id == self.folder))
            .filter(StartedProgram::is_running)
            .collect()
    }

    /// Kills the programs that still run, waits for their end, and says which they were.
    pub(crate) async fn end_running(&self) -> Vec<StartedProgram> {
        let running = self.running();
        let mut killed = Vec::new();
        for each in &running {
            tracing::warn!(
                pid = each.pid,
                each.program,
                "ending a program that a killed `ktrdr up` left running"
            );
            // It may have ended by itself just now, and another program have its number.
            if let Ok(Some(process)) = ProcessHandle::open(each.pid)
                && each.is_running()
                && process.send(Signal::KILL).is_ok()
            {
                killed.push(process);
            }
        }

        // Whoever starts them again needs their ports.
        for process in killed {
            let _ = tokio::time::timeout(KILLED_TIMEOUT, process.wait()).await;
        }
        self.clear();
        running
    }
}

impl StartedProgram {
    /// Name of the part of the system: that of the program, without the prefix of ours.
    pub(crate) fn name(&self) -> &str {
        let (_, file) = self.program.rsplit_once('/').unwrap_or(("", &self.program));
        file.strip_prefix("ktrdr-").unwrap_or(file)
    }

    /// Whether the process still runs the same program: its id may belong to another by now.
    fn is_running(&self) -> bool {
        let link = std::fs::read_link(format!("/proc/{}/exe", self.pid));
        link.is_ok_and(|running| is_program(&running, &self.program))
    }
}

/// A line of the list; an earlier version wrote `pid path`.
fn parse_line(line: &str) -> Option<StartedProgram> {
    if line.starts_with('{') {
        return serde_json::from_str(line).ok();
    }
    let (pid, program) = line.split_once(' ')?;
    Some(StartedProgram {
        pid: pid.parse().ok()?,
        program: program.to_owned(),
        folder: None,
    })
}

/// True for the program itself, and for one that was rebuilt while it ran.
fn is_program(running: &Path, program: &str) -> bool {
    let Some(running) = running.to_str() else {
        return false;
    };
    running.strip_suffix(" (deleted)").unwrap_or(running) == program
}

/// A process that need not be a child of this one. Unlike its number it never stands for another.
#[derive(Debug)]
pub(super) struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// The process that has this number now; none where none has.
    ///
    /// # Errors
    /// The system has no more handles.
    pub(super) fn open(pid: u32) -> io::Result<Option<Self>> {
        let number = i32::try_from(pid).map_err(io::Error::other)?;
        let number = Pid::from_raw(number).ok_or(io::ErrorKind::InvalidInput)?;
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(handle) => Ok(Some(Self(handle))),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a signal; one that has ended meanwhile needs none.
    ///
    /// # Errors
    /// The process belongs to somebody else.
    pub(super) fn send(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// The system cannot tell.
    pub(super) async fn wait(self) -> io::Result<()> {
        // A thread and not a task: it must not keep this program from ending before the other one.
        let (sender, ended) = oneshot::channel();
        std::thread::spawn(move || sender.send(wait_until_readable(&self.0)));
        ended.await.map_err(io::Error::other)?
    }
}

/// The handle of a process is readable once the process has ended.
fn wait_until_readable(handle: &OwnedFd) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(handle, PollFlags::IN)], None) {
            Err(Errno::INTR) => {}
            ended => return ended.map(drop).map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeping(program: &Path) -> std::process::Child {
        std::process::Command::new(program)
            .arg("60")
            .spawn()
            .unwrap()
    }

    #[tokio::test]
    async fn a_process_that_is_not_the_noted_program_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let list = ProcessList::of(root.path()).unwrap();
        // This very process, under a name that it does not have.
        list.add(std::process::id(), Path::new("/usr/bin/nats-server"))
            .unwrap();

        assert_eq!(list.end_running().await, []);
    }

    #[tokio::test]
    async fn a_program_behind_a_link_is_ended_with_the_leftovers() {
        use std::os::unix::process::ExitStatusExt as _;
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("server");
        std::os::unix::fs::symlink("/bin/sleep", &link).unwrap();
        let list = ProcessList::of(root.path()).unwrap();
        let mut leftover = sleeping(&link);
        list.add(leftover.id(), &link).unwrap();

        let ended = list.end_running().await;

        assert_eq!(leftover.wait().unwrap().signal(), Some(9));
        assert_eq!(ended[0].name(), "sleep");
        assert!(!list.path.exists());
    }

    #[tokio::test]
    async fn a_copied_list_ends_nothing_of_the_other_system() {
        let root = tempfile::tempdir().unwrap();
        let system = root.path().join("system");
        let copy = root.path().join("copy");
        std::fs::create_dir(&system).unwrap();
        std::fs::create_dir(&copy).unwrap();
        let program = Path::new("/bin/sleep");
        let mut other = sleeping(program);
        let list = ProcessList::of(&system).unwrap();
        list.add(other.id(), program).unwrap();
        std::fs::copy(&list.path, copy.join(FILE_NAME)).unwrap();

        let ended = ProcessList::of(&copy).unwrap().end_running().await;

        assert_eq!(ended, []);
        assert!(other.try_wait().unwrap().is_none(), "it still runs");
        list.end_running().await;
        other.wait().unwrap();
    }

    #[test]
    fn lists_of_an_earlier_version_are_read() {
        let line = parse_line("7 /opt/ktrdr/ktrdr-fetcher").unwrap();

        assert_eq!(line.pid, 7);
        assert_eq!(line.name(), "fetcher");
    }

    #[test]
    fn a_program_that_was_rebuilt_is_still_the_same() {
        let is_x = |text| is_program(Path::new(text), "/bin/x");

        assert!(is_x("/bin/x"));
        assert!(is_x("/bin/x (deleted)"));
        assert!(!is_x("/bin/y"));
    }
}
