//! The `ktrdr` program: read the command line, run the command, end with its exit code.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse_from(std::env::args_os()) {
        Ok(line) => cli::run(&line),
        Err(text) => show_text(&text),
    }
}

/// Shows help, the version, or what is wrong with the command line.
fn show_text(text: &clap::Error) -> ExitCode {
    let written = text.print().and_then(|()| std::io::stdout().flush());
    let code = u8::try_from(text.exit_code()).unwrap_or(2);

    match written {
        // A closed pipe is a reader that has seen enough; a full disk is not.
        Err(error) if error.kind() != ErrorKind::BrokenPipe && !text.use_stderr() => {
            let _ = writeln!(
                std::io::stderr(),
                "error: cannot write to standard output: {error}"
            );
            ExitCode::FAILURE
        }
        _ => ExitCode::from(code),
    }
}
