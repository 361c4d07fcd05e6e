//! A local system from its start to its end: server, topology, context file, services, and then
//! everything in the opposite order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use bus::identity::{Identity, Role};
use bus::topology::{Topology, TopologyOptions};
use futures::StreamExt as _;
use jiff::Timestamp;
use runtime::settings::{BusSettings, StoreSettings};
use schemas::ids::Service;
use serde_json::{Value, json};
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::UpArgs;
use super::binaries::{NOT_BUILT, binaries_folder, binary, config_flag};
use super::board::{Board, Line, State};
use super::error::UpError;
use super::folder::Folder;
use super::log_bound::keep_logs_bounded;
use super::nats_server::{Addresses, NatsServer, find_nats_server};
use super::program::{self, Program, wait_for_stop};
use crate::console::{Exit, Interrupts};
use crate::context::{
    Context, ContextFile, KeyFolder, ServicesPlace, VARIABLE, replace_private_file,
};

/// How long a service may take to bring its steps to a checkpoint before it is killed.
const SERVICE_STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the report of the start waits for the services: a trainer on a cold disk loads its
/// libraries for half a minute.
const REPORT_WAIT: Duration = Duration::from_secs(60);
/// How long a command given after `--` waits for the services.
const COMMAND_WAIT: Duration = Duration::from_secs(20);

/// Brings the system up, waits for its end, and takes it down.
///
/// # Errors
/// The system does not come up; nothing is left running then.
pub(super) async fn run_system(
    args: &UpArgs,
    context: &Context,
    folder: &Arc<Folder>,
    board: &Board,
    interrupts: &mut Interrupts,
) -> Result<Exit, UpError> {
    let binaries = binaries_folder(&context.environment);
    let store_url = store_url_of(args, folder, &context.working_directory)?;
    // Once, before five services fail at it one by one.
    let store = Store::open(&store_url).await?;
    store.check_access().await?;

    make_keys(&folder.keys())?;

    let places = [binaries.as_path(), &context.working_directory];
    let program = find_nats_server(&context.environment, &places)?;
    let starting = start_server(args, context, program, store_url, folder, board);
    let StartedServer {
        server,
        announced,
        bus,
    } = tokio::select! {
        started = starting => started?,
        // Nothing works on this server yet: it is killed with the value that is dropped here.
        _ = interrupts.next() => return Ok(Exit::Cancelled),
    };

    let stop_server = watch::Sender::new(false);
    let server = tokio::spawn(server.supervise(board.clone(), stop_server.subscribe()));
    let programs = programs_to_start(args, &binaries, &announced, folder, board);
    let mut services = RunningServices::start(programs, folder, board, &bus, store);

    let ended = match args.command.is_empty() {
        true => {
            let started = report_start(context, board, folder);
            tokio::select! {
                _ = interrupts.next() => {}
                () = started => {}
            }
            Ok(Exit::Done)
        }
        false => run_command(args, board, folder, interrupts).await,
    };

    // Services first: they bring their steps to a checkpoint on the server.
    services.stop(interrupts).await;
    let _ = bus.flush().await;
    stop_server.send_replace(true);
    let _ = server.await;
    ended
}

/// Makes the keys that are missing, and the file by which the server knows them.
fn make_keys(keys: &KeyFolder) -> Result<(), UpError> {
    for role in Role::all() {
        keys.ensure(&Identity::of(role))?;
    }
    Ok(keys.write_server_file()?)
}

/// URL of the store that `--store` names, else of the folder `objects` of the system.
fn store_url_of(
    args: &UpArgs,
    folder: &Folder,
    working_directory: &Path,
) -> Result<String, UpError> {
    let url = match &args.store {
        Some(url) => url.clone(),
        None => folder.make_objects()?.display().to_string(),
    };
    Ok(StoreSettings { url }.resolved(working_directory))
}

/// A server that other commands can find and use.
struct StartedServer {
    server: NatsServer,
    announced: ContextFile,
    bus: Bus,
}

