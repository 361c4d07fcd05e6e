//! Checks of the programs on this host: the services, the NATS server, and libtorch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use schemas::codes::Advice as _;
use schemas::ids::Service;

use super::check::Check;
use crate::up::{binaries_folder, binary, find_nats_server, not_built};

/// How long a service may take to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// Every check of a program. None is bad where it is absent: a host may have other tasks.
pub(super) async fn check_programs(
    env: &BTreeMap<String, String>,
    working_directory: &Path,
) -> Vec<Check> {
    let folder = binaries_folder(env);
    let trainer = binary(&folder, Service::Trainer);
    let libtorch = if trainer.is_file() {
        check_libtorch_of(&trainer).await
    } else {
        check_libtorch_folder(env, &trainer, working_directory)
    };

    vec![
        check_binaries(&folder),
        check_nats_server(env, &folder, working_directory),
        libtorch,
    ]
}

fn check_binaries(folder: &Path) -> Check {
    let (built, absent): (Vec<Service>, Vec<Service>) = Service::ALL
        .iter()
        .partition(|service| binary(folder, **service).is_file());
    let Some(first_absent) = absent.first() else {
        return Check::ok("binaries", folder.display().to_string());
    };

    let detail = format!(
        "{}: {}; absent: {}",
        folder.display(),
        join_services(&built),
        join_services(&absent)
    );
    Check::note("binaries", detail, &not_built(*first_absent))
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

/// A trainer that prints its version has found its libtorch.
async fn check_libtorch_of(trainer: &Path) -> Check {
    // A trainer that hangs is killed when the timeout below drops it.
    let version = tokio::process::Command::new(trainer)
        .arg("--version")
        .kill_on_drop(true)
        .output();

    match tokio::time::timeout(VERSION_TIMEOUT, version).await {
        Ok(Ok(output)) => judge_version(&output),
        Ok(Err(error)) => Check::bad("libtorch", error.to_string(), "make trainer"),
        Err(_) => {
            let detail = format!(
                "the trainer does not start within {} s",
                VERSION_TIMEOUT.as_secs()
            );
            Check::bad("libtorch", detail, "make trainer")
        }
    }
}

fn judge_version(output: &Output) -> Check {
    if output.status.success() {
        let version = String::from_utf8_lossy(&output.stdout);
        return Check::ok("libtorch", format!("{} finds it", version.trim()));
    }

    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let hint = "the trainer does not find its libtorch: infra/setup libtorch, then make trainer";
    Check::bad("libtorch", error, hint)
}

/// Without a trainer, the folder that one would be built with is looked for.
fn check_libtorch_folder(
    env: &BTreeMap<String, String>,
    trainer: &Path,
    working_directory: &Path,
) -> Check {
    let named = env.get("LIBTORCH").map(PathBuf::from);
    let checkouts = [trainer, working_directory]
        .into_iter()
        .flat_map(Path::ancestors)
        .map(|place| place.join(".deps/libtorch"));

    // A named folder without the library is passed over, like a checkout without one.
    let folder = named
        .into_iter()
        .chain(checkouts)
        .find(|folder| folder.join("lib/libtorch_cpu.so").is_file());

    match folder {
        Some(folder) => Check::note(
            "libtorch",
            folder.display().to_string(),
            "trainer not built: make trainer",
        ),
        None => Check::note("libtorch", "absent", "only trainings need it: make trainer"),
    }
}
