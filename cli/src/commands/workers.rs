//! `ktrdr workers`: the running workers with their work, and asking one to end.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use schemas::codes;
use schemas::ids::{Service, WorkerId};
use schemas::spelling::nearest_name;
use schemas::worker::WorkerInfo;
use serde_json::json;

use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure, count_of, join_with_commas};
use crate::context::Context;

const HEADS: [&str; 8] = [
    "WORKER", "SERVICE", "LANES", "STATE", "DEVICE", "UP", "VERSION", "WORKS ON",
];

/// `ktrdr workers`.
#[derive(Debug, Args)]
pub(crate) struct WorkersArgs {
    /// The command; list when absent.
    #[command(subcommand)]
    command: Option<WorkersCommand>,
}

/// `ktrdr workers …`.
#[derive(Debug, Subcommand)]
enum WorkersCommand {
    /// List the running workers with the steps they work on
    List,
    /// Show everything that a worker says about itself
    Show {
        /// Worker to show
        worker: WorkerId,
    },
    /// Ask workers to take nothing new, to finish or hand back their steps, and to end
    Drain(DrainArgs),
}

/// `ktrdr workers drain`.
#[derive(Debug, Args)]
struct DrainArgs {
    /// Workers to drain
    #[arg(required_unless_present = "all")]
    workers: Vec<WorkerId>,
    /// Drain every worker
    #[arg(long, conflicts_with = "workers")]
    all: bool,
    /// With --all: drain the workers of this service only
    #[arg(long, requires = "all", value_name = "SERVICE")]
    service: Option<Service>,
}

/// Runs the command.
///
/// # Errors
/// The server cannot be asked, or a named worker does not run.
pub(crate) async fn run(args: &WorkersArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        Some(WorkersCommand::Show { worker }) => show_worker(worker, context).await,
        Some(WorkersCommand::Drain(args)) => drain_workers(args, context).await,
        Some(WorkersCommand::List) | None => list_workers(context).await,
    }
}

async fn list_workers(context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let workers = context.bus().await?.workers().list().await?;
    if workers.is_empty() {
        output.note("No worker is running; `ktrdr up` starts a local system");
        return Ok(Exit::Done);
    }

    // One instant for all rows: ages of one list must be comparable.
    let now = Timestamp::now();
    let mut rows = Vec::with_capacity(workers.len());
    for worker in &workers {
        output.json(&serde_json::to_value(worker).unwrap_or_default());
        rows.push(worker_row(worker, now));
    }
    output.table_with_remarks(&HEADS, &rows);
    Ok(Exit::Done)
}

fn worker_row(worker: &WorkerInfo, now: Timestamp) -> Vec<String> {
    vec![
        worker.worker.to_string(),
        worker.service.to_string(),
        or_dash(join_with_commas(&worker.lanes)),
        state_text(worker),
        or_dash(device_text(worker)),
        compact(after(worker.started_at, now)),
        worker.version.clone(),
        or_dash(join_with_commas(&worker.current)),
    ]
}

/// `idle`, `busy 1/2`, `draining`, `degraded`.
fn state_text(worker: &WorkerInfo) -> String {
    if worker.degraded.is_some() {
        return "degraded".to_owned();
    }

    match (worker.draining, worker.current.len()) {
        (true, _) => "draining".to_owned(),
        (false, 0) => "idle".to_owned(),
        (false, busy) => format!("busy {busy}/{}", worker.slots),
    }
}

/// `cuda H100`, `cpu`; empty for a worker that reports no device.
fn device_text(worker: &WorkerInfo) -> String {
    match &worker.device {
        Some(device) => format!("{} {}", device.kind, device.name)
            .trim_end()
            .to_owned(),
        None => String::new(),
    }
}

fn or_dash(text: String) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text
}

async fn show_worker(worker: &WorkerId, context: &Context) -> Result<Exit, Failure> {
    let workers = context.bus().await?.workers().list().await?;
    let info = workers
        .iter()
        .find(|info| info.worker == *worker)
        .ok_or_else(|| worker_not_found(worker, &workers))?;
    let output = &context.output;
    output.json(&serde_json::to_value(info).unwrap_or_default());

    let now = Timestamp::now();
    let mut facts = vec![
        ("Worker", info.worker.to_string()),
        (
            "Service",
            format!("{}, version {}", info.service, info.version),
        ),
        ("Lanes", or_dash(join_with_commas(&info.lanes))),
        ("State", state_text(info)),
        ("Device", or_dash(device_text(info))),
        ("Host", host_text(info)),
        ("Up", compact(after(info.started_at, now))),
        ("Works on", or_dash(join_with_commas(&info.current))),
    ];
    if let Some(reason) = &info.degraded {
        facts.push(("Degraded", reason.clone()));
    }
    for (name, value) in &facts {
        output.line(&format!("{name:<9} {value}"));
    }
    Ok(Exit::Done)
}

/// `gpu-host, process 4711, 16 cores, 128.0 GiB of memory`.
fn host_text(worker: &WorkerInfo) -> String {
    let mut parts = vec![worker.host.clone(), format!("process {}", worker.pid)];
    if worker.cores > 0 {
        parts.push(count_of(usize::from(worker.cores), "core"));
    }
    if worker.memory_bytes > 0 {
        let gibibytes = worker.memory_bytes as f64 / f64::from(1_u32 << 30);
        parts.push(format!("{gibibytes:.1} GiB of memory"));
    }
    parts.join(", ")
}

fn worker_not_found(worker: &WorkerId, workers: &[WorkerInfo]) -> Failure {
    let names = workers.iter().map(|info| info.worker.as_str());
    let message = match nearest_name(worker.as_str(), names) {
        Some(name) => format!("Worker not found: {worker}; did you mean {name}?"),
        None => format!("Worker not found: {worker}"),
    };

    Failure::new(Exit::NotFound, codes::OPS_NO_WORKER, message)
        .with_hint("`ktrdr workers list` shows the running workers")
}

async fn drain_workers(args: &DrainArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    let running = bus.workers().list().await?;

    // Every name is checked first, so that a wrong one drains nobody.
    let chosen = choose_workers(args, &running)?;
    for worker in &chosen {
        bus.workers().request_drain(worker).await?;
    }
    // The program ends soon after: the requests must have left by then.
    bus.flush().await?;

    let output = &context.output;
    if chosen.is_empty() {
        output.note("No worker is running that could drain");
    }
    for worker in &chosen {
        output.json(&json!({"type": "result", "worker": worker, "state": "draining", "exit": 0}));
        output.line(&format!(
            "Asked {worker} to take nothing new; it ends when its steps are done or handed back"
        ));
    }
    Ok(Exit::Done)
}

fn choose_workers(args: &DrainArgs, running: &[WorkerInfo]) -> Result<Vec<WorkerId>, Failure> {
    if !args.all {
        for worker in &args.workers {
            if !running.iter().any(|info| info.worker == *worker) {
                return Err(worker_not_found(worker, running));
            }
        }
        return Ok(args.workers.clone());
    }

    let of_service =
        |info: &&WorkerInfo| args.service.is_none_or(|service| info.service == service);
    Ok(running
        .iter()
        .filter(of_service)
        .map(|info| info.worker.clone())
        .collect())
}
