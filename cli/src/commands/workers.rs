//! `ktrdr workers`: who is alive, what each works on, and asking one to take nothing new.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use schemas::codes;
use schemas::ids::WorkerId;
use schemas::worker::WorkerInfo;
use serde_json::json;

use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure};
use crate::context::Context;

/// `ktrdr workers`.
#[derive(Debug, Args)]
pub(crate) struct WorkersArgs {
    /// What to do; list when absent.
    #[command(subcommand)]
    command: Option<WorkersCommand>,
}

/// `ktrdr workers …`.
#[derive(Debug, Subcommand)]
enum WorkersCommand {
    /// List workers with what they work on
    List,
    /// Ask a worker to take nothing new, finish or hand back what it has, and end
    Drain {
        /// The worker
        worker: schemas::ids::WorkerId,
    },
}

/// `ktrdr workers …`.
pub(crate) async fn run(args: &WorkersArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        Some(WorkersCommand::Drain { worker }) => drain(context, worker).await,
        Some(WorkersCommand::List) | None => list(context).await,
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let workers = context.bus().await?.workers().list().await?;
    for worker in &workers {
        context
            .output
            .json(&serde_json::to_value(worker).unwrap_or_default());
    }
    if workers.is_empty() {
        context
            .output
            .note("No worker is running; `ktrdr up` starts a local system");
        return Ok(Exit::Done);
    }
    let now = Timestamp::now();
    let rows: Vec<_> = workers.iter().map(|worker| row(worker, now)).collect();
    context.output.table(
        &[
            "WORKER", "SERVICE", "LANES", "STATE", "DEVICE", "UP", "VERSION", "WORKS ON",
        ],
        &rows,
    );
    Ok(Exit::Done)
}

/// `idle`, `busy 1/2`, `draining`.
fn state(worker: &WorkerInfo) -> String {
    match (worker.draining, worker.current.len()) {
        (true, _) => "draining".to_owned(),
        (false, 0) => "idle".to_owned(),
        (false, busy) => format!("busy {busy}/{}", worker.slots),
    }
}

fn row(worker: &WorkerInfo, now: Timestamp) -> Vec<String> {
    let device = worker
        .device
        .as_ref()
        .map(|device| match device.name.as_str() {
            "" => device.kind.clone(),
            name => format!("{} {name}", device.kind),
        });
    let joined = |items: Vec<String>| {
        if items.is_empty() {
            "-".to_owned()
        } else {
            items.join(",")
        }
    };
    vec![
        worker.worker.to_string(),
        worker.service.to_string(),
        joined(worker.lanes.iter().map(ToString::to_string).collect()),
        state(worker),
        device.unwrap_or_else(|| "-".to_owned()),
        compact(after(worker.started_at, now)),
        worker.version.clone(),
        joined(worker.current.iter().map(ToString::to_string).collect()),
    ]
}

async fn drain(context: &Context, worker: &WorkerId) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    if !bus.workers().is_alive(worker).await? {
        return Err(Failure::new(
            Exit::NotFound,
            codes::OPS_NO_WORKER,
            format!("Worker not found: {worker}"),
        )
        .with_hint("`ktrdr workers list` shows the workers that are alive"));
    }
    bus.workers().request_drain(worker).await?;
    bus.flush().await?;
    context
        .output
        .json(&json!({"type": "result", "worker": worker, "state": "draining", "exit": 0}));
    context.output.line(&format!(
        "Asked {worker} to take nothing new; it ends when its steps are done or handed back"
    ));
    Ok(Exit::Done)
}
