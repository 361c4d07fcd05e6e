//! `ktrdr workers`: the running workers with their work, and asking one to end.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use schemas::acts::Deed;
use schemas::codes;
use schemas::ids::{Service, WorkerId};
use schemas::progress::GpuFacts;
use schemas::spelling::nearest_name;
use schemas::worker::WorkerInfo;
use serde_json::json;

use crate::console::durations::{after, compact};
use crate::console::{Exit, Failure, count_of, gibibytes, join_with_commas};
use crate::context::Context;
use crate::inputs::acts::note_act;

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
    List(ListArgs),
    /// Show everything that a worker says about itself
    Show {
        /// Worker to show
        worker: WorkerId,
    },
    /// Ask workers to take nothing new, to finish or hand back their steps, and to end
    Drain(DrainArgs),
}

/// `ktrdr workers list`.
#[derive(Debug, Default, Args)]
struct ListArgs {
    /// List the workers of this host only, and end with exit code 4 if there is none: for probes
    #[arg(long)]
    here: bool,
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
        Some(WorkersCommand::List(args)) => list_workers(args, context).await,
        None => list_workers(&ListArgs::default(), context).await,
    }
}

async fn list_workers(args: &ListArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let mut workers = context.bus().await?.workers().list().await?;
    if args.here {
        keep_those_of(&this_host(), &mut workers)?;
    }
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

/// Keeps the workers of one host; a failure where it has none.
fn keep_those_of(host: &str, workers: &mut Vec<WorkerInfo>) -> Result<(), Failure> {
    workers.retain(|worker| worker.host == host);
    if !workers.is_empty() {
        return Ok(());
    }

    let message = format!("No worker of the host {host} is alive");
    Err(
        Failure::new(Exit::NotFound, codes::OPS_NO_WORKER, message).with_hint(
            "look at the log of the service there; `ktrdr workers list` shows the other hosts",
        ),
    )
}

/// The name of this host, as its workers announce it.
fn this_host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.into_string().unwrap_or_default()
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

/// `idle`, `busy 1/2`, `idle, live 3`, `draining`, `degraded`.
fn state_text(worker: &WorkerInfo) -> String {
    if worker.degraded.is_some() {
        return "degraded".to_owned();
    }

    // What follows bars as they close waits most of the time, and takes no slot.
    let live = match worker.live {
        0 => String::new(),
        live => format!(", live {live}"),
    };
    match (worker.draining, worker.busy_slots()) {
        (true, _) => "draining".to_owned(),
        (false, 0) => format!("idle{live}"),
        (false, busy) => format!("busy {busy}/{}{live}", worker.slots),
    }
}

/// `cuda GPU 0, 12.3/79.6 GiB, 37 %`, `cpu`; empty for a worker that reports no device.
fn device_text(worker: &WorkerInfo) -> String {
    let mut parts = vec![device_name(worker)];

    if let Some(gpu) = gpu_of(worker) {
        let used = gibibytes(gpu.memory_used_bytes);
        let all = gibibytes(gpu.memory_bytes);
        parts.push(format!("{used:.1}/{all:.1} GiB"));
        parts.extend(
            gpu.utilization_percent
                .map(|percent| format!("{percent} %")),
        );
    }
    parts.join(", ")
}

/// `cuda GPU 0`, `cpu`.
fn device_name(worker: &WorkerInfo) -> String {
    match &worker.device {
        Some(device) => format!("{} {}", device.kind, device.name)
            .trim_end()
            .to_owned(),
        None => String::new(),
    }
}

fn gpu_of(worker: &WorkerInfo) -> Option<&GpuFacts> {
    worker.device.as_ref()?.gpu.as_ref()
}

/// What the driver says about the GPU of a worker, for its page.
fn gpu_text(gpu: &GpuFacts) -> String {
    let used = gibibytes(gpu.memory_used_bytes);
    let all = gibibytes(gpu.memory_bytes);
    let computing = match gpu.utilization_percent {
        Some(percent) => format!(", computing {percent} % of the time"),
        None => String::new(),
    };
    format!("{}, {used:.1} of {all:.1} GiB in use{computing}", gpu.model)
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
        ("Device", or_dash(device_name(info))),
        ("Host", host_text(info)),
        ("Up", compact(after(info.started_at, now))),
        ("Works on", or_dash(join_with_commas(&info.current))),
    ];
    if let Some(gpu) = gpu_of(info) {
        facts.push(("GPU", gpu_text(gpu)));
    }
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
        parts.push(format!(
            "{:.1} GiB of memory",
            gibibytes(worker.memory_bytes)
        ));
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
    let names: Vec<String> = chosen.iter().map(ToString::to_string).collect();
    note_act(Deed::WorkersDrain, &names, context, &bus).await?;
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn trainer_on(device: Value) -> WorkerInfo {
        let worker = json!({
            "v": 1, "worker": "trainer-gpu-host-4711-0a1b2c3d", "service": "trainer",
            "lanes": ["gpu"], "host": "gpu-host", "pid": 4711, "version": "0.1.0",
            "started_at": "2026-03-01T00:00:00Z", "slots": 1, "device": device,
        });
        serde_json::from_value(worker).unwrap()
    }

    #[test]
    fn a_gpu_is_shown_with_its_memory_and_how_busy_it_is() {
        // 13 GiB are 13 958 643 712 bytes, 80 GiB are 85 899 345 920.
        let mut worker = trainer_on(json!({
            "kind": "cuda", "name": "GPU 0",
            "gpu": {
                "model": "NVIDIA H100 80GB HBM3", "memory_bytes": 85_899_345_920_u64,
                "memory_used_bytes": 13_958_643_712_u64, "utilization_percent": 37,
            },
        }));

        assert_eq!(device_text(&worker), "cuda GPU 0, 13.0/80.0 GiB, 37 %");
        assert_eq!(
            gpu_text(gpu_of(&worker).unwrap()),
            "NVIDIA H100 80GB HBM3, 13.0 of 80.0 GiB in use, computing 37 % of the time"
        );

        let device = worker.device.as_mut().unwrap();
        device.gpu.as_mut().unwrap().utilization_percent = None;
        assert_eq!(device_text(&worker), "cuda GPU 0, 13.0/80.0 GiB");
    }

    #[test]
    fn a_probe_sees_the_workers_of_its_own_host_alone() {
        let mut workers = vec![trainer_on(Value::Null)];
        keep_those_of("gpu-host", &mut workers).unwrap();
        assert_eq!(workers.len(), 1);

        let failure = keep_those_of("other-host", &mut workers).unwrap_err();
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(failure.message, "No worker of the host other-host is alive");
    }

    #[test]
    fn a_device_of_an_older_trainer_is_its_name_alone() {
        let gpu = trainer_on(json!({"kind": "cuda", "name": "GPU 1"}));
        assert_eq!(device_text(&gpu), "cuda GPU 1");
        assert_eq!(device_text(&trainer_on(json!({"kind": "cpu"}))), "cpu");
        assert_eq!(device_text(&trainer_on(Value::Null)), "");
    }
}
