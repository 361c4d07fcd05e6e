//! The life of a service process, so that each service's `main` is one call: settings, logs, bus,
//! store, serve, drain.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use bus::identity::Tenant;
use bus::{Bus, ConnectOptions};
use clap::{Args, FromArgMatches};
use schemas::codes::Advice;
use schemas::errors::chain;
use schemas::ids::Service;
use schemas::subjects::service_name;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exposition::Exposition;
use crate::handler::StepHandler;
use crate::meters;
use crate::service_args::ServiceArgs;
use crate::settings::{
    ListenAddress, LoadedSettings, ServiceSettings, Setting, WorkSettings, process_environment,
};
use crate::stop::shutdown_requested;
use crate::traces;
use crate::vitals::Vitals;
use crate::worker::{WorkerOptions, serve};

/// Wrong usage, or settings that are not valid.
const EXIT_USAGE: u8 = 2;
/// The service could not start, or ended before it was asked to.
const EXIT_FAILED: u8 = 1;

/// The parts from which a service builds its handler.
pub struct Start<Own: Default> {
    /// All settings of the process.
    pub settings: ServiceSettings<Own>,
    /// The bus, connected.
    pub bus: Bus,
    /// The object store, opened.
    pub store: Store,
    /// Options of the worker, from the settings; may be changed.
    pub options: WorkerOptions,
}

/// An error with what to do next, for the last line of a process.
#[derive(Debug)]
pub struct Fatal {
    /// What failed, with its causes.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Fatal {
    /// From an error and its hint.
    pub fn new(error: &dyn std::error::Error, hint: impl Into<String>) -> Self {
        Self {
            message: chain(error),
            hint: hint.into(),
        }
    }
}

/// Runs a service until SIGTERM or Ctrl+C. Exit code 0 after a clean drain, 1 after a failure, 2
/// for wrong settings.
pub fn run<Own, H>(
    service: Service,
    about: &'static str,
    build: impl FnOnce(Start<Own>) -> Result<(H, Start<Own>), Fatal>,
) -> ExitCode
where
    Own: Default + Serialize + DeserializeOwned,
    H: StepHandler,
{
    // Once per process; clap wants a name that lives as long.
    let name: &'static str = service_name(service).leak();
    // The flags have a text of their own, which must not stand for that of the service.
    let command = ServiceArgs::augment_args(clap::Command::new(name))
        .about(about)
        .version(env!("CARGO_PKG_VERSION"));
    let matches = command.get_matches();
    let args = ServiceArgs::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());

    let loaded = match load_settings::<Own>(service, &args) {
        Ok(loaded) => loaded,
        Err(fatal) => return exit_with(&fatal, EXIT_USAGE),
    };
    if args.check {
        return show_settings(&match args.json {
            true => json_lines(&loaded.entries),
            false => loaded.to_string(),
        });
    }

    let executor = match tokio::runtime::Runtime::new() {
        Ok(executor) => executor,
        Err(error) => {
            let fatal = Fatal::new(&error, "the host may be out of threads");
            return exit_with(&fatal, EXIT_FAILED);
        }
    };
    let ended = executor.block_on(serve_until_signal(service, about, loaded, build));
    // Work that ignores its stop token must not keep the process.
    executor.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => exit_with(&fatal, EXIT_FAILED),
    }
}

fn json_lines(entries: &[Setting]) -> String {
    let lines = entries
        .iter()
        .map(|entry| match serde_json::to_string(entry) {
            Ok(line) => line + "\n",
            // Texts always have a JSON form.
            Err(_) => String::new(),
        });
    lines.collect()
}

