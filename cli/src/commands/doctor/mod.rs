//! `ktrdr doctor`: what was settled and from where, and whether every part can be used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::Bus;
use bus::topology::{Topology, TopologyOptions};
use clap::Args;
use schemas::errors::chain;
use schemas::ids::Service;
use serde::Serialize;
use serde_json::json;
use store::Store;

use crate::console::{Exit, Failure, Tone};
use crate::context::{Context, Setup};
use crate::up::{
    Durability, binaries_folder, binary, find_nats_server, not_built, read_durability,
};

/// How long a service binary may take to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);
/// The monitor of a server that `ktrdr up` did not start, if it runs on this host with the usual
/// port.
const USUAL_MONITOR: &str = "http://127.0.0.1:8222";

/// `ktrdr doctor`, which takes no arguments of its own.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

/// How one check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Works, but a person may want to know.
    Note,
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            detail: detail.into(),
            hint: String::new(),
        }
    }

    fn note(name: &'static str, detail: impl Into<String>, hint: &str) -> Self {
        Self {
            verdict: Verdict::Note,
            hint: hint.to_owned(),
            ..Self::ok(name, detail)
        }
    }

    fn bad(name: &'static str, detail: impl Into<String>, hint: &str) -> Self {
        Self {
            verdict: Verdict::Bad,
            ..Self::note(name, detail, hint)
        }
    }
}

/// Looks at everything; exit code 3 when the server cannot be reached, 1 when something else is
/// wrong.
///
/// # Errors
/// None: what is wrong is a check that failed.
pub(crate) async fn run(_args: &DoctorArgs, context: &Context) -> Result<Exit, Failure> {
    let setup = context.setup()?;
    let mut checks = Vec::new();
    let bus = context.bus().await;
    let unreachable = bus.is_err();
    match bus {
        Ok(bus) => {
            checks.push(server(&bus).await);
            checks.push(acknowledgements(setup).await);
            checks.push(topology(&bus, setup).await);
            checks.push(workers(&bus).await);
        }
        Err(failure) => {
            let detail = std::iter::once(&failure.message)
                .chain(&failure.causes)
                .cloned()
                .collect::<Vec<_>>()
                .join(": ");
            checks.push(Check::bad("server", detail, &failure.hint));
        }
    }
    checks.push(objects(context.store_url()?).await);
    checks.extend(binaries(&context.environment, &context.working_directory).await);
    show(context, setup, &checks);
    let any_bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    Ok(match (unreachable, any_bad) {
        (true, _) => Exit::Unreachable,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    })
}

fn show(context: &Context, setup: &Setup, checks: &[Check]) {
    let output = &context.output;
    let system = setup
        .system
        .as_ref()
        .map(|system| system.path.display().to_string());
    output.json(&json!({
        "type": "doctor",
        "settings": setup.settings.entries,
        "system": system,
        "checks": checks,
    }));
    if let Some(path) = system {
        output.line(&format!("system of {path}, which gives the defaults below"));
    }
    output.line(setup.settings.to_string().trim_end());
    output.line("");
    for Check {
        name,
        verdict,
        detail,
        hint,
    } in checks
    {
        let (word, tone) = match verdict {
            Verdict::Ok => ("ok  ", Tone::Good),
            Verdict::Note => ("note", Tone::Odd),
            Verdict::Bad => ("BAD ", Tone::Bad),
        };
        output.line(&format!(
            "{}  {name:<12} {detail}",
            output.style.paint(tone, word)
        ));
        if !hint.is_empty() {
            output.line(&format!("      hint: {hint}"));
        }
    }
}

async fn server(bus: &Bus) -> Check {
    match bus.rtt().await {
        Ok(rtt) => {
            let (url, version, ms) = (bus.url(), bus.server_version(), rtt.as_secs_f64() * 1e3);
            Check::ok(
                "server",
                format!("{url}, version {version}, answers in {ms:.1} ms"),
            )
        }
        Err(error) => Check::bad("server", chain(&error), error.hint()),
    }
}

async fn acknowledgements(setup: &Setup) -> Check {
    let monitor = setup
        .system
        .as_ref()
        .map_or(USUAL_MONITOR, |system| system.file.monitor_url.as_str());
    // The usual monitor port says something only about a server on this host.
    let local = setup.settings.value.bus.url.contains("127.0.0.1")
        || setup.settings.value.bus.url.contains("localhost");
    let found = if setup.system.is_some() || local {
        read_durability(monitor).await
    } else {
        Durability::Unverified
    };
    match found {
        Durability::Synced => Check::ok("durability", found.to_string()),
        Durability::SyncedLater { .. } => Check::bad(
            "durability",
            found.to_string(),
            "infra/nats/server.conf shows how",
        ),
        Durability::Unverified => Check::note(
            "durability",
            found.to_string(),
            "run this on the server's host",
        ),
    }
}

