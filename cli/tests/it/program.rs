//! The program `ktrdr` as tests run it: in a folder of their own, without the environment of the
//! caller.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) const KTRDR: &str = env!("CARGO_BIN_EXE_ktrdr");

/// The checkout that the tests were built in.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder of the built programs.
pub(crate) fn built_programs() -> &'static Path {
    Path::new(KTRDR).parent().unwrap()
}

/// The end of a run of the program.
pub(crate) struct Ended {
    /// Exit code; none if a signal ended it.
    pub(crate) exit: Option<i32>,
    /// Standard output as text.
    pub(crate) out: String,
    /// Standard error as text.
    pub(crate) err: String,
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

/// `ktrdr` with these arguments, to be run in `folder` with the NATS server of this checkout.
pub(crate) fn ktrdr_in(folder: &Path, arguments: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(KTRDR);

    // The settings of whoever runs the tests must not decide how they end.
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:{path}", built_programs().display()))
        .env("LANG", "C.UTF-8")
        .env("KTRDR_DEPS", root().join(".deps"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());

    command
}

/// Runs `ktrdr` to its end.
pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Ended {
    ktrdr_in(folder, arguments).output().unwrap().into()
}

/// Runs a command to its end with `input` on its standard input.
pub(crate) fn run_with_input(mut command: Command, input: &[u8]) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    wait_for(child)
}

/// Waits for the end of a started program.
pub(crate) fn wait_for(child: Child) -> Ended {
    child.wait_with_output().unwrap().into()
}

/// Runs shell commands inside a local system with these services; the system ends with them.
pub(crate) fn run_in_system(folder: &Path, services: &str, commands: &str) -> Ended {
    let up = ["up", "--profile", "test", "--services", services];
    let arguments = [&up[..], &["--", "sh", "-c", commands]].concat();
    ktrdr_in(folder, &arguments)
        .env("KTRDR_FETCHER_FILES", root().join("tests/bars"))
        .output()
        .unwrap()
        .into()
}

/// Every file below a folder.
pub(crate) fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            files.push(path);
        }
    }
    files
}
