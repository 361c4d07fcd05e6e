//! `ktrdr up`: a whole local system with one command, ended in order by Ctrl+C.
//!
//! It starts a NATS server and every service binary found beside it, applies the topology, does the
//! housekeeping, and writes the context file by which all other commands find the system. What
//! crashes is started again with growing pauses.

mod board;
mod error;
mod folder;
mod monitor;
mod nats_server;
mod program;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use bus::topology::{Topology, TopologyOptions};
use futures::StreamExt as _;
use jiff::Timestamp;
use runtime::settings::{BusSettings, Profile, StoreSettings};
use schemas::ids::Service;
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use monitor::{Durability, read_durability};
pub(crate) use nats_server::find_nats_server;

use crate::console::{Exit, Failure, Interrupts};
use crate::context::{Context, ContextFile, DEFAULT_DIR, VARIABLE};
use board::{Board, State};
use error::UpError;
use folder::Folder;
use nats_server::{Addresses, NatsServer};
use program::Program;

/// How long a service may take to bring its steps to a checkpoint before it is killed.
const SERVICE_STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a command given after `--` waits for the services.
const COMMAND_WAIT: Duration = Duration::from_secs(20);

/// Starts a local system: NATS server, services, housekeeping
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Timing: test, dev or prod
    #[arg(long, default_value_t)]
    pub(crate) profile: Profile,
    /// Folder of the system: messages, objects, logs, context file
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pub(crate) dir: PathBuf,
    /// Object store: a folder or s3://bucket/prefix; without it the folder `objects` in --dir
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Services to start, separated by commas; without it all that are built
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) services: Option<Vec<Service>>,
    /// Port of the NATS server; without it any free one
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Run one command inside the system, then stop it and end with the command's exit code
    #[arg(value_name = "COMMAND", last = true)]
    pub(crate) command: Vec<String>,
}

/// Runs a local system until Ctrl+C, SIGTERM or the end of the command given after `--`; returns
/// the exit code.
///
/// # Errors
/// The system does not come up; nothing is left running then.
pub(crate) async fn run(args: &UpArgs, context: &Context) -> Result<Exit, Failure> {
    // Its log settings; the server and the store are its own.
    context.setup()?;
    let env = &context.environment;
    let working_directory = &context.working_directory;
    let mut interrupts = Interrupts::listen()?;
    let folder = Arc::new(Folder::claim(&working_directory.join(&args.dir))?);
    let board = Board::new();
    let shown = tokio::spawn(board::show(board.lines(), args.command.is_empty()));

    let code = run_in(
        args,
        env,
        working_directory,
        folder.clone(),
        &board,
        &mut interrupts,
    )
    .await;

    folder.forget();
    drop(board);
    // The last lines are written before the program ends.
    let _ = shown.await;
    Ok(match code? {
        0 => Exit::Done,
        code => Exit::OfCommand(code),
    })
}

async fn run_in(
    args: &UpArgs,
    env: &BTreeMap<String, String>,
    working_directory: &Path,
    folder: Arc<Folder>,
    board: &Board,
    interrupts: &mut Interrupts,
) -> Result<u8, UpError> {
    let binaries = binaries_folder(env);
    let store_url = store_url_of(args, &folder, working_directory);
    // Once, before five services fail at it one by one.
    Store::open(&store_url).await?.check_access().await?;

    let server = find_nats_server(env, &[&binaries, working_directory])?;
    let server = NatsServer::start(server, folder.clone(), args.port, board).await?;
    let context = context(args, store_url, server.addresses());
    let bus = connect_and_apply(&context).await?;
    let path = folder.context_file();
    context.write(&path).map_err(|source| UpError::Folder {
        path: path.clone(),
        source,
    })?;

    let (stop_services, stop_server) = (watch::Sender::new(false), watch::Sender::new(false));
    let server = tokio::spawn(server.supervise(board.clone(), stop_server.subscribe()));
    let mut services = JoinSet::new();
    for program in programs(args, &binaries, &context, board) {
        services.spawn(program.supervise(folder.clone(), board.clone(), stop_services.subscribe()));
    }
    services.spawn(run_housekeeper(
        bus.clone(),
        board.clone(),
        stop_services.subscribe(),
    ));
    let heard = tokio::spawn(watch_signs_of_life(bus.clone(), board.clone()));

    let code = wait(args, board, &path, interrupts).await;

    stop_services.send_replace(true);
    let ended = async { while services.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        _ = interrupts.next() => tracing::warn!("second request to stop: not waiting for the services"),
    }
    drop(services);
    heard.abort();
    drop(bus.flush().await);
    stop_server.send_replace(true);
    drop(server.await);
    code
}

