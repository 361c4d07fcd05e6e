//! One program under supervision: started, watched, started again with growing pauses, asked to
//! end, made to end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schemas::errors::chain;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::board::{Board, State};
use super::error::UpError;
use super::folder::Folder;

/// A service that says its settings are wrong would say so again.
const WRONG_SETTINGS: i32 = 2;
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Longest pause before a program that has ended is started again.
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
    /// Name on the board and of the log file.
    pub(crate) name: String,
    /// Path of the binary.
    pub(crate) path: PathBuf,
    /// Arguments of the program.
    pub(crate) arguments: Vec<OsString>,
    /// Variables added to those of this process.
    pub(crate) env: Vec<(String, String)>,
    /// How long it may take to end once asked.
    pub(crate) stop_timeout: Duration,
}

impl Program {
    /// Keeps the program running until `stop` is true, then asks it to end and waits.
    pub(crate) async fn supervise(
        self,
        folder: Arc<Folder>,
        board: Board,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut pauses = Pauses::new();
        loop {
            let started = Instant::now();
            let state = self.run_once(&folder, &board, &mut stop).await;
            // Only an end that nobody asked for is repaired: stopped and absent are final.
            let State::Restarting { reason, .. } = state else {
                return board.set(&self.name, state, "");
            };

            let after = pauses.after(started.elapsed());
            tracing::warn!(program = self.name, reason, "a program ended unasked");
            board.set(&self.name, State::Restarting { reason, after }, "");
            if stopped_within(&mut stop, after).await {
                return board.set(&self.name, State::Stopped, "");
            }
        }
    }

    /// One run, from its start to its end; the state that follows from how it ended.
    async fn run_once(
        &self,
        folder: &Folder,
        board: &Board,
        stop: &mut watch::Receiver<bool>,
    ) -> State {
        let mut child = match self.start(folder) {
            Ok(child) => child,
            Err(error) => {
                let reason = chain(&error);
                return State::Absent { reason };
            }
        };
        let log = folder.log_text(&self.name);
        let detail = format!("pid {}, {log}", child.id().unwrap_or_default());
        board.set(&self.name, State::Starting, &detail);

        let ended = tokio::select! {
            ended = child.wait() => ended,
            () = wait_for_stop(stop) => {
                board.set(&self.name, State::Stopping, "");
                end(&mut child, self.stop_timeout).await;
                return State::Stopped;
            }
        };
        match ended {
            // Wrong settings stay wrong, however often the program is started.
            Ok(status) if status.code() == Some(WRONG_SETTINGS) => State::Absent {
                reason: format!("it refuses its settings, see {log}"),
            },
            Ok(status) => State::restarting(describe_exit(status)),
            Err(error) => State::restarting(error.to_string()),
        }
    }

    fn start(&self, folder: &Folder) -> Result<Child, UpError> {
        let log = folder.open_log(&self.name)?;
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .envs(self.env.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log);
        spawn(command, &self.path, folder)
    }
}

/// Waits until `stop` is true, or its sender is gone.
pub(crate) async fn wait_for_stop(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone can ask for nothing else.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for a stop at most for `pause`; true if it came.
pub(crate) async fn stopped_within(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::time::timeout(pause, wait_for_stop(stop))
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
        // It may have ended by itself just now.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }

    if tokio::time::timeout(timeout, child.wait()).await.is_err() {
        tracing::warn!(
            pid = child.id(),
            "a program did not end in time and is killed"
        );
        // A process that is gone already is what is wanted.
        let _ = child.kill().await;
    }
}

/// How a program ended, in words.
pub(crate) fn describe_exit(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::board::Line;
    use super::*;

    fn program(path: &str) -> Program {
        Program {
            name: "it".to_owned(),
            path: PathBuf::from(path),
            arguments: Vec::new(),
            env: Vec::new(),
            stop_timeout: Duration::from_secs(5),
        }
    }

    fn is_restarting(lines: &[Line]) -> bool {
        lines.iter().any(|line| {
            matches!(&line.state, State::Restarting { reason, .. } if reason == "exit code 1")
        })
    }

    #[test]
    fn pauses_double_to_ten_seconds_until_a_steady_run() {
        let mut pauses = Pauses::new();

        let millis: Vec<u128> = (0..7)
            .map(|_| pauses.after(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(millis, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);

        assert_eq!(pauses.after(STEADY).as_millis(), 500);
    }

    #[tokio::test]
    async fn a_program_that_crashes_is_started_again_until_the_stop() {
        let root = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::claim(root.path()).await.unwrap());
        let board = Board::new();
        let stop = watch::Sender::new(false);
        let mut lines = board.lines();
        let supervised =
            tokio::spawn(program("/bin/false").supervise(folder, board, stop.subscribe()));

        lines.wait_for(|lines| is_restarting(lines)).await.unwrap();
        stop.send_replace(true);
        supervised.await.unwrap();

        assert_eq!(lines.borrow()[0].state, State::Stopped);
    }

    #[tokio::test]
    async fn a_missing_program_is_absent_and_not_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::claim(root.path()).await.unwrap());
        let board = Board::new();
        let stop = watch::Sender::new(false);
        let lines = board.lines();

        program("/nowhere/ktrdr-trainer")
            .supervise(folder, board, stop.subscribe())
            .await;

        let state = lines.borrow()[0].state.clone();
        assert!(
            matches!(&state, State::Absent { reason } if reason.contains("/nowhere/ktrdr-trainer"))
        );
    }
}
