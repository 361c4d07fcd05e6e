//! `ktrdr up` as tests hold it: started until its dummy is ready, signalled, waited for, and what
//! it leaves looked for.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use nats_test_server::{Client, connect_with};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::program::{ktrdr_in, run_in};

/// The arguments of a small and fast system.
pub(crate) const UP: [&str; 5] = ["up", "--profile", "test", "--services", "dummy"];

/// A command of `ktrdr_in`, started by another program that becomes it.
pub(crate) fn launched_by(launcher: &str, arguments: &[&str], command: &Command) -> Command {
    let variables = command.get_envs();
    let variables = variables.filter_map(|(name, value)| Some((name, value?)));
    let mut launched = Command::new(launcher);

    launched
        .args(arguments)
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .env_clear()
        .envs(variables)
        .stderr(Stdio::piped());
    launched
}

/// A system with a dummy; ended when it is dropped.
pub(crate) struct RunningUp {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    /// What it has written so far.
    pub(crate) board: String,
}

impl RunningUp {
    /// Starts a system in `folder` and waits until its dummy is ready.
    pub(crate) fn start(folder: &Path) -> Self {
        // Also where the tests themselves run under `nohup`.
        let up = launched_by("env", &["--default-signal=HUP"], &ktrdr_in(folder, &UP));
        Self::start_command(up)
    }

    /// Starts a system by a command of `ktrdr_in`.
    pub(crate) fn start_command(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut up = Self {
            child,
            lines,
            board: String::new(),
        };

        up.read_until("dummy         ready");
        up
    }

    /// Reads the board until a line begins with this text.
    fn read_until(&mut self, beginning: &str) {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            self.board.push_str(&line);
            self.board.push('\n');
            if line.starts_with(beginning) {
                return;
            }
        }
        panic!("no line `{beginning}`:\n{}", self.board);
    }

    /// Sends a signal to the program itself.
    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Sends a signal and waits for the end: the exit code, none if the signal ended it.
    pub(crate) fn end(mut self, signal: Signal) -> Option<i32> {
        self.send(signal);
        self.wait()
    }

    /// Waits for the end, reading the board meanwhile.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        for line in self.lines.by_ref() {
            self.board.push_str(&line.unwrap());
            self.board.push('\n');
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for RunningUp {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.send(Signal::SIGTERM);
            self.wait();
        }
    }
}

/// Starts an operation by a command in `folder`, and returns its id at once.
pub(crate) fn start_operation(folder: &Path, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let ended = run_in(folder, &[&words[..], &["--detach", "--json"]].concat());

    let first = ended.out.lines().next();
    let started: Value = serde_json::from_str(first.expect(&ended.err)).unwrap();
    started["op"].as_str().unwrap().to_owned()
}

/// Starts a dummy that takes about three seconds.
pub(crate) fn start_dummy(folder: &Path) -> String {
    let command = "dummy start --iterations 60 --duration 3 --checkpoint-every 1";
    start_operation(folder, command)
}

/// The context file of the system in `folder`.
pub(crate) fn context_file(folder: &Path) -> PathBuf {
    folder.join(".ktrdr/context.json")
}

/// What it says.
pub(crate) fn context_of(folder: &Path) -> Value {
    let text = std::fs::read_to_string(context_file(folder)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The address of its server.
pub(crate) fn url_of(folder: &Path) -> String {
    context_of(folder)["nats_url"].as_str().unwrap().to_owned()
}

/// The key of its server by name, as in `trainer`.
pub(crate) fn key_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".ktrdr/credentials/{name}.nk"))
}

/// A connection of the stock client that may do everything.
pub(crate) async fn connect_to(folder: &Path) -> Client {
    connect_with(&url_of(folder), &key_of(folder, "infra")).await
}

/// The port of its server.
pub(crate) fn port_of(folder: &Path) -> u16 {
    let url = url_of(folder);
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The programs that the system in `folder` has started: links that lead nowhere once they have
/// ended.
pub(crate) fn programs_of(folder: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_to_string(folder.join(".ktrdr/processes")).unwrap();
    let pid = |line: &str| serde_json::from_str::<Value>(line).unwrap()["pid"].clone();
    list.lines()
        .map(|line| PathBuf::from(format!("/proc/{}/exe", pid(line))))
        .collect()
}

/// Sends a signal to one of these programs.
pub(crate) fn send_to(program: &Path, signal: Signal) {
    let pid = program.components().nth(2).unwrap().as_os_str();
    let pid = pid.to_str().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// The programs among these that still run.
pub(crate) fn running(programs: &[PathBuf]) -> Vec<PathBuf> {
    let links = programs.iter().filter(|link| link.read_link().is_ok());
    links.cloned().collect()
}