async fn topology(bus: &Bus, setup: &Setup) -> Check {
    let declared = Topology::declare(setup.settings.value.bus.profile, TopologyOptions::default());
    match bus.differences(&declared).await {
        Ok(drifts) if drifts.is_empty() => {
            let (streams, consumers) = (declared.streams.len(), declared.consumers.len());
            Check::ok(
                "topology",
                format!("{streams} streams and buckets, {consumers} consumers: as declared"),
            )
        }
        Ok(drifts) => {
            let shown: Vec<String> = drifts.iter().take(3).map(ToString::to_string).collect();
            let detail = format!("{} differences: {}", drifts.len(), shown.join("; "));
            Check::bad(
                "topology",
                detail,
                "`ktrdr infra check` shows all, `ktrdr infra apply` mends them",
            )
        }
        Err(error) => Check::bad("topology", chain(&error), error.hint()),
    }
}

async fn workers(bus: &Bus) -> Check {
    let workers = match bus.workers().await {
        Ok(workers) => workers,
        Err(error) => return Check::bad("workers", chain(&error), error.hint()),
    };
    let mut counts: BTreeMap<Service, usize> = BTreeMap::new();
    workers
        .iter()
        .for_each(|worker| *counts.entry(worker.service).or_default() += 1);
    let served: Vec<String> = counts
        .iter()
        .map(|(service, count)| format!("{count} {service}"))
        .collect();
    let absent: Vec<&str> = Service::ALL
        .iter()
        .filter(|service| !counts.contains_key(service))
        .map(|service| service.as_str())
        .collect();
    let detail = if served.is_empty() {
        "none".to_owned()
    } else {
        served.join(", ")
    };
    if absent.is_empty() {
        return Check::ok("workers", detail);
    }
    let hint = format!(
        "nobody serves {}: what is submitted for them waits",
        absent.join(", ")
    );
    Check::note("workers", detail, &hint)
}

/// Tries every operation on a scratch object: a store that answers may still refuse to write.
async fn objects(url: String) -> Check {
    let probed = match Store::open(&url).await {
        Ok(store) => store.probe().await,
        Err(error) => Err(error),
    };
    match probed {
        Ok(()) => Check::ok(
            "store",
            format!(
                "{url}: an object was written, read, listed, protected from overwriting, deleted"
            ),
        ),
        Err(error) => Check::bad("store", format!("{url}: {}", chain(&error)), error.hint()),
    }
}

async fn binaries(env: &BTreeMap<String, String>, working_directory: &Path) -> Vec<Check> {
    let folder = binaries_folder(env);
    let built = |service: &&Service| binary(&folder, **service).is_file();
    let names = |services: Vec<&Service>| {
        services
            .into_iter()
            .map(|service| service.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (here, absent): (Vec<&Service>, Vec<&Service>) = Service::ALL.iter().partition(built);
    let mut checks = vec![match absent.first() {
        None => Check::ok("binaries", folder.display().to_string()),
        Some(first) => {
            let detail = format!(
                "{}: {}; absent: {}",
                folder.display(),
                names(here),
                names(absent.clone())
            );
            Check::note("binaries", detail, not_built(**first))
        }
    }];
    checks.push(match find_nats_server(env, &[&folder, working_directory]) {
        Ok(path) => Check::ok("nats-server", path.display().to_string()),
        Err(error) => Check::note("nats-server", error.to_string(), &error.hint()),
    });
    checks.push(libtorch(env, &binary(&folder, Service::Trainer), working_directory).await);
    checks
}

/// A trainer that prints its version has found its libtorch; without a trainer the folder is looked
/// for.
async fn libtorch(
    env: &BTreeMap<String, String>,
    trainer: &Path,
    working_directory: &Path,
) -> Check {
    if !trainer.is_file() {
        let places = [trainer, working_directory]
            .into_iter()
            .flat_map(Path::ancestors);
        let mut folders = env
            .get("LIBTORCH")
            .map(PathBuf::from)
            .into_iter()
            .chain(places.map(|place| place.join(".deps/libtorch")));
        return match folders.find(|folder| folder.join("lib/libtorch_cpu.so").is_file()) {
            Some(folder) => Check::note(
                "libtorch",
                folder.display().to_string(),
                "trainer not built: make trainer",
            ),
            None => Check::note("libtorch", "absent", "only trainings need it: make trainer"),
        };
    }
    let run = tokio::process::Command::new(trainer)
        .arg("--version")
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(VERSION_TIMEOUT, run).await {
        Ok(Ok(output)) if output.status.success() => Check::ok(
            "libtorch",
            format!(
                "{} finds it",
                String::from_utf8_lossy(&output.stdout).trim()
            ),
        ),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Check::bad(
                "libtorch",
                said,
                "the trainer does not find its libtorch: infra/setup libtorch, then make trainer",
            )
        }
        Ok(Err(error)) => Check::bad("libtorch", error.to_string(), "make trainer"),
        Err(_) => Check::bad(
            "libtorch",
            "the trainer does not start within 5 s",
            "make trainer",
        ),
    }
}
