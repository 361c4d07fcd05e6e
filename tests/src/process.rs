//! Real service processes: started, killed, frozen, thawed, asked to end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schemas::ids::WorkerId;

use crate::waiting::until;
use crate::{Role, Sandbox};

/// A process; killed when it is dropped. The end of its log is shown when the test fails.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Sandbox {
    /// Starts `program` (as in `ktrdr-dummy`) from the folder of the build, connected to this
    /// system.
    pub fn spawn(&self, program: &str) -> Process {
        self.spawn_with(program, &[])
    }

    /// Starts a program with more flags, as in `--set slots=2`.
    pub fn spawn_with(&self, program: &str, flags: &[&str]) -> Process {
        self.spawn_at(self.url(), program, flags)
    }

    /// Starts a program that reaches the NATS server at this address.
    pub fn spawn_at(&self, url: &str, program: &str, flags: &[&str]) -> Process {
        self.spawn_under(&[], url, program, flags)
    }

    /// Starts a program by another one that becomes it, as in `env NAME=VALUE`.
    pub fn spawn_under(
        &self,
        starter: &[&str],
        url: &str,
        program: &str,
        flags: &[&str],
    ) -> Process {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let log = self.folder().join(format!("{program}-{number}.log"));
        let mut command = starting(starter, &program_path(program));
        forget_settings(&mut command);

        // A program is named after its service.
        let service = program.strip_prefix("ktrdr-").unwrap();
        if let Some(file) = self.credentials_of(service) {
            command.env("KTRDR_BUS_CREDENTIALS", file);
        }
        let child = command
            .args(["--nats-url", url, "--store", self.store().url()])
            .args(flags)
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();

        Process { child, log }
    }
}

impl Sandbox {
    /// `ktrdr` with these words, to be run by a person on this system.
    pub fn ktrdr(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program_path("ktrdr"));
        forget_settings(&mut command);

        if let Some(file) = self.credentials(Role::Person) {
            command.env("KTRDR_BUS_CREDENTIALS", file);
        }
        command
            .args(words)
            .args(["--server", self.url()])
            .arg("--set")
            .arg(format!("store.url={}", self.store().url()))
            .current_dir(self.folder())
            .stdin(Stdio::null());
        command
    }
}

pub(crate) fn send_signal(process: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process).unwrap()), signal).unwrap();
}

/// Takes the settings of whoever runs the tests from a command.
fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KTRDR_") {
            command.env_remove(name);
        }
    }
}

/// The command that starts a program, by another one if there is one.
fn starting(starter: &[&str], program: &Path) -> Command {
    match starter {
        [] => Command::new(program),
        [first, others @ ..] => {
            let mut command = Command::new(first);
            command.args(others).arg(program);
            command
        }
    }
}

/// The executable in the folder of the one of this test, or in the folder above.
fn program_path(program: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let mut paths = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(program));

    match paths.find(|path| path.is_file()) {
        Some(path) => path,
        None => panic!("{program} is not built: run `cargo build --workspace --bins` first"),
    }
}

impl Process {
    /// Process id, as in the worker's key.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// True when it is the process of this worker.
    pub fn runs(&self, worker: &WorkerId) -> bool {
        worker.as_str().contains(&format!("-{}-", self.id()))
    }

    /// kill -9, and gone when it returns.
    pub fn kill(&mut self) {
        // Both fail for a process that has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGSTOP: it does not move, and does not notice.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT: it goes on where it was frozen.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// SIGTERM: it is asked to end.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        send_signal(self.id(), signal);
    }

    /// Waits for its end.
    pub async fn until_ended(&mut self) -> ExitStatus {
        let what = format!("the end of process {}", self.id());
        let child = &mut self.child;
        until(what, || std::future::ready(child.try_wait().unwrap())).await
    }

    /// True until it has ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.log.display(), self.log());
        }
    }
}
