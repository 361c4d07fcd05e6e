//! `ktrdr schedule remove`: schedules that start nothing any more.

use clap::Args;
use schemas::schedules::ScheduleName;
use serde_json::json;

use super::state::no_schedule;
use crate::console::{Exit, Failure};
use crate::context::Context;

/// `ktrdr schedule remove`.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// Names of the schedules
    #[arg(value_name = "NAME", required = true)]
    names: Vec<ScheduleName>,
}

/// Removes the schedules; the first one that does not exist ends it.
///
/// # Errors
/// There is no schedule of a name, or the server cannot be asked.
pub(super) async fn run(args: &RemoveArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let bus = context.bus().await?;

    for name in &args.names {
        if !bus.schedules().remove(name).await? {
            return Err(no_schedule(name, &bus).await);
        }
        output.json(&json!({ "type": "removed", "schedule": name }));
        output.line(&format!("Removed the schedule {name}"));
    }
    Ok(Exit::Done)
}
