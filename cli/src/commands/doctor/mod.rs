//! `ktrdr doctor`: every setting with its origin, and whether every part of the system can be used.

mod check;
mod deep;
mod devices;
mod programs;
mod schedules;
mod server;

use bus::identity::Tenant;
use clap::Args;
use schemas::codes::Advice as _;
use schemas::errors::chain;
use serde_json::json;
use store::{REGISTRY_URL, Store, StoreError};

use crate::console::{Exit, Failure, extended};
use crate::context::{Context, Setup};
use check::{Check, any_bad};
use deep::Checked;

/// `ktrdr doctor` and how far it looks.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Read everything that the server and the store hold, and judge it by the rules of
    /// docs/operating.md: what looks wrong is read again before it is said.
    #[arg(long)]
    deep: bool,
    /// Train one example on the CPU and on each GPU of this host and compare the losses, instead
    /// of all other checks.
    #[arg(long, conflicts_with = "deep")]
    gpu: bool,
}

/// Looks at everything; the exit code is 3 if the server cannot be reached, and 1 if something else
/// is wrong. With `--gpu` it looks at the devices of this host only, and needs no server.
///
/// # Errors
/// The settings are wrong. Everything else that is wrong is a check that failed.
pub(crate) async fn run(args: &DoctorArgs, context: &Context) -> Result<Exit, Failure> {
    if args.gpu {
        return devices::run(context).await;
    }
    let setup = context.setup()?;
    let mut checks = Vec::new();

    // Without a server the other checks are still worth making: they need none.
    let bus = context.bus_of_any_profile().await;
    let is_reachable = bus.is_ok();
    let mut deep = None;
    match bus {
        Ok(bus) => {
            checks.extend(server::check_server(&bus, setup, args.deep).await);
            if args.deep {
                // What keeps the store from being opened, its own check says.
                let store = context.existing_store().await.ok();
                let store = store.as_ref();
                deep = Some(deep::check(&bus, store, &context.output).await?);
            }
        }
        Err(failure) => checks.push(failed_check("server", failure)),
    }
    checks.push(check_store(context).await?);
    checks.extend(programs::check_programs(&context.environment, &context.working_directory).await);

    show_checks(context, setup, &checks, deep.as_ref());
    let has_fault = deep.is_some_and(|deep| deep.has_fault());
    Ok(match (is_reachable, any_bad(&checks) || has_fault) {
        (false, _) => Exit::Unreachable,
        (true, true) => Exit::Failed,
        (true, false) => Exit::Done,
    })
}

fn failed_check(name: &'static str, failure: Failure) -> Check {
    let mut detail = failure.message;
    for cause in failure.causes {
        detail.push_str(": ");
        detail.push_str(&cause);
    }
    Check::bad(name, detail, &failure.hint)
}

/// Tries every operation on a scratch object: a store that answers may still refuse to write.
async fn check_store(context: &Context) -> Result<Check, Failure> {
    let url = context.store_url()?;
    if url == REGISTRY_URL {
        return Ok(check_registry_store(context).await);
    }

    // Looking must not create anything.
    if store::is_missing_folder(&url) {
        let hint = "`ktrdr up`, or the first import, creates it";
        let detail = format!("{url} does not exist yet");
        return Ok(Check::note("store", detail, hint));
    }
    let probed = match Store::open(&url).await {
        Ok(store) => try_store(&store, context.tenant()?).await,
        Err(error) => Err(error),
    };

    // Opening and probing are one check: a user mends both in the same place.
    Ok(match probed {
        Ok(()) => Check::ok(
            "store",
            format!(
                "{url}: an object was written, read, listed, protected from overwriting, deleted"
            ),
        ),
        Err(error) => Check::bad("store", chain(&error), &error.hint()),
    })
}

/// Whose store it is, and whether every operation on it works.
async fn try_store(store: &Store, tenant: Option<Tenant>) -> Result<(), StoreError> {
    store.probe().await?;
    store
        .check_tenant(tenant.as_ref().map(Tenant::as_str))
        .await
}

/// A store that the registry reads can only be read.
async fn check_registry_store(context: &Context) -> Check {
    let checked = match context.existing_store().await {
        Ok(store) => store.check_access().await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };

    match checked {
        Ok(()) => Check::ok("store", "the registry reads it for this command".to_owned()),
        Err(failure) => failed_check("store", failure),
    }
}

fn show_checks(context: &Context, setup: &Setup, checks: &[Check], deep: Option<&Checked>) {
    let output = &context.output;
    let system = setup
        .system
        .as_ref()
        .map(|system| system.path.display().to_string());
    let line = json!({
        "type": "doctor",
        "settings": setup.settings.entries,
        "system": system,
        "checks": checks,
    });
    let deep_value = deep.map(|deep| ("deep", deep.to_json()));
    output.json(&extended(&line, deep_value));

    // The system comes first, because it explains where the settings below are from.
    if let Some(path) = system {
        output.sentence(&format!("system of {path}"));
    }
    output.sentence(setup.settings.to_string().trim_end());
    output.line("");
    for check in checks {
        check.print(output);
    }
    if let Some(deep) = deep {
        deep.print(output);
    }
}
