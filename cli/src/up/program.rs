//! One program under supervision: started, watched, started again with growing pauses, asked to
//! end, made to end.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::board::{Board, State};
use super::error::UpError;
use super::folder::Folder;

/// A service that says its settings are wrong would say so again.
const WRONG_SETTINGS: i32 = 2;
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// After this long without a crash the pauses begin again at the shortest.
const STEADY: Duration = Duration::from_secs(30);

/// Growing pauses between starts: 0.5 s doubling to 10 s, from the start again after 30 s without a
/// crash.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
}

impl Pauses {
    /// Begins at the shortest.
    pub(crate) const fn new() -> Self {
        Self { next: PAUSE_MIN }
    }

    /// The pause after a run of that length.
    pub(crate) fn after(&mut self, run: Duration) -> Duration {
        if run >= STEADY {
            self.next = PAUSE_MIN;
        }
        let pause = self.next;
        self.next = (self.next * 2).min(PAUSE_MAX);
        pause
    }
}

impl Default for Pauses {
    fn default() -> Self {
        Self::new()
    }
}

/// A service of the local system.
pub(crate) struct Program {
    /// As on the board and in the name of the log.
    pub(crate) name: String,
    /// The binary.
    pub(crate) path: PathBuf,
    /// Variables added to ours.
    pub(crate) env: Vec<(String, String)>,
    /// How long it may take to end once asked.
    pub(crate) stop_timeout: Duration,
}

impl Program {
    /// Keeps it running until `stop` is true, then asks it to end and waits.
    pub(crate) async fn supervise(
        self,
        folder: Arc<Folder>,
        board: Board,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut pauses = Pauses::new();
        let log = folder.log(&self.name);
        loop {
            let started = Instant::now();
            let mut child = match self.start(&folder) {
                Ok(child) => child,
                Err(error) => {
                    let reason = schemas::errors::chain(&error);
                    return board.set(&self.name, State::Absent { reason }, "");
                }
            };
            let detail = format!("pid {}, {}", child.id().unwrap_or_default(), log.display());
            board.set(&self.name, State::Starting, &detail);
            let ended = tokio::select! {
                ended = child.wait() => Some(ended),
                _ = stop.wait_for(|stop| *stop) => None,
            };
            let Some(ended) = ended else {
                board.set(&self.name, State::Stopping, "");
                end(&mut child, self.stop_timeout).await;
                return board.set(&self.name, State::Stopped, "");
            };
            if ended
                .as_ref()
                .is_ok_and(|status| status.code() == Some(WRONG_SETTINGS))
            {
                let reason = format!("it refuses its settings, see {}", log.display());
                return board.set(&self.name, State::Absent { reason }, "");
            }
            let after = pauses.after(started.elapsed());
            let reason = ended.map_or_else(|error| error.to_string(), ending);
            tracing::warn!(program = self.name, reason, "a program ended unasked");
            board.set(&self.name, State::Restarting { reason, after }, "");
            if stopped_within(&mut stop, after).await {
                return board.set(&self.name, State::Stopped, "");
            }
        }
    }

    fn start(&self, folder: &Folder) -> Result<Child, UpError> {
        let log = folder.open_log(&self.name)?;
        let mut command = Command::new(&self.path);
        command
            .envs(self.env.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log);
        spawn(command, &self.path, folder)
    }
}

/// Waits for a stop at most that long; true when it came.
pub(crate) async fn stopped_within(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::time::timeout(pause, stop.wait_for(|stop| *stop))
        .await
        .is_ok()
}

/// Starts a program in a process group of its own, so that Ctrl+C reaches only us and we end it in
/// order.
///
/// # Errors
/// It cannot be started.
pub(crate) fn spawn(mut command: Command, path: &Path, folder: &Folder) -> Result<Child, UpError> {
    command
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|source| UpError::Spawn {
        program: path.to_owned(),
        source,
    })?;
    if let Some(pid) = child.id() {
        folder.remember(pid, path);
    }
    Ok(child)
}

/// Asks a program to end and waits; ends it by force after `timeout`.
pub(crate) async fn end(child: &mut Child, timeout: Duration) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    if tokio::time::timeout(timeout, child.wait()).await.is_err() {
        tracing::warn!(
            pid = child.id(),
            "a program did not end in time and is killed"
        );
        drop(child.kill().await);
    }
}

/// How a program ended, in words.
pub(crate) fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &str, folder: &Folder) -> Program {
        let path = PathBuf::from(path);
        assert!(folder.path().is_dir());
        Program {
            name: "it".to_owned(),
            path,
            env: Vec::new(),
            stop_timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn pauses_double_to_ten_seconds_and_begin_again_after_a_steady_run() {
        let mut pauses = Pauses::new();
        let short: Vec<u128> = (0..7)
            .map(|_| pauses.after(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(short, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(pauses.after(STEADY).as_millis(), 500);
    }

    #[tokio::test]
    async fn a_program_that_crashes_is_started_again_until_the_stop() {
        let root = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::claim(root.path()).unwrap());
        let (board, stop) = (Board::new(), watch::Sender::new(false));
        let mut lines = board.lines();
        let supervised =
            program("/bin/false", &folder).supervise(folder.clone(), board, stop.subscribe());
        let supervised = tokio::spawn(supervised);
        let restarting = |lines: &Vec<super::super::board::Line>| {
            lines.iter().any(|line| matches!(&line.state, State::Restarting { reason, .. } if reason == "exit code 1"))
        };
        lines.wait_for(restarting).await.unwrap();
        stop.send_replace(true);
        supervised.await.unwrap();
        assert_eq!(lines.borrow()[0].state, State::Stopped);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_absent_and_not_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::claim(root.path()).unwrap());
        let (board, stop) = (Board::new(), watch::Sender::new(false));
        let lines = board.lines();
        program("/nowhere/ktrdr-trainer", &folder)
            .supervise(folder.clone(), board, stop.subscribe())
            .await;
        assert!(
            matches!(&lines.borrow()[0].state, State::Absent { reason } if reason.contains("/nowhere/ktrdr-trainer"))
        );
    }
}
