//! `ktrdr workers`: the running workers with their work, and asking one to end.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use schemas::codes;
use schemas::ids::WorkerId;
use schemas::worker::WorkerInfo;
use serde_json::json;

use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure, join_with_commas};
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
    /// Ask a worker to take nothing new, to finish or hand back its steps, and to end
    Drain {
        /// Worker to drain
        worker: WorkerId,
    },
}

/// Runs the command.
///
/// # Errors
/// The server cannot be asked, or there is no such worker.
pub(crate) async fn run(args: &WorkersArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        Some(WorkersCommand::Drain { worker }) => drain_worker(worker, context).await,
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
    output.table(&HEADS, &rows);
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

/// `idle`, `busy 1/2`, `draining`.
fn state_text(worker: &WorkerInfo) -> String {
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

async fn drain_worker(worker: &WorkerId, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    if !bus.workers().is_alive(worker).await? {
        let message = format!("Worker not found: {worker}");
        return Err(Failure::new(Exit::NotFound, codes::OPS_NO_WORKER, message)
            .with_hint("`ktrdr workers list` shows the running workers"));
    }

    bus.workers().request_drain(worker).await?;
    // The program ends soon after: the request must have left by then.
    bus.flush().await?;

    context
        .output
        .json(&json!({"type": "result", "worker": worker, "state": "draining", "exit": 0}));
    context.output.line(&format!(
        "Asked {worker} to take nothing new; it ends when its steps are done or handed back"
    ));
    Ok(Exit::Done)
}
