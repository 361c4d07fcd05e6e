//! Standard output: the only place that writes to it, and what becomes of a write that fails.
//!
//! A reader that has seen enough closes its pipe, which is no error. Anything else that goes wrong,
//! a full disk above all, leaves a file that looks like a whole result: it is remembered, and the
//! program ends with it.

use std::io::{self, ErrorKind, Write as _};
use std::sync::OnceLock;

use schemas::codes;

use super::{Exit, Failure};

/// The first write that failed, in the words of the system.
static FAULT: OnceLock<String> = OnceLock::new();

/// Writes bytes as they are.
pub(crate) fn write_bytes(bytes: &[u8]) {
    remember(io::stdout().lock().write_all(bytes));
}

/// Writes a line.
pub(crate) fn write_line(text: &str) {
    remember(writeln!(io::stdout().lock(), "{text}"));
}

/// Writes what is still in memory, and says what was lost on the way; for the end of the program.
///
/// # Errors
/// A write failed, now or earlier, for another reason than a closed pipe.
pub(crate) fn finish() -> Result<(), Failure> {
    remember(io::stdout().lock().flush());

    // The command itself took its writes for done, so only this failure reveals the loss.
    let Some(fault) = FAULT.get() else {
        return Ok(());
    };
    let failure = Failure::new(
        Exit::Failed,
        codes::SYS_OUTPUT,
        "cannot write to standard output: what was written is not complete",
    );
    Err(Failure {
        causes: vec![fault.clone()],
        ..failure
    }
    .with_hint("make room on the disk, or send the output to another place"))
}

fn remember(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            // Only the first failure is told: what follows has the same cause.
            let _ = FAULT.set(error.to_string());
        }
        _ => {}
    }
}
