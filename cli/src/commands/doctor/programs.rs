//! Checks of the programs on this host: the services, the NATS server, and the trainer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use schemas::codes::Advice as _;
use schemas::ids::Service;

use super::check::Check;
use crate::up::{NOT_BUILT, binaries_folder, binary, find_nats_server};

/// How long a service may take to print its help.
const HELP_TIMEOUT: Duration = Duration::from_secs(30);

/// Every check of a program. None is bad where it is absent: a host may have other tasks.
pub(super) async fn check_programs(
    env: &BTreeMap<String, String>,
    working_directory: &Path,
) -> Vec<Check> {
    let folder = binaries_folder(env);
    let trainer = binary(&folder, Service::Trainer);
    vec![
        check_binaries(&folder),
        check_nats_server(env, &folder, working_directory),
        check_trainer(&trainer).await,
    ]
}

fn check_binaries(folder: &Path) -> Check {
    let (built, absent): (Vec<Service>, Vec<Service>) = Service::ALL
        .iter()
        .partition(|service| binary(folder, **service).is_file());
    if absent.is_empty() {
        return Check::ok("binaries", folder.display().to_string());
    }

    let detail = format!(
        "{}: {}; absent: {}",
        folder.display(),
        join_services(&built),
        join_services(&absent)
    );
    Check::note("binaries", detail, NOT_BUILT)
}

fn join_services(services: &[Service]) -> String {
    let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
    names.join(", ")
}

fn check_nats_server(
    env: &BTreeMap<String, String>,
    folder: &Path,
    working_directory: &Path,
) -> Check {
    match find_nats_server(env, &[folder, working_directory]) {
        Ok(path) => Check::ok("nats-server", path.display().to_string()),
        Err(error) => Check::note("nats-server", error.to_string(), &error.hint()),
    }
}

/// A trainer that prints its help starts, and its first line says what it computes with.
async fn check_trainer(trainer: &Path) -> Check {
    if !trainer.is_file() {
        return Check::note("trainer", "absent", "only trainings need it: make build");
    }

    // A trainer that hangs is killed when the timeout below drops it.
    let help = tokio::process::Command::new(trainer)
        .arg("--help")
        .kill_on_drop(true)
        .output();

    match tokio::time::timeout(HELP_TIMEOUT, help).await {
        Ok(Ok(output)) => judge_help(&output),
        Ok(Err(error)) => Check::bad("trainer", error.to_string(), "make build"),
        Err(_) => {
            let detail = format!(
                "the trainer does not start within {} s",
                HELP_TIMEOUT.as_secs()
            );
            Check::bad("trainer", detail, "make build")
        }
    }
}

fn judge_help(output: &Output) -> Check {
    if output.status.success() {
        let help = String::from_utf8_lossy(&output.stdout);
        let summary = help.lines().next().unwrap_or_default();
        return Check::ok("trainer", summary.to_owned());
    }

    // Only a library that is not found keeps a program from printing its help.
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let hint =
        "the trainer does not find its libtorch: make trainer, or make build for one without";
    Check::bad("trainer", error, hint)
}
