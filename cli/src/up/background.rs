//! `ktrdr up --detach`: the same program once more, in a session of its own; this one waits until
//! its services are ready and says which is not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schemas::codes;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::binaries::NOT_BUILT;
use super::board::board_line;
use super::folder::log_of;
use crate::console::{Exit, Failure, Interrupts};
use crate::context::Context;

/// The flag by which the program knows that it is the one in the background.
const IN_BACKGROUND: &str = "--in-background";
/// Lines of a log that are shown of a service that is not ready.
const LOG_LINES: usize = 10;

/// One line that the program in the background writes.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Message {
    /// Its services have started, or were waited for long enough.
    Started(StartedSystem),
    /// It does not come up.
    Error(BackgroundFailure),
    /// Everything else concerns nobody here.
    #[serde(other)]
    Other,
}

/// A system that has started.
#[derive(Debug, Deserialize)]
struct StartedSystem {
    folder: PathBuf,
    pid: u32,
    parts: Vec<Part>,
}

/// A part of it, as the board shows it.
#[derive(Debug, Deserialize)]
struct Part {
    name: String,
    state: String,
    detail: String,
}

/// A failure as `--json` writes it.
#[derive(Debug, Deserialize)]
struct BackgroundFailure {
    code: String,
    message: String,
    causes: Vec<String>,
    hint: String,
    exit: u8,
}

impl Part {
    /// Whether somebody has to look: a service that is not built is missed only where it was named.
    fn is_at_fault(&self, are_named: bool) -> bool {
        let is_unbuilt = self.state == "absent" && self.detail == NOT_BUILT;
        self.state != "ready" && (are_named || !is_unbuilt)
    }
}

impl From<BackgroundFailure> for Failure {
    fn from(failure: BackgroundFailure) -> Self {
        Self {
            exit: Exit::OfCommand(failure.exit),
            code: failure.code,
            message: failure.message,
            causes: failure.causes,
            hint: failure.hint,
            op: None,
        }
    }
}

/// Starts the system and returns when it is ready. `are_named`: the services were chosen by name,
/// so that each of them must start.
///
/// # Errors
/// The system does not come up, or one of its services is not ready; the others run then.
pub(super) async fn start_in_background(
    context: &Context,
    are_named: bool,
) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let mut child = spawn_background().map_err(|error| {
        Failure::of(Exit::Failed, codes::UP_SPAWN, &error)
            .with_hint("the program may have been replaced while it runs: start it again")
    })?;

    let system = tokio::select! {
        system = read_start(&mut child) => system?,
        _ = interrupts.next() => {
            end_background(&mut child).await;
            return Ok(Exit::Cancelled);
        }
    };
    report(&system, are_named, context)
}

/// This program with the same arguments, but for the flag that was carried out here.
fn spawn_background() -> std::io::Result<Child> {
    let arguments: Vec<OsString> = std::env::args_os()
        .skip(1)
        .filter(|argument| argument != "--detach" && argument != "--json")
        .collect();

    Command::new(std::env::current_exe()?)
        .args(arguments)
        .args([IN_BACKGROUND, "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// Reads what the program in the background reports until it has started or failed.
async fn read_start(child: &mut Child) -> Result<StartedSystem, Failure> {
    let output = child.stdout.take().ok_or_else(ended_silently)?;

    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Message::Started(system)) => return Ok(system),
            Ok(Message::Error(failure)) => return Err(failure.into()),
            Ok(Message::Other) | Err(_) => {}
        }
    }
    Err(ended_silently())
}

fn ended_silently() -> Failure {
    let message = "the system ended while it was starting";
    Failure::new(Exit::Failed, codes::UP_NOT_READY, message)
        .with_hint("`ktrdr logs` shows what it logged; `ktrdr up` starts it in this terminal")
}

/// Takes back a start that the user has interrupted.
async fn end_background(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // It may have ended by itself just now.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    // It ends in its own time, which is bounded.
    let _ = child.wait().await;
}

fn report(system: &StartedSystem, are_named: bool, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let parts: Vec<_> = system
        .parts
        .iter()
        .map(|part| json!({"name": part.name, "state": part.state, "detail": part.detail}))
        .collect();
    output.json(&json!({
        "type": "result",
        "folder": system.folder.display().to_string(),
        "pid": system.pid,
        "parts": parts,
    }));
    for part in &system.parts {
        output.line(&board_line(&part.name, &part.state, &part.detail));
    }

    let folder = system.folder.display();
    let pid = system.pid;
    let faulty = system.parts.iter().find(|part| part.is_at_fault(are_named));
    let Some(part) = faulty else {
        output.note(&format!(
            "The system of {folder} runs in the background (process {pid})\nhint: `ktrdr logs -f` \
             shows what it does, `ktrdr down` stops it"
        ));
        return Ok(Exit::Done);
    };

    for line in last_lines(&log_of(&system.folder, &part.name)) {
        output.note(&format!("  | {line}"));
    }
    Err(not_ready(part, pid))
}

fn not_ready(part: &Part, pid: u32) -> Failure {
    let Part {
        name,
        state,
        detail,
    } = part;

    let message = match detail.as_str() {
        "" => format!("the {name} is {state}"),
        detail => format!("the {name} is {state}: {detail}"),
    };
    Failure::new(Exit::Failed, codes::UP_NOT_READY, message).with_hint(format!(
        "the other parts run (process {pid}); `ktrdr logs {name}` shows its log, `ktrdr down` \
         stops the system"
    ))
}

/// The last lines of a log; none where there is no log.
fn last_lines(log: &Path) -> Vec<String> {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_LINES);
    lines.into_iter().skip(first).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(state: &str, detail: &str) -> Part {
        Part {
            name: "trainer".to_owned(),
            state: state.to_owned(),
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn a_service_that_is_not_built_is_missed_only_by_name() {
        let unbuilt = part("absent", NOT_BUILT);
        assert!(!unbuilt.is_at_fault(false));
        assert!(unbuilt.is_at_fault(true));

        assert!(part("absent", "it refuses its settings").is_at_fault(false));
        assert!(part("restarting", "in 0.5 s, exit code 1").is_at_fault(false));
        assert!(!part("ready", "pid 7").is_at_fault(true));
    }
}