/// Until a signal, or the end of the command given after `--`.
async fn wait(
    args: &UpArgs,
    board: &Board,
    context: &Path,
    interrupts: &mut Interrupts,
) -> Result<u8, UpError> {
    let Some((program, arguments)) = args.command.split_first() else {
        interrupts.next().await;
        return Ok(0);
    };
    drop(tokio::time::timeout(COMMAND_WAIT, board.wait_until_started()).await);
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .env(VARIABLE, context)
        .kill_on_drop(true);
    let spawned = command.spawn();
    let mut child = spawned.map_err(|source| UpError::Spawn {
        program: program.into(),
        source,
    })?;
    tokio::select! {
        ended = child.wait() => Ok(ended.ok().and_then(|status| u8::try_from(status.code()?).ok()).unwrap_or(1)),
        _ = interrupts.next() => {
            program::end(&mut child, SERVICE_STOP_TIMEOUT).await;
            Ok(130)
        }
    }
}

/// URL of the store that `--store` names, else of the folder `objects` of the system.
fn store_url_of(args: &UpArgs, folder: &Folder, working_directory: &Path) -> String {
    let objects = folder.path().join("objects").display().to_string();
    let store = StoreSettings {
        url: args.store.clone().unwrap_or(objects),
    };
    store.resolved(working_directory)
}

fn context(args: &UpArgs, store_url: String, addresses: &Addresses) -> ContextFile {
    ContextFile {
        v: ContextFile::VERSION,
        nats_url: addresses.nats_url(),
        store_url,
        profile: args.profile,
        monitor_url: addresses.monitor_url(),
        pid: std::process::id(),
        started_at: Timestamp::now(),
    }
}

async fn connect_and_apply(context: &ContextFile) -> Result<Bus, UpError> {
    let settings = BusSettings {
        url: context.nats_url.clone(),
        ..BusSettings::default()
    };
    let options = settings.connect_options("ktrdr-up", false);
    let topology = Topology::declare(context.profile, TopologyOptions::default());
    Bus::connect(&options)
        .await?
        .infra()
        .apply(&topology)
        .await?;

    // A connection takes its clocks from the server when it is made.
    Ok(Bus::connect(&options).await?)
}

/// Where the service binaries are: `$KTRDR_BIN_DIR`, else beside this program.
pub(crate) fn binaries_folder(env: &BTreeMap<String, String>) -> PathBuf {
    let named = env.get("KTRDR_BIN_DIR").map(PathBuf::from);
    let beside = || {
        std::env::current_exe()
            .ok()
            .and_then(|program| Some(program.parent()?.to_owned()))
    };
    named.or_else(beside).unwrap_or_default()
}

/// The binary of a service.
pub(crate) fn binary(folder: &Path, service: Service) -> PathBuf {
    folder.join(schemas::subjects::service_name(service))
}

/// What to do about a service that is not built.
pub(crate) fn not_built(service: Service) -> &'static str {
    if service == Service::Trainer {
        "not built: make trainer"
    } else {
        "not built: make build"
    }
}

/// The services to start; what is not built goes on the board only.
fn programs(args: &UpArgs, binaries: &Path, context: &ContextFile, board: &Board) -> Vec<Program> {
    let wanted = args
        .services
        .clone()
        .unwrap_or_else(|| Service::ALL.to_vec());
    let mut programs = Vec::new();
    for service in wanted {
        let path = binary(binaries, service);
        if !path.is_file() {
            board.set(
                service.as_str(),
                State::Absent {
                    reason: not_built(service).to_owned(),
                },
                "",
            );
            continue;
        }
        board.set(service.as_str(), State::Starting, "");
        let env = [
            ("KTRDR_BUS_URL", context.nats_url.clone()),
            ("KTRDR_STORE_URL", context.store_url.clone()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        programs.push(Program {
            name: service.to_string(),
            path,
            env,
            stop_timeout: SERVICE_STOP_TIMEOUT,
        });
    }
    programs
}

async fn run_housekeeper(bus: Bus, board: Board, stop: watch::Receiver<bool>) {
    board.set("housekeeping", State::Ready, "in this process");
    runtime::run_housekeeper(bus, format!("up-{}", std::process::id()), stop).await;
    board.set("housekeeping", State::Stopped, "");
}

/// A service is ready once its first sign of life arrives: its streams were checked and its queue
/// is open.
async fn watch_signs_of_life(bus: Bus, board: Board) {
    let Ok(mut signs) = bus.workers().watch_signs_of_life().await else {
        return;
    };
    while let Some(worker) = signs.next().await {
        if let Some((service, _)) = worker.as_str().split_once('-') {
            board.note_service(service);
        }
    }
}
