//! The `ktrdr` program: read the command line, run the command, end with its exit code.

use std::process::ExitCode;

use clap::Parser as _;
use cli::CommandLine;

fn main() -> ExitCode {
    cli::run(&CommandLine::parse())
}