async fn start_server(
    args: &UpArgs,
    context: &Context,
    program: PathBuf,
    store_url: String,
    folder: &Arc<Folder>,
    board: &Board,
) -> Result<StartedServer, UpError> {
    let server = NatsServer::start(program, folder.clone(), args.port, board).await?;
    let announced = describe_system(args, context, store_url, server.addresses(), folder);

    let bus = connect_and_apply(&announced, folder).await?;
    announce(&announced, folder)?;
    Ok(StartedServer {
        server,
        announced,
        bus,
    })
}

fn describe_system(
    args: &UpArgs,
    context: &Context,
    store_url: String,
    addresses: &Addresses,
    folder: &Folder,
) -> ContextFile {
    ContextFile {
        v: ContextFile::VERSION,
        nats_url: addresses.nats_url(),
        store_url,
        profile: args.profile,
        monitor_url: addresses.monitor_url(),
        pid: std::process::id(),
        started_at: Timestamp::now(),
        folder: Some(folder.path().to_owned()),
        folder_id: Some(folder.id().clone()),
        credentials: Some(folder.keys().path().to_owned()),
        services: Some(ServicesPlace {
            working_directory: context.working_directory.clone(),
            settings_file: context.named_settings_file(),
        }),
    }
}

/// Writes the context file, by which other commands find the system.
fn announce(system: &ContextFile, folder: &Folder) -> Result<(), UpError> {
    let path = folder.nats_context();
    let person = Identity::of(Role::Person);
    let nats_context = json!({
        "description": "a local system of KTRDR",
        "url": system.nats_url,
        "nkey": folder.keys().file_of(&person),
        "inbox_prefix": person.inbox(),
    });
    replace_private_file(&path, &format!("{nats_context:#}\n"))
        .map_err(|source| UpError::Folder { path, source })?;

    let path = folder.context_file();
    system
        .write(&path)
        .map_err(|source| UpError::Folder { path, source })
}

/// Connects to the server once its streams, buckets and consumers are there.
async fn connect_and_apply(system: &ContextFile, folder: &Folder) -> Result<Bus, UpError> {
    let settings = BusSettings {
        url: system.nats_url.clone(),
        credentials: Some(folder.keys().file_of(&Identity::of(Role::Infra))),
        ..BusSettings::default()
    };
    let options = settings.connect_options("ktrdr-up", false);
    let topology = Topology::declare(system.profile, TopologyOptions::default());
    let bus = Bus::connect(&options).await?;
    bus.infra().apply(&topology).await?;

    // A connection takes its clocks from the server when it is made.
    Ok(Bus::connect(&options).await?)
}

/// The services to start. One that is not built is shown on the board only.
fn programs_to_start(
    args: &UpArgs,
    binaries: &Path,
    system: &ContextFile,
    folder: &Folder,
    board: &Board,
) -> Vec<Program> {
    let services = match &args.services {
        Some(services) => services.clone(),
        None => Service::ALL.to_vec(),
    };
    let place = system.services.as_ref();
    let settings_file = place.and_then(|place| place.settings_file.as_deref());

    let mut programs = Vec::new();
    for service in services {
        let path = binary(binaries, service);
        // A host that cannot build the trainer can still run the others.
        if !path.is_file() {
            let reason = NOT_BUILT.to_owned();
            board.set(service.as_str(), State::Absent { reason }, "");
            continue;
        }
        board.set(service.as_str(), State::Starting, "");
        programs.push(Program {
            name: service.to_string(),
            path,
            arguments: config_flag(settings_file),
            env: variables_of(service, system, &folder.keys()),
            stop_timeout: SERVICE_STOP_TIMEOUT,
        });
    }
    programs
}