/// Writes the settings to standard output. A closed pipe is a reader that has seen enough; a full
/// disk is not.
fn show_settings(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());

    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let fatal = Fatal::new(&error, "standard output cannot be written");
            exit_with(&fatal, EXIT_FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

fn exit_with(fatal: &Fatal, code: u8) -> ExitCode {
    let mut text = format!("error: {}\n", fatal.message);
    if !fatal.hint.is_empty() {
        text.push_str(&format!("hint: {}\n", fatal.hint));
    }

    // Nobody is left to hear that this cannot be written.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}

fn load_settings<Own>(
    service: Service,
    args: &ServiceArgs,
) -> Result<LoadedSettings<ServiceSettings<Own>>, Fatal>
where
    Own: Default + Serialize + DeserializeOwned,
{
    let env = process_environment();
    let here = std::env::current_dir()
        .map_err(|error| Fatal::new(&error, "the working directory is gone"))?;
    let defaults = ServiceSettings::<Own>::default();
    let mut loaded = args
        .load(service.as_str(), &defaults, &env, &here)
        .map_err(|error| Fatal::new(&error, error.hint()))?;

    // Made absolute here, so that logs and errors name the folder that is meant.
    loaded.value.store.url = loaded.value.store.resolved(&here);
    Ok(loaded)
}

async fn serve_until_signal<Own, H>(
    service: Service,
    about: &'static str,
    loaded: LoadedSettings<ServiceSettings<Own>>,
    build: impl FnOnce(Start<Own>) -> Result<(H, Start<Own>), Fatal>,
) -> Result<(), Fatal>
where
    Own: Default,
    H: StepHandler,
{
    let settings = loaded.value;
    crate::telemetry::init(&settings.log).map_err(|error| Fatal::new(&error, error.hint()))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }

    begin_traces(service);

    // Before all that may take long: whoever watches sees the process wait.
    let vitals = Vitals::default();
    let address = settings.service.metrics_address;
    let _exposition = start_exposition(service, address, &vitals).await?;

    let shutdown = shutdown_on_signal()?;
    observe_store();
    let store = open_store(&settings.store.url).await?;
    let connect_options = settings.bus.connect_options(&service_name(service), true);
    let Some(bus) = connect(&connect_options, shutdown.clone()).await? else {
        return Ok(());
    };
    claim_store(&store, &bus).await?;

    let options = worker_options(service, about, &settings.service, vitals);
    let (handler, start) = build(Start {
        settings,
        bus,
        store,
        options,
    })?;

    let served = serve(start.bus, start.store, handler, start.options, shutdown).await;
    traces::flush().await;
    served.map_err(|error| Fatal::new(&error, error.hint()))
}

fn worker_options<Own>(
    service: Service,
    about: &'static str,
    work: &WorkSettings<Own>,
    vitals: Vitals,
) -> WorkerOptions {
    let defaults = WorkerOptions::new(service);

    WorkerOptions {
        about,
        lanes: work.lanes.choose(&defaults.lanes),
        slots: work.slots.get(),
        drain_timeout: work.drain_timeout,
        retry: work.retry,
        vitals,
        ..defaults
    }
}

/// Sends spans from now on, where the environment says so.
fn begin_traces(service: Service) {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let instance = format!("{}-{}", host.to_string_lossy(), std::process::id());
    traces::begin(&service_name(service), &instance);
}

/// Connects to a server, which may not be there yet, but waits no longer than until the shutdown:
/// then there is no connection.
async fn connect(
    options: &ConnectOptions,
    mut shutdown: watch::Receiver<bool>,
) -> Result<Option<Bus>, Fatal> {
    tokio::select! {
        bus = Bus::connect(options) => match bus {
            Ok(bus) => Ok(Some(bus)),
            Err(error) => Err(Fatal::new(&error, error.hint())),
        },
        () = shutdown_requested(&mut shutdown) => Ok(None),
    }
}

/// Counts from now on and shows the figures, where the settings say so.
async fn start_exposition(
    service: Service,
    address: Option<ListenAddress>,
    vitals: &Vitals,
) -> Result<Option<Exposition>, Fatal> {
    let Some(address) = address else {
        return Ok(None);
    };
    meters::begin(service.as_str())
        .map_err(|error| Fatal::new(&error, "report this as a defect"))?;

    match Exposition::start(address.0, vitals.clone()).await {
        Ok(exposition) => Ok(Some(exposition)),
        Err(error) => Err(Fatal {
            message: format!("metrics cannot be served at {address}: {error}"),
            hint: "choose another port, as in --set metrics_address=9465; 0 is any free one".into(),
        }),
    }
}

/// Has the requests to the store seen, where somebody counts or traces them.
fn observe_store() {
    if meters::is_on() || traces::is_on() {
        store::observe_requests(|request| {
            meters::store_asked(request);
            traces::store_asked(request);
        });
    }
}

/// Opens the store and asks it something: a worker without its store would take work only to fail.
async fn open_store(url: &str) -> Result<Store, Fatal> {
    let store = Store::open(url)
        .await
        .map_err(|error| Fatal::new(&error, error.hint()))?;

    let is_usable = async {
        store.check_access().await?;
        // The keys of series name these calendars.
        store.calendars().load().await
    };
    match is_usable.await {
        Ok(()) => Ok(store),
        Err(error) => Err(Fatal::new(&error, error.hint())),
    }
}

/// Refuses a store of another system than that of the key by which we are connected.
async fn claim_store(store: &Store, bus: &Bus) -> Result<(), Fatal> {
    let tenant = bus.tenant().map(Tenant::as_str);
    let claimed = store.claim_for_tenant(tenant).await;
    claimed.map_err(|error| Fatal::new(&error, error.hint()))
}

/// Becomes true at the first SIGTERM or Ctrl+C. A second one ends the process at once: the steps
/// come back by themselves.
fn shutdown_on_signal() -> Result<watch::Receiver<bool>, Fatal> {
    let hint = "signals cannot be handled on this host";
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Fatal::new(&error, hint))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| Fatal::new(&error, hint))?;

    // Never joined: the second signal may come at any time until the process ends.
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                tracing::info!("shutting down; once more to end at once");
                sender.send_replace(true);
            } else {
                std::process::exit(1);
            }
        }
    });
    Ok(receiver)
}
