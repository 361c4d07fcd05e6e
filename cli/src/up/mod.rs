//! `ktrdr up`: a whole local system with one command, ended in order by Ctrl+C, SIGTERM
//! or the end of its terminal.
//!
//! It starts a NATS server and every service binary next to this program, applies the topology,
//! does the housekeeping, and writes the context file by which all other commands find the system.
//! What crashes is started again with growing pauses.

mod background;
mod binaries;
mod board;
mod error;
mod folder;
mod inner_command;
mod log_bound;
mod monitor;
mod nats_server;
mod ports;
mod processes;
mod program;
mod show;
mod stop;
mod system;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::settings::Profile;
use schemas::ids::Service;

pub(crate) use binaries::{NOT_BUILT, binaries_folder, binary, config_flag};
pub(crate) use folder::logs_of;
pub(crate) use monitor::{Durability, read_durability};
pub(crate) use nats_server::find_nats_server;
pub(crate) use stop::{StoppedSystem, stop_first};

use crate::console::{Exit, Failure, Interrupts};
use crate::context::{Context, DEFAULT_DIR, SystemHolder, folders_above, holder_of, lock_of};
use board::Board;
use error::UpError;
use folder::Folder;
use show::Screen;

/// Starts a local system: NATS server, services, housekeeping
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Timing: test, dev or prod
    #[arg(long, default_value_t)]
    profile: Profile,
    /// Folder of the system: messages, objects, logs, context file; without it `.ktrdr` here,
    /// unless a system runs in a folder above
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Object store: a folder or s3://bucket/prefix; without it the folder `objects` in --dir
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Services to start, separated by commas; without it all that are built
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    services: Option<Vec<Service>>,
    /// Port of the NATS server; without it the one of the last time, else any free one
    #[arg(long)]
    port: Option<u16>,
    /// Start in the background, and return when all services are ready
    #[arg(long, conflicts_with = "command")]
    detach: bool,
    /// Set for the program in the background, by the one that starts it
    #[arg(long, hide = true)]
    in_background: bool,
    /// Run one command inside the system, then stop it and end with the command's exit code
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
}

/// Runs a local system until Ctrl+C, SIGTERM, the end of its terminal, or the end of the command
/// given after `--`, whose exit code is that of the program.
///
/// # Errors
/// The system does not come up; nothing is left running then.
pub(crate) async fn run(args: &UpArgs, context: &Context) -> Result<Exit, Failure> {
    // Only to log as the settings say: the server and the store are its own.
    context.start_logging_without_system()?;
    if args.detach {
        return background::start_in_background(context, args.services.is_some()).await;
    }

    if args.in_background {
        // It may have no terminal to leave, which is what is wanted.
        let _ = nix::unistd::setsid();
    }
    let mut interrupts = Interrupts::listen()?;
    let dir = folder_of(args, &context.working_directory)?;
    if let Some(command) = args.command.first() {
        inner_command::find_command(command, &context.environment, &context.working_directory)?;
    }
    run_in_folder(args, context, &dir, &mut interrupts).await
}

async fn run_in_folder(
    args: &UpArgs,
    context: &Context,
    dir: &Path,
    interrupts: &mut Interrupts,
) -> Result<Exit, Failure> {
    let folder = Arc::new(Folder::claim(dir).await?);
    let log = folder.open_log("up")?;
    if args.in_background {
        // From here on warnings have a place; without it they are lost, and nothing else.
        let _ = rustix::stdio::dup2_stderr(&log);
    }
    let screen = match (args.in_background, args.command.is_empty()) {
        (true, _) => Screen::Nowhere,
        (false, true) => Screen::Live,
        (false, false) => Screen::Plain,
    };

    let board = Board::new();
    let drawing = tokio::spawn(show::show(board.lines(), screen, log));
    let ended = system::run_system(args, context, &folder, &board, interrupts).await;

    folder.forget();
    // The drawing ends with the last board; its last lines are written before the program ends.
    drop(board);
    let _ = drawing.await;
    Ok(ended?)
}

/// The folder that `--dir` names, else `.ktrdr` of the working folder: unless a system runs above,
/// which is more likely the one that is meant.
fn folder_of(args: &UpArgs, working_directory: &Path) -> Result<PathBuf, UpError> {
    let folder = working_directory.join(args.dir.as_deref().unwrap_or(Path::new(DEFAULT_DIR)));

    // One that has run here before is no accident.
    if args.dir.is_some() || lock_of(&folder).exists() {
        return Ok(folder);
    }
    for above in folders_above(working_directory) {
        if let SystemHolder::Up(owner) = holder_of(&above) {
            return Err(UpError::Above { dir: above, owner });
        }
    }
    Ok(folder)
}
