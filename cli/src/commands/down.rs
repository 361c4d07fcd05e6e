//! `ktrdr down`: stops the local system of this folder, or the one above.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::arguments::values::parse_duration;
use crate::console::{Exit, Failure};
use crate::context::{Context, VARIABLE, folders_above};
use crate::up::{StoppedSystem, stop_first};

/// `ktrdr down`.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Folder of the system; without it `.ktrdr` here, or in the nearest folder above that has one
    /// running
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How long to wait for its end, as in 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    timeout: Duration,
}

/// Stops the system in order and says what was stopped. Where nothing runs there is nothing to do,
/// which is no failure.
///
/// # Errors
/// The system does not end in time, or cannot be asked to.
pub(crate) async fn run(args: &DownArgs, context: &Context) -> Result<Exit, Failure> {
    let folders = folders_to_look_at(args, context);
    let stopped = stop_first(&folders, args.timeout).await?;

    report(stopped.as_ref(), context);
    Ok(Exit::Done)
}

/// The folder that is named, by a flag or by the context of whoever started this command; else all
/// from here upwards.
fn folders_to_look_at(args: &DownArgs, context: &Context) -> Vec<PathBuf> {
    let here = &context.working_directory;
    let context_file = context.environment.get(VARIABLE);

    let named = match (&args.dir, context_file) {
        (Some(dir), _) => Some(here.join(dir)),
        (None, Some(file)) => here.join(file).parent().map(PathBuf::from),
        (None, None) => return folders_above(here),
    };
    named.into_iter().filter(|folder| folder.is_dir()).collect()
}

fn report(stopped: Option<&StoppedSystem>, context: &Context) {
    let Some(StoppedSystem {
        folder,
        up,
        programs,
    }) = stopped
    else {
        context
            .output
            .json(&json!({"type": "result", "folder": null, "stopped": [], "exit": 0}));
        return context
            .output
            .line("No system runs in this folder or above it: nothing to stop");
    };

    context.output.json(&json!({
        "type": "result",
        "folder": folder.display().to_string(),
        "pid": up,
        "stopped": programs,
        "exit": 0,
    }));
    let names = programs.join(", ");
    context.output.line(&match up {
        Some(pid) => format!(
            "Stopped the system of {} (process {pid}): {names}",
            folder.display()
        ),
        None => format!(
            "Ended what a killed `ktrdr up` had left running in {}: {names}",
            folder.display()
        ),
    });
}
