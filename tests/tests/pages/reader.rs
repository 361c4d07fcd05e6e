//! A reader at a terminal: a folder that looks like the checkout, a system in it, and a shell.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Folders of the checkout that the tours read from.
const READ_FOLDERS: &[&str] = &["tests", "strategies", "docs", "infra"];

/// What a command printed and how it ended.
pub struct Answer {
    /// Standard output and standard error, as a terminal mixes them.
    pub screen: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
}

/// Somebody with a fresh checkout, the programs on `PATH`, and no settings of their own.
pub struct PageReader {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    system: Option<Child>,
}

impl PageReader {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in READ_FOLDERS {
            symlink(checkout().join(name), folder.path().join(name)).unwrap();
        }
        Self {
            folder,
            variables: BTreeMap::new(),
            system: None,
        }
    }

    /// The folder that the page calls the checkout.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Does what `export NAME=VALUE` does in the reader's shell.
    pub fn export(&mut self, assignment: &str) {
        let (name, value) = assignment.split_once('=').unwrap();
        if name != "PATH" {
            let value = value.split(" #").next().unwrap().trim();
            self.variables.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Types `ktrdr up` in a terminal of its own and waits until every service is ready. Returns
    /// what that terminal shows.
    pub fn start_system(&mut self, services: usize) -> String {
        let mut command = self.command("ktrdr");
        let mut child = command
            .arg("up")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut screen = String::new();

        let mut ready = 0;
        while ready < services {
            let line = lines.next().expect("`ktrdr up` ended").unwrap();
            ready += usize::from(line.contains(" ready "));
            screen.push_str(&line);
            screen.push('\n');
        }

        // The pipe must be read to its end, or the system would block on a full one.
        std::thread::spawn(move || lines.for_each(|_| ()));
        self.system = Some(child);
        screen
    }

    /// Types one command and waits for its end.
    pub fn type_command(&self, text: &str) -> Answer {
        let screen_file = self.folder.path().join(".screen");
        let screen = File::create(&screen_file).unwrap();
        let status = self
            .command("bash")
            .args(["-o", "pipefail", "-c", text])
            .stdin(Stdio::null())
            .stdout(screen.try_clone().unwrap())
            .stderr(screen)
            .status()
            .unwrap();

        let bytes = std::fs::read(&screen_file).unwrap();
        Answer {
            screen: String::from_utf8_lossy(&bytes).into_owned(),
            code: status.code(),
        }
    }

    /// Lines of the system's logs that say what the NATS server has refused.
    pub fn refusals(&self) -> Vec<String> {
        let logs = self.folder().join(".ktrdr/logs").read_dir().unwrap();
        let mut refusals = Vec::new();
        for log in logs {
            let text = std::fs::read_to_string(log.unwrap().path()).unwrap();
            let refused = text.lines().filter(|line| line.contains("Violation"));
            refusals.extend(refused.map(str::to_owned));
        }
        refusals
    }

    /// A program with the reader's folder and variables, not started yet.
    pub fn command(&self, program: &str) -> Command {
        let search = std::env::var("PATH").unwrap();
        let mut command = Command::new(if program == "ktrdr" {
            programs().join(program)
        } else {
            program.into()
        });
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KTRDR_")) {
            command.env_remove(name);
        }

        command
            .current_dir(self.folder())
            .env("PATH", format!("{}:{search}", programs().display()))
            .env("KTRDR_DEPS", checkout().join(".deps"))
            .envs(&self.variables);
        command
    }
}

impl Drop for PageReader {
    fn drop(&mut self) {
        let Some(mut system) = self.system.take() else {
            return;
        };
        let pid = Pid::from_raw(i32::try_from(system.id()).unwrap());

        // Ctrl+C: the system ends in order, and nothing outlives the test.
        let _ = kill(pid, Signal::SIGINT);
        let _ = system.wait();
    }
}

/// The checkout that the tests were built from.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder of the programs, which `make test` builds before it runs tests.
pub fn programs() -> PathBuf {
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
