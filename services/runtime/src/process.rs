//! The life of a service process, so that each service's `main` is one call: settings, logs, bus,
//! store, serve, drain.

use std::collections::BTreeMap;
use std::process::ExitCode;

use bus::Bus;
use clap::{Args, FromArgMatches};
use schemas::errors::chain;
use schemas::ids::{Lane, Service};
use schemas::subjects::service_name;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::handler::StepHandler;
use crate::service_args::ServiceArgs;
use crate::settings::{ServiceSettings, Settled};
use crate::worker::{WorkerOptions, serve};

/// Wrong usage, or settings that are not valid.
const EXIT_USAGE: u8 = 2;

/// What a service gets to build its handler from.
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
    let name: &'static str = service_name(service).leak();
    let command = clap::Command::new(name)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"));
    let matches = ServiceArgs::augment_args(command).get_matches();
    let args = ServiceArgs::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let settled = match settle::<Own>(service, &args) {
        Ok(settled) => settled,
        Err(fatal) => return failed(&fatal, EXIT_USAGE),
    };
    if args.check {
        print!("{settled}");
        return ExitCode::SUCCESS;
    }
    match tokio::runtime::Runtime::new() {
        Ok(executor) => match executor.block_on(live(service, about, settled.value, build)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(fatal) => failed(&fatal, 1),
        },
        Err(error) => failed(&Fatal::new(&error, "the host may be out of threads"), 1),
    }
}

fn failed(fatal: &Fatal, code: u8) -> ExitCode {
    eprintln!("error: {}", fatal.message);
    if !fatal.hint.is_empty() {
        eprintln!("hint: {}", fatal.hint);
    }
    ExitCode::from(code)
}

fn settle<Own>(service: Service, args: &ServiceArgs) -> Result<Settled<ServiceSettings<Own>>, Fatal>
where
    Own: Default + Serialize + DeserializeOwned,
{
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let here = std::env::current_dir()
        .map_err(|error| Fatal::new(&error, "the working directory is gone"))?;
    let defaults = ServiceSettings::<Own>::default();
    let settled = args.settle(service.as_str(), &defaults, &env, &here);
    let mut settled = settled.map_err(|error| Fatal::new(&error, error.hint()))?;
    settled.value.store.url = settled.value.store.resolved(&here);
    if settled.value.service.lanes.len() != 1 {
        let message = "a worker serves exactly one lane for now".to_owned();
        return Err(Fatal {
            message,
            hint: "set lanes to one of default, gpu, background".to_owned(),
        });
    }
    Ok(settled)
}

async fn live<Own, H>(
    service: Service,
    about: &'static str,
    settings: ServiceSettings<Own>,
    build: impl FnOnce(Start<Own>) -> Result<(H, Start<Own>), Fatal>,
) -> Result<(), Fatal>
where
    Own: Default,
    H: StepHandler,
{
    crate::telemetry::init(&settings.log).map_err(|error| Fatal::new(&error, error.hint()))?;
    let shutdown = shutdown_on_signal()?;
    let connect = settings.bus.connect_options(&service_name(service), true);
    let store = open_store(&settings.store.url).await?;
    let bus = tokio::select! {
        bus = Bus::connect(&connect) => bus.map_err(|error| Fatal::new(&error, error.hint()))?,
        () = until_true(shutdown.clone()) => return Ok(()),
    };
    let options = WorkerOptions {
        about,
        lane: settings
            .service
            .lanes
            .first()
            .copied()
            .unwrap_or(Lane::Default),
        slots: settings.service.slots.get(),
        drain_timeout: settings.service.drain_timeout,
        ..WorkerOptions::new(service, settings.bus.profile)
    };
    let (handler, start) = build(Start {
        settings,
        bus,
        store,
        options,
    })?;
    let served = serve(start.bus, start.store, handler, start.options, shutdown).await;
    served.map_err(|error| Fatal::new(&error, error.hint()))
}

/// Opens the store and asks it something: a worker without its store would take work only to fail.
async fn open_store(url: &str) -> Result<Store, Fatal> {
    let store = Store::open(url)
        .await
        .map_err(|error| Fatal::new(&error, error.hint()))?;
    match store.check_access().await {
        Ok(()) => Ok(store),
        Err(error) => Err(Fatal::new(&error, error.hint())),
    }
}

async fn until_true(mut shutdown: watch::Receiver<bool>) {
    drop(shutdown.wait_for(|shutdown| *shutdown).await);
}

/// Becomes true at the first SIGTERM or Ctrl+C. A second one ends the process at once: the steps
/// come back by themselves.
fn shutdown_on_signal() -> Result<watch::Receiver<bool>, Fatal> {
    let hint = "signals cannot be handled on this host";
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Fatal::new(&error, hint))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| Fatal::new(&error, hint))?;
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