/// The settings by which a service joins this system. Its key is named and not passed: whoever may
/// list processes sees where it is, and nothing more.
fn variables_of(service: Service, system: &ContextFile, keys: &KeyFolder) -> Vec<(String, String)> {
    let key = keys.file_of(&Identity::of(Role::Service(service)));
    let variables = [
        ("KTRDR_BUS_URL", system.nats_url.clone()),
        ("KTRDR_BUS_CREDENTIALS", key.display().to_string()),
        ("KTRDR_STORE_URL", system.store_url.clone()),
    ];
    variables
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// The services and the housekeeper, each in a task of its own.
struct RunningServices {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl RunningServices {
    fn start(
        programs: Vec<Program>,
        folder: &Arc<Folder>,
        board: &Board,
        bus: &Bus,
        store: Store,
    ) -> Self {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for program in programs {
            tasks.spawn(program.supervise(folder.clone(), board.clone(), stop.subscribe()));
        }

        tasks.spawn(keep_logs_bounded(folder.clone(), stop.subscribe()));
        tasks.spawn(keep_house(
            bus.clone(),
            store,
            board.clone(),
            stop.subscribe(),
        ));
        tasks.spawn(note_signs_of_life(
            bus.clone(),
            board.clone(),
            stop.subscribe(),
        ));
        Self { tasks, stop }
    }

    /// Asks all to end and waits; a second signal ends the waiting, and the rest is killed.
    async fn stop(&mut self, interrupts: &mut Interrupts) {
        self.stop.send_replace(true);
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        tokio::select! {
            () = all_ended => {}
            _ = interrupts.next() => {
                tracing::warn!("second request to stop: not waiting for the services");
            }
        }
        self.tasks.abort_all();
    }
}

async fn keep_house(bus: Bus, store: Store, board: Board, stop: watch::Receiver<bool>) {
    board.set("housekeeping", State::Ready, "in this process");
    let owner = format!("up-{}", std::process::id());
    runtime::run_housekeeper(bus, store, owner, stop).await;
    board.set("housekeeping", State::Stopped, "");
}

/// A service is ready once its first sign of life arrives: its streams were checked and its queue
/// is open.
async fn note_signs_of_life(bus: Bus, board: Board, mut stop: watch::Receiver<bool>) {
    let Ok(mut signs) = bus.workers().watch_signs_of_life().await else {
        return;
    };

    loop {
        let worker = tokio::select! {
            worker = signs.next() => worker,
            () = wait_for_stop(&mut stop) => None,
        };
        let Some(worker) = worker else { return };

        // A worker's id begins with its service.
        if let Some((service, _)) = worker.as_str().split_once('-') {
            board.note_service(service);
        }
    }
}

/// Reports to programs, once, how every part has started; then waits for ever.
async fn report_start(context: &Context, board: &Board, folder: &Folder) {
    let _ = tokio::time::timeout(REPORT_WAIT, board.wait_until_started()).await;

    let parts: Vec<Value> = board.lines().borrow().iter().map(Line::json).collect();
    context.output.json(&json!({
        "type": "started",
        "folder": folder.path(),
        "pid": std::process::id(),
        "parts": parts,
    }));
    std::future::pending().await
}

/// Runs the command given after `--` to its end, or to a signal.
async fn run_command(
    args: &UpArgs,
    board: &Board,
    folder: &Folder,
    interrupts: &mut Interrupts,
) -> Result<Exit, UpError> {
    let Some((program, arguments)) = args.command.split_first() else {
        return Ok(Exit::Done);
    };

    // A service that does not start in time must not keep the command from running: it says itself
    // what it misses.
    let _ = tokio::time::timeout(COMMAND_WAIT, board.wait_until_started()).await;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env(VARIABLE, folder.context_file())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| UpError::Spawn {
            program: program.into(),
            source,
        })?;

    tokio::select! {
        ended = child.wait() => Ok(exit_of_command(ended.ok().and_then(|status| status.code()))),
        _ = interrupts.next() => {
            program::end(&mut child, SERVICE_STOP_TIMEOUT).await;
            Ok(Exit::Cancelled)
        }
    }
}

/// The exit code of the command; 1 where a signal ended it.
fn exit_of_command(code: Option<i32>) -> Exit {
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Exit::Done,
        Some(code) => Exit::OfCommand(code),
        None => Exit::Failed,
    }
}
