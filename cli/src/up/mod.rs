//! `ktrdr up`: a whole local system with one command, ended in order by Ctrl+C.
//!
//! It starts a NATS server and every service binary next to this program, applies the topology,
//! does the housekeeping, and writes the context file by which all other commands find the system.
//! What crashes is started again with growing pauses.

mod binaries;
mod board;
mod error;
mod folder;
mod monitor;
mod nats_server;
mod program;
mod system;

use std::path::PathBuf;
use std::sync::Arc;

use runtime::settings::Profile;
use schemas::ids::Service;

pub(crate) use binaries::{binaries_folder, binary, not_built};
pub(crate) use monitor::{Durability, read_durability};
pub(crate) use nats_server::find_nats_server;

use crate::console::{Exit, Failure, Interrupts};
use crate::context::{Context, DEFAULT_DIR};
use board::Board;
use folder::Folder;

/// Starts a local system: NATS server, services, housekeeping
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Timing: test, dev or prod
    #[arg(long, default_value_t)]
    profile: Profile,
    /// Folder of the system: messages, objects, logs, context file
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    dir: PathBuf,
    /// Object store: a folder or s3://bucket/prefix; without it the folder `objects` in --dir
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Services to start, separated by commas; without it all that are built
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    services: Option<Vec<Service>>,
    /// Port of the NATS server; without it any free one
    #[arg(long)]
    port: Option<u16>,
    /// Run one command inside the system, then stop it and end with the command's exit code
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
}

/// Runs a local system until Ctrl+C, SIGTERM or the end of the command given after `--`, whose exit
/// code is that of the program.
///
/// # Errors
/// The system does not come up; nothing is left running then.
pub(crate) async fn run(args: &UpArgs, context: &Context) -> Result<Exit, Failure> {
    // Only to log as the settings say: the server and the store are its own.
    context.setup()?;
    let mut interrupts = Interrupts::listen()?;
    let folder = Arc::new(Folder::claim(&context.working_directory.join(&args.dir))?);
    let board = Board::new();
    let drawing = tokio::spawn(board::show(board.lines(), args.command.is_empty()));

    let ended = system::run_system(args, context, &folder, &board, &mut interrupts).await;

    folder.forget();
    // The drawing ends with the last board; its last lines are written before the program ends.
    drop(board);
    let _ = drawing.await;
    Ok(ended?)
}
