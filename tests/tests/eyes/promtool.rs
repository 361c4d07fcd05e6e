//! The judgement of Prometheus itself, where its `promtool` is on the path.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `promtool` with arguments and an input in a folder; nothing happens where there is none.
pub fn run_promtool(arguments: &[&str], input: &str, folder: &Path) {
    let started = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match started {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("no promtool on the path: not checked with {arguments:?}");
            return;
        }
        started => started.unwrap(),
    };

    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let ended = promtool.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ended.status.success(), "promtool {arguments:?}:\n{said}");
}

/// The linter of metrics, for a whole page.
pub fn check_with_promtool(page: &str) {
    run_promtool(&["check", "metrics"], page, Path::new("."));
}
