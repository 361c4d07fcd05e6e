//! The real program on a whole local system in a folder of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// The end of a run of the program.
pub struct Ended {
    /// Exit code; none if a signal ended it.
    pub exit: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `ktrdr up` with every service; it ends, and everything with it, when it is dropped.
pub struct LocalSystem {
    folder: TempDir,
    up: Child,
}

impl LocalSystem {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bars")).unwrap();
        let mut up = program(folder.path())
            .args(["up", "--profile", "test"])
            .env("KTRDR_FETCHER_FILES", folder.path().join("bars"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();

        let mut lines = BufReader::new(up.stderr.take().unwrap()).lines();
        let mut ready = 0;
        while ready < SERVICES {
            let line = lines.next().expect("`ktrdr up` ended").unwrap();
            ready += usize::from(SERVICE_NAMES.iter().any(|name| is_ready(&line, name)));
        }

        // The pipe must be read to its end, or the system would block on a full one.
        std::thread::spawn(move || lines.for_each(|_| ()));
        Self { folder, up }
    }

    /// Where the provider `file` finds bars.
    pub fn bars_folder(&self) -> PathBuf {
        self.folder.path().join("bars")
    }

    /// Runs `ktrdr` to its end.
    pub fn run(&self, arguments: &str) -> Ended {
        let mut command = program(self.folder.path());
        command
            .args(arguments.split_whitespace())
            .output()
            .unwrap()
            .into()
    }

    /// Runs `ktrdr --json` to its end: the values that it printed.
    pub fn values(&self, arguments: &str) -> Vec<Value> {
        let ended = self.run(&format!("{arguments} --json"));
        let lines = ended.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Starts `ktrdr --json`, whose lines can be read as they come.
    pub fn follow(&self, arguments: &str) -> Followed {
        let err = self.folder.path().join("followed.err");
        let mut child = program(self.folder.path())
            .args(arguments.split_whitespace())
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Followed {
            child,
            lines: Box::new(lines.map(Result::unwrap)),
        }
    }

    /// The record of an operation.
    pub fn record(&self, op: &str) -> Value {
        self.values(&format!("status {op}")).remove(0)
    }

    /// The record of the operation that was submitted last.
    pub fn record_of_last(&self) -> Value {
        self.record("last")
    }

    /// Process ids of the workers of a service.
    pub fn workers(&self, service: &str) -> Vec<i32> {
        self.values("workers list")
            .iter()
            .filter(|worker| worker["service"] == service)
            .map(|worker| i32::try_from(worker["pid"].as_i64().unwrap()).unwrap())
            .collect()
    }

    /// kill -9 of the NATS server; `ktrdr up` starts it again.
    pub fn kill_server(&self) {
        let context = std::fs::read(self.folder.path().join(".ktrdr/context.json")).unwrap();
        let context: Value = serde_json::from_slice(&context).unwrap();
        let port = context["nats_url"].as_str().unwrap().rsplit(':').next();
        let found = Command::new("pgrep")
            .args(["-P", &self.up.id().to_string(), "-f", "nats-server"])
            .output()
            .unwrap();
        let pid = String::from_utf8(found.stdout).unwrap();
        let pid: i32 = pid
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("no server on {port:?}"));
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
}

impl Drop for LocalSystem {
    fn drop(&mut self) {
        send(&self.up, Signal::SIGTERM);
        self.up.wait().unwrap();
    }
}

/// A started `ktrdr --json` that follows an operation.
pub struct Followed {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Followed {
    /// The next value; none once the program has closed its output.
    pub fn next_value(&mut self) -> Option<Value> {
        let line = self.lines.next()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// Reads until a step of this service reports progress; the operation's id.
    pub fn until_progress_of(&mut self, service: &str) -> String {
        loop {
            let value = self.next_value().expect("it ended before it reported");
            let is_work = value["type"] == "progress"
                && value["service"] == service
                && value["step_percent"].as_f64().unwrap() > 0.0;
            if is_work {
                return value["op"].as_str().unwrap().to_owned();
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Waits for its end: the exit code, and the values that it still printed.
    pub fn end(mut self) -> (Option<i32>, Vec<Value>) {
        let mut values = Vec::new();
        while let Some(value) = self.next_value() {
            values.push(value);
        }
        (self.child.wait().unwrap().code(), values)
    }
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

const SERVICE_NAMES: [&str; 6] = [
    "fetcher",
    "validator",
    "processor",
    "trainer",
    "registry",
    "dummy",
];
const SERVICES: usize = SERVICE_NAMES.len();

fn is_ready(line: &str, name: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some(name) && words.next() == Some("ready")
}

/// `ktrdr` in `folder`, without the settings of whoever runs the tests.
fn program(folder: &Path) -> Command {
    let programs = programs();
    let search = std::env::var("PATH").unwrap();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = Command::new(programs.join("ktrdr"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KTRDR_")) {
        command.env_remove(name);
    }

    command
        .current_dir(folder)
        .env("PATH", format!("{}:{search}", programs.display()))
        .env("KTRDR_DEPS", checkout.join(".deps"))
        .stdin(Stdio::null());
    command
}

/// The folder of the programs, which `make test` builds before it runs tests.
fn programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap().to_owned();
    let trainer = folder.join("ktrdr-trainer");
    assert!(
        trainer.is_file(),
        "there is no {}: make test builds it",
        trainer.display()
    );
    folder
}
